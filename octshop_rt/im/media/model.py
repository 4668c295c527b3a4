"""Shapes and refusals of files. A file belongs to whoever uploaded it; entries of the log hold it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from octshop_rt.core.clock import DAY, MINUTE, Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Id
from octshop_rt.core.statemachine import Life
from octshop_rt.im.wire.fields import MediaKind, Side

MIB = 1024 * 1024
UNSENT_MS = DAY  # an upload nobody has sent by then is thrown away
POSTER_MS = MINUTE  # whoever began to put a poster has put it by then, or never will
CLAIM_MS = 10 * MINUTE  # a send that claimed a file ends long before this: only then may the file go

FileState = Literal["ready", "gone"]
LIFE: Life[FileState] = Life("file", {"ready": ("gone",), "gone": ()})


class Allowance(Struct, frozen=True, kw_only=True):
    """What one upload of a kind may be. `ms` is the longest play; 0 for what does not play."""

    bytes: int
    ms: int = 0


ALLOWED: dict[MediaKind, Allowance] = {
    "image": Allowance(bytes=16 * MIB),
    "voice": Allowance(bytes=4 * MIB, ms=2 * MINUTE),
    "video": Allowance(bytes=100 * MIB, ms=5 * MINUTE),
    "file": Allowance(bytes=50 * MIB),
}
MOST_BYTES = max(one.bytes for one in ALLOWED.values())


POSTER_BYTES = MIB  # a frame of a film as its uploader's browser draws it


class Quotas(Struct, frozen=True, kw_only=True):
    """How much may be kept: of a person or a guest in 24 hours, of a shop in all, and how many uploads of one run at
    once.
    """

    person_files: int = 200
    person_bytes: int = 500 * MIB
    guest_files: int = 20
    guest_bytes: int = 60 * MIB
    shop_bytes: int = 20_480 * MIB
    at_once: int = 3


class Owner(Struct, frozen=True, kw_only=True):
    """Who uploads: a buyer (or guest), or a person at a shop. `was`: the guests a buyer was before signing in."""

    person_id: str
    side: Side
    shop_id: str | None = None
    guest: bool = False
    was: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id under which this person has uploaded or spoken."""
        return (self.person_id, *self.was)


class Facts(Struct, frozen=True, kw_only=True):
    """What the server has found out about a file. `mime` is what the bytes are, not what the client said."""

    mime: str
    size: int
    w: int | None = None
    h: int | None = None
    ms: int | None = None


class File(Struct, frozen=True, kw_only=True):
    """One kept file. Its object has the file's id as key, the thumbnail that with `.t`.

    `poster_at` is when its uploader last began to put a poster to a film.
    `shop_id` is the shop whose space it takes: known at once for staff, from the first sending for buyers. `thumb` is
    the size of the thumbnail, 0 for none. `claimed_at` is when something last said that it holds the file.
    """

    id: str
    owner_id: str
    side: Side
    shop_id: str | None
    request_id: str
    kind: MediaKind
    name: str
    mime: str
    size: int
    sha256: str
    created_at: Millis
    w: int | None = None
    h: int | None = None
    ms: int | None = None
    thumb: int = 0
    state: FileState = "ready"
    claimed_at: Millis = 0
    poster_at: Millis = 0

    def view(self) -> FileView:
        """As it is told to whoever may see it."""
        return FileView(
            id=self.id, kind=self.kind, name=self.name, mime=self.mime, size=self.size, w=self.w, h=self.h, ms=self.ms,
            thumb=self.thumb > 0, created_at=self.created_at,
        )  # fmt: skip


class FileView(Struct, frozen=True, kw_only=True):
    """A file as its uploader gets it back: send its `id` in the body of an entry of the same kind."""

    id: Id
    kind: MediaKind
    name: str
    mime: str
    size: int
    w: int | None = None
    h: int | None = None
    ms: int | None = None
    thumb: bool = False
    created_at: Millis


class Hold(Struct, frozen=True, kw_only=True):
    """An entry shows a file: whoever is in conversation `c` may see it. (c, f, m) is the entry's own name."""

    id: str
    file_id: str
    c: str
    f: str
    m: str
    buyer_id: str
    shop_id: str
    at: Millis


class Place(Struct, frozen=True, kw_only=True):
    """Where a file is to be shown: an entry to be, of a conversation of two."""

    c: str
    f: str
    m: str
    buyer_id: str
    shop_id: str


class StoredObject(Struct, frozen=True):
    """What an object store says it has."""

    key: str
    size: int


class NoFile(DomainError):
    """Missing, gone, of another kind, or not yours to see."""

    code = "media.no_file"
    status = 404
    zh = "文件不存在、已撤回，或您无权查看"
    en = "There is no such file, it was taken back, or it is not yours to see"


class BadMedia(DomainError):
    """The bytes are not what this kind may hold."""

    code = "media.bad_content"
    status = 415
    zh = "无法识别的内容，可用格式：{takes}"
    en = "Not a readable file of this kind; use one of: {takes}"

    def __init__(self, *, takes: str) -> None:
        super().__init__(takes=takes)


class FileTooLarge(DomainError):
    """More bytes than a file of this kind may have."""

    code = "media.too_large"
    status = 413
    zh = "文件太大，最大 {most_mib} MB"
    en = "The file is too large; at most {most_mib} MB"


class PlaysTooLong(DomainError):
    """Longer than a voice note or a short video may be."""

    code = "media.too_long"
    status = 413
    zh = "时长超出限制，最长 {most_s} 秒"
    en = "It plays too long; at most {most_s} seconds"


class EmptyFile(DomainError):
    """Nothing in it."""

    code = "media.empty"
    status = 400
    zh = "文件是空的"
    en = "The file is empty"


class OverQuota(DomainError):
    """The person has uploaded as much as allowed in a day."""

    code = "media.over_quota"
    status = 429
    zh = "今日上传已达上限，请明天再试"
    en = "You have uploaded as much as allowed today; try again tomorrow"


class ShopIsFull(DomainError):
    """The shop's space is used up."""

    code = "media.shop_full"
    status = 429
    zh = "店铺的文件空间已满，请联系店主"
    en = "The shop's space for files is used up; ask the shop's owner"


class TooManyUploads(DomainError):
    """As many uploads of this person run as may at once."""

    code = "media.too_many_uploads"
    status = 429
    retry = True
    zh = "正在上传的文件太多，请等待完成"
    en = "Too many uploads are running; wait for one to finish"
