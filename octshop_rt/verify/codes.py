"""The buyer's side: his vouchers, the QR of this moment, and fresh codes when he asks for them."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.errors import Busy, NotFound
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.verify import qr, rules, store, token
from octshop_rt.verify.issue import new_typed_code
from octshop_rt.verify.model import FullyUsed, Voucher, VoucherFrozen, VoucherOutdated, VoucherRefunded, VoucherState

_TRIES = 3


class Code(Struct, frozen=True, kw_only=True):
    """What the buyer shows. Fetch again at `next_at`; at `expires_at` nobody accepts it any more."""

    digits: str
    svg: str
    typed_code: str
    next_at: Millis
    expires_at: Millis


class Codes:
    """Answers buyers. A voucher of somebody else is NotFound."""

    def __init__(self, db: Database, *, clock: Clock, keys: token.Keys) -> None:
        self._db = db
        self._clock = clock
        self._keys = keys

    async def of_buyer(
        self, buyer: Buyer, *, order_id: str | None, state: VoucherState | None, after: str | None, limit: int
    ) -> list[Voucher]:
        """This buyer's vouchers, newest first."""
        return await store.of_buyer(self._db, buyer.person_id, order_id=order_id, state=state, after=after, limit=limit)

    async def one(self, buyer: Buyer, voucher_id: str) -> Voucher:
        """One of this buyer's vouchers."""
        voucher = await store.one_of_buyer(self._db, buyer.person_id, voucher_id)
        if voucher is None:
            raise NotFound
        return voucher

    async def code(self, buyer: Buyer, voucher_id: str) -> Code:
        """The code of this moment. Refused with the reason where there is nothing left to show a code for."""
        voucher = await self.one(buyer, voucher_id)
        now = self._clock.now()
        _nothing_to_show(voucher, now)
        return self._show(voucher, now)

    async def refresh(self, buyer: Buyer, voucher_id: str, request_id: str) -> Code:
        """New codes, QR and typed; the old ones are void at once. The same request id again changes nothing."""
        for _ in range(_TRIES):
            voucher = await self.one(buyer, voucher_id)
            now = self._clock.now()
            _nothing_to_show(voucher, now)
            if voucher.refresh_request == request_id:
                return self._show(voucher, now)
            try:
                after = await store.new_codes(
                    self._db, voucher, typed_code=new_typed_code(), request_id=request_id, now=now
                )
            except DuplicateKey:
                continue  # that typed code is another voucher's in this shop
            if after is not None:
                return self._show(after, now)
        raise Busy

    def _show(self, voucher: Voucher, now: Millis) -> Code:
        shown = token.show(self._keys, number=voucher.number, code_rev=voucher.code_rev, now=now)
        return Code(
            digits=shown.digits,
            svg=qr.svg(shown.digits),
            typed_code=voucher.typed_code,
            next_at=shown.next_at,
            expires_at=shown.expires_at,
        )


def _nothing_to_show(voucher: Voucher, now: Millis) -> None:
    if voucher.state is VoucherState.REFUNDED:
        raise VoucherRefunded
    if voucher.state is VoucherState.EXPIRED or now >= voucher.valid_until:
        raise VoucherOutdated(until_text=rules.time_text(voucher.valid_until), valid_until=voucher.valid_until)
    if voucher.uses_left == 0 and voucher.uses_frozen:
        raise VoucherFrozen
    if voucher.uses_left == 0:
        raise VoucherRefunded if voucher.last_use is None else FullyUsed(**rules.told(voucher.last_use))
