"""Use cases of files: keep an upload, show it to who may see it, let an entry hold it, let it go."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator

from octshop_rt.core.clock import DAY, Clock
from octshop_rt.core.errors import Busy, RequestConflict
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import FileDoubt
from octshop_rt.im.media import rules, store
from octshop_rt.im.media.inspection import Inspection, Seen
from octshop_rt.im.media.model import (
    ALLOWED,
    CLAIM_MS,
    POSTER_BYTES,
    POSTER_MS,
    UNSENT_MS,
    Facts,
    File,
    NoFile,
    OverQuota,
    Owner,
    Place,
    Quotas,
    ShopIsFull,
    TooManyUploads,
)
from octshop_rt.im.media.objects import ObjectStore
from octshop_rt.im.media.spool import Spool
from octshop_rt.im.wire.fields import Body, MediaKind

Read = Callable[[int, int], AsyncIterator[bytes]]


class Media:
    """The files of this installation, as one node handles them. `close` ends its helpers."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        ids: Ids,
        outbox: Outbox,
        objects: ObjectStore,
        *,
        quotas: Quotas | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._outbox = outbox
        self._objects = objects
        self._quotas = quotas or Quotas()
        self._running: Counter[str] = Counter()
        self.inspection = Inspection()

    async def close(self) -> None:
        """End the inspecting processes."""
        await self.inspection.close()

    # --- in -----------------------------------------------------------------------------------------------------------

    async def keep(
        self, owner: Owner, request_id: str, kind: MediaKind, name: str, chunks: AsyncIterable[bytes]
    ) -> File:
        """Check and keep what comes. The same request again gives the same file; under another kind RequestConflict.

        Refusals: those of the content, FileTooLarge, PlaysTooLong, OverQuota, ShopIsFull, TooManyUploads. What is
        not sent within a day is thrown away.
        """
        known = await store.by_request(self._db, owner.person_id, request_id)
        if known is not None:
            return _same(known, owner, kind)
        with self._seat(owner):
            await self._check_person(owner, 0)
            async with Spool() as spool:
                await spool.fill(chunks, ALLOWED[kind].bytes)
                name = rules.clean_name(name)
                seen = await self._look(kind, name, spool)
                rules.check(kind, seen.facts)
                await self._check_person(owner, seen.facts.size)
                if owner.shop_id is not None:
                    await self._check_shop(owner.shop_id, seen.facts.size)
                return await self._put(owner, request_id, kind, name, seen, spool)

    async def _look(self, kind: MediaKind, name: str, spool: Spool) -> Seen:
        if kind == "file":
            return Seen(facts=Facts(mime=rules.document(name, spool.head), size=spool.size))
        return await self.inspection.look(kind, spool.path, spool.size)

    async def _put(self, owner: Owner, request_id: str, kind: MediaKind, name: str, seen: Seen, spool: Spool) -> File:
        """First the promise to look after it, then the bytes, then the row: a crash leaves nothing for ever."""
        facts, now = seen.facts, self._clock.now()
        row = File(
            id=self._ids.new("F"), owner_id=owner.person_id, side=owner.side, shop_id=owner.shop_id,
            request_id=request_id, kind=kind, name=name, mime=facts.mime, size=facts.size, w=facts.w, h=facts.h,
            ms=facts.ms, thumb=len(seen.thumb), created_at=now,
            sha256=hashlib.sha256(seen.data).hexdigest() if seen.data else spool.sha256,
        )  # fmt: skip
        await self._doubt(row.id, now + UNSENT_MS)
        whole = _one(seen.data) if seen.data else spool.pieces()
        await self._objects.put(row.id, whole, size=row.size, sha256=row.sha256, mime=row.mime)
        if seen.thumb:
            await self._put_thumb(row.id, seen.thumb)
        try:
            await store.add(self._db, row)
        except DuplicateKey:  # the same request was faster; its file is the answer, ours goes
            await self._delete(row.id)
            known = await store.by_request(self._db, owner.person_id, request_id)
            assert known is not None
            return _same(known, owner, kind)
        return row

    async def _put_thumb(self, file_id: str, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()
        await self._objects.put(_thumb(file_id), _one(data), size=len(data), sha256=digest, mime="image/webp")

    async def put_poster(self, who: Owner, file_id: str, chunks: AsyncIterable[bytes]) -> File:
        """Give one's own film the small picture that stands for it. The first one stays: putting it again changes
        nothing. NoFile unless it is one's own film; NotAPicture, TooManyPixels, FileTooLarge, TooManyUploads; Busy
        while another try is under way.
        """
        file = await self._own_film(who, file_id)
        if file.thumb:
            return file
        with self._seat(who):
            async with Spool() as spool:
                await spool.fill(chunks, POSTER_BYTES)
                drawn = await self.inspection.look("image", spool.path, spool.size)
        now = self._clock.now()
        if not await store.begin_poster(self._db, file_id, now, now - POSTER_MS):
            file = await self._own_film(who, file_id)
            if not file.thumb:
                raise Busy
            return file
        await self._objects.delete(_thumb(file_id))  # what a try left that did not come to its end
        await self._put_thumb(file_id, drawn.thumb)
        done = await store.end_poster(self._db, file_id, len(drawn.thumb))
        if done is None:
            await self._objects.delete(_thumb(file_id))
            raise NoFile
        return done

    async def _own_film(self, who: Owner, file_id: str) -> File:
        file = await store.file(self._db, file_id)
        if file is None or file.state != "ready" or file.kind != "video" or not rules.owns(file, who):
            raise NoFile
        return file

    @contextlib.contextmanager
    def _seat(self, owner: Owner) -> Generator[None]:
        """Uploads of one person run side by side, but not many."""
        if self._running[owner.person_id] >= self._quotas.at_once:
            raise TooManyUploads
        self._running[owner.person_id] += 1
        try:
            yield
        finally:
            self._running[owner.person_id] -= 1
            if not self._running[owner.person_id]:
                del self._running[owner.person_id]

    async def _check_person(self, owner: Owner, size: int) -> None:
        count, taken = await store.uploaded_since(self._db, owner.person_id, self._clock.now() - DAY)
        quotas = self._quotas
        files, most = (
            (quotas.guest_files, quotas.guest_bytes) if owner.guest else (quotas.person_files, quotas.person_bytes)
        )
        if count >= files or taken + size > most:
            raise OverQuota

    async def _check_shop(self, shop_id: str, size: int) -> None:
        if await store.kept_for(self._db, shop_id) + size > self._quotas.shop_bytes:
            raise ShopIsFull

    # --- out ----------------------------------------------------------------------------------------------------------

    async def seen(self, who: Owner, file_id: str) -> File:
        """A file that `who` may see: one's own, or one that an entry of a conversation of theirs shows. NoFile."""
        file = await store.file(self._db, file_id)
        if file is None or file.state != "ready" or not await self._may_see(who, file):
            raise NoFile
        return file

    async def _may_see(self, who: Owner, file: File) -> bool:
        whose = who.ids if who.side == "buyer" else (who.shop_id or "",)
        return rules.owns(file, who) or await store.shown_to(self._db, file.id, who.side, whose)

    def reader(self, file: File) -> Read:
        """Reads the file's bytes first…last."""
        return lambda first, last: self._objects.read(file.id, first, last)

    def thumb_reader(self, file: File) -> Read:
        """Reads the bytes of its small picture."""
        return lambda first, last: self._objects.read(_thumb(file.id), first, last)

    # --- held by entries ----------------------------------------------------------------------------------------------

    async def hold(self, who: Owner, kind: MediaKind, file_id: str, place: Place) -> Body:
        """Let an entry show the file; what it says of it. NoFile unless `who` may see a file of this kind."""
        file = await self.seen(who, file_id)
        if file.kind != kind:
            raise NoFile
        if file.shop_id is None:
            await self._check_shop(place.shop_id, file.size)
        now = self._clock.now()
        claimed = await store.claim(self._db, file_id, place.shop_id, now)
        if claimed is None:
            raise NoFile
        await store.hold(self._db, self._ids, file_id, place, now)
        return rules.body(claimed)

    async def release(self, c: str, f: str, m: str) -> None:
        """The entry shows its file no more. If nothing else does, the file is gone at once. Again: nothing happens."""
        held = await store.held_by(self._db, c, f, m)
        if held is None:
            return
        # The promise first: if this node dies now, the file is looked at again.
        await self._doubt(held.file_id, self._clock.now() + CLAIM_MS)
        await store.let_go(self._db, held)
        if not await store.is_held(self._db, held.file_id) and await store.retire(self._db, held.file_id, held.at):
            await self._delete(held.file_id)

    async def on_file_doubt(self, event: FileDoubt, was_said: Callable[[str, str, str], Awaitable[bool]]) -> None:
        """Due: let the file go unless an entry that was really said shows it."""
        file = await store.file(self._db, event.file_id)
        if file is not None and file.state == "ready":
            async for held in store.holds_of(self._db, file.id):
                if await was_said(held.c, held.f, held.m):
                    return
                if held.at < self._clock.now() - CLAIM_MS:
                    await store.let_go(self._db, held)
            if await store.is_held(self._db, file.id) or not await store.retire(
                self._db, file.id, self._clock.now() - CLAIM_MS
            ):
                await self._doubt(file.id, self._clock.now() + UNSENT_MS)  # just claimed: somebody is sending it
                return
        await self._delete(event.file_id)

    async def _delete(self, file_id: str) -> None:
        """Bytes first: the row is what remembers them."""
        await self._objects.delete(file_id)
        await self._objects.delete(_thumb(file_id))
        await store.forget(self._db, file_id)

    async def _doubt(self, file_id: str, due_at: int) -> None:
        async def work(tx: Transaction) -> None:
            await self._outbox.write(tx, FileDoubt(file_id=file_id), due_at=due_at)

        await self._db.transact(work)


def _same(known: File, owner: Owner, kind: MediaKind) -> File:
    if known.kind != kind or known.side != owner.side or known.state != "ready":
        raise RequestConflict
    return known


def _thumb(file_id: str) -> str:
    return f"{file_id}.t"


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data
