"""A connection by polling: frames wait in a numbered queue until the client says that it has them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from octshop_rt.im.session import Policy
from octshop_rt.im.wire.closing import Close
from octshop_rt.im.wire.codec import Encoding, payload
from octshop_rt.im.ws.connection import Connection

_MOST_BYTES = 262_144  # of one answer; the rest is for the next


class PollLink(Connection):
    """The hub's Link. An answer the network loses is given again, until the next poll names its number."""

    __slots__ = ("_bytes", "_last", "_news", "_on_end", "_turn", "_waiting", "ended", "posting")

    def __init__(
        self, link_id: str, policy: Policy, owing: set[Connection], on_end: Callable[[PollLink], None]
    ) -> None:
        super().__init__(link_id, Encoding.JSON, policy, owing)
        self.ended: Close | None = None
        self.posting = asyncio.Lock()  # frames are acted on in the order they were posted
        self._on_end = on_end
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._last = 0
        self._turn = 0
        self._news = asyncio.Event()

    @property
    def buffered(self) -> int:
        """Bytes that nobody has fetched yet."""
        return self._bytes

    @property
    def closed(self) -> bool:
        """Whether nothing is added any more; what waits can still be fetched."""
        return self.ended is not None

    @property
    def last(self) -> int:
        """The number of the newest frame."""
        return self._last

    def write(self, framed: bytes) -> None:
        """A frame for the next answer."""
        if self.closed:
            return
        frame = payload(framed)
        self._last += 1
        self._waiting.append((self._last, frame))
        self._bytes += len(frame)
        self._news.set()

    async def close(self, code: Close, reason: str = "") -> None:
        """Nothing more is said; the poll that waits, or the next one, hears `code`."""
        del reason
        if self.ended is None:
            self.ended = code
            self._news.set()
            self._on_end(self)

    async def wait(self, after: int, seconds: float) -> tuple[int, bytes]:
        """What came after number `after`, and the number it goes to; b"[]" when nothing came in time.

        A newer poll of the same client sends the older one home: the client has given that one up.
        """
        while self._waiting and self._waiting[0][0] <= after:
            self._bytes -= len(self._waiting.popleft()[1])
        self._turn += 1
        mine = self._turn
        self._news.set()  # an older poll goes home
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not self._waiting and not self.closed and mine == self._turn and (left := until - loop.time()) > 0:
            self._news.clear()
            try:
                async with asyncio.timeout(left):
                    await self._news.wait()
            except TimeoutError:
                break
        return (after, b"[]") if mine != self._turn else self._batch(after)

    def _batch(self, after: int) -> tuple[int, bytes]:
        frames: list[bytes] = []
        size = 0
        for number, frame in self._waiting:
            if frames and size + len(frame) > _MOST_BYTES:
                break
            frames.append(frame)
            size += len(frame)
            after = number
        return after, b"[" + b",".join(frames) + b"]"
