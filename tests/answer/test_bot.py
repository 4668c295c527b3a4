"""The bot among buyers, desk and log: every way of answering, once, by whichever node, also after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import aiohttp
import msgspec
import pytest

from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import TestClock
from octshop_rt.core.errors import NotFound
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import AssistantSettings
from octshop_rt.im.answer import store
from octshop_rt.im.answer.assistant import Assistant, Brief
from octshop_rt.im.answer.bot import LEASE_MS, Bot
from octshop_rt.im.answer.knowledge import FaqText, KeywordText, Knowledge, SettingsText
from octshop_rt.im.answer.model import Faq, NotAnOption, Stretch, Welcome
from octshop_rt.im.conversation import store as log_store
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.guard.model import Blocked, GuestsBlocked, SpamRules, Whereabouts
from octshop_rt.sandbox.assistant import SimulatedAssistant
from tests.guard.kit import BUYER, MANAGER, OPEN, SHOP, Node, living

OTHER = Buyer(session_id="N7", person_id="U7", device_id="d")


class Desk:
    """The desk as far as answers see it: one case a conversation, in a state."""

    def __init__(self) -> None:
        self.cases: dict[str, Stretch] = {}
        self.asked: list[tuple[str, bool]] = []

    def open(self, c: str, buyer: Buyer = BUYER, *, page: str = "any", title: str = "") -> Stretch:
        case = msgspec.convert(
            {"id": f"Case{c}", "c": c, "shop_id": SHOP, "buyer_id": buyer.person_id, "state": "bot", "page": page,
             "title": title}, Stretch,
        )  # fmt: skip
        self.cases[c] = case
        return case

    async def case_of(self, c: str) -> Stretch | None:
        return self.cases.get(c)

    async def ask_person(self, case_id: str, *, unanswered: bool) -> None:
        self.asked.append((case_id, unanswered))
        for c, case in self.cases.items():
            if case.id == case_id:
                self.cases[c] = msgspec.structs.replace(case, state="queued")

    async def in_bot(self) -> list[Stretch]:
        return [case for case in self.cases.values() if case.state == "bot"]


class World:
    """A node, a desk, a shop's knowledge and the bot."""

    def __init__(self, node: Node, db: Database, clock: TestClock, ids: Ids, bus: LocalBus) -> None:
        self.node, self.db, self.clock, self.ids, self.bus = node, db, clock, ids, bus
        self.desk = Desk()
        self.places: dict[str, str] = {}
        self.knowledge = Knowledge(db, clock, ids, bus, assistant_there=True)
        self.bot = self.make()

    def make(self, assistant: Assistant | None = None) -> Bot:
        return Bot(
            self.db, self.clock, self.ids, self.node.said, self.desk, self.knowledge, self.node.guard,
            names=_names, place=self.place, assistant=assistant,
        )  # fmt: skip

    async def place(self, shop_id: str, person_id: str) -> str:
        return self.places.get(person_id, "")

    async def faq(self, question: str, zh: str, *similar: str, en: str = "", question_en: str = "") -> Faq:
        assert MANAGER is not None
        text = FaqText(category="", question=question, similar=similar, zh=zh, en=en, on=True, question_en=question_en)
        return await self.knowledge.add_faq(MANAGER, f"request-{question}".ljust(16, "x"), text)

    async def set(self, *welcomes: Welcome, assistant: bool = False) -> None:
        assert MANAGER is not None
        text = SettingsText(
            on=True, sure=70, unsure=35, unknown_to_person=2, assistant=assistant, welcomes=welcomes, synonyms=()
        )
        await self.knowledge.set_settings(MANAGER, text)

    async def ask(self, text: str, m: str) -> Entry:
        """Say it, and hear what is answered."""
        entry = (await self.node.say(text, m.ljust(16, "-"))).entry
        conversation = await self.node.said.conversation(entry.c)
        self.bot.hear(conversation, entry)
        return entry

    async def answer(self, m: str) -> Entry:
        """The bot's entry of that id, when its claim is closed."""

        async def there() -> bool:
            row = await store.by_client_id(self.db, self.node.c, m)
            return row is not None and row.until is None

        await until(there)
        entry = await log_store.by_client_id(self.db, self.node.c, "bot", m)
        assert entry is not None
        assert entry.fr == "bot"
        return entry

    async def said(self) -> list[Entry]:
        return [one for one in await log_store.page(self.db, self.node.c, 1, 999, 999, newest=False) if one.fr == "bot"]


