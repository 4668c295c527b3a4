"""Who a connection is: proved at the door, renewed in place, read again now and then, and out when it is over."""

from __future__ import annotations

import contextlib

from octshop_rt.core.auth.model import Buyer, Staff
from octshop_rt.core.auth.sessions import Proven, Sessions
from octshop_rt.core.clock import Clock, monotonic_ms
from octshop_rt.core.errors import DomainError
from octshop_rt.im.conversation import rules
from octshop_rt.im.hub import Hub
from octshop_rt.im.wire.closing import Close
from octshop_rt.im.wire.outgoing import ResData
from octshop_rt.im.ws.connection import Connection
from octshop_rt.im.ws.refusals import SignedOut, TokenExpiring, err

WARN_MS = 60_000  # how long before its session ends a connection is told
_MOST_RESUME = 3_500  # characters: a resume token must fit into HELLO


class Standing:
    """Asks Sessions; enters and leaves the rooms of the person."""

    def __init__(self, sessions: Sessions, clock: Clock, hub: Hub) -> None:
        self._sessions = sessions
        self._clock = clock
        self._hub = hub

    async def prove(self, socket: Connection, tok: str) -> bool:
        """HELLO: whether `tok` is a buyer's or a member of staff's; `socket.who` is set then."""
        asked_at = monotonic_ms()
        proven = await self._proven(tok)
        if proven is None or not isinstance(proven.who, Buyer | Staff):
            return False
        socket.who = proven.who
        self._read(socket, proven, asked_at)
        return True

    def resume_token(self, socket: Connection) -> str | None:
        """For WELCOME and for the answer to AUTH; None if it would not fit into HELLO."""
        until = self._clock.now() + socket.ends_at - monotonic_ms()
        token = self._sessions.resume_token(socket.person, until)
        return token if len(token) <= _MOST_RESUME else None

    async def renew(self, socket: Connection, tok: str) -> ResData | None:
        """AUTH: the same person, proved anew, perhaps by a newer session. None if it is not."""
        asked_at = monotonic_ms()
        proven = await self._proven(tok)
        who = None if proven is None else proven.who
        if proven is None or not isinstance(who, Buyer | Staff) or type(who) is not type(socket.who):
            return None
        if who.person_id != socket.person.person_id:
            return None
        before = rules.home_rooms(socket.person)
        socket.who = who
        self._read(socket, proven, asked_at)
        self._hub.leave(socket, before - rules.home_rooms(who))
        self._hub.enter(socket, rules.home_rooms(who))
        return ResData(tok=self.resume_token(socket))

    async def check(self, socket: Connection) -> None:
        """Read the truth about a connection's person: nothing relies on the bus alone. Whose session is about to end
        is told, at each heartbeat until it is renewed or over.
        """
        who, asked_at = socket.person, monotonic_ms()
        with contextlib.suppress(DomainError):  # the store is away: asked again at the next beat
            proven = await self._sessions.proven(who.session_id)
            if socket.person is not who:
                return  # renewed meanwhile
            if proven is None or proven.who != who:
                await self.end_or_return(socket)
                return
            self._read(socket, proven, asked_at)
            if socket.ends_at - monotonic_ms() <= WARN_MS:
                socket.send(err(TokenExpiring(), socket.lang))

    async def end_or_return(self, socket: Connection) -> None:
        """Put it out: signed out for good, or to come back as who it is now."""
        self._hub.leave(socket)
        try:
            still = await self._sessions.by_session(socket.person.session_id) is not None
        except DomainError:
            still = True  # unknown: the next HELLO finds out
        if not still:
            socket.kick(SignedOut())
        await socket.close(Close.GOING_AWAY if still else Close.AUTH_FAILED)

    async def _proven(self, tok: str) -> Proven | None:
        """Behind a ticket ("session.secret") or a resume token (no dot)."""
        return await (self._sessions.redeem_ticket(tok) if "." in tok else self._sessions.redeem_resume(tok))

    def _read(self, socket: Connection, proven: Proven, asked_at: int) -> None:
        socket.checked_at = asked_at  # what has changed since then may have escaped it
        socket.ends_at = monotonic_ms() + proven.until - self._clock.now()
