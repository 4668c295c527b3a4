"""Bounded field types of the protocol. Every int and str that crosses the wire has a limit here."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.core.ids import Id
from octshop_rt.core.money import Fen

MOST_TEXT = 10_000
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

Topic = Literal["till", "voucher", "order", "bill"]
Role = Literal["buyer", "staff", "system"]
EntryKind = Literal["text", "product", "order", "void"]


class Body(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an entry says. `k=text` uses `text`; the cards use the other fields (a snapshot, not a live view)."""

    text: Annotated[str, Meta(max_length=MOST_TEXT)] | None = None
    id: Id | None = None
    title: Annotated[str, Meta(max_length=200)] | None = None
    price_fen: Fen | None = None
    picture: Annotated[str, Meta(max_length=300)] | None = None


class Context(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the buyer came from when the conversation was opened: a page, product or order."""

    k: Literal["shop", "product", "order"]
    id: Id
    title: Annotated[str, Meta(max_length=200)] | None = None