async def _names(shop_id: str, buyer_id: str) -> Mapping[str, str]:
    return {"shop": "豆芽咖啡", "buyer": "小雨"}


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.01)


@pytest.fixture
async def world(db: Database, clock: TestClock, ids: Ids) -> AsyncIterator[World]:
    bus = LocalBus()
    async with living(db, clock, ids, bus, "a") as node:
        one = World(node, db, clock, ids, bus)
        one.desk.open(node.c)
        one.knowledge.start()
        one.bot.start()
        yield one
        await one.bot.stop()
        await one.knowledge.stop()


def words(entry: Entry) -> list[str]:
    return [one.id for one in entry.b.opts or ()]


# --- what is answered, req I7 ---------------------------------------------------------------------------------------


async def test_a_question_the_shop_knows_is_answered_and_can_be_voted_on(world: World) -> None:
    faq = await world.faq("可以开发票吗", "{buyer}您好，{shop}可以开发票。", "怎么开票", en="Yes, ask for it.")
    entry = await world.ask("请问能开发票吗？", "q1")
    said = await world.answer(f"bot-{entry.s}")
    assert said.b.text == "小雨您好，豆芽咖啡可以开发票。"
    assert said.b.id is not None
    await world.bot.vote(BUYER, said.b.id, helpful=True)
    await world.bot.vote(BUYER, said.b.id, helpful=True)
    await world.bot.vote(BUYER, said.b.id, helpful=False)
    [row] = await world.knowledge.faqs(SHOP)
    assert (row.id, row.asked, row.helpful, row.unhelpful) == (faq.id, 1, 0, 1)
    with pytest.raises(NotFound):
        await world.bot.vote(OTHER, said.b.id, helpful=True)


async def test_an_unsure_answer_offers_questions_and_a_person(world: World) -> None:
    latte, tea = await world.faq("拿铁多少钱", "18 元"), await world.faq("红茶多少钱", "12 元")
    await world.faq("停车", "有")
    entry = await world.ask("多少钱", "q1")
    offer = await world.answer(f"bot-{entry.s}")
    assert sorted(words(offer)) == sorted([latte.id, tea.id, "person"])
    assert offer.b.id is not None
    await world.bot.choose(BUYER, offer.b.id, tea.id)
    await world.bot.choose(BUYER, offer.b.id, tea.id)
    told = await world.answer(f"pick-{offer.b.id}-{tea.id}")
    assert told.b.text == "红茶多少钱\n12 元"
    assert len(await world.said()) == 2
    with pytest.raises(NotAnOption):
        await world.bot.choose(BUYER, offer.b.id, "Znothing")
    with pytest.raises(NotFound):
        await world.bot.choose(OTHER, offer.b.id, tea.id)
    await world.bot.choose(BUYER, offer.b.id, "person")
    assert world.desk.asked == [(f"Case{world.node.c}", False)]


async def test_a_blocked_buyer_calls_nobody_by_a_button_either(world: World) -> None:  # req I10
    await world.faq("拿铁多少钱", "18 元")
    await world.faq("红茶多少钱", "12 元")
    entry = await world.ask("多少钱", "q1")
    offer = (await world.answer(f"bot-{entry.s}")).b.id
    assert offer is not None
    assert MANAGER is not None
    guest = msgspec.structs.replace(BUYER, guest=True, device_id="tablet", ip="203.0.113.7")
    world.node.seen[OTHER.person_id] = [Whereabouts("tablet", "203.0.113.7")]
    await world.node.said.open(OTHER, SHOP, None)
    for blocked, who, refusal in ((OTHER, guest, GuestsBlocked), (BUYER, BUYER, Blocked)):
        await world.node.desk.block(MANAGER, blocked.person_id, "刷屏", hours=None)
        await world.node.guard._shops.anew(SHOP)
        with pytest.raises(refusal):
            await world.bot.choose(who, offer, "person")
    assert world.desk.asked == []


@pytest.mark.parametrize("text", ["人工", "我要找人工客服", "I want to talk to a human"])
async def test_a_person_asked_for_in_words_comes_at_once(world: World, text: str) -> None:
    await world.faq("人工客服几点上班", "9 点")
    entry = await world.ask(text, "q1")
    await until(lambda: _true(world.desk.asked == [(f"Case{world.node.c}", False)]))
    assert await world.said() == []
    assert entry.s == 1


