"""What the till is told when payment and attempt are read one after the other while both change."""

from __future__ import annotations

import pytest

from octshop_rt.commerce.payment.model import Attempt, AttemptState, Method, Payment, PaymentState
from octshop_rt.commerce.payment.rules import ChargeState, charge_state

NOW = 1_800_000_000_000


def _pair(method: Method, state: PaymentState) -> tuple[Payment, Attempt]:
    payment = Payment(
        id="Y1", opener="till:T1", request_id="r" * 16, fingerprint="f", buyer_id=None,
        parts=(), amount_fen=800,
        account_id="main", channel="wechat", method=method, description="800", state=state, created_at=NOW,
        expires_at=NOW + 300_000,
    )  # fmt: skip
    attempt = Attempt(
        id="A1", payment_id="Y1", account_id="main", channel="wechat", method=method, amount_fen=800,
        state=AttemptState.SUCCEEDED, created_at=NOW,
    )  # fmt: skip
    return payment, attempt


@pytest.mark.parametrize(
    ("method", "state", "told"),
    [
        # Seen on a till: the payment read before the commit, its attempt after it, and the cashier was told "reversed".
        ("native", PaymentState.PAYING, "waiting"),
        ("barcode", PaymentState.PAYING, "paying"),
        ("native", PaymentState.PAID, "paid"),
        ("native", PaymentState.CLOSED, "reversed"),
    ],
)
def test_a_torn_read_never_says_reversed(method: Method, state: PaymentState, told: ChargeState) -> None:
    payment, attempt = _pair(method, state)
    assert charge_state(payment, attempt, NOW + 1_000) == told
