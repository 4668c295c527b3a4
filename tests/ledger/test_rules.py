"""The books' pure rules: what may stand in them, standard postings balance, mirrors undo."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from octshop_rt.commerce.ledger import postings, rules
from octshop_rt.commerce.ledger.model import CHART, Account, AccountKind, Entry, Posting, Side, Unbalanced, account_of
from octshop_rt.core.clock import TestClock
from octshop_rt.core.money import MOST_FEN

NOW = TestClock().now()
SHOP = "S" + "1" * 26
amounts = st.integers(min_value=1, max_value=MOST_FEN // 1000)
pendings = st.sampled_from([AccountKind.SHOP_PENDING, AccountKind.VOUCHER_UNREDEEMED])
shops = st.sampled_from([SHOP, "S" + "2" * 26, "S" + "3" * 26])
parts = st.lists(st.builds(postings.Part, shop_id=shops, amount_fen=amounts, pending=pendings), min_size=1, max_size=8)


def wechat_payment(shares: list[postings.Part]) -> Posting:
    return postings.payment_received(
        attempt_id="A1", channel="wechat", channel_account="1900000001", parts=shares, at=NOW
    )


def standard_postings(shares: list[postings.Part]) -> list[Posting]:
    total_fen = sum(part.amount_fen for part in shares)
    channel, account = "wechat", "1900000001"
    return [
        wechat_payment(shares),
        postings.surplus_received(
            attempt_id="A1", amount_fen=total_fen, at=NOW, channel=channel, channel_account=account
        ),
        postings.mismatch_received(
            attempt_id="A1", amount_fen=total_fen, at=NOW, channel=channel, channel_account=account
        ),
        postings.suspense_to_refund(attempt_id="A1", amount_fen=total_fen, at=NOW),
        postings.refund_asked(refund_id="R1", parts=shares, at=NOW),
        postings.refund_done(refund_id="R1", amount_fen=total_fen, at=NOW, channel=channel, channel_account=account),
        postings.voucher_used(redemption_id="X1", shop_id=SHOP, amount_fen=total_fen, at=NOW),
    ]


@given(parts)
def test_every_standard_posting_balances(shares: list[postings.Part]):
    # req M5, LE1
    for posting in standard_postings(shares):
        rules.prove(posting.entries)
        assert all(account_of(entry.account).kind in CHART for entry in posting.entries)


@given(parts)
def test_payment_and_whole_refund_leave_every_account_at_zero(shares: list[postings.Part]):
    total_fen = sum(part.amount_fen for part in shares)
    sums: dict[str, int] = {}
    for posting in (
        wechat_payment(shares),
        postings.refund_asked(refund_id="R1", parts=shares, at=NOW),
        postings.refund_done(
            refund_id="R1", channel="wechat", channel_account="1900000001", amount_fen=total_fen, at=NOW
        ),
    ):
        for entry in posting.entries:
            sign = 1 if entry.side is Side.DEBIT else -1
            sums[entry.account] = sums.get(entry.account, 0) + sign * entry.amount_fen
    assert set(sums.values()) == {0}


@given(parts, st.integers(1, 5), st.data())
def test_a_posting_off_by_any_amount_is_refused(shares: list[postings.Part], off: int, data: st.DataObject):
    entries = list(wechat_payment(shares).entries)
    position = data.draw(st.integers(0, len(entries) - 1))
    entries[position] = structs.replace(entries[position], amount_fen=entries[position].amount_fen + off)
    with pytest.raises(Unbalanced):
        rules.prove(entries)


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (Entry(f"bank:{SHOP}:CNY", Side.DEBIT, 1),),
        (Entry(f"bank:{SHOP}:CNY", Side.DEBIT, 5), Entry(f"bank:{SHOP}:CNY", Side.CREDIT, 5)),
        (Entry(f"bank:{SHOP}:CNY", Side.DEBIT, 0), Entry("suspense:platform:CNY", Side.CREDIT, 0)),
        (Entry(f"bank:{SHOP}:CNY", Side.DEBIT, -5), Entry("suspense:platform:CNY", Side.CREDIT, -5)),
        (Entry(f"bank:{SHOP}:CNY", Side.DEBIT, 5), Entry("suspense:platform:USD", Side.CREDIT, 5)),
    ],
)
def test_senseless_postings_are_refused(entries: tuple[Entry, ...]):
    with pytest.raises(Unbalanced):
        rules.prove(entries)


def test_an_account_outside_the_chart_is_refused():
    with pytest.raises(ValueError, match="piggybank"):
        rules.prove([Entry("piggybank:me:CNY", Side.DEBIT, 5), Entry("suspense:platform:CNY", Side.CREDIT, 5)])


@given(parts)
def test_a_mirror_undoes_and_its_mirror_is_the_original(shares: list[postings.Part]):
    # req LE2
    entries = wechat_payment(shares).entries
    assert rules.mirror(rules.mirror(entries)) == entries
    rules.prove(rules.mirror(entries))


@given(st.sampled_from(sorted(AccountKind)), st.from_regex(r"[A-Za-z0-9_/.-]{1,40}", fullmatch=True))
def test_names_of_accounts_read_back(kind: AccountKind, owner: str):
    account = Account(kind, owner)
    assert account_of(account.name) == account


def test_effects_come_in_one_order_so_that_locks_do():
    here, there = Account(AccountKind.MEMBER_WALLET, "U1"), Account(AccountKind.SHOP_AVAILABLE, "S1")
    one_way = rules.effects([rules.debit(there, 5), rules.credit(here, 5)])
    other_way = rules.effects([rules.credit(there, 5), rules.debit(here, 5)])
    assert [effect.account for effect in one_way] == [effect.account for effect in other_way]
    assert [effect.delta_fen for effect in one_way] == [5, -5]
