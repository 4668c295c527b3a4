"""The manager's door to the desk: the live board, a look, a whisper, taking over; settings, groups, agents."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.auth.model import Right, ShopStaff, at_shop
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.errors import Busy, RequestConflict
from octshop_rt.core.http.routes import Call, Route
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.im.api.desk_hours import HoursView, HoursWish, meant
from octshop_rt.im.api.desk_views import AgentView, CaseView, Eyes, GroupView, Named, ShopNames, group_view
from octshop_rt.im.conversation.model import IdemConflict
from octshop_rt.im.desk import rules
from octshop_rt.im.desk.model import (
    AgentStatus,
    BadHours,
    Cap,
    Case,
    CaseEnded,
    DeskChanged,
    DeskFull,
    Name,
    NoSuchAgent,
    NoSuchCase,
    NoSuchGroup,
    NotServing,
    Skill,
)
from octshop_rt.im.desk.service import Desk
from octshop_rt.im.desk.settings import SENSELESS, BadHoliday, DeskPatch, DeskSettings, Layers
from octshop_rt.im.desk.supervise import Supervise
from octshop_rt.im.wire.fields import Seq
from octshop_rt.im.wire.outgoing import Ent

CASE = "/shop/{shop_id}/desk/cases/{case_id}"


class BoardView(Struct, frozen=True, kw_only=True):
    """The live board. `waits_since`: since when the first in the queue waits."""

    agents: list[AgentView]
    queued: list[CaseView]
    human: list[CaseView]
    bot: list[CaseView]
    waiting: int
    waits_since: Millis | None
    messages_open: int
    open_now: bool
    opens_at: Millis | None
    at: Millis


class LogQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Entries below this number; the newest when it is left out."""

    before: Seq | None = None


class LogPage(Struct, frozen=True, kw_only=True):
    """A page of a conversation, ascending. Reading it moves no mark."""

    c: str
    ents: list[Ent]
    head: int
    more: bool


class Origin(Struct, frozen=True, kw_only=True):
    """The case that this one goes on from, at which shop (or the platform) that was, and what was said in it."""

    case: CaseView
    shop: Named
    ents: list[Ent]


