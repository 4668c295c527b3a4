"""One greeted person on one carriage, whatever carries it: the hub's Link with the session's rules applied."""

from __future__ import annotations

from abc import ABC, abstractmethod

from octshop_rt.core.clock import monotonic_ms
from octshop_rt.core.errors import DomainError, Lang
from octshop_rt.im.conversation.model import Party
from octshop_rt.im.session import Closing, Outcome, Policy, Session
from octshop_rt.im.wire.closing import Close
from octshop_rt.im.wire.codec import Encoding, encode, message
from octshop_rt.im.wire.outgoing import Gap, Kick, Outgoing, Ping


class Connection(ABC):
    """The hub's Link. `who` is set once HELLO was good. What a slow reader does not take the session bounds."""

    __slots__ = (
        "_pings", "checked_at", "device", "encoding", "ends_at", "id", "lang", "owing", "role", "session", "watched",
        "who",
    )  # fmt: skip

    def __init__(self, link_id: str, encoding: Encoding, policy: Policy, owing: set[Connection]) -> None:
        self.id = link_id
        self.encoding = encoding
        self.session = Session(policy, monotonic_ms())
        self.who: Party | None = None
        self.role = ""
        self.device = ""
        self.lang: Lang = "zh-CN"
        self.watched = 0
        self.checked_at = monotonic_ms()
        self.ends_at = self.checked_at  # when the person's session does, as far as one knows
        self.owing = owing  # the server's set of connections that are owed a GAP
        self._pings = 0

    @property
    def person(self) -> Party:
        """Who it is; only after HELLO."""
        assert self.who is not None, "asked before HELLO was good"
        return self.who

    @property
    @abstractmethod
    def buffered(self) -> int:
        """Bytes the network has not taken yet."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether nothing can be written any more."""

    # --- out ----------------------------------------------------------------------------------------------------------

    @abstractmethod
    def write(self, framed: bytes) -> None:
        """A whole message, now."""

    def send(self, frame: Outgoing) -> None:
        """A frame for this connection alone."""
        self.write(message(encode(frame, self.encoding), self.encoding))

    def entry(self, c: str, s: int, framed: bytes, now: int) -> None:
        """See hub.Link."""
        if self.session.push(c, s, self.buffered, now) is Outcome.WRITE:
            self.write(framed)
        else:
            self.owing.add(self)

    def hint(self, framed: bytes) -> None:
        """See hub.Link."""
        if self.session.may_hint(self.buffered):
            self.write(framed)

    # --- the wheel ----------------------------------------------------------------------------------------------------

    def pay(self) -> bool:
        """Tell what is owed if the socket has drained; True when nothing is owed any more. Closing if it is dead."""
        heads = self.session.drained(self.buffered, monotonic_ms())
        if heads:
            self.send(Gap(heads=heads))
        return not self.session.owed

    def beat(self) -> None:
        """PING, and a GAP for what was pushed and never acked. Closing if nothing was heard for too long."""
        late = self.session.tick(monotonic_ms())
        if late:
            self.send(Gap(heads=late))
        self._pings = (self._pings + 1) % 2**32
        self.send(Ping(n=self._pings, uh=self.session.pushed))

    # --- the end ------------------------------------------------------------------------------------------------------

    def kick(self, refusal: DomainError) -> None:
        """Say why before closing."""
        self.send(Kick(code=refusal.code, msg=refusal.text(self.lang)))

    @abstractmethod
    async def close(self, code: Close, reason: str = "") -> None:
        """Close politely for a moment, then cut."""

    async def end(self, closing: Closing) -> None:
        """Close as the rules say."""
        await self.close(closing.code, closing.reason)
