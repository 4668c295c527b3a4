"""GET /im: the door of a connection (origin, subprotocol, HELLO), its life, and the drain of a node that stops."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Coroutine, Generator

import structlog
from aiohttp import web

from octshop_rt.core.auth.model import Staff
from octshop_rt.core.auth.sessions import REVOKED, Sessions
from octshop_rt.core.bus import Bus, Unsubscribe
from octshop_rt.core.clock import Clock, monotonic_ms
from octshop_rt.core.errors import DomainError
from octshop_rt.core.http.origin import ClientAddress, Origins
from octshop_rt.core.ids import Ids
from octshop_rt.core.metrics import Metrics
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import Outbox
from octshop_rt.core.tasks import TaskRegistry
from octshop_rt.im.conversation import rules
from octshop_rt.im.conversation.changes import Changes
from octshop_rt.im.conversation.contents import Cards
from octshop_rt.im.conversation.model import Directory
from octshop_rt.im.conversation.net import Mesh
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.hub import Hub
from octshop_rt.im.media.service import Media
from octshop_rt.im.presence import Presence
from octshop_rt.im.routing import Arrival, Router
from octshop_rt.im.session import Bucket, Closing, Policy
from octshop_rt.im.wire.closing import Close
from octshop_rt.im.wire.codec import SUBPROTOCOLS, BrokenProtocol, decode
from octshop_rt.im.wire.fields import MOST_TEXT
from octshop_rt.im.wire.incoming import Hello
from octshop_rt.im.wire.outgoing import Goaway, Limits, Welcome
from octshop_rt.im.ws.connection import Connection
from octshop_rt.im.ws.frames import Frames, MayWatch
from octshop_rt.im.ws.refusals import Draining, Replaced, SignedOut, TooManyLinks, language
from octshop_rt.im.ws.socket import Socket
from octshop_rt.im.ws.standing import Standing
from octshop_rt.im.ws.wheel import Wheel

log = structlog.get_logger(__name__)

_WAVES = 20  # GOAWAY reaches a twentieth of the sockets at a time


class ImServer:
    """Chat on this node: mount `handle` at GET /im, `start` it with the loop, `drain` and `stop` it at the end.

    `may_watch(who, topic, id)` is asked for every SUB. `origins` and `address` are those of the HTTP edge.
    """

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        ids: Ids,
        bus: Bus,
        tasks: TaskRegistry,
        sessions: Sessions,
        directory: Directory,
        may_watch: MayWatch,
        origins: Origins,
        address: ClientAddress,
        node: str,
        policy: Policy | None = None,
        mesh: Mesh | None = None,
        metrics: Metrics | None = None,
        media: Media | None = None,
        cards: Cards | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._bus = bus
        self._origins = origins
        self._address = address
        self._node = node
        self.boot = ids.new("Z")
        self.policy = policy or Policy()
        self.hub = Hub()
        self.presence = Presence()
        self.router = Router(bus, self.hub, f"{node}.{self.boot}")
        self.conversations = Conversations(
            db, clock, ids, bus, self.router, directory, mesh=mesh, media=media, cards=cards, guard=guard
        )
        self.changes = Changes(db, clock, Outbox(clock, ids), self.conversations, media)
        self._standing = Standing(sessions, clock, self.hub)
        self.frames = Frames(self.conversations, self.changes, self.hub, tasks, may_watch, self._standing.renew)
        self._sockets: dict[str, Connection] = {}
        self.owing: set[Connection] = set()
        self._unknown: Counter[str] = Counter()
        self._upgrades = Bucket(self.policy.upgrades, monotonic_ms())
        self._wheel = Wheel(self.policy.heartbeat_s, self.owing, self._put_out, self._recheck)
        self._draining = False
        self._background: set[asyncio.Task[None]] = set()
        self._undo: list[Unsubscribe] = []
        if metrics is not None:
            self._show(metrics)

    @property
    def connections(self) -> int:
        """Greeted sockets."""
        return len(self._sockets)

    def new_id(self) -> str:
        """For one more connection of this node; later ones sort after earlier ones."""
        return self._ids.new("Z")

    def start(self) -> None:
        """Begin to listen to the bus and to turn the wheel."""
        self.conversations.start(self._arrived_elsewhere)
        self._undo = [self._bus.subscribe(REVOKED, self._revoked), self._bus.on_gap(self._wheel.doubt)]
        self._wheel.start()

    async def drain(self, *, by_ms: int = 30_000, spread_ms: int = 20_000) -> None:
        """Ask everyone to move to another node, serve them until they have gone or `by_ms` is over, then close.

        New connections get 503. Clients open the new socket before they leave the old one.
        """
        self._draining = True
        until = monotonic_ms() + by_ms
        sockets = list(self._sockets.values())
        size = max(1, -(-len(sockets) // _WAVES))
        for at in range(0, len(sockets), size):
            for socket in sockets[at : at + size]:
                after = random.randrange(spread_ms) if spread_ms else 0  # noqa: S311  (spreads load, no secret)
                socket.send(Goaway(code=Draining.code, after=after, by=max(0, until - monotonic_ms())))
            await asyncio.sleep(min(0.1, spread_ms / 1000 / _WAVES))
        while self._sockets and monotonic_ms() < until:  # noqa: ASYNC110  (nobody is woken by the last one leaving)
            await asyncio.sleep(0.05)
        await self.conversations.appender.drain(10)
        await asyncio.gather(*(socket.close(Close.GOING_AWAY) for socket in list(self._sockets.values())))

    async def stop(self) -> None:
        """Close what is open, settle what was accepted, stop listening."""
        self._draining = True
        for undo in self._undo:
            undo()
        self._undo = []
        await self._wheel.stop()
        await self.conversations.stop()
        await asyncio.gather(*(socket.close(Close.GOING_AWAY) for socket in list(self._sockets.values())))
        if self._background:
            await asyncio.wait(set(self._background), timeout=3)

    def _show(self, metrics: Metrics) -> None:
        appender, net = self.conversations.appender, self.conversations.net
        metrics.gauge("im_connections", "Greeted sockets", lambda: len(self._sockets))
        metrics.gauge("im_slow", "Sockets that are owed entries", lambda: len(self.owing))
        metrics.gauge("im_waiting", "Messages not yet settled", lambda: appender.waiting)
        metrics.gauge("im_store_ms", "How long a durable write takes now, at its slowest", lambda: appender.slow_ms)
        metrics.gauge("im_refused", "Messages refused because the store is slow", lambda: appender.admission.refused)
        metrics.gauge("im_clashes", "Numbers another node took first, since the start", lambda: appender.clashes)
        metrics.gauge("im_caught", "Entries the bus had lost and the log gave, since the start", lambda: net.caught)

    # --- one connection -----------------------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The aiohttp handler of GET /im."""
        ip = self._address.of(request)
        self._admit(request, ip)
        ws = web.WebSocketResponse(
            protocols=SUBPROTOCOLS,
            autoping=False,
            compress=False,
            max_msg_size=self.policy.frame_bytes,
            timeout=2,
        )
        await ws.prepare(request)
        transport = request.transport  # never asked for its class: uvloop's has the methods, not the base class
        if transport is None:
            return ws
        socket = Socket(self._ids.new("Z"), ws, transport, self.policy, self.owing)
        try:
            await self._greet(socket, ip)
            await self._listen(socket)
        except Closing as closing:
            await socket.end(closing)
        except ConnectionError:
            pass
        except Exception:
            log.exception("connection failed")
            await socket.close(Close.INTERNAL)
        finally:
            self.part(socket)
        return ws

    def _admit(self, request: web.Request, ip: str) -> None:
        """Before the upgrade: our own pages or a program, a known subprotocol, room for one more."""
        if not self._origins.may(request):
            raise web.HTTPForbidden(text="foreign origin")
        offered = [part.strip() for part in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        if not any(name in SUBPROTOCOLS for name in offered):
            raise web.HTTPBadRequest(text=f"offer one of {', '.join(SUBPROTOCOLS)}")
        if not self.has_room(ip):
            raise web.HTTPServiceUnavailable(text="come back in a moment", headers={"Retry-After": "1"})

    def has_room(self, ip: str) -> bool:
        """Whether one more stranger of this address may come in now."""
        full = self._unknown[ip] >= self.policy.unknown_per_ip or self._unknown.total() >= self.policy.unknown
        return not (self._draining or full or self._upgrades.take(monotonic_ms()))

    async def _greet(self, socket: Socket, ip: str) -> None:
        """HELLO within five seconds, by a person with room for one more link; then WELCOME."""
        with self._stranger(ip):
            try:
                async with asyncio.timeout(self.policy.hello_ms / 1000):
                    data = await socket.receive()
            except TimeoutError:
                raise Closing(Close.HELLO_TIMEOUT) from None
            if data is None:
                raise ConnectionResetError
            hello, known = await self._recognise(socket, data)
        self._let_in(socket, hello, known)

    async def meet(self, connection: Connection, data: bytes, ip: str) -> None:
        """HELLO that came in another way than over a socket: WELCOME, or Closing flies out."""
        connection.session.bytes_in(len(data))
        with self._stranger(ip):
            hello, known = await self._recognise(connection, data)
        self._let_in(connection, hello, known)

    @contextlib.contextmanager
    def _stranger(self, ip: str) -> Generator[None]:
        self._unknown[ip] += 1
        try:
            yield
        finally:
            self._unknown[ip] -= 1
            if not self._unknown[ip]:
                del self._unknown[ip]

    async def _recognise(self, socket: Connection, data: bytes) -> tuple[Hello, bool]:
        hello = self._first(socket, data)
        socket.session.greeted(monotonic_ms())
        socket.lang = language(hello.lang)
        try:
            return hello, await self._standing.prove(socket, hello.tok)
        except DomainError as refusal:  # the store is away: come back
            raise Closing(Close.INTERNAL, refusal.code) from None

    def _let_in(self, socket: Connection, hello: Hello, known: bool) -> None:
        if not known:
            socket.kick(SignedOut())
            raise Closing(Close.AUTH_FAILED)
        self._welcome(socket, hello)

    def _first(self, socket: Connection, data: bytes) -> Hello:
        try:
            frames = decode(data, socket.encoding)
        except BrokenProtocol as fault:
            raise Closing(Close.BROKEN_PROTOCOL, str(fault)) from None
        if len(frames) != 1 or not isinstance(frames[0], Hello):
            raise Closing(Close.BROKEN_PROTOCOL, "hello comes first, alone")
        return frames[0]

    def _welcome(self, socket: Connection, hello: Hello) -> None:
        """From here on it hears everything: the rooms are entered before the client can ask what it has missed."""
        who = socket.person
        staff = isinstance(who, Staff)
        socket.role = "staff" if staff else "buyer"
        socket.device = hello.dev
        key = f"{socket.role}:{who.person_id}"
        replaced = self.presence.arrive(key, hello.dev, socket.id, socket.session.opened_at)
        if replaced is None:
            socket.kick(Replaced())
            raise Closing(Close.REPLACED)
        for older in replaced:
            self._replace(older)
        self._sockets[socket.id] = socket
        self._make_room(socket, key, self.policy.links_staff if staff else self.policy.links_buyer)
        self.router.arrived(Arrival(key, hello.dev, socket.id))
        socket.session.welcomed(staff=staff)
        policy = self.policy
        socket.send(
            Welcome(
                sid=socket.id,
                uid=who.person_id,
                role="staff" if staff else "buyer",
                node=self._node,
                boot=self.boot,
                now=self._clock.now(),
                hb=policy.heartbeat_s,
                lim=Limits(frame=policy.frame_bytes, out=policy.soft_bytes, window=policy.window, text=MOST_TEXT),
                tok=self._standing.resume_token(socket),
                resumed="." not in hello.tok,
            )
        )
        self.hub.enter(socket, rules.home_rooms(who))
        self._wheel.add(socket)

    def _make_room(self, socket: Connection, key: str, most: int) -> None:
        """At most `most` links of one person. A link that has missed a beat (a network cut, a closed lid) gives way."""
        links = [self._sockets[link] for link in self.presence.links(key) if link in self._sockets]
        if len(links) <= most:
            return
        stalest = min(links, key=lambda one: one.session.heard_at)
        if monotonic_ms() - stalest.session.heard_at > self.policy.heartbeat_s * 1000 + self.policy.grace_ms:
            self._put_out(stalest, Closing(Close.IDLE))
            return
        socket.kick(TooManyLinks())
        raise Closing(Close.TOO_MANY_CONNECTIONS)

    async def _listen(self, socket: Socket) -> None:
        while (data := await socket.receive()) is not None:
            await self.frames.message(socket, data)
            while socket.session.must_wait(socket.buffered, monotonic_ms()):  # noqa: ASYNC110  (transports tell nobody)
                await asyncio.sleep(0.05)

    def part(self, socket: Connection) -> None:
        """It is gone: nothing is said to it any more."""
        self._wheel.remove(socket)
        self.owing.discard(socket)
        self._sockets.pop(socket.id, None)
        self.hub.leave(socket)
        if socket.who is not None:
            self.presence.depart(f"{socket.role}:{socket.who.person_id}", socket.id)

    # --- who it still is ----------------------------------------------------------------------------------------------

    def _revoked(self, _channel: str, payload: bytes) -> None:
        """A session has ended or its rights have changed: its sockets hear nothing more until that is known."""
        session_id = payload.decode("ascii", "replace")
        for socket in list(self._sockets.values()):
            if socket.who is not None and socket.who.session_id == session_id:
                self._spawn(self._standing.end_or_return(socket))

    def _recheck(self, socket: Connection) -> None:
        self._spawn(self._standing.check(socket))

    # --- replaced, dead -----------------------------------------------------------------------------------------------

    def _arrived_elsewhere(self, arrival: Arrival) -> None:
        for link_id in self.presence.elsewhere(arrival.person_id, arrival.device, arrival.link_id):
            self._replace(link_id)

    def _replace(self, link_id: str) -> None:
        socket = self._sockets.get(link_id)
        if socket is not None:
            self.hub.leave(socket)
            socket.kick(Replaced())
            self._put_out(socket, Closing(Close.REPLACED))

    def _put_out(self, socket: Connection, closing: Closing) -> None:
        self.part(socket)
        self._spawn(socket.end(closing))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
