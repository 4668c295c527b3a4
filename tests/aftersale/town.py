"""The whole product on a test clock with the simulator behind it: orders are bought, paid, used, and asked back."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from msgspec import structs

from octshop_rt import app as product
from octshop_rt.app import App
from octshop_rt.app.between import BranchesOfShops
from octshop_rt.commerce.aftersale.model import Case, Reason, WantedBack, Wish
from octshop_rt.commerce.catalog.model import Fulfilment, Listing, Picture, Product, Sku, VoucherTerms
from octshop_rt.commerce.inventory.model import Stock
from octshop_rt.commerce.marketing.model import CampaignText, Terms
from octshop_rt.commerce.order.model import Order, WantedLine
from octshop_rt.commerce.payment.model import Wish as PayWish
from octshop_rt.commerce.shop.geo import point, to_gcj
from octshop_rt.commerce.shop.model import Certification, Merchant, Shop, ShopPicture
from octshop_rt.core.auth.model import Buyer, Right, ShopStaff
from octshop_rt.core.clock import DAY, TestClock
from octshop_rt.core.errors import Busy, DomainError, UnknownOutcome
from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import ROWS
from octshop_rt.core.settings import MongoSettings, PushSettings, SandboxSettings, Settings
from octshop_rt.sandbox.model import Switches
from octshop_rt.sandbox.server import Sandbox
from octshop_rt.verify import store as voucher_store
from octshop_rt.verify import token
from octshop_rt.verify.lookup import Lookup
from octshop_rt.verify.model import Redemption, Voucher
from octshop_rt.verify.service import Redeemer
from octshop_rt.verify.service import Wish as UseWish

T = TypeVar("T")
SHOP, MERCHANT = "S1", "M1"
# Checks that ask the wall clock, which a test clock leaves behind.
WALL = {"F13", "F31", "F60"}
MANAGER = ShopStaff(
    session_id="N1", person_id="U" + "8" * 26, name="店长", merchant_id=MERCHANT, shop_id=SHOP, branch_id=None,
    rights=frozenset({Right.MANAGE, Right.ORDERS, Right.REDEEM}),
)  # fmt: skip
STRANGER = structs.replace(MANAGER, person_id="U" + "9" * 26, shop_id="S2", merchant_id="M2")


class Town:
    """One node. What a test does, in few words."""

    def __init__(self, app: App, sandbox: Sandbox, clock: TestClock) -> None:
        self.app, self.sandbox, self.clock = app, sandbox, clock
        self.db = app.foundation.db
        self.cases = app.commerce.cases
        self.serial = 0
        on = app.foundation
        keys = token.Keys.derive(on.secrets)
        self.redeemer = Redeemer(
            on.db,
            clock=on.clock,
            ids=on.ids,
            outbox=on.outbox,
            bus=on.bus,
            lookup=Lookup(on.db, clock=on.clock, ids=on.ids, keys=keys),
            knows_branch=BranchesOfShops(app.commerce.shops).known,
        )
        self.buyer = self.somebody()

    def somebody(self) -> Buyer:
        return Buyer(session_id="N", person_id=self.app.foundation.ids.new("U"), device_id="test")

    def request_id(self) -> str:
        self.serial += 1
        return f"request-{self.serial:012d}"

    async def furnish(self) -> None:
        shops, place, now = self.app.commerce.shops, point(120.155, 30.274), self.clock.now()
        merchant = Merchant(id=MERCHANT, name="八爪鱼生活", self_run=False, created_at=now)
        shop = Shop(
            id=SHOP, merchant_id=MERCHANT, name="豆芽咖啡", city="杭州", certification=Certification.CERTIFIED,
            self_run=False, open=True, address="武林路 1 号", point=place, gcj=to_gcj(place), hours="9-21",
            phone="0571-1", notice="", score_tenths=48, picture=ShopPicture(seed="a", hue=1), created_at=now,
        )  # fmt: skip
        await shops.add(merchant, shop, [], [])
        row = await self.app.commerce.gate.members.add(phone="13800000001", nickname="小林")
        self.buyer = structs.replace(self.buyer, person_id=row.id)

    async def goods(
        self, *, price_fen: int = 1990, uses_each: int = 1, refundable: bool = True, title: str = "拿铁"
    ) -> Sku:
        ids = self.app.foundation.ids
        product_id, sku_id = ids.new("G"), ids.new("K")
        sku = Sku(id=sku_id, product_id=product_id, shop_id=SHOP, spec={}, price_fen=price_fen)
        made = Product(
            id=product_id, shop_id=SHOP, merchant_id=MERCHANT, title=title, subtitle="", description="", tags=(),
            picture=Picture(seed="a", hue=30), specs=(), fulfilments=(Fulfilment.IN_STORE,),
            voucher=VoucherTerms(uses_each=uses_each), refundable=refundable, price_fen=price_fen,
            listing=Listing.LISTED, created_at=self.clock.now(),
        )  # fmt: skip
        await self.app.commerce.catalog.publish(made, [sku])
        await self.app.commerce.inventory.add(
            Stock(id=sku_id, product_id=product_id, shop_id=SHOP, total=10_000, available=10_000)
        )
        return sku

    async def coupon(self, value_fen: int) -> str:
        """In the buyer's hand."""
        marketing, now = self.app.commerce.marketing, self.clock.now()
        text = CampaignText(
            title="立减", words="", terms=Terms(value_fen=value_fen), total=10, per_buyer=1, claim_from=now,
            claim_until=now + 30 * DAY, valid_days=7,
        )  # fmt: skip
        campaign = await marketing.add(MANAGER, self.request_id(), text)
        return (await marketing.claim(self.buyer, campaign.id, self.request_id())).id

    async def bought(
        self, *wanted: tuple[Sku, int], buyer: Buyer | None = None, coupon: str = "", off_fen: int = 0
    ) -> Order:
        """Ordered, paid on the simulated phone, its vouchers issued."""
        who = buyer or self.buyer
        due_fen = sum(sku.price_fen * count for sku, count in wanted) - off_fen
        made = await self.app.commerce.orders.checkout(
            who,
            request_id=self.request_id(),
            lines=[WantedLine(sku_id=sku.id, quantity=count) for sku, count in wanted],
            fulfilment=Fulfilment.IN_STORE,
            memo="",
            expected_payable_fen=due_fen,
            coupon_ids=[coupon] if coupon else [],
        )
        (order,) = made.orders
        if due_fen:
            await self.pay(order, who)
        await self.settle(3)
        return await self.order(order)

    async def pay(self, order: Order, who: Buyer) -> None:
        payable = await self.app.commerce.orders.payable(who, [order.id])
        payments = self.app.commerce.money.payments
        opened = await payments.open(
            PayWish(
                opener=f"buyer:{who.person_id}",
                request_id=self.request_id(),
                buyer_id=who.person_id,
                parts=payable.parts,
                description="x",
                expires_at=payable.until,
            )
        )
        trade = self.sandbox.bank.scanned(opened.code_url or "")
        assert trade is not None
        self.sandbox.bank.decide(trade, "pay")
        self.clock.advance(2_000)
        await payments.refresh(opened.payment_id)

    async def settle(self, rounds: int = 12) -> None:
        """Let a little time pass: what is due happens, the channel finishes what it was asked."""
        for _ in range(rounds):
            await self.app.dispatcher.drain()
            self.clock.advance(3_000)
            self.sandbox.bank.age_refunds()
        await self.app.dispatcher.drain()

    def wish(self, order: Order, expected_fen: int, **lines: int) -> Wish:
        return Wish(
            request_id=self.request_id(),
            order_id=order.id,
            wanted=tuple(WantedBack(line_id=line_id, uses=uses) for line_id, uses in lines.items()),
            reason=Reason.NO_TIME,
            words="",
            expected_fen=expected_fen,
        )

    async def ask(self, order: Order, **lines: int) -> Case:
        """As the page does: what is offered is asked for."""
        who = structs.replace(self.buyer, person_id=order.buyer_id)
        wanted = tuple(WantedBack(line_id=line_id, uses=uses) for line_id, uses in lines.items())
        offer = await self.cases.offer(who, order.id, wanted)
        wish = self.wish(order, offer.amount_fen, **lines)
        return await insist(lambda: self.cases.ask(who, wish))

    async def use(self, order: Order, line: int = 0, uses: int = 1) -> Redemption:
        """A clerk types the code; each time another one, so that no use looks like a double scan."""
        mine = [one for one in await self.vouchers(order) if one.line_id == order.lines[line].id]
        voucher = max(mine, key=lambda one: (one.uses_left, one.uses_frozen))
        clerk = structs.replace(MANAGER, person_id=self.app.foundation.ids.new("U"))
        wish = UseWish(request_id=self.request_id(), uses=uses, text=voucher.typed_code)
        return await insist(lambda: self.redeemer.redeem(clerk, wish))

    async def vouchers(self, order: Order) -> list[Voucher]:
        return await voucher_store.of_order(self.db, order.id)

    async def order(self, order: Order) -> Order:
        found = await self.app.commerce.orders.bought(order.buyer_id, order.id)
        assert found is not None
        return found

    async def case(self, case: Case) -> Case:
        return await self.cases.at(MANAGER, case.id)

    def switch(self, **switches: Any) -> None:
        self.sandbox.bank.switch(Switches(**switches))

    def given_back_fen(self) -> int:
        """What the channel has really given back."""
        return sum(one.refund_fen for one in self.sandbox.bank.refunds.values() if one.state == "SUCCESS")

    async def events(self, kind: str) -> list[dict[str, Any]]:
        return [row.body for row in await ROWS.many(self.db, {}) if row.type == kind]

    async def sound(self) -> None:
        """fsck of the whole product is clean."""
        report = await examine(self.db, [check for check in product.CHECKS if check.id not in WALL])
        found = [f"{one.check} {one.object_id}: expected {one.expected}, found {one.found}" for one in report.findings]
        assert not found, "\n".join(found)


