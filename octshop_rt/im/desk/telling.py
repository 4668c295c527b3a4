"""What people see of a case: words of the desk in the log, and notices to those who watch.

A word is owed on the case row (`untold`) from the moment of the change, so that one lost in a crash is said later; its
client id is made of the case and the rev, so that saying it again is the same entry. What the log refuses for good is
struck off.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

import msgspec
import structlog
from msgspec import structs

from octshop_rt.core.bus import NO_REV, NOTICES, Bus, Notice, batches, notify, notify_many
from octshop_rt.core.clock import Clock, monotonic_ms
from octshop_rt.core.errors import BadInput, DomainError
from octshop_rt.core.mongo import Database
from octshop_rt.core.tasks import TaskRegistry
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.desk import office_store, store
from octshop_rt.im.desk.model import DESK, Agent, Case, LeaveMessage, Step
from octshop_rt.im.desk.places import Place, Places
from octshop_rt.im.wire.fields import Body, EntryKind, Visibility

log = structlog.get_logger(__name__)

_PUSH_MS = 1_000
_LOOK_MS = 15_000
_REMEMBERED_MS = 60_000  # a shop whose queue has not moved for so long here is told anew
_CLEAR_S = 0.2
_SERVED_AT_ONCE_S = 0.7

# What the log says of a step, by its reason: the event's name. Steps that are not here are the desk's own business.
EVENTS: dict[str, str] = {
    "spoke": "queued", "asked": "queued", "unanswered": "queued", "timeout": "queued", "dropped": "queued",
    "assigned": "assigned", "accepted": "assigned", "answered": "assigned", "transferred": "transferred",
    "taken_over": "assigned", "resolved": "ended", "unresolved": "ended", "left": "ended", "idle": "ended",
    "abandoned": "ended", "to_platform": "to_platform", "reopened": "reopened", "blocked": "ended", "bot": "bot",
}  # fmt: skip


class Telling:
    """Says and notifies. Nothing here decides, and nothing waits for it."""

    def __init__(
        self, db: Database, clock: Clock, bus: Bus, tasks: TaskRegistry, places: Places, conversations: Conversations
    ) -> None:
        self._db = db
        self._places = places
        self._clock = clock
        self._bus = bus
        self._tasks = tasks
        self._conversations = conversations
        self._said: dict[int, list[str]] = defaultdict(list)  # revs said and not yet struck off, with their cases
        self._clearing: asyncio.Task[None] | None = None
        self._pushing: set[str] = set()
        self._pushed_at: dict[str, int] = {}
        self._told: dict[str, dict[str, Place]] = {}  # by shop, of each case
        bus.subscribe(NOTICES, self._heard)
        bus.on_gap(self._torn)

    def case(self, case: Case) -> None:
        """The case has moved: say what is owed and tell whoever watches it."""
        self._tasks.spawn(self._case(case), name="desk tell")

    def agent(self, agent: Agent) -> None:
        """An agent's state or load has changed."""
        self._tasks.spawn(self._agent(agent), name="desk agent")

    def aside(self, case: Case) -> None:
        """A change that moved nothing owes the log a word: a card, an invitation."""
        self._tasks.spawn(self._asides(case), name="desk aside")

    def left(self, row: LeaveMessage) -> None:
        """A message left stands in the log; its row owes that until it does, so upkeep says what this node did not."""
        self._tasks.spawn(self.owed_left(row), name="desk left")

    async def owed_left(self, row: LeaveMessage) -> None:
        """Say it; it stays owed when the log does not take it now."""
        if await self._say(row.c, "message_left", f"{row.id}-left", Body(id=row.id, text=row.text), None):
            await office_store.message_told(self._db, row.id)

    async def _asides(self, case: Case) -> None:
        for aside in case.asides:
            await self.owed(case, aside.rev)

    async def _case(self, case: Case) -> None:
        if case.state == "queued" and case.untold:
            # A buyer who is served at once need not read that there is a queue.
            await asyncio.sleep(_SERVED_AT_ONCE_S)
            case = await store.case(self._db, case.id) or case
        for rev in case.untold:
            await self.owed(case, rev)
        place = {"state": case.state}
        await notify(self._bus, Notice(topic="case", id=case.id, rev=case.rev, d=place))
        await notify(self._bus, Notice(topic="board", id=case.shop_id, rev=self._clock.now(), d={"case": case.id}))
        if case.state == "queued" or (case.history and case.history[-1].was == "queued"):
            self.queue(case.shop_id)

    async def owed(self, case: Case, rev: int) -> None:
        """Say the words of one rev; they stay owed when the log does not take them now."""
        step = next((one for one in case.history if one.rev == rev), None)
        overtaken = step is not None and step.now == "queued" and case.state != "queued"
        if step is not None and step.why in EVENTS and not overtaken:
            vis: Visibility | None = "staff" if step.why == "bot" else None
            body = _body(case, step)
            if not await self._say(case.c, EVENTS[step.why], f"{case.id}-{rev}", body, vis):
                return
        if step is not None and step.note:  # overtaken or not: a colleague wrote it for whoever serves next
            note = Body(text=step.note, who=step.by)
            if not await self._put(case.c, f"{case.id}-{rev}n", "note", note, "staff"):
                return
        for one in (aside for aside in case.asides if aside.rev == rev):
            if not await self._say(case.c, one.ev, f"{case.id}-{rev}a", one.body, one.vis):
                return
        self._said[rev].append(case.id)
        if self._clearing is None or self._clearing.done():
            self._clearing = self._tasks.spawn(self._strike_off(), name="desk told")

    async def _say(self, c: str, ev: str, m: str, body: Body, vis: Visibility | None) -> bool:
        return await self._put(c, m, "event", structs.replace(body, ev=ev), vis)

    async def _put(self, c: str, m: str, k: EntryKind, body: Body, vis: Visibility | None) -> bool:
        """Whether there is nothing more to say: the log holds it, or has refused it for good."""
        try:
            await self._conversations.say(c, fr="system", f=DESK, m=m, k=k, b=body, vis=vis)
        except DomainError as fault:
            if fault.retry:
                log.info("the desk's word waits", c=c, m=m, fault=str(fault))
                return False
            log.warning("the desk's word has no place", c=c, m=m, fault=str(fault))
        return True

    async def _strike_off(self) -> None:
        """Many words in one update: saying costs the assignment nothing."""
        await asyncio.sleep(_CLEAR_S)
        said, self._said = self._said, defaultdict(list)
        for rev, case_ids in said.items():
            await store.told(self._db, case_ids, rev)

    async def _agent(self, agent: Agent) -> None:
        d = {"status": agent.status, "load": agent.load, "cap": agent.cap}
        await notify(self._bus, Notice(topic="desk", id=agent.id, rev=agent.rev, d=d))
        await notify(self._bus, Notice(topic="board", id=agent.shop_id, rev=self._clock.now(), d={"agent": agent.id}))

    # --- places -------------------------------------------------------------------------------------------------------

    def queue(self, shop_id: str) -> None:
        """Those who wait have moved up, or others serve: tell each whose place or wait is another, at most once a
        second a shop on this node.
        """
        self._again(shop_id, net=False)

    def look(self, shop_id: str) -> None:
        """The net below `queue`, for a shop where somebody waits: an agent has gone without a word, hours have begun, a
        gap of the bus has made this node forget what was told.
        """
        if monotonic_ms() - self._pushed_at.get(shop_id, -_LOOK_MS) >= _LOOK_MS:
            self._again(shop_id, net=True)

    def _again(self, shop_id: str, *, net: bool) -> None:
        if shop_id not in self._pushing:
            self._pushing.add(shop_id)
            self._tasks.spawn(self._push(shop_id, net=net), name="desk queue")

    async def _push(self, shop_id: str, *, net: bool) -> None:
        rest = self._pushed_at.get(shop_id, -_PUSH_MS) + _PUSH_MS - monotonic_ms()
        if rest > 0:
            await asyncio.sleep(rest / 1_000)
        self._pushing.discard(shop_id)
        self._forget(monotonic_ms())
        self._pushed_at[shop_id] = monotonic_ms()
        standing = await self._places.anew(shop_id)
        meant = standing.places
        before = self._told.get(shop_id, {})
        self._told[shop_id] = {case_id: told for case_id, told in before.items() if case_id in meant}
        moved = [_placed(case_id, place) for case_id, place in meant.items() if before.get(case_id) != place]
        await notify_many(self._bus, shop_id, moved)
        if net and not moved:
            return
        d = {"waiting": len(meant)}
        await notify(self._bus, Notice(topic="board", id=shop_id, rev=self._clock.now(), d=d))
        for one in standing.agents:
            await notify(self._bus, Notice(topic="desk", id=one.id, rev=one.rev, d=d))

    def _heard(self, _channel: str, payload: bytes) -> None:
        """What any node, this one too, has told those who wait: not to be told again until it changes."""
        try:
            batch = batches.from_msgpack(payload)
            told = {one.id: msgspec.convert(one.d, Place) for one in batch.many if "pos" in one.d}
        except (BadInput, msgspec.ValidationError):
            return
        self._places.told(batch.about, told)
        if batch.about in self._told:
            self._told[batch.about] |= told

    def _torn(self) -> None:
        """Something told may not have come to those connected here: the net tells them anew, with its next look."""
        self._told.clear()
        self._pushed_at.clear()

    def _forget(self, now: int) -> None:
        for shop_id in [one for one, at in self._pushed_at.items() if now - at > _REMEMBERED_MS]:
            del self._pushed_at[shop_id]
            self._told.pop(shop_id, None)


def _placed(case_id: str, place: Place) -> Notice:
    """Says nothing of the case's own changes, so it carries no rev."""
    d = {"state": "queued", "ahead": place.pos - 1, **structs.asdict(place)}
    return Notice(topic="case", id=case_id, rev=NO_REV, d=d)


def _body(case: Case, step: Step) -> Body:
    return Body(id=case.id, who=step.by, to=step.to, text=step.why)
