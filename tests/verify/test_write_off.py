"""Write-off on a real MongoDB: one use, once, whatever is scanned twice, late or at once from two nodes."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from octshop_rt.core import mongo
from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.clock import DAY
from octshop_rt.core.errors import DomainError, NotFound, RequestConflict
from octshop_rt.verify import store, token
from octshop_rt.verify.model import (
    CodeBurnt,
    CodeExpired,
    FullyUsed,
    JustRedeemed,
    LastUse,
    Redemption,
    UnknownCode,
    VoucherFrozen,
    VoucherOutdated,
    VoucherState,
)
from tests.verify.desk import (
    BRANCH,
    BUYER,
    CLERK,
    OTHER_BRANCH,
    OTHER_CLERK,
    OTHER_SHOP,
    STRANGER,
    House,
    refused,
)


async def test_one_use_once_under_64_parallel_clerks_on_two_nodes(house: House):
    # req 12.4, WO1, X3
    voucher = await house.sell()
    digits = await house.shown(voucher)
    nodes = [house.node, house.other_node]

    async def scan(number: int) -> Redemption | DomainError:
        clerk = structs.replace(CLERK, person_id=f"U{number:026d}", name=f"店员{number}")
        try:
            return await house.redeem(digits, by=clerk, node=nodes[number % 2])
        except DomainError as refusal:
            return refusal

    answers = await asyncio.gather(*(scan(number) for number in range(64)))
    won = [answer for answer in answers if isinstance(answer, Redemption)]
    lost = [answer for answer in answers if isinstance(answer, DomainError)]
    assert len(won) == 1
    assert {type(answer) for answer in lost} == {FullyUsed}, {answer.code for answer in lost}
    assert {answer.data["redemption_id"] for answer in lost} == {won[0].id}
    assert (await house.fresh(voucher)).state is VoucherState.USED
    assert len(await house.events("VoucherUsed")) == 1
    assert await house.findings() == []


async def test_each_use_is_one_line_in_the_log_for_the_day_after_a_restore(
    house: House, capsys: pytest.CaptureFixture[str]
):
    voucher = await house.sell(uses_each=2)
    done = await house.redeem(voucher.typed_code)
    assert await house.redeem(voucher.typed_code, request_id=done.request_id) == done  # an answer given again is none
    told = [line for line in capsys.readouterr().out.splitlines() if "voucher used" in line]
    assert len(told) == 1
    for fact in (voucher.id, voucher.shop_id, voucher.order_id, done.id, "uses=1"):
        assert fact in told[0]


async def test_five_uses_under_40_parallel_clerks_are_five(house: House):
    voucher = await house.sell(uses_each=5)
    typed = voucher.typed_code

    async def scan(number: int) -> bool:
        clerk = structs.replace(CLERK, person_id=f"U{number:026d}")
        try:
            await house.redeem(typed, by=clerk, node=[house.node, house.other_node][number % 2])
        except FullyUsed:
            return False
        return True

    answers = await asyncio.gather(*(scan(number) for number in range(40)))
    assert sum(answers) == 5
    used = await house.events("VoucherUsed")
    assert sum(int(str(event["amount_fen"])) for event in used) == 9_000
    assert await house.findings() == []


async def test_one_picture_of_a_card_is_one_use_for_20_parallel_clerks(house: House):
    voucher = await house.sell(uses_each=5)
    digits = await house.shown(voucher)

    async def scan(number: int) -> str:
        clerk = structs.replace(CLERK, person_id=f"U{number:026d}")
        try:
            await house.redeem(digits, by=clerk, node=[house.node, house.other_node][number % 2])
        except CodeBurnt as refusal:
            return refusal.code
        return "used"

    answers = await asyncio.gather(*(scan(number) for number in range(20)))
    assert answers.count("used") == 1
    assert (await house.fresh(voucher)).uses_left == 4


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "expired"},
        {"state": "refunded"},
        {"valid_until": 1},
        {"valid_from": 2**50},
        {"branch_ids": [OTHER_BRANCH]},
        {"shop_id": OTHER_SHOP},
        {"code_rev": 7},
        {"uses_used": 2},
        {"uses_frozen": 2},
        {"uses_refunded": 2},
        {"last_use": {"clerk_id": CLERK.person_id, "at": 2**50}},
    ],
    ids=str,
)
async def test_the_one_update_refuses_by_itself(house: House, changed: dict[str, object]):
    # WO1, WO3: whatever changed between the reading and the use
    voucher = await house.sell(uses_each=2)
    last_use = LastUse(
        redemption_id="X1", at=house.clock.now(), clerk_id=CLERK.person_id, clerk_name="", branch_id=BRANCH, uses=1
    )
    await store.VOUCHERS.update(house.db, {"_id": voucher.id}, {"$set": changed})
    for _ in range(2):
        used = await store.use(house.db, voucher, uses=1, last_use=last_use, code_rev=0, same_scan_since=0)
        assert used is None
    await store.VOUCHERS.update(house.db, {"_id": voucher.id}, {"$set": mongo.document(voucher)})
    assert await store.use(house.db, voucher, uses=1, last_use=last_use, code_rev=0, same_scan_since=0) is not None


async def test_the_same_request_gets_the_same_answer(house: House):
    # req 12.10, WO2
    voucher = await house.sell(uses_each=5)
    digits, request_id = await house.shown(voucher), house.request_id()
    first = await house.redeem(digits, uses=2, request_id=request_id)
    house.clock.advance(3 * DAY)  # however late: the answer says who and when it was
    again = await asyncio.gather(
        *(house.redeem(digits, uses=2, request_id=request_id, node=node) for node in (house.node, house.other_node))
    )
    assert again == [first, first]
    assert (first.uses, first.uses_left, first.amount_fen, first.clerk_name) == (2, 3, 3_600, "王小明")
    with pytest.raises(RequestConflict):
        await house.redeem(digits, uses=3, request_id=request_id)
    with pytest.raises(RequestConflict):
        await house.redeem(digits, uses=2, request_id=request_id, by=OTHER_CLERK)
    assert (await house.fresh(voucher)).uses_left == 3
    assert await house.findings() == []


async def test_the_same_request_sent_many_times_at_once_is_one_use(house: House):
    voucher = await house.sell(uses_each=5)
    request_id, digits = house.request_id(), await house.shown(voucher)
    nodes = [house.node, house.other_node]
    answers = await asyncio.gather(*(house.redeem(digits, request_id=request_id, node=nodes[n % 2]) for n in range(16)))
    assert len({answer.id for answer in answers}) == 1
    assert (await house.fresh(voucher)).uses_left == 4


async def test_the_same_request_refused_once_stays_refused(house: House):
    # B.6: same key, same answer, the refusals too
    voucher = await house.sell(valid_from=house.clock.now() + DAY)
    request_id = house.request_id()
    first = await refused(house.redeem(voucher.typed_code, request_id=request_id))
    house.clock.advance(2 * DAY)
    again = await refused(house.redeem(voucher.typed_code, request_id=request_id, node=house.other_node))
    assert (again.code, again.data) == (first.code, first.data)
    assert first.code == "verify.not_yet_valid"
    await house.redeem(voucher.typed_code)  # a new request is a new question


async def test_a_second_scan_says_when_and_by_whom(house: House):
    # req 12.4
    voucher = await house.sell()
    digits = await house.shown(voucher)
    first = await house.redeem(digits)
    own = await refused(house.redeem(digits))
    assert isinstance(own, JustRedeemed)
    assert own.data["redemption_id"] == first.id
    theirs = await refused(house.redeem(digits, by=OTHER_CLERK))
    assert isinstance(theirs, FullyUsed)
    assert (theirs.data["by"], theirs.data["used_at"]) == ("王*", first.used_at)
    house.clock.advance(6_000)
    assert isinstance(await refused(house.redeem(digits)), FullyUsed)


async def test_a_qr_burns_with_its_use_and_a_typed_code_waits_five_seconds(house: House):
    voucher = await house.sell(uses_each=5)
    digits = await house.shown(voucher)
    await house.redeem(digits)
    house.clock.advance(6_000)
    assert isinstance(await refused(house.redeem(digits)), JustRedeemed)  # his own use of the same picture
    burnt = await refused(house.redeem(digits, by=OTHER_CLERK))
    assert isinstance(burnt, CodeBurnt)
    assert burnt.data["by"] == "王*"
    await house.redeem(await house.shown(voucher))  # the page has a fresh one at once
    assert isinstance(await refused(house.redeem(voucher.typed_code)), JustRedeemed)
    house.clock.advance(5_000)
    await house.redeem(voucher.typed_code)
    assert (await house.fresh(voucher)).uses_left == 2


async def test_a_qr_lives_less_than_ninety_seconds(house: House):
    voucher = await house.sell()
    code = await house.node.codes.code(BUYER, voucher.id)
    house.clock.advance(code.expires_at - house.clock.now())
    assert isinstance(await refused(house.redeem(code.digits)), CodeExpired)
    await house.redeem(await house.shown(voucher))


async def test_fresh_codes_void_the_old_ones_at_once(house: House):
    # req 12.1
    voucher = await house.sell()
    old = await house.shown(voucher)
    request_id = house.request_id()
    new = await house.node.codes.refresh(BUYER, voucher.id, request_id)
    again = await house.other_node.codes.refresh(BUYER, voucher.id, request_id)
    assert new == again
    assert isinstance(await refused(house.redeem(old)), CodeBurnt)
    assert isinstance(await refused(house.redeem(voucher.typed_code)), UnknownCode)
    await house.redeem(new.typed_code)
    assert await house.findings() == []


async def test_another_shop_sees_nothing(house: House):
    # req 12.5: absent and foreign look the same
    voucher = await house.sell()
    unknown = token.typed_code(99_999_999_999)
    for text in (voucher.typed_code, await house.shown(voucher), unknown):
        refusal = await refused(house.redeem(text, by=STRANGER))
        assert (refusal.code, refusal.data) == ("verify.unknown", {})
    assert (await house.fresh(voucher)).uses_left == 1


async def test_another_branch_is_refused(house: House):
    # req 12.5, O2
    voucher = await house.sell(branch_ids=(BRANCH,))
    elsewhere = structs.replace(CLERK, branch_id=OTHER_BRANCH, branch_ids=frozenset({OTHER_BRANCH}))
    assert (await refused(house.redeem(voucher.typed_code, by=elsewhere))).code == "verify.branch_not_allowed"
    everywhere: ShopStaff = structs.replace(CLERK, branch_id=None, branch_ids=None)
    assert (await refused(house.redeem(voucher.typed_code, by=everywhere))).code == "verify.branch_needed"
    wrong = await refused(house.redeem(voucher.typed_code, branch_id=OTHER_BRANCH))
    assert wrong.code == "verify.clerk_not_at_branch"
    made_up = await refused(house.redeem(voucher.typed_code, by=everywhere, branch_id="B" + "3" * 26))
    assert made_up.code == "verify.clerk_not_at_branch"
    used = await house.redeem(voucher.typed_code, by=everywhere, branch_id=BRANCH)
    assert used.branch_id == BRANCH


async def test_expiry(house: House):
    # req 12.6
    voucher = await house.sell()
    house.clock.advance(30 * DAY)
    assert isinstance(await refused(house.redeem(voucher.typed_code)), VoucherOutdated)
    assert isinstance(await refused(house.node.codes.code(BUYER, voucher.id)), VoucherOutdated)
    [body] = await house.events("VoucherExpired")
    event = house.expired(body)
    for _ in range(2):
        await house.db.transact(lambda tx: house.node.issuer.on_voucher_expired(tx, event))
    assert (await house.fresh(voucher)).state is VoucherState.EXPIRED


async def test_a_voucher_whose_time_was_made_longer_does_not_expire_early(house: House):
    voucher = await house.sell()
    await store.VOUCHERS.update(house.db, {"_id": voucher.id}, {"$inc": {"valid_until": DAY}})
    house.clock.advance(30 * DAY)
    [body] = await house.events("VoucherExpired")
    await house.db.transact(lambda tx: house.node.issuer.on_voucher_expired(tx, house.expired(body)))
    assert (await house.fresh(voucher)).state is VoucherState.ACTIVE
    assert len(await house.events("VoucherExpired")) == 2


async def test_refund_and_use_of_the_last_share_have_one_winner(house: House):
    # req 12.9, X2, WO3
    for _ in range(8):
        voucher = await house.sell()
        answers = await asyncio.gather(
            house.redeem(voucher.typed_code),
            house.db.transact(lambda tx, v=voucher: house.other_node.issuer.freeze(tx, v.id, 1)),
            return_exceptions=True,
        )
        lost = [answer for answer in answers if isinstance(answer, BaseException)]
        assert len(lost) == 1
        assert isinstance(lost[0], VoucherFrozen | FullyUsed), lost[0]
        house.clock.advance(6_000)
    assert await house.findings() == []


async def test_a_frozen_share_cannot_be_used_until_the_refund_is_withdrawn(house: House):
    # req 12.8, 12.9
    voucher = await house.sell(uses_each=3, paid_fen=10_000)
    await house.redeem(voucher.typed_code)
    frozen_fen = await house.db.transact(lambda tx: house.node.issuer.freeze(tx, voucher.id, 2))
    assert frozen_fen == 6_667  # the last piece takes the remainder
    assert (await refused(house.redeem(voucher.typed_code, by=OTHER_CLERK))).code == "verify.frozen"
    await house.db.transact(lambda tx: house.node.issuer.unfreeze(tx, voucher.id, 2, frozen_fen))
    second = await house.redeem(voucher.typed_code, by=OTHER_CLERK)
    assert second.amount_fen == 3_333
    last_fen = await house.db.transact(lambda tx: house.node.issuer.freeze(tx, voucher.id, 1))
    await house.db.transact(lambda tx: house.node.issuer.refunded(tx, voucher.id, 1))
    assert 3_333 + second.amount_fen + last_fen == 10_000
    assert (await house.fresh(voucher)).state is VoucherState.USED
    with pytest.raises(NotFound):
        await house.db.transact(lambda tx: house.node.issuer.refunded(tx, voucher.id, 1))
    assert await house.findings() == []


async def test_the_buyers_page_hears_of_it(house: House):
    voucher = await house.sell(uses_each=2)
    await house.redeem(voucher.typed_code)
    [notice] = house.notices
    assert (notice.topic, notice.id, notice.d["uses_left"]) == ("voucher", voucher.id, 1)
    assert notice.rev == (await house.fresh(voucher)).rev


async def test_an_order_makes_its_vouchers_once(house: House):
    voucher = await house.sell(quantity=2, uses_each=5)
    body = {**(await house.events("VoucherIssued"))[0]}
    event = house.paid(voucher)
    await asyncio.gather(
        *(
            house.db.transact(lambda tx, n=node: n.issuer.on_order_paid(tx, event))
            for node in (house.node, house.other_node)
        )
    )
    assert body["order_id"] == voucher.order_id
    assert len(await store.of_order(house.db, voucher.order_id)) == 2
    assert len(await house.events("VoucherIssued")) == 2
    assert len(await house.events("VoucherExpired")) == 2
    shipped = structs.replace(event, order_id="O" + "9" * 26, fulfilment="delivery")
    await house.db.transact(lambda tx: house.node.issuer.on_order_paid(tx, shipped))
    assert await store.of_order(house.db, shipped.order_id) == []


async def test_somebody_elses_voucher_is_not_found(house: House):
    voucher = await house.sell()
    other = structs.replace(BUYER, person_id="U" + "5" * 26)
    for answer in (house.node.codes.code(other, voucher.id), house.node.codes.refresh(other, voucher.id, "r" * 16)):
        assert isinstance(await refused(answer), NotFound)


async def test_a_clerk_called_like_a_field_stays_a_name(house: House):
    voucher = await house.sell()
    odd = structs.replace(CLERK, name="$paid_fen")
    await house.redeem(voucher.typed_code, by=odd)
    last = (await house.fresh(voucher)).last_use
    assert last is not None
    assert last.clerk_name == "$paid_fen"


async def test_fsck_finds_planted_errors(house: House):
    voucher = await house.sell(uses_each=5, branch_ids=(BRANCH,))
    used = await house.redeem(voucher.typed_code, uses=2)
    assert await house.findings() == []

    async def planted(change: dict[str, object], collection: object = store.VOUCHERS) -> set[str]:
        before = await house.fresh(voucher)
        target = voucher.id if collection is store.VOUCHERS else used.id
        await collection.update(house.db, {"_id": target}, {"$set": change})  # pyright: ignore[reportAttributeAccessIssue]
        found = {finding.split(" ", 1)[0] for finding in await house.findings()}
        await store.VOUCHERS.delete(house.db, {"_id": voucher.id})
        await store.VOUCHERS.insert(house.db, before)
        await store.REDEMPTIONS.delete(house.db, {"_id": used.id})
        await store.REDEMPTIONS.insert(house.db, used)
        return found

    assert await planted({"uses_used": 1}) == {"F50"}
    assert await planted({"uses_frozen": 4}) == {"F50"}
    assert await planted({"state": "used"}) == {"F50"}
    assert await planted({"typed_code": "123456789012"}) == {"F50"}
    assert await planted({"state": "refunded"}) == {"F51"}
    assert await planted({"shop_id": OTHER_SHOP}, store.REDEMPTIONS) == {"F52"}
    assert await planted({"branch_id": OTHER_BRANCH}, store.REDEMPTIONS) == {"F52"}
    assert await planted({"used_at": voucher.valid_until}, store.REDEMPTIONS) == {"F52"}
    assert await planted({"voucher_id": "V0"}, store.REDEMPTIONS) == {"F50", "F52"}
    assert await house.findings() == []
