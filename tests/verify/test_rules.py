"""Pure rules of the write-off: what a string is, what uses are worth, which vouchers an order makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from octshop_rt.core.clock import DAY
from octshop_rt.core.crypto import Secrets
from octshop_rt.events import PaidLine
from octshop_rt.verify import rules, token
from octshop_rt.verify.model import LastUse, TextKind, Voucher, VoucherRefusal, VoucherState

NOW = 1_790_000_000_000
KEYS = token.Keys.derive(Secrets(b"s" * 32))
TOKEN = token.show(KEYS, number="1" * 16, code_rev=0, now=NOW).digits
TYPED = token.typed_code(12_345_678_901)


def voucher(**changes: object) -> Voucher:
    made = Voucher(
        id="V1", merchant_id="M1", shop_id="S1", shop_name="", branch_ids=(), order_id="O1", line_id="L1", index=0,
        buyer_id="U1", buyer_masked="", sku_id="K1", title="洗剪吹", spec="", quantity=1, uses_total=5, paid_fen=9_000,
        valid_from=NOW - DAY, valid_until=NOW + DAY, typed_code=TYPED, number="1" * 16, created_at=NOW, changed_at=NOW,
    )  # fmt: skip
    return structs.replace(made, **changes)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (TOKEN, TextKind.VOUCHER),
        (f"  {TOKEN}\r\n", TextKind.VOUCHER),
        (f"]Q3{TOKEN}", TextKind.VOUCHER),
        (f"\x02{TOKEN}\x03\t", TextKind.VOUCHER),
        ("".join(chr(ord(digit) + 0xFEE0) for digit in TOKEN), TextKind.VOUCHER),  # full-width, from an input method
        (TYPED, TextKind.TYPED_CODE),
        (f"{TYPED[:4]} {TYPED[4:8]}-{TYPED[8:]}", TextKind.TYPED_CODE),
        ("\uff10" * 12, TextKind.TYPED_CODE),
        ("134512345678901234", TextKind.PAYMENT_CODE),  # WeChat
        ("280012345678901234", TextKind.PAYMENT_CODE),  # Alipay
        ("301234567890123456789012", TextKind.PAYMENT_CODE),  # Alipay, 24 digits
        ("6212345678901234567", TextKind.PAYMENT_CODE),  # UnionPay
        ("6901234567892", TextKind.NOTHING),  # a product's bar code
        ("https://example.com/1", TextKind.NOTHING),
        ("", TextKind.NOTHING),
        ("   ", TextKind.NOTHING),
        ("1" * 600, TextKind.NOTHING),
        ("٠" * 12, TextKind.NOTHING),  # digits of another script are no typing of ours
        (TOKEN + "1", TextKind.NOTHING),
    ],
)
def test_what_a_string_is(text: str, kind: TextKind):
    # req 12.2
    assert rules.classify(text).kind is kind


@given(st.text(max_size=700))
def test_any_text_is_something(text: str):
    read = rules.classify(text)
    assert (read.digits == "") == (read.kind is TextKind.NOTHING)


@given(st.from_regex(r"(1[0-5][0-9]{16}|(2[5-9]|30)[0-9]{14,22}|62[0-9]{17})", fullmatch=True))
def test_no_payment_code_is_taken_for_ours(text: str):
    assert rules.classify(text).kind is TextKind.PAYMENT_CODE


def test_five_uses_of_ninety_yuan_are_eighteen_each():
    # req O1, O2
    assert rules.worth_fen(voucher(), 1) == 1_800
    assert rules.worth_fen(voucher(), 2) == 3_600


@given(st.integers(0, 10**9), st.integers(1, 60), st.data())
def test_shares_of_any_order_of_uses_add_up_to_what_was_paid(paid_fen: int, total: int, data: st.DataObject):
    # req 12.8, X1: the last piece takes the remainder
    now = voucher(uses_total=total, paid_fen=paid_fen)
    shares: list[int] = []
    while now.uses_left:
        uses = data.draw(st.integers(1, now.uses_left))
        worth_fen = rules.worth_fen(now, uses)
        assert worth_fen >= 0
        shares.append(worth_fen)
        now = structs.replace(now, uses_used=now.uses_used + uses, taken_fen=now.taken_fen + worth_fen)
    assert sum(shares) == paid_fen


def line(**changes: object) -> PaidLine:
    made = PaidLine(
        line_id="L1", sku_id="K1", title="t", spec="", quantity=3, uses_each=1, paid_fen=100, valid_from=NOW,
        valid_until=NOW + DAY,
    )  # fmt: skip
    return structs.replace(made, **changes)


def test_goods_used_once_share_a_voucher_and_cards_stand_alone():
    # req 12.3
    together, first, second, third = rules.drafts([line(), line(line_id="L2", uses_each=5)])
    assert (together.uses_total, together.quantity, together.paid_fen) == (3, 3, 100)
    assert [card.index for card in (first, second, third)] == [0, 1, 2]
    assert [card.paid_fen for card in (first, second, third)] == [34, 33, 33]
    assert {card.uses_total for card in (first, second, third)} == {5}


LAST = LastUse(redemption_id="X1", at=NOW - 60_000, clerk_id="U9", clerk_name="王小明", branch_id="B1", uses=1)


@pytest.mark.parametrize(
    ("changes", "ask", "code"),
    [
        ({}, {}, None),
        ({"state": VoucherState.REFUNDED, "uses_refunded": 5}, {}, "verify.refunded"),
        ({"uses_frozen": 3, "uses_used": 2}, {}, "verify.frozen"),
        ({"uses_used": 5, "state": VoucherState.USED, "last_use": LAST}, {}, "verify.fully_used"),
        ({"valid_until": NOW}, {}, "verify.expired"),
        ({"state": VoucherState.EXPIRED}, {}, "verify.expired"),
        ({"valid_from": NOW + 1}, {}, "verify.not_yet_valid"),
        ({"valid_from": NOW}, {}, None),
        ({"branch_ids": ("B1",)}, {"branch_id": "B2"}, "verify.branch_not_allowed"),
        ({"branch_ids": ("B1",)}, {"branch_id": None}, "verify.branch_needed"),
        ({"branch_ids": ("B1",)}, {}, None),
        ({"uses_used": 3, "uses_frozen": 1}, {"uses": 2}, "verify.not_enough_uses"),
        ({"uses_used": 3, "uses_frozen": 1}, {"uses": 1}, None),
        ({"last_use": structs.replace(LAST, at=NOW - 4_999, clerk_id="U1")}, {}, "verify.just_redeemed"),
        ({"last_use": structs.replace(LAST, at=NOW - 5_000, clerk_id="U1")}, {}, None),
        ({"last_use": structs.replace(LAST, at=NOW)}, {}, None),  # another clerk's use is not my double scan
    ],
)
def test_why_not(changes: dict[str, object], ask: dict[str, object], code: str | None):
    # req 12.4, 12.5, 12.6, 12.8, 12.9
    asked = {"uses": 1, "now": NOW, "branch_id": "B1", "clerk_id": "U1"} | ask
    refused = rules.refusal(voucher(**changes), **asked)  # pyright: ignore[reportArgumentType]  (a table of asks)
    assert (None if refused is None else refused.code) == code
    if refused is not None:
        assert isinstance(refused, VoucherRefusal)
        assert "{" not in refused.text("zh-CN") + refused.text("en")


def test_a_refusal_masks_the_name_of_another_clerk():
    refused = rules.refusal(voucher(uses_used=5, last_use=LAST), uses=1, now=NOW, branch_id=None, clerk_id="U1")
    assert refused is not None
    assert refused.data["by"] == "王*"
    assert "王小明" not in refused.text("zh-CN")
