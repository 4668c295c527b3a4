"""Use cases of the desk by who asks: agents of a shop, the buyer, the answer domain above. One per process."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from msgspec import structs

from octshop_rt.core.auth.model import Buyer, Right, ShopStaff
from octshop_rt.core.bus import Bus
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.errors import RequestConflict
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.tasks import TaskRegistry
from octshop_rt.im.conversation.acquaintance import Acquaintance
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.desk import rules, store
from octshop_rt.im.desk.assign import Assigner
from octshop_rt.im.desk.attendance import Attendance, Connected
from octshop_rt.im.desk.cases import Cases, done_before
from octshop_rt.im.desk.intake import Around, Intake
from octshop_rt.im.desk.messages import Messages
from octshop_rt.im.desk.model import (
    MOST_ASKED,
    MOST_GUESTS,
    Agent,
    Case,
    CaseEnded,
    CaseState,
    CaseTaken,
    DeskChanged,
    LeaveMessage,
    NoSuchCase,
    NotServing,
    QueueEmpty,
    Reason,
    TooLate,
    TooManyGuests,
)
from octshop_rt.im.desk.office import Office
from octshop_rt.im.desk.places import Place, Places
from octshop_rt.im.desk.telling import Telling
from octshop_rt.im.desk.upkeep import Upkeep
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.wire.fields import Body, Context

PAGE = 100
_MOST_TRIED = 20


class Desk:
    """Every part of the engine, and what people do with it. `start` after the conversations, `stop` before them."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        ids: Ids,
        bus: Bus,
        tasks: TaskRegistry,
        conversations: Conversations,
        around: Around,
        connected: Connected,
        guard: Guard | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._around = around
        self._conversations = conversations
        self.office = Office(db, clock, ids)
        self.places = Places(db, clock, tasks, self.office)
        self.telling = Telling(db, clock, bus, tasks, self.places, conversations)
        self.cases = Cases(db, clock, self.office, self.telling)
        self.assigner = Assigner(db, clock, tasks, self.office, self.cases, self.telling, ids.new("Z"))
        self.cases.on_wake(self.assigner.wake)
        self.intake = Intake(db, clock, ids, tasks, around, self.office, self.cases, self.telling)
        self.attendance = Attendance(db, clock, ids, self.office, self.cases, self.telling, connected)
        self.messages = Messages(db, clock, ids, bus, self.telling, guard)
        self.upkeep = Upkeep(db, clock, ids, self.office, self.cases, self.telling, self.intake)
        conversations.on_said(self.intake.hear)

    def start(self) -> None:
        """Begin to serve."""
        self.assigner.start()
        self.attendance.start()
        self.upkeep.start()

    async def stop(self) -> None:
        """No new work; what is on its way ends with the task registry."""
        await self.upkeep.stop()
        await self.attendance.stop()
        await self.assigner.stop()

    # --- what the answer domain above needs ---------------------------------------------------------------------------

    async def case_of(self, c: str) -> Case | None:
        """The open case of a conversation."""
        return await store.open_case(self._db, c)

    async def ask_person(self, case_id: str, why: Reason, by: str, *, request_id: str | None = None) -> Case:
        """New or bot → queued, at once; waiting or served already: as it is. CaseEnded."""
        case = await self.cases.one(case_id)
        settings = await self.office.settings(case.shop_id)
        now = self._clock.now()

        def decide(seen: Case) -> Case:
            if seen.state == "ended":
                raise CaseEnded
            if seen.state in {"queued", "human"}:
                return seen
            placed = self.intake.placed(seen, settings, now)
            return rules.moved(placed, "queued", why, at=now, by=by, request_id=request_id)

        return await self.cases.change(case_id, decide)

    async def held_by_bot(self, before: Millis, limit: int = 200) -> list[Case]:
        """Cases in state bot whose buyer spoke before `before`: for the answer domain's own sweep."""
        return await store.held_by_bot(self._db, before, limit)

    # --- buyers -------------------------------------------------------------------------------------------------------

    async def arrive(self, who: Buyer, shop_id: str, ctx: Context | None) -> Case:
        """The buyer opens the chat of a shop, from somewhere: conversation and case, found or made. NoSuchShop,
        NoSuchContext.
        """
        card = await self.intake.looked_at(who.person_id, shop_id, ctx)
        if who.was:
            await self._keep_place(who, shop_id)
        conversation = await self._conversations.open(who, shop_id, ctx)
        return await self.intake.arrive(conversation, card)

    async def _keep_place(self, who: Buyer, shop_id: str) -> None:
        """Who signs in while waiting or being served goes on there, also where the member has talked to the shop since
        in a conversation of their own. One person waits once: of two places the better one is kept.
        """
        mine = [case for case in await self.all_of_buyer(who) if case.shop_id == shop_id and case.open]
        held = sorted((case for case in mine if case.state in {"queued", "human"}), key=rules.standing)
        if not held:
            return
        for other in held[1:]:
            with contextlib.suppress(CaseEnded, DeskChanged):
                await self.cases.end(other.id, "left", who.person_id)
        if (await self._conversations.open(who, shop_id, None)).id != held[0].c:
            await Acquaintance(self._db).resume(held[0].c, self._clock.now())

    async def of_buyer(self, who: Buyer, case_id: str) -> Case:
        """NoSuchCase for other people's."""
        case = await store.case(self._db, case_id)
        if case is None or case.buyer_id not in who.ids:
            raise NoSuchCase
        return case

    async def all_of_buyer(self, who: Buyer) -> list[Case]:
        """The buyer's newest cases."""
        return await store.of_buyer(self._db, who.ids, 20)

    async def end_by_buyer(self, who: Buyer, case_id: str, request_id: str) -> Case:
        """The buyer leaves."""
        await self.of_buyer(who, case_id)
        return await self.cases.end(case_id, "left", who.person_id, request_id=request_id)

    async def place(self, case: Case) -> Place | None:
        """Of one who waits, at most a second old; None of anybody else."""
        return await self.places.of(case.shop_id, case.id) if case.state == "queued" else None

    async def attended(self, shop_id: str) -> bool:
        """Whether somebody is at the desk now."""
        return bool(await store.online(self._db, shop_id, self._clock.now() - rules.HERE_MS))

    # --- agents: look -------------------------------------------------------------------------------------------------

    async def of_shop(self, who: ShopStaff, case_id: str) -> Case:
        """NoSuchCase for other shops'."""
        case = await store.case(self._db, case_id)
        if case is None or case.shop_id != who.shop_id:
            raise NoSuchCase
        return case

    async def listed(
        self, who: ShopStaff, states: Sequence[CaseState], cursor: str | None
    ) -> tuple[list[Case], str | None]:
        """The shop's cases in these states (any: all), newest first."""
        rows = await store.listed(self._db, who.shop_id, states, cursor, PAGE + 1)
        return rows[:PAGE], rows[PAGE - 1].id if len(rows) > PAGE else None

    async def mine(self, who: ShopStaff) -> list[Case]:
        """The cases this agent serves now."""
        return await store.of_agent(self._db, f"{who.shop_id}:{who.person_id}")

    async def invited(self, who: ShopStaff) -> list[Case]:
        """The cases of colleagues into which this agent has been asked."""
        return await store.invited(self._db, who.shop_id, who.person_id)

    async def going_on(self, who: ShopStaff, cs: Sequence[str]) -> list[Case]:
        """The open cases of these conversations, of those that have one."""
        return await store.going_on(self._db, who.shop_id, cs)

    async def waiting(self, who: ShopStaff) -> list[Case]:
        """Who waits at this shop, in order."""
        return await store.queued(self._db, who.shop_id, PAGE)

    async def me(self, who: ShopStaff) -> Agent:
        """This person's row; as it would be, where they have not sat here yet."""
        row = await store.agent(self._db, f"{who.shop_id}:{who.person_id}")
        return row if row is not None else await self.office.draft(who.shop_id, who.person_id, who.name)

    async def count_waiting(self, who: ShopStaff) -> int:
        """How many wait at this shop."""
        return await store.count_queued(self._db, who.shop_id)

    async def names(self, cases: Sequence[Case] | Sequence[LeaveMessage]) -> dict[str, str]:
        """Names of the buyers."""
        return dict(await self._around.names(sorted({one.buyer_id for one in cases})))

    # --- agents: act --------------------------------------------------------------------------------------------------

    async def accept(self, who: ShopStaff, case_id: str, request_id: str) -> Case:
        """Take somebody who waits (or is with the bot). CaseTaken, DeskFull, CaseEnded."""
        await self.of_shop(who, case_id)
        return await self._take(who, case_id, request_id, "accepted", over_others=False)

    async def accept_next(self, who: ShopStaff, request_id: str) -> Case:
        """Take the one who has waited longest and whom this agent may serve. QueueEmpty, DeskFull."""
        for case in await self.mine(who):
            if done_before(case, request_id):
                return case
        agent = await self.office.ensure(who.shop_id, who.person_id, who.name)
        settings = await self.office.settings(who.shop_id)
        now = self._clock.now()
        overflown = rules.overflown(settings, now)
        able = await store.servable(self._db, who.shop_id, rules.kinds([agent]), overflown=overflown, limit=_MOST_TRIED)
        for case in able:
            try:
                return await self._take(who, case.id, request_id, "accepted", over_others=False)
            except (CaseTaken, CaseEnded, NoSuchCase):
                continue  # a colleague was faster: the next one
        raise QueueEmpty

    async def end(self, who: ShopStaff, case_id: str, request_id: str, *, resolved: bool | None) -> Case:
        """The one who serves the buyer ends it; a manager ends any."""
        await self.of_shop(who, case_id)

        def guard(case: Case) -> None:
            if case.state == "human" and case.person_id != who.person_id and Right.MANAGE not in who.rights:
                raise NotServing

        why: Reason = "unresolved" if resolved is False else "resolved"
        return await self.cases.end(case_id, why, who.person_id, resolved=resolved, request_id=request_id, guard=guard)

    async def reopen(self, who: ShopStaff, case_id: str, request_id: str) -> Case:
        """Go on with an ended case: a new one, in this agent's hands, that names the old. TooLate."""
        old = await self.of_shop(who, case_id)
        settings = await self.office.settings(who.shop_id)
        if old.state != "ended" or not rules.reopenable(old, settings, self._clock.now()):
            raise TooLate
        conversation = await self._conversations.conversation(old.c)
        case = await self.intake.open(conversation, old.card, before=old)
        if case.before_id != old.id:
            raise TooLate  # the buyer has begun another meanwhile
        return await self._take(who, case.id, request_id, "reopened", over_others=False)

    async def invite(self, who: ShopStaff, case_id: str, agent_id: str, note: str, request_id: str) -> Case:
        """Ask a colleague of the shop to join: they are told, and the case stands in their list. Who serves stays."""
        await self.of_shop(who, case_id)
        guest = await self.office.agent(who.shop_id, agent_id)
        now = self._clock.now()

        def decide(case: Case) -> Case:
            if request_id in case.asked or guest.person_id in case.guests:
                return case
            self._serving(who, case)
            if len(case.guests) >= MOST_GUESTS:
                raise TooManyGuests
            asked = (*case.asked, request_id)[-MOST_ASKED:]
            with_guest = structs.replace(case, guests=(*case.guests, guest.person_id), asked=asked)
            body = Body(id=case.id, who=who.name, to=guest.name, text=note or None)
            return rules.owing(with_guest, case.rev + 1, "invited", body, now, "staff")

        case = await self.cases.change(case_id, decide)
        self.telling.agent(guest)
        return case

    async def take_over(self, who: ShopStaff, case_id: str, request_id: str) -> Case:
        """A supervisor serves the buyer from now on, whoever did."""
        return await self._take(who, case_id, request_id, "taken_over", over_others=True)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _serving(self, who: ShopStaff, case: Case) -> None:
        if case.state != "human":
            raise CaseEnded if case.state == "ended" else NotServing
        if case.person_id != who.person_id and Right.MANAGE not in who.rights:
            raise NotServing

    async def _take(
        self, who: ShopStaff, case_id: str, request_id: str, why: Reason, *, over_others: bool
    ) -> Case:  # fmt: skip
        """Bring a case to the one who asks for it."""
        agent = await self.office.ensure(who.shop_id, who.person_id, who.name)
        settings = await self.office.settings(who.shop_id)
        now = self._clock.now()

        def decide(case: Case, by: Agent) -> Case:
            if done_before(case, request_id):
                if case.agent_id != by.id:
                    raise RequestConflict
                return case
            if case.state == "ended":
                raise CaseEnded
            if case.state == "human":
                if case.agent_id == by.id:
                    return case
                if not over_others:
                    raise CaseTaken(name=case.agent_name)
            mine = rules.seated(case, by, settings, now)
            return rules.moved(mine, "human", why, at=now, by=who.person_id, to=by.name, request_id=request_id)

        return await self.cases.seat(case_id, agent, decide)
