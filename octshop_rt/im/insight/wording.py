"""What an entry says in words, and a piece of it around what was sought. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from octshop_rt.core import words
from octshop_rt.im.conversation.model import Conversation, Entry
from octshop_rt.im.insight.model import Found

MOST_TOKENS = 400
_BEFORE = 24
_LENGTH = 120


class Piece(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of an excerpt; `hit`: it is what was sought."""

    text: str
    hit: bool = False


def said(entry: Entry) -> str:
    """Everything a person could search for in it; empty for what is recalled, wiped or no words."""
    if entry.rc is not None or entry.k in {"void", "event"}:
        return ""
    parts = (entry.b.text, entry.b.title, entry.b.name)
    return " ".join(part for part in parts if part)


def row(conversation: Conversation, entry: Entry) -> Found | None:
    """Its row in the index; None if there is nothing to find."""
    tokens = words.index_tokens(said(entry))
    if not tokens:
        return None
    return Found(
        id=entry.id, shop_id=conversation.shop_id, c=entry.c, buyer_id=conversation.buyer_id, s=entry.s, f=entry.f,
        fr=entry.fr, k=entry.k, ts=entry.ts, tokens=tuple(sorted(tokens)[:MOST_TOKENS]),
    )  # fmt: skip


def excerpt(text: str, query: str) -> list[Piece]:
    """About 120 characters around the first hit, hits apart from the rest; the beginning if nothing was sought."""
    places = words.marks(text, query) if query else []
    start = max(0, places[0][0] - _BEFORE) if places else 0
    end = min(len(text), max(start + _LENGTH, places[0][1] if places else 0))
    inside = [(max(a, start), min(b, end)) for a, b in places if a < end and b > start]
    return _pieces(text, start, end, inside)


def _pieces(text: str, start: int, end: int, places: Sequence[tuple[int, int]]) -> list[Piece]:
    found: list[Piece] = []
    at = start
    for a, b in places:
        if a > at:
            found.append(Piece(text=text[at:a]))
        found.append(Piece(text=text[a:b], hit=True))
        at = b
    if at < end:
        found.append(Piece(text=text[at:end]))
    if start > 0 and found:
        found.insert(0, Piece(text="…"))
    if end < len(text):
        found.append(Piece(text="…"))
    return found
