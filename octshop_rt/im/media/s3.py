"""Files in an S3-compatible store: four calls of its API over HTTP, signed, streamed both ways, bounded in time."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import Busy, UnknownOutcome
from octshop_rt.im.media.model import NoFile, StoredObject
from octshop_rt.im.media.sigv4 import EMPTY_SHA256, Keys, query_string, quoted, signed

TIMEOUT: Final = aiohttp.ClientTimeout(total=300, connect=5, sock_read=15)
_PIECE: Final = 256 * 1024
_PAGE: Final = 1_000
_AGAIN: Final = 3
_PAUSE_S: Final = 0.2


class S3:
    """A bucket, addressed by path. Objects are put with the hash of their content, which the store checks."""

    def __init__(self, http: aiohttp.ClientSession, clock: Clock, endpoint: str, bucket: str, keys: Keys) -> None:
        self._http = http
        self._clock = clock
        self._endpoint = endpoint.rstrip("/")
        self._host = urlsplit(self._endpoint).netloc
        self._bucket = bucket
        self._keys = keys

    async def put(self, key: str, chunks: AsyncIterable[bytes], *, size: int, sha256: str, mime: str) -> None:
        """See ObjectStore. UnknownOutcome: perhaps kept; whoever put it looks after the key either way."""
        headers = {"content-length": str(size), "content-type": mime}
        try:
            async with self._ask("PUT", key, headers=headers, sha256=sha256, body=chunks) as answer:
                await _whole(answer)
        except (aiohttp.ClientError, TimeoutError) as fault:
            raise UnknownOutcome from fault

    async def read(self, key: str, first: int, last: int) -> AsyncIterator[bytes]:
        """See ObjectStore."""
        try:
            async with self._ask("GET", key, headers={"range": f"bytes={first}-{last}"}) as answer:
                if answer.status == 404:
                    raise NoFile
                if answer.status != 206:
                    await _whole(answer)
                    raise Busy
                async for chunk in answer.content.iter_chunked(_PIECE):
                    yield chunk
        except (aiohttp.ClientError, TimeoutError) as fault:
            raise Busy from fault

    async def delete(self, key: str) -> None:
        """See ObjectStore."""
        for left in reversed(range(_AGAIN)):
            try:
                async with self._ask("DELETE", key) as answer:
                    if answer.status != 404:
                        await _whole(answer)
                    return
            except (aiohttp.ClientError, TimeoutError, Busy) as fault:
                if not left:
                    raise UnknownOutcome from fault
                await asyncio.sleep(_PAUSE_S)

    async def listed(self) -> AsyncIterator[StoredObject]:
        """See ObjectStore: ListObjectsV2, page by page."""
        more = ""
        while True:
            query = {"list-type": "2", "max-keys": str(_PAGE)} | ({"continuation-token": more} if more else {})
            try:
                async with self._ask("GET", "", query=query) as answer:
                    await _whole(answer)
                    page = ET.fromstring(await answer.text())  # noqa: S314  (our own store's answer)
            except (aiohttp.ClientError, TimeoutError, ET.ParseError) as fault:
                raise Busy from fault
            for one in page.iter():
                if one.tag.rpartition("}")[2] == "Contents":
                    told = {part.tag.rpartition("}")[2]: part.text or "" for part in one}
                    yield StoredObject(told["Key"], int(told["Size"]))
            top = {part.tag.rpartition("}")[2]: part.text or "" for part in page}
            more = top.get("NextContinuationToken", "")
            if top.get("IsTruncated") != "true" or not more:
                return

    def _ask(
        self,
        method: str,
        key: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        sha256: str = EMPTY_SHA256,
        body: AsyncIterable[bytes] | None = None,
    ) -> aiohttp.client._RequestContextManager:  # pyright: ignore[reportPrivateUsage]  (aiohttp names it nowhere else)
        path = f"/{self._bucket}/{key}" if key else f"/{self._bucket}"
        base = urlsplit(self._endpoint).path
        send = signed(
            self._keys, method, base + path, host=self._host, now=self._clock.now(), query=query, headers=headers,
            sha256=sha256,
        )  # fmt: skip
        asked = f"?{query_string(query)}" if query else ""
        url = URL(f"{self._endpoint}{quoted(path)}{asked}", encoded=True)
        return self._http.request(
            method, url, headers=send, data=body, timeout=TIMEOUT, allow_redirects=False, skip_auto_headers=["Accept"]
        )


async def _whole(answer: aiohttp.ClientResponse) -> None:
    """Busy unless the store says that it is done. Its reason is for the log of whoever runs it, not for a person."""
    if answer.status >= 300:
        reason = (await answer.text())[:300]
        raise Busy from RuntimeError(f"S3 {answer.method} {answer.status}: {reason}")
