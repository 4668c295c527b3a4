"""Proves over every route of the whole product: dressed answers, no foreign page's change, no change without CSRF."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from octshop_rt.core import ratelimit
from octshop_rt.core.auth.model import Audience, Device
from octshop_rt.core.auth.sessions import OpenedSession
from octshop_rt.core.http.edge import HEADERS
from octshop_rt.core.http.routes import Route
from octshop_rt.core.mongo import Database
from octshop_rt.im.api.files import POLICY
from tests.http.knocking import Knock, fresh
from tests.http.knocks import KNOCKS
from tests.http.world import World, living

PEOPLE = {Audience.BUYER: "buyer_a", Audience.STAFF: "owner", Audience.PLATFORM: "admin"}
COOKIES = {Audience.BUYER: "oct_buyer", Audience.STAFF: "oct_staff", Audience.PLATFORM: "oct_admin"}


@pytest.fixture
async def world(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async def take(self: Any, quota: Any, key: str, *, count: bool = True) -> int:
        return 0

    monkeypatch.setattr(ratelimit.LocalLimiter, "take", take)
    async with living(db, tmp_path) as one:
        yield one


async def _browser(world: World, audience: Audience) -> OpenedSession:
    device = Device(id="browser-0001", name="browser")
    return await world.app.commerce.gate.sessions.open(audience, world.people[PEOPLE[audience]], device)


async def _send(world: World, route: Route, knock: Knock, headers: dict[str, str]) -> tuple[int, Any, Any]:
    given: dict[str, Any] = {"json": knock.body} if knock.data is None else {"data": knock.data}
    if knock.kind:
        headers = {**headers, "Content-Type": knock.kind}
    async with world.client.request(route.method, world.api + knock.path, headers=headers, **given) as answer:
        text = await answer.read()
        one = text.startswith(b"{") and "ndjson" not in answer.content_type  # an export is one object a line
        return answer.status, json.loads(text) if one else None, answer.headers


async def test_every_route_against_forged_pages(world: World) -> None:  # issue 7, 8
    """CSRF and Origin, generated: our own page passes, and nothing else does."""
    tried = 0
    for route in world.app.routes:
        audience = route.permission.audience
        if not route.mutating or audience is Audience.PUBLIC:
            continue
        make = next(iter(KNOCKS[repr(route)].values()))
        await fresh(world, make)
        knock = await make(world, PEOPLE[audience])
        browser = await _browser(world, audience)
        cookie = {"Cookie": f"{COOKIES[audience]}={browser.token}"}
        csrf = {"X-CSRF-Token": browser.csrf_token}
        own = {"Origin": world.url}
        for headers, code in (
            ({**cookie, **own}, "auth.csrf"),
            ({**cookie, **own, "X-CSRF-Token": "x"}, "auth.csrf"),
            ({**cookie, **csrf}, "auth.foreign_origin"),
            ({**cookie, **csrf, "Origin": "null"}, "auth.foreign_origin"),
            ({**cookie, **csrf, "Origin": world.url + ".evil.example"}, "auth.foreign_origin"),
            ({**cookie, **csrf, "Sec-Fetch-Site": "cross-site"}, "auth.foreign_origin"),
        ):
            status, body, _ = await _send(world, route, knock, headers)
            assert (status, body["code"]) == (403, code), (route, headers)
        status, body, _ = await _send(world, route, knock, {**cookie, **csrf, **own})
        # 409: the door opened, and behind it nobody was waiting, or somebody was faster.
        assert status < 300 or status == 409, (route, status, body)
        tried += 1
    assert tried >= 15


async def test_every_route_is_dressed_whatever_it_answers(world: World) -> None:
    for route in world.app.routes:
        audience = route.permission.audience
        for make in KNOCKS[repr(route)].values():
            await fresh(world, make)
            who = PEOPLE.get(audience, "buyer_a")
            bearer = "" if audience is Audience.PUBLIC else await world.token(who, audience)
            knock = await make(world, who)
            for headers in ({}, {"Authorization": f"Bearer {bearer}"}, {"Accept": "image/gif"}):
                _, _, answered = await _send(world, route, knock, headers)
                for name, value in (HEADERS | _of_files(answered)).items():
                    assert answered[name] == value, (route, name)
                assert "Server" not in answered
                assert answered["X-Request-Id"]


def _of_files(answered: Mapping[str, str]) -> dict[str, str]:
    """What people sent comes with a stricter policy of its own."""
    sent_by_people = answered["Content-Security-Policy"].startswith("sandbox")
    return {"Content-Security-Policy": POLICY, "Cache-Control": "private, no-cache"} if sent_by_people else {}


async def test_no_field_a_client_may_not_set_is_taken(world: World) -> None:
    """Mass assignment: fields that only the server knows are refused on every route that takes a body."""
    known = ("id", "state", "buyer_id", "shop_id", "admin", "rights", "paid_at", "price_fen", "disabled_at")
    for route in world.app.routes:
        make = next(iter(KNOCKS[repr(route)].values()))
        await fresh(world, make)
        knock = await make(world, PEOPLE.get(route.permission.audience, "buyer_a"))
        if knock.body is None:
            continue
        audience = route.permission.audience
        bearer = {}
        if audience is not Audience.PUBLIC:
            bearer = {"Authorization": f"Bearer {await world.token(PEOPLE[audience], audience)}"}
        for name in known:
            if name in knock.body:
                continue
            more = Knock(path=knock.path, body={**knock.body, name: 1})
            status, body, _ = await _send(world, route, more, bearer)
            assert (status, body["code"]) == (400, "core.bad_input"), (route, name)
