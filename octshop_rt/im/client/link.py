"""One socket of the Python client, from HELLO to its close: frames in order, answers by number, a watch for silence."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import websockets
from websockets.asyncio.client import ClientConnection, connect

from octshop_rt.im.client import frames
from octshop_rt.im.wire.closing import Close
from octshop_rt.im.wire.codec import Encoding, encode
from octshop_rt.im.wire.incoming import Hello, Incoming, Pong
from octshop_rt.im.wire.outgoing import Ent, Err, Kick, Outgoing, Ping, Welcome

_ANSWER_S = 8.0


class LinkEnded(Exception):
    """The socket is gone; `code` is the server's close code, 1006 when the network cut it."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}")
        self.code = code


class FrameRefused(Exception):
    """ERR. `retry`: the same frame with the same ids may be sent again, after `after_ms`."""

    def __init__(self, err: Err) -> None:
        super().__init__(f"{err.code}: {err.msg}")
        self.code = err.code
        self.retry = err.retry
        self.after_ms = err.after or 0


class Link:
    """Open it with `opened`; frames that are no answers go to `heard`, the end to `ended`."""

    def __init__(self, ws: ClientConnection, encoding: Encoding, heard: Callable[[Link, Outgoing], None]) -> None:
        self._ws = ws
        self._encoding = encoding
        self._heard = heard
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Outgoing]] = {}
        self._out: asyncio.Queue[bytes] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._silence_s = 15.0
        self.welcome: Welcome | None = None
        self.received = 0  # ENT frames since WELCOME: PING says how many there should have been
        self.over: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @classmethod
    async def opened(cls, url: str, encoding: Encoding, hello: Hello, heard: Callable[[Link, Outgoing], None]) -> Link:
        """A welcomed link. LinkEnded if the server or the network says no."""
        try:
            ws = await connect(
                url, subprotocols=[websockets.Subprotocol(encoding.value)], compression=None, ping_interval=None,
                max_size=2**22, close_timeout=2, open_timeout=10,
            )  # fmt: skip
        except (OSError, websockets.WebSocketException, TimeoutError) as fault:
            raise LinkEnded(1006, str(fault)) from None
        link = cls(ws, encoding, heard)
        try:
            await ws.send(link._bytes(hello), text=encoding is Encoding.JSON)
            await link._welcomed()
        except BaseException:
            await ws.close()
            raise
        link._tasks = [asyncio.create_task(link._read()), asyncio.create_task(link._write())]
        return link

    @property
    def uid(self) -> str:
        """Who the server takes us for."""
        assert self.welcome is not None
        return self.welcome.uid

    def send(self, frame: Incoming) -> None:
        """In order, when the socket takes it."""
        self._out.put_nowait(self._bytes(frame))

    def number(self) -> int:
        """A fresh request number."""
        return next(self._numbers)

    async def ask(self, frame: Incoming, i: int, seconds: float = _ANSWER_S) -> Any:
        """Send and wait for the answer with the same `i`. FrameRefused, LinkEnded or TimeoutError."""
        answer: asyncio.Future[Outgoing] = asyncio.get_running_loop().create_future()
        self._asked[i] = answer
        try:
            self.send(frame)
            return await asyncio.wait_for(answer, seconds)
        finally:
            self._asked.pop(i, None)

    async def ended(self) -> int:
        """Wait for the end; the close code. A waiter that is cancelled leaves the link as it is."""
        await asyncio.wait({self.over})
        return self.over.result()

    async def close(self) -> None:
        """Leave in good manners."""
        await self._ws.close()
        await self.ended()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _welcomed(self) -> None:
        try:
            async with asyncio.timeout(10):
                for frame in frames.read(await self._message(), self._encoding):
                    if isinstance(frame, Welcome):
                        self.welcome = frame
                        self._silence_s = frame.hb * 2 + 8
                        return
                    if isinstance(frame, Kick):
                        await self._message()  # the close that follows, with its code
        except TimeoutError:
            raise LinkEnded(1006, "no welcome") from None
        raise LinkEnded(Close.BROKEN_PROTOCOL, "no welcome")

    async def _message(self) -> bytes:
        try:
            data = await self._ws.recv()
        except websockets.ConnectionClosed as end:
            raise LinkEnded(end.rcvd.code if end.rcvd else 1006, end.rcvd.reason if end.rcvd else "cut") from None
        return data.encode() if isinstance(data, str) else data

    async def _read(self) -> None:
        code = 1006
        try:
            while True:
                async with asyncio.timeout(self._silence_s):
                    data = await self._message()
                for frame in frames.read(data, self._encoding):
                    self._take(frame)
        except LinkEnded as end:
            code = end.code
        except (TimeoutError, msgspec.DecodeError):
            self._ws.transport.abort()
        finally:
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(LinkEnded(code))
            if not self.over.done():
                self.over.set_result(code)

    def _take(self, frame: Outgoing) -> None:
        if isinstance(frame, Ping):
            self.send(Pong(n=frame.n))
        elif isinstance(frame, Ent):
            self.received += 1
        else:
            answer = self._asked.get(getattr(frame, "i", None) or -1)
            if answer is not None and not answer.done():
                if isinstance(frame, Err):
                    answer.set_exception(FrameRefused(frame))
                else:
                    answer.set_result(frame)
                return
        self._heard(self, frame)

    async def _write(self) -> None:
        try:
            while True:
                await self._ws.send(await self._out.get(), text=self._encoding is Encoding.JSON)
        except websockets.ConnectionClosed:
            return  # the reader says so

    def _bytes(self, frame: Incoming) -> bytes:
        return encode(frame, self._encoding)
