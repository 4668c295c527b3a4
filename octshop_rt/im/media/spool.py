"""An upload on its way in: a private file on this node's disk, so that no body is ever held whole in memory."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import IO, Final, Self

from octshop_rt.im.media.model import MIB, EmptyFile, FileTooLarge

_PIECE: Final = 512 * 1024
_HEAD: Final = 4096


class Spool:
    """Enter it, `fill` it, read it back; it is gone when left, also when this process is killed."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._hash = hashlib.sha256()
        self.size = 0
        self.head = b""

    async def __aenter__(self) -> Self:
        self._file = await asyncio.to_thread(tempfile.NamedTemporaryFile, prefix="octshop-upload-")
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._open.close)

    @property
    def _open(self) -> IO[bytes]:
        assert self._file is not None
        return self._file

    @property
    def path(self) -> Path:
        """Where it lies; readable by this user alone."""
        return Path(self._open.name)

    @property
    def sha256(self) -> str:
        """Of all that was taken, as hex."""
        return self._hash.hexdigest()

    async def fill(self, chunks: AsyncIterable[bytes], most: int) -> None:
        """Take the body. FileTooLarge at the first byte beyond `most`, EmptyFile when nothing came."""
        held = bytearray()
        async for chunk in chunks:
            self.size += len(chunk)
            if self.size > most:
                raise FileTooLarge(most_mib=most // MIB)
            if len(self.head) < _HEAD:
                self.head += chunk[: _HEAD - len(self.head)]
            held += chunk
            if len(held) >= _PIECE:
                await asyncio.to_thread(self._write, bytes(held))
                held.clear()
        if not self.size:
            raise EmptyFile
        await asyncio.to_thread(self._write, bytes(held))
        await asyncio.to_thread(self._open.flush)

    async def pieces(self) -> AsyncIterator[bytes]:
        """What was taken, from its begin."""
        await asyncio.to_thread(self._open.seek, 0)
        while piece := await asyncio.to_thread(self._open.read, _PIECE):
            yield piece

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._open.write(data)
