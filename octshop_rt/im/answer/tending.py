"""Tending a shop's knowledge: many questions at once, and what buyers have made of the answers."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.errors import NotFound
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, Transaction
from octshop_rt.im.answer import rules, store
from octshop_rt.im.answer.knowledge import FaqText, Knowledge
from octshop_rt.im.answer.model import MOST_FAQS, Faq, TooManyFaqs
from octshop_rt.im.answer.voicing import balance, says


class Taught(Struct, frozen=True):
    """What buyers made of one question: wordings they added, and wordings for which they doubt its answer."""

    added: list[str]
    doubted: list[str]


class Tending:
    """For managers."""

    def __init__(self, db: Database, ids: Ids, knowledge: Knowledge) -> None:
        self._db = db
        self._ids = ids
        self._knowledge = knowledge

    async def add(self, who: ShopStaff, texts: Sequence[FaqText]) -> int:
        """All of them or none; how many were new. A question that is there in these words stays as it is, so that the
        same file again adds nothing. TooManyFaqs, UnknownVariable.
        """
        rules.check_variables((words for one in texts for words in (one.zh, one.en)), self._knowledge.variables)
        wanted = {rules.normal(one.question): one for one in texts}
        added = 0

        async def work(tx: Transaction) -> None:
            nonlocal added
            await self._knowledge.touched(tx, who.shop_id)
            faqs = await store.faqs(tx, who.shop_id)
            known = {rules.normal(words) for one in faqs for words in (one.question, *one.similar)}
            fresh = [text for words, text in wanted.items() if words not in known]
            added = len(fresh)
            if len(faqs) + added > MOST_FAQS:
                raise TooManyFaqs(most=MOST_FAQS)
            if fresh:
                rows = [self._knowledge.faq_of(who, self._ids.new("Z"), text) for text in fresh]
                await store.add_faqs(tx, rows)

        await self._db.transact(work, unit="im")
        await self._knowledge.told(who.shop_id)
        return added

    async def taught(self, shop_id: str) -> dict[str, Taught]:
        """What buyers made of the shop's questions, by their ids."""
        found: dict[str, Taught] = {}
        for lesson in await store.lessons(self._db, shop_id):
            if said := says(balance(lesson)):
                taught = found.setdefault(lesson.faq_id, Taught([], []))
                (taught.added if said > 0 else taught.doubted).append(lesson.text)
        return found

    async def forget(self, who: ShopStaff, faq_id: str, text: str) -> Faq:
        """What buyers taught of this wording is no more; they may teach it again. NotFound."""

        async def work(tx: Transaction) -> None:
            if not await store.forget_lesson(tx, who.shop_id, faq_id, text):
                raise NotFound
            await self._knowledge.touched(tx, who.shop_id)

        await self._db.transact(work, unit="im")
        await self._knowledge.told(who.shop_id)
        row = await store.faq(self._db, who.shop_id, faq_id)
        if row is None:
            raise NotFound
        return row
