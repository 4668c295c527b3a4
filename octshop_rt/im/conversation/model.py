"""Shapes and refusals of conversations. A conversation is one buyer and one shop; its log is numbered 1, 2, 3…"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from octshop_rt.core.auth.model import Buyer, Staff
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.im.wire.fields import Body, Context, EntryKind, Role, Side, Visibility
from octshop_rt.im.wire.outgoing import Ent

Party = Buyer | Staff  # who can hold a conversation


class Conversation(Struct, frozen=True, kw_only=True):
    """Facts that never change, so a node may keep them. What changes is in the log and in memberships.

    `resumed_at` alone does, and is only asked of the rows themselves: of the several conversations of a person who was
    a guest, this one goes on though another is younger.
    """

    id: str
    merchant_id: str
    shop_id: str
    buyer_id: str
    created_at: Millis
    ctx: Context | None = None
    resumed_at: Millis = 0


class Entry(Struct, frozen=True, kw_only=True):
    """One row of the log. `_id` sorts by time of writing: the net reads the newest of all conversations by it.

    (c, s) unique is the order and the fence between nodes; (c, f, m) unique is "the same client id never makes two".
    `h` is the hash of what was said at first, so that a repeated id with other content is noticed, for ever: also after
    the text was edited (`ed`, when) or all content taken back (`rc`, when; `b` is empty then).
    """

    id: str
    c: str
    s: int
    f: str
    fr: Role
    m: str
    k: EntryKind
    b: Body
    ts: Millis
    h: str
    re: int | None = None
    vis: Visibility | None = None
    ed: Millis | None = None
    rc: Millis | None = None

    def frame(self, side: Side) -> Ent:
        """As it goes over the wire to that side: what is the shop's alone reaches the buyer as a void."""
        if self.vis == "staff" and side == "buyer":
            return Ent(
                c=self.c, s=self.s, id=self.id, f="system", fr="system", m=f"void-{self.s}", k="void", b=Body(),
                ts=self.ts,
            )  # fmt: skip
        return Ent(
            c=self.c, s=self.s, id=self.id, f=self.f, fr=self.fr, m=self.m, k=self.k, b=self.b, ts=self.ts, re=self.re,
            vis=self.vis, ed=self.ed, rc=self.rc,
        )  # fmt: skip


class Membership(Struct, frozen=True, kw_only=True):
    """One person in one conversation and how far they have read. No write per recipient when something is said."""

    id: str
    c: str
    u: str
    role: Side
    read_seq: int
    at: Millis


class Draft(Struct, frozen=True, kw_only=True):
    """What a person wants said, before it has a number. `origin` is the connection that gets SENT instead of ENT."""

    c: str
    f: str
    fr: Role
    m: str
    k: EntryKind
    b: Body
    h: str
    re: int | None = None
    vis: Visibility | None = None
    origin: str = ""


class Appended(Struct, frozen=True):
    """The stored entry; `dup` if it had been stored before this request."""

    entry: Entry
    dup: bool


class Range(Struct, frozen=True, kw_only=True):
    """Numbers first…last of one conversation, both included."""

    c: str
    first: int
    last: int


class Log(Struct, frozen=True, kw_only=True):
    """One conversation's log in four figures."""

    c: str
    count: int
    first: int
    last: int


class Author(Struct, frozen=True, kw_only=True):
    """Someone who has said something in a conversation, and on which side."""

    c: str
    f: str
    fr: Role


class ShopFacts(Struct, frozen=True, kw_only=True):
    """What chat must know of a shop."""

    id: str
    merchant_id: str
    name: str


