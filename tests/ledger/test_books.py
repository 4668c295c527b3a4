"""The books on a real MongoDB: posted once, never below the floor, holds resolved once, fsck finds planted errors."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from octshop_rt.commerce.ledger import postings, rules, store
from octshop_rt.commerce.ledger.checks import CHECKS
from octshop_rt.commerce.ledger.model import (
    Account,
    AccountKind,
    AlreadyReversed,
    HoldResolved,
    HoldState,
    InsufficientFunds,
    Posting,
    PostingConflict,
    PostingKind,
    Side,
    Unbalanced,
)
from octshop_rt.commerce.ledger.service import Ledger
from octshop_rt.core.clock import TestClock
from octshop_rt.core.errors import NotFound
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.events import Scope, VoucherUsed

SHOP = "S" + "1" * 26
WALLET = Account(AccountKind.MEMBER_WALLET, "U" + "1" * 26)
CLEARING = postings.channel_clearing("wechat", "1900000001")
PENDING = postings.shop_pending(SHOP)


@pytest.fixture
def ledger(clock: TestClock, ids: Ids) -> Ledger:
    return Ledger(clock=clock, ids=ids)


def payment(attempt_id: str, amount_fen: int, clock: TestClock) -> Posting:
    return postings.payment_received(
        attempt_id=attempt_id,
        channel="wechat",
        channel_account="1900000001",
        parts=[postings.Part(shop_id=SHOP, amount_fen=amount_fen, pending=AccountKind.VOUCHER_UNREDEEMED)],
        at=clock.now(),
    )


def wallet(ref: str, clock: TestClock, *, spend_fen: int = 0, top_up_fen: int = 0) -> Posting:
    legs = (
        (rules.debit(WALLET, spend_fen), rules.credit(PENDING, spend_fen))
        if spend_fen
        else (rules.debit(CLEARING, top_up_fen), rules.credit(WALLET, top_up_fen))
    )
    return Posting(ref=ref, kind=PostingKind.WALLET, cause="test:1", entries=legs, at=clock.now())


async def findings(db: Database) -> list[tuple[str, str]]:
    return [(one.check, one.object_id) for one in (await examine(db, CHECKS)).findings]


async def test_the_same_posting_is_booked_once(db: Database, ledger: Ledger, clock: TestClock):
    # req LE3
    posting = payment("A1", 9_000, clock)
    first = await db.transact(lambda tx: ledger.post(tx, posting))
    clock.advance(1000)
    again = await asyncio.gather(*(db.transact(lambda tx: ledger.post(tx, posting)) for _ in range(8)))
    assert {journal.id for journal in again} == {first.id}
    assert await ledger.balance_fen(db, CLEARING) == 9_000
    assert await ledger.balance_fen(db, postings.voucher_unredeemed(SHOP)) == 9_000
    assert await findings(db) == []


async def test_the_same_posting_first_sent_by_many_at_once_is_booked_once(
    db: Database, ledger: Ledger, clock: TestClock
):
    posting = payment("A1", 9_000, clock)
    journals = await asyncio.gather(*(db.transact(lambda tx: ledger.post(tx, posting)) for _ in range(16)))
    assert len({journal.id for journal in journals}) == 1
    assert await ledger.balance_fen(db, CLEARING) == 9_000


async def test_the_same_ref_with_other_content_is_refused(db: Database, ledger: Ledger, clock: TestClock):
    await db.transact(lambda tx: ledger.post(tx, payment("A1", 9_000, clock)))
    with pytest.raises(PostingConflict):
        await db.transact(lambda tx: ledger.post(tx, payment("A1", 9_001, clock)))
    assert await ledger.balance_fen(db, CLEARING) == 9_000


async def test_an_unbalanced_posting_never_reaches_the_books(db: Database, ledger: Ledger, clock: TestClock):
    good = payment("A1", 9_000, clock)
    bad = structs.replace(good, entries=(good.entries[0], structs.replace(good.entries[1], amount_fen=8_999)))
    with pytest.raises(Unbalanced):
        await db.transact(lambda tx: ledger.post(tx, bad))
    assert await ledger.journal(db, good.ref) is None


async def test_a_reversal_leaves_nothing_and_happens_once(db: Database, ledger: Ledger, clock: TestClock):
    # req LE2
    posting = payment("A1", 9_000, clock)
    first = await db.transact(lambda tx: ledger.post(tx, posting))
    undo = await db.transact(lambda tx: ledger.reverse(tx, posting.ref, cause="case:1", at=clock.now()))
    again = await db.transact(lambda tx: ledger.reverse(tx, posting.ref, cause="case:1", at=clock.now()))
    assert (undo.reverses, again.id) == (first.id, undo.id)
    assert await ledger.balance_fen(db, CLEARING) == 0
    with pytest.raises(AlreadyReversed):
        await db.transact(lambda tx: ledger.reverse(tx, posting.ref, cause="case:2", at=clock.now()))
    with pytest.raises(NotFound):
        await db.transact(lambda tx: ledger.reverse(tx, "payment:none", cause="case:1", at=clock.now()))
    assert await findings(db) == []


async def test_parallel_withdrawals_never_go_below_the_floor(db: Database, ledger: Ledger, clock: TestClock):
    # req LE4, X23
    await db.transact(lambda tx: ledger.post(tx, wallet("top:1", clock, top_up_fen=1_000)))

    async def spend(number: int) -> bool:
        try:
            await db.transact(lambda tx: ledger.post(tx, wallet(f"spend:{number}", clock, spend_fen=300)))
        except InsufficientFunds:
            return False
        return True

    done = await asyncio.gather(*(spend(number) for number in range(12)))
    assert sum(done) == 3
    assert await ledger.balance_fen(db, WALLET) == 100
    assert await ledger.balance_fen(db, PENDING) == 900
    assert await findings(db) == []


async def test_nothing_can_be_spent_from_an_account_nobody_opened(db: Database, ledger: Ledger, clock: TestClock):
    with pytest.raises(InsufficientFunds):
        await db.transact(lambda tx: ledger.post(tx, wallet("spend:1", clock, spend_fen=1)))


async def test_a_hold_sets_money_aside_and_is_resolved_once(db: Database, ledger: Ledger, clock: TestClock):
    await db.transact(lambda tx: ledger.post(tx, wallet("top:1", clock, top_up_fen=1_000)))
    for _ in range(2):  # the same hold asked twice is one hold
        await db.transact(
            lambda tx: ledger.hold(tx, ref="hold:1", account=WALLET, amount_fen=800, cause="withdrawal:1")
        )
    assert await ledger.spendable_fen(db, WALLET) == 200
    with pytest.raises(InsufficientFunds):
        await db.transact(lambda tx: ledger.post(tx, wallet("spend:1", clock, spend_fen=300)))
    with pytest.raises(InsufficientFunds):
        await db.transact(
            lambda tx: ledger.hold(tx, ref="hold:2", account=WALLET, amount_fen=201, cause="withdrawal:2")
        )
    # Captured in part: the rest is spendable again.
    capture = wallet("capture:1", clock, spend_fen=500)
    first = await db.transact(lambda tx: ledger.post_hold(tx, "hold:1", capture))
    again = await db.transact(lambda tx: ledger.post_hold(tx, "hold:1", capture))
    assert first.id == again.id
    assert await ledger.spendable_fen(db, WALLET) == 500
    with pytest.raises(HoldResolved):
        await db.transact(lambda tx: ledger.void_hold(tx, "hold:1", reason="too late"))
    with pytest.raises(HoldResolved):
        await db.transact(lambda tx: ledger.post_hold(tx, "hold:1", wallet("capture:2", clock, spend_fen=1)))
    assert await findings(db) == []


async def test_a_voided_hold_gives_all_back_once(db: Database, ledger: Ledger, clock: TestClock):
    await db.transact(lambda tx: ledger.post(tx, wallet("top:1", clock, top_up_fen=1_000)))
    await db.transact(lambda tx: ledger.hold(tx, ref="hold:1", account=WALLET, amount_fen=800, cause="withdrawal:1"))
    answers = await asyncio.gather(
        *(db.transact(lambda tx: ledger.void_hold(tx, "hold:1", reason="refused")) for _ in range(6))
    )
    assert {answer.state for answer in answers} == {HoldState.VOIDED}
    assert await ledger.spendable_fen(db, WALLET) == 1_000
    with pytest.raises(HoldResolved):
        await db.transact(lambda tx: ledger.post_hold(tx, "hold:1", wallet("capture:1", clock, spend_fen=1)))
    assert await findings(db) == []


async def test_capture_and_void_at_once_have_one_winner(db: Database, ledger: Ledger, clock: TestClock):
    for round_no in range(5):
        ref = f"hold:{round_no}"
        await db.transact(lambda tx, n=round_no: ledger.post(tx, wallet(f"top:{n}", clock, top_up_fen=100)))
        before_fen = await ledger.spendable_fen(db, WALLET)
        await db.transact(lambda tx, r=ref: ledger.hold(tx, ref=r, account=WALLET, amount_fen=100, cause="w:1"))
        capture = wallet(f"capture:{round_no}", clock, spend_fen=100)
        results = await asyncio.gather(
            db.transact(lambda tx, r=ref, c=capture: ledger.post_hold(tx, r, c)),
            db.transact(lambda tx, r=ref: ledger.void_hold(tx, r, reason="refused")),
            return_exceptions=True,
        )
        refused = [result for result in results if isinstance(result, HoldResolved)]
        assert len(refused) == 1, results
        left_fen = before_fen if refused[0] is results[0] else before_fen - 100
        assert await ledger.spendable_fen(db, WALLET) == left_fen
    assert await findings(db) == []


async def test_a_used_voucher_becomes_the_shops_money_once(db: Database, ledger: Ledger, clock: TestClock):
    # req 12.3, M5: 90 paid for five uses, two used
    await db.transact(lambda tx: ledger.post(tx, payment("A1", 9_000, clock)))
    used = VoucherUsed(
        redemption_id="X1", voucher_id="V1", order_id="O1", line_id="L1", buyer_id="U1",
        scope=Scope(merchant_id="M1", shop_id=SHOP, branch_id="B1"),
        uses=2, uses_left=3, amount_fen=3_600, used_at=clock.now(), clerk_id="U2",
    )  # fmt: skip
    for _ in range(2):
        await db.transact(lambda tx: ledger.on_voucher_used(tx, used))
    assert await ledger.balance_fen(db, postings.voucher_unredeemed(SHOP)) == 5_400
    assert await ledger.balance_fen(db, PENDING) == 3_600
    free = structs.replace(used, redemption_id="X2", amount_fen=0)
    await db.transact(lambda tx: ledger.on_voucher_used(tx, free))
    assert await ledger.journal(db, "writeoff:X2") is None
    assert await findings(db) == []


async def test_fsck_finds_planted_errors(db: Database, ledger: Ledger, clock: TestClock):
    # req M5: a failing check names the journal
    await db.transact(lambda tx: ledger.post(tx, wallet("top:1", clock, top_up_fen=1_000)))
    await db.transact(lambda tx: ledger.post(tx, payment("A1", 9_000, clock)))
    await db.transact(lambda tx: ledger.hold(tx, ref="hold:1", account=WALLET, amount_fen=100, cause="w:1"))
    assert await findings(db) == []

    await store.BALANCES.update(db, {"_id": WALLET.name}, {"$inc": {"balance_fen": 1}})
    assert ("F42", WALLET.name) in await findings(db)
    await store.BALANCES.update(db, {"_id": WALLET.name}, {"$inc": {"balance_fen": -1, "held_fen": 950}})
    assert {("F42", WALLET.name), ("F43", WALLET.name)} <= set(await findings(db))
    await store.BALANCES.update(db, {"_id": WALLET.name}, {"$inc": {"held_fen": -950}})
    assert await findings(db) == []

    await store.HOLDS.update(db, {"ref": "hold:1"}, {"$set": {"state": "posted"}})
    assert {check for check, _ in await findings(db)} == {"F42", "F44"}
    await store.HOLDS.update(db, {"ref": "hold:1"}, {"$set": {"state": "held"}})

    await store.JOURNALS.update(db, {"ref": "payment:A1"}, {"$set": {"entries.1.amount_fen": 8_999}})
    assert {("F40", "payment:A1"), ("F41", "CNY")} <= set(await findings(db))
    await store.JOURNALS.update(db, {"ref": "payment:A1"}, {"$set": {"entries.1.amount_fen": 9_000}})

    await store.JOURNALS.update(db, {"ref": "payment:A1"}, {"$set": {"entries.1.account": "piggybank:me:CNY"}})
    assert ("F40", "payment:A1") in await findings(db)
    await store.JOURNALS.update(
        db, {"ref": "payment:A1"}, {"$set": {"entries.1.account": postings.voucher_unredeemed(SHOP).name}}
    )

    await store.JOURNALS.update(db, {"ref": "top:1"}, {"$set": {"entries.1.seq": 2}})
    assert ("F42", WALLET.name) in await findings(db)
    await store.JOURNALS.update(db, {"ref": "top:1"}, {"$set": {"entries.1.seq": 1}})

    await store.JOURNALS.update(
        db, {"ref": "payment:A1"}, {"$set": {"entries.0.side": Side.CREDIT, "entries.1.side": Side.DEBIT}}
    )
    assert ("F43", postings.voucher_unredeemed(SHOP).name) in await findings(db)