class Whisper(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word for the agent alone (and whoever else of the shop reads along)."""

    request_id: RequestId
    text: Annotated[str, Meta(min_length=1, max_length=1_000)]


class TakeOver(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Serve this buyer oneself."""

    request_id: RequestId


class GroupName(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a group is called."""

    name: Name


class ArrangeAgent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is null stays."""

    cap: Cap | None = None
    groups: Annotated[tuple[Id, ...], Meta(max_length=20)] | None = None
    skills: Annotated[tuple[Skill, ...], Meta(max_length=20)] | None = None


class PutStatus(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A state for a colleague. Being there is not given to anybody: who is not there gets no buyers however online."""

    status: AgentStatus
    reason: Annotated[str, Meta(max_length=60)] = ""


class DeskOfManagers:
    """For whoever holds shop.manage at the shop in the path. `names`: what shops are called."""

    def __init__(self, desk: Desk, supervise: Supervise, clock: Clock, names: ShopNames) -> None:
        self._desk = desk
        self._supervise = supervise
        self._clock = clock
        self._names = names

    def routes(self) -> list[Route]:
        """Below /shop/{shop_id}/desk."""
        chat, manage, desk = at_shop(Right.CHAT), at_shop(Right.MANAGE), "/shop/{shop_id}/desk"
        return [
            Route("GET", f"{desk}/board", self.board, permission=manage, answer=BoardView,
                  summary="The live board: who serves whom, who waits how long"),
            Route("GET", f"{CASE}/log", self.look, permission=manage, query=LogQuery, answer=LogPage,
                  errors=(NoSuchCase,), summary="Look into a conversation without a trace"),
            Route("GET", f"{CASE}/origin", self.origin, permission=chat, answer=Origin, errors=(NoSuchCase,),
                  summary="The case this one goes on from (reopened, or handed over by a shop or the platform)"),
            Route("POST", f"{CASE}/whisper", self.whisper, permission=manage, body=Whisper, answer=CaseView,
                  errors=(NoSuchCase, NotServing, IdemConflict), summary="A word in the agent's ear"),
            Route("POST", f"{CASE}/take-over", self.take_over, permission=manage, body=TakeOver, answer=CaseView,
                  errors=(NoSuchCase, CaseEnded, DeskFull, DeskChanged, RequestConflict),
                  summary="Serve this buyer oneself, whoever does now"),
            Route("GET", f"{desk}/settings", self.settings, permission=chat, answer=DeskSettings,
                  summary="What holds at this desk"),
            Route("PUT", f"{desk}/settings", self.set, permission=manage, body=DeskPatch, answer=DeskSettings,
                  errors=(Busy, *SENSELESS), summary="Set what is given; null takes back what was set"),
            Route("GET", f"{desk}/settings/layers", self.layers, permission=manage, answer=Layers,
                  summary="What the shop has set, and what lies beneath"),
            Route("POST", f"{desk}/settings/hours", self.hours, permission=manage, body=HoursWish, answer=HoursView,
                  errors=(BadHours, BadHoliday), summary="What certain hours would mean: now, next, and for two weeks"),
            Route("GET", f"{desk}/groups", self.groups, permission=chat, answer=list[GroupView],
                  summary="The groups of this desk"),
            Route("POST", f"{desk}/groups", self.add_group, permission=manage, body=GroupName, answer=GroupView,
                  status=201, summary="A new group"),
            Route("PUT", f"{desk}/groups/{{group_id}}", self.rename_group, permission=manage, body=GroupName,
                  answer=GroupView, errors=(NoSuchGroup,), summary="Another name for a group"),
            Route("DELETE", f"{desk}/groups/{{group_id}}", self.drop_group, permission=manage,
                  errors=(NoSuchGroup,), summary="Close a group; who waits for it is served by anybody"),
            Route("GET", f"{desk}/agents", self.agents, permission=chat, answer=list[AgentView],
                  summary="Everybody of this desk: their state, load and groups"),
            Route("PUT", f"{desk}/agents/{{agent_id}}", self.arrange, permission=manage, body=ArrangeAgent,
                  answer=AgentView, errors=(NoSuchAgent, NoSuchGroup), summary="Cap, groups and skills of an agent"),
            Route("PUT", f"{desk}/agents/{{agent_id}}/status", self.put_status, permission=manage, body=PutStatus,
                  answer=AgentView, errors=(NoSuchAgent, DeskChanged),
                  summary="Say for an agent whether buyers come to them; the agent sees it at once"),
        ]  # fmt: skip

    async def board(self, call: Call[ShopStaff]) -> BoardView:
        board = await self._supervise.board(call.who)
        eyes = await self._eyes(call.who, [*board.waiting, *board.human, *board.bot])
        return BoardView(
            agents=[eyes.agent(one) for one in board.agents],
            queued=[eyes.case(one) for one in board.waiting],
            human=[eyes.case(one) for one in board.human],
            bot=[eyes.case(one) for one in board.bot],
            waiting=board.queued,
            waits_since=board.waits_since,
            messages_open=board.messages_open,
            open_now=rules.is_open(eyes.settings, eyes.now),
            opens_at=rules.opens_at(eyes.settings, eyes.now),
            at=eyes.now,
        )

    async def look(self, call: Call[ShopStaff]) -> LogPage:
        asked: LogQuery = call.query
        page = await self._supervise.look(call.who, call.path["case_id"], asked.before)
        return LogPage(c=page.c, ents=page.ents, head=page.head, more=page.more)

    async def origin(self, call: Call[ShopStaff]) -> Origin:
        case, ents = await self._supervise.origin(call.who, call.path["case_id"])
        names = await self._names([case.shop_id])
        return Origin(
            case=(await self._eyes(call.who, [case])).case(case),
            shop=Named(id=case.shop_id, name=names.get(case.shop_id, "")),
            ents=ents,
        )

    async def whisper(self, call: Call[ShopStaff], body: Whisper) -> CaseView:
        case = await self._supervise.whisper(call.who, call.path["case_id"], body.text, body.request_id)
        return (await self._eyes(call.who, [case])).case(case)

    async def take_over(self, call: Call[ShopStaff], body: TakeOver) -> CaseView:
        case = await self._supervise.take_over(call.who, call.path["case_id"], body.request_id)
        return (await self._eyes(call.who, [case])).case(case, whole=True)

    async def settings(self, call: Call[ShopStaff]) -> DeskSettings:
        return await self._desk.office.settings(call.who.shop_id)

    async def set(self, call: Call[ShopStaff], body: DeskPatch) -> DeskSettings:
        done = await self._desk.office.set(call.who.shop_id, body, call.who.person_id)
        self._desk.cases.wake(call.who.shop_id)
        self._desk.telling.queue(call.who.shop_id)
        return done

    async def layers(self, call: Call[ShopStaff]) -> Layers:
        return await self._desk.office.layers(call.who.shop_id)

    async def hours(self, call: Call[ShopStaff], body: HoursWish) -> HoursView:
        return meant(body, self._clock.now())

    async def groups(self, call: Call[ShopStaff]) -> list[GroupView]:
        return [group_view(one) for one in await self._desk.office.groups(call.who.shop_id)]

    async def add_group(self, call: Call[ShopStaff], body: GroupName) -> GroupView:
        return group_view(await self._desk.office.add_group(call.who.shop_id, body.name))

    async def rename_group(self, call: Call[ShopStaff], body: GroupName) -> GroupView:
        return group_view(await self._desk.office.rename_group(call.who.shop_id, call.path["group_id"], body.name))

    async def drop_group(self, call: Call[ShopStaff]) -> None:
        await self._desk.office.drop_group(call.who.shop_id, call.path["group_id"])

    async def agents(self, call: Call[ShopStaff]) -> list[AgentView]:
        eyes = await self._eyes(call.who, [])
        return [eyes.agent(one) for one in await self._desk.office.agents(call.who.shop_id)]

    async def arrange(self, call: Call[ShopStaff], body: ArrangeAgent) -> AgentView:
        agent = await self._desk.office.arrange(
            call.who.shop_id, call.path["agent_id"], cap=body.cap, groups=body.groups, skills=body.skills
        )
        self._desk.telling.agent(agent)
        self._desk.telling.queue(agent.shop_id)
        self._desk.cases.wake(call.who.shop_id)
        return (await self._eyes(call.who, [])).agent(agent)

    async def put_status(self, call: Call[ShopStaff], body: PutStatus) -> AgentView:
        row = await self._desk.office.agent(call.who.shop_id, call.path["agent_id"])
        agent = await self._desk.attendance.put(row, body.status, body.reason, by=call.who.person_id)
        return (await self._eyes(call.who, [])).agent(agent)

    async def _eyes(self, who: ShopStaff, rows: list[Case]) -> Eyes:
        return Eyes(
            buyers=await self._desk.names(rows),
            groups={one.id: one.name for one in await self._desk.office.groups(who.shop_id)},
            settings=await self._desk.office.settings(who.shop_id),
            now=self._clock.now(),
        )
