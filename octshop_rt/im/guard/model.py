"""Shapes and refusals of the guard: one rule book per shop and one of the platform, blocked buyers, flagged words."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.core.clock import DAY, Millis
from octshop_rt.core.errors import DomainError, RateLimited
from octshop_rt.im.wire.fields import Side

PLATFORM = "platform-wide"  # the rule book above all shops; no shop id: the platform's own service is a shop
MOST_WORDS = 2_000  # of one shop
MOST_PLATFORM_WORDS = 20_000
MOST_BLOCKED = 10_000
MOST_EARLIER = 10  # texts of one flagged entry
# How long new guests are kept out after somebody was blocked: from the same device, and, where that was asked for, from
# the same address, which others may share.
DEVICE_MS = 30 * DAY
NETWORK_MS = DAY

Level = Literal["mask", "refuse", "flag"]
Sides = Literal["both", "buyer", "staff"]
Action = Literal["allow", "mask", "flag", "refuse"]
Kind = Literal["word", "link", "phone", "contact"]
FlagState = Literal["open", "fine", "handled"]

WordText = Annotated[str, Meta(min_length=1, max_length=40)]
Host = Annotated[str, Meta(min_length=3, max_length=100, pattern=r"^[a-z0-9.-]+$(?!\n)")]


class Word(Struct, frozen=True, kw_only=True):
    """A sensitive word and what happens to it: stars, a refusal, or a line on the review list."""

    id: str
    text: str
    level: Level
    sides: Sides
    by: str
    at: Millis


class SpamRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of links, phone numbers and ways to other messengers that one side says."""

    links: Action = "allow"
    phones: Action = "allow"
    contacts: Action = "allow"
    hosts: Annotated[tuple[Host, ...], Meta(max_length=50, description="links there, and below, are always fine")] = ()


class FloodRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much one buyer may say in one conversation; 0 means no limit."""

    burst: Annotated[int, Meta(ge=0, le=10_000, description="messages within `burst_s`")] = 20
    burst_s: Annotated[int, Meta(ge=1, le=600)] = 10
    repeats: Annotated[int, Meta(ge=0, le=1_000, description="times the same text within `repeats_s`")] = 3
    repeats_s: Annotated[int, Meta(ge=1, le=3_600)] = 60


class RuleBook(Struct, frozen=True, kw_only=True):
    """All rules of a shop (or of the platform) in one row: read with one question, changed by one update.

    `rev` grows with every change, also of the shop's blocked buyers: nodes that hold an older one read again.
    """

    id: str
    rev: int
    words: tuple[Word, ...] = ()
    buyer: SpamRules = SpamRules(links="flag", contacts="flag")
    staff: SpamRules = SpamRules(contacts="flag")
    flood: FloodRules = FloodRules()


class Block(Struct, frozen=True, kw_only=True):
    """A buyer a shop does not listen to, for ever or until a moment.

    `devices` and `networks` are fingerprints of where the buyer came from, under a key of the installation and the
    shop's id: new guests from there are not heard until `devices_until` and `networks_until`; members always are.
    """

    id: str
    shop_id: str
    buyer_id: str
    reason: str
    by: str
    by_name: str
    at: Millis
    until: Millis | None = None
    devices: tuple[str, ...] = ()
    devices_until: Millis = 0
    networks: tuple[str, ...] = ()
    networks_until: Millis = 0


class Whereabouts(Struct, frozen=True):
    """Where a person comes from, as sessions know it: the program's own id and the network address."""

    device_id: str
    ip: str


class Hit(Struct, frozen=True, kw_only=True):
    """What was found, from character `start` to before `end` of the text as it was written."""

    kind: Kind
    action: Action
    start: int
    end: int
    text: str


class Earlier(Struct, frozen=True, kw_only=True):
    """What a flagged entry said before it was edited, and what had been decided about it then."""

    text: str
    state: FlagState
    by_name: str = ""
    note: str = ""


class Flag(Struct, frozen=True, kw_only=True):
    """An entry of a conversation for somebody to look at. `text` is what it says now, since the edit at `ed` (0: it was
    not edited); `was` what it said before, newest last.
    """

    id: str
    shop_id: str
    c: str
    s: int
    side: Side
    f: str
    text: str
    hits: tuple[str, ...]
    at: Millis
    state: FlagState = "open"
    by: str = ""
    by_name: str = ""
    note: str = ""
    settled_at: Millis | None = None
    ed: Millis = 0
    was: tuple[Earlier, ...] = ()


