"""The agent's door to the desk of a shop: see one's work, take, pass on, end, and say whether one is there."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.auth.model import Right, ShopStaff, at_shop
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import DomainError, RequestConflict
from octshop_rt.core.http.routes import Call, Route
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.im.api.desk_views import (
    AgentView,
    CaseList,
    CaseView,
    DeskView,
    Eyes,
    MessageList,
    MessageView,
    group_view,
)
from octshop_rt.im.desk import rules
from octshop_rt.im.desk.handover import Handover
from octshop_rt.im.desk.model import (
    AgentStatus,
    Case,
    CaseEnded,
    CaseState,
    CaseTaken,
    DeskChanged,
    DeskFull,
    LeaveMessage,
    MessageState,
    MessageTaken,
    NoSuchAgent,
    NoSuchCase,
    NoSuchGroup,
    NoSuchMessage,
    NotServing,
    QueueEmpty,
    TooLate,
    TooManyGuests,
)
from octshop_rt.im.desk.service import Desk

ShortNote = Annotated[str, Meta(max_length=1_000)]
CASE = "/shop/{shop_id}/desk/cases/{case_id}"
_MOVES: tuple[type[DomainError], ...] = (NoSuchCase, CaseEnded, DeskChanged, RequestConflict)


class CasesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In these states (none given: in any); or the open cases of these conversations, whatever else is asked."""

    state: tuple[CaseState, ...] = ()
    c: Annotated[tuple[Id, ...], Meta(max_length=100)] = ()
    cursor: Id | None = None


class MessagesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In these states."""

    state: tuple[MessageState, ...] = ("open", "taken")
    cursor: Id | None = None


class Act(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command without more to say."""

    request_id: RequestId


class EndCase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End it; `resolved` null: not said."""

    request_id: RequestId
    resolved: bool | None = None


class TransferCase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to: exactly one of an agent, a group, the queue (anybody), the platform's service, or (from the platform)
    back to the shop. The note is for colleagues.
    """

    request_id: RequestId
    agent_id: Id | None = None
    group_id: Id | None = None
    queue: bool = False
    platform: bool = False
    shop: bool = False
    note: ShortNote = ""


