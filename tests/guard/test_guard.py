"""The guard in a conversation: what is refused is not stored, what was stored passes again, changes reach all nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import make_mocked_request

from octshop_rt.core.auth.model import Buyer, ShopStaff, Staff
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import TestClock
from octshop_rt.core.errors import NotFound
from octshop_rt.core.http.routes import Call
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.api.guard import FlagQuery, GuardApi
from octshop_rt.im.conversation import rules as log_rules
from octshop_rt.im.conversation.guarding import saying
from octshop_rt.im.desk.model import Agent
from octshop_rt.im.desk.store import AGENTS
from octshop_rt.im.guard import rules, store
from octshop_rt.im.guard.model import (
    DEVICE_MS,
    NETWORK_MS,
    PLATFORM,
    Blocked,
    ContactRefused,
    EmptyWord,
    Flooding,
    FloodRules,
    GuestsBlocked,
    LinkRefused,
    NoSuchBuyerHere,
    Repeating,
    Sensitive,
    SpamRules,
    TooManyWords,
    Whereabouts,
)
from octshop_rt.im.insight.naming import Naming
from octshop_rt.im.visitor.service import Visitors
from octshop_rt.im.wire.codec import Encoding
from octshop_rt.im.wire.fields import Body, Side
from tests.guard.kit import ADMIN, AGENT, BUYER, MANAGER, OPEN, SHOP, Node, Town, living


@pytest.fixture
async def node(db: Database, clock: TestClock, ids: Ids) -> AsyncIterator[Node]:
    async with living(db, clock, ids, LocalBus(), "a") as one:
        yield one


@pytest.fixture
def manager() -> ShopStaff:
    assert MANAGER is not None
    return MANAGER


async def seen(node: Node) -> None:
    """The node has read what was changed."""
    revisions = await store.revisions(node.db, [PLATFORM, SHOP])
    wanted = (revisions.get(SHOP, 0), revisions.get(PLATFORM, 0))
    async with asyncio.timeout(20):
        while (shop := node.guard._shops.at_hand(SHOP)) is not None and (shop.rev, shop.platform_rev) != wanted:
            await asyncio.sleep(0.01)


async def test_a_refused_word_is_not_stored_and_shown_with_stars(node: Node, manager: ShopStaff) -> None:  # req I10
    await node.desk.add_words(SHOP, manager, ["外挂"], "refuse", "both")
    told = await node.refused(Sensitive, "卖外挂吗")
    assert told.data == {"hit": "外*"}
    await node.refused(Sensitive, "有外 挂 的", AGENT)


async def test_a_masked_word_is_stored_with_stars_and_said_again_it_is_the_same(
    node: Node, manager: ShopStaff
) -> None:  # req I10
    await node.desk.add_words(SHOP, manager, ["笨蛋"], "mask", "both")
    first = await node.say("你这个笨 蛋", "client-id-0000001")
    assert first.entry.b.text == "你这个***"
    again = await node.say("你这个笨 蛋", "client-id-0000001")
    assert again.dup
    assert again.entry.s == first.entry.s


async def test_what_was_stored_passes_again_after_the_rules_have_changed(node: Node, manager: ShopStaff) -> None:
    first = await node.say("有外挂卖吗", "client-id-0000001")
    await node.desk.add_words(SHOP, manager, ["外挂"], "refuse", "both")
    await seen(node)
    again = await node.say("有外挂卖吗", "client-id-0000001")
    assert again.dup
    assert again.entry.s == first.entry.s
    await node.refused(Sensitive, "有外挂卖吗")
    await node.desk.add_words(SHOP, manager, ["外挂"], "mask", "both")
    await seen(node)
    assert (await node.say("有外挂卖吗", "client-id-0000001")).entry.b.text == "有外挂卖吗"


async def test_another_text_under_the_same_id_is_still_a_conflict(node: Node, manager: ShopStaff) -> None:
    await node.say("有外挂卖吗", "client-id-0000001")
    await node.desk.add_words(SHOP, manager, ["外挂"], "refuse", "both")
    await seen(node)
    with pytest.raises(Sensitive):
        await node.say("还是外挂好", "client-id-0000001")


async def test_names_of_places_are_read_too_and_notes_are_not(node: Node, manager: ShopStaff) -> None:
    await node.desk.add_words(SHOP, manager, ["外挂"], "refuse", "both")
    with pytest.raises(Sensitive):
        await node.say("", "client-id-0000001", body=Body(lat=1, lng=1, title="外挂一条街"), k="location")
    stored = await node.say("顾客问外挂", "client-id-0000002", AGENT, k="note")
    assert stored.entry.vis == "staff"


async def test_each_side_has_its_own_rules_about_links_and_contacts(node: Node, manager: ShopStaff) -> None:  # req I10
    await node.desk.set_spam(SHOP, SpamRules(links="refuse"), SpamRules(contacts="refuse"), OPEN)
    await node.refused(LinkRefused, "看 evil.com")
    assert (await node.say("看 evil.com", "client-id-0000001", AGENT)).entry.s == 1
    await node.refused(ContactRefused, "加微信abc12345", AGENT)
    assert (await node.say("加微信abc12345", "client-id-0000002")).entry.s == 2


async def test_the_platform_s_rules_hold_at_every_shop(node: Node) -> None:
    assert (await node.say("有外挂卖吗", "client-id-0000001")).entry.s == 1
    await node.desk.add_words(PLATFORM, ADMIN, ["外挂"], "refuse", "both")
    await seen(node)
    await node.refused(Sensitive, "再问一次外挂")


async def test_a_blocked_buyer_is_told_so_until_the_block_ends(
    node: Node, manager: ShopStaff, clock: TestClock
) -> None:  # req I10
    await node.say("你好", "client-id-0000001")
    await node.desk.block(manager, BUYER.person_id, "辱骂客服", hours=1)
    await seen(node)
    await node.refused(Blocked, "为什么不理我")
    assert (await node.say("请注意用语", "client-id-0000002", AGENT)).entry.s == 2
    rows, more = await node.desk.blocks(SHOP, None)
    assert [(row.buyer_id, row.reason, row.by_name, more) for row in rows] == [("U1", "辱骂客服", "小林", False)]
    clock.advance(3_600_000)
    assert (await node.say("可以说了", "client-id-0000003")).entry.s == 3
    assert (await node.desk.blocks(SHOP, None))[0] == []


async def test_unblocked_a_buyer_speaks_again_and_strangers_cannot_be_blocked(node: Node, manager: ShopStaff) -> None:
    await node.desk.block(manager, BUYER.person_id, "", hours=None)
    await node.refused(Blocked, "你好")
    await node.desk.unblock(manager, BUYER.person_id)
    await seen(node)
    assert (await node.say("你好", "client-id-0000001")).entry.s == 1
    with pytest.raises(NotFound):
        await node.desk.unblock(manager, BUYER.person_id)
    with pytest.raises(NoSuchBuyerHere):
        await node.desk.block(manager, "U9", "", hours=None)


async def test_floods_wait_and_say_how_long(node: Node, manager: ShopStaff, clock: TestClock) -> None:  # req I10
    await node.desk.set_spam(SHOP, SpamRules(), SpamRules(), FloodRules(burst=5, burst_s=10, repeats=2, repeats_s=60))
    await node.say("在吗", "client-id-0000001")
    await node.say("在 吗？", "client-id-0000002")
    told = await node.refused(Repeating, "在吗!")
    assert isinstance(told.data["after_ms"], int)
    assert told.retry
    assert (await node.say("在 吗？", "client-id-0000002")).dup  # what is stored may be repeated
    clock.advance(60_000)
    for number in range(5):
        await node.say(f"第 {number} 句", f"client-id-000001{number}")
    await node.refused(Flooding, "第六句")
    for number in range(9):
        await node.say("请稍等", f"client-id-000002{number}", AGENT)


async def test_a_change_reaches_the_other_node_by_word_or_by_looking(
    node: Node, manager: ShopStaff, db: Database, clock: TestClock, ids: Ids
) -> None:
    """Two buses that do not know each other: as if the word were lost."""
    async with living(db, clock, ids, LocalBus(), "b") as other:
        await other.say("有外挂卖吗", "client-id-0000001")
        await node.desk.add_words(SHOP, manager, ["外挂"], "refuse", "both")
        assert (await other.say("还有外挂吗", "client-id-0000002")).entry.s == 2
        await other.guard._shops.look()
        await seen(other)
        await other.refused(Sensitive, "真有外挂吗")


async def test_a_word_of_five_hundred_is_one_word_and_the_book_has_an_end(
    node: Node, manager: ShopStaff, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await node.desk.add_words(SHOP, manager, ["外挂", "外 挂", "Ｗａｉ", "wai"], "mask", "both")
    assert [one.text for one in first.words] == ["外 挂", "wai"]
    second = await node.desk.add_words(SHOP, manager, ["外挂"], "refuse", "buyer")
    assert [(one.text, one.level, one.sides) for one in second.words] == [
        ("wai", "mask", "both"), ("外挂", "refuse", "buyer"),
    ]  # fmt: skip
    await node.desk.drop_word(SHOP, second.words[0].id)
    assert [one.text for one in (await node.desk.book(SHOP)).words] == ["外挂"]
    with pytest.raises(EmptyWord):
        await node.desk.add_words(SHOP, manager, ["……"], "mask", "both")
    monkeypatch.setattr("octshop_rt.im.guard.staff.MOST_WORDS", 2)
    with pytest.raises(TooManyWords):
        await node.desk.add_words(SHOP, manager, ["甲乙", "丙丁"], "mask", "both")


async def test_flagged_words_come_once_onto_the_list_and_are_settled(
    node: Node, manager: ShopStaff, db: Database
) -> None:  # req I10
    await node.desk.add_words(SHOP, manager, ["投诉"], "flag", "both")
    entry = (await node.say("我要投诉你们，加微信abc12345", "client-id-0000001")).entry
    assert entry.b.text == "我要投诉你们，加微信abc12345"
    conversation = await node.said.conversation(node.c)
    said = saying(conversation, entry.f, "buyer", entry.b)
    assert await node.guard.review(said, entry.s, entry.ts)
    assert await node.guard.review(said, entry.s, entry.ts)
    rows, _ = await node.desk.flags(SHOP, "open", "buyer", None)
    assert (await node.desk.flags(SHOP, "open", "staff", None))[0] == []
    assert [(row.c, row.s, row.hits) for row in rows] == [(node.c, 1, ("投诉", "微信abc12345"))]
    assert await node.desk.open_flags(SHOP) == 1
    done = await node.desk.settle(manager, rows[0].id, "handled", "已回电")
    assert (done.state, done.by_name, done.note) == ("handled", "小林", "已回电")
    assert (await node.desk.flags(SHOP, "open", None, None))[0] == []
    assert len(await store.FLAGS.many(db, {"shop_id": SHOP, "state": "handled"})) == 1
    with pytest.raises(NotFound):
        await node.desk.settle(manager, "Z404", "fine", "")


async def test_the_review_list_calls_staff_as_the_shop_does_and_never_by_a_private_nickname(
    node: Node, manager: ShopStaff, db: Database
) -> None:  # req I10
    await AGENTS.insert(
        db,
        Agent(
            id=f"{SHOP}:{AGENT.person_id}", shop_id=SHOP, person_id=AGENT.person_id, name="客服小林", status="online",
            status_at=1, seen_at=1, cap=5,
        ),
    )  # fmt: skip
    await node.desk.add_words(SHOP, manager, ["投诉"], "flag", "both")
    conversation = await node.said.conversation(node.c)
    sides: dict[Side, Buyer | Staff] = {"buyer": BUYER, "staff": AGENT}
    for side, who in sides.items():
        entry = (await node.say("可以投诉", f"client-id-{side:>8}", who)).entry
        assert await node.guard.review(saying(conversation, entry.f, side, entry.b), entry.s, entry.ts)
    api = GuardApi(node.guard, node.desk, Naming(db, Town().buyer_names))
    raw = make_mocked_request("GET", "/")
    listed = await api.flags(Call(who=manager, path={}, query=FlagQuery(), raw=raw))
    assert {one.side: one.name for one in listed.items} == {"buyer": "顾客", "staff": "客服小林"}


async def test_a_new_guest_on_a_blocked_buyers_device_or_in_its_network_is_asked_to_sign_in(
    node: Node, manager: ShopStaff, clock: TestClock, db: Database
) -> None:  # req I10
    """The device always; the network, which an office may share, only when it was asked for, and for a day."""

    async def come(person: str, device: str, ip: str, *, guest: bool = True, was: tuple[str, ...] = ()) -> Buyer:
        who = Buyer(session_id=f"N{person}", person_id=person, device_id=device, guest=guest, was=was, ip=ip)
        node.c = (await node.said.open(who, SHOP, None)).id
        return who

    node.seen[BUYER.person_id] = [Whereabouts("tablet", "203.0.113.7"), Whereabouts("tablet", "127.0.0.1")]
    row = await node.desk.block(manager, BUYER.person_id, "刷屏", hours=None)
    assert row.devices_until == clock.now() + DEVICE_MS
    assert (row.networks, row.networks_until) == ((), 0)
    stored = str(await db.raw(store.BLOCKS).find_one({}))
    assert not [word for word in ("tablet", "203.0.113.7") if word in stored], "only fingerprints are kept"
    again = await come("U20", "tablet", "198.51.100.1")
    await node.refused(GuestsBlocked, "换个游客再来", again)
    beside = await come("U21", "phone", "203.0.113.7")
    assert (await node.say("同一间办公室的人", "client-id-0000001", beside)).entry.s == 1
    member = await come("U22", "tablet", "203.0.113.7", guest=False)
    assert (await node.say("登录了的会员", "client-id-0000002", member)).entry.s == 1
    himself = await come("U23", "other", "198.51.100.2", guest=False, was=(BUYER.person_id,))
    await node.refused(Blocked, "登录也认得", himself)

    node.seen[BUYER.person_id] = [Whereabouts("laptop", "203.0.113.7")]
    row = await node.desk.block(manager, BUYER.person_id, "刷屏", hours=None, network=True)
    assert len(row.devices) == 2, "blocked again, what was marked before stays so"
    assert row.networks_until == clock.now() + NETWORK_MS
    assert len(row.networks) == 1, "the machine's own address is everybody's"
    await seen(node)
    await come("U21", "phone", "203.0.113.7")
    await node.refused(GuestsBlocked, "现在不行了", beside)
    with pytest.raises(GuestsBlocked):
        await node.guard.hears(SHOP, ("U24",), Whereabouts("third", "203.0.113.7"))
    await node.guard.hears("S2", ("U24",), Whereabouts("tablet", "203.0.113.7"))
    clock.advance(NETWORK_MS)
    assert (await node.say("一天过去了", "client-id-0000003", beside)).entry.s == 2
    await come("U20", "tablet", "198.51.100.1")
    await node.refused(GuestsBlocked, "设备还在黑名单", again)
    clock.advance(DEVICE_MS)
    assert (await node.say("一个月过去了", "client-id-0000004", again)).entry.s == 1


class Ear:
    """A link of the shop's side that keeps the passing frames."""

    id, encoding = "ear", Encoding.JSON

    def __init__(self) -> None:
        self.heard: list[str] = []

    def entry(self, c: str, s: int, framed: bytes, now: int) -> None:
        """Not looked at."""

    def hint(self, framed: bytes) -> None:
        self.heard.append(framed.decode(errors="ignore"))


