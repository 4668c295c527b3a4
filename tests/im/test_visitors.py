"""What shops see of their visitors, whom they may vouch for, and where their chat may stand."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octshop_rt.core.auth.model import Audience
from octshop_rt.core.clock import HOUR, MINUTE
from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.im.visitor import checks, rules, store
from octshop_rt.im.visitor.model import BadEntry, Entry, PageView, Visit
from tests.http.world import World, living
from tests.im.test_guests import ask, chat, guest

SITE = "https://www.example.com"


@pytest.fixture
async def world(db: Database, tmp_path: Path) -> AsyncIterator[World]:
    async with living(db, tmp_path) as one:
        yield one


async def look(world: World, token: str, page: str, shop: str = "S1", **more: Any) -> int:
    status, _ = await ask(world, "PUT", f"/buyer/visits/{shop}", token, {"page": page, **more})
    return status


async def test_the_agent_sees_where_the_visitor_is_and_nothing_he_should_not(world: World):  # req I9 trail
    token, _ = await guest(world)
    assert await look(world, token, "/goods/1") == 404  # he does not talk to this shop
    visitor, agent = await chat(world, token), await chat(world, await world.token("agent", Audience.STAFF), "staff")
    c = await visitor.open("S1")
    await visitor.say(c, "在吗")
    assert await look(world, token, "/goods/1", shop="S3") == 404
    staff = await world.token("agent", Audience.STAFF)
    assert await ask(world, "GET", f"/shop/S1/desk/visits/{c}", staff) == (200, {"visit": None})
    first = {"title": "红茶 13812345678", "referrer": "https://search.example/s?q=secret", "device": "Chrome · Windows"}
    assert await look(world, token, "/goods/1?phone=13812345678#x", **first) == 204
    cart = {"count": 2, "amount_fen": 3600, "titles": ["红茶"]}
    assert await look(world, token, "/cart", cart=cart) == 204
    status, told = await ask(world, "GET", f"/shop/S1/desk/visits/{c}", staff)
    assert status == 200
    seen = told["visit"]
    assert [page["path"] for page in seen["pages"]] == ["/goods/1", "/cart"]
    assert seen["pages"][0]["title"] == "红茶 138****5678"
    assert (seen["referrer"], seen["device"], seen["cart"]) == ("https://search.example", "Chrome · Windows", cart)
    assert (await ask(world, "GET", f"/shop/S3/desk/visits/{c}", await world.token("owner_m2", Audience.STAFF)))[
        0
    ] == 404
    assert (await examine(world.db, checks.CHECKS)).findings == ()
    for client in (visitor, agent):
        await client.close()


async def test_what_a_visitors_page_claims_passes_the_guard_and_our_own_pages_have_their_own_names(
    world: World,
):  # req I10
    owner = await world.token("owner", Audience.STAFF)
    for level, word in (("refuse", "禁词乙"), ("mask", "脏话")):
        rule = {"request_id": world.request_id(), "words": [word], "level": level}
        assert (await ask(world, "POST", "/shop/S1/desk/guard/words", owner, rule))[0] == 200
    token, _ = await guest(world)
    opened = {"request_id": world.request_id(), "shop_id": "S1"}
    _, case = await ask(world, "POST", "/buyer/cases", token, opened)
    claims: dict[str, Any] = {
        "title": "加价 脏话",
        "device": "禁词乙",
        "cart": {"count": 2, "amount_fen": 1, "titles": ["禁词乙", "红茶"]},
    }
    assert await look(world, token, f"/shop/p/{world.ids['G1']}", title="禁词乙") == 204
    assert await look(world, token, f"/shop/p/{world.ids['G3']}", title="另一家店的商品") == 204
    assert await look(world, token, "/shop/s/S1", title="冒充") == 204
    assert await look(world, token, "/禁词乙", **claims) == 204
    _, told = await ask(world, "GET", f"/shop/S1/desk/visits/{case['c']}", owner)
    pages = [(page["path"], page["title"]) for page in told["visit"]["pages"]]
    _, shop = await ask(world, "GET", "/buyer/shops/S1", token)
    assert [title for _, title in pages] == ["拿铁", "另一家店的商品", shop["name"], "加价 **"]
    assert pages[-1][0] == "/"
    assert told["visit"]["device"] == ""
    assert told["visit"]["cart"]["titles"] == ["红茶"]

    left = f"/buyer/cases/{case['id']}/messages"
    note = {"request_id": world.request_id(), "text": "请回电", "contact": "13800000000"}
    assert (await ask(world, "POST", left, token, {**note, "contact": "禁词乙"}))[0] == 422
    assert (await ask(world, "POST", left, token, note))[0] in {200, 201}  # a number is what was asked for
    rule = {"request_id": world.request_id(), "words": ["回电"], "level": "mask"}
    assert (await ask(world, "POST", "/shop/S1/desk/guard/words", owner, rule))[0] == 200
    assert (await ask(world, "POST", left, token, note))[0] in {
        200,
        201,
    }  # a retry is answered
    ended = {"request_id": world.request_id()}
    assert (await ask(world, "POST", f"/buyer/cases/{case['id']}/end", token, ended))[0] == 200
    rating = {"request_id": world.request_id(), "stars": 5, "tags": ["禁词乙"]}
    assert (await ask(world, "POST", f"/buyer/cases/{case['id']}/rating", token, rating))[0] == 422
    status, rated = await ask(world, "POST", f"/buyer/cases/{case['id']}/rating", token, {**rating, "tags": ["脏话"]})
    assert (status, rated["rating"]["tags"]) == (200, ["**"])


async def test_whoever_watches_the_case_hears_that_the_visitor_has_moved_on(world: World):
    token, _ = await guest(world)
    status, case = await ask(world, "POST", "/buyer/cases", token, {"request_id": world.request_id(), "shop_id": "S1"})
    assert status == 200, case
    agent = await chat(world, await world.token("agent", Audience.STAFF), "staff")
    assert (await agent.ask({"t": 19, "k": "case", "ids": [case["id"]]}))["t"] == 27
    await look(world, token, "/one")
    await agent.until(lambda: any(one["t"] == 35 and one.get("d", {}).get("visit") for one in agent.others))
    await agent.close()


async def test_a_shops_own_customer_comes_in_once_per_word_and_is_the_same_guest_again(world: World):  # req I12
    owner = await world.token("owner", Audience.STAFF)
    await ask(world, "PUT", "/shop/S1/desk/widget", owner, {"on": True, "sites": [SITE]})
    _, said = await ask(world, "POST", "/shop/S1/desk/widget/secret", owner)
    secret = said["secret"]

    async def enter(entry: str) -> tuple[int, Any]:
        body = {"shop_id": "S1", "entry": entry, "device_id": "visitor-device", "device_name": "Chrome"}
        return await ask(world, "POST", "/buyer/entry", body=body)

    def word(jti: str, **more: Any) -> str:
        fields: dict[str, Any] = {"shop": "S1", "sub": "user-7", "name": "老王", "iat": int(time.time()), "jti": jti}
        return rules.sign(str(more.pop("key", secret)), Entry(**(fields | more)))

    first = word("n0000001")
    status, one = await enter(first)
    assert (status, one["nickname"]) == (200, "老王")
    assert (await enter(first))[0] == 401
    _, again = await enter(word("n0000002"))
    assert again["person_id"] == one["person_id"]
    _, other = await enter(word("n0000003", sub="user-8"))
    assert other["person_id"] != one["person_id"]
    late = int(time.time()) - rules.ENTRY_S - 60
    for bad in (word("n0000004", key="x" * 64), word("n0000005", shop="S2"), word("n0000006", iat=late)):
        assert (await enter(bad))[0] == 401
    visitor = await chat(world, one["token"])
    await visitor.open("S1")
    await visitor.close()
    await ask(world, "POST", "/shop/S1/desk/widget/secret", owner)
    assert (await enter(word("n0000007")))[0] == 401  # signed with the secret before


async def test_only_whole_origins_are_listed_and_none_while_the_widget_is_off(world: World):
    owner = await world.token("owner", Audience.STAFF)
    visitors = world.app.care.visitors
    assert await visitors.frame_sites("S1") == ()
    await ask(world, "PUT", "/shop/S1/desk/widget", owner, {"on": True, "sites": [SITE, SITE]})
    assert await visitors.frame_sites("S1") == (SITE,)
    for bad in ("https://*.example.com", "javascript:x", f"{SITE}/path", f"{SITE} https://b.example", "*"):
        assert (await ask(world, "PUT", "/shop/S1/desk/widget", owner, {"on": True, "sites": [bad]}))[0] == 400, bad
    await ask(world, "PUT", "/shop/S1/desk/widget", owner, {"on": False, "sites": [SITE]})
    assert await visitors.frame_sites("S1") == ()


async def test_old_visits_are_forgotten_and_fsck_finds_what_should_not_be_kept(world: World):
    token, _ = await guest(world)
    visitor = await chat(world, token)
    c = await visitor.open("S1")
    await look(world, token, "/one")
    assert await store.forget_before(world.db, world.app.foundation.clock.now() - HOUR) == 0
    change = {"$set": {"pages": [{"path": "/x?tel=13812345678", "title": "", "at": 1, "stayed_ms": 0}]}}
    await store.VISITS.update(world.db, {"_id": c}, change)
    assert [one.check for one in (await examine(world.db, checks.CHECKS)).findings] == ["F79"]
    assert await store.forget_before(world.db, world.app.foundation.clock.now() + HOUR) == 1
    await visitor.close()


def visit(path: str, at: int) -> Visit:
    return Visit(
        id="C1", shop_id="S1", person_id="U1", started_at=at, at=at, referrer="", device="",
        pages=(PageView(path=path, title="", at=at),),
    )  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(["/a", "/b", "/c"]), st.integers(0, 40 * MINUTE)), min_size=1, max_size=80))
def test_a_visit_stays_short_in_order_and_of_one_piece(steps: list[tuple[str, int]]):
    now, at = None, 1_700_000_000_000
    for path, later in steps:
        at += later
        now = rules.seen(now, visit(path, at))
        assert now.pages[-1].path == path
        assert 1 <= len(now.pages) <= rules.MOST_PAGES
        times = [page.at for page in now.pages]
        assert times == sorted(times)
        assert all(one.path != two.path for one, two in zip(now.pages, now.pages[1:], strict=False))
        assert all(0 <= page.stayed_ms <= at - page.at for page in now.pages)


@given(st.text(max_size=200))
def test_no_text_is_an_entry_that_nobody_signed(text: str):
    with pytest.raises(BadEntry):
        rules.read(text, "k" * 64, "S1", 0)
