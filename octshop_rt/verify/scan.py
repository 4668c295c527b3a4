"""A clerk scans: what is it, may it be used, and a ticket to confirm it. Every scan is audited, refused ones too."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.crypto import digest
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Ids
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Database
from octshop_rt.verify import rules, store
from octshop_rt.verify.lookup import Found, Lookup, own_branch
from octshop_rt.verify.model import (
    OK,
    BranchNeeded,
    ScanRow,
    TextKind,
    Uses,
    VoucherState,
)


class ScannedVoucher(Struct, frozen=True, kw_only=True):
    """What the clerk sees before he confirms."""

    id: str
    title: str
    spec: str
    quantity: int
    uses_left: Uses
    uses_total: Uses
    uses_frozen: Uses
    buyer_masked: str
    paid_fen: Fen
    valid_from: Millis
    valid_until: Millis
    state: VoucherState
    branch_ids: tuple[str, ...]


class Scan(Struct, frozen=True, kw_only=True):
    """What a text is. With a voucher comes `scan_token`: it confirms this scan for five minutes, for this clerk."""

    kind: TextKind
    voucher: ScannedVoucher | None = None
    scan_token: str | None = None
    scan_token_until: Millis | None = None


class Scanner:
    """Answers scans."""

    def __init__(self, db: Database, *, clock: Clock, ids: Ids, lookup: Lookup) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._lookup = lookup

    async def scan(self, clerk: ShopStaff, raw_text: str) -> Scan:
        """What `raw_text` is. A voucher that cannot be used at all is refused with the precise reason; a payment code
        or anything else is named, not refused, so that the page can send the clerk to the right place.
        """
        text = rules.classify(raw_text)
        if text.kind in {TextKind.PAYMENT_CODE, TextKind.NOTHING}:
            await self._audit(clerk, raw_text, text.kind, outcome=OK)
            return Scan(kind=text.kind)
        found: Found | None = None
        try:
            found = await self._lookup.find(clerk, text)
            refused = await self._lookup.why_not(
                clerk, found, uses=1, branch_id=own_branch(clerk), now=self._clock.now()
            )
            if refused is not None and not isinstance(refused, BranchNeeded):
                raise refused  # a branch not chosen yet is no reason: confirming asks for it
        except DomainError as refused:
            await self._audit(clerk, raw_text, text.kind, outcome=refused.code, found=found)
            raise
        row = await self._audit(clerk, raw_text, text.kind, outcome=OK, found=found)
        voucher = found.voucher
        return Scan(
            kind=TextKind.VOUCHER,
            voucher=ScannedVoucher(
                id=voucher.id,
                title=voucher.title,
                spec=voucher.spec,
                quantity=voucher.quantity,
                uses_left=voucher.uses_left,
                uses_total=voucher.uses_total,
                uses_frozen=voucher.uses_frozen,
                buyer_masked=voucher.buyer_masked,
                paid_fen=voucher.paid_fen,
                valid_from=voucher.valid_from,
                valid_until=voucher.valid_until,
                state=voucher.state,
                branch_ids=voucher.branch_ids,
            ),
            scan_token=row.id,
            scan_token_until=row.expires_at,
        )

    async def _audit(
        self, clerk: ShopStaff, raw_text: str, kind: TextKind, *, outcome: str, found: Found | None = None
    ) -> ScanRow:
        now = self._clock.now()
        row = ScanRow(
            id=self._ids.new("Z"),
            shop_id=clerk.shop_id,
            branch_id=clerk.branch_id,
            clerk_id=clerk.person_id,
            session_id=clerk.session_id,
            at=now,
            kind=kind,
            outcome=outcome,
            text_hash=digest(raw_text),
            voucher_id=None if found is None else found.voucher.id,
            way=None if found is None else found.way,
            code_rev=None if found is None else found.voucher.code_rev,
            key_id=None if found is None else found.key_id,
            code_hash="" if found is None else found.code_hash,
            expires_at=now + rules.CONFIRM_MS,
        )
        await store.add_scan(self._db, row)
        return row
