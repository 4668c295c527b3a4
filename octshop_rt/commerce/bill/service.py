"""Use cases of the till: charge, look, ask, reverse, close, give back, and the takings of a day."""

from __future__ import annotations

import structlog
from msgspec import structs

from octshop_rt.commerce.bill import rules, store
from octshop_rt.commerce.bill.model import (
    Asked,
    BadDay,
    Bill,
    BillState,
    ChannelTakings,
    Charge,
    NotAnAmount,
    NotYoursToGiveBack,
    NotYoursToSetAside,
    Takings,
    TillHeld,
    TillHold,
    TillPlace,
    TooEarlyToSetAside,
    TooLateToReverse,
)
from octshop_rt.commerce.payment.cashier import Cashier
from octshop_rt.commerce.payment.model import Payment, PaymentState, RequestForbidden
from octshop_rt.commerce.payment.service import Draft
from octshop_rt.core.bus import Bus, Notice, notify
from octshop_rt.core.clock import MINUTE, SECOND, Clock, business_day, business_day_bounds
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.core.ids import Ids, RequestId
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import BillPaid, PaymentPart, PaymentSucceeded, RefundDue, Scope

log = structlog.get_logger(__name__)

LAST_SHOWN = 10
OPEN_SHOWN = 20
# What payers read beside the money that comes back.
CALLED_OFF = "收银员撤销，原路退回"
CAME_LATE = "收款已结束后到账，自动退回"


