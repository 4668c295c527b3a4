"""A supervisor's use cases: the live board, a silent look, a whisper to the agent, taking over; a case's origin."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from msgspec import Struct

from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.desk import office_store, store
from octshop_rt.im.desk.model import DESK, Agent, Case, NoSuchCase, NotServing
from octshop_rt.im.desk.service import Desk
from octshop_rt.im.wire.fields import Body
from octshop_rt.im.wire.incoming import Pull
from octshop_rt.im.wire.outgoing import Ent, Pulled

_MOST_ON_BOARD = 500
_MESSAGES = 200
_MOST_SHOWN = 1_000
_PAGE = 200
LOOK = 50


class Board(Struct, frozen=True, kw_only=True):
    """A shop's service at this moment."""

    agents: list[Agent]
    waiting: list[Case]
    human: list[Case]
    bot: list[Case]
    queued: int
    waits_since: Millis | None
    messages_open: int


class Supervise:
    """For managers. Who looks is not in the conversation: no mark moves, nobody is told."""

    def __init__(self, db: Database, clock: Clock, desk: Desk, conversations: Conversations) -> None:
        self._db = db
        self._clock = clock
        self._desk = desk
        self._conversations = conversations

    async def board(self, who: ShopStaff) -> Board:
        """Everything a manager sees at a glance."""
        waiting = await store.queued(self._db, who.shop_id, _MOST_ON_BOARD)
        human = await store.in_state(self._db, who.shop_id, ["human"], _MOST_ON_BOARD)
        return Board(
            agents=await self._desk.office.agents(who.shop_id),
            waiting=waiting,
            human=human,
            bot=await store.in_state(self._db, who.shop_id, ["new", "bot"], _MOST_ON_BOARD),
            queued=await self._desk.count_waiting(who),
            waits_since=min((one.queued_at for one in waiting if one.queued_at is not None), default=None),
            messages_open=len(await office_store.messages(self._db, who.shop_id, ["open"], None, _MESSAGES)),
        )

    async def look(self, who: ShopStaff, case_id: str, before: int | None) -> Pulled:
        """The newest page of the log below `before`, as the shop sees it."""
        case = await self._desk.of_shop(who, case_id)
        to = None if before is None else max(0, before - 1)
        return await self._conversations.page(Pull(i=0, c=case.c, to=to, n=LOOK, rev=True), "staff")

    async def whisper(self, who: ShopStaff, case_id: str, text: str, request_id: str) -> Case:
        """A word in the agent's ear: a note in the log that the shop alone sees, addressed to who serves the buyer."""
        case = await self._desk.of_shop(who, case_id)
        if case.state != "human":
            raise NotServing
        m = "w" + hashlib.blake2b(f"{case.id} {who.person_id} {request_id}".encode(), digest_size=15).hexdigest()
        body = Body(text=text, ev="whisper", who=who.name, to=case.agent_name, id=case.agent_id)
        await self._conversations.say(case.c, fr="system", f=DESK, m=m, k="note", b=body, vis="staff")
        return case

    async def take_over(self, who: ShopStaff, case_id: str, request_id: str) -> Case:
        """The case is the supervisor's now, whoever had it. DeskFull, CaseEnded."""
        await self._desk.of_shop(who, case_id)
        return await self._desk.take_over(who, case_id, request_id)

    async def origin(self, who: ShopStaff, case_id: str) -> tuple[Case, list[Ent]]:
        """The case this one goes on from and what was said in it, as its buyer saw it: of another shop's conversation
        nothing else is shown, and nothing at all of other times. NoSuchCase where there is none.
        """
        case = await self._desk.of_shop(who, case_id)
        before = None if case.before_id is None else await store.case(self._db, case.before_id)
        if before is None:
            raise NoSuchCase
        return before, [one async for one in self._stretch(before)]

    async def _stretch(self, case: Case) -> AsyncIterator[Ent]:
        """What was said in a case, in order; of a very long one the newest `_MOST_SHOWN`. It begins with the buyer's
        first word, which may be older than the case that it opened, and the card that stands before it.
        """
        until = case.ended_at or self._clock.now()
        if case.first_s > 1:
            page = await self._conversations.page(Pull(i=0, c=case.c, to=case.first_s - 1, n=LOOK, rev=True), "buyer")
            for one in page.ents:
                if case.opened_at <= one.ts <= until:
                    yield one
        after = max(case.first_s, max(case.buyer_s, case.staff_s) - _MOST_SHOWN + 1, 1) - 1
        more = True
        while more:
            page = await self._conversations.page(Pull(i=0, c=case.c, from_=after + 1, n=_PAGE), "buyer")
            for one in page.ents:
                if one.ts > until:
                    return
                if one.s >= case.first_s > 0 or one.ts >= case.opened_at:
                    yield one
                after = one.s
            more = page.more and bool(page.ents)
