"""Finds what was said to people who are away and have not read it, and owes each of their devices one push for it.

Every node looks every second. A word begins a spell (found in the log, so a crash makes it late, not lost); a spell
becomes a push by one conditional update in the transaction that writes the events, so two nodes tell once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import structlog

from octshop_rt.core.clock import SECOND, Clock, Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.core.tasks import end
from octshop_rt.events import PushDue
from octshop_rt.im.conversation.hindsight import Hindsight, Spoken
from octshop_rt.im.conversation.model import Conversation
from octshop_rt.im.push import rules, store
from octshop_rt.im.push.facts import Facts
from octshop_rt.im.push.model import Spell, Subscription
from octshop_rt.im.wire.fields import Side

log = structlog.get_logger(__name__)

_EVERY_S = 1.0
_BATCH = 200
_SEARCH_MS = 3 * SECOND
_BACK_MS = 15 * SECOND  # a write may take five seconds, clocks may differ by five; the rest is caution
_MOST_STAFF = 50

Answering = Callable[[str], Awaitable[Sequence[str]]]


class Watch:
    """Runs in every node. `answering(shop_id)` names the people who may answer chats there."""

    def __init__(
        self, db: Database, clock: Clock, outbox: Outbox, facts: Facts, answering: Answering, grace_ms: int
    ) -> None:
        self._db = db
        self._clock = clock
        self._outbox = outbox
        self._facts = facts
        self._answering = answering
        self._grace_ms = grace_ms
        self._hindsight = Hindsight(db)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="push watch")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            await end(self._task)
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)  # first: by then this node has heard who is on the others
            for part in (self.search, self.look):
                try:
                    await part()
                except DomainError as fault:
                    log.info("push waits for the database", fault=str(fault))
                except Exception:
                    log.exception("a look for unread words failed")

    # --- words begin spells -------------------------------------------------------------------------------------------

    async def search(self) -> None:
        """Read the newest of the log; one node at a time, none of them needed."""
        now = self._clock.now()
        mark = await store.take_turn(self._db, now, _SEARCH_MS)
        if mark is None:
            return
        spoken = await self._hindsight.spoken(max(0, mark.until - _BACK_MS), now + 1)
        for first in range(0, len(spoken), _BATCH):
            part = spoken[first : first + _BATCH]
            await self._hear(part, await self._hindsight.conversations([one.c for one in part]))
        await store.searched(self._db, now)

    async def _hear(self, spoken: list[Spoken], conversations: dict[str, Conversation]) -> None:
        fresh = [row for one in spoken if one.c in conversations for row in self._begun(one, conversations[one.c])]
        seen = await store.spells(self._db, [row.id for row in fresh])
        for row in fresh:
            before = seen.get(row.id)
            after = rules.heard(before, row)
            if after is None:
                continue
            if before is not None:
                await store.move(self._db, before, after)  # moved meanwhile: the next search hears it again
                continue
            with contextlib.suppress(DuplicateKey):
                await store.begin(self._db, after)

    def _begun(self, one: Spoken, of: Conversation) -> list[Spell]:
        """A spell for the side that was spoken to last; whoever spoke after has read. Its first look is a grace later:
        most words are read by then, and cost no question.
        """
        now = self._clock.now()
        rows: list[Spell] = []
        sides: tuple[tuple[Side, int, Millis, int], ...] = (
            ("buyer", one.staff_s, one.staff_at, one.buyer_s),
            ("staff", one.buyer_s, one.buyer_at, one.staff_s),
        )
        for side, s, at, answered in sides:
            if s > answered:
                rows.append(
                    Spell(
                        id=f"{one.c}:{side}",
                        c=one.c,
                        side=side,
                        shop_id=of.shop_id,
                        buyer_id=of.buyer_id,
                        s=s,
                        at=at,
                        state="waiting",
                        due_at=now + self._grace_ms,
                        away_at=None if self._facts.listens(side, of) else now,
                    )
                )
        return rows

    # --- spells become pushes -----------------------------------------------------------------------------------------

    async def look(self) -> int:
        """Decide on every spell that is due; how many were told of."""
        told = 0
        for spell in await store.due(self._db, self._clock.now(), _BATCH):
            try:
                told += await self._due(spell)
            except DomainError as fault:
                log.info("a spell waits", spell=spell.id, fault=str(fault))
        return told

    async def _due(self, spell: Spell) -> bool:
        audience = await self._facts.audience(spell)
        standing = await self._facts.standing(spell, audience.people)
        now = self._clock.now()
        there = audience.there or audience.waits
        what = rules.step(spell, standing, there=there, at=now, grace_ms=self._grace_ms)
        if audience.over:
            what = "settle"
        to: list[Subscription] = []
        if what == "push":
            side, people = spell.side, audience.people
            people = await self._answering(spell.shop_id) if people is None else people
            to = await store.of_people(self._db, people[:_MOST_STAFF], side)
            what = "push" if to else "settle"  # nobody has asked to be woken
        after = rules.after(spell, what, at=now, grace_ms=self._grace_ms)

        async def work(tx: Transaction) -> bool:
            if not await store.move(tx, spell, after):
                return False
            for one in to:
                await self._outbox.write(tx, PushDue(spell_id=spell.id, subscription_id=one.id, s=after.told_s))
            return bool(to)

        if to:
            return await self._db.transact(work)
        await store.move(self._db, spell, after)
        return False
