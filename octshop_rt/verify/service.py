"""Write-off: one conditional update decides, one transaction writes what follows, one request id is answered once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import cast
from weakref import WeakValueDictionary

import structlog
from msgspec import Struct

from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.bus import Bus, Notice, notify
from octshop_rt.core.clock import Clock, business_day
from octshop_rt.core.crypto import digest
from octshop_rt.core.errors import Busy, DomainError, RequestConflict
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import Scope, VoucherUsed
from octshop_rt.verify import rules, store
from octshop_rt.verify.lookup import Found, Lookup, own_branch
from octshop_rt.verify.model import (
    REFUSALS,
    ClerkNotAtBranch,
    LastUse,
    Redemption,
    ScanRow,
    TextKind,
    Told,
    Uses,
    Voucher,
    VoucherRefusal,
)

log = structlog.get_logger(__name__)

# Whether a branch belongs to a shop: (shop_id, branch_id). Shops live in another wing, so app hands this in.
KnowsBranch = Callable[[str, str], Awaitable[bool]]


class Wish(Struct, frozen=True, kw_only=True):
    """What a clerk asks: these uses of what he scanned (`scan_token`) or of what this text names."""

    request_id: str
    uses: Uses
    text: str = ""
    scan_token: str = ""
    branch_id: str | None = None


class Redeemer:
    """Writes vouchers off, on any number of nodes: MongoDB decides.

    What is kept in memory decides nothing: scans of one voucher take turns within a node, because 64 transactions at
    once on one document spend five seconds aborting each other on a busy machine, and a queue of them none.
    """

    def __init__(
        self,
        db: Database,
        *,
        clock: Clock,
        ids: Ids,
        outbox: Outbox,
        bus: Bus,
        lookup: Lookup,
        knows_branch: KnowsBranch,
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._outbox = outbox
        self._bus = bus
        self._lookup = lookup
        self._knows_branch = knows_branch
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def redeem(self, clerk: ShopStaff, wish: Wish) -> Redemption:
        """Write off, once. The same request id with the same content is answered as the first time, whether that was a
        success or a refusal; with other content it is RequestConflict. Refusals are VoucherRefusal, TooManyAttempts.
        """
        request_hash = _fingerprint(clerk, wish)
        answered = await self._answered(clerk, wish, request_hash)
        if answered is not None:
            return answered
        found: Found | None = None
        try:
            if wish.scan_token:
                found = await self._lookup.ticket(clerk, wish.scan_token)
            else:
                found = await self._lookup.find(clerk, rules.classify(wish.text))
            turn = self._turns.setdefault(found.voucher.id, asyncio.Lock())
            waiting = turn.locked()
            async with turn:
                if waiting:  # what was read before is old news now
                    found = await self._anew(clerk, found)
                return await self._use(clerk, wish, found, request_hash)
        except DomainError as refused:
            # The same request may have won on another node meanwhile: then this is its answer.
            answered = await self._answered(clerk, wish, request_hash)
            if answered is not None:
                return answered
            await self._audit(clerk, wish, request_hash, refused, found)
            raise

    async def _answered(self, clerk: ShopStaff, wish: Wish, request_hash: str) -> Redemption | None:
        first = await store.redemption_by_request(self._db, clerk.shop_id, wish.request_id)
        if first is not None:
            if first.request_hash != request_hash:
                raise RequestConflict
            return first
        refused = await store.attempt_by_request(self._db, clerk.shop_id, wish.request_id)
        if refused is not None:
            if refused.request_hash != request_hash:
                raise RequestConflict
            raise REFUSALS[refused.outcome](**refused.refusal)
        return None

    async def _use(self, clerk: ShopStaff, wish: Wish, found: Found, request_hash: str) -> Redemption:
        now = self._clock.now()
        branch_id = await self._branch(clerk, wish)
        if found.scan_id and found.burnt:
            first = await store.redemption_by_scan(self._db, clerk.shop_id, found.scan_id)
            if first is not None and first.uses == wish.uses:
                return first  # the same scan confirmed twice is one use, whatever id the second confirming has
        refused = await self._lookup.why_not(clerk, found, uses=wish.uses, branch_id=branch_id, now=now)
        if refused is not None:
            raise refused
        redemption_id = self._ids.new("X")

        async def work(tx: Transaction) -> tuple[Redemption, Voucher] | None:
            last_use = LastUse(
                redemption_id=redemption_id,
                at=now,
                clerk_id=clerk.person_id,
                clerk_name=clerk.name,
                branch_id=branch_id,
                uses=wish.uses,
            )
            after = await store.use(
                tx,
                found.voucher,
                uses=wish.uses,
                last_use=last_use,
                code_rev=found.code_rev,
                same_scan_since=now - rules.SAME_SCAN_MS,
            )
            if after is None:
                return None
            row = _redemption(clerk, wish, found, after, last_use, request_hash)
            await store.add_redemption(tx, row)
            await self._outbox.write(tx, _used(row))
            return row, after

        try:
            done = await self._db.transact(work)
        except DuplicateKey:
            done = None  # the same request at the same moment: `redeem` finds its answer
        if done is None:
            raise await self._lost(clerk, wish, found, branch_id)
        row, after = done
        # After a restore the log is all that still knows what the backup is too old for (docs/operations).
        log.info(
            "voucher used",
            voucher=row.voucher_id, shop=row.shop_id, order=row.order_id, uses=row.uses, redemption=row.id,
        )  # fmt: skip
        await notify(
            self._bus,
            Notice(topic="voucher", id=after.id, rev=after.rev, d={"uses_left": after.uses_left, "state": after.state}),
        )
        return row

    async def _branch(self, clerk: ShopStaff, wish: Wish) -> str | None:
        """Where it happens: as told, if the clerk may be there; else his one branch; None if he may be at several."""
        told = wish.branch_id
        if told is None:
            return own_branch(clerk)
        everywhere = clerk.branch_ids is None
        if not clerk.may_at(told) or (everywhere and not await self._knows_branch(clerk.shop_id, told)):
            raise ClerkNotAtBranch
        return told

    async def _anew(self, clerk: ShopStaff, found: Found) -> Found:
        voucher = await store.at_shop(self._db, clerk.shop_id, found.voucher.id)
        return found if voucher is None else found.again(voucher)

    async def _lost(self, clerk: ShopStaff, wish: Wish, found: Found, branch_id: str | None) -> DomainError:
        """Somebody was faster: why it cannot be used any more, in words."""
        now = self._clock.now()
        fresh = await self._anew(clerk, found)
        return await self._lookup.why_not(clerk, fresh, uses=wish.uses, branch_id=branch_id, now=now) or Busy()

    async def _audit(
        self, clerk: ShopStaff, wish: Wish, request_hash: str, refused: DomainError, found: Found | None
    ) -> None:
        final = isinstance(refused, VoucherRefusal)  # a throttle or a busy server is no answer to keep
        row = ScanRow(
            id=self._ids.new("Z"),
            shop_id=clerk.shop_id,
            branch_id=wish.branch_id or clerk.branch_id,
            clerk_id=clerk.person_id,
            session_id=clerk.session_id,
            at=self._clock.now(),
            kind=rules.classify(wish.text).kind if found is None else TextKind.VOUCHER,
            outcome=refused.code,
            text_hash=digest(wish.scan_token or wish.text),
            voucher_id=None if found is None else found.voucher.id,
            way=None if found is None else found.way,
            key_id=None if found is None else found.key_id,
            request_id=wish.request_id if final else None,
            request_hash=request_hash,
            refusal=cast("dict[str, Told]", refused.data) if final else {},
        )
        with contextlib.suppress(DuplicateKey):  # the same request, refused on another node in the same moment
            await store.add_scan(self._db, row)


def _fingerprint(clerk: ShopStaff, wish: Wish) -> str:
    named = wish.scan_token or rules.classify(wish.text).digits or wish.text
    return digest("\n".join([clerk.person_id, named, str(wish.uses), wish.branch_id or ""]))


def _redemption(
    clerk: ShopStaff, wish: Wish, found: Found, after: Voucher, last_use: LastUse, request_hash: str
) -> Redemption:
    return Redemption(
        id=last_use.redemption_id,
        merchant_id=after.merchant_id,
        shop_id=after.shop_id,
        branch_id=last_use.branch_id,
        voucher_id=after.id,
        order_id=after.order_id,
        line_id=after.line_id,
        buyer_id=after.buyer_id,
        title=after.title,
        spec=after.spec,
        uses=wish.uses,
        uses_left=after.uses_left,
        amount_fen=0 if after.last_use is None else after.last_use.amount_fen,
        used_at=last_use.at,
        business_day=business_day(last_use.at),
        clerk_id=clerk.person_id,
        clerk_name=clerk.name,
        way=found.way,
        request_id=wish.request_id,
        request_hash=request_hash,
        code_hash=found.code_hash,
        scan_id=found.scan_id,
    )


def _used(row: Redemption) -> VoucherUsed:
    return VoucherUsed(
        redemption_id=row.id,
        voucher_id=row.voucher_id,
        order_id=row.order_id,
        line_id=row.line_id,
        buyer_id=row.buyer_id,
        scope=Scope(merchant_id=row.merchant_id, shop_id=row.shop_id, branch_id=row.branch_id),
        uses=row.uses,
        uses_left=row.uses_left,
        amount_fen=row.amount_fen,
        used_at=row.used_at,
        clerk_id=row.clerk_id,
    )
