"""The guard on a node: the rules of the shops people talk to now, in memory; the verdict on what is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.bus import Bus
from octshop_rt.core.clock import SECOND, Clock, Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Ids
from octshop_rt.core.kept import Kept
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.core.ratelimit import LocalLimiter, Quota
from octshop_rt.im.guard import rules, store
from octshop_rt.im.guard.model import (
    MOST_BLOCKED,
    PLATFORM,
    Blocked,
    ContactRefused,
    Flag,
    FlagChanged,
    Flooding,
    FloodRules,
    GuestsBlocked,
    Hit,
    Judged,
    LinkRefused,
    PhoneRefused,
    Repeating,
    RuleBook,
    Saying,
    Sensitive,
    SpamRules,
    Whereabouts,
)
from octshop_rt.im.wire.fields import Side

CHANGED = "guard.changed"  # the bus channel; the payload is the scope
_MOST_SHOPS = 5_000
_TRIES = 5
_REFUSALS: dict[str, type[DomainError]] = {
    "word": Sensitive, "link": LinkRefused, "phone": PhoneRefused, "contact": ContactRefused,
}  # fmt: skip


class Shop(Struct, frozen=True):
    """One shop's rules as a node holds them."""

    rev: int
    platform_rev: int
    books: dict[Side, rules.Book]
    watch: dict[Side, rules.Book]
    words: rules.Book  # of buyers, without what is said about links, phones and contacts
    flood: FloodRules
    blocked: dict[str, Millis | None]  # by the buyer's id
    marked: dict[str, Millis]  # by fingerprints of devices and networks