class Saying(Struct, frozen=True, kw_only=True):
    """What is about to be said, as the guard needs to know it."""

    shop_id: str
    c: str
    buyer_id: str
    side: Side
    f: str
    texts: tuple[str, ...]  # everything in it that people read
    was: tuple[str, ...] = ()  # other ids of who says it
    guest: Whereabouts | None = None  # of guests only


class Judged(Struct, frozen=True, kw_only=True):
    """`texts` as they may be stored; the same as they came unless something was masked."""

    texts: tuple[str, ...]
    masked: bool = False


class Sensitive(DomainError):
    """Holds a word that may not be said here; the word is shown with stars."""

    code = "im.sensitive"
    status = 422
    zh = "消息中含有不能发送的内容“{hit}”，请修改后再发"
    en = "The message holds something that may not be sent, “{hit}”; change it and send again"


class LinkRefused(DomainError):
    """Links are not taken here."""

    code = "im.spam_link"
    status = 422
    zh = "这里不能发送网址“{hit}”，请去掉后再发"
    en = "Links are not taken here, “{hit}”; remove it and send again"


class PhoneRefused(DomainError):
    """Phone numbers are not taken here."""

    code = "im.spam_phone"
    status = 422
    zh = "这里不能发送电话号码“{hit}”，请去掉后再发"
    en = "Phone numbers are not taken here, “{hit}”; remove it and send again"


class ContactRefused(DomainError):
    """Ways to other messengers are not taken here."""

    code = "im.spam_contact"
    status = 422
    zh = "这里不能发送站外联系方式“{hit}”，请在本会话中沟通"
    en = "Contacts elsewhere are not taken here, “{hit}”; please talk in this chat"


class Blocked(DomainError):
    """The shop has blocked this buyer."""

    code = "im.blocked"
    status = 403
    zh = "该店铺暂不接收您的消息，如有疑问请联系平台客服"
    en = "This shop does not take your messages for now; the platform's service can help"


class GuestsBlocked(DomainError):
    """Somebody who came from here was blocked: guests from here are not heard for now, members are."""

    code = "im.guests_blocked"
    status = 403
    zh = "该店铺暂不接收来自此设备或网络的游客消息，请登录后再发"
    en = "This shop takes no guests' messages from this device or network for now; sign in and send again"


REFUSALS = (Blocked, GuestsBlocked, Sensitive, LinkRefused, PhoneRefused, ContactRefused)  # what `judge` may say


class Flooding(RateLimited):
    """More messages in one conversation than a person writes."""

    code = "im.flood"
    zh = "发送太频繁，请稍候再发"
    en = "Too many messages; wait a moment"


class Repeating(RateLimited):
    """The same text again and again."""

    code = "im.repeated"
    zh = "相同内容发送次数过多，请稍候再发"
    en = "The same text was sent too often; wait a moment"


class TooManyWords(DomainError):
    """The rule book is full."""

    code = "guard.too_many_words"
    status = 409
    zh = "敏感词最多 {most} 个，请先删除一些"
    en = "At most {most} words; delete some first"


class EmptyWord(DomainError):
    """Nothing is left of the word but spaces and punctuation."""

    code = "guard.empty_word"
    status = 422
    zh = "敏感词“{text}”只有空格或标点，无法匹配"
    en = "“{text}” is only spaces or punctuation and cannot be matched"


class TooManyBlocked(DomainError):
    """The blocklist is full."""

    code = "guard.too_many_blocked"
    status = 409
    zh = "黑名单最多 {most} 人，请先移除一些"
    en = "At most {most} buyers can be blocked; remove some first"


class FlagChanged(DomainError):
    """The entry was edited since the page was read: what was looked at is not what it says."""

    code = "guard.flag_changed"
    status = 409
    zh = "这条消息刚刚被修改，请查看新内容后再处理"
    en = "This message has just been edited; look at what it says now"


class NoSuchBuyerHere(DomainError):
    """Only who has a conversation with the shop can be blocked by it."""

    code = "guard.no_buyer"
    status = 404
    zh = "该顾客没有与本店的会话"
    en = "This buyer has no conversation with the shop"
