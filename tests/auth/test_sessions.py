"""Proves sessions: opaque tokens, expiry, revocation at once on every node, one-time tickets, resume tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from octshop_rt.core.auth import store, tokens
from octshop_rt.core.auth.model import (
    SPANS,
    Admin,
    Anonymous,
    Audience,
    Buyer,
    Device,
    Grant,
    NotSignedIn,
    Person,
    Right,
    Staff,
)
from octshop_rt.core.auth.sessions import BARRED_FRESH_MS, CACHE_MS, RESUME_MS, REVOKED, TICKET_MS, Proven, Sessions
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.bus_redis import RedisBus
from octshop_rt.core.clock import MINUTE, TestClock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.redis import RedisClients

WEB = Device(id="web-1", name="Chromium")
KEY = b"k" * 32
GRANT = Grant(merchant_id="M1", shop_id="S1", role="clerk", rights=frozenset({Right.REDEEM}))


def whose(proven: Proven | None) -> object:
    return None if proven is None else proven.who


class Town:
    """People as a wing would tell them."""

    def __init__(self) -> None:
        self.people = {
            "U1": Person(id="U1", name="Lin", grants=(GRANT,), admin=True),
            "U2": Person(id="U2", name="Wu"),
        }

    async def person(self, audience: Audience, person_id: str) -> Person | None:
        return self.people.get(person_id)


class DeafBus(LocalBus):
    """A bus whose messages do not arrive, as when Redis is away."""

    async def publish(self, channel: str, payload: bytes) -> None:
        return


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def bus() -> LocalBus:
    return LocalBus()


@pytest.fixture
async def nodes(
    db: Database, clock: TestClock, ids: Ids, town: Town, bus: LocalBus
) -> AsyncIterator[tuple[Sessions, Sessions]]:
    """Two nodes on one database and one bus."""
    both = tuple(Sessions(db=db, bus=bus, clock=clock, ids=ids, people=town, resume_key=KEY) for _ in range(2))
    yield both[0], both[1]
    for one in both:
        one.close()


async def test_a_token_opens_its_own_door_only(nodes: tuple[Sessions, Sessions], db: Database) -> None:
    here, there = nodes
    opened = await here.open(Audience.BUYER, "U1", WEB)
    assert len(opened.token) == 43  # 256 bits
    buyer = await there.resolve(Audience.BUYER, opened.token)
    assert buyer == Buyer(session_id=opened.session.id, person_id="U1", device_id="web-1")
    assert await here.resolve(Audience.STAFF, opened.token) is None
    assert await here.resolve(Audience.PLATFORM, opened.token) is None
    assert await here.resolve(Audience.BUYER, opened.token + "x") is None
    # carried the wrong way, it opens nothing
    assert await here.resolve(Audience.BUYER, opened.token, bearer=True) is None
    row = await store.by_id(db, opened.session.id)
    assert row is not None
    assert opened.token not in repr(row)


async def test_principals_of_each_audience(nodes: tuple[Sessions, Sessions]) -> None:
    here, _ = nodes
    staff = await here.resolve(Audience.STAFF, (await here.open(Audience.STAFF, "U1", WEB)).token)
    assert isinstance(staff, Staff)
    assert staff.grants == (GRANT,)
    admin = await here.resolve(Audience.PLATFORM, (await here.open(Audience.PLATFORM, "U1", WEB)).token)
    assert isinstance(admin, Admin)


async def test_revocation_reaches_the_other_node_at_once(nodes: tuple[Sessions, Sessions], bus: LocalBus) -> None:
    # req AU1, issue 7
    here, there = nodes
    heard: list[bytes] = []
    bus.subscribe(REVOKED, lambda _channel, payload: heard.append(payload))
    opened = await here.open(Audience.BUYER, "U1", WEB)
    assert await here.resolve(Audience.BUYER, opened.token)
    assert await there.resolve(Audience.BUYER, opened.token)
    await here.revoke(opened.session.id)
    assert await here.resolve(Audience.BUYER, opened.token) is None
    assert await there.resolve(Audience.BUYER, opened.token) is None
    assert heard == [opened.session.id.encode()]


async def test_without_a_bus_a_revoked_token_lives_no_longer_than_the_cache(
    db: Database, clock: TestClock, ids: Ids, town: Town
) -> None:
    here, there = (Sessions(db=db, bus=DeafBus(), clock=clock, ids=ids, people=town, resume_key=KEY) for _ in range(2))
    opened = await here.open(Audience.BUYER, "U1", WEB)
    assert await there.resolve(Audience.BUYER, opened.token)
    await here.revoke(opened.session.id)
    clock.advance(CACHE_MS)
    assert await there.resolve(Audience.BUYER, opened.token) is None


async def test_a_read_begun_before_a_revocation_is_not_remembered_after_it(
    nodes: tuple[Sessions, Sessions], town: Town
) -> None:
    here, there = nodes
    opened = await here.open(Audience.BUYER, "U1", WEB)
    slow = town.people["U1"]

    class Slow(Town):
        async def person(self, audience: Audience, person_id: str) -> Person | None:
            await here.revoke(opened.session.id)  # happens while `there` looks the person up
            return slow

    there._people = Slow()
    await there.resolve(Audience.BUYER, opened.token)
    there._people = town
    assert await there.resolve(Audience.BUYER, opened.token) is None


async def test_sessions_end_by_idleness_and_by_age(nodes: tuple[Sessions, Sessions], clock: TestClock) -> None:
    here, _ = nodes
    span = SPANS[Audience.PLATFORM]
    idle = await here.open(Audience.PLATFORM, "U1", WEB)
    clock.advance(span.idle - 1)
    assert await here.resolve(Audience.PLATFORM, idle.token)
    clock.advance(span.idle - 1)  # use has moved the idle limit on
    assert await here.resolve(Audience.PLATFORM, idle.token)
    clock.advance(span.idle)
    assert await here.resolve(Audience.PLATFORM, idle.token) is None
    aged = await here.open(Audience.PLATFORM, "U1", WEB)
    for _ in range(span.absolute // (span.idle // 2)):
        assert await here.resolve(Audience.PLATFORM, aged.token)
        clock.advance(span.idle // 2)
    assert await here.resolve(Audience.PLATFORM, aged.token) is None


async def test_a_disabled_person_has_no_open_door(nodes: tuple[Sessions, Sessions], town: Town) -> None:
    here, _ = nodes
    opened = await here.open(Audience.BUYER, "U1", WEB)
    del town.people["U1"]
    assert await here.resolve(Audience.BUYER, opened.token) is None


async def test_all_sessions_of_a_person_but_one(nodes: tuple[Sessions, Sessions]) -> None:
    here, there = nodes
    kept = await here.open(Audience.BUYER, "U1", WEB)
    others = [await here.open(Audience.BUYER, "U1", WEB) for _ in range(3)]
    foreign = await here.open(Audience.BUYER, "U2", WEB)
    assert await here.revoke_person("U1", but=kept.session.id) == 3
    assert await there.resolve(Audience.BUYER, kept.token)
    assert await there.resolve(Audience.BUYER, foreign.token)
    for one in others:
        assert await there.resolve(Audience.BUYER, one.token) is None
    assert [one.id for one in await here.of_person("U1")] == [kept.session.id]
    lately = await here.seen_since("U1", kept.session.created_at, Audience.BUYER)
    assert {one.id for one in lately} == {one.session.id for one in (kept, *others)}
    assert await here.seen_since("U1", kept.session.created_at + 1, Audience.BUYER) == []


async def test_changed_rights_are_seen_at_once(nodes: tuple[Sessions, Sessions], town: Town, bus: LocalBus) -> None:
    here, there = nodes
    opened = await here.open(Audience.STAFF, "U1", WEB)
    before = await there.resolve(Audience.STAFF, opened.token)
    assert isinstance(before, Staff)
    resume = there.resume_token(before)
    heard: list[bytes] = []
    bus.subscribe(REVOKED, lambda _channel, payload: heard.append(payload))
    town.people["U1"] = Person(id="U1", name="Lin", grants=())
    await here.rights_changed("U1")
    after = await there.resolve(Audience.STAFF, opened.token)
    assert isinstance(after, Staff)
    assert after.grants == ()
    assert heard  # open sockets are told
    assert await there.redeem_resume(resume) is None


async def test_a_ticket_opens_one_socket_once(nodes: tuple[Sessions, Sessions], clock: TestClock) -> None:
    here, there = nodes
    opened = await here.open(Audience.BUYER, "U1", WEB)
    who = await here.resolve(Audience.BUYER, opened.token)
    assert who is not None
    ticket = await here.ticket(who)
    assert await there.redeem_ticket(ticket.ticket + "x") is None
    assert await there.redeem_ticket(ticket.ticket) == Proven(who, opened.session.idle_until)
    assert await there.redeem_ticket(ticket.ticket) is None
    late = await here.ticket(who)
    clock.advance(TICKET_MS)
    assert await there.redeem_ticket(late.ticket) is None
    ended = await here.ticket(who)
    await here.revoke(opened.session.id)
    assert await there.redeem_ticket(ended.ticket) is None
    assert await there.redeem_ticket("") is None
    with pytest.raises(NotSignedIn):
        await here.ticket(Anonymous())


async def test_a_resume_token_is_unforgeable_short_lived_and_ends_with_its_session(
    nodes: tuple[Sessions, Sessions], clock: TestClock
) -> None:
    here, there = nodes
    opened = await here.open(Audience.STAFF, "U1", WEB)
    who = await here.resolve(Audience.STAFF, opened.token)
    assert who is not None
    text = here.resume_token(who)
    assert whose(await there.redeem_resume(text)) == who
    for spoiled in (text[:-1], "A" + text[1:], text + "AA", "", "!", tokens.seal(b"other" * 8, b"x")):
        assert await there.redeem_resume(spoiled) is None
    clock.advance(RESUME_MS)
    assert await there.redeem_resume(text) is None
    fresh = here.resume_token(who)
    clock.advance(1)
    await here.revoke(opened.session.id)
    assert await there.redeem_resume(fresh) is None


async def test_a_resume_token_ends_with_the_session_it_is_of(
    nodes: tuple[Sessions, Sessions], clock: TestClock
) -> None:
    here, there = nodes
    opened = await here.open(Audience.PLATFORM, "U1", WEB)
    who = await here.resolve(Audience.PLATFORM, opened.token)
    assert who is not None
    clock.advance(SPANS[Audience.PLATFORM].idle - MINUTE)
    text = here.resume_token(who, opened.session.idle_until)
    assert await there.redeem_resume(text) == Proven(who, opened.session.idle_until)
    clock.advance(MINUTE)
    assert await there.redeem_resume(text) is None


async def test_a_node_that_never_heard_of_a_revocation_finds_it(
    db: Database, clock: TestClock, ids: Ids, town: Town
) -> None:
    here, there = (Sessions(db=db, bus=DeafBus(), clock=clock, ids=ids, people=town, resume_key=KEY) for _ in range(2))
    opened = await here.open(Audience.BUYER, "U1", WEB)
    who = await here.resolve(Audience.BUYER, opened.token)
    assert who is not None
    text = here.resume_token(who)
    assert whose(await there.redeem_resume(text)) == who
    clock.advance(1)
    await here.revoke(opened.session.id)
    clock.advance(BARRED_FRESH_MS)
    assert await there.redeem_resume(text) is None


async def test_a_gap_on_the_bus_empties_the_cache(
    nodes: tuple[Sessions, Sessions], db: Database, clock: TestClock, bus: LocalBus
) -> None:
    here, _ = nodes
    opened = await here.open(Audience.BUYER, "U1", WEB)
    assert await here.resolve(Audience.BUYER, opened.token)
    await store.revoke(db, opened.session.id, clock.now())  # another node's, unheard
    for callback in bus._gap:
        callback()
    assert await here.resolve(Audience.BUYER, opened.token) is None


async def test_one_person_cannot_hoard_sessions(nodes: tuple[Sessions, Sessions], clock: TestClock) -> None:
    here, _ = nodes
    first = await here.open(Audience.BUYER, "U1", WEB)
    for _ in range(50):
        clock.advance(1)
        await here.open(Audience.BUYER, "U1", WEB)
    assert await here.resolve(Audience.BUYER, first.token) is None
    assert len(await here.of_person("U1")) == 50


async def test_sweeping_keeps_what_lives(nodes: tuple[Sessions, Sessions], clock: TestClock) -> None:
    here, _ = nodes
    await here.open(Audience.PLATFORM, "U1", WEB)
    clock.advance(SPANS[Audience.BUYER].idle - MINUTE)
    living = await here.open(Audience.BUYER, "U1", WEB)
    clock.advance(MINUTE * 60 * 13)
    assert await here.sweep() == 1
    assert await here.resolve(Audience.BUYER, living.token)


async def test_signing_in_sweeps_once_an_hour(nodes: tuple[Sessions, Sessions], db: Database, clock: TestClock) -> None:
    here, _ = nodes
    who = await here.resolve(Audience.BUYER, (await here.open(Audience.BUYER, "U1", WEB)).token)
    assert who is not None
    await here.ticket(who)
    clock.advance(59 * MINUTE)
    await here.open(Audience.BUYER, "U1", WEB)
    assert await store.TICKETS.count(db, {}) == 1
    clock.advance(MINUTE)
    await here.open(Audience.BUYER, "U1", WEB)
    assert await store.TICKETS.count(db, {}) == 0


def test_a_role_at_one_branch_is_no_role_at_another() -> None:
    everywhere = Grant(merchant_id="M1", shop_id="S1", role="clerk", rights=frozenset({Right.REDEEM}))
    one = Grant(merchant_id="M1", shop_id="S1", branch_id="B1", role="cashier", rights=frozenset({Right.CHARGE}))
    staff = Staff(session_id="N1", person_id="U1", name="Lin", device_id="d", grants=(everywhere, one))
    cashier, clerk = staff.at("S1", Right.CHARGE), staff.at("S1", Right.REDEEM)
    assert cashier is not None
    assert clerk is not None
    assert not cashier.may_at("B2")
    assert cashier.branch_id == "B1"
    assert clerk.may_at("B2")
    assert cashier.rights == {Right.REDEEM, Right.CHARGE}
    # Both rights are there, but not both at B2: a second right inside a route asks by the grant.
    assert cashier.holds_at("B1", Right.CHARGE)
    assert cashier.holds_at("B2", Right.REDEEM)
    assert not cashier.holds_at("B2", Right.CHARGE)
    assert not cashier.holds_at("B1", Right.MANAGE)
    assert staff.at("S2") is None


async def test_over_redis_too_and_a_flushed_redis_lets_nobody_in_or_out(
    db: Database, clock: TestClock, ids: Ids, town: Town, redis_url: str
) -> None:  # req AU1, AU3
    clients = [RedisClients(redis_url) for _ in range(2)]
    buses = [RedisBus(one) for one in clients]
    for bus in buses:
        await bus.start()
    here, there = (Sessions(db=db, bus=bus, clock=clock, ids=ids, people=town, resume_key=KEY) for bus in buses)
    kept, ended = [await here.open(Audience.BUYER, "U1", WEB) for _ in range(2)]
    for one in (kept, ended):
        assert await there.resolve(Audience.BUYER, one.token)
    await here.revoke(ended.session.id)
    async with asyncio.timeout(5):
        while await there.resolve(Audience.BUYER, ended.token):
            await asyncio.sleep(0.01)
    redis = Redis.from_url(redis_url)
    await redis.flushall()
    await redis.aclose()
    assert await there.resolve(Audience.BUYER, kept.token)
    assert await there.resolve(Audience.BUYER, ended.token) is None
    for bus, one in zip(buses, clients, strict=True):
        await bus.stop()
        await one.close()
