"""Bodies that never lie whole in memory: an upload read as it arrives, a download with ranges, sent as it is read."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec
import structlog
from aiohttp import hdrs, web

from octshop_rt.core.clock import monotonic_ms
from octshop_rt.core.http.load import PLACE
from octshop_rt.core.http.refusals import TooLarge, TooSlow

log = structlog.get_logger(__name__)

IDLE_SECONDS: Final = 15  # without a byte in either direction
WHOLE_SECONDS: Final = 600
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


class Stream:
    """The body of a request as it arrives: iterate once. TooLarge, TooSlow fly out of the iteration."""

    def __init__(self, request: web.Request, most: int) -> None:
        self.content_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        self.length = request.content_length
        self._content = request.content
        self._place = request[PLACE]
        self._most = most
        if self.length is not None and self.length > most:
            raise TooLarge(limit=most)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read, until = 0, monotonic_ms() + WHOLE_SECONDS * 1000
        while True:
            async with self._place.reading(IDLE_SECONDS):
                chunk = await self._content.readany()
            if not chunk:
                return
            read += len(chunk)
            if read > self._most:
                raise TooLarge(limit=self._most)
            if monotonic_ms() > until:
                raise TooSlow
            yield chunk


class Span(msgspec.Struct, frozen=True):
    """Bytes first…last, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many."""
        return self.last - self.first + 1


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of `size` bytes that `read(first, last)` gives piece by piece; `tag` names the content for ever.

    A client that holds `tag` gets 304; one that asks for a range gets 206, or 416 when there is no such part.
    """

    read: Callable[[int, int], AsyncIterator[bytes]]
    size: int
    tag: str
    content_type: str
    headers: dict[str, str] = {}

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Answer `request`. What goes wrong before the first byte flies out; afterwards the connection ends."""
        etag = f'"{self.tag}"'
        headers = {**self.headers, hdrs.ETAG: etag, hdrs.ACCEPT_RANGES: "bytes"}
        if etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return web.Response(status=304, headers=headers)
        whole = Span(0, self.size - 1)
        wanted: Span | None = whole
        if request.headers.get(hdrs.IF_RANGE, etag) == etag:
            wanted = span(request.headers.get(hdrs.RANGE), self.size)
        if wanted is None:
            return web.Response(status=416, headers={**headers, hdrs.CONTENT_RANGE: f"bytes */{self.size}"})
        if wanted != whole:
            headers[hdrs.CONTENT_RANGE] = f"bytes {wanted.first}-{wanted.last}/{self.size}"
        answer = web.StreamResponse(status=200 if wanted == whole else 206, headers=headers)
        answer.content_type = self.content_type
        answer.content_length = wanted.size
        chunks = self.read(wanted.first, wanted.last)
        first = await anext(chunks, b"")  # a missing object is found before anything is promised
        await answer.prepare(request)
        try:
            await self._write(answer, first, chunks)
        except (TimeoutError, ConnectionError):
            raise ConnectionResetError from None
        except Exception as fault:  # noqa: BLE001  (half an answer is out: all that is left is to end it)
            log.warning("download cut", fault=repr(fault))
            raise ConnectionResetError from None
        return answer

    async def _write(self, answer: web.StreamResponse, first: bytes, chunks: AsyncIterator[bytes]) -> None:
        async with asyncio.timeout(IDLE_SECONDS):
            await answer.write(first)
        async for chunk in chunks:
            async with asyncio.timeout(IDLE_SECONDS):
                await answer.write(chunk)
        await answer.write_eof()


def span(header: str | None, size: int) -> Span | None:
    """The part a Range header asks for; the whole for none, several or nonsense (RFC 9110 §14.2); None: not there."""
    found = _RANGE.fullmatch((header or "").strip())
    if found is None or found[0] == "bytes=-":
        return Span(0, size - 1)
    first, last = found.groups()
    if not first:
        return Span(max(0, size - int(last)), size - 1) if int(last) else None
    if last and int(last) < int(first):
        return Span(0, size - 1)
    if int(first) >= size:
        return None
    return Span(int(first), min(int(last), size - 1) if last else size - 1)