class Guard:
    """Ask `judge` before something is stored. `start` and `stop` with the loop."""

    def __init__(self, db: Database, clock: Clock, ids: Ids, bus: Bus, key: bytes) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._key = key
        # Per node on purpose: a flood over two nodes is at most twice the limit, and no word waits for Redis.
        self._limiter = LocalLimiter(clock)
        self._shops = Kept(bus, CHANGED, self._compile, self._outdated, most=_MOST_SHOPS, all_of=PLATFORM)

    def start(self) -> None:
        """Hear of changed rules."""
        self._shops.start()

    async def stop(self) -> None:
        """Hear no more."""
        await self._shops.stop()

    # --- verdicts -----------------------------------------------------------------------------------------------------

    async def judge(self, said: Saying) -> Judged:
        """What may be stored of it. Refused: Blocked, GuestsBlocked, Sensitive, Link-, Phone- and ContactRefused.

        Does not wait when the shop's rules are in memory, which is after its first word on this node.
        """
        shop = await self._shops.get(said.shop_id)
        if said.side == "buyer":
            self._hear(shop, said.shop_id, (said.buyer_id, said.f, *said.was), said.guest)
        judged, refused = shop.books[said.side].judge(said.texts)
        if refused is not None:
            raise _REFUSALS[refused.kind](hit=rules.hinted(refused.text))
        return judged

    async def worded(self, shop_id: str, c: str, buyer_id: str, who: Buyer, *texts: str) -> tuple[str, ...]:
        """What a buyer writes to the shop elsewhere than in the log, as it may be stored. Refused as by `judge`."""
        said = Saying(
            shop_id=shop_id, c=c, buyer_id=buyer_id, side="buyer", f=who.person_id, texts=texts, was=who.was,
            guest=rules.guest(who),
        )  # fmt: skip
        return (await self.judge(said)).texts

    async def reachable(self, shop_id: str, contact: str) -> str:
        """Where a buyer who was asked for it can be reached: a number or a name elsewhere is what was asked for, a
        sensitive word is not. Sensitive.
        """
        judged, refused = (await self._shops.get(shop_id)).words.judge((contact,))
        if refused is not None:
            raise Sensitive(hit=rules.hinted(refused.text))
        return judged.texts[0]

    async def shown(self, shop_id: str, texts: Sequence[str]) -> tuple[str, ...]:
        """What a buyer's page claims, as agents may read it: with stars, and nothing of what may not be said."""
        book = (await self._shops.get(shop_id)).books["buyer"]
        judged = [book.judge((text,)) for text in texts]
        return tuple("" if refused is not None else one.texts[0] for one, refused in judged)

    async def not_too_much(self, said: Saying) -> None:
        """Count it. Flooding and Repeating, with the time after which it may be said. Buyers only."""
        shop = await self._shops.get(said.shop_id)
        flood = shop.flood
        if said.side != "buyer":
            return
        if flood.burst:
            quota = Quota(name="im.burst", burst=flood.burst, per_ms=flood.burst_s * SECOND)
            if after := await self._limiter.take(quota, said.c):
                raise Flooding(after_ms=after)
        same = rules.same_saying(said.texts[0]) if said.texts else ""
        if flood.repeats and same:
            quota = Quota(name="im.repeat", burst=flood.repeats, per_ms=flood.repeats_s * SECOND)
            if after := await self._limiter.take(quota, f"{said.c}:{same[:200]}"):
                raise Repeating(after_ms=after)

    async def review(self, said: Saying, s: int, at: Millis, ed: Millis = 0) -> bool:
        """Put entry `s`, as it reads since the edit at `ed`, on the review list if somebody should look at it, once
        however often it is asked. An edit of what is on the list is judged anew.
        """
        shop = await self._shops.get(said.shop_id)
        hits = [hit for text in said.texts for hit in shop.watch[said.side].find(text)]
        if not hits and not ed:
            return False
        row = Flag(
            id=self._ids.new("Z"),
            shop_id=said.shop_id,
            c=said.c,
            s=s,
            side=said.side,
            f=said.f,
            text=" ".join(said.texts)[:500],
            hits=tuple(dict.fromkeys(hit.text[:40] for hit in hits))[:20],
            at=at,
            ed=ed,
        )
        for _ in range(_TRIES):
            before = await store.flag_of(self._db, said.shop_id, said.c, s) if ed else None
            if before is not None:
                if before.ed >= ed or await store.renew_flag(self._db, before, rules.judged_anew(before, row)):
                    return True
                continue
            if not hits:
                return False
            try:
                await store.add_flag(self._db, row)
            except DuplicateKey:
                if ed:  # what it said before came onto the list meanwhile
                    continue
            return True
        raise FlagChanged

    async def hears(self, shop_id: str, ids: tuple[str, ...], guest: Whereabouts | None) -> None:
        """Blocked and GuestsBlocked: the shop does not listen to who has these ids, or comes as a guest from there."""
        shop = await self._shops.get(shop_id)
        self._hear(shop, shop_id, ids, guest)

    async def attempt(self, shop_id: str, side: Side, text: str) -> tuple[Judged, bool, list[tuple[Hit, bool]]]:
        """What the rules as they are stored make of a text: the verdict, whether it is refused, and everything found,
        with whether the platform's own rules find it too.
        """
        shop = await self._shops.anew(shop_id)
        judged, refused = shop.books[side].judge((text,))
        hits = [*shop.books[side].find(text), *shop.watch[side].find(text)]
        platform = rules.Book((await self._platform(),), side, rules.HOT | rules.WATCH).find(text)
        above = {(hit.kind, hit.start, hit.end) for hit in platform}
        told = [(hit, (hit.kind, hit.start, hit.end) in above) for hit in hits]
        return judged, refused is not None, sorted(told, key=lambda one: one[0].start)

    async def attempt_above(self, side: Side, text: str) -> tuple[Judged, bool, list[tuple[Hit, bool]]]:
        """The same by the platform's rules alone, which is what a shop without rules of its own would make of it."""
        books = (await self._platform(),)
        hot, watch = rules.Book(books, side, rules.HOT), rules.Book(books, side, rules.WATCH)
        judged, refused = hot.judge((text,))
        hits = sorted([*hot.find(text), *watch.find(text)], key=lambda one: one.start)
        return judged, refused is not None, [(hit, True) for hit in hits]

    def _hear(self, shop: Shop, shop_id: str, ids: tuple[str, ...], guest: Whereabouts | None) -> None:
        now = self._clock.now()
        for one in ids:
            if one in shop.blocked and ((until := shop.blocked[one]) is None or until > now):
                raise Blocked
        if guest is not None and shop.marked:
            for mark in rules.marks(self._key, shop_id, guest):
                if shop.marked.get(mark, 0) > now:
                    raise GuestsBlocked

    # --- rules in memory ----------------------------------------------------------------------------------------------

    async def _compile(self, shop_id: str) -> Shop:
        """The revision is read first."""
        own = await store.book(self._db, shop_id) or RuleBook(id=shop_id, rev=0)
        platform = await self._platform()
        blocked = await store.blocked(self._db, shop_id, self._clock.now(), MOST_BLOCKED)
        books = (platform, own)
        return Shop(
            own.rev,
            platform.rev,
            {"buyer": rules.Book(books, "buyer", rules.HOT), "staff": rules.Book(books, "staff", rules.HOT)},
            {"buyer": rules.Book(books, "buyer", rules.WATCH), "staff": rules.Book(books, "staff", rules.WATCH)},
            rules.Book([structs.replace(one, buyer=_FREE) for one in books], "buyer", rules.HOT),
            own.flood,
            {row.buyer_id: row.until for row in blocked},
            rules.marked(blocked),
        )

    async def _platform(self) -> RuleBook:
        return await store.book(self._db, PLATFORM) or RuleBook(id=PLATFORM, rev=0, buyer=_FREE, staff=_FREE)

    async def _outdated(self, shops: Mapping[str, Shop]) -> set[str]:
        revisions = await store.revisions(self._db, [PLATFORM, *shops])
        platform = revisions.get(PLATFORM, 0)
        return {
            shop_id
            for shop_id, shop in shops.items()
            if shop.platform_rev != platform or shop.rev != revisions.get(shop_id, 0)
        }


_FREE = SpamRules()
