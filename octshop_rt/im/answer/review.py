"""Puts words that somebody should look at on the shop's review list, after they were said: off the way of the word."""

from __future__ import annotations

import asyncio

import structlog

from octshop_rt.core.clock import MINUTE, Clock, Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.tasks import end
from octshop_rt.im.conversation.guarding import saying
from octshop_rt.im.conversation.model import Conversation, Entry
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.guard.service import Guard

log = structlog.get_logger(__name__)

_MOST_WAITING = 20_000
_BACK_MS = 10 * MINUTE  # how far a start looks back for what the last stop may have left


class Reviewer:
    """One per node; hears every word. The list holds an entry once, however many nodes have heard it."""

    def __init__(self, clock: Clock, conversations: Conversations, guard: Guard) -> None:
        self._clock = clock
        self._conversations = conversations
        self._guard = guard
        self._heard: asyncio.Queue[tuple[Conversation, Entry]] = asyncio.Queue(_MOST_WAITING)
        self._again: Millis | None = None  # look back to here: words were heard faster than they were looked at
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look at what was said lately, then at what is said."""
        self._again = self._clock.now() - _BACK_MS
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """What was not looked at is, after the next start."""
        if self._task is not None:
            await end(self._task)

    def hear(self, conversation: Conversation, entry: Entry) -> None:
        """For Conversations.on_said: never waits."""
        spoken = entry.fr in {"buyer", "staff"} and entry.k not in {"event", "void"}
        if entry.vis is None and (spoken or entry.b.ev == "edited"):
            try:
                self._heard.put_nowait((conversation, entry))
            except asyncio.QueueFull:
                self._again = min(entry.ts, self._again or entry.ts)

    async def _run(self) -> None:
        while True:
            if self._again is not None:
                moment, self._again = self._again, None
                try:
                    async for conversation, entry in self._conversations.written_since(moment):
                        await self.look(conversation, entry)
                except DomainError as fault:
                    log.warning("words of before were not looked at", fault=str(fault))
            conversation, entry = await self._heard.get()
            try:
                await self.look(conversation, entry)
            except DomainError as fault:
                self._again = min(entry.ts, self._again or entry.ts)
                log.warning("a word was not looked at, it will be", fault=str(fault))

    async def look(self, conversation: Conversation, entry: Entry) -> bool:
        """Whether it, or what it says was edited, belongs on the list; then it is there."""
        if entry.k == "event" and entry.b.ev == "edited" and entry.b.s:
            edited = await self._conversations.entry(entry.c, entry.b.s)
            return edited is not None and edited.k != "event" and await self.look(conversation, edited)
        if entry.fr not in {"buyer", "staff"} or entry.vis is not None or entry.rc is not None:
            return False
        side = "buyer" if entry.fr == "buyer" else "staff"
        return await self._guard.review(saying(conversation, entry.f, side, entry.b), entry.s, entry.ts, entry.ed or 0)
