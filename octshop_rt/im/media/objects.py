"""Where the bytes of files lie: the interface, and MongoDB's GridFS layout in the `files` database.

The collections are `fs.files` and `fs.chunks` as the GridFS specification has them, so that every driver's GridFS
reads them; a test does. The chunks are written before the file row: what is listed is whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime
from typing import Final, Protocol

from msgspec import Struct

from octshop_rt.core.clock import Clock, as_datetime
from octshop_rt.core.mongo import Collection, Database, DuplicateKey, index
from octshop_rt.im.media.model import NoFile, StoredObject

CHUNK: Final = 255 * 1024
_AT_ONCE: Final = 8  # chunks of one write or read: two megabytes in memory


class ObjectStore(Protocol):
    """Bytes by key. Keys are ids; an object never changes under its key. Busy or UnknownOutcome when it is away."""

    async def put(self, key: str, chunks: AsyncIterable[bytes], *, size: int, sha256: str, mime: str) -> None:
        """Keep `size` bytes. Putting the same key again is the same object."""
        ...

    def read(self, key: str, first: int, last: int) -> AsyncIterator[bytes]:
        """Bytes first…last, both included. NoFile when there is no such object."""
        ...

    async def delete(self, key: str) -> None:
        """Let go; an object that is not there is fine."""
        ...

    def listed(self) -> AsyncIterator[StoredObject]:
        """All of them. For fsck."""
        ...


class GridFile(Struct, frozen=True, kw_only=True, rename="camel"):
    """A row of fs.files. `metadata` has what the specification leaves to the application."""

    id: str
    length: int
    chunk_size: int
    upload_date: datetime
    filename: str
    metadata: dict[str, str]


class GridChunk(Struct, frozen=True, kw_only=True):
    """A row of fs.chunks: the n-th piece of a file."""

    id: str
    files_id: str
    n: int
    data: bytes


OBJECTS = Collection(
    "files", "fs.files", GridFile, indexes=[index("filename", "uploadDate")], shard_key=("_id",)
)  # fmt: skip
CHUNKS = Collection(
    "files",
    "fs.chunks",
    GridChunk,
    indexes=[index("files_id", "n", unique=True)],
    shard_key=("files_id",),
    bulk=True,
)


class GridFs:
    """In the deployment's own MongoDB: durable by a majority, backed up with it, nothing else to run."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def put(self, key: str, chunks: AsyncIterable[bytes], *, size: int, sha256: str, mime: str) -> None:
        """See ObjectStore."""
        rows: list[GridChunk] = []
        number = 0
        async for piece in _cut(chunks):
            rows.append(GridChunk(id=f"{key}:{number}", files_id=key, n=number, data=piece))
            number += 1
            if len(rows) >= _AT_ONCE:
                await self._add(rows)
                rows = []
        await self._add(rows)
        row = GridFile(
            id=key, length=size, chunk_size=CHUNK, upload_date=as_datetime(self._clock.now()), filename=key,
            metadata={"mime": mime, "sha256": sha256},
        )  # fmt: skip
        try:
            await OBJECTS.insert(self._db, row)
        except DuplicateKey:  # the same object again
            return

    async def read(self, key: str, first: int, last: int) -> AsyncIterator[bytes]:
        """See ObjectStore."""
        from_, to = first // CHUNK, last // CHUNK
        for at in range(from_, to + 1, _AT_ONCE):
            until = min(to, at + _AT_ONCE - 1)
            rows = await CHUNKS.many(
                self._db, {"files_id": key, "n": {"$gte": at, "$lte": until}}, sort=[("n", 1)], limit=_AT_ONCE
            )
            if len(rows) != until - at + 1:
                raise NoFile
            for row in rows:
                begin = first - row.n * CHUNK if row.n == from_ else 0
                end = last - row.n * CHUNK + 1 if row.n == to else CHUNK
                yield row.data[begin:end]

    async def delete(self, key: str) -> None:
        """See ObjectStore."""
        await OBJECTS.delete(self._db, {"_id": key})
        await CHUNKS.delete(self._db, {"files_id": key})

    async def listed(self) -> AsyncIterator[StoredObject]:
        """See ObjectStore."""
        async for row in OBJECTS.scan(self._db, {}):
            yield StoredObject(row.id, row.length)

    async def _add(self, rows: list[GridChunk]) -> None:
        try:
            await CHUNKS.insert_many(self._db, rows)
        except DuplicateKey:
            for row in rows:  # an earlier try came this far: keys are ids, so it is the same content
                await CHUNKS.update(self._db, {"files_id": row.files_id, "n": row.n}, {"$set": {"data": row.data}})


async def _cut(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of CHUNK."""
    held = bytearray()
    async for chunk in chunks:
        held += chunk
        while len(held) >= CHUNK:
            yield bytes(held[:CHUNK])
            del held[:CHUNK]
    if held:
        yield bytes(held)
