"""Visitors who have not signed in: what they may, how they become members, and that nothing said is lost by it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from octshop_rt.app import CHECKS
from octshop_rt.commerce.member import checks as member_checks
from octshop_rt.commerce.member import store as member_store
from octshop_rt.commerce.member.guests import KEPT_MS, MOST_GUESTS
from octshop_rt.core.auth.model import Audience
from octshop_rt.core.clock import HOUR
from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store as im_store
from tests.http.knocks import KNOCKS
from tests.http.world import World, living
from tests.im.kit import Client, client_id

DEVICE = {"device": {"id": "visitor-device", "name": "Chrome"}}
OPEN_TO_GUESTS = {"POST /buyer/ws-ticket"}


@pytest.fixture
async def world(db: Database, tmp_path: Path) -> AsyncIterator[World]:
    async with living(db, tmp_path) as one:
        yield one


async def ask(world: World, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
    status, text = await world.ask(method, path, token=token, body=body)
    return status, json.loads(text) if text.startswith(b"{") else None


async def guest(world: World) -> tuple[str, str]:
    """(token, person) of somebody new."""
    status, said = await ask(world, "POST", "/buyer/guest", body=DEVICE)
    assert status == 200, said
    return said["token"], said["person"]["id"]


async def chat(world: World, token: str, folder: str = "buyer") -> Client:
    """A socket of whoever holds the token."""
    status, ticket = await ask(world, "POST", f"/{folder}/ws-ticket", token)
    assert status == 200, ticket
    port = urlsplit(world.url).port
    assert port is not None
    return await (await Client().connect(port)).hello(ticket["ticket"])


def said(client: Client, c: str) -> list[str]:
    """What people said; the desk's events and greetings left out."""
    people = {"buyer", "staff"}
    return [ent["b"]["text"] for _, ent in sorted(client.log[c].items()) if ent["fr"] in people and ent["k"] == "text"]


async def signed_in(world: World, name: str) -> str:
    return await world.token(name, Audience.BUYER)


async def test_a_visitor_chats_with_a_name_and_without_a_number(world: World):  # req I9
    token, person = await guest(world)
    visitor, agent = await chat(world, token), await chat(world, await world.token("agent", Audience.STAFF), "staff")
    c = await visitor.open("S1", ctx={"k": "shop", "id": "S1"})
    await visitor.say(c, "有人吗")
    await agent.until(lambda: said(agent, c) == ["有人吗"])
    (told,) = [one for one in await agent.sync() if one["c"] == c]
    assert told["peer"] == {"id": person, "name": f"访客{person[-4:]}"}
    for client in (visitor, agent):
        await client.close()


async def test_a_guest_is_nobody_at_every_door_but_the_chats(world: World):
    token, _ = await guest(world)
    tried = 0
    for route in world.app.routes:
        if route.permission.audience is not Audience.BUYER:
            continue
        knock = await next(iter(KNOCKS[repr(route)].values()))(world, "buyer_a")
        status, _ = await ask(world, route.method, knock.path, token, knock.body)
        assert (status != 401) == route.permission.guests, route
        tried += 1
    assert tried > 15
    assert {repr(route) for route in world.app.routes if route.permission.guests} >= OPEN_TO_GUESTS


async def test_one_address_makes_a_bounded_number_of_guests(world: World):
    answers = [(await ask(world, "POST", "/buyer/guest", body=DEVICE))[0] for _ in range(25)]
    assert answers[:20] == [200] * 20
    assert answers[-1] == 429


async def test_a_guest_who_signs_in_goes_on_in_the_same_conversation(world: World):  # req I9
    token, person = await guest(world)
    visitor = await chat(world, token)
    c = await visitor.open("S1")
    await visitor.say(c, "登录前")
    member = await signed_in(world, "buyer_a")
    assert (await ask(world, "PUT", "/buyer/guest", member, {"token": token}))[0] == 204
    assert await visitor.ended() == 4003
    assert (await ask(world, "POST", "/buyer/ws-ticket", token))[0] == 401
    buyer = await chat(world, member)
    assert await buyer.open("S1") == c
    await buyer.sync()
    await buyer.say(c, "登录后")
    assert (await ask(world, "PUT", "/buyer/guest", member, {"token": token}))[0] == 204  # again: nothing happens
    agent = await chat(world, await world.token("agent", Audience.STAFF), "staff")
    (told,) = [one for one in await agent.sync() if one["c"] == c]
    assert said(agent, c) == ["登录前", "登录后"]
    assert told["peer"]["name"] == (await world.app.commerce.gate.members.card(world.people["buyer_a"])).nickname
    await agent.say(c, "您好")
    await buyer.until(lambda: "您好" in said(buyer, c))
    assert (await world.app.commerce.gate.members.behind([person])) == {person: world.people["buyer_a"]}
    assert (await examine(world.db, CHECKS)).findings == ()
    for client in (visitor, buyer, agent):
        await client.close()


