"""Frames the server sends. Fields are only ever added, with defaults; absent means null."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from octshop_rt.core.clock import Millis
from octshop_rt.im.wire.fields import Body, Context, EntryKind, Role, Visibility


class Limits(Struct, frozen=True, kw_only=True):
    """What this server takes: bytes of a frame in and out, unanswered SENDs, characters of a text."""

    frame: int
    out: int
    window: int
    text: int


class Welcome(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=2):
    """You are in. `tok` opens the next connection without a ticket; `hb` is the seconds between PINGs."""

    sid: str
    uid: str
    role: Role
    node: str
    boot: str
    now: Millis
    hb: int
    lim: Limits
    tok: str | None = None
    resumed: bool = False
    caps: list[str] = []


class Sent(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=4):
    """Stored by a majority, journalled, and numbered `s`. `dup`: it already was."""

    i: int
    c: str
    m: str
    s: int
    ts: Millis
    dup: bool = False


class Ent(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=20):
    """One entry of a conversation's log. `vis` staff: the buyer sees a void. `ed`, `rc`: edited, recalled at."""

    c: str
    s: int
    id: str
    f: str
    fr: Role
    m: str
    k: EntryKind
    b: Body
    ts: Millis
    re: int | None = None
    vis: Visibility | None = None
    ed: Millis | None = None
    rc: Millis | None = None


class Cur(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=21):
    """Someone has read (`r`) or received (`d`) up to a number. Max-merge it: order and repetition are harmless."""

    c: str
    u: str
    fr: Role
    r: int | None = None
    d: int | None = None


class SignalOut(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=22):
    """Someone is typing; `preview` carries the words so far in `d`. Lossy."""

    c: str
    u: str
    fr: Role
    k: str
    d: str | None = None


class Gap(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=23):
    """The log has reached these numbers and you were not sent everything: PULL when you can."""

    heads: dict[str, int]


class Peer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The other side, as a person reads it: the shop for a buyer, the buyer for the shop."""

    id: str
    name: str


class Synced(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One conversation that differs from what the client has. `ents` are its newest entries."""

    c: str
    head: int
    read: int
    unread: int
    peer: Peer
    shop_id: str
    peer_read: int = 0
    floor: int = 0
    ctx: Context | None = None
    ents: list[Ent] = []
    more: bool = False
    earlier: list[str] = []  # conversations of the same person with the shop that came before: PULL shows them


class SyncedPage(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=25):
    """Answer to SYNC. Not `done`: SYNC again with `cur` and the same heads."""

    i: int
    convs: list[Synced]
    done: bool
    gone: list[str] = []
    cur: str | None = None


class Pulled(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=26):
    """Answer to PULL, ascending. `min` is the lowest number you may see, `head` the highest there is."""

    i: int
    c: str
    ents: list[Ent]
    min: int
    head: int
    more: bool = False


class ResData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    c: str | None = None
    tok: str | None = None


class Res(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=27):
    """Done."""

    i: int
    d: ResData = ResData()


class Err(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=28):
    """Refused (`retry` false: do not send it again unchanged) or not settled (`retry`: same ids, after `after` ms)."""

    code: str
    msg: str
    retry: bool
    i: int | None = None
    after: int | None = None
    c: str | None = None
    m: str | None = None


class Ping(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=29):
    """Alive? `uh` is how many ENT frames this socket was owed since WELCOME: received fewer means SYNC."""

    n: int
    uh: int


class Goaway(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=33):
    """This node stops: connect elsewhere after `after` ms, before `by` ms; both sockets may live side by side."""

    code: str
    after: int
    by: int


class Kick(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=34):
    """You are being put out; the close follows."""

    code: str
    msg: str


class NoticeOut(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=35):
    """A hint that something changed; the truth is fetched by GET. Lossy."""

    topic: str
    id: str
    rev: int
    d: dict[str, Any] = {}


Outgoing = (
    Welcome | Sent | Ent | Cur | SignalOut | Gap | SyncedPage | Pulled | Res | Err | Ping | Goaway | Kick | NoticeOut
)
