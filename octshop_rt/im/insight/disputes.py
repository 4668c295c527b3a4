"""Words as evidence: exporting a conversation, holding it against wiping, how long a shop keeps, and who did what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct

from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import NotFound
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.im.conversation.model import Conversation, Entry
from octshop_rt.im.conversation.reading import Log
from octshop_rt.im.desk.reading import CaseBook
from octshop_rt.im.insight import chain, store
from octshop_rt.im.insight.model import LEAST_KEPT_DAYS, Act, BadKeeping, Hold, Keeping, OnHold, Shown, Trace

PAGE = 50
_BATCH = 500
Names = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]


class Paper(Struct, frozen=True, kw_only=True):
    """A file to be handed out."""

    name: str
    content_type: str
    body: bytes
    entries: int
    hash: str


class Disputes:
    """For managers. Every act leaves a trace that cannot be removed."""

    def __init__(self, db: Database, clock: Clock, ids: Ids, buyer_names: Names) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._log = Log(db)
        self._cases = CaseBook(db)
        self._buyer_names = buyer_names

    async def export(self, staff: ShopStaff, c: str, shown: Shown) -> Paper:
        """The whole conversation, notes too, with a hash chain; the audit keeps its last hash. NotFound."""
        conversation = await self._conversation(staff, c)
        entries = await self._whole(c)
        names = dict(await self._buyer_names([conversation.buyer_id]))
        names |= {one.person_id: one.name for one in await self._cases.agents(staff.shop_id)}
        now = self._clock.now()
        head = {"shop_id": staff.shop_id, "c": c, "buyer_id": conversation.buyer_id, "exported_at": now,
                "exported_by": staff.person_id}  # fmt: skip
        found = chain.lines(head, entries, names)
        last = str(found[-1]["hash"])
        await self._trace(staff.shop_id, "export", c, staff.person_id, note=last, count=len(entries))
        if shown == "html":
            body, kind = (
                chain.as_html(found, f"{names.get(conversation.buyer_id, '')} · {c}"),
                "text/html",
            )
        else:
            body, kind = chain.as_jsonl(found), "application/x-ndjson"
        return Paper(name=f"chat-{c}.{shown}", content_type=kind, body=body, entries=len(entries), hash=last)

    async def hold(self, staff: ShopStaff, c: str, reason: str) -> Hold:
        """From now on nothing of it is wiped. Holding again changes nothing. NotFound."""
        await self._conversation(staff, c)
        row = Hold(id=c, shop_id=staff.shop_id, reason=reason.strip(), by=staff.person_id, at=self._clock.now())
        try:
            await store.put_hold(self._db, row)
        except DuplicateKey:
            first = await store.hold(self._db, c)
            if first is None:
                raise OnHold from None
            return first
        await self._trace(staff.shop_id, "hold", c, staff.person_id, note=row.reason)
        return row

    async def release(self, staff: ShopStaff, c: str) -> None:
        """The dispute is over. Releasing what is not held changes nothing. NotFound."""
        await self._conversation(staff, c)
        put = {"lifted_at": self._clock.now(), "lifted_by": staff.person_id}
        if await store.lift(self._db, c, put) is not None:
            await self._trace(staff.shop_id, "release", c, staff.person_id)

    async def holds(self, staff: ShopStaff) -> list[Hold]:
        """The newest, lifted ones too."""
        return await store.holds(self._db, staff.shop_id, PAGE)

    async def keeping(self, staff: ShopStaff) -> Keeping:
        """How long this shop keeps; for ever until somebody says otherwise."""
        found = await store.keeping(self._db, staff.shop_id)
        return found or Keeping(id=staff.shop_id, days=0, by="", at=0)

    async def keep(self, staff: ShopStaff, days: int) -> Keeping:
        """Keep so many days (0: for ever); the next night wipes what is older. BadKeeping."""
        if 0 < days < LEAST_KEPT_DAYS:
            raise BadKeeping(days=LEAST_KEPT_DAYS)
        before = await self.keeping(staff)
        if before.at and before.days == days:
            return before
        row = Keeping(id=staff.shop_id, days=days, by=staff.person_id, at=self._clock.now())
        await store.put_keeping(self._db, row)
        await self._trace(staff.shop_id, "keep", None, staff.person_id, count=days)
        return await self.keeping(staff)

    async def traces(self, staff: ShopStaff, below: str | None) -> tuple[list[Trace], str | None]:
        """Who exported, held, released, wiped; newest first."""
        rows = await store.traces(self._db, staff.shop_id, below, PAGE + 1)
        return rows[:PAGE], rows[PAGE - 1].id if len(rows) > PAGE else None

    async def _trace(self, shop_id: str, what: Act, c: str | None, by: str, *, note: str = "", count: int = 0) -> None:
        row = Trace(
            id=self._ids.new("Z"), shop_id=shop_id, what=what, c=c, by=by, at=self._clock.now(), note=note, count=count
        )  # fmt: skip
        await store.trace(self._db, row)

    async def _whole(self, c: str) -> list[Entry]:
        found: list[Entry] = []
        head = await self._log.head(c)
        while len(found) < head:
            at = found[-1].s + 1 if found else 1
            page = await self._log.page(c, at, head, _BATCH)
            if not page:
                break
            found += page
        return found

    async def _conversation(self, staff: ShopStaff, c: str) -> Conversation:
        found = await self._log.conversation(c)
        if found is None or found.shop_id != staff.shop_id:
            raise NotFound
        return found
