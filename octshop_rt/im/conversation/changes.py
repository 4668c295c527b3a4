"""Recall and edit: what was said changes in its own row, and an event under a new number tells all to look again.

Order of a change: a promise in the outbox, the row, the file, the event. Whatever a crash cuts off the promise brings
to its end, so a changed row always gets its event: those who were offline, or paging history, meet it in the log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from octshop_rt.core.clock import SECOND, Clock
from octshop_rt.core.mongo import Database, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import EntryChanged, FileDoubt
from octshop_rt.im.conversation import rules, store
from octshop_rt.im.conversation.contents import was_said
from octshop_rt.im.conversation.model import Conversation, EmptyMessage, Entry, NotEditable, NotYourEntry, Party
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.media.service import Media
from octshop_rt.im.wire.fields import Body

_PROMISED_MS = 5 * SECOND
_TRIES = 5

Forget = Callable[[Conversation, Entry], Awaitable[None]]


class Changes:
    """Changes of entries, and what must follow them."""

    def __init__(
        self, db: Database, clock: Clock, outbox: Outbox, conversations: Conversations, media: Media | None
    ) -> None:
        self._db = db
        self._clock = clock
        self._outbox = outbox
        self._conversations = conversations
        self._media = media
        self._forget: list[Forget] = []

    def on_recalled(self, forget: Forget) -> None:
        """`forget(conversation, entry)` takes recalled words out of copies that others keep: called before anybody is
        told, at least once, and once more some seconds later, for copies that were being made meanwhile.
        """
        self._forget.append(forget)

    async def recall(self, who: Party, c: str, s: int) -> None:
        """Take an entry back: its content is gone from the log and its file with it. Again: nothing more happens.

        NotYourEntry, TooLateToRecall (2 minutes for buyers, 10 for staff).
        """
        _, mine = await self._conversations.members.standing(who, c)
        entry = await store.entry(self._db, c, s)
        if entry is None:
            raise NotYourEntry
        if entry.rc is None:
            rules.may_recall(entry, who, mine, self._clock.now())
            await self._promise(c, s)
            entry = await store.empty(self._db, c, s, self._clock.now()) or await store.entry(self._db, c, s)
            assert entry is not None, "entries are never deleted"
        elif not rules.said_by(entry, who, mine):
            raise NotYourEntry
        await self._follow(entry)

    async def edit(self, who: Party, c: str, s: int, text: str) -> None:
        """Put another text into an entry of one's own, within 15 minutes. The same text again: nothing more happens.

        NotYourEntry, NotEditable, TooLateToEdit, EmptyMessage, and the guard's refusals.
        """
        conversation, mine = await self._conversations.members.standing(who, c)
        if not text.strip():
            raise EmptyMessage
        for _ in range(_TRIES):
            entry = await store.entry(self._db, c, s)
            if entry is None:
                raise NotYourEntry
            now = self._clock.now()
            rules.may_edit(entry, who, mine, now)
            if entry.vis is None:
                text = await self._conversations.worded(conversation, who, mine, text)
            if entry.b.text == text:
                return await self._follow(entry)
            await self._promise(c, s)
            # Always later than the last one, whatever this node's clock says: readers compare.
            edited = await store.rewrite(self._db, entry, text, max(now, (entry.ed or entry.ts) + 1))
            if edited is not None:
                return await self._follow(edited)
        raise NotEditable

    async def release(self, entry: Entry) -> None:
        """An entry is about to be wiped: its file goes with it, unless another entry shows it."""
        if entry.k in rules.MEDIA and self._media is not None:
            await self._media.release(entry.c, entry.f, entry.m)

    async def on_entry_changed(self, event: EntryChanged) -> None:
        """Due: bring a change to its end that a crash may have cut off."""
        entry = await store.entry(self._db, event.c, event.s)
        if entry is not None:
            await self._follow(entry)

    async def on_file_doubt(self, event: FileDoubt) -> None:
        """Due: a file that no standing entry shows goes."""
        if self._media is None:
            return

        async def said(c: str, f: str, m: str) -> bool:
            return await was_said(self._db, c, f, m)

        await self._media.on_file_doubt(event, said)

    async def _promise(self, c: str, s: int) -> None:
        async def work(tx: Transaction) -> None:
            await self._outbox.write(tx, EntryChanged(c=c, s=s), due_at=self._clock.now() + _PROMISED_MS)

        await self._db.transact(work)

    async def _follow(self, entry: Entry) -> None:
        """Everything that a changed row entails. Each part may be repeated."""
        at = entry.rc or entry.ed
        if at is None:
            return
        if entry.rc is not None:
            if entry.k in rules.MEDIA and self._media is not None:
                await self._media.release(entry.c, entry.f, entry.m)
            conversation = await store.conversation(self._db, entry.c)
            assert conversation is not None, "conversations are never deleted"
            for forget in self._forget:
                await forget(conversation, entry)
        what = "edited" if entry.rc is None else "recalled"
        m = f"{what}-{entry.s}-{at}"
        if await store.by_client_id(self._db, entry.c, "system", m) is None:
            body = Body(ev=what, s=entry.s, who=entry.f, at=at)
            await self._conversations.say(entry.c, fr="system", f="system", m=m, k="event", b=body, vis=entry.vis)
