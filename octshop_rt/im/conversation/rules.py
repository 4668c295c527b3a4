"""Pure decisions about conversations: who stands on which side, what may be said, what counts as unread or missing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import get_args

import msgspec

from octshop_rt.core.auth.model import Buyer, Right
from octshop_rt.core.clock import MINUTE
from octshop_rt.im.conversation.model import (
    BadCard,
    BadPlace,
    Conversation,
    EmptyMessage,
    Entry,
    NoFileNamed,
    NotEditable,
    NotYourEntry,
    Party,
    TooLateToEdit,
    TooLateToRecall,
)
from octshop_rt.im.wire.fields import MOST_PREVIEW, Body, CardKind, EntryKind, MediaKind, Role, Side, Visibility
from octshop_rt.im.wire.outgoing import Ent

# A missing number younger than this may still be on its way to the majority; older, it was rolled back.
HOLE_MS = 5_000
RECALL_MS: dict[Side, int] = {"buyer": 2 * MINUTE, "staff": 10 * MINUTE}
EDIT_MS = 15 * MINUTE
MEDIA: frozenset[EntryKind] = frozenset(get_args(MediaKind))
CARDS: frozenset[EntryKind] = frozenset(get_args(CardKind))
PROVED = MEDIA | CARDS  # kinds whose content the server makes
MOST_UNREAD = 100
MOST_LOOKED = 200  # entries looked through for them: the other side may have said nothing in a very long log
# A page of PULL or SYNC ends before a frame could pass the 256 KiB that WELCOME promises.
PAGE_BYTES = 160 * 1024
PER_CONVERSATION_BYTES = 48 * 1024
_AROUND_BYTES = 260  # of an entry, beside its body


def side(who: Party, conversation: Conversation) -> Side | None:
    """On which side `who` stands in it; None for outsiders. Staff need the chat right at that shop."""
    if isinstance(who, Buyer):
        return "buyer" if conversation.buyer_id in who.ids else None
    # Asked for every frame: the grants are looked at where they lie.
    answers = any(grant.shop_id == conversation.shop_id and Right.CHAT in grant.rights for grant in who.grants)
    return "staff" if answers else None


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
        return {person_room(person_id) for person_id in who.ids}
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
    if kind in MEDIA:
        if body.file is None:
            raise NoFileNamed
        return Body(file=body.file)
    if body.id is None:
        raise BadCard
    return Body(id=body.id)


def readable(body: Body) -> tuple[str, ...]:
    """Everything in it that people read."""
    return tuple(text for text in (body.text, body.title, body.name) if text is not None)


def reworded(body: Body, texts: Sequence[str]) -> Body:
    """The body with other words in the places of `readable`."""
    words = iter(texts)
    fresh = {name: next(words) for name in ("text", "title", "name") if getattr(body, name) is not None}
    return msgspec.structs.replace(body, **fresh)


def fingerprint(kind: EntryKind, body: Body, re: int | None) -> str:
    """Hash of what its author said; equal for equal content in either encoding. Of cards and files that is which one:
    the rest is the server's, and may read differently when the same message is sent again. Over JSON, whose bytes for
    an old body stay the same when Body grows a field (a msgpack map's head does not).
    """
    if kind in CARDS:
        body = Body(id=body.id)
    elif kind in MEDIA:
        body = Body(file=body.file)
    return hashlib.blake2b(msgspec.json.encode((kind, body, re)), digest_size=12).hexdigest()


def quotable(quoted: Entry | None, kind: EntryKind) -> bool:
    """Whether an entry of `kind` may answer `quoted`: it still stands, and all who will hear the one saw the other."""
    if quoted is None or quoted.rc is not None or quoted.k in {"event", "void"}:
        return False
    return quoted.vis is None or visibility(kind) == quoted.vis


def said_by(entry: Entry, who: Party, mine: Side) -> bool:
    """Whether `who` said it, on that side; a buyer also as the guest he was."""
    return entry.fr == mine and entry.f in (who.ids if isinstance(who, Buyer) else (who.person_id,))


def may_recall(entry: Entry, who: Party, mine: Side, now: int) -> None:
    """NotYourEntry unless `who` said it on that side; TooLateToRecall."""
    if not said_by(entry, who, mine) or entry.k in {"event", "void"}:
        raise NotYourEntry
    if now - entry.ts > RECALL_MS[mine]:
        raise TooLateToRecall(minutes=RECALL_MS[mine] // MINUTE)


def may_edit(entry: Entry, who: Party, mine: Side, now: int) -> None:
    """NotYourEntry unless `who` said it on that side; NotEditable what is no text or was recalled; TooLateToEdit."""
    if not said_by(entry, who, mine):
        raise NotYourEntry
    if entry.k not in {"text", "note"} or entry.rc is not None:
        raise NotEditable
    if now - entry.ts > EDIT_MS:
        raise TooLateToEdit(minutes=EDIT_MS // MINUTE)


def preview(text: str) -> str:
    """As much of a draft as fits into 256 bytes, its end: that is where the person is writing."""
    return text.encode()[-MOST_PREVIEW:].decode(errors="ignore")


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


def weight(ent: Ent) -> int:
    """Bytes of an entry in a frame, in the longer of the two encodings."""
    return _AROUND_BYTES + len(msgspec.json.encode(ent.b))


def oldest_within(ents: Sequence[Ent], most: int) -> list[Ent]:
    """As many as fit, from the old end, at least one."""
    kept: list[Ent] = []
    for ent in ents:
        most -= weight(ent)
        if kept and most < 0:
            break
        kept.append(ent)
    return kept


def newest_within(ents: Sequence[Ent], most: int) -> list[Ent]:
    """As many as fit, from the new end, ascending, at least one."""
    return oldest_within(ents[::-1], most)[::-1]


def unread(entries: Sequence[Entry], read: int, mine: Side) -> int:
    """How many of `entries` the other side said after `read`. The buyer hears staff and the bot; staff the buyer."""
    return sum(1 for entry in entries if entry.s > read and _heard(entry, mine))


def _heard(entry: Entry, mine: Side) -> bool:
    return entry.fr in heard_by(mine) and entry.vis is None and entry.rc is None


def age(conversation: Conversation) -> tuple[int, str]:
    """In this order a person's conversations with one shop follow each other; the last one goes on."""
    return max(conversation.resumed_at, conversation.created_at), conversation.id


def goes_on(conversations: Sequence[Conversation]) -> Conversation | None:
    """Of one person's conversations with one shop."""
    return max(conversations, key=age, default=None)


def one_history(conversations: Sequence[Conversation], same: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """{the conversation that goes on between a human being and a shop: the earlier ones, newest first}. `same` names
    all ids of those who have several: a guest who signs in keeps what was said on both sides of it.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for one in sorted(conversations, key=age, reverse=True):
        if one.buyer_id in same:
            groups.setdefault((one.shop_id, *same[one.buyer_id]), []).append(one.id)
    return {cs[0]: cs[1:] for cs in groups.values() if len(cs) > 1}


def heard_by(mine: Side) -> tuple[Role, ...]:
    """Whose words count as unread for that side."""
    return ("staff", "bot") if mine == "buyer" else ("buyer",)


def other(mine: Side) -> Side:
    """The side across."""
    return "staff" if mine == "buyer" else "buyer"


def visibility(kind: EntryKind) -> Visibility | None:
    """Notes are the shop's alone."""
    return "staff" if kind == "note" else None
