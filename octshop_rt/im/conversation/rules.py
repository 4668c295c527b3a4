"""Pure decisions about conversations: who stands on which side, what may be said, what counts as unread or missing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from octshop_rt.core.auth.model import Buyer, Right
from octshop_rt.im.conversation.model import BadCard, BadPlace, Conversation, EmptyMessage, Entry, Party
from octshop_rt.im.wire.fields import Body, EntryKind, Role, Side, Visibility

# A missing number younger than this may still be on its way to the majority; older, it was rolled back.
HOLE_MS = 5_000
MOST_UNREAD = 100


def side(who: Party, conversation: Conversation) -> Side | None:
    """On which side `who` stands in it; None for outsiders. Staff need the chat right at that shop."""
    if isinstance(who, Buyer):
        return "buyer" if conversation.buyer_id == who.person_id else None
    here = who.at(conversation.shop_id, Right.CHAT)
    return "staff" if here is not None and Right.CHAT in here.rights else None


def chat_shops(who: Party) -> list[str]:
    """The shops whose conversations `who` answers."""
    if isinstance(who, Buyer):
        return []
    return sorted({grant.shop_id for grant in who.grants if Right.CHAT in grant.rights})


def rooms(conversation: Conversation) -> tuple[str, str]:
    """Where its entries are heard: the buyer's devices and everyone who answers for the shop."""
    return person_room(conversation.buyer_id), shop_room(conversation.shop_id)


def home_rooms(who: Party) -> set[str]:
    """Where a person hears what is said to them: buyers as themselves, staff as those who answer for their shops."""
    if isinstance(who, Buyer):
        return {person_room(who.person_id)}
    return {shop_room(shop_id) for shop_id in chat_shops(who)}


def person_room(person_id: str) -> str:
    return f"u:{person_id}"


def shop_room(shop_id: str) -> str:
    return f"s:{shop_id}"


def content(kind: EntryKind, body: Body) -> Body:
    """The body as it is stored: exactly the fields of its kind. EmptyMessage, BadCard, BadPlace."""
    if kind in {"text", "note"}:
        if body.text is None or not body.text.strip():
            raise EmptyMessage
        return Body(text=body.text)
    if kind == "location":
        if body.lat is None or body.lng is None or not (body.title or "").strip():
            raise BadPlace
        return Body(lat=body.lat, lng=body.lng, title=body.title, text=body.text)
    if body.id is None or not (body.title or "").strip():
        raise BadCard
    return Body(id=body.id, title=body.title, price_fen=body.price_fen, picture=body.picture)


def fingerprint(kind: EntryKind, body: Body, re: int | None) -> str:
    """Hash of what is said; equal for equal content in either encoding. Over JSON, whose bytes for an old body stay the
    same when Body grows a field (a msgpack map's head does not).
    """
    return hashlib.blake2b(msgspec.json.encode((kind, body, re)), digest_size=12).hexdigest()


def missing(entries: Sequence[Entry], first: int) -> list[int]:
    """Numbers absent from an ascending run that should begin with `first`."""
    gone: list[int] = []
    expected = first
    for entry in entries:
        gone.extend(range(expected, entry.s))
        expected = entry.s + 1
    return gone


def ripe(entries: Sequence[Entry], gone: Sequence[int], now: int) -> bool:
    """Whether every missing number lies below an entry old enough that nothing can still arrive there."""
    return all(any(entry.s > number and now - entry.ts >= HOLE_MS for entry in entries) for number in gone)


def before_hole(entries: Sequence[Entry], gone: Sequence[int]) -> list[Entry]:
    """The part below the lowest missing number: what may be shown while the hole is young."""
    return [entry for entry in entries if entry.s < gone[0]]


def unread(entries: Sequence[Entry], read: int, mine: Side) -> int:
    """How many of `entries` the other side said after `read`. The buyer hears staff and the bot; staff the buyer."""
    return sum(1 for entry in entries if entry.s > read and entry.fr in heard_by(mine) and entry.vis is None)


def heard_by(mine: Side) -> tuple[Role, ...]:
    """Whose words count as unread for that side."""
    return ("staff", "bot") if mine == "buyer" else ("buyer",)


def other(mine: Side) -> Side:
    """The side across."""
    return "staff" if mine == "buyer" else "buyer"


def visibility(kind: EntryKind) -> Visibility | None:
    """Notes are the shop's alone."""
    return "staff" if kind == "note" else None
