"""The authorization matrix: every route, every kind of principal, own, other's and missing objects.

`matrix.toml` holds what must happen, cell by cell, reviewed by hand from the requirements and not from the code's
declarations. A route or a kind of object that is missing there fails. `OCTSHOP_MATRIX_DRAFT=file` writes what happened,
to be reviewed.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from octshop_rt.core import ratelimit
from octshop_rt.core.auth.model import Audience
from octshop_rt.core.http.routes import Route
from octshop_rt.core.mongo import Database
from tests.http.keeping import SPOILED
from tests.http.knocking import MISSING, Knock, Make, fresh, spelled
from tests.http.knocks import KNOCKS
from tests.http.world import NATIVE, PRINCIPALS, World, living

FILE = Path(__file__).parent / "matrix.toml"
# Signing in and being slowed down leave traces of their own; everything else must stay as it was after a refusal.
TRACES = {"sessions", "tickets", "login_codes", "login_guards"}


@pytest.fixture
async def world(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async def take(self: Any, quota: Any, key: str, *, count: bool = True) -> int:
        return 0  # thousands of requests by fifteen people: limits have tests of their own

    monkeypatch.setattr(ratelimit.LocalLimiter, "take", take)
    async with living(db, tmp_path) as one:
        yield one


def reviewed() -> dict[str, dict[str, list[int]]]:
    """The reviewed cells: route -> kind of object -> statuses in the order of PRINCIPALS."""
    tree = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {
        route: {kind: [int(cell) for cell in row.split()] for kind, row in kinds.items()}
        for route, kinds in tree.items()
    }


async def _prints(world: World) -> dict[str, str]:
    """A fingerprint of every collection."""
    await world.quiet()
    db = world.db
    found: dict[str, str] = {}
    for logical, client in db._clients.items():
        answer = await client[f"{db._prefix}_{logical}"].command("dbHash")
        found |= {f"{logical}.{name}": text for name, text in answer["collections"].items() if name not in TRACES}
    return found


def _audience(route: Route, name: str) -> Audience | None:
    """Which of its sessions a principal shows: spoiled ones have one for every door, the others their own."""
    if name == "anonymous":
        return None
    if name in SPOILED:
        wanted = route.permission.audience
        return Audience.STAFF if wanted is Audience.PUBLIC else wanted
    return NATIVE[name]


async def _knock(world: World, route: Route, name: str, make: Make) -> tuple[int, bytes, Knock]:
    audience = _audience(route, name)
    token = "" if audience is None else await world.keeping.token(name, audience)
    await fresh(world, make)
    knock = await make(world, name)
    status, body = await world.ask(
        route.method, knock.path, token=token, body=knock.body, data=knock.data, kind=knock.kind
    )
    return status, body, knock


def _strip(body: bytes) -> Any:
    tree = json.loads(body)
    return {**tree, "request_id": ""}


async def test_every_cell_is_as_reviewed(world: World) -> None:  # issue 7, req AU2
    expected = reviewed()
    if not os.environ.get("OCTSHOP_MATRIX_DRAFT"):
        _review_is_whole(world, expected)
    wrong: list[str] = []
    draft: list[str] = []
    known: dict[str, str] = {}  # how everything was when last looked at, if nobody was let through since
    for route in world.app.routes:
        key = repr(route)
        draft.append(f'\n["{key}"]')
        for kind, make in KNOCKS.get(key, {}).items():
            row = expected.get(key, {}).get(kind, [0] * len(PRINCIPALS))
            # Those who must be refused come first and change nothing; then those who may.
            order = sorted(PRINCIPALS, key=lambda name: row[PRINCIPALS.index(name)] < 400)
            refused = [name for name in order if row[PRINCIPALS.index(name)] >= 400]
            got: dict[str, int] = {}
            lost: list[Any] = []
            needs_fresh = "fresh" in spelled(make) or "fresh_order" in make.__qualname__
            before = {} if needs_fresh or not refused else known or await _prints(world)
            for name in order:
                status, body, knock = await _knock(world, route, name, make)
                got[name] = status
                if status == 404 and b'"core.not_found"' in body:
                    lost.append(_strip(body))
                if status >= 500:
                    wrong.append(f"{key} {kind} {name}: {status} {body!r}")
                if status >= 400 and MISSING not in knock.path:
                    wrong += [f"{key} {kind} {name}: names {one}" for one in _leaks(world, body, knock)]
                if name == (refused[-1] if refused else None) and not needs_fresh:
                    known = after = await _prints(world)
                    changed = sorted(one for one in after if after[one] != before.get(one))
                    if changed and not _may_leave_a_trace(key, changed):
                        wrong.append(f"{key} {kind}: refused, and yet changed {changed}")
            if needs_fresh or len(refused) < len(order):
                known = {}
            if any(one != lost[0] for one in lost):
                wrong.append(f"{key} {kind}: refusals of what is not there differ: {lost}")
            draft.append(f'{kind} = "{" ".join(str(got[name]) for name in PRINCIPALS)}"')
            wrong += [
                f"{key} {kind} {name}: {got[name]}, reviewed {row[number]}"
                for number, name in enumerate(PRINCIPALS)
                if got[name] != row[number]
            ]
    if place := os.environ.get("OCTSHOP_MATRIX_DRAFT"):
        Path(place).write_text("\n".join(draft), encoding="utf-8")
    assert not wrong, "\n".join(wrong)
    # Only the door's look at the person can have kept this one out.
    assert set(await world.keeping.alive("disabled", world.people["disabled"])) == {True}
    assert set(await world.keeping.alive("revoked", world.people["revoked"])) == {False}


def _may_leave_a_trace(key: str, changed: list[str]) -> bool:
    """Scans are audited and wrong codes counted even when refused; forged notices are not even kept."""
    audited = {"POST /shop/{shop_id}/scans", "POST /shop/{shop_id}/redemptions"}
    return key in audited and all("scan" in one or "throttle" in one for one in changed)


def _leaks(world: World, body: bytes, knock: Knock) -> list[str]:
    """Names of the world's objects that a refusal speaks of although they were not asked for."""
    asked = knock.path + str(knock.body)
    told = {name: one for name, one in (world.ids | world.people).items() if len(one) == 27 and one not in asked}
    return [name for name, one in told.items() if one.encode() in body]


def _review_is_whole(world: World, cells: dict[str, dict[str, list[int]]]) -> None:
    table = {repr(route) for route in world.app.routes}
    assert set(KNOCKS) == table, "tests/http/knocks.py does not knock at every route"
    assert set(cells) == table, "tests/http/matrix.toml does not review every route"
    for key, kinds in KNOCKS.items():
        assert set(cells[key]) == set(kinds), key
        for kind, row in cells[key].items():
            assert len(row) == len(PRINCIPALS), (key, kind)
