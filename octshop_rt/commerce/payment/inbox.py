"""Notices: proven, stored as they came, then acted upon, and only then answered."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from octshop_rt.commerce.payment import store
from octshop_rt.commerce.payment.channel import NoticeRead, PaymentTold
from octshop_rt.commerce.payment.model import NoticeNotOurs, NoticeRefused, NoticeRow, NoticeState
from octshop_rt.commerce.payment.refunds import Refunds
from octshop_rt.commerce.payment.rules import Verdict
from octshop_rt.commerce.payment.settle import Accounts, Settlement
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import NotFound
from octshop_rt.core.mongo import Database, DuplicateKey

log = structlog.get_logger(__name__)

KEPT_HEADERS = (
    "Wechatpay-Timestamp",
    "Wechatpay-Nonce",
    "Wechatpay-Signature",
    "Wechatpay-Serial",
    "Wechatpay-Signature-Type",
    "Request-ID",
)


class Inbox:
    """Where channels deliver. A notice is a proof like any other; its absence or repetition changes nothing."""

    def __init__(
        self, *, db: Database, clock: Clock, accounts: Accounts, settlement: Settlement, refunds: Refunds
    ) -> None:
        self._db = db
        self._clock = clock
        self._accounts = accounts
        self._settlement = settlement
        self._refunds = refunds

    async def take(self, account_id: str, headers: Mapping[str, str], body: bytes) -> None:
        """Returns only when the notice needs no repetition: stored, and applied or known before.

        NoticeRefused (401): not proven. NoticeNotOurs (404): proven, but for a number or account that is not ours;
        stored and parked. Both make the channel try again, which is what we want while we find out.
        """
        read = await self._accounts.of(account_id).read_notice(headers, body)
        row = NoticeRow(
            id=f"wechat:{account_id}:{read.notice_id}",
            kind=read.kind,
            body=body,
            headers={name: headers[name] for name in KEPT_HEADERS if name in headers},
            state=NoticeState.RECEIVED,
            received_at=self._clock.now(),
        )
        if await self._known(row):
            return
        await self._apply(row, read)

    async def _known(self, row: NoticeRow) -> bool:
        try:
            await store.add_notice(self._db, row)
        except DuplicateKey:
            before = await store.notice(self._db, row.id)
            await store.count_notice(self._db, row.id)
            return before is not None and before.state is NoticeState.DONE
        return False

    async def _apply(self, row: NoticeRow, read: NoticeRead) -> None:
        try:
            result = await self._act(read)
        except NotFound:
            log.warning("notice for a number we never sent", notice=row.id)
            await store.settle_notice(self._db, row.id, NoticeState.PARKED, "unknown number", self._clock.now())
            raise NoticeNotOurs from None
        if result == Verdict.FOREIGN:
            await store.settle_notice(self._db, row.id, NoticeState.PARKED, result, self._clock.now())
            raise NoticeRefused
        await store.settle_notice(self._db, row.id, NoticeState.DONE, result, self._clock.now())

    async def _act(self, read: NoticeRead) -> str:
        told = read.told
        if isinstance(told, PaymentTold):
            return await self._settlement.succeed(told.proof.attempt_id, told.proof, source="notice")
        refund = await store.refund(self._db, told.refund_id)
        if refund is None:
            raise NotFound
        await self._refunds.press(refund)
        return "asked"
