"""Push over nodes that share a bus: once per unread conversation, after a half-open line, not to who is there or has
read, with every answer a push service may give.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec import structs

from octshop_rt.core.auth.model import Audience, Buyer, Device, Staff
from octshop_rt.core.bus import Bus, LocalBus
from octshop_rt.core.clock import Clock
from octshop_rt.core.dispatcher import Dispatcher, Subscription
from octshop_rt.core.errors import NotFound
from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import Outbox
from octshop_rt.core.settings import PushSettings
from octshop_rt.events import PushDue
from octshop_rt.im.push import checks, store
from octshop_rt.im.push.facts import Facts
from octshop_rt.im.push.model import BadDevice
from octshop_rt.im.push.sealing import Vapid, seal
from octshop_rt.im.push.sender import Sender
from octshop_rt.im.push.service import Devices
from octshop_rt.im.push.watch import Watch
from octshop_rt.sandbox.model import SandboxInProduction
from octshop_rt.sandbox.push import Browser, SimulatedPushService
from octshop_rt.sandbox.server import Sandbox
from tests.im.kit import FAST, Client, Node, Town, running

GRACE_MS = 300
VAPID = Vapid(b"\x01" * 48, "mailto:ops@shop.example")
QUICK = structs.replace(FAST, heartbeat_s=1, grace_ms=500)


@pytest.fixture
def town() -> Town:
    built = Town()
    built.open_shop("S1", "agent-1")
    return built


@pytest.fixture
async def service() -> AsyncIterator[SimulatedPushService]:
    one = SimulatedPushService(Clock(), production=False)
    await one.start("127.0.0.1", 0)
    yield one
    await one.stop()


class Desk:
    """One node's share of push."""

    def __init__(self, node: Node, db: Database, http: aiohttp.ClientSession, url: str, seconds: float) -> None:
        clock = Clock()
        settings = PushSettings(sandbox_url=url, seconds=seconds)
        outbox = Outbox(clock, node.ids)
        self.node = node
        self.db = db
        self.facts = Facts(db, clock, node.town, node.im.router.anywhere)
        self.devices = Devices(db, clock, settings, VAPID)
        self.watch = Watch(db, clock, outbox, self.facts, self.answering, GRACE_MS)
        self.sender = Sender(db, clock, outbox, self.facts, node.sessions, http, settings, VAPID)
        hears = Subscription(event=PushDue, name="push.send", run=self.sender.on_push_due, kind="outside")
        self.dispatcher = Dispatcher(db, clock, node.bus, [hears], owner=f"{id(self)}")

    async def answering(self, shop_id: str) -> list[str]:
        return [person for person, grants in self.node.town.grants.items() if any(g.shop_id == shop_id for g in grants)]

    async def signed_in(self, person: str, *, staff: bool = False) -> Buyer | Staff:
        audience = Audience.STAFF if staff else Audience.BUYER
        opened = await self.node.sessions.open(audience, person, Device(id=f"phone-{person}", name="test"))
        who = await self.node.sessions.by_session(opened.session.id)
        assert isinstance(who, Buyer | Staff)
        return who

    async def wakes(self, who: Buyer | Staff, service: SimulatedPushService, **more: Any) -> Browser:
        browser = service.subscribe(self.devices.key)
        body: dict[str, Any] = {**browser.body, "preview": False, "lang": "zh-CN", **more}
        await self.devices.put(who, **body)
        return browser


@contextlib.asynccontextmanager
async def pushing(
    db: Database, town: Town, service: SimulatedPushService, bus: Bus, name: str = "a", seconds: float = 5
) -> AsyncGenerator[Desk]:
    async with (
        running(db, town, bus=bus, name=name, policy=QUICK) as node,
        aiohttp.ClientSession() as http,
    ):
        desk = Desk(node, db, http, service.url, seconds)
        await desk.dispatcher.start()
        desk.watch.start()
        try:
            yield desk
        finally:
            await desk.watch.stop()
            await desk.dispatcher.stop()


@pytest.fixture
async def two(db: Database, town: Town, service: SimulatedPushService) -> AsyncIterator[tuple[Desk, Desk]]:
    bus = LocalBus()
    async with pushing(db, town, service, bus) as one, pushing(db, town, service, bus, "b") as other:
        yield one, other


