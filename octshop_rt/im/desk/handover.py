"""A case changes hands: to an agent, a group, the queue, or between a shop and the platform."""

from __future__ import annotations

from msgspec import structs

from octshop_rt.core.auth.model import Right, ShopStaff
from octshop_rt.core.clock import Clock
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.desk import rules, store
from octshop_rt.im.desk.cases import done_before
from octshop_rt.im.desk.model import (
    MOST_ASKED,
    PLATFORM_SHOP,
    Agent,
    Case,
    CaseEnded,
    DeskChanged,
    NoSuchAgent,
    NotServing,
)
from octshop_rt.im.desk.service import Desk
from octshop_rt.im.wire.fields import Body


class Handover:
    """Transfers. A case that is with the bot or in the queue may be passed on as well as one being served."""

    def __init__(self, db: Database, clock: Clock, desk: Desk, conversations: Conversations) -> None:
        self._db = db
        self._clock = clock
        self._desk = desk
        self._conversations = conversations

    async def to_agent(self, who: ShopStaff, case_id: str, agent_id: str, note: str, request_id: str) -> Case:
        """To a colleague who is there and has room. NoSuchAgent, DeskFull, NotServing, CaseEnded."""
        await self._desk.of_shop(who, case_id)
        agent = await self._desk.office.agent(who.shop_id, agent_id)
        now = self._clock.now()
        if agent.status == "offline" or not rules.here(agent, now):
            raise NoSuchAgent
        settings = await self._desk.office.settings(who.shop_id)

        def decide(case: Case, by: Agent) -> Case:
            if done_before(case, request_id):
                return case
            may_pass_on(who, case)
            if case.agent_id == by.id:
                return case
            theirs = rules.seated(case, by, settings, now)
            return rules.moved(
                theirs, "human", "transferred", at=now, by=who.person_id, to=by.name, note=note or None,
                request_id=request_id,
            )  # fmt: skip

        return await self._desk.cases.seat(case_id, agent, decide)

    async def to_group(self, who: ShopStaff, case_id: str, group_id: str | None, note: str, request_id: str) -> Case:
        """Back into the queue, for a group (None: for anybody), with the place of somebody who has waited already."""
        await self._desk.of_shop(who, case_id)
        group = None if group_id is None else await self._desk.office.group(who.shop_id, group_id)
        settings = await self._desk.office.settings(who.shop_id)
        now = self._clock.now()

        def decide(case: Case) -> Case:
            if done_before(case, request_id):
                return case
            may_pass_on(who, case)
            wanted = structs.replace(case, group_id=group_id, skills=(), last_agent_id=None)
            giver = case.agent_id
            waiting = rules.enqueued(wanted, settings, now, first=True)
            if giver is not None:
                waiting = rules.passing(waiting, giver)  # whoever passes a buyer on does not want them back
            return rules.moved(
                waiting, "queued", "transferred", at=now, by=who.person_id, to=group.name if group else None,
                note=note or None, request_id=request_id,
            )  # fmt: skip

        return await self._desk.cases.change(case_id, decide)

    async def to_platform(self, who: ShopStaff, case_id: str, note: str, request_id: str) -> Case:
        """Shop → platform: the buyer's case with the platform's own service, which names this one. A conversation is
        one buyer and one shop and stays so: nobody of the platform gets into it, they are shown its log by the case.
        """
        return await self._across(who, case_id, PLATFORM_SHOP, note, request_id)

    async def to_shop(self, who: ShopStaff, case_id: str, note: str, request_id: str) -> Case:
        """Platform → the shop the case came from."""
        case = await self._desk.of_shop(who, case_id)
        before = None if case.before_id is None else await store.case(self._db, case.before_id)
        if before is None or before.shop_id == case.shop_id:
            raise NoSuchAgent
        return await self._across(who, case_id, before.shop_id, note, request_id)

    async def _across(self, who: ShopStaff, case_id: str, shop_id: str, note: str, request_id: str) -> Case:
        case = await self._desk.of_shop(who, case_id)
        if shop_id == who.shop_id:
            raise NoSuchAgent
        if not done_before(case, request_id):
            may_pass_on(who, case)
        conversation = await self._conversations.of_pair(case.buyer_id, shop_id)
        # First the new place, then the end of the old: whatever happens between, the buyer is waited on somewhere.
        # The same request finds both as it left them.
        fresh = await self._desk.intake.open(conversation, case.card, before=case)
        settings = await self._desk.office.settings(shop_id)
        now = self._clock.now()

        def receive(seen: Case) -> Case:
            if done_before(seen, request_id):
                return seen
            if seen.state == "ended":
                raise DeskChanged  # a moment ago: the same request again opens another
            linked = structs.replace(seen, before_id=case.id, priority=max(1, seen.priority))
            if seen.state in {"queued", "human"}:
                # They have the buyer already, and must hear of this all the same: from their log.
                heard = structs.replace(linked, asked=(*seen.asked, request_id)[-MOST_ASKED:])
                told = Body(id=case.id, who=who.name, text=note or None)
                return rules.owing(heard, seen.rev + 1, "handed_in", told, now, "staff")
            waits = structs.replace(linked, waiting_since=case.waiting_since or now)
            placed = self._desk.intake.placed(waits, settings, now)
            return rules.moved(
                placed, "queued", "transferred", at=now, by=who.person_id, note=note or None, request_id=request_id
            )

        fresh = await self._desk.cases.change(fresh.id, receive)
        self._desk.telling.queue(shop_id)
        if case.state != "ended":
            await self._desk.cases.end(
                case_id, "to_platform", who.person_id, request_id=request_id, guard=lambda seen: may_pass_on(who, seen),
                moved_to=Body(id=fresh.c, who=who.name, to=shop_id, text=fresh.id),
            )  # fmt: skip
        return fresh


def may_pass_on(who: ShopStaff, case: Case) -> None:
    """Whoever serves the buyer, a manager, and anybody of the desk while nobody serves."""
    if case.state == "ended":
        raise CaseEnded
    if case.state == "human" and case.person_id != who.person_id and Right.MANAGE not in who.rights:
        raise NotServing
