"""Shapes, states and refusals of the desk. A case is one stretch of service in one conversation."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Id
from octshop_rt.core.money import Fen
from octshop_rt.core.statemachine import Life
from octshop_rt.im.wire.fields import Body, Visibility

# The platform's own official service is a shop like any other to chat, with grants, settings and a board of its own.
PLATFORM_SHOP = "platform"

CaseState = Literal["new", "bot", "queued", "human", "ended"]
# human → human: another agent takes over; queued → queued: passed on to a group while nobody serves.
# Nothing follows `ended`: reopening makes a new case that names the old one.
LIFE: Life[CaseState] = Life(
    "case",
    {
        "new": ("bot", "queued", "human", "ended"),
        "bot": ("queued", "human", "ended"),
        "queued": ("queued", "human", "ended"),
        "human": ("human", "queued", "ended"),
        "ended": (),
    },
)
OPEN: tuple[CaseState, ...] = ("new", "bot", "queued", "human")

AgentStatus = Literal["online", "busy", "away", "offline"]
MessageState = Literal["open", "taken", "closed"]
MESSAGE_LIFE: Life[MessageState] = Life(
    "message", {"open": ("taken", "closed"), "taken": ("open", "closed"), "closed": ()}
)

# Why a case moved, or why a word of the desk stands in the log.
Reason = Literal[
    "spoke", "bot", "asked", "unanswered", "assigned", "accepted", "answered", "transferred", "timeout",
    "dropped", "taken_over", "resolved", "unresolved", "left", "idle", "abandoned", "to_platform", "reopened",
    "blocked",
]  # fmt: skip

DESK = "desk"  # who acts when no person does
MOST_HISTORY = 200
MOST_GUESTS = 10
MOST_ASKED = 50

Note = Annotated[str, Meta(max_length=1_000)]
Name = Annotated[str, Meta(min_length=1, max_length=40)]
Skill = Annotated[str, Meta(min_length=1, max_length=30)]
Cap = Annotated[int, Meta(ge=0, le=100)]
Level = Annotated[int, Meta(ge=0, le=9)]


class Card(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the buyer came from, as our own shop pages know it at that moment; never what the buyer's page claims."""

    k: Literal["shop", "product", "order", "aftersale", "activity"]
    id: Id
    title: str
    price_fen: Fen | None = None
    picture: str | None = None
    state: str | None = None


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One transition: who, when, from, to, why, and where the case was brought. KPIs are computed from these."""

    at: Millis
    by: str
    was: CaseState
    now: CaseState
    why: Reason
    rev: int
    agent_id: str | None = None
    person_id: str | None = None
    group_id: str | None = None
    to: str | None = None  # the name of where it was brought, as people read it
    note: str | None = None
    request_id: str | None = None


class Aside(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A word that the change of this rev owes the log besides its step's: a card, an invitation, where it goes on."""

    rev: int
    ev: str
    body: Body
    vis: Visibility | None = None
    at: Millis


class Case(Struct, frozen=True, kw_only=True):
    """One stretch of service. `rev` grows with every change: who changes a case names the rev it has seen.

    `open` is `state != ended`, kept for the index that allows one open case a conversation. `buyer_s` and `staff_s`
    are the newest numbers of the log that were heard of each side; `waiting_since` is when the oldest word of the
    buyer that nobody has answered was said. `due_at` is when upkeep must look at it again: a timer that lies on the
    row it belongs to, so no crash can part the two.
    """

    id: str
    c: str
    shop_id: str
    merchant_id: str
    buyer_id: str
    state: CaseState
    open: bool
    rev: int
    opened_at: Millis
    card: Card | None = None
    level: int = 0
    priority: int = 0
    group_id: str | None = None
    skills: tuple[str, ...] = ()
    queued_at: Millis | None = None
    agent_id: str | None = None
    person_id: str | None = None
    agent_name: str | None = None
    assigned_at: Millis | None = None
    answered_at: Millis | None = None
    waiting_since: Millis | None = None
    first_s: int = 0  # the buyer's first word of this stretch; 0: none yet
    buyer_s: int = 0
    buyer_at: Millis | None = None
    staff_s: int = 0
    due_at: Millis | None = None
    after_hours: bool = False
    passed: tuple[str, ...] = ()  # agents who have let it wait too long: not asked again while others are free
    guests: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()  # request ids of what changed it without a transition
    last_agent_id: str | None = None  # who served this buyer before: asked first
    before_id: str | None = None  # the case this one goes on from: reopened, or handed to the platform
    ended_at: Millis | None = None
    resolved: bool | None = None
    untold: tuple[int, ...] = ()  # revs whose words the log does not hold yet
    asides: tuple[Aside, ...] = ()  # of revs in `untold` alone
    history: tuple[Step, ...] = ()


class Waiter(Struct, frozen=True, kw_only=True):
    """Of a case that waits, as much as its turn hangs on."""

    id: str
    group_id: str | None = None
    skills: tuple[str, ...] = ()
    queued_at: Millis | None = None


class Slot(Struct, frozen=True):
    """A place at an agent's desk held for a case."""

    case_id: str
    at: Millis


class Agent(Struct, frozen=True, kw_only=True):
    """One person at one shop's desk. `status` is what the person chose; `seen_at` is when a node last saw a socket or a
    heartbeat of theirs. `slots` are the cases that hold a place (`load` of them, never more than `cap`): taking one and
    giving it back name the case, so neither can happen twice.
    """

    id: str  # "<shop_id>:<person_id>"
    shop_id: str
    person_id: str
    name: str
    status: AgentStatus
    reason: str = ""
    status_at: Millis
    seen_at: Millis
    cap: int
    load: int = 0
    slots: tuple[Slot, ...] = ()
    groups: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    last_assigned_at: Millis = 0
    gone_at: Millis | None = None  # when upkeep found that nobody had seen them for too long
    rev: int = 1


