"""Finding what was said in a shop's conversations."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.auth.model import Right, ShopStaff, at_shop
from octshop_rt.core.clock import MINUTE, Millis
from octshop_rt.core.http.routes import Call, Limit, Route
from octshop_rt.core.ids import Id
from octshop_rt.im.insight.model import BadSpan, NothingToFind
from octshop_rt.im.insight.naming import Naming
from octshop_rt.im.insight.search import Hit, Search, Wanted

SEARCHES = Limit(name="chat-search", burst=120, per_ms=MINUTE)


class SearchQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Words, all of which must be there; `agent_id` is a person who speaks in the conversation; times are UTC ms."""

    q: Annotated[str, Meta(max_length=100)] = ""
    buyer_id: Id | None = None
    agent_id: Id | None = None
    label_id: Id | None = None
    since: Millis | None = None
    until: Millis | None = None
    cursor: Id | None = None


class Hits(Struct, frozen=True, kw_only=True):
    """Newest first. `names`: of the buyers and of who speaks."""

    items: list[Hit]
    next: str | None
    names: dict[str, str]


class SearchApi:
    """Below /shop/{shop_id}/desk."""

    def __init__(self, search: Search, naming: Naming) -> None:
        self._search = search
        self._naming = naming

    def routes(self) -> list[Route]:
        """The table."""
        return [
            Route(
                "GET",
                "/shop/{shop_id}/desk/search",
                self._find,
                permission=at_shop(Right.CHAT),
                query=SearchQuery,
                answer=Hits,
                errors=(NothingToFind, BadSpan),
                summary="What was said in the shop's conversations: by words, person, agent, label and time",
                limit=SEARCHES,
            ),
        ]

    async def _find(self, call: Call[ShopStaff]) -> Hits:
        asked: SearchQuery = call.query
        hits, following = await self._search.find(
            call.who,
            Wanted(
                text=asked.q,
                buyer_id=asked.buyer_id,
                agent_id=asked.agent_id,
                label_id=asked.label_id,
                since=asked.since,
                until=asked.until,
                below=asked.cursor,
            ),
        )
        people = {one.buyer_id for one in hits} | {one.f for one in hits if one.fr == "staff"}
        return Hits(items=hits, next=following, names=await self._naming.of(call.who.shop_id, people))