async def test_what_might_not_be_said_is_not_shown_while_it_is_written(node: Node, manager: ShopStaff) -> None:
    ear = Ear()
    node.hub.enter(ear, log_rules.rooms(await node.said.conversation(node.c))[1:])
    await node.desk.add_words(SHOP, manager, ["cheat"], "refuse", "both")
    await node.desk.add_words(SHOP, manager, ["stupid"], "mask", "both")

    async def write(text: str) -> str:
        ear.heard.clear()
        await node.said.signal(BUYER, node.c, "preview", "link", text)
        return "".join(ear.heard)

    assert "a stupi" in await write("a stupi")
    assert "a ******" in await write("a stupid")
    assert await write("a cheat") == ""
    await node.desk.block(manager, BUYER.person_id, "", hours=None)
    await seen(node)
    assert await write("hello") == ""
    await node.said.signal(BUYER, node.c, "typing", "link")
    assert ear.heard == []


async def test_where_a_blocked_buyer_looks_is_not_kept(node: Node, manager: ShopStaff, clock: TestClock) -> None:
    moved: list[str] = []

    async def vouched(*_: object, **__: object) -> None:
        """Nobody comes from other sites."""

    async def tell(c: str) -> None:
        moved.append(c)

    async def foreign(shop_id: str, path: str) -> None:
        """None of these pages is our own."""

    visitors = Visitors(node.db, clock, b"r" * 32, vouched, tell, node.guard, foreign)

    async def look(path: str) -> None:
        await visitors.look(BUYER, SHOP, path=path, title="", referrer="", device="", cart=None)

    await look("/one")
    await node.desk.block(manager, BUYER.person_id, "", hours=None)
    await seen(node)
    await look("/two")
    visit = await visitors.visit(SHOP, node.c)
    assert visit is not None
    assert ([page.path for page in visit.pages], moved) == (["/one"], [node.c])


def test_a_network_is_what_one_household_has() -> None:
    assert rules.network_of("203.0.113.7") == "203.0.113.7" == rules.network_of("::ffff:203.0.113.7")
    assert rules.network_of("2001:db8:1:2:3::4") == rules.network_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert [rules.network_of(one) for one in ("127.0.0.1", "::1", "0.0.0.0", "", "unknown")] == [""] * 5
