"""A shop that takes money: real database, real simulator over HTTP, test clock, and a door for notices."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from octshop_rt.commerce.bill import checks as bill_checks
from octshop_rt.commerce.bill.model import TillPlace
from octshop_rt.commerce.bill.service import BillService
from octshop_rt.commerce.ledger import checks as ledger_checks
from octshop_rt.commerce.ledger.service import Ledger
from octshop_rt.commerce.payment import checks as payment_checks
from octshop_rt.commerce.payment import checks_books as payment_books
from octshop_rt.commerce.payment import store
from octshop_rt.commerce.payment.cashier import Cashier
from octshop_rt.commerce.payment.channels.wechat import WechatChannel
from octshop_rt.commerce.payment.inbox import Inbox
from octshop_rt.commerce.payment.model import Attempt, Payment, PayView, Wish
from octshop_rt.commerce.payment.refunds import Refunds
from octshop_rt.commerce.payment.resolve import Resolver
from octshop_rt.commerce.payment.service import PaymentService
from octshop_rt.commerce.payment.settle import Accounts, Settlement
from octshop_rt.core import fsck
from octshop_rt.core.bus import LocalBus, Notice, notices
from octshop_rt.core.clock import Clock, TestClock
from octshop_rt.core.dispatcher import Dispatcher, Subscription
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, Transaction
from octshop_rt.core.outbox import Event, Outbox
from octshop_rt.events import (
    BillPaid,
    OrderClosed,
    PaymentDoubt,
    PaymentExpired,
    PaymentPart,
    PaymentSucceeded,
    RefundDue,
    RefundStarted,
    RefundSucceeded,
    Scope,
)
from octshop_rt.sandbox.model import Merchant, Switches
from octshop_rt.sandbox.server import Sandbox

SCOPE = Scope(merchant_id="M1", shop_id="S1", branch_id="B1")
PLACE = TillPlace(merchant_id="M1", shop_id="S1", shop_name="老街面馆", branch_id="B1", till_id="T1", cashier_id="U1")


class House:
    """All services on one clock. `tick` lets time pass as production would: notices arrive, due events run."""

    def __init__(self, db: Database, clock: TestClock, sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        self.db = db
        self.clock = clock
        self.sandbox = sandbox
        self.http = http
        self.ids = Ids(clock)
        self.outbox = Outbox(clock, self.ids)
        self.bus = LocalBus()
        self.told: list[Notice] = []
        self.bus.subscribe("notice", lambda _, payload: self.told.append(notices.from_msgpack(payload)))
        self.heard: list[Event] = []
        self.answers: list[int] = []
        self.url = ""
        self.serial = 0

    def build(self, channels: dict[str, WechatChannel]) -> None:
        db, clock, ids, outbox = self.db, self.clock, self.ids, self.outbox
        self.channel = channels["default"]
        self.ledger = Ledger(clock=clock, ids=ids)
        accounts = Accounts(channels)
        self.settlement = Settlement(
            db=db, clock=clock, outbox=outbox, ledger=self.ledger, bus=self.bus, accounts=accounts
        )
        self.resolver = Resolver(db=db, clock=clock, outbox=outbox, accounts=accounts, settlement=self.settlement)
        self.payments = PaymentService(
            db=db, clock=clock, ids=ids, outbox=outbox, accounts=accounts, resolver=self.resolver
        )
        self.refunds = Refunds(db=db, clock=clock, ids=ids, outbox=outbox, ledger=self.ledger, accounts=accounts)
        self.inbox = Inbox(db=db, clock=clock, accounts=accounts, settlement=self.settlement, refunds=self.refunds)
        self.cashier = Cashier(clock=clock, payments=self.payments, resolver=self.resolver, code_key=b"k" * 32)
        self.bills = BillService(db=db, clock=clock, ids=ids, outbox=outbox, bus=self.bus, cashier=self.cashier)
        self.dispatcher = Dispatcher(db, clock, self.bus, self.subscriptions(), owner="test")

    def subscriptions(self) -> Sequence[Subscription]:
        async def hear(tx: Transaction, event: Event) -> None:
            self.heard.append(event)

        def one(event: type[Event], name: str, run: Any, kind: Any) -> Subscription:
            return Subscription(event=event, name=name, run=run, kind=kind)

        return [
            one(PaymentDoubt, "payment.doubt", self.resolver.on_payment_doubt, "job"),
            one(PaymentExpired, "payment.expired", self.resolver.on_payment_expired, "job"),
            one(OrderClosed, "payment.order_closed", self.resolver.on_order_closed, "job"),
            one(RefundDue, "payment.refund_due", self.refunds.on_refund_due, "effect"),
            one(RefundStarted, "payment.refund_started", self.refunds.on_refund_started, "job"),
            one(PaymentSucceeded, "bill.paid", self.bills.on_payment_succeeded, "effect"),
            one(PaymentSucceeded, "test.heard", hear, "effect"),
            one(RefundSucceeded, "test.refunded", hear, "effect"),
            one(BillPaid, "bill.told", self.bills.on_bill_paid, "hint"),
        ]

    # --- the outside --------------------------------------------------------------------------------------------------

    async def notified(self, request: web.Request) -> web.Response:
        try:
            await self.inbox.take(request.match_info["account"], request.headers, await request.read())
            status = 204
        except DomainError as refusal:
            status = refusal.status
        self.answers.append(status)
        return web.Response(status=status)

    def switch(self, **switches: Any) -> None:
        self.sandbox.bank.switch(Switches(**switches))

    def pay(self, attempt_id: str, decision: Any = "pay") -> None:
        trade = self.sandbox.bank.by_number(attempt_id)
        assert trade is not None
        self.sandbox.bank.decide(trade, decision)

    async def deliver(self) -> int:
        return await self.sandbox.courier.deliver_due()

    async def drain(self) -> None:
        await self.dispatcher.drain()

    async def tick(self, ms: int, *, step_ms: int = 1_000) -> None:
        """In small steps, so that everything due happens at its time."""
        left = ms
        while left > 0:
            step = min(left, step_ms)
            self.clock.advance(step)
            self.sandbox.bank.age_refunds()
            await self.deliver()
            await self.drain()
            left -= step

    # --- the inside ---------------------------------------------------------------------------------------------------

    def wish(self, subject: str = "order:O1", amount_fen: int = 1280, **changes: Any) -> Wish:
        self.serial += 1
        given: dict[str, Any] = {
            "opener": "buyer:U9",
            "request_id": f"request-{self.serial:010d}",
            "buyer_id": "U9",
            "parts": (PaymentPart(subject=subject, amount_fen=amount_fen, scope=SCOPE, pending="voucher_unredeemed"),),
            "description": "老街面馆 牛肉面",
            "expires_at": self.clock.now() + 30 * 60_000,
        }
        return Wish(**given | changes)

    async def open(self, **changes: Any) -> PayView:
        return await self.payments.open(self.wish(**changes))

    async def payment(self, payment_id: str) -> Payment:
        found = await store.payment(self.db, payment_id)
        assert found is not None
        return found

    async def attempt(self, payment_id: str) -> Attempt:
        found = await store.newest_attempt(self.db, payment_id)
        assert found is not None
        return found

    async def balances(self) -> dict[str, int]:
        """Net of each account, by kind; debit positive."""
        rows = await self.ledger_rows()
        return {name.split(":")[0]: fen for name, fen in rows.items() if fen}

    async def ledger_rows(self) -> dict[str, int]:
        from octshop_rt.commerce.ledger import store as books

        return {one.account: one.debit_fen - one.credit_fen for one in await books.sums(self.db)}

    async def charge(self, amount_fen: int, auth_code: str | None = None, **changes: Any) -> Any:
        self.serial += 1
        request_id = changes.pop("request_id", f"charge-{self.serial:010d}")
        return await self.bills.charge(PLACE, request_id=request_id, amount_fen=amount_fen, auth_code=auth_code)

    def code(self) -> str:
        return self.sandbox.bank.new_code().auth_code

    async def sound(self) -> None:
        """fsck is clean."""
        every = (*payment_checks.CHECKS, *payment_books.CHECKS, *bill_checks.CHECKS, *ledger_checks.CHECKS)
        report = await fsck.examine(self.db, every)
        assert report.findings == ()


@pytest.fixture(scope="session")
def sandbox_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RSA keys are slow to make: one set a session. Two merchants."""
    folder = tmp_path_factory.mktemp("sandbox")
    sandbox = Sandbox(folder, TestClock(), production=False)
    for merchant in ("1900000109", "1900000110"):
        sandbox.merchant(merchant, f"wx{merchant}", "x")
    sandbox.bank.close()
    return folder / "keys"


