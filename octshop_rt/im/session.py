"""One connection's rules, without I/O: who may speak when, how fast, and what to do when it does not read.

The driver (im/ws) tells it what arrived and how many bytes the socket still owes; it answers with what to do. It never
waits, never sends and has no clock: `now` is monotonic milliseconds given by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from msgspec import Struct

from octshop_rt.core.errors import DomainError, RateLimited
from octshop_rt.im.wire.closing import Close
from octshop_rt.im.wire.incoming import Ack, Auth, Hello, Incoming, Op, Pong, Pull, Read, Send, Signal, Sub, Sync


class Rate(Struct, frozen=True):
    """A bucket of `burst` that refills `per_s` a second."""

    per_s: float
    burst: float


class Policy(Struct, frozen=True, kw_only=True):
    """Limits of one connection. The defaults are the protocol's; load tests and rehearsals raise the rates."""

    hello_ms: int = 5_000
    heartbeat_s: int = 25
    grace_ms: int = 8_000  # silence allowed beyond two heartbeats
    window: int = 32
    frame_bytes: int = 65_536
    hello_bytes: int = 4_096
    soft_bytes: int = 262_144
    hard_bytes: int = 1_048_576
    stuck_ms: int = 30_000
    unacked_ms: int = 5_000
    bad_frames: int = 10
    abuse: int = 200  # frames over a limit before the connection is closed
    send: Rate = Rate(5, 20)
    send_staff: Rate = Rate(20, 60)
    signal: Rate = Rate(1, 5)
    sync: Rate = Rate(1, 10)
    pull: Rate = Rate(10, 30)
    op: Rate = Rate(10, 20)
    mark: Rate = Rate(20, 60)  # ACK, READ
    control: Rate = Rate(1, 20)  # PING and PONG of the WebSocket layer
    links_buyer: int = 10
    links_staff: int = 5
    unknown_per_ip: int = 100  # connections of one address that have not said HELLO
    unknown: int = 2_000  # the same, of all
    upgrades: Rate = Rate(1_000, 2_000)
    polls: int = 2_000  # connections by polling of a node
    poll_hold_ms: int = 25_000  # how long a poll may wait for something to hear


class State(Enum):
    NEW = auto()
    GREETED = auto()  # HELLO is being checked
    OPEN = auto()
    CLOSED = auto()


class Closing(Exception):
    """The rules say: close with `code`."""

    def __init__(self, code: Close, reason: str = "") -> None:
        super().__init__(code.name)
        self.code = code
        self.reason = reason or code.name.lower()


class TooFast(RateLimited):
    """More frames of a kind than the connection's rate; `after_ms` says when the next one fits."""

    code = "im.rate_limited"
    zh = "发送太快，请稍候"
    en = "Too fast; wait a moment"


class WindowFull(DomainError):
    """More SENDs unanswered than the window allows."""

    code = "im.window_full"
    status = 429
    retry = True
    zh = "有太多消息尚未确认，请稍候"
    en = "Too many messages are waiting for their answer; wait a moment"


class Outcome(Enum):
    """What to do with an ENT for this socket."""

    WRITE = auto()
    OWE = auto()  # keep only the head; a GAP tells it when the socket drains