async def test_twice_without_an_answer_and_a_person_is_asked(world: World) -> None:
    await world.faq("停车", "有")
    first = await world.ask("你们支持比特币吗", "q1")
    assert words(await world.answer(f"bot-{first.s}")) == ["person"]
    assert world.desk.asked == []
    second = await world.ask("火星上有分店吗", "q2")
    await world.answer(f"bot-{second.s}")
    assert world.desk.asked == [(f"Case{world.node.c}", True)]
    await world.ask("停车", "q3")
    await asyncio.sleep(0.2)
    assert len(await world.said()) == 2  # a person is on the way: the bot is silent


async def test_keywords_come_before_questions_and_a_greeting_is_only_greeted(world: World) -> None:
    assert MANAGER is not None
    await world.faq("wifi 密码是多少", "问店员")
    text = KeywordText(words=("wifi",), how="contains", zh="密码 88888888", en="88888888", priority=0, on=True)
    await world.knowledge.add_keyword(MANAGER, "request-keyword-1", text)
    await world.knowledge.shop(SHOP)
    entry = await world.ask("有 WiFi 吗", "q1")
    assert (await world.answer(f"bot-{entry.s}")).b.text == "密码 88888888"
    entry = await world.ask("wifi please", "q2")
    assert (await world.answer(f"bot-{entry.s}")).b.text == "88888888"
    hello = await world.ask("你好", "q3")
    assert words(await world.answer(f"bot-{hello.s}")) == ["person"]


async def test_a_case_is_welcomed_once_by_the_words_of_its_page(world: World) -> None:
    faq = await world.faq("什么时候发货", "当天")
    await world.set(
        Welcome(page="any", zh="欢迎光临"), Welcome(page="order", zh="您好{buyer}，您在看{title}", questions=(faq.id,))
    )
    case = world.desk.open(world.node.c, page="order", title="燕麦拿铁")
    for bot in (world.bot, world.make()):
        await bot._welcome(case)
    said = await world.answer(f"welcome-{case.id}")
    assert said.b.text == "您好小雨，您在看燕麦拿铁"
    assert words(said) == [faq.id]
    assert said.b.id is not None
    await world.bot.choose(BUYER, said.b.id, faq.id)
    assert [one.b.text for one in await world.said()] == ["您好小雨，您在看燕麦拿铁", "什么时候发货\n当天"]


# --- once, whatever happens, req I4 I7 ------------------------------------------------------------------------------


async def test_two_nodes_that_hear_the_same_word_make_one_answer(world: World) -> None:
    await world.faq("可以停车吗", "可以")
    entry = (await world.node.say("可以停车吗", "client-id-0000001")).entry
    await asyncio.gather(*(bot._answer(entry) for bot in (world.bot, world.make(), world.make())))
    await world.answer(f"bot-{entry.s}")
    assert len(await world.said()) == 1


async def test_what_a_killed_node_claimed_is_answered_by_the_sweep(world: World, clock: TestClock) -> None:
    await world.faq("可以停车吗", "可以")
    entry = (await world.node.say("可以停车吗", "client-id-0000001")).entry
    case = world.desk.cases[world.node.c]
    assert await world.bot._claimed(world.bot._row(case, f"bot-{entry.s}", entry.s, "可以停车吗"))
    assert await world.bot.sweep() == 0  # its time is not over
    clock.advance(LEASE_MS)
    other = world.make()
    assert sorted(await asyncio.gather(world.bot.sweep(), other.sweep())) == [0, 1]
    assert (await world.answer(f"bot-{entry.s}")).b.text == "可以"


async def test_a_word_nobody_claimed_is_found_by_the_sweep(world: World, clock: TestClock) -> None:
    await world.faq("可以停车吗", "可以")
    entry = (await world.node.say("可以停车吗", "client-id-0000001")).entry
    world.desk.cases[world.node.c] = msgspec.structs.replace(world.desk.cases[world.node.c], heard_s=entry.s)
    assert await world.bot.sweep() == 0
    clock.advance(LEASE_MS)
    assert await world.bot.sweep() == 1
    assert (await world.answer(f"bot-{entry.s}")).b.text == "可以"
    assert await world.bot.sweep() == 0


