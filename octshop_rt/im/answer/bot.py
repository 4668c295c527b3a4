"""Answers buyers until a person does: hears their words, claims each once among all nodes, says what is known."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Protocol

import msgspec
import structlog

from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.clock import SECOND, Clock, Millis
from octshop_rt.core.errors import DomainError, NotFound
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.core.tasks import end
from octshop_rt.im.answer import phrases, rules, store
from octshop_rt.im.answer.assistant import Assistant, Brief
from octshop_rt.im.answer.knowledge import Found, Knowledge, Shop
from octshop_rt.im.answer.learning import Learning, Place
from octshop_rt.im.answer.model import PERSON, Faq, Given, NotAnOption, Stretch
from octshop_rt.im.conversation.model import Conversation, Entry, IdemConflict
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.guard import rules as guard_rules
from octshop_rt.im.guard.model import Saying
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.wire.fields import Body, Option

log = structlog.get_logger(__name__)

BOT = "bot"
LEASE_MS = 30 * SECOND  # how long a claim without a result belongs to its node
SWEEP_S = 30
_SETTLES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)  # the desk hears the same word and needs a moment to open the case
_MOST_WAITING = 5_000
_WORKERS = 8
_TEXTLESS = frozenset({"image", "voice", "video", "file", "location"})


class Cases(Protocol):
    """What answers ask of the desk."""

    async def case_of(self, c: str) -> Stretch | None:
        """The open case of a conversation."""
        ...

    async def ask_person(self, case_id: str, *, unanswered: bool) -> None:
        """The buyer wants a person, or (`unanswered`) needs one: bot → queued, and nothing if it is there already."""
        ...

    async def in_bot(self) -> list[Stretch]:
        """Cases in state bot, the longest untouched first, some hundreds at most."""
        ...


class Bot:
    """One per node. `names(shop_id, buyer_id)` tells what {shop} and {buyer} stand for."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        ids: Ids,
        conversations: Conversations,
        cases: Cases,
        knowledge: Knowledge,
        guard: Guard,
        *,
        names: Callable[[str, str], Awaitable[Mapping[str, str]]],
        place: Place,
        assistant: Assistant | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._conversations = conversations
        self._cases = cases
        self._knowledge = knowledge
        self._learning = Learning(db, clock, ids, knowledge, place)
        self._guard = guard
        self._names = names
        self._assistant = assistant
        self._work: asyncio.Queue[Coroutine[None, None, None]] = asyncio.Queue(_MOST_WAITING)
        self._running: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Answer from now on, and look for what a crash has left."""
        loop = asyncio.get_running_loop()
        self._running = [loop.create_task(self._worker()) for _ in range(_WORKERS)]
        self._running.append(loop.create_task(self._sweeper()))

    async def stop(self) -> None:
        """What is half done is finished by another node, or after the next start."""
        await end(*self._running)
        while not self._work.empty():
            self._work.get_nowait().close()

    async def answers_first(self, shop_id: str) -> bool:
        """Whether a buyer of that shop is answered by the bot before a person is asked."""
        shop = await self._knowledge.shop(shop_id)
        assistant = shop.settings.assistant and self._assistant is not None
        return shop.settings.on and (assistant or bool(len(shop.matcher)) or any(one.on for one in shop.keywords))

    # --- hearing ------------------------------------------------------------------------------------------------------

    def hear(self, conversation: Conversation, entry: Entry) -> None:
        """For Conversations.on_said: never waits."""
        if entry.fr == "buyer" and (entry.k == "text" or entry.k in _TEXTLESS):
            self._later(self._answer(entry))

    def opened(self, case: Stretch) -> None:
        """A case was opened: the buyer is welcomed, once."""
        self._later(self._welcome(case))

    def _later(self, work: Coroutine[None, None, None]) -> None:
        try:
            self._work.put_nowait(work)
        except asyncio.QueueFull:  # the sweep finds it
            work.close()

    async def _worker(self) -> None:
        while True:
            work = await self._work.get()
            try:
                await work
            except DomainError as fault:
                log.warning("an answer waits for the sweep", fault=str(fault))
            except Exception:
                log.exception("an answer failed")

    async def _answer(self, entry: Entry) -> None:
        for pause in (*_SETTLES_S, 0):
            case = await self._cases.case_of(entry.c)
            if case is not None and case.state != "new":
                break
            await asyncio.sleep(pause)
        else:
            return
        if case.state == "bot":
            row = self._row(case, f"bot-{entry.s}", entry.s, entry.b.text or "")
            if await self._claimed(row):
                await self._give(row, case)

    async def _welcome(self, case: Stretch) -> None:
        shop = await self._knowledge.shop(case.shop_id)
        words = rules.welcome_for(case.page, shop.settings.welcomes)
        if words is not None:
            row = self._row(case, f"welcome-{case.id}", 0, "")
            if await self._claimed(row):
                await self._give(row, case)

    def _row(self, case: Stretch, m: str, s: int, text: str) -> Given:
        now = self._clock.now()
        return Given(
            id=self._ids.new("Z"),
            shop_id=case.shop_id,
            case_id=case.id,
            c=case.c,
            m=m,
            s=s,
            buyer_id=case.buyer_id,
            text=rules.normal(text)[:200],
            at=now,
            until=now + LEASE_MS,
        )

    async def _claimed(self, row: Given) -> bool:
        try:
            await store.claim(self._db, row)
        except DuplicateKey:
            return False
        return True

    # --- answering ----------------------------------------------------------------------------------------------------

    async def _give(self, row: Given, case: Stretch) -> None:
        """Say what there is to say to a claimed word, then close the claim. Doing it again says nothing new."""
        shop = await self._knowledge.shop(row.shop_id)
        if row.m.startswith("welcome-"):
            await self._say_welcome(row, case, shop)
            return
        if row.m.startswith("pick-"):
            await self._say_faq(row, shop.faqs.get(row.m.rsplit("-", 1)[1]), titled=True)
            return
        entry = await self._conversations.entry(row.c, row.s)
        text = "" if entry is None or entry.rc is not None else entry.b.text or ""
        lang = rules.language_of(text)
        found = self._knowledge.consider(shop, text, lang)
        if found.by == "person":
            await self._cases.ask_person(row.case_id, unanswered=False)
            await self._done(row, found)
        elif found.by in {"keyword", "faq"}:
            await self._say(row, found.answer)
            await self._done(row, found)
            if found.by == "faq":
                await store.count_asked(self._db, row.shop_id, found.verdict.candidates[0].faq_id)
        elif found.by == "offer":
            options = [_button(shop.faqs[one.faq_id]) for one in found.verdict.candidates]
            await self._say(row, phrases.CHOOSE[lang], options, person=lang)
            await self._done(row, found)
        else:
            await self._not_known(row, case, shop, text, lang)

    async def _not_known(self, row: Given, case: Stretch, shop: Shop, text: str, lang: str) -> None:
        none = self._knowledge.consider(shop, "", lang)
        if phrases.is_greeting(text):
            options = self._welcome_options(case, shop)
            await self._say(row, phrases.GREETED[lang], options, person=lang)
            await self._done(row, msgspec.structs.replace(none, by="greeting"), tuple(one.id for one in options))
            return
        answer = await self._by_assistant(row, case, shop, text, lang)
        if answer is not None:
            await self._say(row, answer, person=lang)
            await self._done(row, msgspec.structs.replace(none, by="assistant"))
            return
        before = shop.settings.unknown_to_person - 1
        last = await store.last_given(self._db, row.c, row.s, before) if before else []
        if len(last) == before and all(one.by == "none" and one.case_id == row.case_id for one in last):
            await self._say(row, phrases.PASSED_ON[lang])
            await self._cases.ask_person(row.case_id, unanswered=True)
        else:
            await self._say(row, phrases.NOT_KNOWN[lang], person=lang)
        await self._done(row, none)

    async def _by_assistant(self, row: Given, case: Stretch, shop: Shop, text: str, lang: str) -> str | None:
        """What the assistant makes of the shop's knowledge, if it may be said at all."""
        if self._assistant is None or not shop.settings.assistant or not text:
            return None
        likely = [one.faq_id for one in shop.matcher.judge(text).candidates]
        order = [*likely, *(faq_id for faq_id in shop.faqs if faq_id not in likely)]
        values = await self._names(row.shop_id, row.buyer_id)
        known = [
            (faq.question, rules.said_to_buyer(rules.in_language(faq.zh, faq.en, lang), {"shop": values["shop"]}))
            for faq in (shop.faqs[faq_id] for faq_id in order)
            if faq.on
        ]
        brief = Brief(shop=values["shop"], question=text, knowledge=known, card=case.title, lang=lang)
        answer = await self._assistant.ask(brief)
        if answer is None:
            return None
        said = Saying(shop_id=row.shop_id, c=row.c, buyer_id=row.buyer_id, side="staff", f=BOT, texts=(answer,))
        try:
            return (await self._guard.judge(said)).texts[0]
        except DomainError:
            return None

    async def _say_welcome(self, row: Given, case: Stretch, shop: Shop) -> None:
        words = rules.welcome_for(case.page, shop.settings.welcomes)
        if words is not None:
            options = self._welcome_options(case, shop)
            text = f"{words.zh}\n{words.en}".strip()
            row = msgspec.structs.replace(row, faq_ids=tuple(one.id for one in options))
            await self._say(row, text, options, title=case.title)
        await self._close(msgspec.structs.replace(row, by="welcome"))

    def _welcome_options(self, case: Stretch, shop: Shop) -> list[Option]:
        words = rules.welcome_for(case.page, shop.settings.welcomes)
        known = [] if words is None else [shop.faqs[one] for one in words.questions if one in shop.faqs]
        return [_button(faq) for faq in known if faq.on]

    async def _say_faq(self, row: Given, faq: Faq | None, *, titled: bool, lang: str = "") -> None:
        """`lang` of who tapped it; without, as the question is written."""
        if faq is not None:
            lang = lang or rules.language_of(faq.question)
            answer = rules.in_language(faq.zh, faq.en, lang)
            asked = rules.in_language(faq.question, faq.question_en, lang)
            await self._say(row, f"{asked}\n{answer}" if titled else answer)
            await store.count_asked(self._db, row.shop_id, faq.id)
        await self._close(msgspec.structs.replace(row, by="faq", faq_ids=(faq.id,) if faq else ()))

    async def _say(
        self, row: Given, text: str, options: list[Option] | None = None, *, person: str = "", title: str = ""
    ) -> None:
        """Into the log, as the bot, with the answer's id to vote on. Another answer under the same id stands."""
        values = {**await self._names(row.shop_id, row.buyer_id), "title": title}
        buttons = [*(options or []), *([Option(id=PERSON, text=phrases.A_PERSON[person])] if person else [])]
        body = Body(text=rules.said_to_buyer(text, values), id=row.id, opts=tuple(buttons) or None)
        try:
            await self._conversations.say(row.c, fr="bot", f=BOT, m=row.m, k="text", b=body)
        except IdemConflict:
            log.info("answered by another node", c=row.c, m=row.m)

    async def _done(self, row: Given, found: Found, faq_ids: tuple[str, ...] | None = None) -> None:
        candidates = found.verdict.candidates
        offered = tuple(one.faq_id for one in (candidates if found.by == "offer" else candidates[:1]))
        await self._close(
            msgspec.structs.replace(
                row,
                by=found.by,
                faq_ids=(offered if found.by in {"faq", "offer"} else ()) if faq_ids is None else faq_ids,
                confidence=candidates[0].confidence if candidates else 0,
            )
        )

    async def _close(self, row: Given) -> None:
        await store.finish(self._db, row)

    # --- the buyer's part ---------------------------------------------------------------------------------------------

    async def choose(self, who: Buyer, answer_id: str, option: str, lang: str = "") -> None:
        """Tap a button: a person is asked, or the question's answer is said. NotFound, NotAnOption; Blocked and
        GuestsBlocked where the shop does not listen to who asks for a person.
        """
        row = await store.given(self._db, answer_id, who.ids)
        if row is None:
            raise NotFound
        if option == PERSON:
            await self._guard.hears(row.shop_id, (row.buyer_id, *who.ids), guard_rules.guest(who))
            await self._cases.ask_person(row.case_id, unanswered=False)
            return
        shop = await self._knowledge.shop(row.shop_id)
        faq = shop.faqs.get(option)
        if option not in row.faq_ids or faq is None or not faq.on:
            raise NotAnOption
        now = self._clock.now()
        picked = msgspec.structs.replace(
            row, id=self._ids.new("Z"), m=f"pick-{row.id}-{option}", at=now, until=now + LEASE_MS, by=None,
            faq_ids=(), helpful=None, picked="",
        )  # fmt: skip
        if not await self._claimed(picked):
            return
        await self._say_faq(picked, faq, titled=True, lang=lang)
        await store.set_picked(self._db, row, option)
        await self._learning.chosen(who, row, option)

    async def vote(self, who: Buyer, answer_id: str, *, helpful: bool) -> None:
        """NotFound."""
        row = await store.given(self._db, answer_id, who.ids)
        if row is None:
            raise NotFound
        await self._learning.voted(who, row, helpful=helpful)

    # --- what a crash has left ----------------------------------------------------------------------------------------

    async def _sweeper(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S * (0.5 + random.random()))  # noqa: S311  (nodes should not look together)
            try:
                await self.sweep()
            except DomainError as fault:
                log.warning("answers were not swept", fault=str(fault))

    async def sweep(self) -> int:
        """Take over claims whose node did not finish, and words nobody has claimed. How many there were."""
        now = self._clock.now()
        found = 0
        for row in await store.unfinished(self._db, now, 100):
            mine = await store.take_over(self._db, row, now, now + LEASE_MS)
            case = None if mine is None else await self._cases.case_of(row.c)
            if mine is None:
                continue
            found += 1
            if case is not None and case.id == row.case_id:
                await self._give(mine, case)
            else:
                await self._close(mine)
        for case in await self._cases.in_bot():
            found += await self._missed(case, now)
        return found

    async def _missed(self, case: Stretch, now: Millis) -> int:
        if not case.heard_s or await store.by_client_id(self._db, case.c, f"bot-{case.heard_s}") is not None:
            return 0
        entry = await self._conversations.entry(case.c, case.heard_s)
        if entry is None or now - entry.ts < LEASE_MS or not (entry.k == "text" or entry.k in _TEXTLESS):
            return 0  # somebody is at it, or there is nothing to answer
        await self._answer(entry)
        return 1


def _button(faq: Faq) -> Option:
    return Option(id=faq.id, text=faq.question, en=faq.question_en)