class Serves(Struct, frozen=True):
    """Whom agents of one kind may be given: cases of these groups or none, that ask for no other skill."""

    groups: tuple[str, ...]
    skills: tuple[str, ...]


class Shift(Struct, frozen=True, kw_only=True):
    """An agent changed state, or was missed: the record of working time, from which it is added up. `at` of one who is
    gone: until then their last sign of life was good for.
    """

    id: str
    shop_id: str
    agent_id: str
    was: AgentStatus | None
    now: AgentStatus | Literal["gone", "back"]
    reason: str
    at: Millis
    by: str = ""  # who chose it for them; empty: themselves, or the clock


class Group(Struct, frozen=True, kw_only=True):
    """Agents who answer for one kind of question."""

    id: str
    shop_id: str
    name: str
    created_at: Millis
    gone: bool = False


class LeaveMessage(Struct, frozen=True, kw_only=True):
    """What a buyer left while nobody could answer: open → taken → closed, and back to open if laid down."""

    id: str
    shop_id: str
    case_id: str
    c: str
    buyer_id: str
    text: str
    contact: str
    state: MessageState
    request_id: str
    created_at: Millis
    by: str | None = None
    by_name: str | None = None
    taken_at: Millis | None = None
    closed_at: Millis | None = None
    note: str = ""
    owed: bool = False  # it does not stand in the log yet
    said: str = ""  # fingerprint of what its author said, before the guard; none on old rows


class Seating(Struct, frozen=True, kw_only=True):
    """A case on its way to an agent who holds a place for it; `step.rev` is filled in by the store."""

    case_id: str
    agent: Agent
    step: Step
    due_at: Millis | None


class Rush(Struct, frozen=True, kw_only=True):
    """Which node empties a shop's long queue now. Only spares the others the work: what makes an assignment single is
    the row of the case.
    """

    id: str
    owner: str
    until: Millis


class Sweep(Struct, frozen=True, kw_only=True):
    """How far the log has been compared with the cases, and since when somebody has been at it."""

    id: str
    until: Millis
    turn_at: Millis


class NoSuchCase(DomainError):
    """Missing, or of another shop or buyer."""

    code = "desk.no_case"
    status = 404
    zh = "服务单不存在，或您无权查看"
    en = "There is no such case, or it is not yours to see"


class CaseEnded(DomainError):
    """It is over; a new word of the buyer or reopening begins a new one."""

    code = "desk.case_ended"
    status = 409
    zh = "本次服务已结束"
    en = "This case has ended"


class CaseTaken(DomainError):
    """A colleague was faster."""

    code = "desk.case_taken"
    status = 409
    zh = "该会话已由{name}接待"
    en = "{name} is already serving this buyer"


class NotServing(DomainError):
    """Only the agent who serves the buyer (or a supervisor) may do this."""

    code = "desk.not_serving"
    status = 409
    zh = "您不是当前接待人"
    en = "You are not the one serving this buyer"


class DeskFull(DomainError):
    """The agent serves as many buyers as allowed."""

    code = "desk.full"
    status = 409
    zh = "{name}的接待数已达上限({cap})"
    en = "{name} already serves as many buyers as allowed ({cap})"


class NoSuchAgent(DomainError):
    """Nobody of that id works at this desk."""

    code = "desk.no_agent"
    status = 404
    zh = "没有这位客服，或对方不在线"
    en = "There is no such agent, or they are not online"


class NoSuchGroup(DomainError):
    """No such group at this shop."""

    code = "desk.no_group"
    status = 404
    zh = "没有这个客服组"
    en = "There is no such group"


class QueueEmpty(DomainError):
    """Nobody waits."""

    code = "desk.queue_empty"
    status = 409
    zh = "暂时没有排队的顾客"
    en = "Nobody is waiting"


class NoSuchMessage(DomainError):
    """Missing, or left at another shop."""

    code = "desk.no_message"
    status = 404
    zh = "留言不存在"
    en = "There is no such message"


class MessageTaken(DomainError):
    """It is not in a state in which this can be done."""

    code = "desk.message_taken"
    status = 409
    zh = "留言已由他人处理"
    en = "Somebody else has dealt with this message"


class TooLate(DomainError):
    """An ended case can be reopened for a while only, and only while no other is open."""

    code = "desk.too_late"
    status = 409
    zh = "该服务已不能重新打开"
    en = "This case can no longer be reopened"


class NoSuchContext(DomainError):
    """The product, order or activity is not there, not of this shop, or not this buyer's."""

    code = "desk.no_context"
    status = 404
    zh = "没有找到要咨询的商品或订单"
    en = "What you want to ask about was not found"


class DeskChanged(DomainError):
    """Several people changed it at the same moment; nothing of this request happened."""

    code = "desk.changed"
    status = 503
    retry = True
    zh = "会话状态刚刚发生变化，请重试"
    en = "The case has just changed; try again"


class TooManyGuests(DomainError):
    """As many colleagues as a case may have are invited."""

    code = "desk.too_many_guests"
    status = 409
    zh = "邀请的同事已达上限"
    en = "No more colleagues can be invited"


class BadHours(DomainError):
    """A span of working hours must end after it begins."""

    code = "desk.bad_hours"
    status = 400
    zh = "工作时间设置有误：结束须晚于开始"
    en = "Working hours must end after they begin"
