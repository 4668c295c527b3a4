"""Proves that a badly declared route stops the start, each way of being bad by itself."""

from __future__ import annotations

from typing import Any

import pytest

from octshop_rt.core.auth.model import (
    BUYER,
    PLATFORM,
    PUBLIC,
    STAFF,
    Admin,
    Anonymous,
    Audience,
    Buyer,
    Permission,
    Right,
    ShopStaff,
    Staff,
    at_shop,
)
from octshop_rt.core.http.routes import Call, Route, RouteFault, check
from octshop_rt.core.mongo import Database
from tests.http.city import Echo, Town, Word, running


async def anonymous(call: Call[Anonymous]) -> Echo: ...
async def buyer(call: Call[Buyer]) -> Echo: ...
async def buyer_word(call: Call[Buyer], body: Word) -> Echo: ...
async def staff(call: Call[Staff]) -> Echo: ...
async def at_a_shop(call: Call[ShopStaff]) -> Echo: ...
async def admin(call: Call[Admin]) -> Echo: ...


GOOD: dict[str, Any] = {"answer": Echo, "summary": "x"}


def test_the_town_is_well_declared() -> None:
    check(Town().routes())
    check([
        Route("GET", "/buyer/a", buyer, permission=BUYER, **GOOD),
        Route("POST", "/buyer/a", buyer_word, permission=BUYER, body=Word, **GOOD),
        Route("GET", "/shop/{shop_id}/a", at_a_shop, permission=at_shop(Right.CHAT), **GOOD),
        Route("GET", "/staff/a", staff, permission=STAFF, **GOOD),
        Route("GET", "/platform/a", admin, permission=PLATFORM, **GOOD),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (Route("GET", "/buyer/a", buyer, permission=None, **GOOD), "no permission"),  # type: ignore[arg-type]
        (Route("GET", "/buyer/a", buyer, permission="buyer", **GOOD), "no permission"),  # type: ignore[arg-type]
        (Route("GET", "/buyer/a", staff, permission=STAFF, **GOOD), "lies below /buyer"),
        (Route("GET", "/platform/a", buyer, permission=BUYER, **GOOD), "lies below /platform"),
        (Route("GET", "/things", buyer, permission=BUYER, **GOOD), "is for buyer but lies below /things"),
        (Route("GET", "/shop/{shop_id}/a", staff, permission=STAFF, **GOOD), "belong together"),
        (Route("GET", "/shop/a", at_a_shop, permission=at_shop(Right.CHAT), **GOOD), "belong together"),
        (
            Route("GET", "/staff/a", staff, permission=Permission(Audience.STAFF, Right.CHAT), **GOOD),
            "without saying at which shop",
        ),
        (Route("GET", "/buyer/a", staff, permission=BUYER, **GOOD), "takes Call[Staff]"),
        (Route("GET", "/buyer/a", anonymous, permission=BUYER, **GOOD), "takes Call[Anonymous]"),
        (Route("GET", "/open", buyer, permission=PUBLIC, **GOOD), "takes Call[Buyer]"),
        (Route("GET", "/shop/{shop_id}/a", staff, permission=at_shop(), **GOOD), "takes Call[Staff]"),
        (Route("POST", "/buyer/a", buyer_word, permission=BUYER, body=Echo, **GOOD), "takes a body of Word"),
        (Route("POST", "/buyer/a", buyer_word, permission=BUYER, **GOOD), "must take (call)"),
        (Route("POST", "/buyer/a", buyer, permission=BUYER, body=Word, **GOOD), "(call, body)"),
        (Route("GET", "/buyer/a", buyer_word, permission=BUYER, body=Word, **GOOD), "GET and DELETE do not"),
        (Route("GET", "/buyer/a", buyer, permission=BUYER, answer=Echo, status=204, summary="x"), "204"),
        (Route("GET", "/buyer/a", buyer, permission=BUYER, answer=Echo), "no summary"),
    ],
)  # fmt: skip
def test_a_bad_route_stops_the_start(route: Route, reason: str) -> None:
    with pytest.raises(RouteFault) as fault:
        check([route])
    assert reason in str(fault.value)
    assert repr(route) in str(fault.value)


def test_two_routes_of_one_shape_stop_the_start() -> None:
    routes = [Route("GET", f"/buyer/{{{name}}}/a", buyer, permission=BUYER, **GOOD) for name in ("one_id", "other_id")]
    with pytest.raises(RouteFault, match="declared twice"):
        check(routes)


async def test_nothing_listens_behind_an_undeclared_route(db: Database) -> None:  # issue 7
    bad = Route("GET", "/buyer/a", buyer, permission=None, **GOOD)  # type: ignore[arg-type]
    with pytest.raises(RouteFault):
        async with running(db, extra=[bad]):
            pass
