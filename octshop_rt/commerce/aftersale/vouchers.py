"""What after-sale asks of the wing that keeps vouchers; `app` lets the two meet.

Asked inside the case's own transaction and not by events: whether uses are set aside and whether a case exists is then
one decision. No moment is left in which a buyer has asked and a clerk may still write off, and none in which uses are
frozen for a case that was never made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from octshop_rt.commerce.aftersale.model import Unused
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Place, Transaction


class Vouchers(Protocol):
    """Unused uses of paid orders."""

    async def unused(self, at: Place, order_id: str) -> Sequence[Unused]:
        """What of an order could be used now, voucher by voucher in the order of their making."""
        ...

    async def worth_fen(self, at: Place, voucher_id: str, uses: int) -> Fen:
        """The paid share of so many unused uses: what `freeze` would answer."""
        ...

    async def freeze(self, tx: Transaction, voucher_id: str, uses: int) -> Fen:
        """Set uses aside for a refund and say what they are worth; refuses if so many are not unused."""
        ...

    async def unfreeze(self, tx: Transaction, voucher_id: str, uses: int, amount_fen: Fen) -> None:
        """The refund was refused or withdrawn."""
        ...

    async def refunded(self, tx: Transaction, voucher_id: str, uses: int) -> None:
        """Frozen uses have been paid back."""
        ...
