"""Shapes and refusals of insight: ratings, labels, summaries, profiles' memos, quality checks, search rows, holds."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.core.clock import DAY, Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.im.wire.fields import EntryKind, Role

RATING_MS = DAY  # a rating may be changed for a day, and given for a week after the end
RATE_WITHIN_MS = 7 * DAY
MOST_LABELS = 200  # of a shop
MOST_ON_ONE = 20  # of a case or a customer
MOST_ITEMS = 30
WHOLE = 100  # points of a score sheet
LEAST_KEPT_DAYS = 30
MOST_DAYS = 93  # of a report or a sample
MOST_SAMPLE = 200

Stars = Annotated[int, Meta(ge=1, le=5)]
Colour = Literal["red", "orange", "yellow", "green", "teal", "blue", "purple", "grey"]
LabelUse = Literal["case", "buyer"]
LabelName = Annotated[str, Meta(min_length=1, max_length=20)]
Topic = Literal["before_sale", "order", "delivery", "aftersale", "complaint", "other"]
Shown = Literal["jsonl", "html"]
Act = Literal["export", "hold", "release", "keep", "wipe"]
Verdict = Literal["open", "scored", "appealed", "settled"]

FactKind = Literal[
    "opened", "bot_only", "abandoned", "served", "moved", "closed", "spell", "first", "answered", "dropped", "slow",
    "solved", "unsolved", "rated",
]  # fmt: skip


class Rating(Struct, frozen=True, kw_only=True):
    """What the buyer thinks of one case; `id` is the case's. `solved`: in the buyer's eyes."""

    id: str
    shop_id: str
    c: str
    buyer_id: str
    agent_id: str | None
    group_id: str | None
    stars: int
    solved: bool | None
    tags: tuple[str, ...]
    text: str
    request_id: str
    at: Millis
    changed_at: Millis
    until: Millis  # it may be changed before


class Label(Struct, frozen=True, kw_only=True):
    """One of a shop's own labels, for cases or for customers. Gone ones keep their name for what carries them."""

    id: str
    shop_id: str
    use: LabelUse
    name: str
    colour: Colour
    key: str  # the name as it is compared; of a gone label its id, so that the name is free again
    created_at: Millis
    gone: bool = False


class Marked(Struct, frozen=True, kw_only=True):
    """The labels of one case or customer; `id` is "<shop_id>:<case or buyer id>"."""

    id: str
    shop_id: str
    use: LabelUse
    object_id: str
    c: str
    labels: tuple[str, ...]
    by: str
    at: Millis


class Summary(Struct, frozen=True, kw_only=True):
    """What a case was about, in the agent's words; `id` is the case's. `solved` is the agent's view."""

    id: str
    shop_id: str
    c: str
    topic: Topic
    solved: bool
    text: str
    by: str
    at: Millis


class Memo(Struct, frozen=True, kw_only=True):
    """What a shop's staff remember of a customer; `id` is "<shop_id>:<buyer_id>"."""

    id: str
    shop_id: str
    buyer_id: str
    alias: str
    text: str
    by: str
    at: Millis


class SheetItem(Struct, frozen=True, kw_only=True):
    """One line of a score sheet. A failed `fatal` one makes the whole score nothing."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    points: Annotated[int, Meta(ge=0, le=WHOLE)]
    fatal: bool = False


class Sheet(Struct, frozen=True, kw_only=True):
    """A shop's score sheet; points add up to 100. Each change is a new version, and checks keep the one they used."""

    id: str
    shop_id: str
    version: int
    items: tuple[SheetItem, ...]
    by: str
    at: Millis


class Check(Struct, frozen=True, kw_only=True):
    """One case drawn for quality, and what was found in it. `marks` are the points given, in the sheet's order."""

    id: str
    shop_id: str
    case_id: str
    c: str
    agent_id: str
    draw_id: str
    drawn_at: Millis
    state: Verdict
    sheet_version: int
    marks: tuple[int, ...] = ()
    score: int | None = None
    text: str = ""
    by: str | None = None
    scored_at: Millis | None = None
    appeal: str = ""
    appealed_at: Millis | None = None
    settled_at: Millis | None = None


class Draw(Struct, frozen=True, kw_only=True):
    """One drawing of a sample; `id` is "<shop_id>:<request_id>", so that asking twice draws once."""

    id: str
    shop_id: str
    since: Millis
    until: Millis
    size: int
    agent_id: str | None
    by: str
    at: Millis
    print: str


class Found(Struct, frozen=True, kw_only=True):
    """One row of the inverted index; `id` is the entry's. No text: excerpts are read from the log itself."""

    id: str
    shop_id: str
    c: str
    buyer_id: str
    s: int
    f: str
    fr: Role
    k: EntryKind
    ts: Millis
    tokens: tuple[str, ...]


class Indexed(Struct, frozen=True, kw_only=True):
    """Up to which entry id the whole log is known to be in the index; whose turn it is to look, and until when."""

    id: str
    upto: str
    owner: str = ""
    until: Millis = 0


