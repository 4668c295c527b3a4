"""Agents come and go: the state a person chooses, and being there, which a socket or a heartbeat says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from msgspec import structs

from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.clock import SECOND, Clock, Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.tasks import end
from octshop_rt.im.desk import rules, shift_store, store
from octshop_rt.im.desk.cases import Cases
from octshop_rt.im.desk.model import Agent, AgentStatus, DeskChanged, Shift
from octshop_rt.im.desk.office import Office
from octshop_rt.im.desk.telling import Telling

log = structlog.get_logger(__name__)

_RENEW_MS = 15 * SECOND
_LOOK_S = 1.0

Connected = Callable[[], set[str]]


class Attendance:
    """`connected()` names the staff with a socket on this node; every node renews the presence of its own."""

    def __init__(
        self, db: Database, clock: Clock, ids: Ids, office: Office, cases: Cases, telling: Telling, connected: Connected
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._office = office
        self._cases = cases
        self._telling = telling
        self._connected = connected
        self._renewed: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch the sockets of this node."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="desk attendance")

    async def stop(self) -> None:
        """Watch no more."""
        if self._task is not None:
            await end(self._task)
            self._task = None

    async def beat(self, who: ShopStaff) -> Agent:
        """The person is there. The first beat at a desk makes them an agent, online: no one has to set a shop up."""
        row = await self._office.ensure(who.shop_id, who.person_id, who.name)
        if row.seen_at == 0:
            return await self.choose(who, "online", "")
        await self.seen([who.person_id])
        return await self._office.agent(who.shop_id, row.id)

    async def choose(self, who: ShopStaff, status: AgentStatus, reason: str) -> Agent:
        """The person's own choice of state."""
        row = await self._office.ensure(who.shop_id, who.person_id, who.name)
        return await self.put(row, status, reason, name=who.name, there=True)

    async def put(
        self, row: Agent, status: AgentStatus, reason: str, *, name: str = "", there: bool = False, by: str = ""
    ) -> Agent:
        """Write a state and the record of it; `by`: a manager, if not the agent. Told to the agent, the board and
        (if there is room now) the queue.
        """
        now = self._clock.now()
        if there and 0 < row.seen_at < now - rules.HERE_MS and row.gone_at is None:
            await self._left(row, now)
        for _ in range(5):
            after = structs.replace(
                row, status=status, reason=reason, status_at=now, name=name or row.name,
                seen_at=now if there else row.seen_at,
            )  # fmt: skip
            done = await store.set_status(self._db, row, after)
            if done is not None:
                break
            row = await self._office.agent(row.shop_id, row.id)
        else:
            raise DeskChanged
        if row.status != status or row.reason != reason or row.seen_at == 0:
            await shift_store.add(
                self._db,
                Shift(
                    id=self._ids.new("Z"), shop_id=row.shop_id, agent_id=row.id,
                    was=row.status if row.seen_at else None, now=status, reason=reason, at=now, by=by,
                ),
            )  # fmt: skip
        self._telling.agent(done)
        self._telling.queue(row.shop_id)
        if status == "online":
            self._cases.wake(row.shop_id)
        return done

    async def seen(self, person_ids: list[str]) -> None:
        """They are there, at every desk of theirs."""
        now = self._clock.now()
        for gone in await store.missed(self._db, person_ids, now - rules.HERE_MS):
            if gone.gone_at is None:
                await self._left(gone, now)
            if await store.back(self._db, gone.id, now) is None:
                continue  # another node has seen them too, and says so
            row = Shift(
                id=self._ids.new("Z"), shop_id=gone.shop_id, agent_id=gone.id, was=gone.status, now="back", reason="",
                at=now,
            )  # fmt: skip
            await shift_store.add(self._db, row)
            self._telling.queue(gone.shop_id)
        if await store.seen(self._db, person_ids, now):
            for person_id in person_ids:
                self._renewed[person_id] = now

    async def _left(self, row: Agent, now: Millis) -> None:
        """Write down, once, that somebody who is seen again was away for longer than presence is good for. Upkeep notes
        at once those who hold buyers; for all others it is soon enough when they come back.
        """
        if row.status == "offline" or await store.gone(self._db, row.id, now, now - rules.HERE_MS) is None:
            return
        lost = Shift(
            id=self._ids.new("Z"), shop_id=row.shop_id, agent_id=row.id, was=row.status, now="gone", reason="dropped",
            at=row.seen_at + rules.HERE_MS,
        )  # fmt: skip
        await shift_store.add(self._db, lost)

    async def look(self) -> None:
        """Renew those who have just come and those whose presence grows old."""
        here, now = self._connected(), self._clock.now()
        self._renewed = {person_id: at for person_id, at in self._renewed.items() if person_id in here}
        due = [person_id for person_id in here if now - self._renewed.get(person_id, 0) >= _RENEW_MS]
        if due:
            await self.seen(due)
            self._renewed |= dict.fromkeys(due, now)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await self.look()
            except DomainError as fault:
                log.warning("presence not renewed", fault=str(fault))
            except Exception:
                log.exception("presence not renewed")