async def insist(work: Callable[[], Awaitable[T]]) -> T:
    """As a client does: busy and unknown are answered by the same request again."""
    for _ in range(40):
        try:
            return await work()
        except (Busy, UnknownOutcome):
            continue
    raise Busy


async def outcome(work: Callable[[], Awaitable[T]]) -> T | DomainError:
    """The answer or the refusal."""
    try:
        return await insist(work)
    except DomainError as refusal:
        return refusal


async def refused(work: Awaitable[object]) -> DomainError:
    """The refusal that `work` must end in."""
    with pytest.raises(DomainError) as caught:
        await work
    return caught.value


@asynccontextmanager
async def living(db: Database, clock: TestClock, keys: Path, folder: Path) -> AsyncGenerator[Town]:
    """Built, furnished, driven by hand: no dispatcher runs by itself."""
    shutil.copytree(keys, folder / "sandbox" / "keys")
    sandbox = Sandbox(folder / "sandbox", clock, production=False)
    merchant = sandbox.merchant("1900000109", "wx1900000109", "豆芽咖啡")
    gateway = await sandbox.start("127.0.0.1", 0, deliver=False)
    settings = Settings(
        mode="test",
        data_dir=str(folder),
        mongo=MongoSettings(),
        wechat={"default": sandbox.settings(merchant, gateway, f"{gateway}/nobody")},
        sandbox=SandboxSettings(url=gateway),
        push=PushSettings(services=("push.invalid",)),
    )
    app = await product.build(settings, clock=clock, db=db)
    await app.foundation.start()
    try:
        town = Town(app, sandbox, clock)
        await town.furnish()
        yield town
    finally:
        await app.media.close()
        app.commerce.gate.sessions.close()
        app.commerce.gate.passwords.close()
        app.verify.pictures.close()
        await app.foundation.stop()
        await sandbox.stop()
