"""Keeps the inverted index of what was said. Fast by hearing, exact by reading the log behind a mark.

What this node appends is indexed within a second. Whatever that misses (a crash, a burst that was not waited for) the
sweep finds: one node at a time reads the log in the order of writing from a stored mark on, a little before it again,
and adds what is not there. After it has passed, everything before the mark is in the index, whatever happened.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog

from octshop_rt.core.clock import SECOND, Clock, Millis, monotonic_ms
from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Database
from octshop_rt.core.tasks import end
from octshop_rt.im.conversation.model import Conversation, Entry
from octshop_rt.im.conversation.reading import Log, earliest_id
from octshop_rt.im.insight import store, wording
from octshop_rt.im.insight.model import Found

log = structlog.get_logger(__name__)

SWEEP_S = 30
OVERLAP_MS = 30 * SECOND  # a write takes five seconds at most, clocks differ by five
_TURN_MS = 60 * SECOND
_GATHER_S = 0.3
_PAGE = 500
_MOST_HEARD = 5_000
_CHANGES = frozenset({"recalled", "edited"})


class Indexer:
    """Runs in every node. `hear` is given to Conversations.on_said."""

    def __init__(self, db: Database, clock: Clock, owner: str) -> None:
        self._db = db
        self._clock = clock
        self._owner = owner
        self._log = Log(db)
        self._heard: deque[tuple[Conversation, Entry]] = deque()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Index from now on."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="search index")

    async def stop(self) -> None:
        """Write what was heard, then hear no more."""
        if self._task is not None:
            await end(self._task)
            self._task = None
        try:
            await self.flush()
        except DomainError as fault:
            log.info("the index is behind; the sweep catches up", fault=str(fault))

    def hear(self, conversation: Conversation, entry: Entry) -> None:
        """Something was said. In a burst the sweep takes what finds no room here."""
        if len(self._heard) < _MOST_HEARD and (entry.k != "void"):
            self._heard.append((conversation, entry))
            self._woken.set()

    async def forget(self, conversation: Conversation, entry: Entry) -> None:
        """Recalled: its words go before anybody is told, also those that still wait here."""
        self._heard = deque(one for one in self._heard if one[1].id != entry.id)
        await store.drop_found(self._db, [entry.id])

    async def flush(self) -> None:
        """Index what was heard."""
        while self._heard:
            started = monotonic_ms()
            part = [self._heard.popleft() for _ in range(min(len(self._heard), _PAGE))]
            rows = await asyncio.to_thread(_rows, part)
            await store.add_found(self._db, rows)
            for _, entry in part:
                await self._follow(entry)
            if self._heard:  # a burst: the index takes half of one task's time, chat comes first
                await asyncio.sleep((monotonic_ms() - started) / 1_000)

    async def sweep(self) -> int:
        """Bring the index up to the log if it is our turn; how many entries were missing in it."""
        now = self._clock.now()
        mark = await store.take_turn(self._db, self._owner, now, now + _TURN_MS)
        if mark is None:
            return 0
        at = earliest_id(max(0, _made_at(mark.upto) - OVERLAP_MS)) if mark.upto else ""
        added = 0
        while page := await self._log.after(at, _PAGE):
            started = monotonic_ms()
            added += await self._check(page)
            at = page[-1].id
            await store.advance(self._db, self._owner, at)
            if len(page) < _PAGE:
                break
            now = self._clock.now()
            if await store.take_turn(self._db, self._owner, now, now + _TURN_MS) is None:
                break
            await asyncio.sleep((monotonic_ms() - started) / 1_000)  # half of the time is other people's
        return added

    async def again(self, c: str, s: int) -> None:
        """An entry reads otherwise than before: index it as it is now."""
        found = await self._log.page(c, s, s, 1)
        conversation = await self._log.conversation(c)
        if not found or conversation is None:
            return
        row = wording.row(conversation, found[0])
        if row is None:
            await store.drop_found(self._db, [found[0].id])
        else:
            await store.put_found(self._db, row)

    async def _check(self, page: Sequence[Entry]) -> int:
        conversations = await self._log.conversations(sorted({entry.c for entry in page}))
        pairs = [(conversations[entry.c], entry) for entry in page if entry.c in conversations]
        rows = await asyncio.to_thread(_rows, pairs)
        have = {row.id for row in await store.found(self._db, [row.id for row in rows])}
        missing = [row for row in rows if row.id not in have]
        await store.add_found(self._db, missing)
        for entry in page:
            await self._follow(entry)
        return len(missing)

    async def _follow(self, entry: Entry) -> None:
        """A recall or an edit stands in the log as an event about another number."""
        if entry.k == "event" and entry.b.ev in _CHANGES and entry.b.s is not None:
            await self.again(entry.c, entry.b.s)

    async def _run(self) -> None:
        swept_at = 0
        while True:
            try:
                await asyncio.wait_for(self._woken.wait(), 1)
                await asyncio.sleep(_GATHER_S)
            except TimeoutError:
                pass
            self._woken.clear()
            try:
                await self.flush()
                if not swept_at or monotonic_ms() - swept_at > SWEEP_S * 1_000:
                    await self.sweep()
                    swept_at = monotonic_ms()
            except DomainError as fault:
                log.warning("the index waits for the database", fault=str(fault))
            except Exception:
                log.exception("the index stumbled; the sweep goes over it again")
                swept_at = monotonic_ms()


def _rows(pairs: Sequence[tuple[Conversation, Entry]]) -> list[Found]:
    return [row for conversation, entry in pairs if (row := wording.row(conversation, entry)) is not None]


_DIGITS = {digit: number for number, digit in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}


def _made_at(entry_id: str) -> Millis:
    """The time in an id."""
    moment = 0
    for digit in entry_id[1:11]:
        moment = moment * 32 + _DIGITS[digit]
    return moment