class Looked(Struct, frozen=True, kw_only=True):
    """Up to which moment waits were looked at for the reminder, and whose turn it is until when."""

    id: str
    at: Millis
    owner: str = ""
    until: Millis = 0


class Hold(Struct, frozen=True, kw_only=True):
    """A conversation in dispute: nothing of it is wiped. `id` is the conversation's."""

    id: str
    shop_id: str
    reason: str
    by: str
    at: Millis
    lifted_at: Millis | None = None
    lifted_by: str | None = None


class Keeping(Struct, frozen=True, kw_only=True):
    """How long a shop keeps what was said; 0 days: for ever. `id` is the shop's. `wiped_until` is how far it went."""

    id: str
    days: int
    by: str
    at: Millis
    wiped_until: Millis = 0


class Trace(Struct, frozen=True, kw_only=True):
    """The audit of one act on somebody's words: an export, a hold, a change of retention, a wipe."""

    id: str
    shop_id: str
    what: Act
    c: str | None
    by: str
    at: Millis
    note: str = ""
    count: int = 0


class Fact(Struct, frozen=True, kw_only=True):
    """One thing that happened. `ms` is a duration, `stars` a rating (of a `first`: 1 if it was answered)."""

    kind: FactKind
    at: Millis
    case_id: str
    buyer_id: str
    agent_id: str | None = None
    group_id: str | None = None
    ms: int = 0
    stars: int = 0


class Kept(Struct, frozen=True, kw_only=True):
    """The facts of an ended case, without what may still change (rating, summary); `id` is the case's. They never
    change and outlive the wiping of what was said.
    """

    id: str
    c: str
    shop_id: str
    facts: tuple[Fact, ...]


class CaseNotEnded(DomainError):
    """A case is rated when it is over."""

    code = "insight.case_not_ended"
    status = 409
    zh = "服务结束后才能评价"
    en = "Rate it when it is over"


class TooLateToRate(DomainError):
    """Ratings are given within a week and changed within a day."""

    code = "insight.too_late_to_rate"
    status = 409
    zh = "评价已超过时限，不能再提交或修改"
    en = "It is too late to rate this, or to change the rating"


class LabelTaken(DomainError):
    """Two labels of one use may not read the same."""

    code = "insight.label_taken"
    status = 409
    zh = "已有同名标签"
    en = "There is a label of that name already"


class TooManyLabels(DomainError):
    """A shop has at most so many labels, a case or customer fewer."""

    code = "insight.too_many_labels"
    status = 409
    zh = "标签已达上限({most}个)"
    en = "No more than {most} labels"


class NoSuchLabel(DomainError):
    """Not a label of this shop for this use."""

    code = "insight.no_label"
    status = 404
    zh = "标签不存在"
    en = "There is no such label"


class BadSheet(DomainError):
    """A score sheet's points are 100 together, and its lines have names of their own."""

    code = "insight.bad_sheet"
    status = 400
    zh = "评分表各项分值之和须为 100，且名称不能重复"
    en = "The points of a score sheet add up to 100, and no two lines have one name"


class BadMarks(DomainError):
    """One mark for each line, none above its points."""

    code = "insight.bad_marks"
    status = 400
    zh = "评分与评分表不符"
    en = "The marks do not fit the score sheet"


class NoSheet(DomainError):
    """A sample is drawn when there is a sheet to score it by."""

    code = "insight.no_sheet"
    status = 409
    zh = "请先设置评分表"
    en = "Set up the score sheet first"


class CheckSettled(DomainError):
    """It is scored and settled, or not yet scored: this cannot be done now."""

    code = "insight.check_state"
    status = 409
    zh = "该质检当前状态不允许此操作"
    en = "This quality check is not in a state for that"


class BadKeeping(DomainError):
    """What was said is kept for ever (0), or for so many days at least: a dispute begins late."""

    code = "insight.bad_keeping"
    status = 400
    zh = "聊天记录至少保存 {days} 天，或一直保存"
    en = "Conversations are kept for {days} days at least, or for ever"


class BadSpan(DomainError):
    """A report or search asks from an earlier to a later moment, over no more days than it may."""

    code = "insight.bad_span"
    status = 400
    zh = "时间范围有误：结束须晚于开始，且不超过 {days} 天"
    en = "The time span must end after it begins and be {days} days at most"


class NothingToFind(DomainError):
    """A search needs a word, a person, an agent or a label."""

    code = "insight.nothing_to_find"
    status = 400
    zh = "请输入要查找的内容，或选择顾客、客服、标签"
    en = "Enter a word to find, or choose a customer, an agent or a label"


class OnHold(DomainError):
    """It is held for a dispute already, or not held."""

    code = "insight.hold_state"
    status = 409
    zh = "该会话的保全状态已经改变，请刷新"
    en = "The hold on this conversation has changed; reload"
