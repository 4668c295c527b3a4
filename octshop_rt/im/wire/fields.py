"""Bounded field types of the protocol. Every int and str that crosses the wire has a limit here."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.core.clock import Millis
from octshop_rt.core.ids import Id
from octshop_rt.core.money import Fen

MOST_TEXT = 10_000
MOST_PREVIEW = 256  # characters over the wire; the server passes on as many as fit into 256 bytes
MOST_HEADS = 500
MOST_FRAMES = 64

RequestNumber = Annotated[int, Meta(ge=0, le=2**32 - 1, description="chosen by the client, echoed in the answer")]
Seq = Annotated[int, Meta(ge=0, le=2**53 - 1, description="number of an entry in its conversation, from 1")]
# Made by the sender before the first try and kept over all retries.
ClientId = Annotated[str, Meta(min_length=16, max_length=36, pattern=r"^[A-Za-z0-9_-]+$(?!\n)")]
Token = Annotated[str, Meta(min_length=1, max_length=3_500)]
Device = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$(?!\n)")]
Word = Annotated[str, Meta(max_length=64)]
Heads = Annotated[dict[Id, Seq], Meta(max_length=MOST_HEADS)]

# What a SUB may watch. `case` is one stretch of service (a buyer's place in the queue), `desk` one agent's work at a
# shop, `board` the whole of a shop's service.
Topic = Literal["till", "voucher", "order", "case", "desk", "board"]
MediaKind = Literal["image", "voice", "video", "file"]
CardKind = Literal["product", "order", "coupon", "aftersale"]
Role = Literal["buyer", "staff", "bot", "system"]
Side = Literal["buyer", "staff"]  # on which side of a conversation a person stands
SayKind = Literal[
    "text", "image", "voice", "video", "file", "location", "product", "order", "coupon", "aftersale", "note"
]
EntryKind = SayKind | Literal["event", "void"]
# Seen by everyone in the conversation, or by the shop's side alone: buyers get a void under the same number.
Visibility = Literal["staff"]
Degrees = Annotated[int, Meta(ge=-180_000_000, le=180_000_000, description="millionths of a degree, GCJ-02")]


class Option(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A button under an automatic answer: tapping it sends `id` to POST /buyer/answers/{b.id}/choice. `en`: the same
    for who reads English, where the shop has written it.
    """

    id: Id
    text: Annotated[str, Meta(max_length=200)]
    en: Annotated[str, Meta(max_length=200)] = ""


class Body(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an entry says; which fields, its kind says.

    `text`, `note`: text; of the bot also id (the answer's) and opts (its buttons).
    Cards (`product`, `order`, `coupon`, `aftersale`): id, title, price_fen?, picture?, a snapshot
    and no live view; of a `coupon`: id (its campaign's), title, off: price_fen or n basis points, from min_fen?;
    of an `aftersale`: the sum asked back as price_fen, and ev, the case's state when it was shown.
    `image`, `voice`, `video`, `file`: file, name?, mime, size (bytes), w?, h? (pixels), ms? (length;
    of an `image` that moves, too), poster? (a `video` has a small picture).
    `location`: lat, lng, title, text? (address). `event`: ev, and what that event needs of who, to, s, text, id, n, at.
    """

    text: Annotated[str, Meta(max_length=MOST_TEXT)] | None = None
    id: Id | None = None
    title: Annotated[str, Meta(max_length=200)] | None = None
    price_fen: Fen | None = None
    min_fen: Fen | None = None
    picture: Annotated[str, Meta(max_length=300)] | None = None
    opts: Annotated[tuple[Option, ...], Meta(max_length=6)] | None = None
    file: Id | None = None
    name: Annotated[str, Meta(max_length=200)] | None = None
    mime: Annotated[str, Meta(max_length=100)] | None = None
    size: Annotated[int, Meta(ge=0, le=2**40)] | None = None
    w: Annotated[int, Meta(ge=0, le=100_000)] | None = None
    h: Annotated[int, Meta(ge=0, le=100_000)] | None = None
    ms: Annotated[int, Meta(ge=0, le=86_400_000)] | None = None
    poster: bool | None = None
    lat: Degrees | None = None
    lng: Degrees | None = None
    ev: Word | None = None
    who: Annotated[str, Meta(max_length=64)] | None = None
    to: Annotated[str, Meta(max_length=200)] | None = None
    s: Seq | None = None
    n: Annotated[int, Meta(ge=0, le=2**31)] | None = None
    at: Millis | None = None


class Context(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the buyer came from when the conversation was opened: a page or a thing."""

    k: Literal["shop", "product", "order", "aftersale", "activity"]
    id: Id
    title: Annotated[str, Meta(max_length=200)] | None = None
