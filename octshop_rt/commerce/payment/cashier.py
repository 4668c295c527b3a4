"""The cashier's counter: scanned payment codes and dynamic codes, and what the till shows while nobody knows yet."""

from __future__ import annotations

from octshop_rt.commerce.payment import rules
from octshop_rt.commerce.payment.model import (
    Attempt,
    CodeNotAccepted,
    NotAPaymentCode,
    Payment,
    PaymentState,
    Wish,
)
from octshop_rt.commerce.payment.resolve import Resolver
from octshop_rt.commerce.payment.service import Draft, PaymentService
from octshop_rt.core.clock import MINUTE, Clock
from octshop_rt.core.crypto import mac
from octshop_rt.core.ids import RequestId
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Transaction
from octshop_rt.events import PaymentPart

QR_LIFE_MS = 5 * MINUTE
_CODE_NAMES = {"alipay": "支付宝 Alipay", "unionpay": "云闪付 UnionPay"}


class Cashier:
    """Takes money at a till. A scanned code lives in memory for one call: stored are a keyed hash and four digits."""

    def __init__(self, *, clock: Clock, payments: PaymentService, resolver: Resolver, code_key: bytes) -> None:
        self._clock = clock
        self._payments = payments
        self._resolver = resolver
        self._code_key = code_key

    def draft(
        self, *, till_id: str, request_id: RequestId, part: PaymentPart, description: str, auth_code: str | None
    ) -> Draft:
        """What one charge will store. NotAPaymentCode, CodeNotAccepted, NoChannelAccount."""
        code = None if auth_code is None else read_code(auth_code)
        wish = Wish(
            opener=_opener(till_id),
            request_id=request_id,
            parts=(part,),
            method="native" if code is None else "barcode",
            description=description,
            expires_at=self._clock.now() + QR_LIFE_MS,
            auth_code_hash="" if code is None else mac(self._code_key, code.encode()).hex(),
            auth_code_last4="" if code is None else code[-4:],
        )
        return self._payments.draft(wish)

    async def insert(self, tx: Transaction, draft: Draft) -> None:
        """Store it, with the question owed, before the channel is called."""
        await self._payments.insert(tx, draft)

    async def go(self, draft: Draft, auth_code: str | None) -> None:
        """Call the channel. What became of it stands in the rows, whatever this call saw."""
        await self._resolver.send(draft.attempt.id, "" if auth_code is None else read_code(auth_code))

    async def forbid(self, till_id: str, request_id: RequestId, *, by: str) -> bool:
        """Let a request that has not come here never charge, however late it comes. False: it has come."""
        return await self._payments.forbid(_opener(till_id), request_id, by=by)

    async def forbidden(self, till_id: str, request_id: RequestId) -> bool:
        """Whether a request was called off before it came."""
        return await self._payments.forbidden(_opener(till_id), request_id)

    async def may_still_be_paid(self, tx: Transaction, payment_id: str) -> bool:
        """Whether the channel has not ended this charge yet."""
        return await self._payments.is_unfinished(tx, payment_id)

    async def unfinished(self, till_id: str, limit: int) -> list[Payment]:
        """Charges of a till that may still be paid, newest first."""
        return await self._payments.unfinished(_opener(till_id), limit)

    def fingerprint(self, amount_fen: Fen, auth_code: str | None) -> str:
        """The content of a charge, to tell a repetition from another wish. Keyed: a payment code is 18 digits, and a
        plain hash of so few is read back in an afternoon. NotAPaymentCode, CodeNotAccepted.
        """
        code = "" if auth_code is None else read_code(auth_code)
        return mac(self._code_key, f"{amount_fen}:{code}".encode()).hex()

    async def query(self, payment_id: str, *, by: str) -> None:
        """Ask the channel now."""
        for payment, attempt in await self._payments.payments([payment_id]):
            if payment.state is PaymentState.PAYING:
                await self._payments.ask(attempt, by=by)

    async def reverse(self, payment_id: str, *, by: str) -> None:
        """Void a bar-code trade whose outcome is open; close a dynamic code. A paid one is not touched: refund it."""
        await self._payments.close(payment_id, by=by, reason="reversed_by_cashier")

    async def close(self, payment_id: str, *, by: str) -> None:
        """Take a dynamic code away; a bar-code trade is reversed."""
        await self._payments.close(payment_id, by=by, reason="closed_by_cashier")

    async def standing(self, payment_ids: list[str]) -> dict[str, tuple[Payment, Attempt | None]]:
        """Payments of charges with their newest attempts, by payment id."""
        return {payment.id: (payment, attempt) for payment, attempt in await self._payments.payments(payment_ids)}

    async def came_late(self, payment_id: str) -> bool:
        """Whether the money came after the till had been told "not paid"."""
        return (await self._payments.payment(payment_id)).came_late


def _opener(till_id: str) -> str:
    return f"till:{till_id}"


def read_code(text: str) -> str:
    """The digits of a payment code this house can take."""
    code = rules.clean_code(text)
    owner = rules.channel_of(code)
    if owner is None:
        raise NotAPaymentCode
    if owner != "wechat":
        raise CodeNotAccepted(channel=_CODE_NAMES[owner])
    return code
