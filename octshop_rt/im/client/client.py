"""The client itself: stays connected, catches up, shows every entry once, in order, and sends each message once."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Self

import structlog

from octshop_rt.core.clock import monotonic_ms
from octshop_rt.im.client.link import FrameRefused, Link, LinkEnded
from octshop_rt.im.client.outbox import Outbox, Unsent
from octshop_rt.im.client.sender import Sender
from octshop_rt.im.client.track import Track
from octshop_rt.im.wire.closing import Close
from octshop_rt.im.wire.codec import Encoding
from octshop_rt.im.wire.fields import MOST_HEADS, Body, Context, SayKind
from octshop_rt.im.wire.incoming import Ack, Auth, Hello, Op, OpArgs, Pull, Read, Sync
from octshop_rt.im.wire.outgoing import Cur, Ent, Err, Gap, Goaway, Outgoing, Ping, Pulled, Res, Sent, SyncedPage

log = structlog.get_logger(__name__)

Ticket = Callable[[], Awaitable[str]]

_FINAL = frozenset(int(code) for code in Close if code.stop)
_HOLE_S = 0.3  # another node's push may be a little late
_TEND_S = 1.0
_MOST_UNACKED = 20
_HISTORY = 20
_MOST_TRIES = 8  # 500 ms × 2^6 is the longest wait


class Stopped(Exception):
    """The server will not let this client in again by itself: signed out, replaced, closed. A person has to act."""


class ImClient:
    """One person on one device. `on_entry` hears every entry once, in the order of its conversation; `on_frame` hears
    what else arrives (cursors, typing, notices), `on_change` an entry as it reads once edited or recalled. None may
    wait.

    `ticket` fetches a one-time ticket (POST …/ws-ticket); it raises Stopped when the person is signed out. With an
    `outbox` on disk, messages survive a crash.
    """

    def __init__(
        self,
        url: str,
        *,
        ticket: Ticket,
        device: str,
        on_entry: Callable[[Ent], None] = lambda _: None,
        on_frame: Callable[[Outgoing], None] = lambda _: None,
        on_change: Callable[[Ent], None] = lambda _: None,
        outbox: Outbox | None = None,
        encoding: Encoding = Encoding.MSGPACK,
        lang: str = "zh-CN",
        longest_wait_s: float = 30.0,
    ) -> None:
        self._url = url
        self._ticket = ticket
        self._device = device
        self._on_entry = on_entry
        self._on_frame = on_frame
        self._on_change = on_change
        self._encoding = encoding
        self._lang = lang
        self._longest_wait_s = longest_wait_s
        self._resume = ""
        self._link: Link | None = None
        self._online = asyncio.Event()
        self._stopped: Stopped | None = None
        self._sender = Sender(outbox or Outbox(), lambda: self._link, self._numbered)
        self._filling: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._life: asyncio.Task[None] | None = None
        self.tracks: dict[str, Track] = {}
        self.reconnects = 0

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Connect, and stay connected until `stop`."""
        self._life = asyncio.create_task(self._live())

    async def stop(self) -> None:
        """Leave. What is unsent stays in the outbox."""
        for task in [self._life, *self._tasks]:
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
        if self._link is not None:
            await self._link.close()
        self._sender.close()

    async def online(self, seconds: float = 30) -> None:
        """Wait for a welcomed socket that has caught up. Stopped or TimeoutError."""
        async with asyncio.timeout(seconds):
            await self._online.wait()
        if self._stopped is not None:
            raise self._stopped

    # --- what a person does -------------------------------------------------------------------------------------------

    async def open(self, shop_id: str, ctx: Context | None = None) -> str:
        """The conversation with a shop, made if need be."""
        answer: Res = await self._ask(lambda i: Op(i=i, op="open", a=OpArgs(shop_id=shop_id, ctx=ctx)))
        assert answer.d.c is not None
        await self._learn(answer.d.c)
        return answer.d.c

    async def say(self, c: str, text: str) -> int:
        """Send a text; its number once a majority has it on disk. FrameRefused if it is refused for good."""
        return await self.put(c, "text", Body(text=text))

    async def recall(self, c: str, s: int) -> None:
        """Take back what one has said; FrameRefused when it is too late."""
        await self._ask(lambda i: Op(i=i, op="recall", c=c, a=OpArgs(s=s)))

    async def edit(self, c: str, s: int, text: str) -> None:
        """Put other words in its place; FrameRefused when it is too late."""
        await self._ask(lambda i: Op(i=i, op="edit", c=c, a=OpArgs(s=s, text=text)))

    async def put(self, c: str, k: SayKind, b: Body, *, m: str | None = None, re: int | None = None) -> int:
        """Any message. It is in the outbox before the first try and goes on its way as soon as there is a socket."""
        sent = await self._sender.put(Unsent(m=m or secrets.token_hex(12), c=c, k=k, b=b, re=re))
        return sent.s

    def read(self, c: str, s: int) -> None:
        """Everything up to `s` has been seen. Told now, or as soon as there is a socket that takes it."""
        track = self._track(c)
        track.read = max(s, track.read)
        self._mark()

    def waiting(self) -> int:
        """Messages without a number."""
        return len(self._sender.unsent)

    # --- the socket's life --------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        tries = refused = 0
        self._spawn(self._tend())
        while True:
            began = monotonic_ms()
            code = await self._once(None)
            if monotonic_ms() - began > 60_000:
                tries = 0
            if code == Close.AUTH_FAILED and refused < 2:
                refused += 1  # the resume token or the ticket aged on its way
                self._resume = ""
                await asyncio.sleep(0.1)
                continue
            if code in _FINAL:
                self._stopped = Stopped(Close(code).name.lower())
                self._sender.give_up(self._stopped)
                self._online.set()
                return
            refused = 0
            least = 60.0 if code == Close.RATE_ABUSE else 0.1
            wait = 0.0 if code == Close.GOING_AWAY else random.random() * min(self._longest_wait_s, 0.5 * 2**tries)  # noqa: S311
            tries = min(tries + 1, _MOST_TRIES)
            await asyncio.sleep(least + wait)
            self.reconnects += 1

    async def _once(self, old: Link | None) -> int:
        """One socket until it ends; its close code. `old` is left once the new one has caught up."""
        try:
            hello = Hello(
                v=1, tok=self._resume or await self._ticket(), dev=self._device, plat="python", lang=self._lang
            )
            link = await Link.opened(self._url, self._encoding, hello, self._heard)
        except LinkEnded as end:
            return end.code
        except Stopped:
            return Close.AUTH_FAILED
        except Exception as fault:  # noqa: BLE001  (the ticket's fetcher is the caller's: whatever it was, try again)
            log.warning("no ticket", fault=repr(fault))
            return 1006
        assert link.welcome is not None
        self._link = link
        self._resume = link.welcome.tok or ""
        try:
            await self._caught_up(link)
            if old is not None:
                await old.close()
        except (LinkEnded, FrameRefused, TimeoutError):
            await link.close()
        code = await link.ended()
        if self._link is link:
            self._link = None
            self._online.clear()
        return code

    async def _caught_up(self, link: Link) -> None:
        await self._sync(link)
        self._sender.resume()
        self._online.set()

    async def _move(self, goaway: Goaway, old: Link) -> None:
        """Make before break: the new socket catches up while the old one still serves."""
        await asyncio.sleep(goaway.after / 1000)
        if self._link is not old:
            return
        if self._life is not None:
            self._life.cancel()
        self._life = asyncio.create_task(self._moved(old))

    async def _moved(self, old: Link) -> None:
        await self._once(old)
        await self._live()

    # --- what arrives -------------------------------------------------------------------------------------------------

    def _heard(self, link: Link, frame: Outgoing) -> None:
        match frame:
            case Ent():
                self._take(frame.c, [frame])
            case Gap():
                for c, head in frame.heads.items():
                    self._track(c).hear(head)
                    self._mind(c)
            case Ping() if frame.uh > link.received:
                link.received = frame.uh
                self._spawn(self._again(link))
            case Goaway():
                self._spawn(self._move(frame, link))
            case Sent():
                self._sender.answered(frame)
            case Err() if frame.m is not None:
                self._sender.refused(frame)
            case Err() if frame.code == "im.token_expiring":
                self._spawn(self._renew(link))
            case Err() if frame.i is None and frame.retry and frame.c in self.tracks:
                self.tracks[frame.c].marked = 0  # a READ perhaps: told again at the next turn
            case Cur() | _:
                self._on_frame(frame)

    def _numbered(self, ent: Ent) -> None:
        """Our own message has its number: it stands in the log like any other."""
        self._take(ent.c, [ent])

    def _take(self, c: str, ents: list[Ent]) -> None:
        self._show(c, self._track(c).take(ents))
        self._mind(c)

    def _show(self, c: str, ready: list[Ent]) -> None:
        for ent in ready:
            self._sender.landed(ent)
            self._on_entry(ent)
            if ent.k == "event" and ent.b.ev in {"edited", "recalled"} and ent.b.s is not None:
                self._spawn(self._reread(c, ent.b.s))
        track = self.tracks[c]
        if ready and track.shown is not None and track.shown - track.acked >= _MOST_UNACKED:
            self._ack()

    def _track(self, c: str) -> Track:
        return self.tracks.setdefault(c, Track())

    # --- catching up --------------------------------------------------------------------------------------------------

    async def _sync(self, link: Link) -> None:
        heads = {c: track.shown for c, track in self.tracks.items() if track.shown is not None}
        told = dict(list(heads.items())[-MOST_HEADS:])
        cur: str | None = None
        while True:
            i = link.number()
            page: SyncedPage = await link.ask(Sync(i=i, heads=told, cur=cur, per=_HISTORY), i)
            for one in page.convs:
                track = self._track(one.c)
                track.marked = one.read
                self._show(one.c, track.begin(one.ents, one.head))
                self._mind(one.c)
            for c in page.gone:
                self.tracks.pop(c, None)
            if page.done:
                break
            cur = page.cur
        self._mark()

    async def _again(self, link: Link) -> None:
        with contextlib.suppress(LinkEnded, FrameRefused, TimeoutError):
            await self._sync(link)

    def _mind(self, c: str) -> None:
        """A conversation without a beginning, or with a hole, is asked about in a moment, once at a time."""
        track = self.tracks[c]
        if c not in self._filling and (track.shown is None or track.hole() is not None):
            self._filling.add(c)
            self._spawn(self._fill(c))

    async def _fill(self, c: str) -> None:
        try:
            await asyncio.sleep(_HOLE_S)
            while (track := self.tracks.get(c)) is not None and self._link is not None:
                link, hole, i = self._link, track.hole(), self._link.number()
                if track.shown is None:
                    frame = Pull(i=i, c=c, n=_HISTORY, rev=True)
                elif hole is not None:
                    frame = Pull(i=i, c=c, from_=hole[0], to=hole[1], n=200)
                else:
                    return
                page: Pulled = await link.ask(frame, i)
                self._show(c, track.begin(page.ents, page.head))
                if not page.ents and track.hole() is not None:
                    await asyncio.sleep(_HOLE_S * 4)  # a number that is still on its way to the majority
        except (LinkEnded, TimeoutError):
            return  # the next SYNC finds it
        except FrameRefused as refusal:
            if not refusal.retry:
                self.tracks.pop(c, None)
        finally:
            self._filling.discard(c)

    async def _learn(self, c: str) -> None:
        if self._track(c).shown is None:
            page: Pulled = await self._ask(lambda i: Pull(i=i, c=c, n=_HISTORY, rev=True))
            self._show(c, self._track(c).begin(page.ents, page.head))

    async def _reread(self, c: str, s: int) -> None:
        """An entry was edited or recalled: how it reads now."""
        page: Pulled = await self._ask(lambda i: Pull(i=i, c=c, from_=s, to=s))
        for ent in page.ents:
            self._on_change(ent)

    async def _renew(self, link: Link) -> None:
        """The session is about to end: prove oneself anew in place. If that fails, the usual way back applies."""
        try:
            i = link.number()
            renewed: Res = await link.ask(Auth(i=i, tok=await self._ticket()), i)
        except Exception as fault:  # noqa: BLE001  (the ticket's fetcher is the caller's)
            log.warning("not renewed", fault=repr(fault))
        else:
            if link is self._link:
                self._resume = renewed.d.tok or self._resume

    # --- now and then -------------------------------------------------------------------------------------------------

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(_TEND_S)
            self._ack()
            self._mark()
            self._sender.remind()
            for c in list(self.tracks):
                self._mind(c)

    def _ack(self) -> None:
        if self._link is None:
            return
        news = {c: track.shown for c, track in self.tracks.items() if (track.shown or 0) > track.acked}
        heads = {c: shown for c, shown in list(news.items())[:MOST_HEADS] if shown is not None}
        if heads:
            self._link.send(Ack(d=heads))
            for c, shown in heads.items():
                self.tracks[c].acked = shown

    def _mark(self) -> None:
        if self._link is None:
            return
        for c, track in self.tracks.items():
            if track.read > track.marked:
                self._link.send(Read(c=c, s=track.read))
                track.marked = track.read

    async def _ask(self, frame: Callable[[int], Any]) -> Any:
        """Ask on whatever socket there is, again after a cut, until it is answered or refused."""
        while True:
            await self.online()
            link = self._link
            if link is None:
                continue
            i = link.number()
            try:
                return await link.ask(frame(i), i)
            except FrameRefused as refusal:
                if not refusal.retry:
                    raise
                await asyncio.sleep(max(0.3, refusal.after_ms / 1000))
            except (LinkEnded, TimeoutError):
                await asyncio.sleep(0.1)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
