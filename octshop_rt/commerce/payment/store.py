"""Rows of payments: intents, attempts, refunds, raw notices, and the small lookups that hold what is unique."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import msgspec

from octshop_rt.commerce.payment.model import (
    ATTEMPT_LIFE,
    PAYMENT_LIFE,
    REFUND_LIFE,
    Attempt,
    AttemptState,
    Change,
    Fact,
    NoticeRow,
    NoticeState,
    OpenRequest,
    PaidSubject,
    Payment,
    PaymentState,
    Refund,
    RefundState,
)
from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Place, Transaction, index

PAYMENTS = Collection(
    "trading",
    "payments",
    Payment,
    # The second is small however long the house stands: what an opener has left unfinished.
    indexes=[index("parts.subject", "state"), index("opener", partial={"state": "paying"})],
    shard_key=("_id",),
)
ATTEMPTS = Collection("trading", "payment_attempts", Attempt, indexes=[index("payment_id")], shard_key=("_id",))
REFUNDS = Collection(
    "trading",
    "refunds",
    Refund,
    indexes=[index("payment_id", "key", unique=True), index("state", "created_at")],
    shard_key=("payment_id",),
)
REQUESTS = Collection("trading", "payment_requests", OpenRequest, shard_key=("_id",))
SUBJECTS = Collection("trading", "paid_subjects", PaidSubject, shard_key=("_id",))
FACTS = Collection("channel", "payment_facts", Fact, shard_key=("_id",))
NOTICES = Collection(
    "channel", "payment_notices", NoticeRow, indexes=[index("state", "received_at")], shard_key=("_id",)
)

HISTORY_MOST = 30


def _moved(state: str, change: Change, sets: dict[str, Any]) -> dict[str, Any]:
    return {
        "$set": {"state": state, **sets},
        "$push": {"history": {"$each": [msgspec.to_builtins(change)], "$slice": -HISTORY_MOST}},
    }


# --- intents ----------------------------------------------------------------------------------------------------------


async def payment(at: Place, payment_id: str) -> Payment | None:
    return await PAYMENTS.one(at, {"_id": payment_id})


async def add_payment(tx: Transaction, row: Payment) -> None:
    await PAYMENTS.insert(tx, row)


async def paying_for(at: Place, subjects: Sequence[str]) -> list[Payment]:
    """Unpaid payments that cover any of `subjects`."""
    return await PAYMENTS.many(at, {"parts.subject": {"$in": list(subjects)}, "state": PaymentState.PAYING})


async def paying_by(at: Place, opener: str, limit: int) -> list[Payment]:
    """What `opener` has left unfinished, newest first: what holds a till now is never cut off by what was set aside."""
    query = {"opener": opener, "state": PaymentState.PAYING}
    return await PAYMENTS.many(at, query, sort=[("_id", -1)], limit=limit)


async def paid_for(at: Place, subject: str) -> Payment | None:
    """The payment that paid `subject`."""
    return await PAYMENTS.one(at, {"parts.subject": subject, "state": PaymentState.PAID})


async def move_payment(at: Place, payment_id: str, target: PaymentState, change: Change, **sets: Any) -> Payment | None:
    """The payment after the move, None if `target` may not follow its state."""
    moved = _moved(target, change, sets)
    moved["$inc"] = {"rev": 1}
    return await PAYMENTS.change(at, {"_id": payment_id, "state": {"$in": PAYMENT_LIFE.sources(target)}}, moved)


async def touch_payment(tx: Transaction, payment_id: str) -> None:
    """Make two transactions that judge the same payment conflict, so that one of them judges again."""
    await PAYMENTS.update(tx, {"_id": payment_id}, {"$inc": {"rev": 1}})


async def request(at: Place, request_key: str) -> OpenRequest | None:
    return await REQUESTS.one(at, {"_id": request_key})


async def add_request(at: Place, row: OpenRequest) -> None:
    await REQUESTS.insert(at, row)


async def paid_by_others(at: Place, subjects: Sequence[str], payment_id: str = "") -> bool:
    """Whether a subject was paid by another payment than this one."""
    rows = await SUBJECTS.many(at, {"_id": {"$in": list(subjects)}})
    return any(row.payment_id != payment_id for row in rows)


async def mark_paid(tx: Transaction, subjects: Iterable[str], payment_id: str) -> None:
    """DuplicateKey flies out if another payment was faster."""
    await SUBJECTS.insert_many(tx, [PaidSubject(id=one, payment_id=payment_id) for one in subjects])


async def paid_subject(at: Place, subject: str) -> PaidSubject | None:
    return await SUBJECTS.one(at, {"_id": subject})


# --- attempts ---------------------------------------------------------------------------------------------------------


async def attempt(at: Place, attempt_id: str) -> Attempt | None:
    return await ATTEMPTS.one(at, {"_id": attempt_id})


async def attempts_of(at: Place, payment_id: str) -> list[Attempt]:
    return await ATTEMPTS.many(at, {"payment_id": payment_id})


async def newest_attempt(at: Place, payment_id: str) -> Attempt | None:
    rows = await attempts_of(at, payment_id)
    return max(rows, key=lambda row: row.id, default=None)


async def add_attempt(tx: Transaction, row: Attempt) -> None:
    await ATTEMPTS.insert(tx, row)


async def move_attempt(at: Place, attempt_id: str, target: AttemptState, change: Change, **sets: Any) -> Attempt | None:
    """The attempt after the move, None if `target` may not follow its state."""
    query = {"_id": attempt_id, "state": {"$in": ATTEMPT_LIFE.sources(target)}}
    return await ATTEMPTS.change(at, query, _moved(target, change, sets))


async def claim_question(at: Place, attempt_id: str, now: Millis, every_ms: int) -> bool:
    """Whether the caller may ask the channel now: many pages wait for one payment, one question serves them all."""
    query = {"_id": attempt_id, "asked_at": {"$lte": now - every_ms}}
    return await ATTEMPTS.update(at, query, {"$set": {"asked_at": now}}) == 1


async def count_press(at: Place, attempt_id: str) -> int:
    """One more reversal without yes or no; how many there are now."""
    pressed = await ATTEMPTS.change(at, {"_id": attempt_id}, {"$inc": {"presses": 1}})
    return 0 if pressed is None else pressed.presses


# --- what the channel said --------------------------------------------------------------------------------------------


async def fact(at: Place, fact_id: str) -> Fact | None:
    return await FACTS.one(at, {"_id": fact_id})


async def add_fact(tx: Transaction, row: Fact) -> None:
    await FACTS.insert(tx, row)


async def notice(at: Place, notice_id: str) -> NoticeRow | None:
    return await NOTICES.one(at, {"_id": notice_id})


async def add_notice(at: Place, row: NoticeRow) -> None:
    await NOTICES.insert(at, row)


async def count_notice(at: Place, notice_id: str) -> None:
    await NOTICES.update(at, {"_id": notice_id}, {"$inc": {"times": 1}})


async def settle_notice(at: Place, notice_id: str, state: NoticeState, result: str, now: Millis) -> None:
    await NOTICES.update(
        at,
        {"_id": notice_id, "state": {"$ne": NoticeState.DONE}},
        {"$set": {"state": state, "result": result, "done_at": now}},
    )


# --- refunds ----------------------------------------------------------------------------------------------------------


async def refund(at: Place, refund_id: str) -> Refund | None:
    return await REFUNDS.one(at, {"_id": refund_id})


async def refund_by_key(at: Place, payment_id: str, key: str) -> Refund | None:
    return await REFUNDS.one(at, {"payment_id": payment_id, "key": key})


async def refunds_of(at: Place, payment_id: str) -> list[Refund]:
    return await REFUNDS.many(at, {"payment_id": payment_id})


async def add_refund(tx: Transaction, row: Refund) -> None:
    await REFUNDS.insert(tx, row)


async def move_refund(at: Place, refund_id: str, target: RefundState, change: Change, **sets: Any) -> Refund | None:
    """The refund after the move, None if `target` may not follow its state."""
    query = {"_id": refund_id, "state": {"$in": REFUND_LIFE.sources(target)}}
    return await REFUNDS.change(at, query, _moved(target, change, sets))


# --- for fsck ---------------------------------------------------------------------------------------------------------


async def every_payment(at: Place) -> AsyncIterator[Payment]:
    async for row in PAYMENTS.scan(at, {}):
        yield row


async def every_paid_subject(at: Place) -> AsyncIterator[PaidSubject]:
    async for row in SUBJECTS.scan(at, {}):
        yield row


async def every_attempt(at: Place) -> AsyncIterator[Attempt]:
    async for row in ATTEMPTS.scan(at, {}):
        yield row


async def notices_in(at: Place, state: NoticeState) -> AsyncIterator[NoticeRow]:
    async for row in NOTICES.scan(at, {"state": state}):
        yield row