class InviteColleague(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask a colleague to look in."""

    request_id: RequestId
    agent_id: Id
    note: ShortNote = ""


class ChooseStatus(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """online: gets buyers; busy: keeps those there are; away, offline: the same, and says so."""

    status: AgentStatus
    reason: Annotated[str, Meta(max_length=60)] = ""


class MoveMessage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """taken: I see to it; closed: done; open: laid down again."""

    state: MessageState
    note: ShortNote = ""


class DeskOfStaff:
    """For whoever holds chat.answer at the shop in the path."""

    def __init__(self, desk: Desk, handover: Handover, clock: Clock) -> None:
        self._desk = desk
        self._handover = handover
        self._clock = clock

    def routes(self) -> list[Route]:
        """Below /shop/{shop_id}/desk."""
        chat, desk = at_shop(Right.CHAT), "/shop/{shop_id}/desk"
        return [
            Route("GET", desk, self.desk, permission=chat, answer=DeskView, errors=(),
                  summary="An agent's whole desk: own buyers, the queue, colleagues"),
            Route("PUT", f"{desk}/me", self.choose, permission=chat, body=ChooseStatus, answer=AgentView,
                  errors=(DeskChanged,), summary="Say whether one takes buyers now, and why not"),
            Route("POST", f"{desk}/me/beat", self.beat, permission=chat, answer=AgentView,
                  summary="I am here; the first time makes one an agent, online. A socket says the same by itself"),
            Route("GET", f"{desk}/cases", self.cases, permission=chat, query=CasesQuery, answer=CaseList,
                  summary="The shop's cases, newest first"),
            Route("GET", CASE, self.case, permission=chat, answer=CaseView, errors=(NoSuchCase,),
                  summary="A case with its whole life"),
            Route("POST", f"{desk}/next", self.take_next, permission=chat, body=Act, answer=CaseView,
                  errors=(QueueEmpty, DeskFull, RequestConflict, DeskChanged), summary="Take who has waited longest"),
            Route("POST", f"{CASE}/accept", self.accept, permission=chat, body=Act, answer=CaseView,
                  errors=(*_MOVES, CaseTaken, DeskFull), summary="Take this buyer"),
            Route("POST", f"{CASE}/transfer", self.transfer, permission=chat, body=TransferCase, answer=CaseView,
                  errors=(*_MOVES, NotServing, DeskFull, NoSuchAgent, NoSuchGroup),
                  summary="Pass a buyer on: to a colleague, a group, the queue, the platform, or back to the shop"),
            Route("POST", f"{CASE}/invite", self.invite, permission=chat, body=InviteColleague, answer=CaseView,
                  errors=(*_MOVES, NotServing, NoSuchAgent, TooManyGuests), summary="Ask a colleague to look in"),
            Route("POST", f"{CASE}/end", self.end, permission=chat, body=EndCase, answer=CaseView,
                  errors=(*_MOVES, NotServing), summary="End the service"),
            Route("POST", f"{CASE}/reopen", self.reopen, permission=chat, body=Act, answer=CaseView,
                  errors=(*_MOVES, TooLate, CaseTaken, DeskFull), summary="Go on with an ended case, as a new one"),
            Route("GET", f"{desk}/messages", self.messages, permission=chat, query=MessagesQuery,
                  answer=MessageList, summary="Messages buyers have left, newest first"),
            Route("PUT", f"{desk}/messages/{{message_id}}", self.move_message, permission=chat, body=MoveMessage,
                  answer=MessageView, errors=(NoSuchMessage, MessageTaken), summary="Take, close or lay down"),
        ]  # fmt: skip

    async def desk(self, call: Call[ShopStaff]) -> DeskView:
        who = call.who
        mine, queued = await self._desk.mine(who), await self._desk.waiting(who)
        held, more = await self._desk.listed(who, ("bot",), None)
        invited = await self._desk.invited(who)
        waiting = await self._desk.count_waiting(who)
        eyes = await self._eyes(who, [*mine, *queued, *held, *invited])
        agents = await self._desk.office.agents(who.shop_id)
        me = await self._desk.me(who)
        return DeskView(
            me=eyes.agent(me),
            mine=[eyes.case(one) for one in mine],
            invited=[eyes.case(one) for one in invited],
            queued=[eyes.case(one) for one in queued],
            bot=[eyes.case(one) for one in held],
            waiting=waiting,
            whole=more is None and waiting <= len(queued),
            agents=[eyes.agent(one) for one in agents],
            groups=[group_view(one) for one in await self._desk.office.groups(who.shop_id)],
            open_now=rules.is_open(eyes.settings, eyes.now),
            opens_at=rules.opens_at(eyes.settings, eyes.now),
            gives_now=rules.gives(eyes.settings, eyes.now),
            strategy=eyes.settings.strategy,
        )

    async def choose(self, call: Call[ShopStaff], body: ChooseStatus) -> AgentView:
        agent = await self._desk.attendance.choose(call.who, body.status, body.reason)
        return (await self._eyes(call.who, [])).agent(agent)

    async def beat(self, call: Call[ShopStaff]) -> AgentView:
        agent = await self._desk.attendance.beat(call.who)
        return (await self._eyes(call.who, [])).agent(agent)

    async def cases(self, call: Call[ShopStaff]) -> CaseList:
        asked: CasesQuery = call.query
        if asked.c:
            rows, following = await self._desk.going_on(call.who, asked.c), None
        else:
            rows, following = await self._desk.listed(call.who, asked.state, asked.cursor)
        eyes = await self._eyes(call.who, rows)
        return CaseList(items=[eyes.case(one) for one in rows], next=following)

    async def case(self, call: Call[ShopStaff]) -> CaseView:
        return await self._shown(call.who, await self._desk.of_shop(call.who, call.path["case_id"]))

    async def take_next(self, call: Call[ShopStaff], body: Act) -> CaseView:
        return await self._shown(call.who, await self._desk.accept_next(call.who, body.request_id))

    async def accept(self, call: Call[ShopStaff], body: Act) -> CaseView:
        case = await self._desk.accept(call.who, call.path["case_id"], body.request_id)
        return await self._shown(call.who, case)

    async def transfer(self, call: Call[ShopStaff], body: TransferCase) -> CaseView:
        who, case_id = call.who, call.path["case_id"]
        note, request_id = body.note, body.request_id
        if body.agent_id is not None:
            case = await self._handover.to_agent(who, case_id, body.agent_id, note, request_id)
        elif body.platform:
            await self._handover.to_platform(who, case_id, note, request_id)
            case = await self._desk.of_shop(who, case_id)
        elif body.shop:
            await self._handover.to_shop(who, case_id, note, request_id)
            case = await self._desk.of_shop(who, case_id)
        elif body.group_id is not None or body.queue:
            case = await self._handover.to_group(who, case_id, body.group_id, note, request_id)
        else:
            raise NoSuchAgent
        return await self._shown(who, case)

    async def invite(self, call: Call[ShopStaff], body: InviteColleague) -> CaseView:
        case = await self._desk.invite(call.who, call.path["case_id"], body.agent_id, body.note, body.request_id)
        return await self._shown(call.who, case)

    async def end(self, call: Call[ShopStaff], body: EndCase) -> CaseView:
        case = await self._desk.end(call.who, call.path["case_id"], body.request_id, resolved=body.resolved)
        return await self._shown(call.who, case)

    async def reopen(self, call: Call[ShopStaff], body: Act) -> CaseView:
        return await self._shown(call.who, await self._desk.reopen(call.who, call.path["case_id"], body.request_id))

    async def messages(self, call: Call[ShopStaff]) -> MessageList:
        asked: MessagesQuery = call.query
        rows, following = await self._desk.messages.of_shop(call.who, asked.state, asked.cursor)
        eyes = await self._eyes(call.who, rows)
        return MessageList(items=[eyes.message(one) for one in rows], next=following)

    async def move_message(self, call: Call[ShopStaff], body: MoveMessage) -> MessageView:
        row = await self._desk.messages.move(call.who, call.path["message_id"], body.state, body.note)
        return (await self._eyes(call.who, [row])).message(row)

    async def _shown(self, who: ShopStaff, case: Case) -> CaseView:
        return (await self._eyes(who, [case])).case(case, whole=True)

    async def _eyes(self, who: ShopStaff, rows: list[Case] | list[LeaveMessage]) -> Eyes:
        return Eyes(
            buyers=await self._desk.names(rows),
            groups={one.id: one.name for one in await self._desk.office.groups(who.shop_id)},
            settings=await self._desk.office.settings(who.shop_id),
            now=self._clock.now(),
        )