async def test_both_logs_are_one_history_where_the_member_had_talked_before(world: World):  # req I9
    member = await signed_in(world, "buyer_a")
    buyer = await chat(world, member)
    old = await buyer.open("S1")
    await buyer.say(old, "去年说的")
    token, _ = await guest(world)
    visitor = await chat(world, token)
    new = await visitor.open("S1")
    await visitor.say(new, "今天没登录时说的")
    await visitor.close()
    assert (await ask(world, "PUT", "/buyer/guest", member, {"token": token}))[0] == 204
    assert await buyer.ended() == 4010  # come back: rights have changed
    buyer = await chat(world, member)
    listed = await buyer.sync()
    assert [(one["c"], one.get("earlier")) for one in listed] == [(new, [old])]
    await buyer.pull(old)
    assert said(buyer, old) == ["去年说的"]
    agent = await chat(world, await world.token("agent", Audience.STAFF), "staff")
    found = {one["c"]: one.get("earlier") for one in await agent.sync()}
    assert (found[new], found[old]) == ([old], None)
    stranger = await chat(world, await signed_in(world, "buyer_b"))
    assert (await stranger.ask({"t": 13, "c": old}))["code"] == "im.no_conversation"
    assert (await stranger.ask({"t": 13, "c": new}))["code"] == "im.no_conversation"
    for client in (buyer, agent, stranger):
        await client.close()


async def arrive(world: World, token: str, shop: str = "S1") -> Any:
    body = {"request_id": world.request_id(), "shop_id": shop}
    status, case = await ask(world, "POST", "/buyer/cases", token, body)
    assert status == 200, case
    return case


async def act(world: World, token: str, path: str, **body: Any) -> Any:
    status, told = await ask(world, "POST", path, token, {"request_id": world.request_id(), **body})
    assert status == 200, told
    return told


async def test_who_signs_in_while_waiting_keeps_the_place_and_goes_on_there(world: World):  # req I4, I9
    for name in ("agent", "manager", "owner"):
        await world.must(name, "PUT", "/shop/S1/desk/me", {"status": "offline", "reason": ""})
    token, _ = await guest(world)
    waiting = await arrive(world, token)
    await act(world, token, f"/buyer/cases/{waiting['id']}/person")
    member = await signed_in(world, "buyer_b")
    elsewhere = await arrive(world, member)  # meanwhile, on another device: a younger conversation, and a place in it
    await act(world, member, f"/buyer/cases/{elsewhere['id']}/person")
    assert elsewhere["c"] != waiting["c"]
    assert (await ask(world, "PUT", "/buyer/guest", member, {"token": token}))[0] == 204
    here = await arrive(world, member)
    assert (here["id"], here["state"], here["pos"]) == (waiting["id"], "queued", 1)
    buyer = await chat(world, member)
    assert await buyer.open("S1") == waiting["c"]
    listed = {one["c"]: one.get("earlier") for one in await buyer.sync()}
    assert listed[waiting["c"]] == [elsewhere["c"]]
    assert elsewhere["c"] not in listed
    left = await world.app.care.desk.cases.one(elsewhere["id"])
    assert (left.state, left.history[-1].why) == ("ended", "left")  # one person waits once
    staff = await world.token("owner", Audience.STAFF)
    await act(world, staff, f"/shop/S1/desk/cases/{waiting['id']}/accept")
    again = await arrive(world, member)
    assert (again["id"], again["state"]) == (waiting["id"], "human")
    await buyer.close()


