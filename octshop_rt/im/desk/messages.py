"""Messages left while nobody could answer, and what the shop does with them: take, close, lay down again."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from octshop_rt.core.auth.model import Buyer, ShopStaff
from octshop_rt.core.bus import NO_REV, Bus, Notice, notify
from octshop_rt.core.clock import Clock
from octshop_rt.core.crypto import digest
from octshop_rt.core.errors import RequestConflict
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.im.conversation.model import EmptyMessage
from octshop_rt.im.desk import office_store
from octshop_rt.im.desk.model import (
    MESSAGE_LIFE,
    Case,
    LeaveMessage,
    MessageState,
    MessageTaken,
    NoSuchMessage,
)
from octshop_rt.im.desk.telling import Telling
from octshop_rt.im.guard.service import Guard

PAGE = 50
OF_BUYER = 20


class Messages:
    """A left message has a life of its own: it is work to do, whoever opens the desk next."""

    def __init__(
        self, db: Database, clock: Clock, ids: Ids, bus: Bus, telling: Telling, guard: Guard | None = None
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._bus = bus
        self._telling = telling
        self._guard = guard

    async def leave(self, who: Buyer, case: Case, text: str, contact: str, request_id: str) -> LeaveMessage:
        """Leave one; the same request again finds it, though the case it was left in may have ended meanwhile: the
        page has begun another then. It also stands in the log, where buyer and shop will look.
        Its words pass the guard, whose refusals fly out, once: what is kept is found again whatever is forbidden or
        starred by then. EmptyMessage, RequestConflict.
        """
        if not text.strip():
            raise EmptyMessage
        said = _fingerprint(case.shop_id, text, contact)
        row = await office_store.message_by_request(self._db, who.person_id, request_id)
        if row is None:
            if self._guard is not None:
                [text] = await self._guard.worded(case.shop_id, case.c, case.buyer_id, who, text)
                contact = await self._guard.reachable(case.shop_id, contact)
            row = LeaveMessage(
                id=self._ids.new("Z"), shop_id=case.shop_id, case_id=case.id, c=case.c, buyer_id=who.person_id,
                text=text, contact=contact, state="open", request_id=request_id, created_at=self._clock.now(),
                owed=True, said=said,
            )  # fmt: skip
            try:
                await office_store.add_message(self._db, row)
            except DuplicateKey:
                row = await office_store.message_by_request(self._db, who.person_id, request_id)
                assert row is not None, "left messages are never deleted"
        if (row.said or _fingerprint(row.shop_id, row.text, row.contact)) != said:
            raise RequestConflict
        self._telling.left(row)
        await self._tell(row)
        return row

    async def of_buyer(self, who: Buyer, shop_id: str) -> list[LeaveMessage]:
        """The newest ones this buyer left at that shop."""
        return await office_store.messages_of_buyer(self._db, who.ids, shop_id, OF_BUYER)

    async def of_shop(
        self, who: ShopStaff, states: Sequence[MessageState], cursor: str | None
    ) -> tuple[list[LeaveMessage], str | None]:
        """Newest first, and where the next page begins."""
        rows = await office_store.messages(self._db, who.shop_id, states, cursor, PAGE + 1)
        return rows[:PAGE], rows[PAGE - 1].id if len(rows) > PAGE else None

    async def move(self, who: ShopStaff, message_id: str, state: MessageState, note: str) -> LeaveMessage:
        """Take it, close it, or lay it down again. MessageTaken where a colleague has it or it is closed."""
        now = self._clock.now()
        put: dict[str, object] = {"state": state, "by": who.person_id, "by_name": who.name}
        if note:
            put["note"] = note
        if state == "open":
            put |= {"by": None, "by_name": None, "taken_at": None}
        else:
            put |= {"taken_at": now} if state == "taken" else {"closed_at": now}
        seen = await office_store.message(self._db, who.shop_id, message_id)
        if seen is None:
            raise NoSuchMessage
        if seen.state == state and seen.by in {who.person_id, None}:
            return seen
        done = await office_store.move_message(
            self._db, who.shop_id, message_id, MESSAGE_LIFE.sources(state), put, by=who.person_id
        )
        if done is None:
            raise MessageTaken
        await self._tell(done)
        return done

    async def _tell(self, row: LeaveMessage) -> None:
        d = {"message": row.id, "state": row.state}
        now = self._clock.now()
        await notify(self._bus, Notice(topic="board", id=row.shop_id, rev=now, d=d))
        await notify(self._bus, Notice(topic="case", id=row.case_id, rev=NO_REV, d=d))


def _fingerprint(shop_id: str, text: str, contact: str) -> str:
    return digest(msgspec.json.encode((shop_id, text, contact)))
