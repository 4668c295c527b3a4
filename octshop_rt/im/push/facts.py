"""Who is to be told, who is there, what they have not read: asked by the watch and again by the sender."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from octshop_rt.core.clock import Clock
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.model import Conversation
from octshop_rt.im.conversation.reading import Log
from octshop_rt.im.conversation.rules import person_room, shop_room
from octshop_rt.im.desk import rules as desk_rules
from octshop_rt.im.desk.reading import CaseBook
from octshop_rt.im.push import rules
from octshop_rt.im.push.model import Spell, Standing
from octshop_rt.im.wire.fields import Side

_MOST_READ = 50


class People(Protocol):
    """Shops and people, as chat's directory knows them."""

    async def shop_names(self, shop_ids: Sequence[str]) -> Mapping[str, str]:
        """By id."""
        ...

    async def known_as(self, buyer_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """All ids of those who have more than one."""
        ...


class Audience(Struct, frozen=True, kw_only=True):
    """Whom a spell concerns. `people` None: whoever answers for the shop. `waits`: nobody can say yet whom."""

    people: tuple[str, ...] | None
    there: bool
    waits: bool = False
    over: bool = False


class Facts:
    """Reads; changes nothing. `listens(rooms)` tells whether a live connection on any node is in one of them."""

    def __init__(self, db: Database, clock: Clock, people: People, listens: Callable[[Sequence[str]], bool]) -> None:
        self._clock = clock
        self._log = Log(db)
        self._cases = CaseBook(db)
        self.people = people
        self._listens = listens

    def listens(self, side: Side, of: Conversation) -> bool:
        """Whether anybody of that side seems to be there now, as far as this node has heard. Asks nobody."""
        return self._listens([person_room(of.buyer_id) if side == "buyer" else shop_room(of.shop_id)])

    async def audience(self, spell: Spell) -> Audience:
        """Who should hear, and whether they are there."""
        if spell.side == "buyer":
            known = await self.people.known_as([spell.buyer_id])
            ids = known.get(spell.buyer_id, (spell.buyer_id,))
            return Audience(people=ids, there=self._listens([person_room(one) for one in ids]))
        case = next(iter(await self._cases.of_conversation(spell.c, 1)), None)
        if case is None or case.state == "ended":
            return Audience(people=(), there=False, over=True)
        if case.state == "human" and case.person_id is not None:
            here = await self._at_desk(spell.shop_id)
            return Audience(people=(case.person_id,), there=case.person_id in here)
        if case.state != "queued":
            return Audience(people=(), there=False, waits=True)  # the bot is speaking; it may hand over yet
        there = self._listens([shop_room(spell.shop_id)]) or bool(await self._at_desk(spell.shop_id))
        return Audience(people=None, there=there)

    async def standing(self, spell: Spell, people: Sequence[str] | None) -> Standing:
        """What they have not read. Where nobody in particular is meant, an answer alone counts as having read."""
        marks = await self._log.read_marks(spell.c)
        read = max((s for person_id, s in marks.items() if people is not None and person_id in people), default=0)
        head = await self._log.head(spell.c)
        entries = await self._log.page(spell.c, read + 1, head, _MOST_READ, newest=True)
        return rules.standing(spell.side, read, entries)

    async def _at_desk(self, shop_id: str) -> set[str]:
        now = self._clock.now()
        return {one.person_id for one in await self._cases.agents(shop_id) if now - one.seen_at <= desk_rules.HERE_MS}
