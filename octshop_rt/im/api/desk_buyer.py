"""The buyer's door to service: arrive with what one looks at, one's place in the queue, a person at once, a message."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.core.auth.model import VISITOR, Buyer
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.errors import RequestConflict
from octshop_rt.core.http.routes import Call, Limit, Route
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.im.conversation.model import EmptyMessage, NoSuchShop
from octshop_rt.im.desk import rules
from octshop_rt.im.desk.model import Card, Case, CaseEnded, CaseState, DeskChanged, NoSuchCase, NoSuchContext
from octshop_rt.im.desk.service import Desk
from octshop_rt.im.guard import rules as guard_rules
from octshop_rt.im.guard.model import REFUSALS, Blocked, GuestsBlocked
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.wire.fields import Context


class OpenCase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Come to a shop's service (`platform` is the platform's own), from what is being looked at."""

    request_id: RequestId
    shop_id: Id
    ctx: Context | None = None


class BuyerAct(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command without more to say."""

    request_id: RequestId


class LeftMessage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For when nobody is there: what it is about, and how to be reached besides this chat."""

    request_id: RequestId
    text: Annotated[str, Meta(min_length=1, max_length=2_000)]
    contact: Annotated[str, Meta(max_length=100)] = ""


class MessageLeft(Struct, frozen=True, kw_only=True):
    """It is kept."""

    id: str
    state: Literal["open", "taken", "closed"]


class MessagesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Left at this shop."""

    shop_id: Id


class OwnMessage(Struct, frozen=True, kw_only=True):
    """A left message as the one who left it sees it; what the shop notes about it is the shop's. `case_id`: NOTICEs to
    topic `case` of this id say {message, state} when it moves.
    """

    id: str
    case_id: str
    text: str
    contact: str
    state: Literal["open", "taken", "closed"]
    by_name: str | None
    created_at: Millis
    closed_at: Millis | None


class OwnMessages(Struct, frozen=True, kw_only=True):
    """Newest first, at most twenty."""

    items: list[OwnMessage]


class BuyerCase(Struct, frozen=True, kw_only=True):
    """A case as its buyer sees it. SUB to topic `case` with `id`: NOTICEs carry {state} and, while waiting,
    {pos, ahead, eta_s, attended, serves_now}. `eta_s` null: nobody is serving now. `open_now`: the desk keeps hours;
    `serves_now`: so it is, or somebody there serves outside them. `attended`: somebody is at the desk. `overflow`: has
    waited so long that anybody of the shop may serve.
    """

    id: str
    c: str
    shop_id: str
    state: CaseState
    rev: int
    agent_name: str | None
    card: Card | None
    pos: int | None
    ahead: int | None
    eta_s: int | None
    open_now: bool
    serves_now: bool
    opens_at: Millis | None
    attended: bool
    after_hours: bool
    overflow: bool
    opened_at: Millis
    ended_at: Millis | None


class BuyerCases(Struct, frozen=True, kw_only=True):
    """The buyer's newest cases."""

    items: list[BuyerCase]


class DeskOfBuyers:
    """For signed-in buyers and visitors alike."""

    def __init__(self, desk: Desk, clock: Clock, guard: Guard) -> None:
        self._desk = desk
        self._guard = guard
        self._clock = clock

    def routes(self) -> list[Route]:
        """Below /buyer/cases."""
        case = "/buyer/cases/{case_id}"
        return [
            Route("POST", "/buyer/cases", self.open, permission=VISITOR, body=OpenCase, answer=BuyerCase,
                  errors=(NoSuchShop, NoSuchContext, DeskChanged), limit=Limit(name="cases", burst=20, per_ms=60_000),
                  summary="Come to a shop's service: the conversation and the case in it, found or made"),
            Route("GET", "/buyer/cases", self.cases, permission=VISITOR, answer=BuyerCases,
                  summary="One's newest cases"),
            Route("GET", case, self.case, permission=VISITOR, answer=BuyerCase, errors=(NoSuchCase,),
                  summary="A case: state, place in the queue, expected wait"),
            Route("POST", f"{case}/person", self.person, permission=VISITOR, body=BuyerAct, answer=BuyerCase,
                  errors=(NoSuchCase, CaseEnded, DeskChanged, Blocked, GuestsBlocked),
                  summary="A person, please, at once"),
            Route("POST", f"{case}/end", self.end, permission=VISITOR, body=BuyerAct, answer=BuyerCase,
                  errors=(NoSuchCase, CaseEnded, DeskChanged), summary="End the service"),
            Route("POST", f"{case}/messages", self.leave, permission=VISITOR, body=LeftMessage, answer=MessageLeft,
                  errors=(NoSuchCase, RequestConflict, EmptyMessage, *REFUSALS),
                  limit=Limit(name="left", burst=5, per_ms=60_000),
                  summary="Leave a message for when somebody is there"),
            Route("GET", "/buyer/messages", self.left, permission=VISITOR, query=MessagesQuery, answer=OwnMessages,
                  summary="What one has left at a shop, and what has become of it"),
        ]  # fmt: skip

    async def open(self, call: Call[Buyer], body: OpenCase) -> BuyerCase:
        return await self._shown(await self._desk.arrive(call.who, body.shop_id, body.ctx))

    async def cases(self, call: Call[Buyer]) -> BuyerCases:
        return BuyerCases(items=[await self._shown(one) for one in await self._desk.all_of_buyer(call.who)])

    async def case(self, call: Call[Buyer]) -> BuyerCase:
        return await self._shown(await self._desk.of_buyer(call.who, call.path["case_id"]))

    async def person(self, call: Call[Buyer], body: BuyerAct) -> BuyerCase:
        case = await self._desk.of_buyer(call.who, call.path["case_id"])
        await self._heard(call.who, case)
        asked = await self._desk.ask_person(case.id, "asked", call.who.person_id, request_id=body.request_id)
        return await self._shown(asked)

    async def end(self, call: Call[Buyer], body: BuyerAct) -> BuyerCase:
        return await self._shown(await self._desk.end_by_buyer(call.who, call.path["case_id"], body.request_id))

    async def leave(self, call: Call[Buyer], body: LeftMessage) -> MessageLeft:
        case = await self._desk.of_buyer(call.who, call.path["case_id"])
        row = await self._desk.messages.leave(call.who, case, body.text, body.contact, body.request_id)
        return MessageLeft(id=row.id, state=row.state)

    async def _heard(self, who: Buyer, case: Case) -> None:
        """Blocked, GuestsBlocked."""
        await self._guard.hears(case.shop_id, (case.buyer_id, *who.ids), guard_rules.guest(who))

    async def left(self, call: Call[Buyer]) -> OwnMessages:
        rows = await self._desk.messages.of_buyer(call.who, call.query.shop_id)
        return OwnMessages(items=[
            OwnMessage(
                id=row.id, case_id=row.case_id, text=row.text, contact=row.contact, state=row.state,
                by_name=row.by_name, created_at=row.created_at, closed_at=row.closed_at,
            )
            for row in rows
        ])  # fmt: skip

    async def _shown(self, case: Case) -> BuyerCase:
        now = self._clock.now()
        settings = await self._desk.office.settings(case.shop_id)
        place = await self._desk.place(case)
        attended = place.attended if place else await self._desk.attended(case.shop_id)
        return BuyerCase(
            id=case.id, c=case.c, shop_id=case.shop_id, state=case.state, rev=case.rev, agent_name=case.agent_name,
            card=case.card, pos=place.pos if place else None, ahead=place.pos - 1 if place else None,
            eta_s=place.eta_s if place else None, open_now=rules.is_open(settings, now),
            serves_now=rules.serves(settings, now, attended=attended), opens_at=rules.opens_at(settings, now),
            attended=attended, after_hours=case.after_hours, overflow=rules.overflows(case, settings, now),
            opened_at=case.opened_at, ended_at=case.ended_at,
        )  # fmt: skip
