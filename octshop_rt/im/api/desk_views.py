"""How cases and agents are shown to staff: shared by the agent's and the manager's doors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct

from octshop_rt.core.clock import SECOND, Millis
from octshop_rt.core.ids import Id
from octshop_rt.im.desk import rules
from octshop_rt.im.desk.model import Agent, AgentStatus, Card, Case, CaseState, Group, LeaveMessage, MessageState, Step
from octshop_rt.im.desk.settings import DeskSettings

ShopNames = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]


class Named(Struct, frozen=True, kw_only=True):
    """A person, group or shop with the name people read."""

    id: str
    name: str


class ServedBy(Struct, frozen=True, kw_only=True):
    """The agent who serves (or, of an ended case, served) the buyer. `id` is the agent's row at this desk."""

    id: str
    person_id: str
    name: str


class CaseView(Struct, frozen=True, kw_only=True):
    """A case in a list. `waiting_since`: the oldest word of the buyer that nobody has answered; `answer_by`: when it is
    given to somebody else; `buyer_at`: the buyer's newest word; `before_id`: the case this one goes on from;
    `group`: whose question it is; `history`: its whole life, in lists left out.
    """

    id: str
    c: str
    shop_id: str
    state: CaseState
    rev: int
    buyer: Named
    agent: ServedBy | None
    group: Named | None
    card: Card | None
    level: int
    priority: int
    opened_at: Millis
    queued_at: Millis | None
    assigned_at: Millis | None
    waiting_since: Millis | None
    answer_by: Millis | None
    buyer_at: Millis | None
    ended_at: Millis | None
    resolved: bool | None
    after_hours: bool
    guests: list[str]
    before_id: str | None
    history: list[Step] = []


class AgentView(Struct, frozen=True, kw_only=True):
    """An agent. `status` is what they chose, `here` whether they are there: who is online and not here gets nobody.
    SUB to topic `desk` with `id`.
    """

    id: str
    person_id: str
    name: str
    status: AgentStatus
    reason: str
    status_at: Millis
    here: bool
    cap: int
    load: int
    groups: list[str]
    skills: list[str]
    rev: int


class GroupView(Struct, frozen=True, kw_only=True):
    """A group."""

    id: str
    name: str


class DeskView(Struct, frozen=True, kw_only=True):
    """An agent's desk at one shop: who they serve and are invited to, who waits (in order), colleagues, groups.
    `gives_now`: who waits is given to who is online, which outside hours takes a setting.
    `whole`: nobody who waits or is with the machine is missing; else the lists end with a page: see `cases?c=`.
    """

    me: AgentView
    mine: list[CaseView]
    invited: list[CaseView]
    queued: list[CaseView]
    bot: list[CaseView]
    waiting: int
    whole: bool
    agents: list[AgentView]
    groups: list[GroupView]
    open_now: bool
    opens_at: Millis | None
    gives_now: bool
    strategy: str


class CaseList(Struct, frozen=True, kw_only=True):
    """A page of cases, newest first."""

    items: list[CaseView]
    next: Id | None


class MessageView(Struct, frozen=True, kw_only=True):
    """A left message as the shop sees it."""

    id: str
    case_id: str
    c: str
    buyer: Named
    text: str
    contact: str
    state: MessageState
    created_at: Millis
    by: Named | None
    taken_at: Millis | None
    closed_at: Millis | None
    note: str


class MessageList(Struct, frozen=True, kw_only=True):
    """A page of left messages, newest first."""

    items: list[MessageView]
    next: Id | None


class Eyes(Struct, frozen=True, kw_only=True):
    """What is needed to show things: names of buyers and groups, settings, the time."""

    buyers: Mapping[str, str]
    groups: Mapping[str, str]
    settings: DeskSettings
    now: Millis

    def case(self, case: Case, *, whole: bool = False) -> CaseView:
        """In a list, or with its whole life."""
        agent = None
        if case.agent_id is not None and case.person_id is not None:
            agent = ServedBy(id=case.agent_id, person_id=case.person_id, name=case.agent_name or "")
        group = None
        if case.group_id is not None:
            group = Named(id=case.group_id, name=self.groups.get(case.group_id, ""))
        return CaseView(
            id=case.id, c=case.c, shop_id=case.shop_id, state=case.state, rev=case.rev,
            buyer=Named(id=case.buyer_id, name=self.buyers.get(case.buyer_id, "")), agent=agent, group=group,
            card=case.card, level=case.level, priority=case.priority, opened_at=case.opened_at,
            queued_at=case.queued_at, assigned_at=case.assigned_at, waiting_since=case.waiting_since,
            answer_by=self._answer_by(case), buyer_at=case.buyer_at, ended_at=case.ended_at, resolved=case.resolved,
            after_hours=case.after_hours, guests=list(case.guests), before_id=case.before_id,
            history=list(case.history) if whole else [],
        )  # fmt: skip

    def _answer_by(self, case: Case) -> Millis | None:
        timeout = self.settings.response_timeout_s
        if case.waiting_since is None or not timeout or case.state != "human":
            return None
        return max(case.waiting_since, case.assigned_at or 0) + timeout * SECOND

    def agent(self, agent: Agent) -> AgentView:
        """To colleagues."""
        return AgentView(
            id=agent.id, person_id=agent.person_id, name=agent.name, status=agent.status, reason=agent.reason,
            status_at=agent.status_at, here=rules.here(agent, self.now), cap=agent.cap, load=agent.load,
            groups=list(agent.groups), skills=list(agent.skills), rev=agent.rev,
        )  # fmt: skip

    def message(self, row: LeaveMessage) -> MessageView:
        """To the shop."""
        return MessageView(
            id=row.id, case_id=row.case_id, c=row.c,
            buyer=Named(id=row.buyer_id, name=self.buyers.get(row.buyer_id, "")),
            text=row.text, contact=row.contact, state=row.state, created_at=row.created_at,
            by=None if row.by is None else Named(id=row.by, name=row.by_name or ""),
            taken_at=row.taken_at, closed_at=row.closed_at, note=row.note,
        )  # fmt: skip


def group_view(group: Group) -> GroupView:
    """To staff."""
    return GroupView(id=group.id, name=group.name)
