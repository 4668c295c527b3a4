"""What ids in lists are called, so that a page never shows an id: people, and conversations by their buyer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.reading import Log
from octshop_rt.im.desk.reading import CaseBook

BuyerNames = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]


class Naming:
    """Agents by the name they have at the shop, everybody else by their nickname."""

    def __init__(self, db: Database, buyer_names: BuyerNames) -> None:
        self._log = Log(db)
        self._cases = CaseBook(db)
        self._buyer_names = buyer_names

    async def of(self, shop_id: str, people: Iterable[str | None], talks: Iterable[str | None] = ()) -> dict[str, str]:
        """By id; who is not known is left out."""
        held = await self._log.conversations(sorted({c for c in talks if c}))
        buyers = {c: one.buyer_id for c, one in held.items() if one.shop_id == shop_id}
        wanted = {one for one in people if one} | set(buyers.values())
        found = {one.person_id: one.name for one in await self._cases.agents(shop_id) if one.person_id in wanted}
        if rest := sorted(wanted - found.keys()):
            found |= await self._buyer_names(rest)
        return found | {c: found[one] for c, one in buyers.items() if one in found}