async def talk(desk: Desk, other: Desk) -> tuple[Client, Client, str]:
    """A buyer on one node, an agent on the other, and their conversation."""
    buyer = await (await Client().connect(desk.node.port)).hello(await desk.node.ticket("buyer-1"))
    agent = await (await Client().connect(other.node.port)).hello(await other.node.ticket("agent-1", staff=True))
    c = await buyer.open("S1")
    await buyer.say(c, "在吗")
    return buyer, agent, c


async def until(true: Any, seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not (await found if asyncio.iscoroutine(found := true()) else found):
            await asyncio.sleep(0.02)


async def settled(desk: Desk, c: str, *states: str) -> None:
    """Until the buyer's spell has come to rest in one of `states`, and a full search and look has passed since."""

    async def rests() -> bool:
        spell = await store.spell(desk.db, f"{c}:buyer")
        head = await desk.facts._log.head(c)
        return spell is not None and spell.state in states and spell.s == head

    await until(rests)


async def test_a_buyer_who_left_is_told_once_over_two_nodes(
    two: tuple[Desk, Desk], service: SimulatedPushService
):  # req I5
    one, other = two
    phone = await one.wakes(await one.signed_in("buyer-1"), service)
    buyer, agent, c = await talk(one, other)
    await buyer.close()
    await agent.say(c, "到货了")
    await agent.say(c, "给您留了一件")
    await until(lambda: phone.got)
    assert await one.dispatcher.drain() == 0
    (told,) = phone.got
    assert told.body == {"c": c, "side": "buyer", "shop_id": "S1", "shop": "店 S1", "n": 2}  # no words
    assert (told.urgency, told.ttl) == ("normal", 86_400)
    await agent.say(c, "还在吗")  # the same spell: unread as before
    await settled(one, c, "told")
    assert len(phone.got) == 1
    back = await (await Client().connect(one.node.port)).hello(await one.node.ticket("buyer-1"))
    await back.raw({"t": 9, "c": c, "s": 4})

    async def read() -> bool:
        return (await one.facts._log.read_marks(c)).get("buyer-1") == 4

    await until(read)
    await back.close()
    await agent.say(c, "明天发")
    await until(lambda: len(phone.got) == 2)  # read, so this is another one
    assert phone.got[1].topic == told.topic
    assert phone.got[1].body["n"] == 1
    await agent.close()


async def test_half_open_lines_are_found_and_then_told_once(
    two: tuple[Desk, Desk], service: SimulatedPushService
):  # req I5; acceptance 17
    one, other = two
    phone = await one.wakes(await one.signed_in("buyer-1"), service)
    buyer, agent, c = await talk(one, other)
    buyer.auto_pong = False  # the line is there, nobody is at its end
    await agent.say(c, "into the dark")
    assert one.node.im.connections == 1
    assert not phone.got  # whoever seems to be there is not told
    await until(lambda: one.node.im.connections == 0)
    await until(lambda: phone.got)
    await agent.say(c, "still dark")
    await settled(one, c, "told")
    assert len(phone.got) == 1
    await agent.close()
    await buyer.close()


async def test_who_is_there_or_has_read_hears_nothing(two: tuple[Desk, Desk], service: SimulatedPushService):  # req I5
    one, other = two
    phone = await one.wakes(await one.signed_in("buyer-1"), service)
    buyer, agent, c = await talk(one, other)
    s = (await agent.say(c, "在的"))["s"]

    async def looked() -> bool:
        spell = await store.spell(one.db, f"{c}:buyer")
        return spell is not None and spell.rev > 2 and spell.away_at is None

    await until(looked)  # seen there more than once
    await buyer.raw({"t": 9, "c": c, "s": s})
    await settled(one, c, "idle")
    await buyer.close()
    spell = await store.spell(one.db, f"{c}:buyer")
    assert spell is not None
    assert (spell.told_s, spell.due_at, phone.got) == (0, None, [])
    await agent.close()


async def test_read_between_claim_and_sending_cancels(two: tuple[Desk, Desk], service: SimulatedPushService):  # req I5
    one, other = two
    phone = await one.wakes(await one.signed_in("buyer-1"), service)
    phone.trouble = "busy"
    buyer, agent, c = await talk(one, other)
    await buyer.close()
    s = (await agent.say(c, "在的"))["s"]
    await until(lambda: phone.refused)
    back = await (await Client().connect(one.node.port)).hello(await one.node.ticket("buyer-1"))
    await back.raw({"t": 9, "c": c, "s": s})
    phone.trouble = ""
    await until(lambda: _nothing_owed(one))
    assert phone.got == []
    await back.close()
    await agent.close()


async def _nothing_owed(desk: Desk) -> bool:
    from octshop_rt.core import outbox

    counts = await outbox.counts(desk.db, now=Clock().now())
    return counts["due"] == counts["later"] == 0


async def test_a_busy_service_is_asked_again_and_a_gone_one_forgotten(
    two: tuple[Desk, Desk], service: SimulatedPushService
):  # req I5
    one, other = two
    who = await one.signed_in("buyer-1")
    busy, gone, moved = [await one.wakes(who, service) for _ in range(3)]
    busy.trouble, gone.trouble, moved.trouble = "busy", "gone", "moved"
    buyer, agent, c = await talk(one, other)
    await buyer.close()
    await agent.say(c, "在的")
    await until(lambda: busy.refused and gone.refused and moved.refused)
    busy.trouble = ""
    await until(lambda: busy.got)
    await until(lambda: _nothing_owed(one))
    assert (busy.refused, len(busy.got), gone.refused, moved.refused) == ([429], 1, [410], [307])  # never followed
    left = {row.endpoint for row in await store.of_people(one.db, ["buyer-1"], "buyer")}
    assert left == {busy.endpoint, moved.endpoint}
    await agent.close()


async def test_a_slow_service_holds_nobody_up(db: Database, town: Town, service: SimulatedPushService):
    async with pushing(db, town, service, LocalBus(), seconds=0.2) as one:
        who = await one.signed_in("buyer-1")
        slow, quick = await one.wakes(who, service), await one.wakes(who, service)
        slow.trouble = "slow"
        buyer, agent, c = await talk(one, one)
        await buyer.close()
        await agent.say(c, "在的")
        await until(lambda: quick.got and slow.refused)
        assert not slow.got
        slow.trouble = ""
        await until(lambda: slow.got)  # five seconds later
        assert (len(quick.got), len(slow.got)) == (1, 1), "the quick one is not told again with the slow one"
        await agent.close()


async def test_fsck_sees_a_spell_and_a_device_that_cannot_be(
    two: tuple[Desk, Desk], service: SimulatedPushService
):  # req I5
    one, other = two
    phone = await one.wakes(await one.signed_in("buyer-1"), service)
    buyer, agent, c = await talk(one, other)
    await buyer.close()
    await agent.say(c, "到货了")
    await until(lambda: phone.got)
    await agent.close()
    for desk in two:
        await desk.watch.stop()
    assert not (await examine(one.db, checks.CHECKS)).findings
    spell = await store.spell(one.db, f"{c}:buyer")
    assert spell is not None
    wrong: list[dict[str, Any]] = [
        {"s": spell.s + 1}, {"told_s": spell.s + 1}, {"due_at": 1}, {"away_at": 1}, {"told_at": None},
        {"side": "staff"}, {"shop_id": "S2"}, {"buyer_id": "buyer-2"}, {"state": "waiting"},
        {"state": "idle", "due_at": 1}, {"state": "told", "told_s": 0},
    ]  # fmt: skip
    for fields in wrong:
        whole = {name: value for name, value in structs.asdict(spell).items() if name != "id"}
        await store.SPELLS.update(one.db, {"_id": spell.id}, {"$set": whole | fields})
        found = (await examine(one.db, checks.CHECKS)).findings
        assert {(one.check, one.object_id) for one in found} == {("F95", spell.id)}, fields
    await store.SPELLS.delete(one.db, {"_id": spell.id})
    (device,) = await store.of_people(one.db, ["buyer-1"], "buyer")
    for fields in ({"endpoint": phone.endpoint + "x"}, {"p256dh": "A" * 87}, {"auth": "A" * 21 + "="}):
        before = {name: value for name, value in structs.asdict(device).items() if name != "id"}
        await store.SUBSCRIPTIONS.update(one.db, {"_id": device.id}, {"$set": before | fields})
        found = (await examine(one.db, checks.CHECKS)).findings
        assert [(one.check, one.object_id) for one in found] == [("F96", device.id)], fields


async def test_who_has_signed_out_there_is_not_woken(
    two: tuple[Desk, Desk], service: SimulatedPushService
):  # req I5; acceptance 22
    one, other = two
    who = await one.signed_in("buyer-1")
    phone = await one.wakes(who, service)
    buyer, agent, c = await talk(one, other)
    await buyer.close()
    await one.node.sessions.revoke(who.session_id)
    await agent.say(c, "在的")
    await settled(one, c, "told")

    async def forgotten() -> bool:
        return await store.of_people(one.db, ["buyer-1"], "buyer") == []

    await until(forgotten)
    assert (phone.got, phone.refused) == ([], [])
    await agent.close()


async def test_a_device_has_one_owner_and_nobody_removes_anothers(
    db: Database, town: Town, service: SimulatedPushService
):
    async with pushing(db, town, service, LocalBus()) as one:
        first, second = await one.signed_in("buyer-1"), await one.signed_in("buyer-2")
        phone = await one.wakes(first, service)
        row = await one.devices.put(second, **phone.body, preview=True, lang="en")
        assert await store.of_people(db, ["buyer-1"], "buyer") == []
        with pytest.raises(NotFound):
            await one.devices.drop(first, row.id)
        assert [one.id for one in await store.of_people(db, ["buyer-2"], "buyer")] == [row.id]
        await one.devices.drop(second, row.id)
        assert await store.of_people(db, ["buyer-2"], "buyer") == []
        for number in range(12):
            await one.wakes(first, service)
            assert len(await store.of_people(db, ["buyer-1"], "buyer")) == min(number + 1, 10)
        with pytest.raises(BadDevice):
            await one.devices.put(
                first, endpoint="http://127.0.0.1:27017/", p256dh=phone.body["p256dh"], auth=phone.body["auth"],
                preview=False, lang="en",
            )  # fmt: skip


@pytest.mark.parametrize("what", ["key", "signature", "audience", "time", "body", "none"])
async def test_the_simulator_refuses_what_is_forged(service: SimulatedPushService, what: str):
    now = Clock().now()
    phone = service.subscribe(VAPID.public)
    signer = Vapid(b"\x02" * 48, "mailto:x@y.example") if what == "key" else VAPID
    header = signer.authorization("https://other.example/x" if what == "audience" else phone.endpoint, now)
    if what == "time":
        header = VAPID.authorization(phone.endpoint, now - 24 * 3_600_000)
    if what == "signature":
        token, _, rest = header.partition(", ")
        token = token.rpartition(".")[0] + "." + "A" * 86
        header = f"{token}, {rest}"
    body = seal(b"{}", phone.body["p256dh"], phone.body["auth"])
    if what == "body":
        body = body[:-1] + bytes([body[-1] ^ 1])
    headers = {"Authorization": header, "Content-Encoding": "aes128gcm", "TTL": "1"}
    async with aiohttp.ClientSession() as http, http.post(phone.endpoint, data=body, headers=headers) as answer:
        assert answer.status == {"body": 400, "none": 201}.get(what, 403)
    assert len(phone.got) == (what == "none")


async def test_a_page_of_the_trial_subscribes_at_the_phone_and_stays_so_after_a_restart(tmp_path: Path):  # req I5
    async with aiohttp.ClientSession() as http:
        first = Sandbox(tmp_path, Clock(), production=False)
        url = await first.start("127.0.0.1", 0, deliver=False)
        for wrong in (b"", b'{"key": "%s"}' % (b"A" * 87), b'{"key": "short"}'):
            async with http.post(f"{url}/phone/api/browsers", data=wrong) as answer:
                assert answer.status == 400
        async with http.post(f"{url}/phone/api/browsers", json={"key": VAPID.public}) as answer:
            assert answer.status == 201
            browser: dict[str, str] = await answer.json()
        assert browser["endpoint"].startswith(f"{url}/push/")
        await first.stop()
        again = Sandbox(tmp_path, Clock(), production=False)
        port = int(url.rpartition(":")[2])
        assert await again.start("127.0.0.1", port, deliver=False) == url
        sealed = seal(b'{"n":1}', browser["p256dh"], browser["auth"])
        header = VAPID.authorization(browser["endpoint"], Clock().now())
        headers = {"Authorization": header, "Content-Encoding": "aes128gcm", "TTL": "1", "Topic": "t"}
        async with http.post(browser["endpoint"], data=sealed, headers=headers) as answer:
            assert answer.status == 201
        async with http.get(f"{url}/phone/api/notices") as answer:
            (shown,) = (await answer.json())["items"]
        assert (shown["topic"], shown["body"]) == ("t", {"n": 1})
        await again.stop()


def test_the_simulator_is_refused_in_production():
    with pytest.raises(SandboxInProduction):
        SimulatedPushService(Clock(), production=True)
