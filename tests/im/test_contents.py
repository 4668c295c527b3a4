"""What is said beyond text: quotes, cards, previews; and what becomes of it: recalled and edited, for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from octshop_rt.core.clock import MINUTE, Clock
from octshop_rt.core.dispatcher import Dispatcher, Subscription
from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.events import EntryChanged
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.checks import CHECKS
from octshop_rt.im.wire.fields import Body
from tests.im.kit import Client, Node, Town, client_id, enter, running


class Movable(Clock):
    """The wall clock, which a test may push forward."""

    def __init__(self) -> None:
        self.ahead = 0

    def now(self) -> int:
        return super().now() + self.ahead


@pytest.fixture
def clock() -> Movable:
    return Movable()


@pytest.fixture
def town() -> Town:
    town = Town()
    town.open_shop("S1", "agent-1", "agent-2")
    town.open_shop("S2", "agent-9")
    return town


@pytest.fixture
async def node(db: Database, town: Town, clock: Movable) -> AsyncIterator[Node]:
    async with running(db, town, clock=clock) as node:
        yield node
        assert (await examine(db, CHECKS)).findings == ()


async def recall(client: Client, c: str, s: int) -> dict[str, Any]:
    return await client.ask({"t": 17, "op": "recall", "c": c, "a": {"s": s}})


async def edit(client: Client, c: str, s: int, text: str) -> dict[str, Any]:
    return await client.ask({"t": 17, "op": "edit", "c": c, "a": {"s": s, "text": text}})


async def close(*clients: Client) -> None:
    await asyncio.gather(*(client.close() for client in clients))


async def everything(db: Database, c: str) -> str:
    """The whole conversation as the database has it."""
    return repr([row async for row in store.ENTRIES.scan(db, {"c": c}, sort=[("s", 1)])])


async def test_what_is_recalled_cannot_be_had_by_any_path(node: Node, db: Database):  # req I6, acceptance 24
    buyer, agent = await enter(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    m = client_id()
    await buyer.say(c, "my password is hunter2", m)
    await buyer.say(c, "sorry")
    await agent.sees(c, 2)
    assert (await recall(buyer, c, 1))["t"] == 27
    await agent.until(lambda: 3 in agent.log[c])
    event = agent.log[c][3]
    assert (event["k"], event["fr"], event["b"]["ev"], event["b"]["s"]) == ("event", "system", "recalled", 1)
    late = await enter(node, "agent-2", staff=True)
    (synced,) = await late.sync()
    pulled = await late.pull(c)
    assert "hunter2" not in repr((synced, pulled, late.log, await everything(db, c)))
    gone = pulled["ents"][0]
    assert (gone["k"], gone["b"], gone["rc"]) == ("text", {}, event["b"]["at"])
    # Again nothing more happens, and the same client id still is the same message.
    assert (await recall(buyer, c, 1))["t"] == 27
    again = await buyer.say(c, "my password is hunter2", m)
    assert (again["t"], again["s"], again["dup"]) == (4, 1, True)
    assert (await buyer.say(c, "something else", m))["code"] == "im.idem_conflict"
    assert await store.tail(db, c) == 3
    await close(buyer, agent, late)


async def test_devices_that_were_away_or_paging_history_converge(node: Node):  # req I6, acceptance 24
    buyer, agent = await enter(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    for n in range(8):
        await agent.say(c, f"line {n}")
    await buyer.sees(c, 8)
    stale = await buyer.pull(c, **{"from": 1, "to": 4})  # history on its way while it changes
    buyer.cut()
    assert (await recall(agent, c, 2))["t"] == (await edit(agent, c, 3, "line two, put right"))["t"] == 27
    back = await enter(node, "buyer-1")
    (conversation,) = await back.sync({c: 8})
    told = {ent["b"]["s"]: ent["b"] for ent in conversation["ents"]}
    assert {s: body["ev"] for s, body in told.items()} == {2: "recalled", 3: "edited"}
    fresh: dict[str, Any] = {}
    for s, body in told.items():
        old = next(ent for ent in stale["ents"] if ent["s"] == s)
        assert "rc" not in old and old.get("ed", 0) < body["at"]  # so a client can tell that its page is older
        fresh = (await back.pull(c, **{"from": s, "to": s}))["ents"][0]
        assert max(fresh.get("rc", 0), fresh.get("ed", 0)) == body["at"]
    assert fresh["b"] == {"text": "line two, put right"}
    await close(back, agent, buyer)


async def test_only_ones_own_and_only_for_a_while(node: Node, clock: Movable):  # req I6
    buyer, agent = await enter(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    colleague, stranger = await enter(node, "agent-2", staff=True), await enter(node, "buyer-2")
    c = await buyer.open("S1")
    await buyer.say(c, "one")
    await agent.say(c, "two")
    for client, s, code in (
        (agent, 1, "im.not_your_entry"), (buyer, 2, "im.not_your_entry"), (colleague, 2, "im.not_your_entry"),
        (buyer, 99, "im.not_your_entry"), (stranger, 1, "im.no_conversation"),
    ):  # fmt: skip
        assert (await recall(client, c, s))["code"] == (await edit(client, c, s, "mine now"))["code"] == code
    assert (await edit(buyer, c, 1, "  "))["code"] == "im.empty"
    assert (await buyer.ask({"t": 17, "op": "recall", "a": {"s": 1}}))["code"] == "im.bad_field"
    clock.ahead = 3 * MINUTE
    assert (await recall(buyer, c, 1))["code"] == "im.too_late_to_recall"
    clock.ahead = 9 * MINUTE
    assert (await recall(agent, c, 2))["t"] == 27
    assert (await edit(agent, c, 2, "again"))["code"] == "im.not_editable"
    assert (await edit(buyer, c, 1, "one!"))["t"] == 27
    clock.ahead = 16 * MINUTE
    assert (await edit(buyer, c, 1, "one?"))["code"] == "im.too_late_to_edit"
    await close(buyer, agent, colleague, stranger)


async def test_who_has_signed_in_takes_back_what_he_said_as_a_guest(node: Node, town: Town):  # req I6, I9
    guest = await enter(node, "guest-1")
    c = await guest.open("S1")
    await guest.say(c, "before")
    await guest.close()
    town.same.append(("buyer-1", "guest-1"))
    buyer, stranger = await enter(node, "buyer-1"), await enter(node, "buyer-2")
    assert (await recall(stranger, c, 1))["code"] == "im.no_conversation"
    assert (await edit(buyer, c, 1, "after"))["t"] == (await recall(buyer, c, 1))["t"] == 27
    await close(buyer, stranger)


async def test_edits_from_two_devices_end_in_one_text_and_each_is_told(node: Node, db: Database):  # req I6
    one, two = await enter(node, "buyer-1"), await enter(node, "buyer-1")
    c = await one.open("S1")
    await one.say(c, "0")
    answers = await asyncio.gather(*((one, two)[n % 2].ask(
        {"t": 17, "op": "edit", "c": c, "a": {"s": 1, "text": f"text {n % 3}"}}) for n in range(6)))  # fmt: skip
    row = await store.entry(db, c, 1)
    assert row is not None and row.ed is not None
    assert {answer["t"] for answer in answers} == {27}
    events = [ent async for ent in store.ENTRIES.scan(db, {"c": c, "k": "event"})]
    assert max(ent.b.at or 0 for ent in events) == row.ed
    assert len({ent.b.at for ent in events}) == len(events)
    await close(one, two)


async def test_a_later_edit_is_later_whatever_the_clock_says(node: Node, db: Database, clock: Movable):  # req I6
    buyer = await enter(node, "buyer-1")
    c = await buyer.open("S1")
    await buyer.say(c, "one")
    clock.ahead = MINUTE
    await edit(buyer, c, 1, "two")
    clock.ahead = 0  # another node, whose clock is behind
    await edit(buyer, c, 1, "three")
    first, second = [ent.b.at or 0 async for ent in store.ENTRIES.scan(db, {"c": c, "k": "event"}, sort=[("s", 1)])]
    assert second > first
    await buyer.close()


async def test_a_crash_between_row_and_event_is_made_good(node: Node, db: Database, clock: Movable):  # req I6
    buyer, agent = await enter(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    await buyer.say(c, "secret")
    await agent.sees(c, 1)
    changes = node.im.changes
    await changes._promise(c, 1)
    await store.empty(db, c, 1, clock.now())  # and here the node dies
    clock.ahead += MINUTE
    heard = Subscription(event=EntryChanged, name="im.changed", run=changes.on_entry_changed, kind="job")
    await Dispatcher(db, clock, node.bus, [heard], owner="w").drain()
    await agent.until(lambda: 2 in agent.log[c])
    assert agent.log[c][2]["b"]["ev"] == "recalled"
    await close(buyer, agent)


async def test_a_recalled_note_is_the_shops_own_business(node: Node):  # req I6
    buyer, agent = await enter(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    await agent.ask({"t": 5, "c": c, "m": client_id(), "k": "note", "b": {"text": "difficult"}})
    assert (await edit(agent, c, 1, "kind"))["t"] == (await recall(agent, c, 1))["t"] == 27
    await buyer.sync()
    assert [ent["k"] for _, ent in sorted(buyer.log[c].items())] == ["void"] * 3
    await close(buyer, agent)


async def test_unread_does_not_count_what_was_taken_back(node: Node):  # req I6
    buyer, agent = await enter(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    for n in range(3):
        await agent.say(c, f"{n}")
    await recall(agent, c, 2)
    for per in (0, 20):
        (conversation,) = await buyer.sync(per=per)
        assert conversation["unread"] == 2
    await close(buyer, agent)


async def test_a_quote_must_be_there_and_be_seen_by_both(node: Node):  # req I6
    buyer, agent = await enter(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    await buyer.say(c, "which colour?")
    await agent.ask({"t": 5, "c": c, "m": client_id(), "k": "note", "b": {"text": "again"}})
    m = client_id()
    assert (await agent.say(c, "red", m, re=1))["s"] == 3
    await buyer.until(lambda: 3 in buyer.log.get(c, {}))
    assert buyer.log[c][3]["re"] == 1
    for who, re in ((agent, 2), (buyer, 2), (buyer, 99), (buyer, 0)):
        assert (await who.say(c, "?", re=re))["code"] == "im.not_quotable"
    noted = {"t": 5, "c": c, "m": client_id(), "k": "note", "b": {"text": "colours"}, "re": 2}
    assert (await agent.ask(noted))["t"] == 4
    await recall(buyer, c, 1)
    assert (await agent.say(c, "blue", re=1))["code"] == "im.not_quotable"
    assert (await agent.say(c, "red", m, re=1))["dup"]  # what was said stays said
    await close(buyer, agent)


async def test_a_card_shows_what_the_shop_says_of_the_thing(node: Node, town: Town):  # req I6
    town.things["product", "G1"] = Body(id="G1", title="双人火锅", price_fen=16800, picture="a/30")
    buyer, agent = await enter(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    forged = {"t": 5, "c": c, "m": client_id(), "k": "product", "b": {"id": "G1", "title": "free!", "price_fen": 0}}
    assert (await buyer.ask(forged))["s"] == 1
    await agent.sees(c, 1)
    assert agent.log[c][1]["b"] == {"id": "G1", "title": "双人火锅", "price_fen": 16800, "picture": "a/30"}
    town.things["product", "G1"] = Body(id="G1", title="双人火锅", price_fen=19900)
    assert (await buyer.ask(forged))["dup"]  # the first snapshot stands
    del town.things["product", "G1"]
    assert (await buyer.ask(forged))["dup"]
    for k, thing in (("product", "G1"), ("order", "O1"), ("coupon", "Q1"), ("aftersale", "A1")):
        refused = await agent.ask({"t": 5, "c": c, "m": client_id(), "k": k, "b": {"id": thing, "title": "x"}})
        assert refused["code"] == "im.no_such_thing"
    await close(buyer, agent)


async def test_a_place_is_said_with_its_name(node: Node):  # req I6
    buyer, agent = await enter(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    place = {"lat": 30_274_000, "lng": 120_155_000, "title": "西湖", "text": "杭州市"}
    assert (await buyer.ask({"t": 5, "c": c, "m": client_id(), "k": "location", "b": {**place, "file": "F1"}}))[
        "s"
    ] == 1
    await agent.sees(c, 1)
    assert agent.log[c][1]["b"] == place
    await close(buyer, agent)


async def test_what_a_buyer_is_writing_is_for_the_shop_alone(node: Node):  # req I6
    buyer, other_device = await enter(node, "buyer-1"), await enter(node, "buyer-1")
    agent, stranger = await enter(node, "agent-1", staff=True), await enter(node, "agent-9", staff=True)
    colleague = await enter(node, "agent-2", staff=True)
    c = await buyer.open("S1")
    await buyer.raw({"t": 15, "c": c, "k": "preview", "d": "退" * 250})
    seen = await agent.other(22)
    assert (seen["k"], seen["u"], seen["d"]) == ("preview", "buyer-1", "退" * 85)
    assert await colleague.other(22) == seen
    await agent.raw({"t": 15, "c": c, "k": "preview", "d": "what I think of you"})
    await agent.raw({"t": 15, "c": c, "k": "typing"})
    for client in (other_device, colleague):
        first = await client.other(22)
        assert (first["k"], "d" in first) == ("typing", False)
    assert [frame for frame in [*buyer.others, *stranger.others, *other_device.others] if frame.get("d")] == []
    await close(buyer, other_device, agent, stranger, colleague)
