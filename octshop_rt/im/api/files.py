"""Uploads and downloads of chat, for buyers and for a shop's staff. Bodies stream; nothing active is ever served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from urllib.parse import quote

from msgspec import Meta, Struct

from octshop_rt.core.auth.model import VISITOR, Buyer, Permission, Right, ShopStaff, at_shop
from octshop_rt.core.errors import Busy
from octshop_rt.core.http.routes import Call, Limit, Route
from octshop_rt.core.http.streams import Flow, Stream
from octshop_rt.core.ids import RequestId
from octshop_rt.core.uploads import NotAPicture, TooManyPixels
from octshop_rt.im.media.model import (
    MOST_BYTES,
    POSTER_BYTES,
    BadMedia,
    EmptyFile,
    File,
    FileTooLarge,
    FileView,
    NoFile,
    OverQuota,
    Owner,
    PlaysTooLong,
    ShopIsFull,
    TooManyUploads,
)
from octshop_rt.im.media.service import Media
from octshop_rt.im.wire.fields import MediaKind

UPLOAD_REFUSALS: Final = (
    BadMedia, EmptyFile, FileTooLarge, NotAPicture, OverQuota, PlaysTooLong, ShopIsFull, TooManyPixels, TooManyUploads,
)  # fmt: skip
POSTER_REFUSALS: Final = (Busy, EmptyFile, FileTooLarge, NoFile, NotAPicture, TooManyPixels, TooManyUploads)
# Shown in the page; everything else is only ever saved.
SHOWN: Final = ("image/", "audio/", "video/")
POLICY: Final = "sandbox; default-src 'none'; frame-ancestors 'none'"
THUMB_TYPE: Final = "image/webp"


class UploadQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the body is. `request_id` is kept over retries: the same upload again gives the same file."""

    request_id: RequestId
    kind: MediaKind
    name: Annotated[str, Meta(max_length=200)] = ""


class Files:
    """Raw bodies in, streams out."""

    def __init__(self, media: Media) -> None:
        self._media = media

    def routes(self) -> list[Route]:
        """Below /buyer/files and /shop/{shop_id}/files."""
        upload = Limit(name="files.upload", burst=30, per_ms=60_000)
        doors = (
            ("/buyer/files", VISITOR, self.upload, self.download, self.thumbnail, self.poster),
            (
                "/shop/{shop_id}/files", at_shop(Right.CHAT),
                self.shop_upload, self.shop_download, self.shop_thumbnail, self.shop_poster,
            ),
        )  # fmt: skip
        routes: list[Route] = []
        for path, permission, take, give, small, poster in doors:
            routes += [
                Route(
                    "POST", path, take, permission=permission, body=Stream, query=UploadQuery, answer=FileView,
                    status=201, errors=UPLOAD_REFUSALS, max_body=MOST_BYTES, limit=upload,
                    summary="Keep a file, to be sent in a conversation within a day",
                ),
                _download(f"{path}/{{file_id}}", permission, give, "A file of a conversation one is in, or one's own"),
                _download(f"{path}/{{file_id}}/thumbnail", permission, small, "The small picture of a file"),
                Route(
                    "PUT", f"{path}/{{file_id}}/poster", poster, permission=permission, body=Stream, answer=FileView,
                    errors=POSTER_REFUSALS, max_body=POSTER_BYTES, limit=upload,
                    summary="Put the small picture to one's own film, once",
                ),
            ]  # fmt: skip
        return routes

    async def upload(self, call: Call[Buyer], body: Stream) -> FileView:
        return await self._take(_buyer(call), call.query, body)

    async def shop_upload(self, call: Call[ShopStaff], body: Stream) -> FileView:
        return await self._take(_staff(call), call.query, body)

    async def download(self, call: Call[Buyer]) -> Flow:
        return self._whole(await self._media.seen(_buyer(call), call.path["file_id"]))

    async def shop_download(self, call: Call[ShopStaff]) -> Flow:
        return self._whole(await self._media.seen(_staff(call), call.path["file_id"]))

    async def thumbnail(self, call: Call[Buyer]) -> Flow:
        return self._small(await self._media.seen(_buyer(call), call.path["file_id"]))

    async def shop_thumbnail(self, call: Call[ShopStaff]) -> Flow:
        return self._small(await self._media.seen(_staff(call), call.path["file_id"]))

    async def poster(self, call: Call[Buyer], body: Stream) -> FileView:
        return (await self._media.put_poster(_buyer(call), call.path["file_id"], aiter(body))).view()

    async def shop_poster(self, call: Call[ShopStaff], body: Stream) -> FileView:
        return (await self._media.put_poster(_staff(call), call.path["file_id"], aiter(body))).view()

    async def _take(self, owner: Owner, asked: UploadQuery, body: Stream) -> FileView:
        file = await self._media.keep(owner, asked.request_id, asked.kind, asked.name, aiter(body))
        return file.view()

    def _whole(self, file: File) -> Flow:
        shown = file.kind != "file" and file.mime.startswith(SHOWN)
        return Flow(
            read=self._media.reader(file),
            size=file.size,
            tag=file.id,
            content_type=file.mime if shown else "application/octet-stream",
            headers=_headers(file.name, shown=shown),
        )

    def _small(self, file: File) -> Flow:
        if not file.thumb:
            raise NoFile
        return Flow(
            read=self._media.thumb_reader(file),
            size=file.thumb,
            tag=f"{file.id}.t",
            content_type=THUMB_TYPE,
            headers=_headers("", shown=True),
        )


def _download(path: str, permission: Permission, handler: Callable[..., Awaitable[Flow]], summary: str) -> Route:
    return Route("GET", path, handler, permission=permission, answer=Flow, errors=(NoFile,), summary=summary)


def _headers(name: str, *, shown: bool) -> dict[str, str]:
    """Kept by the browser, and asked about each time: what was recalled is gone there too."""
    how = "inline" if shown else "attachment"
    called = f"; filename*=UTF-8''{quote(name, safe='')}" if name else ""
    return {
        "Content-Disposition": how + called,
        "Content-Security-Policy": POLICY,
        "Cache-Control": "private, no-cache",
    }


def _buyer(call: Call[Buyer]) -> Owner:
    return Owner(person_id=call.who.person_id, side="buyer", guest=call.who.guest, was=call.who.was)


def _staff(call: Call[ShopStaff]) -> Owner:
    return Owner(person_id=call.who.person_id, side="staff", shop_id=call.who.shop_id)
