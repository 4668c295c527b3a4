"""From a text to a voucher of the clerk's shop: classified, proved, and slowed down where somebody guesses."""

from __future__ import annotations

import contextlib

from msgspec import Struct, structs

from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.crypto import digest
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.verify import rules, store, token
from octshop_rt.verify.model import (
    OK,
    BadCode,
    CodeBurnt,
    JustRedeemed,
    Miss,
    NotAVoucher,
    PaymentCodeShown,
    ScanStale,
    TextKind,
    TooManyAttempts,
    UnknownCode,
    Uses,
    Voucher,
    VoucherRefusal,
    Way,
    WrongCheckDigit,
)

_TRIES = 5


class Found(Struct, frozen=True, kw_only=True):
    """A voucher of this shop and how it was named.

    `code_rev` is the code revision that a QR or a scan is bound to: the use must find it unchanged. A typed code is
    bound to none. `burnt`: it has changed already.
    """

    voucher: Voucher
    way: Way
    code_hash: str
    code_rev: int | None = None
    burnt: bool = False
    key_id: int | None = None
    scan_id: str = ""

    def again(self, voucher: Voucher) -> Found:
        """The same find, looked at later."""
        burnt = self.burnt or (self.code_rev is not None and self.code_rev != voucher.code_rev)
        return structs.replace(self, voucher=voucher, burnt=burnt)