async def test_a_guest_rates_and_reads_what_he_left_and_so_does_the_member_he_becomes(world: World):  # req I8, I9
    token, _ = await guest(world)
    case = await arrive(world, token)
    left = await act(world, token, f"/buyer/cases/{case['id']}/messages", text="请回电", contact="13812345678")
    owner = await world.token("owner", Audience.STAFF)
    await act(world, owner, f"/shop/S1/desk/cases/{case['id']}/accept")
    wish = {"stars": 4, "solved": True, "tags": ["耐心"], "text": "谢谢"}
    early = {"request_id": world.request_id(), **wish}
    assert (await ask(world, "POST", f"/buyer/cases/{case['id']}/rating", token, early))[0] == 409
    await act(world, owner, f"/shop/S1/desk/cases/{case['id']}/end", resolved=True)
    given = await act(world, token, f"/buyer/cases/{case['id']}/rating", **wish)
    assert (given["rating"]["stars"], given["until"] is not None) == (4, True)
    status, told = await ask(world, "PUT", f"/shop/S1/desk/messages/{left['id']}", owner, {"state": "taken"})
    assert status == 200, told
    other, _ = await guest(world)
    assert (await ask(world, "GET", f"/buyer/cases/{case['id']}/rating", other))[0] == 404
    assert (await ask(world, "GET", "/buyer/messages?shop_id=S1", other))[1] == {"items": []}
    member = await signed_in(world, "buyer_b")
    assert (await ask(world, "PUT", "/buyer/guest", member, {"token": token}))[0] == 204
    changed = await act(world, member, f"/buyer/cases/{case['id']}/rating", stars=5, solved=True)
    assert changed["rating"]["stars"] == 5
    (message,) = (await ask(world, "GET", "/buyer/messages?shop_id=S1", member))[1]["items"]
    assert (message["id"], message["state"], message["text"]) == (left["id"], "taken", "请回电")
    assert message["by_name"]


async def test_what_was_stored_before_the_sign_in_and_not_acked_is_not_stored_again(world: World):
    token, _ = await guest(world)
    visitor = await chat(world, token)
    c, m = await visitor.open("S1"), client_id()
    await visitor.say(c, "确认没有回来", m)
    member = await signed_in(world, "buyer_a")
    await ask(world, "PUT", "/buyer/guest", member, {"token": token})
    buyer = await chat(world, member)
    again = await buyer.say(c, "确认没有回来", m)
    assert (again["s"], again["dup"]) == (1, True)
    for client in (visitor, buyer):
        await client.close()


async def test_two_who_claim_a_guest_at_once_do_not_both_get_it(world: World):
    token, person = await guest(world)
    visitor = await chat(world, token)
    await visitor.say(await visitor.open("S1"), "我是谁")
    await visitor.close()
    members = [await signed_in(world, name) for name in ("buyer_a", "buyer_b")]
    await asyncio.gather(*(ask(world, "PUT", "/buyer/guest", one, {"token": token}) for one in members))
    rows = [await member_store.person(world.db, world.people[name]) for name in ("buyer_a", "buyer_b")]
    assert sorted(row.guests for row in rows if row is not None) == [(), (person,)]
    assert (await examine(world.db, member_checks.CHECKS)).findings == ()


async def test_a_person_cannot_have_been_any_number_of_guests(world: World):
    gate = world.app.commerce.gate
    member_id = world.people["buyer_a"]
    crowd = [f"U{n}" for n in range(MOST_GUESTS)]
    await member_store.PERSONS.update(world.db, {"_id": member_id}, {"$set": {"guests": crowd}})
    token, person = await guest(world)
    visitor = await chat(world, token)
    await visitor.open("S1")
    await visitor.close()
    assert await gate.guests.recognise(token, member_id) is False
    row = await member_store.person(world.db, person)
    assert row is not None
    assert row.member_id is None


async def test_guests_who_said_nothing_are_forgotten_and_the_others_are_not(world: World):
    gate = world.app.commerce.gate
    (silent, silent_id), (loud, loud_id) = await guest(world), await guest(world)
    visitor = await chat(world, loud)
    await visitor.open("S1")
    await visitor.close()
    early = world.app.foundation.clock.now() - KEPT_MS - HOUR
    for person_id in (silent_id, loud_id):
        await member_store.PERSONS.update(world.db, {"_id": person_id}, {"$set": {"created_at": early}})
    assert await gate.guests.collect() == 1
    assert await member_store.person(world.db, silent_id) is None
    assert await member_store.person(world.db, loud_id) is not None
    assert (await ask(world, "POST", "/buyer/ws-ticket", silent))[0] == 401
    assert (await examine(world.db, member_checks.CHECKS)).findings == ()


async def test_fsck_finds_a_guest_with_a_phone_a_half_merge_and_a_strange_buyer(world: World):
    token, person = await guest(world)
    visitor = await chat(world, token)
    c = await visitor.open("S1")
    await visitor.say(c, "一句")
    await visitor.close()
    change = {"$set": {"member_id": world.people["buyer_a"], "phone": "13900000000"}}
    await member_store.PERSONS.update(world.db, {"_id": person}, change)
    await im_store.ENTRIES.update(world.db, {"c": c, "s": 1}, {"$set": {"f": "U-somebody"}})
    found = {one.check for one in (await examine(world.db, CHECKS)).findings}
    assert {"F77", "F78"} <= found
