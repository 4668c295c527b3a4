"""Shapes of push: a device that may be woken, an unread spell of one side of a conversation, and the refusals."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError, Lang
from octshop_rt.core.statemachine import Life
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.wire.fields import Side

Endpoint = Annotated[str, Meta(min_length=12, max_length=1_000, pattern=r"^https?://[!-~]+$(?!\n)")]
PublicKey = Annotated[str, Meta(min_length=87, max_length=87, pattern=r"^[A-Za-z0-9_-]+$(?!\n)")]
AuthSecret = Annotated[str, Meta(min_length=22, max_length=22, pattern=r"^[A-Za-z0-9_-]+$(?!\n)")]
SpellState = Literal["idle", "waiting", "told"]

LIFE: Life[SpellState] = Life("push", {"idle": ("waiting",), "waiting": ("idle", "told"), "told": ("waiting",)})


class Subscription(Struct, frozen=True, kw_only=True):
    """One browser of one person, as its push service knows it. `id` is the fingerprint of the endpoint. It holds as
    long as the session it was made in; `preview` lets the message's text go along.
    """

    id: str
    side: Side
    person_id: str
    session_id: str
    endpoint: str
    p256dh: str
    auth: str
    preview: bool
    lang: Lang
    at: Millis


class Spell(Struct, frozen=True, kw_only=True):
    """What one side of a conversation has to hear, and whether it was told. One row a side, for ever.

    `s` is the newest word heard for it; `due_at` when to look again (None: not at all); `away_at` when a look found
    nobody there; `told_s` what the last push told of. Who changes it names the rev seen.
    """

    id: str
    c: str
    side: Side
    shop_id: str
    buyer_id: str
    s: int
    at: Millis
    state: SpellState
    rev: int = 1
    due_at: Millis | None = None
    away_at: Millis | None = None
    told_s: int = 0
    told_at: Millis | None = None


class Mark(Struct, frozen=True, kw_only=True):
    """How far the log was searched for words to tell of, and when it was last somebody's turn to search."""

    id: str
    until: Millis
    turn_at: Millis


class Standing(Struct, frozen=True, kw_only=True):
    """What one side has not read. `reached` is the newest number it has read or said."""

    reached: int
    unread: tuple[Entry, ...]


class BadDevice(DomainError):
    """The endpoint is not of a push service we know, or its key is not a key."""

    code = "im.bad_push_device"
    status = 422
    zh = "此浏览器的推送服务暂不支持"
    en = "The push service of this browser is not supported"