class Lookup:
    """Finds vouchers for clerks. Absent and foreign vouchers are the same UnknownCode."""

    def __init__(self, db: Database, *, clock: Clock, ids: Ids, keys: token.Keys) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._keys = keys

    async def find(self, clerk: ShopStaff, text: rules.Text) -> Found:
        """The voucher behind a text, or the refusal. Wrong guesses are counted per clerk and per shop and survive a
        restart; a genuine QR is never counted and always answered, so a closed door hurts only who guesses.
        """
        match text.kind:
            case TextKind.VOUCHER:
                return await self._by_token(clerk, text.digits)
            case TextKind.TYPED_CODE:
                return await self._by_typed_code(clerk, text.digits)
            case TextKind.PAYMENT_CODE:
                raise PaymentCodeShown
            case TextKind.NOTHING:
                raise NotAVoucher

    async def ticket(self, clerk: ShopStaff, scan_id: str) -> Found:
        """The voucher behind a scan this clerk made here in the last minutes. ScanStale if it is no such scan."""
        row = await store.scan_at_shop(self._db, clerk.shop_id, scan_id)
        if row is None or row.clerk_id != clerk.person_id or row.outcome != OK or row.voucher_id is None:
            raise ScanStale
        voucher = await store.at_shop(self._db, clerk.shop_id, row.voucher_id)
        if voucher is None or row.way is None:
            raise ScanStale
        burnt = row.code_rev != voucher.code_rev
        if self._clock.now() >= row.expires_at and not burnt:
            raise ScanStale
        return Found(
            voucher=voucher,
            way=row.way,
            code_hash=row.code_hash,
            code_rev=row.code_rev,
            burnt=burnt,
            key_id=row.key_id,
            scan_id=row.id,
        )

    async def why_not(
        self, clerk: ShopStaff, found: Found, *, uses: Uses, branch_id: str | None, now: Millis
    ) -> VoucherRefusal | None:
        """Why these uses may not be written off now, in the most telling words; None if they may."""
        refused = rules.refusal(found.voucher, uses=uses, now=now, branch_id=branch_id, clerk_id=clerk.person_id)
        if refused is not None or not found.burnt:
            return refused
        first = await store.redemption_by_code(self._db, clerk.shop_id, found.code_hash)
        if first is None:
            return CodeBurnt()  # replaced by a newer one, or used by typing the code
        if first.clerk_id == clerk.person_id and found.way is Way.QR:
            return JustRedeemed(
                **rules.told(rules.last_use_of(first), full_name=True), uses_left=found.voucher.uses_left
            )
        return CodeBurnt(**rules.told(rules.last_use_of(first)))

    async def _by_token(self, clerk: ShopStaff, digits: str) -> Found:
        now = self._clock.now()
        try:
            genuine = token.read(self._keys, digits, now=now)
        except BadCode:
            await self._settle(clerk, await self._guess(clerk), hit=False)
            raise
        voucher = await store.by_number(self._db, clerk.shop_id, genuine.number)
        if voucher is None:
            raise UnknownCode
        return Found(
            voucher=voucher,
            way=Way.QR,
            code_hash=digest(digits),
            code_rev=voucher.code_rev,
            burnt=genuine.rev != voucher.code_rev % token.REVISIONS,
            key_id=genuine.key_id,
        )

    async def _by_typed_code(self, clerk: ShopStaff, digits: str) -> Found:
        if not token.check_digit_fits(digits):
            raise WrongCheckDigit  # a typing error names nobody's voucher, so it is no guess
        guess = await self._guess(clerk)
        voucher = await store.by_typed_code(self._db, clerk.shop_id, digits)
        await self._settle(clerk, guess, hit=voucher is not None)
        if voucher is None:
            raise UnknownCode
        return Found(voucher=voucher, way=Way.TYPED, code_hash=digest(digits))

    async def _guess(self, clerk: ShopStaff) -> Miss:
        """Count a guess before it is answered. TooManyAttempts if a door is closed or too many are under way."""
        miss = Miss(id=self._ids.new("Z"), at=self._clock.now())
        shop = await store.throttle(self._db, _shop_door(clerk))
        if shop is not None and shop.until > miss.at:
            raise _closed(shop.until)
        for _ in range(_TRIES):
            try:
                stands = await store.add_miss(self._db, _clerk_door(clerk), miss)
            except DuplicateKey:
                closed = await store.throttle(self._db, _clerk_door(clerk))
                if closed is not None and closed.until > miss.at:
                    raise _closed(closed.until) from None
                continue  # two first guesses at once: one of them made the row, the other comes again
            if stands is not None and rules.CLERK_THROTTLE.recent(stands.misses, miss.at) > rules.CLERK_THROTTLE.most:
                raise _closed(miss.at + rules.CLERK_THROTTLE.cool_down_ms)
            return miss
        raise _closed(miss.at + rules.CLERK_THROTTLE.cool_down_ms)

    async def _settle(self, clerk: ShopStaff, guess: Miss, *, hit: bool) -> None:
        """Take a right guess back; count a wrong one for the shop too, and close the doors that have seen enough.

        The shop counts answered guesses only, so that many clerks at work at once never look like an attack.
        """
        if hit:
            await store.take_back_miss(self._db, _clerk_door(clerk), guess)
            return
        with contextlib.suppress(DuplicateKey):  # closed meanwhile
            await store.add_miss(self._db, _shop_door(clerk), guess)
        for door, rule in ((_clerk_door(clerk), rules.CLERK_THROTTLE), (_shop_door(clerk), rules.SHOP_THROTTLE)):
            stands = await store.throttle(self._db, door)
            if stands is not None and rule.recent(stands.misses, guess.at) >= rule.most:
                await store.close_door(self._db, door, guess.at + rule.cool_down_ms)


def own_branch(clerk: ShopStaff) -> str | None:
    """The one branch a clerk works at; None if he may be at several."""
    return clerk.branch_id if clerk.branch_ids is not None and len(clerk.branch_ids) == 1 else None


def _clerk_door(clerk: ShopStaff) -> str:
    return f"clerk:{clerk.shop_id}:{clerk.person_id}"


def _shop_door(clerk: ShopStaff) -> str:
    return f"shop:{clerk.shop_id}"


def _closed(until: Millis) -> TooManyAttempts:
    return TooManyAttempts(until=until, until_text=rules.time_text(until))
