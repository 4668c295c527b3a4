"""What members teach: their votes and choices make a wording one of the shop's, or let it doubt an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import structs

from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.clock import Clock, business_day
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, Transaction
from octshop_rt.im.answer import store
from octshop_rt.im.answer.knowledge import Knowledge
from octshop_rt.im.answer.model import Given, Lesson
from octshop_rt.im.answer.voicing import balance, has_spoken, heard, says, voice

Work = Callable[[Transaction], Awaitable[None]]
Place = Callable[[str, str], Awaitable[str]]


class Learning:
    """Guests teach nothing; a member has one voice a question and day, and `place(shop_id, person_id)` (a fingerprint
    of the address, or nothing) one voice for all behind it. The knowledge is read again only when a wording tips over.
    """

    def __init__(self, db: Database, clock: Clock, ids: Ids, knowledge: Knowledge, place: Place) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._knowledge = knowledge
        self._place = place

    async def chosen(self, who: Buyer, asked: Given, faq_id: str) -> None:
        """From what was offered for a wording the buyer took this question."""
        if not asked.text or who.guest:
            return
        said, tips = await self._voice(who, asked), list[bool]()

        async def work(tx: Transaction) -> None:
            tips[:] = [await self._teach(tx, said, asked, faq_id, good=True)]

        await self._run(work, asked.shop_id, tips)

    async def voted(self, who: Buyer, row: Given, *, helpful: bool) -> None:
        """Saying the same again changes nothing; another opinion replaces the first. It is counted whoever says it."""
        said, tips = await self._voice(who, row), list[bool]()

        async def work(tx: Transaction) -> None:
            tips[:] = [False]
            if not await store.set_vote(tx, row, helpful=helpful) or row.by != "faq" or not row.faq_ids:
                return
            faq_id = row.faq_ids[0]
            before = row.helpful
            up = (1 if helpful else 0) - (1 if before is True else 0)
            down = (0 if helpful else 1) - (1 if before is False else 0)
            await store.count_votes(tx, row.shop_id, faq_id, up, down)
            if row.text and not who.guest:
                tips[:] = [await self._teach(tx, said, row, faq_id, good=helpful)]

        await self._run(work, row.shop_id, tips)

    async def _run(self, work: Work, shop_id: str, tips: list[bool]) -> None:
        await self._db.transact(work, unit="im")
        if tips[0]:
            await self._knowledge.told(shop_id)

    async def _voice(self, who: Buyer, row: Given) -> str:
        place = "" if who.guest else await self._place(row.shop_id, who.person_id)
        return voice(who.person_id, place, business_day(self._clock.now()))

    async def _teach(self, tx: Transaction, said: str, row: Given, faq_id: str, *, good: bool) -> bool:
        """Whether it has just changed what the shop's knowledge says."""
        known = {one.text: one for one in await store.lessons_of(tx, row.shop_id, faq_id)}
        before = known.pop(row.text, None)
        if has_spoken(known.values(), said):
            return False
        fresh = Lesson(id=self._ids.new("Z"), shop_id=row.shop_id, faq_id=faq_id, text=row.text, at=0)
        after = structs.replace(heard(before or fresh, said, good=good), at=self._clock.now())
        await store.put_lesson(tx, after)
        tips = says(balance(before)) != says(balance(after))
        if tips:
            await self._knowledge.touched(tx, row.shop_id)
        return tips