@pytest.fixture
async def house(db: Database, clock: TestClock, sandbox_keys: Path, tmp_path: Path) -> AsyncIterator[House]:
    shutil.copytree(sandbox_keys, tmp_path / "keys")
    sandbox = Sandbox(tmp_path, clock, production=False)
    gateway = await sandbox.start("127.0.0.1", 0, deliver=False)
    async with aiohttp.ClientSession() as http:
        house = House(db, clock, sandbox, http)
        app = web.Application()
        app.router.add_post("/notify/{account}", house.notified)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        house.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        house.build(
            {
                account: channel_for(sandbox, merchant, gateway, f"{house.url}/notify/{account}", http, clock, account)
                for account, merchant in accounts(sandbox).items()
            }
        )
        yield house
        await runner.cleanup()
    await sandbox.stop()


def accounts(sandbox: Sandbox) -> dict[str, Merchant]:
    return {
        "default": sandbox.merchant("1900000109", "wx1900000109", "老街面馆"),
        "M2": sandbox.merchant("1900000110", "wx1900000110", "别家店"),
    }


def channel_for(
    sandbox: Sandbox,
    merchant: Merchant,
    gateway: str,
    notify: str,
    http: aiohttp.ClientSession,
    clock: Clock,
    account: str,
) -> WechatChannel:
    return WechatChannel(account, sandbox.settings(merchant, gateway, notify), http, clock)
