"""What always holds of files: for fsck, fault tests and operators."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.core.clock import MINUTE, Millis
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database
from octshop_rt.im.media import store
from octshop_rt.im.media.model import UNSENT_MS, Hold
from octshop_rt.im.media.objects import ObjectStore

GRACE_MS = 30 * MINUTE  # an upload, a claim or a deletion may be in hand


async def check_objects(db: Database, objects: ObjectStore, now: Millis) -> AsyncIterator[Finding]:
    """F98: bytes and rows belong together, in length too. What is young may be on its way in or out."""
    lengths: dict[str, int] = {}
    async for row in store.FILES.scan(db, {}):
        lengths[row.id] = row.size if row.state == "ready" else -1
        if row.thumb:
            lengths[f"{row.id}.t"] = row.thumb if row.state == "ready" else -1
    async for one in objects.listed():
        if one.key not in lengths:
            if not await _young(db, one.key.removesuffix(".t"), now):
                yield Finding(check="F98", object_id=one.key, expected="a file", found=f"{one.size} bytes without")
        elif (length := lengths.pop(one.key)) not in {one.size, -1}:
            yield Finding(check="F98", object_id=one.key, expected=f"{length} bytes", found=str(one.size))
    for key, length in lengths.items():
        if length >= 0:
            yield Finding(check="F98", object_id=key, expected=f"{length} bytes", found="none")


async def _young(db: Database, file_id: str, now: Millis) -> bool:
    """Whether the file was made a moment before or after this run read the rows."""
    return await store.file(db, file_id) is not None or file_id[:11] > store.born(now - GRACE_MS - UNSENT_MS)


async def hold_of(db: Database, c: str, f: str, m: str) -> Hold | None:
    """What the entry of that name holds. For the checks of conversations."""
    return await store.held_by(db, c, f, m)


async def is_there(db: Database, file_id: str) -> bool:
    """Whether a file may still be shown."""
    row = await store.file(db, file_id)
    return row is not None and row.state == "ready"


async def held(db: Database) -> AsyncIterator[Hold]:
    """Everything that is held."""
    async for row in store.HOLDS.scan(db, {}):
        yield row


async def _held_files_exist(db: Database) -> AsyncIterator[Finding]:
    """F97: what an entry may show is there."""
    async for row in held(db):
        if not await is_there(db, row.file_id) and await store.held_by(db, row.c, row.f, row.m) is not None:
            yield Finding(check="F97", object_id=row.id, expected=f"file {row.file_id}", found="none")


CHECKS: tuple[Check, ...] = (Check(id="F97", text="every held file is there", run=_held_files_exist),)
