"""What buyers teach: their votes and choices make a wording one of the shop's, or let it doubt an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from octshop_rt.core.clock import Clock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, Transaction
from octshop_rt.im.answer import store
from octshop_rt.im.answer.knowledge import Knowledge
from octshop_rt.im.answer.matching import says, voices
from octshop_rt.im.answer.model import Given, Lesson

Work = Callable[[Transaction], Awaitable[None]]


class Learning:
    """One voice per buyer, wording and question; the knowledge is read again only when a wording tips over."""

    def __init__(self, db: Database, clock: Clock, ids: Ids, knowledge: Knowledge) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._knowledge = knowledge

    async def chosen(self, asked: Given, faq_id: str) -> None:
        """From what was offered for a wording the buyer took this question."""
        if not asked.text:
            return
        tips: list[bool] = []

        async def work(tx: Transaction) -> None:
            tips[:] = [await self._teach(tx, asked, faq_id, good=True)]

        await self._run(work, asked.shop_id, tips)

    async def voted(self, row: Given, *, helpful: bool) -> None:
        """Saying the same again changes nothing; another opinion replaces the first."""
        tips: list[bool] = []

        async def work(tx: Transaction) -> None:
            tips[:] = [False]
            if not await store.set_vote(tx, row, helpful=helpful) or row.by != "faq" or not row.faq_ids:
                return
            faq_id = row.faq_ids[0]
            before = row.helpful
            up = (1 if helpful else 0) - (1 if before is True else 0)
            down = (0 if helpful else 1) - (1 if before is False else 0)
            await store.count_votes(tx, row.shop_id, faq_id, up, down)
            if row.text:
                tips[:] = [await self._teach(tx, row, faq_id, good=helpful)]

        await self._run(work, row.shop_id, tips)

    async def _run(self, work: Work, shop_id: str, tips: list[bool]) -> None:
        await self._db.transact(work, unit="im")
        if tips[0]:
            await self._knowledge.told(shop_id)

    async def _teach(self, tx: Transaction, row: Given, faq_id: str, *, good: bool) -> bool:
        """Whether it has just changed what the shop's knowledge says."""
        voice = (row.buyer_id,)
        lesson = Lesson(
            id=self._ids.new("Z"), shop_id=row.shop_id, faq_id=faq_id, text=row.text, at=self._clock.now(),
            good=voice if good else (), bad=() if good else voice,
        )  # fmt: skip
        before = says(voices(await store.lesson(tx, row.shop_id, faq_id, row.text)))
        await store.teach(tx, lesson, good=good)
        after = says(voices(await store.lesson(tx, row.shop_id, faq_id, row.text)))
        tips = before != after
        if tips:
            await self._knowledge.touched(tx, row.shop_id)
        return tips
