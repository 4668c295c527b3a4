"""Vouchers by event: issued when an order is paid, expired when their time is over, set aside for a refund."""

from __future__ import annotations

import secrets

from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import NotFound
from octshop_rt.core.ids import Ids
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Place, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import OrderPaid, VoucherExpired, VoucherIssued
from octshop_rt.verify import rules, store, token
from octshop_rt.verify.model import Uses, Voucher, VoucherFrozen, VoucherState

IN_STORE = "in_store"


class Issuer:
    """Handlers of the outbox, and what a refund asks of vouchers. Each takes the caller's transaction."""

    def __init__(self, *, clock: Clock, ids: Ids, outbox: Outbox) -> None:
        self._clock = clock
        self._ids = ids
        self._outbox = outbox

    async def on_order_paid(self, tx: Transaction, event: OrderPaid) -> None:
        """Issue what was bought for use in the store, once per (order line, index), and tell the others."""
        if event.fulfilment != IN_STORE or await store.of_order(tx, event.order_id):
            return
        vouchers = [self._voucher(event, draft) for draft in rules.drafts(event.lines)]
        await store.add_vouchers(tx, vouchers)
        for voucher in vouchers:
            await self._outbox.write(
                tx,
                VoucherIssued(
                    voucher_id=voucher.id,
                    order_id=voucher.order_id,
                    line_id=voucher.line_id,
                    buyer_id=voucher.buyer_id,
                    shop_id=voucher.shop_id,
                    uses_total=voucher.uses_total,
                ),
            )
            await self._outbox.write(tx, VoucherExpired(voucher_id=voucher.id), due_at=voucher.valid_until)

    async def on_voucher_expired(self, tx: Transaction, event: VoucherExpired) -> None:
        """A voucher whose time is over can no longer be used; if its time was made longer, look again then."""
        if await store.expire(tx, event.voucher_id, self._clock.now()) is not None:
            return
        voucher = await store.by_id(tx, event.voucher_id)
        if voucher is not None and voucher.valid_until > self._clock.now():
            await self._outbox.write(tx, event, due_at=voucher.valid_until)

    async def unused(self, at: Place, order_id: str) -> list[Voucher]:
        """The vouchers of an order that could be used now: those a refund may be asked of."""
        now = self._clock.now()
        found = await store.of_order(at, order_id)
        return [one for one in found if one.state is VoucherState.ACTIVE and one.valid_until > now and one.uses_left]

    async def worth_fen(self, at: Place, voucher_id: str, uses: Uses) -> Fen:
        """What `freeze` would answer, if so many are unused."""
        voucher = await store.by_id(at, voucher_id)
        if voucher is None:
            raise NotFound
        if uses > voucher.uses_left:
            raise VoucherFrozen
        return rules.worth_fen(voucher, uses)

    async def freeze(self, tx: Transaction, voucher_id: str, uses: Uses) -> Fen:
        """Set `uses` unused uses aside for a refund and say what they are worth. VoucherFrozen if so many are not
        unused: a use and a refund of the same share cannot both win. The amount goes back by `unfreeze`.
        """
        voucher = await store.by_id(tx, voucher_id)
        if voucher is None:
            raise NotFound
        after = await store.freeze(tx, voucher, uses, self._clock.now())
        if after is None:
            raise VoucherFrozen
        return after.taken_fen - voucher.taken_fen

    async def unfreeze(self, tx: Transaction, voucher_id: str, uses: Uses, amount_fen: Fen) -> None:
        """The refund was refused or withdrawn: the uses are there again."""
        if await store.unfreeze(tx, voucher_id, uses, amount_fen, self._clock.now()) is None:
            raise NotFound

    async def refunded(self, tx: Transaction, voucher_id: str, uses: Uses) -> None:
        """Frozen uses have been paid back."""
        if await store.refund(tx, voucher_id, uses, self._clock.now()) is None:
            raise NotFound

    def _voucher(self, event: OrderPaid, draft: rules.Draft) -> Voucher:
        now = self._clock.now()
        return Voucher(
            id=self._ids.new("V"),
            merchant_id=event.scope.merchant_id,
            shop_id=event.scope.shop_id,
            shop_name=event.shop_name,
            branch_ids=draft.line.branch_ids,
            order_id=event.order_id,
            line_id=draft.line.line_id,
            index=draft.index,
            buyer_id=event.buyer_id,
            buyer_masked=event.buyer_masked,
            sku_id=draft.line.sku_id,
            title=draft.line.title,
            spec=draft.line.spec,
            quantity=draft.quantity,
            uses_total=draft.uses_total,
            paid_fen=draft.paid_fen,
            valid_from=draft.line.valid_from,
            valid_until=draft.line.valid_until,
            typed_code=new_typed_code(),
            number=f"{secrets.randbelow(10**16):016d}",
            created_at=now,
            changed_at=now,
        )


def new_typed_code() -> str:
    """Eleven digits nobody can guess and their check digit."""
    return token.typed_code(secrets.randbelow(10**11))