class BillService:
    """Charges at tills. One request is one charge, whatever the line between till and server does."""

    def __init__(self, *, db: Database, clock: Clock, ids: Ids, outbox: Outbox, bus: Bus, cashier: Cashier) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._outbox = outbox
        self._bus = bus
        self._cashier = cashier

    async def charge(
        self, place: TillPlace, *, request_id: RequestId, amount_fen: Fen, auth_code: str | None
    ) -> Charge:
        """Charge: with a scanned code from the buyer's wallet, without one by a code for the buyer to scan.

        The same request again shows the same charge and calls nobody. NotAnAmount, NotAPaymentCode, CodeNotAccepted,
        NoChannelAccount, RequestConflict, RequestForbidden, TillHeld: nothing was charged. A charge the channel
        refused is an answer, not an error.
        """
        if amount_fen <= 0:
            raise NotAnAmount
        fingerprint = self._cashier.fingerprint(amount_fen, auth_code)
        before = await store.by_request(self._db, place.till_id, request_id)
        if before is not None:
            return await self._repeated(before, fingerprint)
        bill_id = self._ids.new("I")
        draft = self._cashier.draft(
            till_id=place.till_id,
            request_id=request_id,
            part=_part(place, bill_id, amount_fen),
            description=f"{place.shop_name} 收款",
            auth_code=auth_code,
        )
        bill = self._bill(place, bill_id, draft, request_id, fingerprint)

        async def work(tx: Transaction) -> None:
            await self._take_till(tx, bill)
            await store.add(tx, bill)
            await self._cashier.insert(tx, draft)

        try:
            await self._db.transact(work)
        except (DuplicateKey, TillHeld) as refused:
            faster = await store.by_request(self._db, place.till_id, request_id)
            if faster is not None:
                return await self._repeated(faster, fingerprint)
            if await self._cashier.forbidden(place.till_id, request_id):
                raise RequestForbidden from None
            if isinstance(refused, TillHeld):
                raise
            # The first charge a till ever had ran beside this one and was faster: judge again.
            return await self.charge(place, request_id=request_id, amount_fen=amount_fen, auth_code=auth_code)
        await self._cashier.go(draft, auth_code)
        return await self._shown(bill)

    async def _take_till(self, tx: Transaction, bill: Bill) -> None:
        """One charge at a till at a time, whichever devices and tabs press. TillHeld."""
        before = await store.hold(tx, bill.till_id)
        if before is not None and await self._cashier.may_still_be_paid(tx, before.payment_id):
            held = await store.by_id(tx, before.bill_id)
            assert held is not None, "a till is held by a bill that is stored with the hold"
            if held.aside_at is None:
                raise TillHeld(charge_id=held.id, amount_fen=held.amount_fen)
        row = TillHold(id=bill.till_id, bill_id=bill.id, payment_id=bill.payment_id)
        await store.take_till(tx, row, after=before)

    def _bill(self, place: TillPlace, bill_id: str, draft: Draft, request_id: RequestId, fingerprint: str) -> Bill:
        return Bill(
            id=bill_id,
            merchant_id=place.merchant_id,
            shop_id=place.shop_id,
            branch_id=place.branch_id,
            till_id=place.till_id,
            cashier_id=place.cashier_id,
            request_id=request_id,
            fingerprint=fingerprint,
            amount_fen=draft.payment.amount_fen,
            payment_id=draft.payment.id,
            state=BillState.OPEN,
            created_at=self._clock.now(),
        )

    async def _repeated(self, bill: Bill, fingerprint: str) -> Charge:
        if bill.fingerprint != fingerprint:
            raise RequestConflict
        return await self._shown(bill)

    async def get(self, till_id: str, bill_id: str) -> Charge:
        """As it stands here."""
        return await self._shown(await self._bill_at(till_id, bill_id))

    async def query(self, till_id: str, bill_id: str, *, by: str) -> Charge:
        """Ask the channel, then show."""
        bill = await self._bill_at(till_id, bill_id)
        await self._cashier.query(bill.payment_id, by=by)
        return await self._shown(bill)

    async def asked(self, till_id: str, request_id: RequestId) -> Asked:
        """What became of a request to charge, for a till that never had its answer. Nothing begins by asking."""
        bill = await store.by_request(self._db, till_id, request_id)
        if bill is not None:
            return Asked(standing="charged", charge=await self._shown(bill))
        void = await self._cashier.forbidden(till_id, request_id)
        return Asked(standing="void" if void else "absent")

    async def call_off(self, till_id: str, request_id: RequestId, *, by: str, manages: bool = False) -> Asked:
        """Reverse a charge by its request; one that has not come here is refused when it does, for ever."""
        if await self._cashier.forbid(till_id, request_id, by=by):
            log.info("charge called off before it came", till_id=till_id, by=by)
            return Asked(standing="void")
        bill = await store.by_request(self._db, till_id, request_id)
        assert bill is not None, "a request is stored with its bill"
        return Asked(standing="charged", charge=await self.reverse(till_id, bill.id, by=by, manages=manages))

    async def reverse(self, till_id: str, bill_id: str, *, by: str, manages: bool = False) -> Charge:
        """Void a charge. `unknown` until the channel has confirmed it. One that turns out to be paid is given back
        whole, whenever it does: whoever presses this wants the buyer not to have paid.

        One that was paid before the press is a sale: it goes back whole too, but not at everybody's hands
        (NotYoursToGiveBack; `manages`: this person runs the shop) and not on another day (TooLateToReverse).
        """
        bill, payment = await self._void(await self._bill_at(till_id, bill_id), by=by)
        if payment.paid_at is not None and bill.state is not BillState.RETURNED:
            now = self._clock.now()
            if not rules.of_today(payment.paid_at, now):
                raise TooLateToReverse
            if not rules.may_give_back(bill, by=by, manages=manages, now=now):
                raise NotYoursToGiveBack(minutes=rules.ALONE_MS // MINUTE)
            await self._give_back(bill, payment, by=by)
        return await self._shown(bill)

    async def _void(self, bill: Bill, *, by: str) -> tuple[Bill, Payment]:
        """Let an unpaid bill not be paid: the wish is noted first, so that a success that comes by any other way and
        at any later time finds it. Nothing is noted on a sale.
        """
        if (await self._payment_of(bill)).state is not PaymentState.PAID:
            noted = await store.unwant(self._db, bill.id, by, self._clock.now())
            bill = noted or await self._bill_at(bill.till_id, bill.id)
        await self._cashier.reverse(bill.payment_id, by=by)
        payment = await self._payment_of(bill)
        if payment.paid_at is not None and bill.unwanted_at is not None and bill.state is BillState.OPEN:
            await self._give_back(bill, payment, by=by)
            bill = await self._bill_at(bill.till_id, bill.id)
        return bill, payment

    async def _give_back(self, bill: Bill, payment: Payment, *, by: str) -> None:
        log.info("paid charge reversed", bill_id=bill.id, by=by)
        await self._db.transact(lambda tx: self._return(tx, bill, payment, CALLED_OFF))
        await self._tell(bill)

    async def close(self, till_id: str, bill_id: str, *, by: str) -> Charge:
        """Take a code away that nobody has paid; it may turn out to be paid. A scanned payment code is reversed."""
        bill = await self._bill_at(till_id, bill_id)
        if (await self._payment_of(bill)).method == "barcode":
            await self._void(bill, by=by)
        else:
            await self._cashier.close(bill.payment_id, by=by)
        return await self._shown(bill)

    async def set_aside(self, till_id: str, bill_id: str, *, by: str, manages: bool = False) -> Charge:
        """Let the till go on although the channel has not answered for a reversed charge. Nothing is decided about its
        money: the question goes on, and what was taken goes back. NotYoursToSetAside, TooEarlyToSetAside.
        """
        bill = await self._bill_at(till_id, bill_id)
        charge = await self._shown(bill)
        if charge.state in {"waiting", "paying", "unknown"} and not charge.aside:
            if not manages:
                raise NotYoursToSetAside
            now = self._clock.now()
            if charge.aside_from is None or now < charge.aside_from:
                raise TooEarlyToSetAside(seconds=rules.ASIDE_MS // SECOND)
            if await store.set_aside(self._db, bill.id, by, now) is not None:
                log.warning("charge without an outcome set aside", bill_id=bill.id, by=by)
                await self._tell(bill)
        return await self._shown(bill)

    async def takings(self, till_id: str, day: str | None, *, by: str = "", manages: bool = False) -> Takings:
        """What a till took on a business day (default today), and what holds it now, as `by` may act on it."""
        wanted = day if day is not None else business_day(self._clock.now())
        try:
            business_day_bounds(wanted)
        except ValueError:
            raise BadDay from None
        sums = await store.sums(self._db, till_id, wanted)
        newest = await store.newest_paid(self._db, till_id, wanted, LAST_SHOWN)
        standing = await self._cashier.standing([bill.payment_id for bill in newest])
        now = self._clock.now()

        def shown(bill: Bill) -> Charge:
            charge = rules.charge_of(bill, *standing[bill.payment_id], now)
            today = charge.state == "paid" and rules.of_today(charge.paid_at or 0, now)
            may = today and rules.may_give_back(bill, by=by, manages=manages, now=now)
            return structs.replace(charge, returnable=may)

        unsettled = await self._unsettled(till_id)
        return Takings(
            total_fen=sum(total_fen for _, total_fen, _ in sums),
            count=sum(count for _, _, count in sums),
            by_channel=tuple(ChannelTakings(channel=name, total_fen=fen, count=count) for name, fen, count in sums),
            last=tuple(shown(bill) for bill in newest),
            open=tuple(one for one in unsettled if not one.aside),
            aside=tuple(one for one in unsettled if one.aside),
        )

    async def _unsettled(self, till_id: str) -> tuple[Charge, ...]:
        """Charges of a till that may still be paid, whoever began them and on whatever device."""
        unfinished = await self._cashier.unfinished(till_id, OPEN_SHOWN)
        bill_ids = [bill_id for one in unfinished if (bill_id := rules.bill_of(one.parts[0].subject)) is not None]
        bills = await store.by_ids(self._db, till_id, bill_ids)
        standing = await self._cashier.standing([bill.payment_id for bill in bills])
        now = self._clock.now()
        shown = [rules.charge_of(bill, *standing[bill.payment_id], now) for bill in bills]
        # Those that ended between the two readings hold nothing any more.
        return tuple(
            sorted(
                (one for one in shown if one.state in {"waiting", "paying", "unknown"}), key=lambda one: one.created_at
            )
        )

    async def _payment_of(self, bill: Bill) -> Payment:
        payment, _ = (await self._cashier.standing([bill.payment_id]))[bill.payment_id]
        return payment

    async def _bill_at(self, till_id: str, bill_id: str) -> Bill:
        bill = await store.at_till(self._db, till_id, bill_id)
        if bill is None:
            raise NotFound
        return bill

    async def _shown(self, bill: Bill) -> Charge:
        standing = await self._cashier.standing([bill.payment_id])
        current = await store.by_id(self._db, bill.id)
        return rules.charge_of(current or bill, *standing[bill.payment_id], self._clock.now())

    # --- events -------------------------------------------------------------------------------------------------------

    async def on_payment_succeeded(self, tx: Transaction, event: PaymentSucceeded) -> None:
        """Effect. A bill is paid; or, if its till had said "not paid" or its cashier had asked for it not to be paid
        before the money came, the money goes back.
        """
        for part in event.parts:
            bill_id = rules.bill_of(part.subject)
            if bill_id is None:
                continue
            bill = await store.by_id(tx, bill_id)
            assert bill is not None, "a bill is stored with its payment"
            late = await self._cashier.came_late(event.payment_id)
            if late or bill.unwanted_at is not None:
                payment = await self._payment_of(bill)
                await self._return(tx, bill, payment, CAME_LATE if late else CALLED_OFF)
                continue
            paid = await store.move(
                tx,
                bill.id,
                BillState.PAID,
                channel=event.channel,
                paid_at=event.paid_at,
                paid_day=business_day(event.paid_at),
            )
            if paid is not None:
                await self._outbox.write(
                    tx,
                    BillPaid(
                        bill_id=bill.id,
                        payment_id=event.payment_id,
                        scope=part.scope,
                        channel=event.channel,
                        amount_fen=part.amount_fen,
                        paid_at=event.paid_at,
                    ),
                )

    async def _return(self, tx: Transaction, bill: Bill, payment: Payment, reason: str) -> None:
        moved = await store.move(tx, bill.id, BillState.RETURNED, channel=payment.channel, paid_at=payment.paid_at)
        if moved is None:
            return
        await self._outbox.write(
            tx,
            RefundDue(
                refund_key=f"returned:{bill.id}",
                payment_id=payment.id,
                attempt_id=payment.paid_attempt_id,
                subject=bill.subject,
                amount_fen=bill.amount_fen,
                reason=reason,
            ),
        )

    async def _tell(self, bill: Bill) -> None:
        news = {"charge_id": bill.id, "payment_id": bill.payment_id}
        await notify(self._bus, Notice(topic="till", id=bill.till_id, rev=self._clock.now(), d=news))

    async def on_bill_paid(self, event: BillPaid) -> None:
        """Hint. The takings have changed: tell the till."""
        if event.scope.till_id is None:
            return
        news = {"charge_id": event.bill_id, "payment_id": event.payment_id, "paid": True}
        await notify(self._bus, Notice(topic="till", id=event.scope.till_id, rev=self._clock.now(), d=news))


def _part(place: TillPlace, bill_id: str, amount_fen: Fen) -> PaymentPart:
    return PaymentPart(
        subject=f"{rules.PREFIX}{bill_id}",
        amount_fen=amount_fen,
        scope=Scope(
            merchant_id=place.merchant_id,
            shop_id=place.shop_id,
            branch_id=place.branch_id,
            till_id=place.till_id,
        ),
    )
