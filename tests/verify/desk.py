"""A shop with clerks, paid orders, and two nodes that share nothing but the database: the stage of write-off tests."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable

import msgspec
import pytest
from msgspec import structs

from octshop_rt.core.auth.model import Buyer, Right, ShopStaff
from octshop_rt.core.bus import LocalBus, Notice, notices
from octshop_rt.core.clock import DAY, TestClock
from octshop_rt.core.crypto import Secrets
from octshop_rt.core.errors import Busy, DomainError, UnknownOutcome
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import ROWS, Outbox
from octshop_rt.events import OrderPaid, PaidLine, Scope, VoucherExpired
from octshop_rt.verify import store, token
from octshop_rt.verify.checks import CHECKS
from octshop_rt.verify.codes import Codes
from octshop_rt.verify.issue import Issuer
from octshop_rt.verify.lookup import Lookup
from octshop_rt.verify.model import Redemption, Voucher
from octshop_rt.verify.scan import Scanner
from octshop_rt.verify.service import Redeemer, Wish

SHOP, OTHER_SHOP = "S" + "1" * 26, "S" + "2" * 26
BRANCH, OTHER_BRANCH = "B" + "1" * 26, "B" + "2" * 26
BUYER = Buyer(session_id="N1", person_id="U" + "7" * 26, device_id="d")
CLERK = ShopStaff(
    session_id="N2", person_id="U" + "8" * 26, name="王小明", merchant_id="M1", shop_id=SHOP, branch_id=BRANCH,
    branch_ids=frozenset({BRANCH}), rights=frozenset({Right.REDEEM}),
)  # fmt: skip
OTHER_CLERK = structs.replace(CLERK, session_id="N3", person_id="U" + "9" * 26, name="李雷")
STRANGER = structs.replace(CLERK, session_id="N4", person_id="U" + "6" * 26, shop_id=OTHER_SHOP, merchant_id="M2")


async def knows_branch(shop_id: str, branch_id: str) -> bool:
    """The town has one shop with two branches."""
    return shop_id == SHOP and branch_id in {BRANCH, OTHER_BRANCH}


class Node:
    """One node of the verify wing. Two of them share nothing but the database."""

    def __init__(self, db: Database, clock: TestClock, bus: LocalBus) -> None:
        ids = Ids(clock)
        keys = token.Keys.derive(Secrets(b"s" * 32))
        outbox = Outbox(clock, ids)
        lookup = Lookup(db, clock=clock, ids=ids, keys=keys)
        self.issuer = Issuer(clock=clock, ids=ids, outbox=outbox)
        self.codes = Codes(db, clock=clock, keys=keys)
        self.scanner = Scanner(db, clock=clock, ids=ids, lookup=lookup)
        self.redeemer = Redeemer(
            db, clock=clock, ids=ids, outbox=outbox, bus=bus, lookup=lookup, knows_branch=knows_branch
        )


class House:
    """What a test does, in few words."""

    def __init__(self, db: Database, clock: TestClock) -> None:
        self.db, self.clock = db, clock
        self.bus = LocalBus()
        self.notices: list[Notice] = []
        self.bus.subscribe("notice", lambda _channel, payload: self.notices.append(notices.from_msgpack(payload)))
        self.node, self.other_node = Node(db, clock, self.bus), Node(db, clock, self.bus)
        self._numbers = itertools.count(1)

    def request_id(self) -> str:
        return f"request-{next(self._numbers):012d}"

    async def sell(self, *, shop_id: str = SHOP, buyer_id: str = BUYER.person_id, **line: object) -> Voucher:
        """One paid order, its first voucher."""
        number = next(self._numbers)
        event = self._paid(f"O{number:026d}", structs.replace(self._line(number), **line), shop_id)
        event = structs.replace(event, buyer_id=buyer_id)
        await self.db.transact(lambda tx: self.node.issuer.on_order_paid(tx, event))
        return (await store.of_order(self.db, event.order_id))[0]

    def _paid(self, order_id: str, line: PaidLine, shop_id: str) -> OrderPaid:
        return OrderPaid(
            order_id=order_id,
            buyer_id=BUYER.person_id,
            buyer_masked="138****0001",
            scope=Scope(merchant_id="M1", shop_id=shop_id),
            shop_name="山城理发",
            fulfilment="in_store",
            lines=(line,),
            payment_id="Y1",
            paid_at=self.clock.now(),
        )

    def _line(self, number: int) -> PaidLine:
        return PaidLine(
            line_id=f"L{number:026d}", sku_id="K1", title="洗剪吹", spec="长发", quantity=1, uses_each=1,
            paid_fen=9_000, valid_from=self.clock.now(), valid_until=self.clock.now() + 30 * DAY,
        )  # fmt: skip

    async def shown(self, voucher: Voucher) -> str:
        return (await self.node.codes.code(BUYER, voucher.id)).digits

    async def redeem(
        self, text: str, *, by: ShopStaff = CLERK, node: Node | None = None, request_id: str = "", **wish: object
    ) -> Redemption:
        """As a client does: an answer that says "retry" is asked again with the same request id."""
        whole: dict[str, object] = {"uses": 1, "text": text, "request_id": request_id or self.request_id()} | wish
        asked = Wish(**whole)  # pyright: ignore[reportArgumentType]
        for _ in range(5):
            try:
                return await (node or self.node).redeemer.redeem(by, asked)
            except (Busy, UnknownOutcome):
                continue
        raise Busy

    async def fresh(self, voucher: Voucher) -> Voucher:
        found = await store.by_id(self.db, voucher.id)
        assert found is not None
        return found

    async def events(self, kind: str) -> list[dict[str, object]]:
        return [row.body for row in await ROWS.many(self.db, {}) if row.type == kind]

    def paid(self, voucher: Voucher) -> OrderPaid:
        """The event that made `voucher`, once more."""
        line = structs.replace(self._line(0), line_id=voucher.line_id, quantity=2, uses_each=voucher.uses_total)
        return self._paid(voucher.order_id, line, voucher.shop_id)

    def expired(self, body: dict[str, object]) -> VoucherExpired:
        return msgspec.convert(body, VoucherExpired)

    async def findings(self) -> list[str]:
        return [f"{one.check} {one.object_id}: {one.found}" for one in (await examine(self.db, CHECKS)).findings]


async def refused(answer: Awaitable[object]) -> DomainError:
    """The refusal that `answer` must end in."""
    with pytest.raises(DomainError) as caught:
        await answer
    return caught.value
