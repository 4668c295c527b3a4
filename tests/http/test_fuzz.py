"""schemathesis reads /api/openapi.json of the running product and sends what it can think of, good and bad.

No answer may be a 5xx, of an undocumented status, content type or shape; nothing malformed may be accepted. Each door
is tried with a person's token, so that handlers are reached and not only doors.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from octshop_rt.app import CHECKS
from octshop_rt.core import ratelimit
from octshop_rt.core.auth.model import Audience
from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from tests.http.world import World, living

CHECKED = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "negative_data_rejection,allow_header_conformance,unsupported_method"
)  # not ignored_auth: it adds a made-up cookie to our bearer token, which counts alone; the matrix is stricter
# What ends the session that is fuzzing; these come last, in a run of their own.
ENDING = "/(session|password|devices/.*)$"
# An id it learns from an answer, together with our real shop, makes its "wrong" shop id a right one.
LEARNT = "/desk/agents/[^/]+(/status)?$"
SEED = "20261122"


@pytest.fixture
async def world(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async def take(self: Any, quota: Any, key: str, *, count: bool = True) -> int:
        return 0

    monkeypatch.setattr(ratelimit.LocalLimiter, "take", take)
    async with living(db, tmp_path) as one:
        yield one


def _config(world: World, folder: Path) -> Path:
    """Real ids for the path, so that there is something behind it."""
    ids = {
        "shop_id": "S1",
        "till_id": "T1",
        "charge_id": world.ids["charge_s1"],
        "order_id": world.ids["order_a"],
        "payment_id": world.ids["payment_a"],
        "voucher_id": world.ids["voucher_a"],
        "product_id": world.ids["G1"],
        "buyer_id": world.people["buyer_a"],
        "account_id": "default",
        "file_id": world.ids["file_a"],
        "aftersale_id": world.ids["aftersale_a"],
    }
    lines = ["[parameters]", *(f'"path.{name}" = "{value}"' for name, value in ids.items())]
    place = folder / "schemathesis.toml"
    place.write_text("\n".join(lines), encoding="utf-8")
    return place


async def _run(world: World, token: str, *options: str, config: Path | None = None) -> str:
    """One run; its report if it found something, else nothing."""
    program = str(Path(sys.executable).parent / "schemathesis")
    before = ["--config-file", str(config)] if config else []
    running = await asyncio.create_subprocess_exec(
        program, *before, "run", f"{world.url}/api/openapi.json", "--checks", CHECKED, "--seed", SEED, "--workers", "1",
        "--no-color", "--suppress-health-check", "all", "--warnings", "off", "--continue-on-failure",
        *(("-H", f"Authorization: Bearer {token}") if token else ()), *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONWARNINGS": "ignore"}, cwd=world.app.foundation.settings.data_dir,
    )  # fmt: skip
    out, _ = await running.communicate()
    text = out.decode()
    if os.environ.get("OCTSHOP_FUZZ_SHOW"):
        print(text)
    return "" if running.returncode == 0 else text


async def _any(world: World, paths: str) -> bool:
    """Whether the product has such a path."""
    async with world.client.get(f"{world.url}/api/openapi.json") as answer:
        return any(re.search(paths, path) for path in (await answer.json())["paths"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "audience", "paths"),
    [
        ("buyer_a", Audience.BUYER, "^/api/v1/buyer/"),
        ("owner", Audience.STAFF, "^/api/v1/(staff/|shop/[^/]+/(?!desk))"),
        ("owner", Audience.STAFF, "^/api/v1/shop/[^/]+/desk"),
        ("admin", Audience.PLATFORM, "^/api/v1/(platform|channel)/"),
    ],
)
async def test_a_door_stands_whatever_is_thrown_at_it(
    world: World, tmp_path: Path, name: str, audience: Audience, paths: str
) -> None:  # issue 8
    token = await world.token(name, audience)
    await world.free_till("owner", "S1", "T1")
    config = _config(world, tmp_path)
    wide = ("--include-path-regex", paths, "--exclude-path-regex", ENDING)
    named = ("--include-path-regex", paths, "--exclude-path-regex", f"{ENDING}|{LEARNT}")
    deep = await _run(world, token, *named, "--phases", "coverage,fuzzing", "--max-examples", "8", config=config)
    assert not deep, deep
    lost = await _run(world, token, *wide, "--phases", "fuzzing", "--max-examples", "3")
    assert not lost, lost
    ending = f"{paths}.*{ENDING.lstrip('/')}"
    if await _any(world, ending):
        last = await _run(world, token, "--include-path-regex", ending, "--phases", "coverage")
        assert not last, last
    await world.app.dispatcher.drain()  # what was begun ends, however long the throwing took
    await world.app.care.insight.indexer.sweep()  # the index of words was stopped with the rest
    report = await examine(world.db, [one for one in CHECKS if one.id != "F60"])
    assert [one for one in report.findings if one.object_id != world.people["disabled"]] == []
