"""What managers and agents do with the guard: change its rules, block buyers, settle what was flagged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from octshop_rt.core.auth.model import Admin, ShopStaff
from octshop_rt.core.bus import Bus
from octshop_rt.core.clock import HOUR, Clock, Millis
from octshop_rt.core.errors import NotFound
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, Transaction
from octshop_rt.im.guard import rules, store
from octshop_rt.im.guard.model import (
    DEVICE_MS,
    MOST_BLOCKED,
    MOST_PLATFORM_WORDS,
    MOST_WORDS,
    NETWORK_MS,
    PLATFORM,
    Block,
    EmptyWord,
    Flag,
    FlagChanged,
    FlagState,
    FloodRules,
    Level,
    NoSuchBuyerHere,
    RuleBook,
    Sides,
    SpamRules,
    TooManyBlocked,
    TooManyWords,
    Whereabouts,
    Word,
)
from octshop_rt.im.guard.service import CHANGED
from octshop_rt.im.wire.fields import Side

Who = ShopStaff | Admin
HaveSpoken = Callable[[str, str], Awaitable[bool]]
Seen = Callable[[str], Awaitable[Sequence[Whereabouts]]]

PAGE = 50
_MOST_COUNTED = 100
_MOST_MARKS = 20  # of one buyer: the devices and networks seen last


class GuardDesk:
    """`have_spoken(shop, buyer)` and `seen` (where a buyer was of late): told by conversations and sessions."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        ids: Ids,
        bus: Bus,
        key: bytes,
        *,
        have_spoken: HaveSpoken,
        seen: Seen,
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._bus = bus
        self._key = key
        self._have_spoken = have_spoken
        self._seen = seen

    async def book(self, scope: str) -> RuleBook:
        """The rules of a shop, or of the platform."""
        return await store.book(self._db, scope) or _fresh(scope)

    async def add_words(self, scope: str, who: Who, texts: Sequence[str], level: Level, sides: Sides) -> RuleBook:
        """Words are the same if they read the same; the newer level stands. TooManyWords, EmptyWord."""
        keys = {rules.plain(text): text.strip() for text in texts}
        if "" in keys:
            raise EmptyWord(text=keys[""])
        now, most = self._clock.now(), MOST_PLATFORM_WORDS if scope == PLATFORM else MOST_WORDS
        fresh = [
            Word(id=self._ids.new("Z"), text=text, level=level, sides=sides, by=who.person_id, at=now)
            for text in keys.values()
        ]

        async def work(tx: Transaction) -> None:
            kept = [word for word in (await self._book(tx, scope)).words if rules.plain(word.text) not in keys]
            if len(kept) + len(fresh) > most:
                raise TooManyWords(most=most)
            await store.set_words(tx, scope, [*kept, *fresh])

        await self._change(scope, work)
        return await self.book(scope)

    async def drop_word(self, scope: str, word_id: str) -> None:
        """NotFound if it is not there."""

        async def work(tx: Transaction) -> None:
            words = (await self._book(tx, scope)).words
            kept = [word for word in words if word.id != word_id]
            if len(kept) == len(words):
                raise NotFound
            await store.set_words(tx, scope, kept)

        await self._change(scope, work)

    async def set_spam(self, scope: str, buyer: SpamRules, staff: SpamRules, flood: FloodRules) -> RuleBook:
        """Replace them."""

        async def work(tx: Transaction) -> None:
            await self._book(tx, scope)
            await store.set_spam(tx, scope, buyer, staff, flood)

        await self._change(scope, work)
        return await self.book(scope)

    # --- blocked buyers -----------------------------------------------------------------------------------------------

    async def block(
        self, who: ShopStaff, buyer_id: str, reason: str, hours: int | None, *, network: bool = False
    ) -> Block:
        """The shop listens no more; nor to new guests on the buyer's devices, with `network` on its networks either.

        NoSuchBuyerHere for strangers: a list of ids is not to be tried out here.
        """
        if not await self._have_spoken(who.shop_id, buyer_id):
            raise NoSuchBuyerHere
        now = self._clock.now()
        until = None if hours is None else now + hours * HOUR
        devices, networks = await self._marks(who.shop_id, buyer_id, now)
        row = Block(
            id=self._ids.new("Z"),
            shop_id=who.shop_id,
            buyer_id=buyer_id,
            reason=reason,
            by=who.person_id,
            by_name=who.name,
            at=now,
            until=until,
            devices=devices,
            devices_until=_earlier(until, now + DEVICE_MS) if devices else 0,
            networks=networks if network else (),
            networks_until=_earlier(until, now + NETWORK_MS) if networks and network else 0,
        )

        async def work(tx: Transaction) -> None:
            await self._book(tx, who.shop_id)
            await store.drop_ended(tx, who.shop_id, now)
            if await store.count_blocks(tx, who.shop_id, MOST_BLOCKED) >= MOST_BLOCKED:
                raise TooManyBlocked(most=MOST_BLOCKED)
            await store.add_block(tx, row)
            await store.touch(tx, who.shop_id)

        await self._change(who.shop_id, work)
        return row

    async def unblock(self, who: ShopStaff, buyer_id: str) -> None:
        """NotFound if nobody had blocked them."""

        async def work(tx: Transaction) -> None:
            await self._book(tx, who.shop_id)
            if not await store.drop_block(tx, who.shop_id, buyer_id):
                raise NotFound
            await store.touch(tx, who.shop_id)

        await self._change(who.shop_id, work)

    async def blocks(self, shop_id: str, below: str | None, buyer_id: str | None = None) -> tuple[list[Block], bool]:
        """A page, newest first, and whether there is more; of one buyer where one is named."""
        rows = await store.blocks_page(self._db, shop_id, buyer_id, self._clock.now(), below, PAGE + 1)
        return rows[:PAGE], len(rows) > PAGE

    # --- the review list ----------------------------------------------------------------------------------------------

    async def flags(
        self, shop_id: str, state: FlagState, side: Side | None, below: str | None
    ) -> tuple[list[Flag], bool]:
        """A page of what one side (or both) said, newest first, and whether there is more."""
        rows = await store.flags_page(self._db, shop_id, state, side, below, PAGE + 1)
        return rows[:PAGE], len(rows) > PAGE

    async def open_flags(self, shop_id: str) -> int:
        """How many wait, counted up to a hundred."""
        return await store.count_open(self._db, shop_id, _MOST_COUNTED)

    async def settle(self, who: ShopStaff, flag_id: str, state: FlagState, note: str, ed: Millis | None = None) -> Flag:
        """Say what became of it; the last word counts. NotFound; FlagChanged if it was edited after `ed`, the edit that
        was looked at.
        """
        now = self._clock.now()
        row = await store.settle(self._db, who.shop_id, flag_id, state, who.person_id, who.name, note, now, ed)
        if row is None:
            raise NotFound if await store.flag(self._db, who.shop_id, flag_id) is None else FlagChanged
        return row

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _marks(self, shop_id: str, buyer_id: str, now: Millis) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Fingerprints of the devices and of the networks the buyer was last seen at, and those a block has already."""
        found = [rules.marks(self._key, shop_id, one) for one in await self._seen(buyer_id)]
        devices = [marks[0] for marks in found]
        networks = [mark for marks in found for mark in marks[1:]]
        before = await store.block_of(self._db, shop_id, buyer_id)
        if before is not None:
            devices += before.devices if before.devices_until > now else ()
            networks += before.networks if before.networks_until > now else ()
        return tuple(dict.fromkeys(devices))[:_MOST_MARKS], tuple(dict.fromkeys(networks))[:_MOST_MARKS]

    async def _book(self, tx: Transaction, scope: str) -> RuleBook:
        """The scope's row, made if there is none."""
        found = await store.book(tx, scope)
        if found is None:
            found = _fresh(scope)
            await store.add_book(tx, found)
        return found

    async def _change(self, scope: str, work: Callable[[Transaction], Awaitable[None]]) -> None:
        await self._db.transact(work, unit="im")
        await self._bus.publish(CHANGED, scope.encode())


def _earlier(until: Millis | None, bound: Millis) -> Millis:
    return bound if until is None else min(until, bound)


def _fresh(scope: str) -> RuleBook:
    row = RuleBook(id=scope, rev=0)
    return msgspec.structs.replace(row, buyer=SpamRules(), staff=SpamRules()) if scope == PLATFORM else row
