"""Finding what was said in a shop's conversations: by words, person, agent, label and time, with excerpts."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from octshop_rt.core import words
from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.conversation.reading import Log, earliest_id
from octshop_rt.im.insight import store, wording
from octshop_rt.im.insight.model import BadSpan, Found, NothingToFind
from octshop_rt.im.insight.wording import Piece
from octshop_rt.im.wire.fields import EntryKind, Role

PAGE = 20
_ROUNDS = 5
_MOST_PLACES = 1_000  # conversations of one agent or label that are looked through, the newest
_DAYS = 3_660


class Wanted(Struct, frozen=True, kw_only=True):
    """What is sought. `agent_id`: in conversations in which this person has spoken."""

    text: str = ""
    buyer_id: str | None = None
    agent_id: str | None = None
    label_id: str | None = None
    since: Millis | None = None
    until: Millis | None = None
    below: str | None = None


class Hit(Struct, frozen=True, kw_only=True):
    """One entry that fits."""

    id: str
    c: str
    s: int
    buyer_id: str
    f: str
    fr: Role
    k: EntryKind
    ts: Millis
    excerpt: list[Piece]


class Search:
    """For staff who answer at the shop. Texts come from the log itself, so what is recalled or wiped is never shown."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._log = Log(db)

    async def find(self, staff: ShopStaff, wanted: Wanted) -> tuple[list[Hit], str | None]:
        """The newest first, and the cursor of the next page. NothingToFind, BadSpan."""
        query = await self._query(staff.shop_id, wanted)
        if query is None:
            return [], None
        hits: list[Hit] = []
        below = wanted.below
        for _ in range(_ROUNDS):
            if below:
                query["_id"] = {**query.get("_id", {}), "$lt": below}
            rows = await store.search(self._db, query, PAGE * 2)
            entries = await self._log.by_ids([row.id for row in rows])
            for row in rows:
                below = row.id
                hit = _hit(row, entries.get(row.id), wanted.text)
                if hit is not None:
                    hits.append(hit)
                if len(hits) == PAGE:
                    return hits, below
            if len(rows) < PAGE * 2:
                return hits, None
        return hits, below

    async def _query(self, shop_id: str, wanted: Wanted) -> dict[str, Any] | None:
        whole, beginnings = words.query_tokens(wanted.text)
        asked = [*sorted(whole, key=len, reverse=True), *({"$regex": f"^{one}"} for one in sorted(beginnings))]
        if not asked and not (wanted.buyer_id or wanted.agent_id or wanted.label_id):
            raise NothingToFind
        if wanted.since is not None and wanted.until is not None and wanted.until <= wanted.since:
            raise BadSpan(days=_DAYS)
        query: dict[str, Any] = {"shop_id": shop_id}
        if asked:
            query["$and"] = [{"tokens": one} for one in asked]
        places = await self._places(shop_id, wanted)
        if places is not None:
            if not places:
                return None
            query["c"] = {"$in": sorted(places)}
        span: dict[str, str] = {}
        if wanted.since is not None:
            span["$gte"] = earliest_id(wanted.since)
        if wanted.until is not None:
            span["$lt"] = earliest_id(wanted.until)
        if span:
            query["_id"] = span
        return query

    async def _places(self, shop_id: str, wanted: Wanted) -> set[str] | None:
        """The conversations it may be in; None: any of the shop."""
        found: list[set[str]] = []
        if wanted.buyer_id:
            one = await self._log.between(wanted.buyer_id, shop_id)
            found.append({one.id} if one else set())
        if wanted.agent_id:
            rows = await store.search(self._db, {"shop_id": shop_id, "f": wanted.agent_id}, _MOST_PLACES)
            found.append({row.c for row in rows})
        if wanted.label_id:
            marked = await store.carrying(self._db, shop_id, wanted.label_id, None, _MOST_PLACES)
            found.append({row.c for row in marked})
        if not found:
            return None
        first, *rest = found
        return first.intersection(*rest)


def _hit(row: Found, entry: Entry | None, text: str) -> Hit | None:
    """None when the log does not say it (any more)."""
    told = "" if entry is None else wording.said(entry)
    if entry is None or not told or (text and not words.holds(told, text)):
        return None
    return Hit(
        id=entry.id, c=entry.c, s=entry.s, buyer_id=row.buyer_id, f=entry.f, fr=entry.fr, k=entry.k, ts=entry.ts,
        excerpt=wording.excerpt(told, text),
    )  # fmt: skip
