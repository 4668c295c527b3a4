"""Use cases for payers: open a payment, look at it, ask the channel about it, close it."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from octshop_rt.commerce.payment import rules, store
from octshop_rt.commerce.payment.model import (
    AlreadyPaid,
    Attempt,
    AttemptState,
    ChannelRefused,
    OpenRequest,
    Payment,
    PaymentState,
    PayView,
    RequestForbidden,
    TimeIsUp,
    Wish,
)
from octshop_rt.commerce.payment.resolve import Resolver
from octshop_rt.commerce.payment.settle import Accounts
from octshop_rt.core.clock import Clock
from octshop_rt.core.crypto import digest
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.core.ids import Ids, RequestId
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import PaymentDoubt, PaymentExpired


class Draft(Struct, frozen=True):
    """A payment and its first attempt, made but not stored."""

    payment: Payment
    attempt: Attempt


class PaymentService:
    """Opens and shows payments. It knows subjects and amounts; what they stand for is its callers' business."""

    def __init__(
        self, *, db: Database, clock: Clock, ids: Ids, outbox: Outbox, accounts: Accounts, resolver: Resolver
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._outbox = outbox
        self._accounts = accounts
        self._resolver = resolver

    async def open(self, wish: Wish) -> PayView:
        """Open a payment for `wish.parts` and get something to pay with.

        The same request again, or the same parts asked for by the same opener while the first is still unpaid, is the
        same payment. Other unpaid payments for any of the subjects are closed at the channel first. AlreadyPaid,
        ChannelRefused, RequestConflict, TimeIsUp. State `unknown` in the answer: ask again with `refresh`.
        """
        known = await store.request(self._db, _request_key(wish))
        if known is not None:
            if known.payment_id is None:
                raise RequestForbidden
            if known.fingerprint != fingerprint(wish):
                raise RequestConflict
            return await self._resume(known.payment_id)
        subjects = [part.subject for part in wish.parts]
        if await store.paid_by_others(self._db, subjects):
            raise AlreadyPaid
        if self._clock.now() >= wish.expires_at:
            raise TimeIsUp
        for other in await store.paying_for(self._db, subjects):
            if other.fingerprint == fingerprint(wish) and self._clock.now() < other.expires_at:
                return await self._resume(other.id)
            closed = await self._resolver.close(other.id, by=wish.opener, reason="replaced")
            if closed.state is PaymentState.PAID:
                raise AlreadyPaid
        draft = self.draft(wish)
        try:
            await self._db.transact(lambda tx: self.insert(tx, draft))
        except DuplicateKey:
            return await self.open(wish)  # the same request ran beside us and was faster
        refused = await self._resolver.send(draft.attempt.id)
        if refused is not None:
            raise ChannelRefused(reason=refused.reason)
        return await self.get(draft.payment.id)

    def draft(self, wish: Wish) -> Draft:
        """A payment and its attempt, not stored. NoChannelAccount if nobody takes money for these shops."""
        channel = self._accounts.taking_for({part.scope.merchant_id for part in wish.parts})
        now = self._clock.now()
        amount_fen = sum(part.amount_fen for part in wish.parts)
        payment = Payment(
            id=self._ids.new("Y"),
            opener=wish.opener,
            request_id=wish.request_id,
            fingerprint=fingerprint(wish),
            buyer_id=wish.buyer_id,
            parts=wish.parts,
            amount_fen=amount_fen,
            account_id=channel.account_id,
            channel="wechat",
            method=wish.method,
            description=wish.description,
            state=PaymentState.PAYING,
            created_at=now,
            expires_at=wish.expires_at,
        )
        attempt = Attempt(
            id=self._ids.new("A"),
            payment_id=payment.id,
            account_id=channel.account_id,
            channel="wechat",
            method=wish.method,
            amount_fen=amount_fen,
            state=AttemptState.CREATED,
            created_at=now,
            auth_code_hash=wish.auth_code_hash,
            auth_code_last4=wish.auth_code_last4,
        )
        return Draft(payment, attempt)

    async def insert(self, tx: Transaction, draft: Draft) -> None:
        """Store payment, attempt and the questions owed, before anything leaves. DuplicateKey: the request is known."""
        payment, attempt = draft.payment, draft.attempt
        await store.add_request(
            tx,
            OpenRequest(
                id=f"{payment.opener}:{payment.request_id}", payment_id=payment.id, fingerprint=payment.fingerprint
            ),
        )
        await store.add_payment(tx, payment)
        await store.add_attempt(tx, attempt)
        first = payment.created_at + rules.FIRST_QUESTION_MS
        doubt = PaymentDoubt(attempt_id=attempt.id)
        await self._outbox.write(tx, doubt, due_at=first, event_id=f"doubt:{attempt.id}:0")
        if payment.method == "native":
            await self._outbox.write(tx, PaymentExpired(payment_id=payment.id), due_at=payment.expires_at)

    async def forbid(self, opener: str, request_id: RequestId, *, by: str) -> bool:
        """Let a wish that has not come here never open a payment, however late it comes. False: it has come.

        One insert decides between it and the wish: `insert` writes the same row.
        """
        row = OpenRequest(id=f"{opener}:{request_id}", forbidden_at=self._clock.now(), forbidden_by=by)
        try:
            await store.add_request(self._db, row)
        except DuplicateKey:
            return await self.forbidden(opener, request_id)
        return True

    async def forbidden(self, opener: str, request_id: RequestId) -> bool:
        """Whether a wish was forbidden before it came."""
        known = await store.request(self._db, f"{opener}:{request_id}")
        return known is not None and known.payment_id is None

    async def unfinished(self, opener: str, limit: int) -> list[Payment]:
        """What `opener` has begun and the channel has not ended, newest first."""
        return await store.paying_by(self._db, opener, limit)

    async def is_unfinished(self, tx: Transaction, payment_id: str) -> bool:
        """The same of one payment."""
        payment = await store.payment(tx, payment_id)
        return payment is not None and payment.state is PaymentState.PAYING

    async def _resume(self, payment_id: str) -> PayView:
        """A repeated wish: send what was never sent, ask about what was never answered."""
        attempt = await store.newest_attempt(self._db, payment_id)
        if attempt is not None and attempt.state is AttemptState.CREATED:
            refused = await self._resolver.send(attempt.id)
            if refused is not None:
                raise ChannelRefused(reason=refused.reason)
            return await self.get(payment_id)
        return await self.refresh(payment_id)

    async def get(self, payment_id: str, *, opener: str | None = None) -> PayView:
        """As stored. NotFound for another opener's."""
        payment = await self.payment(payment_id, opener=opener)
        attempt = await store.newest_attempt(self._db, payment_id)
        return PayView(
            payment_id=payment.id,
            state=rules.view_state(payment, attempt),
            amount_fen=payment.amount_fen,
            code_url=attempt.code_url if attempt is not None and attempt.open else None,
            expires_at=payment.expires_at,
        )

    async def refresh(self, payment_id: str, *, opener: str | None = None) -> PayView:
        """Ask the channel if it is still unpaid here, at most every 1.5 s however many pages wait, then look."""
        payment = await self.payment(payment_id, opener=opener)
        if payment.state is PaymentState.PAYING:
            attempt = await store.newest_attempt(self._db, payment_id)
            await self.ask(attempt, by=opener or "service")
        return await self.get(payment_id)

    async def ask(self, attempt: Attempt | None, *, by: str) -> None:
        """Ask about an open attempt that has left us, unless somebody just did."""
        if attempt is None or not attempt.open or attempt.state is AttemptState.CREATED:
            return
        if await store.claim_question(self._db, attempt.id, self._clock.now(), rules.ASK_AT_MOST_EVERY_MS):
            await self._resolver.ask(attempt, by=by)

    async def close(self, payment_id: str, *, by: str, reason: str) -> PaymentState:
        """End an unpaid payment at the channel and here. The answer may be `paid`, or `paying` while unknown."""
        return (await self._resolver.close(payment_id, by=by, reason=reason)).state

    async def payment(self, payment_id: str, *, opener: str | None = None) -> Payment:
        """The row. NotFound for another opener's."""
        payment = await store.payment(self._db, payment_id)
        if payment is None or (opener is not None and payment.opener != opener):
            raise NotFound
        return payment

    async def has_paid(self, tx: Transaction, subject: str, amount_fen: Fen) -> bool:
        """Whether a payment has paid exactly this for `subject`, even if its owner has not heard of it yet."""
        payment = await store.paid_for(tx, subject)
        return payment is not None and any(
            part.subject == subject and part.amount_fen == amount_fen for part in payment.parts
        )

    async def payments(self, payment_ids: list[str]) -> list[tuple[Payment, Attempt | None]]:
        """Rows with their newest attempts, for lists."""
        return [
            (payment, await store.newest_attempt(self._db, payment.id))
            for payment_id in payment_ids
            if (payment := await store.payment(self._db, payment_id)) is not None
        ]


def fingerprint(wish: Wish) -> str:
    """The content of a wish: what must be equal for a repetition."""
    content = (wish.opener, wish.buyer_id, wish.parts, wish.method, wish.auth_code_hash)
    return digest(msgspec.json.encode(content, order="sorted"))


def _request_key(wish: Wish) -> str:
    return f"{wish.opener}:{wish.request_id}"
