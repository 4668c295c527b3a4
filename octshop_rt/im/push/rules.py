"""Decisions of push, pure: which endpoints are called, when somebody is told, what is said, when it is tried again."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, structs

from octshop_rt.core.clock import DAY, MINUTE, SECOND, Millis
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.push.model import Spell, Standing, Subscription
from octshop_rt.im.wire.fields import Side

MOST_DEVICES = 10
TTL_S = 24 * 3_600
LAST_ROUND = 6
_MOST_TEXT = 80
_MOST_LATER_MS = 10 * MINUTE
_RETRY_MS = (5 * SECOND, 30 * MINUTE)

Step = Literal["settle", "told already", "away", "later", "push"]


class Payload(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a device is told: which conversation with which shop, how many words wait; no text unless asked for."""

    c: str
    side: Side
    shop_id: str
    shop: str
    n: int
    text: str = ""


def allowed(endpoint: str, services: Iterable[str], sandbox_url: str) -> bool:
    """Whether we may call this address: https at a known push service, nothing else; or the simulator, where it is.

    A service is a host name; `*.` before it stands for any one or more labels.
    """
    if sandbox_url and endpoint.startswith(sandbox_url.rstrip("/") + "/push/"):
        return ".." not in endpoint
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    if parts.scheme != "https" or port not in {None, 443} or "@" in parts.netloc or "\\" in endpoint:
        return False
    return any(host.endswith(one[1:]) if one.startswith("*.") else host == one for one in services)


def fingerprint(endpoint: str) -> str:
    """The id of a subscription."""
    return hashlib.sha256(endpoint.encode()).hexdigest()[:40]


def topic(c: str, side: Side) -> str:
    """RFC 8030 §5.4: a newer message of the same topic takes the place of one not yet delivered."""
    return base64.urlsafe_b64encode(hashlib.sha256(f"{c}:{side}".encode()).digest()[:24]).decode()


def heard(seen: Spell | None, fresh: Spell) -> Spell | None:
    """The row after a word of the other side; None if it was heard already."""
    if seen is None:
        return fresh
    if fresh.s <= seen.s:
        return None
    if seen.state == "waiting":
        return structs.replace(seen, s=fresh.s, rev=seen.rev + 1)
    return structs.replace(
        seen,
        s=fresh.s,
        at=fresh.at,
        state="waiting",
        due_at=fresh.due_at,
        away_at=fresh.away_at,
        rev=seen.rev + 1,
    )


def standing(side: Side, read: int, entries: Sequence[Entry]) -> Standing:
    """Of `entries` after the read mark: what the other side's people have said since, and have not taken back."""
    other = "staff" if side == "buyer" else "buyer"
    reached = max([read, *(one.s for one in entries if one.fr == side and one.vis is None)])
    unread = [one for one in entries if one.s > reached and one.fr == other and one.vis is None and one.rc is None]
    return Standing(reached=reached, unread=tuple(unread))


def step(spell: Spell, now: Standing, *, there: bool, at: Millis, grace_ms: int) -> Step:
    """What is to be done with a waiting spell. Two looks a grace apart must both find nobody there."""
    if not now.unread or at - spell.at > DAY:
        return "settle"
    if spell.told_s > now.reached:
        return "told already"
    if there:
        return "later"
    if spell.away_at is None or at - spell.away_at < grace_ms:
        return "away"
    return "push"


def after(spell: Spell, what: Step, *, at: Millis, grace_ms: int) -> Spell:
    """The row after that step."""
    rev = spell.rev + 1
    if what == "settle":
        return structs.replace(spell, state="idle", due_at=None, away_at=None, rev=rev)
    if what == "told already":
        return structs.replace(spell, state="told", due_at=None, away_at=None, rev=rev)
    if what == "later":
        wait = min(max(grace_ms, (at - spell.at) // 10), _MOST_LATER_MS)
        return structs.replace(spell, due_at=at + wait, away_at=None, rev=rev)
    if what == "away":
        away_at = at if spell.away_at is None else spell.away_at
        return structs.replace(spell, due_at=away_at + grace_ms, away_at=away_at, rev=rev)
    return structs.replace(spell, state="told", due_at=None, away_at=None, told_s=spell.s, told_at=at, rev=rev)


def payload(spell: Spell, shop: str, unread: Sequence[Entry], to: Subscription) -> bytes:
    """The message before it is sealed: far below the 4096 bytes that every push service takes."""
    text = ""
    if to.preview and unread[-1].k == "text":
        text = (unread[-1].b.text or "")[:_MOST_TEXT]
    told = Payload(c=spell.c, side=spell.side, shop_id=spell.shop_id, shop=shop[:60], n=len(unread), text=text)
    return msgspec.json.encode(told)


def retry_ms(round_no: int, retry_after: str | None) -> int:
    """How long to wait before the next try: as long as the service asks, within bounds, else longer each time."""
    least, most = _RETRY_MS
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return min(max(int(retry_after[:6]) * SECOND, SECOND), most)
    return min(least * 3**round_no, most)
