"""Sends what the outbox holds: in the order of each conversation, the same id for every try, a window per socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from octshop_rt.core.clock import monotonic_ms
from octshop_rt.im.client.link import FrameRefused, Link
from octshop_rt.im.client.outbox import Outbox, Unsent
from octshop_rt.im.wire.incoming import Send
from octshop_rt.im.wire.outgoing import Ent, Err, Sent

_ANSWER_MS = 5_000
_LEAST_WAIT_MS = 300


class _Promise:
    """One unsent message: when it was last tried, on which link, and when it may be tried again."""

    __slots__ = ("done", "link", "not_before", "tried_at", "unsent")

    def __init__(self, unsent: Unsent) -> None:
        self.unsent = unsent
        self.done: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        self.done.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be waiting
        self.link: Link | None = None
        self.tried_at = 0
        self.not_before = 0


class Sender:
    """`put` promises; `answered`, `refused` and `landed` keep the promise. `remind` is called now and then."""

    def __init__(self, outbox: Outbox, link: Callable[[], Link | None], numbered: Callable[[Ent], None]) -> None:
        self._outbox = outbox
        self._link = link
        self._numbered = numbered
        self._waking = False
        self.unsent: dict[str, _Promise] = {unsent.m: _Promise(unsent) for unsent in outbox.all()}

    async def put(self, unsent: Unsent) -> Sent:
        """Keep it, try it, and wait for its number. FrameRefused when it is refused for good."""
        promise = self.unsent.get(unsent.m)
        if promise is None:
            self._outbox.put(unsent)
            promise = self.unsent[unsent.m] = _Promise(unsent)
            self._wake()
        return await asyncio.shield(promise.done)

    def resume(self) -> None:
        """There is a new socket: everything goes again, oldest first."""
        for promise in self.unsent.values():
            promise.link = None
            promise.not_before = 0
        self._wake()

    def remind(self) -> None:
        """What had no answer in five seconds goes again."""
        now = monotonic_ms()
        for promise in self.unsent.values():
            if promise.link is not None and now - promise.tried_at > _ANSWER_MS:
                promise.link = None
        self._wake()

    def answered(self, sent: Sent) -> None:
        """It has its number."""
        promise = self.unsent.pop(sent.m, None)
        if promise is None:
            return
        self._outbox.remove(sent.m)
        link, unsent = self._link(), promise.unsent
        if not promise.done.done():
            promise.done.set_result(sent)
        if link is not None and link.welcome is not None:
            mine = link.welcome
            self._numbered(
                Ent(
                    c=sent.c, s=sent.s, id="", f=mine.uid, fr=mine.role, m=sent.m, k=unsent.k, b=unsent.b, ts=sent.ts,
                    re=unsent.re,
                )
            )  # fmt: skip
        self._wake()

    def landed(self, ent: Ent) -> None:
        """Seen in the log: the answer was lost, the message was not."""
        if ent.m in self.unsent:
            self.answered(Sent(i=0, c=ent.c, m=ent.m, s=ent.s, ts=ent.ts, dup=True))

    def refused(self, err: Err) -> None:
        """Again after a moment, or never."""
        promise = self.unsent.get(err.m or "")
        if promise is None:
            return
        if err.retry:
            promise.link = None
            promise.not_before = monotonic_ms() + max(_LEAST_WAIT_MS, err.after or 0)
            asyncio.get_running_loop().call_later(max(_LEAST_WAIT_MS, err.after or 0) / 1000, self._wake)
            return
        del self.unsent[promise.unsent.m]
        self._outbox.remove(promise.unsent.m)
        if not promise.done.done():
            promise.done.set_exception(FrameRefused(err))
        self._wake()

    def give_up(self, why: Exception) -> None:
        """Nobody will send these from here; they stay in the outbox."""
        for promise in self.unsent.values():
            if not promise.done.done():
                promise.done.set_exception(why)

    def close(self) -> None:
        """Let go of the outbox."""
        for promise in self.unsent.values():
            promise.done.cancel()
        self._outbox.close()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Messages put in one turn of the loop travel together."""
        if not self._waking:
            self._waking = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._waking = False
        link = self._link()
        if link is None or link.welcome is None or link.over.done():
            return
        now = monotonic_ms()
        room = link.welcome.lim.window - sum(promise.link is link for promise in self.unsent.values())
        before: dict[str, str] = {}  # {conversation: the message that must come first}
        held: set[str] = set()  # conversations whose oldest message has to wait
        for m, promise in self.unsent.items():
            unsent = promise.unsent
            if promise.link is not link and unsent.c not in held:
                if promise.not_before > now or room <= 0:
                    held.add(unsent.c)
                    continue
                room -= 1
                promise.link, promise.tried_at = link, now
                link.send(
                    Send(
                        i=link.number(), c=unsent.c, m=m, k=unsent.k, b=unsent.b, re=unsent.re, p=before.get(unsent.c)
                    )
                )  # fmt: skip
            before[unsent.c] = m
