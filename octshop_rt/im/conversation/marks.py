"""How far people have come: what they have read (stored), and what has reached their side (told, not stored)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from octshop_rt.core.bus import Bus
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import rules, store
from octshop_rt.im.conversation.members import MOST_KNOWN, Members
from octshop_rt.im.conversation.model import Party
from octshop_rt.im.routing import Hint, Router
from octshop_rt.im.wire.fields import Side
from octshop_rt.im.wire.outgoing import Cur

_MOST_TOLD = 20  # delivery marks passed on from one ACK


class Marks:
    """`tail(c)` is the highest number this node knows of a conversation."""

    def __init__(self, db: Database, bus: Bus, router: Router, members: Members, tail: Callable[[str], int]) -> None:
        self._db = db
        self._router = router
        self._members = members
        self._tail = tail
        self._reached: dict[tuple[str, Side], int] = {}  # received by somebody of that side, as this node has told
        bus.on_gap(self._reached.clear)  # what was told may not have come

    async def read(self, who: Party, c: str, s: int, origin: str) -> None:
        """Move the reader's mark, never back and never beyond the log, and tell everyone in the conversation."""
        conversation, mine = await self._members.standing(who, c)
        if s > self._tail(c):
            s = min(s, await store.tail(self._db, c))
        if s < 1:
            return
        await self._members.joined(c, who.person_id, mine)
        if await store.mark_read(self._db, c, who.person_id, s):
            cursor = Cur(c=c, u=who.person_id, fr=mine, r=s)
            self._router.hint(Hint(cursor, rules.rooms(conversation), origin))

    async def received(self, who: Party, heads: Mapping[str, int], origin: str) -> None:
        """Tell the other side, once, that somebody of this one has received so much. Passing, not stored.

        Not each by each and not one's own side: a line to a thousand agents would make a million of these.
        """
        for c, head in list(heads.items())[:_MOST_TOLD]:
            conversation, mine = await self._members.standing(who, c)
            s = head
            if s > self._reached.get((c, mine), 0) and self._router.delivered.lacks(c, s, s):
                s = min(s, await store.tail(self._db, c))  # not from here: perhaps beyond the log
            if s <= self._reached.get((c, mine), 0):
                continue
            if len(self._reached) >= MOST_KNOWN:
                self._reached.clear()
            self._reached[c, mine] = s
            buyer, shop = rules.rooms(conversation)
            cursor = Cur(c=c, u=who.person_id, fr=mine, d=s)
            self._router.hint(Hint(cursor, (shop if mine == "buyer" else buyer,), origin))