# --- the assistant, req I7 ------------------------------------------------------------------------------------------


@pytest.fixture
async def simulated() -> AsyncIterator[tuple[SimulatedAssistant, str]]:
    one = SimulatedAssistant("sk-test", production=False)
    url = await one.start("127.0.0.1", 0)
    yield one, url
    await one.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def _true(value: bool) -> bool:
    return value


async def helped(world: World, url: str, http: aiohttp.ClientSession, **more: float) -> Bot:
    """A bot with an assistant, at a shop that uses it."""
    await world.faq("可以停车吗", "地下二层停车两小时免费")
    await world.set(assistant=True)
    await world.knowledge._shops.anew(SHOP)
    settings = msgspec.convert({"url": url, "model": "toy", **more}, AssistantSettings)
    return world.make(Assistant(settings, "sk-test", http))


async def test_the_assistant_answers_from_the_shop_s_knowledge_alone(
    world: World, simulated: tuple[SimulatedAssistant, str], http: aiohttp.ClientSession
) -> None:
    toy, url = simulated
    bot = await helped(world, url, http)
    entry = (await world.node.say("我开货车来有地方停吗，车比较大", "client-id-0000001")).entry
    await bot._answer(entry)
    said = await world.answer(f"bot-{entry.s}")
    assert said.b.text == "地下二层停车两小时免费"
    assert words(said) == ["person"]
    row = await store.by_client_id(world.db, world.node.c, f"bot-{entry.s}")
    assert row is not None
    assert row.by == "assistant"
    sent = str(toy.asked)
    assert "小雨" not in sent
    assert "U1" not in sent
    assert (await bot.answers_first(SHOP), await world.make().answers_first("S9")) == (True, False)


@pytest.mark.parametrize("trouble", ["slow", "5xx", "429", "garbage", "refusal", "filter", "link", "hang up", "huge"])
async def test_whatever_is_wrong_with_the_assistant_a_person_is_offered(
    world: World, simulated: tuple[SimulatedAssistant, str], http: aiohttp.ClientSession, trouble: str
) -> None:
    toy, url = simulated
    toy.trouble = trouble  # type: ignore[assignment]
    bot = await helped(world, url, http, seconds=0.5)
    entry = (await world.node.say("我开货车来有地方停吗，车比较大", "client-id-0000001")).entry
    async with asyncio.timeout(10):
        await bot._answer(entry)
    said = await world.answer(f"bot-{entry.s}")
    assert said.b.text is not None
    assert said.b.text.startswith("抱歉")
    assert words(said) == ["person"]


async def test_what_an_agent_may_not_say_the_assistant_may_not_either(
    world: World, simulated: tuple[SimulatedAssistant, str], http: aiohttp.ClientSession
) -> None:
    assert MANAGER is not None
    _, url = simulated
    bot = await helped(world, url, http)
    await world.node.desk.add_words(SHOP, MANAGER, ["免费"], "refuse", "staff")
    await world.node.desk.set_spam(SHOP, SpamRules(), SpamRules(), OPEN)
    entry = (await world.node.say("我开货车来有地方停吗，车比较大", "client-id-0000001")).entry
    await bot._answer(entry)
    said = await world.answer(f"bot-{entry.s}")
    assert "免费" not in (said.b.text or "")


async def test_an_ill_assistant_is_left_alone_and_too_many_go_on_without_it(
    world: World, simulated: tuple[SimulatedAssistant, str], http: aiohttp.ClientSession
) -> None:
    toy, url = simulated
    brief = Brief(shop="店", question="可以停车吗", knowledge=[("可以停车吗", "可以")], card="", lang="zh-CN")
    settings = AssistantSettings(url=url, model="toy", seconds=5, concurrent=2)
    one = Assistant(settings, "sk-test", http)
    toy.trouble, toy.slow_s = "slow", 0.3
    answers = await asyncio.gather(*(one.ask(brief) for _ in range(5)))
    assert sorted(map(bool, answers)) == [False, False, False, True, True]
    toy.trouble = "5xx"
    for _ in range(5):
        assert await one.ask(brief) is None
    toy.trouble, before = "", len(toy.asked)
    assert await one.ask(brief) is None
    assert len(toy.asked) == before  # nobody was asked
    one._rests_until = 0
    assert await one.ask(brief) == "可以"
    assert await Assistant(settings, "wrong", http).ask(brief) is None
