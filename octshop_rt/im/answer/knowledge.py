"""What a shop knows: changed by its managers, kept compiled in memory, asked by the bot and by who tries it out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.bus import Bus
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.core.ids import Ids
from octshop_rt.core.kept import Kept
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction
from octshop_rt.im.answer import rules, store
from octshop_rt.im.answer.matching import Matcher
from octshop_rt.im.answer.model import (
    MOST_FAQS,
    MOST_KEYWORDS,
    AnswerSettings,
    By,
    Faq,
    How,
    Keyword,
    Synonyms,
    TooManyFaqs,
    TooManyKeywords,
    Verdict,
    Welcome,
)
from octshop_rt.im.answer.voicing import balance, says

CHANGED = "answer.changed"
_MOST_SHOPS = 2_000


class SettingsText(Struct, frozen=True, kw_only=True):
    """What a manager sets."""

    on: bool
    sure: int
    unsure: int
    unknown_to_person: int
    assistant: bool
    welcomes: tuple[Welcome, ...]
    synonyms: tuple[Synonyms, ...]


class FaqText(Struct, frozen=True, kw_only=True):
    """What a manager writes."""

    category: str
    question: str
    similar: tuple[str, ...]
    zh: str
    en: str
    on: bool
    question_en: str = ""


class KeywordText(Struct, frozen=True, kw_only=True):
    """What a manager writes."""

    words: tuple[str, ...]
    how: How
    zh: str
    en: str
    priority: int
    on: bool


class Shop(Struct, frozen=True):
    """All a node keeps of a shop."""

    settings: AnswerSettings
    faqs: dict[str, Faq]
    keywords: list[Keyword]
    matcher: Matcher


class Found(Struct, frozen=True, kw_only=True):
    """What there is to say to a text: by what, how sure, and the words."""

    by: By
    verdict: Verdict
    answer: str = ""
    words: list[str] = []


class Knowledge:
    """One per node. `start` and `stop` with the loop."""

    variables = rules.ANSWER_VARIABLES

    def __init__(self, db: Database, clock: Clock, ids: Ids, bus: Bus, *, assistant_there: bool = False) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._bus = bus
        self.assistant_there = assistant_there
        self._shops = Kept(bus, CHANGED, self._compile, self._outdated, most=_MOST_SHOPS)

    def start(self) -> None:
        """Hear of changed knowledge."""
        self._shops.start()

    async def stop(self) -> None:
        """Hear no more."""
        await self._shops.stop()

    # --- asked --------------------------------------------------------------------------------------------------------

    async def shop(self, shop_id: str) -> Shop:
        """Compiled, from memory after the first time."""
        return await self._shops.get(shop_id)

    async def attempt(self, shop_id: str, text: str, lang: str) -> Found:
        """What would be answered, from what is stored now."""
        shop = await self._shops.anew(shop_id)
        return self.consider(shop, text, lang)

    @staticmethod
    def consider(shop: Shop, text: str, lang: str) -> Found:
        """In order: who asks for a person gets one, keywords, questions."""
        nothing = Verdict(sureness="unknown")
        if rules.wants_person(text):
            return Found(by="person", verdict=nothing)
        keyword = rules.keyword(text, shop.keywords)
        if keyword is not None:
            answer = rules.in_language(keyword.zh, keyword.en, lang)
            return Found(by="keyword", verdict=Verdict(sureness="sure"), answer=answer)
        verdict, words = shop.matcher.judge(text), shop.matcher.words.of(text)
        if verdict.sureness == "sure":
            faq = shop.faqs[verdict.candidates[0].faq_id]
            return Found(by="faq", verdict=verdict, answer=rules.in_language(faq.zh, faq.en, lang), words=words)
        return Found(by="offer" if verdict.sureness == "unsure" else "none", verdict=verdict, words=words)

    # --- settings -----------------------------------------------------------------------------------------------------

    async def settings(self, shop_id: str) -> AnswerSettings:
        return await store.settings(self._db, shop_id) or AnswerSettings(id=shop_id)

    async def set_settings(self, who: ShopStaff, text: SettingsText) -> AnswerSettings:
        """Replace them. BadThresholds, UnknownVariable; NotFound for a question that is not there."""
        rules.check_thresholds(text.sure, text.unsure)
        rules.check_variables((words for one in text.welcomes for words in (one.zh, one.en)), self.variables)
        offered = {faq_id for one in text.welcomes for faq_id in one.questions}
        fields = msgspec.structs.asdict(text)
        fields["welcomes"] = tuple({one.page: one for one in text.welcomes}.values())

        async def work(tx: Transaction) -> None:
            if offered - {one.id for one in await store.faqs(tx, who.shop_id)}:
                raise NotFound
            await self._row(tx, who.shop_id)
            await store.set_settings(tx, AnswerSettings(id=who.shop_id, **fields))

        await self._change(who.shop_id, work)
        return await self.settings(who.shop_id)

    # --- questions ----------------------------------------------------------------------------------------------------

    async def faqs(self, shop_id: str) -> list[Faq]:
        """By category and question."""
        return sorted(await store.faqs(self._db, shop_id), key=lambda one: (one.category, one.question, one.id))

    @staticmethod
    def fitting(faqs: Sequence[Faq], q: str, category: str | None) -> list[Faq]:
        """Those with `q` in question, wording or answer, of that category."""
        wanted = rules.normal(q)
        return [
            one
            for one in faqs
            if (category is None or one.category == category)
            and any(
                wanted in rules.normal(text) for text in (one.question, one.question_en, *one.similar, one.zh, one.en)
            )
        ]

    async def add_faq(self, who: ShopStaff, request_id: str, text: FaqText) -> Faq:
        """TooManyFaqs, UnknownVariable, RequestConflict."""
        rules.check_variables((text.zh, text.en), self.variables)
        row = self.faq_of(who, request_id, text)

        async def work(tx: Transaction) -> None:
            await self._row(tx, who.shop_id)
            if await store.count_faqs(tx, who.shop_id) >= MOST_FAQS:
                raise TooManyFaqs(most=MOST_FAQS)
            await store.add_faq(tx, row)
            await store.touch(tx, who.shop_id)

        try:
            await self._change(who.shop_id, work)
        except DuplicateKey:
            before = await store.faq_by_request(self._db, who.shop_id, request_id)
            if before is None or (before.question, before.zh) != (row.question, row.zh):
                raise RequestConflict from None
            return before
        return row

    async def set_faq(self, who: ShopStaff, faq_id: str, text: FaqText) -> Faq:
        """NotFound, UnknownVariable. Another answer is another thing: what buyers doubted of the old one is over."""
        rules.check_variables((text.zh, text.en), self.variables)
        fresh: dict[str, Any] = {**msgspec.to_builtins(text), "at": self._clock.now()}
        changed: list[Faq] = []

        async def work(tx: Transaction) -> None:
            before = await store.faq(tx, who.shop_id, faq_id)
            row = await store.set_faq(tx, who.shop_id, faq_id, fresh)
            if before is None or row is None:
                raise NotFound
            if (before.zh, before.en) != (row.zh, row.en):
                await self._undoubt(tx, row)
            changed[:] = [row]
            await self.touched(tx, who.shop_id)

        await self._change(who.shop_id, work)
        return changed[0]

    async def drop_faq(self, who: ShopStaff, faq_id: str) -> None:
        """NotFound. Welcome texts offer it no more."""

        async def work(tx: Transaction) -> None:
            if not await store.drop_faq(tx, who.shop_id, faq_id):
                raise NotFound
            row = await self._row(tx, who.shop_id)
            kept = tuple(
                msgspec.structs.replace(one, questions=tuple(known for known in one.questions if known != faq_id))
                for one in row.welcomes
            )
            await store.set_settings(tx, msgspec.structs.replace(row, welcomes=kept))

        await self._change(who.shop_id, work)

    def faq_of(self, who: ShopStaff, request_id: str, text: FaqText) -> Faq:
        """A new question, not yet stored."""
        return Faq(
            id=self._ids.new("Z"),
            shop_id=who.shop_id,
            request_id=request_id,
            at=self._clock.now(),
            **msgspec.structs.asdict(text),
        )

    async def _undoubt(self, tx: Transaction, row: Faq) -> None:
        for lesson in await store.lessons_of(tx, row.shop_id, row.id):
            if says(balance(lesson)) < 0:
                await store.forget_lesson(tx, row.shop_id, row.id, lesson.text)

    # --- keywords -----------------------------------------------------------------------------------------------------

    async def keywords(self, shop_id: str) -> list[Keyword]:
        """In the order in which they are tried."""
        rows = await store.keywords(self._db, shop_id)
        return sorted(rows, key=lambda one: (-one.priority, -max(map(len, one.words)), one.id))

    async def add_keyword(self, who: ShopStaff, request_id: str, text: KeywordText) -> Keyword:
        """TooManyKeywords, UnknownVariable, RequestConflict."""
        rules.check_variables((text.zh, text.en), self.variables)
        row = Keyword(
            id=self._ids.new("Z"),
            shop_id=who.shop_id,
            request_id=request_id,
            at=self._clock.now(),
            **msgspec.structs.asdict(text),
        )

        async def work(tx: Transaction) -> None:
            await self._row(tx, who.shop_id)
            if await store.count_keywords(tx, who.shop_id) >= MOST_KEYWORDS:
                raise TooManyKeywords(most=MOST_KEYWORDS)
            await store.add_keyword(tx, row)
            await store.touch(tx, who.shop_id)

        try:
            await self._change(who.shop_id, work)
        except DuplicateKey:
            before = await store.keyword_by_request(self._db, who.shop_id, request_id)
            if before is None or (before.words, before.zh) != (row.words, row.zh):
                raise RequestConflict from None
            return before
        return row

    async def set_keyword(self, who: ShopStaff, keyword_id: str, text: KeywordText) -> Keyword:
        """NotFound, UnknownVariable."""
        rules.check_variables((text.zh, text.en), self.variables)
        fresh: dict[str, Any] = {**msgspec.to_builtins(text), "at": self._clock.now()}
        changed: list[Keyword] = []

        async def work(tx: Transaction) -> None:
            row = await store.set_keyword(tx, who.shop_id, keyword_id, fresh)
            if row is None:
                raise NotFound
            changed[:] = [row]
            await self.touched(tx, who.shop_id)

        await self._change(who.shop_id, work)
        return changed[0]

    async def drop_keyword(self, who: ShopStaff, keyword_id: str) -> None:
        """NotFound."""

        async def work(tx: Transaction) -> None:
            if not await store.drop_keyword(tx, who.shop_id, keyword_id):
                raise NotFound
            await self.touched(tx, who.shop_id)

        await self._change(who.shop_id, work)

    # --- in memory ----------------------------------------------------------------------------------------------------

    async def _row(self, tx: Transaction, shop_id: str) -> AnswerSettings:
        found = await store.settings(tx, shop_id)
        if found is None:
            found = AnswerSettings(id=shop_id)
            await store.add_settings(tx, found)
        return found

    async def touched(self, tx: Transaction, shop_id: str) -> None:
        """Part of a change of what nodes keep in memory; tell them with `told` once it is done."""
        await self._row(tx, shop_id)
        await store.touch(tx, shop_id)

    async def _change(self, shop_id: str, work: Callable[[Transaction], Awaitable[None]]) -> None:
        await self._db.transact(work, unit="im")
        await self.told(shop_id)

    async def told(self, shop_id: str) -> None:
        """The shop's knowledge has changed: every node reads it again."""
        await self._bus.publish(CHANGED, shop_id.encode())

    async def _compile(self, shop_id: str) -> Shop:
        """The revision is read first."""
        settings = await self.settings(shop_id)
        faqs = await store.faqs(self._db, shop_id)
        lessons = await store.lessons(self._db, shop_id)
        keywords = await store.keywords(self._db, shop_id)
        return Shop(settings, {one.id: one for one in faqs}, keywords, Matcher(faqs, lessons, settings))

    async def _outdated(self, shops: Mapping[str, Shop]) -> set[str]:
        revisions = await store.revisions(self._db, list(shops))
        return {shop_id for shop_id, one in shops.items() if one.settings.rev != revisions.get(shop_id, 0)}
