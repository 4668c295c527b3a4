"""Pure decisions about files: what they may be called, which kinds are taken, who may see one, what an entry says."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from octshop_rt.im.media.model import ALLOWED, MIB, BadMedia, Facts, File, FileTooLarge, Owner, PlaysTooLong
from octshop_rt.im.wire.fields import Body, MediaKind

# Documents people send each other: extension -> (type, how such bytes begin). Nothing that a browser would run.
_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
DOCUMENTS: Final[dict[str, tuple[str, bytes]]] = {
    "pdf": ("application/pdf", b"%PDF-"),
    "zip": ("application/zip", _ZIP),
    "docx": (f"{_OFFICE}.wordprocessingml.document", _ZIP),
    "xlsx": (f"{_OFFICE}.spreadsheetml.sheet", _ZIP),
    "pptx": (f"{_OFFICE}.presentationml.presentation", _ZIP),
    "doc": ("application/msword", _OLE),
    "xls": ("application/vnd.ms-excel", _OLE),
    "ppt": ("application/vnd.ms-powerpoint", _OLE),
    "txt": ("text/plain", b""),
    "csv": ("text/csv", b""),
}
TAKES: Final[dict[MediaKind, str]] = {
    "image": "JPG, PNG, WebP, GIF",
    "voice": "M4A, MP3, Ogg Opus, WebM, WAV",
    "video": "MP4, WebM",
    "file": ", ".join(one.upper() for one in DOCUMENTS),
}
_LONGEST_NAME: Final = 100


def clean_name(name: str) -> str:
    """A name as it may be shown and saved: no path, no invisible or direction-turning characters, no leading dots."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    kept = "".join(one for one in last if unicodedata.category(one) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
    kept = kept.strip(" .")
    if len(kept) <= _LONGEST_NAME:
        return kept
    stem, dot, ending = kept.rpartition(".")
    return f"{stem[: _LONGEST_NAME - 10]}.{ending[:9]}" if dot else kept[:_LONGEST_NAME]


def document(name: str, head: bytes) -> str:
    """The type of a document by its name, if its bytes begin as such do. BadMedia for any other."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    mime, begins = DOCUMENTS.get(ending, ("", b""))
    if not mime or not head.startswith(begins) or (not begins and b"\0" in head):
        raise BadMedia(takes=TAKES["file"])
    return mime


def check(kind: MediaKind, facts: Facts) -> None:
    """Size and length of what is about to be kept. FileTooLarge, PlaysTooLong."""
    allowed = ALLOWED[kind]
    if facts.size > allowed.bytes:
        raise FileTooLarge(most_mib=allowed.bytes // MIB)
    if allowed.ms and (facts.ms or 0) > allowed.ms + 1_000:  # recorders stop a little late
        raise PlaysTooLong(most_s=allowed.ms // 1000)


def owns(file: File, owner: Owner) -> bool:
    """Whether this is the person who uploaded it, on the same side."""
    return file.owner_id in owner.ids and file.side == owner.side


def body(file: File) -> Body:
    """What an entry that shows the file says: all of it from what is stored."""
    poster = True if file.kind == "video" and file.thumb else None
    return Body(
        file=file.id, name=file.name or None, mime=file.mime, size=file.size, w=file.w, h=file.h, ms=file.ms,
        poster=poster,
    )  # fmt: skip
