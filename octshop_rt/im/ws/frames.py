"""What each frame of a greeted connection does. Every frame is limited by the session and asks who may."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from octshop_rt.core.clock import monotonic_ms
from octshop_rt.core.errors import DomainError
from octshop_rt.core.tasks import TaskRegistry
from octshop_rt.im.conversation.changes import Changes
from octshop_rt.im.conversation.model import Appended, Party
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.hub import Hub
from octshop_rt.im.routing import watch_room
from octshop_rt.im.session import Closing
from octshop_rt.im.wire.closing import Close
from octshop_rt.im.wire.codec import BadFrame, BrokenProtocol, decode
from octshop_rt.im.wire.fields import Topic
from octshop_rt.im.wire.incoming import Ack, Auth, Incoming, Op, Pong, Pull, Read, Send, Signal, Sub, Sync
from octshop_rt.im.wire.outgoing import Res, ResData, Sent
from octshop_rt.im.ws.connection import Connection
from octshop_rt.im.ws.refusals import BadField, InternalFault, NotYours, SignedOut, TooMuchWatched, err

log = structlog.get_logger(__name__)

MayWatch = Callable[[Party, Topic, str], Awaitable[bool]]
Renew = Callable[[Connection, str], Awaitable[ResData | None]]

_MOST_WATCHED = 200


class Frames:
    """Acts on frames. SENDs are queued in the order of arrival and answered when stored; the others one by one."""

    def __init__(
        self,
        conversations: Conversations,
        changes: Changes,
        hub: Hub,
        tasks: TaskRegistry,
        may_watch: MayWatch,
        renew: Renew,
    ) -> None:
        self._conversations = conversations
        self._changes = changes
        self._hub = hub
        self._tasks = tasks
        self._may_watch = may_watch
        self._renew = renew

    async def message(self, socket: Connection, data: bytes) -> None:
        """One message of one or more frames. Closing flies out; refusals become ERR."""
        try:
            frames = decode(data, socket.encoding)
        except BrokenProtocol as fault:
            raise Closing(Close.BROKEN_PROTOCOL, str(fault)) from None
        for frame in frames:
            if isinstance(frame, BadFrame):
                socket.session.bad_frame(monotonic_ms())
                socket.send(err(BadField(reason=frame.reason), socket.lang, i=frame.i))
            else:
                await self._frame(socket, frame)

    async def _frame(self, socket: Connection, frame: Incoming) -> None:
        try:
            socket.session.accept(frame, monotonic_ms())
            if isinstance(frame, Send):
                await self._send(socket, frame)
            else:
                await self._act(socket, frame)
        except DomainError as refusal:
            self._refuse(socket, frame, refusal)
        except Closing:
            raise
        except Exception:
            log.exception("frame failed", frame=type(frame).__name__)
            self._refuse(socket, frame, InternalFault())

    async def _act(self, socket: Connection, frame: Incoming) -> None:
        who = socket.person
        match frame:
            case Ack():
                socket.session.acked(frame.d, monotonic_ms())
                await self._conversations.marks.received(who, frame.d, socket.id)
            case Read():
                await self._tasks.run(self._conversations.marks.read(who, frame.c, frame.s, socket.id))
            case Pull():
                socket.send(await self._conversations.pull(who, frame))
            case Sync():
                socket.send(await self._conversations.sync(who, frame))
            case Signal():
                await self._conversations.signal(who, frame.c, frame.k, socket.id, frame.d)
            case Op():
                await self._operate(socket, frame)
            case Sub():
                await self._watch(socket, frame)
            case Auth():
                renewed = await self._renew(socket, frame.tok)
                if renewed is None:
                    raise SignedOut
                socket.send(Res(i=frame.i, d=renewed))
            case Pong() | _:
                pass

    # --- SEND ---------------------------------------------------------------------------------------------------------

    async def _send(self, socket: Connection, frame: Send) -> None:
        try:
            outcome = await self._conversations.submit(socket.person, frame, socket.id)
        except BaseException:
            socket.session.answered()
            raise
        outcome.add_done_callback(partial(self._settled, socket, frame))

    def _settled(self, socket: Connection, frame: Send, done: asyncio.Future[Appended | DomainError]) -> None:
        socket.session.answered()
        if done.cancelled():
            return
        outcome = done.result()
        if isinstance(outcome, Appended):
            entry = outcome.entry
            socket.send(Sent(i=frame.i, c=frame.c, m=frame.m, s=entry.s, ts=entry.ts, dup=outcome.dup))
        else:
            self._refuse(socket, frame, outcome)

    # --- OP, SUB ------------------------------------------------------------------------------------------------------

    async def _operate(self, socket: Connection, frame: Op) -> None:
        if frame.op == "open":
            return await self._open(socket, frame)
        if frame.c is None or frame.a.s is None or (frame.op == "edit" and frame.a.text is None):
            raise BadField(reason=f"`{frame.op}` needs `c`, `a.s`{' and `a.text`' if frame.op == 'edit' else ''}")
        if frame.op == "recall":
            await self._tasks.run(self._changes.recall(socket.person, frame.c, frame.a.s))
        else:
            await self._tasks.run(self._changes.edit(socket.person, frame.c, frame.a.s, frame.a.text or ""))
        socket.send(Res(i=frame.i))
        return None

    async def _open(self, socket: Connection, frame: Op) -> None:
        if frame.a.shop_id is None:
            raise BadField(reason="Object missing required field `shop_id` - at `$.a`")
        opened = await self._tasks.run(self._conversations.open(socket.person, frame.a.shop_id, frame.a.ctx))
        socket.send(Res(i=frame.i, d=ResData(c=opened.id)))

    async def _watch(self, socket: Connection, frame: Sub) -> None:
        rooms = {watch_room(frame.k, object_id) for object_id in frame.ids}
        if frame.on:
            fresh = rooms - self._hub.rooms_of(socket)
            if socket.watched + len(fresh) > _MOST_WATCHED:
                raise TooMuchWatched
            for object_id in frame.ids:
                if not await self._may_watch(socket.person, frame.k, object_id):
                    raise NotYours
            self._hub.enter(socket, rooms)
            socket.watched += len(fresh)
        else:
            present = rooms & self._hub.rooms_of(socket)
            self._hub.leave(socket, present)
            socket.watched -= len(present)
        socket.send(Res(i=frame.i))

    def _refuse(self, socket: Connection, frame: Incoming, refusal: DomainError) -> None:
        i = getattr(frame, "i", None)
        c = getattr(frame, "c", None)
        m = getattr(frame, "m", None)
        socket.send(err(refusal, socket.lang, i=i, c=c, m=m))
