"""Agents' quick replies: kept, found by letters, filled in for a conversation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from octshop_rt.core.auth.model import Right, ShopStaff
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.im.answer import rules, store
from octshop_rt.im.answer.model import MOST_QUICK, NotYourReply, QuickReply, TooManyQuickReplies

Values = Callable[[str, str], Awaitable[Mapping[str, str] | None]]
_LETTERED = 40  # characters of the text that letters are made of


class QuickText(Struct, frozen=True, kw_only=True):
    """What an agent writes."""

    category: str
    title: str
    text: str
    code: str


class QuickReplies:
    """`values(shop_id, c)` tells what stands for the variables in a conversation; None if it is not the shop's."""

    variables = rules.VARIABLES

    def __init__(self, db: Database, clock: Clock, ids: Ids, values: Values) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._values = values

    async def replies(self, who: ShopStaff, q: str) -> list[QuickReply]:
        """Everyone's and one's own that fit, best first."""
        rows = await store.quick(self._db, who.shop_id, [who.shop_id, who.person_id])
        return rules.quick_matches(rows, q, who.person_id)

    async def add(self, who: ShopStaff, request_id: str, text: QuickText, *, mine: bool) -> QuickReply:
        """TooManyQuickReplies, UnknownVariable, NotYourReply, RequestConflict."""
        owner = who.person_id if mine else who.shop_id
        self._check(who, owner, text)
        row = QuickReply(
            id=self._ids.new("Z"),
            shop_id=who.shop_id,
            owner=owner,
            request_id=request_id,
            letters=_letters(text),
            used=0,
            at=self._clock.now(),
            **msgspec.structs.asdict(text),
        )
        # The limit is for memory and pages: two at the same moment may pass it by one.
        if await store.count_quick(self._db, who.shop_id, owner) >= MOST_QUICK:
            raise TooManyQuickReplies(most=MOST_QUICK)
        try:
            await store.add_quick(self._db, row)
        except DuplicateKey:
            before = await store.quick_by_request(self._db, who.shop_id, request_id)
            if before is None or (before.owner, before.title, before.text) != (owner, row.title, row.text):
                raise RequestConflict from None
            return before
        return row

    async def change(self, who: ShopStaff, reply_id: str, text: QuickText) -> QuickReply:
        """Whose it is does not change. NotFound, UnknownVariable, NotYourReply."""
        row = await self._own(who, reply_id)
        self._check(who, row.owner, text)
        fresh: dict[str, Any] = {**msgspec.to_builtins(text), "letters": _letters(text), "at": self._clock.now()}
        changed = await store.set_quick(self._db, who.shop_id, reply_id, fresh)
        if changed is None:
            raise NotFound
        return changed

    async def drop(self, who: ShopStaff, reply_id: str) -> None:
        """NotFound, NotYourReply."""
        row = await self._own(who, reply_id)
        self._may(who, row.owner)
        await store.drop_quick(self._db, who.shop_id, reply_id)

    async def fill(self, who: ShopStaff, reply_id: str, c: str) -> tuple[str, list[str]]:
        """The text for that conversation and what nothing was known for. Counted as a use."""
        row = await self._own(who, reply_id)
        values = await self._values(who.shop_id, c)
        if values is None:
            raise NotFound
        await store.count_used(self._db, who.shop_id, reply_id)
        return rules.filled(row.text, {**values, "agent": who.name})

    async def _own(self, who: ShopStaff, reply_id: str) -> QuickReply:
        """Everyone's or one's own: a colleague's looks like none."""
        row = await store.quick_one(self._db, who.shop_id, reply_id)
        if row is None or row.owner not in {who.shop_id, who.person_id}:
            raise NotFound
        return row

    def _check(self, who: ShopStaff, owner: str, text: QuickText) -> None:
        self._may(who, owner)
        rules.check_variables((text.text,), self.variables)

    @staticmethod
    def _may(who: ShopStaff, owner: str) -> None:
        if owner == who.shop_id and Right.MANAGE not in who.rights:
            raise NotYourReply


def _letters(text: QuickText) -> str:
    return rules.letters(f"{text.title} {text.text[:_LETTERED]}")
