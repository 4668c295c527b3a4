"""Frames a client sends. Odd numbers and PONG; unknown numbers and unknown fields are ignored."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.core.ids import Id
from octshop_rt.im.wire.fields import (
    MOST_PREVIEW,
    MOST_TEXT,
    Body,
    ClientId,
    Context,
    Device,
    Heads,
    RequestNumber,
    SayKind,
    Seq,
    Token,
    Topic,
    Word,
)


class Hello(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=1):
    """First frame, within five seconds. `tok` is a one-time ticket or the resume token of the last WELCOME."""

    v: Annotated[int, Meta(ge=1, le=1_000)]
    tok: Token
    dev: Device
    plat: Word | None = None
    app: Word | None = None
    lang: Word | None = None
    caps: Annotated[list[Word], Meta(max_length=32)] = []
    bg: bool = False


class Auth(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=3):
    """Renew the sign-in in place: same person, fresh token. Answer RES."""

    i: RequestNumber
    tok: Token


class Send(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=5):
    """Say something. Answer SENT or ERR; the same (c, m) may be sent again for ever and never makes two."""

    i: RequestNumber
    c: Id
    m: ClientId
    k: SayKind
    b: Body
    re: Seq | None = None
    p: ClientId | None = None


class Ack(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=7):
    """Received up to these numbers, cumulative. No answer."""

    d: Heads


class Read(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=9):
    """Read up to `s`. No answer; CUR goes to everyone in the conversation."""

    c: Id
    s: Seq


class Sync(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=11):
    """What changed? `heads` are the numbers the client has; answer SYNCED, page by page through `cur`."""

    i: RequestNumber
    heads: Heads = {}
    cur: Annotated[str, Meta(max_length=200)] | None = None
    lim: Annotated[int, Meta(ge=1, le=200)] = 100
    per: Annotated[int, Meta(ge=0, le=50)] = 20


class Pull(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=13, rename={"from_": "from"}):
    """Entries with from <= s <= to; the newest `n` of them if `rev`, else the oldest. Answer PULLED."""

    i: RequestNumber
    c: Id
    from_: Seq = 1
    to: Seq | None = None
    n: Annotated[int, Meta(ge=1, le=200)] = 50
    rev: bool = False


class Signal(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=15):
    """A passing sign. Lossy, never stored, no answer. `preview` shows the shop's side what a buyer is writing (`d`)."""

    c: Id
    k: Literal["typing", "preview"]
    d: Annotated[str, Meta(max_length=MOST_PREVIEW)] | None = None


class OpArgs(Struct, frozen=True, kw_only=True, omit_defaults=True):
    shop_id: Id | None = None
    ctx: Context | None = None
    s: Seq | None = None
    text: Annotated[str, Meta(max_length=MOST_TEXT)] | None = None


class Op(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=17):
    """Do something to a conversation, again and again without harm. `open` {shop_id, ctx?} makes or finds the buyer's
    one with that shop; `recall` {s} empties an entry of one's own in `c`, `edit` {s, text} replaces its text.
    """

    i: RequestNumber
    op: Literal["open", "recall", "edit"]
    c: Id | None = None
    a: OpArgs = OpArgs()


class Sub(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=19):
    """Start or stop hearing NOTICEs about these objects. Answer RES."""

    i: RequestNumber
    k: Topic
    ids: Annotated[list[Id], Meta(min_length=1, max_length=50)]
    on: bool = True


class Pong(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=30):
    """Answer to PING."""

    n: RequestNumber


Incoming = Hello | Auth | Send | Ack | Read | Sync | Pull | Signal | Op | Sub | Pong
