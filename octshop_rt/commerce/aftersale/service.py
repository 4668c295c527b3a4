"""Use cases of after-sale for people: what could be asked back, ask, withdraw, agree, refuse, press on, look."""

from __future__ import annotations

from collections.abc import Sequence

from octshop_rt.commerce.aftersale import rules, store, views
from octshop_rt.commerce.aftersale.course import Course
from octshop_rt.commerce.aftersale.model import (
    AlreadyOpen,
    AmountChanged,
    Case,
    CaseState,
    Decided,
    NothingToRefund,
    Piece,
    ReasonNeeded,
    RefundOffer,
    TooLate,
    WantedBack,
    Wish,
)
from octshop_rt.commerce.aftersale.vouchers import Vouchers
from octshop_rt.commerce.order import aftersale as order_axis
from octshop_rt.commerce.order.model import AftersaleState
from octshop_rt.commerce.order.service import OrderService
from octshop_rt.commerce.shop.service import ShopService
from octshop_rt.core.auth.model import Buyer, ShopStaff
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import DomainError, NotFound, RequestConflict
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import AftersaleSilent

PAGE = 20


class AftersaleService:
    """Cases of buyers and of shops. Who may agree, the doors say."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        ids: Ids,
        outbox: Outbox,
        orders: OrderService,
        shops: ShopService,
        vouchers: Vouchers,
        course: Course,
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._outbox = outbox
        self._orders = orders
        self._shops = shops
        self._vouchers = vouchers
        self._course = course

    async def offer(self, buyer: Buyer, order_id: str, wanted: Sequence[WantedBack]) -> RefundOffer:
        """What could be asked back now, and what `wanted` (nothing: all of it) would give. Refuses as `ask` does, but
        an order of which nothing can be asked back has an empty offer.
        """
        order = await self._orders.of(buyer, order_id)
        open_case = await store.open_of_order(self._db, order.id)
        unused = await self._vouchers.unused(self._db, order.id)
        try:
            takes = rules.takes(order, unused, wanted)
        except NothingToRefund:
            if wanted:
                raise
            takes = []
        pieces = [rules.piece(one, await self._vouchers.worth_fen(self._db, one.voucher_id, one.uses)) for one in takes]
        return RefundOffer(
            lines=rules.offers(order, unused, pieces),
            amount_fen=sum(one.amount_fen for one in pieces),
            case_id=open_case.id if open_case else None,
        )

    async def ask(self, buyer: Buyer, wish: Wish) -> Case:
        """Open a case and set its uses aside, in one transaction: from then on they cannot be written off.

        The same request again gives the same case; another one under the same id is RequestConflict. AlreadyOpen,
        NothingToRefund, NotRefundable, TooManyUses, AmountChanged refuse.
        """
        if (before := await self._before(buyer, wish)) is not None:
            return before
        order = await self._orders.of(buyer, wish.order_id)
        policy = await self._shops.policy(order.shop_id)
        case_id, now = self._ids.new("D"), self._clock.now()

        async def work(tx: Transaction) -> Case:
            fresh = await order_axis.order_of(tx, order.id)
            if fresh.aftersale_state is AftersaleState.OPEN:
                raise AlreadyOpen
            taken = rules.takes(fresh, await self._vouchers.unused(tx, fresh.id), wish.wanted)
            pieces = await self._set_aside(tx, taken, wish)
            until = rules.decide_until(taken, policy, now)
            case = rules.opened(fresh, pieces, policy, wish, case_id=case_id, at=now, until=until)
            await store.add(tx, case)
            await order_axis.open_case(tx, fresh, case_id=case.id, at=now, by=buyer.person_id)
            await self._outbox.write(tx, AftersaleSilent(aftersale_id=case.id), due_at=case.decide_until)
            await self._course.tell(tx, case)
            return case

        try:
            return await self._db.transact(work)
        except (DuplicateKey, DomainError):
            # The same request may have been faster, and is what stands in this one's way: its answer is the answer.
            if (made := await self._before(buyer, wish)) is not None:
                return made
            raise

    async def withdraw(self, buyer: Buyer, case_id: str) -> Case:
        """The buyer wants to use what he has after all. Again is the same act; Decided once the shop has answered,
        TooLate once its silence has.
        """

        async def work(tx: Transaction) -> Case:
            case = _there(await store.of_buyer(tx, buyer.person_id, case_id))
            if case.state is CaseState.WITHDRAWN:
                return case
            if case.state is not CaseState.ASKED:
                raise Decided(**views.label_data(case))
            self._in_time(case)
            return await self._course.ended(tx, case, CaseState.WITHDRAWN, by=buyer.person_id)

        return await self._db.transact(work)

    async def agree(self, staff: ShopStaff, case_id: str) -> Case:
        """The money goes back. Again is the same act; Decided if the case was refused or withdrawn."""

        async def work(tx: Transaction) -> Case:
            case = _there(await store.at_shop(tx, staff.shop_id, case_id))
            if case.state in {CaseState.REFUSED, CaseState.WITHDRAWN}:
                raise Decided(**views.label_data(case))
            if case.state is not CaseState.ASKED:
                return case
            return await self._course.agreed(tx, case, by=staff.person_id)

        return await self._db.transact(work)

    async def refuse(self, staff: ShopStaff, case_id: str, reason: str) -> Case:
        """No money, with the reason the buyer will read (ReasonNeeded without); the uses are there again. The same
        refusal again is the same act; Decided if the case went another way, TooLate once silence has agreed.
        """
        words = reason.strip()
        if not words:
            raise ReasonNeeded

        async def work(tx: Transaction) -> Case:
            case = _there(await store.at_shop(tx, staff.shop_id, case_id))
            if case.state is CaseState.REFUSED and case.refusal == words:
                return case
            if case.state is not CaseState.ASKED:
                raise Decided(**views.label_data(case))
            self._in_time(case)
            return await self._course.ended(tx, case, CaseState.REFUSED, by=staff.person_id, reason=words)

        return await self._db.transact(work)

    async def press_on(self, staff: ShopStaff, case_id: str) -> Case:
        """Ask the channel about a refund that was held up once more, under the same number. Again is the same act;
        Decided if there is nothing to ask about.
        """

        async def work(tx: Transaction) -> Case:
            case = _there(await store.at_shop(tx, staff.shop_id, case_id))
            if case.state is CaseState.REFUNDING:
                return case
            if case.state is not CaseState.FAILED:
                raise Decided(**views.label_data(case))
            return await self._course.pressed(tx, case, by=staff.person_id)

        return await self._db.transact(work)

    async def of(self, buyer: Buyer, case_id: str) -> Case:
        """A case of this buyer; NotFound otherwise."""
        return _there(await store.of_buyer(self._db, buyer.person_id, case_id))

    async def opened_by(self, buyer_id: str, case_id: str) -> Case | None:
        """A case of this buyer, for those who ask on somebody's behalf and judge the rest themselves."""
        return await store.of_buyer(self._db, buyer_id, case_id)

    async def at(self, staff: ShopStaff, case_id: str) -> Case:
        """A case of this shop; NotFound otherwise."""
        return _there(await store.at_shop(self._db, staff.shop_id, case_id))

    async def of_buyer(
        self, buyer: Buyer, *, order_id: str | None, cursor: str | None
    ) -> tuple[list[Case], str | None]:
        """A page of a buyer's cases, newest first, and the next cursor."""
        return _page(await store.page_of_buyer(self._db, buyer.person_id, order_id, cursor, PAGE + 1))

    async def of_shop(
        self, staff: ShopStaff, *, states: Sequence[CaseState], buyer_id: str | None, cursor: str | None
    ) -> tuple[list[Case], str | None]:
        """A page of the shop's cases, newest first."""
        rows = await store.page_of_shop(
            self._db, staff.shop_id, states=states, buyer_id=buyer_id, before=cursor, limit=PAGE + 1
        )
        return _page(rows)

    async def waiting_at(self, staff: ShopStaff) -> int:
        """How many cases wait for the shop."""
        return await store.count_at_shop(self._db, staff.shop_id, [CaseState.ASKED, CaseState.FAILED])

    def _in_time(self, case: Case) -> None:
        if rules.too_late(case, self._clock.now()):
            raise TooLate(decide_until=case.decide_until)

    async def _set_aside(self, tx: Transaction, taken: Sequence[rules.Take], wish: Wish) -> tuple[Piece, ...]:
        """Freeze what is wanted. What is unused was read in the same transaction, so a write-off at the same moment
        makes one of the two begin again and see the other.
        """
        pieces: list[Piece] = []
        for one in taken:
            amount_fen = await self._vouchers.freeze(tx, one.voucher_id, one.uses)
            pieces.append(rules.piece(one, amount_fen))
        amount_fen = sum(one.amount_fen for one in pieces)
        if not amount_fen:
            raise NothingToRefund
        if amount_fen != wish.expected_fen:
            raise AmountChanged(amount_fen=amount_fen, expected_fen=wish.expected_fen)
        return tuple(pieces)

    async def _before(self, buyer: Buyer, wish: Wish) -> Case | None:
        case = await store.by_request(self._db, buyer.person_id, wish.request_id)
        if case is not None and case.fingerprint != rules.fingerprint(wish):
            raise RequestConflict
        return case


def _there(case: Case | None) -> Case:
    if case is None:
        raise NotFound
    return case


def _page(rows: list[Case]) -> tuple[list[Case], str | None]:
    return rows[:PAGE], rows[PAGE - 1].id if len(rows) > PAGE else None