class Directory(Protocol):
    """What chat asks of the wing that keeps shops and people."""

    async def shop(self, shop_id: str) -> ShopFacts | None:
        """A shop a buyer may talk to."""
        ...

    async def shop_names(self, shop_ids: Sequence[str]) -> Mapping[str, str]:
        """Names of shops, closed ones too."""
        ...

    async def buyer_names(self, buyer_ids: Sequence[str]) -> Mapping[str, str]:
        """How the shop's staff see these buyers."""
        ...

    async def known_as(self, buyer_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """All ids of the same human being, for those who were guests before they signed in."""
        ...


class NoConversation(DomainError):
    """Missing or not yours: the two look the same."""

    code = "im.no_conversation"
    status = 404
    zh = "会话不存在，或您不在其中"
    en = "There is no such conversation, or you are not in it"


class NoSuchShop(DomainError):
    """No shop to talk to under this id."""

    code = "im.no_shop"
    status = 404
    zh = "店铺不存在或暂停营业"
    en = "There is no such shop, or it is closed"


class BuyersOpen(DomainError):
    """Only a buyer opens a conversation with a shop."""

    code = "im.buyers_open"
    status = 403
    zh = "会话由顾客发起"
    en = "Conversations are opened by buyers"


class IdemConflict(DomainError):
    """The client id is taken by another message of this sender in this conversation."""

    code = "im.idem_conflict"
    status = 409
    zh = "该消息编号已用于另一条消息"
    en = "This message id was already used for another message"


class PrevMissing(DomainError):
    """The message that should come before has not arrived; send that one first."""

    code = "im.prev_missing"
    status = 409
    retry = True
    zh = "上一条消息尚未送达，请先重发上一条"
    en = "The message before this one has not arrived; send that first"


class EmptyMessage(DomainError):
    """Nothing to read in it."""

    code = "im.empty"
    status = 400
    zh = "消息内容不能为空"
    en = "A message needs some content"


class BadCard(DomainError):
    """A card needs the id of what it shows."""

    code = "im.bad_card"
    status = 400
    zh = "卡片缺少要展示的内容"
    en = "The card does not say what it shows"


class NoSuchThing(DomainError):
    """What a card should show is missing, or has nothing to do with these two."""

    code = "im.no_such_thing"
    status = 404
    zh = "要发送的商品或订单不存在，或与本会话无关"
    en = "There is no such product or order, or it has nothing to do with this conversation"


class NoFileNamed(DomainError):
    """Pictures, sounds and files are uploaded first and named by their id."""

    code = "im.no_file_named"
    status = 400
    zh = "请先上传文件再发送"
    en = "Upload the file first, then send it"


class NotQuotable(DomainError):
    """The entry to answer is missing, recalled, or not for everyone who would see the answer."""

    code = "im.not_quotable"
    status = 409
    zh = "引用的消息不存在或已撤回"
    en = "The message you answer is missing or was taken back"


class NotYourEntry(DomainError):
    """Only what one has said oneself can be recalled or edited."""

    code = "im.not_your_entry"
    status = 403
    zh = "只能撤回或修改自己发送的消息"
    en = "You can only take back or change what you said yourself"


class NotEditable(DomainError):
    """Only text that still stands can be edited."""

    code = "im.not_editable"
    status = 409
    zh = "该消息不能修改"
    en = "This message cannot be changed"


class TooLateToRecall(DomainError):
    """The time in which an entry may be recalled is over."""

    code = "im.too_late_to_recall"
    status = 409
    zh = "发送超过 {minutes} 分钟的消息不能撤回"
    en = "A message can be taken back within {minutes} minutes"


class TooLateToEdit(DomainError):
    """The time in which a text may be edited is over."""

    code = "im.too_late_to_edit"
    status = 409
    zh = "发送超过 {minutes} 分钟的消息不能修改"
    en = "A message can be changed within {minutes} minutes"


class BadPlace(DomainError):
    """A place needs its coordinates and a name."""

    code = "im.bad_place"
    status = 400
    zh = "位置缺少坐标或名称"
    en = "The place lacks its coordinates or its name"


class StaffNote(DomainError):
    """Notes are between colleagues."""

    code = "im.staff_note"
    status = 403
    zh = "内部备注仅限客服使用"
    en = "Notes are for the shop's staff only"