class Bucket:
    """A token bucket; full at the start."""

    __slots__ = ("_at", "_left", "_rate")

    def __init__(self, rate: Rate, now: int) -> None:
        self._rate = rate
        self._left = rate.burst
        self._at = now

    def take(self, now: int) -> int:
        """0 if one was taken, else the milliseconds until one would be there."""
        rate = self._rate
        self._left = min(rate.burst, self._left + (now - self._at) * rate.per_s * 0.001)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return 0
        return int((1 - self._left) * 1000 // rate.per_s) + 1


class Session:
    """The rules of one connection. Closing flies out of any method when the connection must end."""

    __slots__ = (
        "_abuse", "_bad", "_buckets", "_control", "_low_bytes", "_policy", "_rates", "_stuck_since", "_unacked",
        "_window", "heard_at", "opened_at", "owed", "pushed", "state",
    )  # fmt: skip

    def __init__(self, policy: Policy, now: int) -> None:
        self._policy = policy
        self.state = State.NEW
        self.opened_at = now
        self.heard_at = now
        self.pushed = 0  # ENT frames written or owed: `uh` of PING
        self.owed: dict[str, int] = {}  # {conversation: head} not pushed because the socket does not drain
        self._rates: Mapping[type[Incoming], Rate] = {}
        self._buckets: dict[type[Incoming], Bucket] = {}
        self._control = Bucket(policy.control, now)
        self._window = 0
        self._bad = 0
        self._abuse = 0
        self._stuck_since: int | None = None
        self._low_bytes = 0
        self._unacked: dict[str, tuple[int, int]] = {}  # {conversation: (highest pushed and not acked, since)}

    # --- life -------------------------------------------------------------------------------------------------------

    def greeted(self, now: int) -> None:
        """HELLO came; it is being checked."""
        if self.state is not State.NEW:
            raise Closing(Close.BROKEN_PROTOCOL, "hello twice")
        self.state = State.GREETED
        self.heard_at = now

    def welcomed(self, *, staff: bool) -> None:
        """The person is known: the connection is open, with that side's rates."""
        policy = self._policy
        self.state = State.OPEN
        self._rates = {
            Send: policy.send_staff if staff else policy.send,
            Signal: policy.signal,
            Sync: policy.sync,
            Pull: policy.pull,
            Op: policy.op,
            Sub: policy.op,
            Auth: policy.op,
            Ack: policy.mark,
            Read: policy.mark,
        }

    def bytes_in(self, size: int) -> None:
        """Refuse an oversized message: 4 KiB before WELCOME, 64 KiB after."""
        most = self._policy.frame_bytes if self.state is State.OPEN else self._policy.hello_bytes
        if size > most:
            raise Closing(Close.BROKEN_PROTOCOL, "message too large")

    # --- what arrives -----------------------------------------------------------------------------------------------

    def accept(self, frame: Incoming, now: int) -> None:
        """May this frame be acted on now? Raises TooFast or WindowFull (answer ERR), or Closing.

        An accepted SEND occupies the window until `answered`.
        """
        self.heard_at = now
        if isinstance(frame, Pong):
            return
        if isinstance(frame, Hello) or self.state is not State.OPEN:
            raise Closing(Close.BROKEN_PROTOCOL, "hello comes first, and once")
        if after := self._bucket(type(frame), now).take(now):
            self._abuse += 1
            if self._abuse > self._policy.abuse:
                raise Closing(Close.RATE_ABUSE)
            raise TooFast(after_ms=after)
        if isinstance(frame, Send):
            if self._window >= self._policy.window:
                raise WindowFull
            self._window += 1

    def control(self, now: int) -> None:
        """A PING or PONG of the WebSocket layer: a sign of life, until there are too many."""
        self.heard_at = now
        if self._control.take(now):
            raise Closing(Close.RATE_ABUSE, "too many control frames")

    def sign_of_life(self, now: int) -> None:
        """It asks for what there is to hear (a poll): that is as good as a frame."""
        self.heard_at = now

    def answered(self) -> None:
        """A SEND got its SENT or ERR."""
        self._window -= 1

    def bad_frame(self, now: int) -> None:
        """A known frame with a wrong field: an ERR is enough, a row of them is not."""
        self.heard_at = now
        if self.state is not State.OPEN:
            raise Closing(Close.BROKEN_PROTOCOL, "bad hello")
        self._bad += 1
        if self._bad > self._policy.bad_frames:
            raise Closing(Close.BROKEN_PROTOCOL, "too many bad frames")

    def acked(self, heads: Mapping[str, int], now: int) -> None:
        """The client has received up to these numbers."""
        for c, s in heads.items():
            waiting = self._unacked.get(c)
            if waiting is None:
                continue
            if s >= waiting[0]:
                del self._unacked[c]
            else:
                self._unacked[c] = (waiting[0], now)

    # --- what leaves ------------------------------------------------------------------------------------------------

    def push(self, c: str, s: int, buffered: int, now: int) -> Outcome:
        """An ENT for this socket, which still owes `buffered` bytes to the network."""
        self.pushed += 1
        if buffered > self._policy.soft_bytes or c in self.owed:
            self.owed[c] = max(s, self.owed.get(c, 0))
            self._mark_stuck(buffered, now)
            return Outcome.OWE
        waiting = self._unacked.get(c)
        self._unacked[c] = (s, now if waiting is None else waiting[1])
        return Outcome.WRITE

    def may_hint(self, buffered: int) -> bool:
        """Whether a lossy frame (typing, cursors, notices) may be written."""
        return buffered <= self._policy.soft_bytes

    def must_wait(self, buffered: int, now: int) -> bool:
        """Whether to stop reading this socket: it asks without taking the answers. Closing when it takes nothing."""
        if buffered <= self._policy.hard_bytes:
            return False
        self._mark_stuck(buffered, now)
        self._check_stuck(buffered, now)
        return True

    def drained(self, buffered: int, now: int) -> dict[str, int]:
        """Called now and then while something is owed: the heads for one GAP once the socket has room, else {}.

        Closing(NOT_DRAINING) if not one byte has left for the time allowed: slow is fine, dead is not.
        """
        if not self.owed:
            return {}
        if buffered * 4 > self._policy.soft_bytes:
            self._check_stuck(buffered, now)
            return {}
        heads, self.owed = self.owed, {}
        self._stuck_since = None
        return heads

    def tick(self, now: int) -> dict[str, int]:
        """At each heartbeat: heads that were pushed but not acked in time (told once), or Closing when silent.

        Any frame counts as life; two missed heartbeats and a little are death.
        """
        if now - self.heard_at > 2 * self._policy.heartbeat_s * 1000 + self._policy.grace_ms:
            raise Closing(Close.IDLE)
        late = {c: s for c, (s, since) in self._unacked.items() if now - since > self._policy.unacked_ms}
        for c in late:
            del self._unacked[c]
        return late

    def overdue_hello(self, now: int) -> bool:
        """Whether the time for HELLO is over."""
        return self.state is State.NEW and now - self.opened_at >= self._policy.hello_ms

    # --- inside -----------------------------------------------------------------------------------------------------

    def _bucket(self, kind: type[Incoming], now: int) -> Bucket:
        bucket = self._buckets.get(kind)
        if bucket is None:
            bucket = self._buckets[kind] = Bucket(self._rates[kind], now)
        return bucket

    def _mark_stuck(self, buffered: int, now: int) -> None:
        if self._stuck_since is None:
            self._stuck_since, self._low_bytes = now, buffered

    def _check_stuck(self, buffered: int, now: int) -> None:
        if buffered < self._low_bytes:
            self._stuck_since = now
        self._low_bytes = buffered
        if self._stuck_since is not None and now - self._stuck_since > self._policy.stuck_ms:
            raise Closing(Close.NOT_DRAINING)
