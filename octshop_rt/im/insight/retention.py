"""Every night: what a shop no longer wants to keep is wiped, unless the conversation is in dispute."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from octshop_rt.core.clock import DAY, HOUR, Clock, Millis, business_day, business_day_bounds
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import ChatNight
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.conversation.reading import Log
from octshop_rt.im.conversation.wiping import Wiper
from octshop_rt.im.desk.reading import CaseBook
from octshop_rt.im.insight import store
from octshop_rt.im.insight.model import Keeping, Trace
from octshop_rt.im.insight.reports import Reports
from octshop_rt.im.insight.words import HOLDERS

log = structlog.get_logger(__name__)

NIGHT_MS = 3 * HOUR + 30 * 60_000  # after midnight in Asia/Shanghai
_BATCH = 500
_PAGE = 200


class Retention:
    """`arrange` at every start: the night is due once, whoever asks for it. Hearing it again wipes nothing twice.

    `release(entry)` lets go of the file an entry shows.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        ids: Ids,
        outbox: Outbox,
        reports: Reports,
        release: Callable[[Entry], Awaitable[None]],
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._outbox = outbox
        self._reports = reports
        self._release = release
        self._log = Log(db)
        self._wiper = Wiper(db)
        self._cases = CaseBook(db)

    async def arrange(self) -> None:
        """The coming night's work is due, once in the house."""
        now = self._clock.now()
        day = business_day(now)
        due = business_day_bounds(day)[0] + NIGHT_MS
        if due <= now:
            day = business_day(now + DAY)
            due = business_day_bounds(day)[0] + NIGHT_MS

        async def work(tx: Transaction) -> None:
            await self._outbox.write(tx, ChatNight(day=day), due_at=due, event_id=f"chat-night-{day}")

        try:
            await self._db.transact(work)
        except DuplicateKey:
            log.debug("the night is arranged", day=day)

    async def on_chat_night(self, event: ChatNight) -> None:
        """Wipe at every shop that keeps for a while only, then arrange the next night."""
        for keeping in await store.all_keeping(self._db):
            await self.wipe_shop(keeping)
        await self.arrange()

    async def wipe_shop(self, keeping: Keeping) -> int:
        """What is older than the shop keeps, counted in whole business days; how many entries."""
        today = business_day_bounds(business_day(self._clock.now()))[0]
        before = today - keeping.days * DAY
        count = 0
        below: str | None = None
        while page := await self._log.of_shop(keeping.id, below, _PAGE):
            below = page[-1].id
            for conversation in page:
                count += await self._wipe(conversation.id, before)
        copies = await self._wipe_copies(keeping.id, before)
        await store.wiped(self._db, keeping.id, before)
        if count or copies:
            row = Trace(
                id=self._ids.new("Z"), shop_id=keeping.id, what="wipe", c=None, by="system", at=self._clock.now(),
                note=str(before), count=count,
            )  # fmt: skip
            await store.trace(self._db, row)
        return count

    async def _wipe(self, c: str, before: Millis) -> int:
        count = 0
        while old := await self._wiper.older(c, before, _BATCH):
            if await store.held(self._db, [c]):  # asked anew for every batch: a hold may come in the middle
                break
            if not count:
                await self._reports.keep([case async for case in self._cases.ended_of(c)])
            for entry in old:
                await self._release(entry)
            await store.drop_found(self._db, [entry.id for entry in old])
            count += await self._wiper.wipe(c, [entry.s for entry in old])
        return count

    async def _wipe_copies(self, shop_id: str, before: Millis) -> int:
        """What was said, wherever else it lies; how many rows have lost their words."""
        count = 0
        for holder in HOLDERS:
            while True:
                spared = await store.held_of(self._db, shop_id)  # asked anew for every batch, as above
                ids = await holder.found(self._db, shop_id, before, spared)
                gone = await holder.wipe(self._db, shop_id, before, ids) if ids else 0
                count += gone
                if not gone:  # nothing is left, or somebody else has just wiped it
                    break
        return count
