"""The commerce wing, made by hand: identity, money, goods, orders, tills, and their routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from octshop_rt.app.foundation import Foundation
from octshop_rt.commerce.aftersale.course import Course
from octshop_rt.commerce.aftersale.service import AftersaleService
from octshop_rt.commerce.aftersale.vouchers import Vouchers
from octshop_rt.commerce.api.buyer import buyer_routes
from octshop_rt.commerce.api.campaigns import ShopCampaigns
from octshop_rt.commerce.api.channel import ChannelApi
from octshop_rt.commerce.api.guests import GuestApi
from octshop_rt.commerce.api.identity import Identity
from octshop_rt.commerce.api.people import CommercePeople
from octshop_rt.commerce.api.shop import ShopDesk
from octshop_rt.commerce.api.shop_aftersales import ShopAftersales
from octshop_rt.commerce.api.till import TillApi
from octshop_rt.commerce.bill.service import BillService
from octshop_rt.commerce.catalog.service import CatalogService
from octshop_rt.commerce.inventory.service import InventoryService
from octshop_rt.commerce.ledger.service import Ledger
from octshop_rt.commerce.marketing.coupons import Coupons
from octshop_rt.commerce.marketing.service import Marketing
from octshop_rt.commerce.member.guests import Guests, Spoke
from octshop_rt.commerce.member.service import Members
from octshop_rt.commerce.member.sign_in import SignIn
from octshop_rt.commerce.order.handlers import OrderHandlers
from octshop_rt.commerce.order.people import People
from octshop_rt.commerce.order.service import OrderService
from octshop_rt.commerce.order.stock import OrderStock
from octshop_rt.commerce.payment.cashier import Cashier
from octshop_rt.commerce.payment.channels.wechat import WechatChannel
from octshop_rt.commerce.payment.inbox import Inbox
from octshop_rt.commerce.payment.refunds import Refunds
from octshop_rt.commerce.payment.resolve import Resolver
from octshop_rt.commerce.payment.service import PaymentService
from octshop_rt.commerce.payment.settle import Accounts, Settlement
from octshop_rt.commerce.shop.service import ShopService
from octshop_rt.commerce.shop.staff import StaffService
from octshop_rt.core.auth.codes import CodeSender, HttpSender, InboxSender, LoginCodes
from octshop_rt.core.auth.passwords import Passwords
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.auth.throttle import LoginThrottle
from octshop_rt.core.clock import Clock
from octshop_rt.core.http.routes import Route


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """Who people are and how they come in."""

    members: Members
    staff: StaffService
    sessions: Sessions
    passwords: Passwords
    sign_in: SignIn
    sender: CodeSender
    guests: Guests


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """Books and channels."""

    ledger: Ledger
    accounts: Accounts
    resolver: Resolver
    refunds: Refunds
    payments: PaymentService
    cashier: Cashier
    inbox: Inbox


@dataclass(frozen=True, kw_only=True, slots=True)
class Commerce:
    """The wing."""

    gate: Gate
    money: Money
    shops: ShopService
    catalog: CatalogService
    inventory: InventoryService
    marketing: Marketing
    coupons: Coupons
    orders: OrderService
    order_handlers: OrderHandlers
    order_stock: OrderStock
    course: Course
    cases: AftersaleService
    bills: BillService
    clock: Clock
    have_spoken: Callable[[str, str], Awaitable[bool]]

    def routes(self) -> list[Route]:
        """Every route of the wing."""
        gate = self.gate
        return [
            *Identity(sign_in=gate.sign_in, sessions=gate.sessions, members=gate.members, staff=gate.staff).routes(),
            *GuestApi(gate.guests).routes(),
            *buyer_routes(
                shops=self.shops,
                catalog=self.catalog,
                inventory=self.inventory,
                orders=self.orders,
                payments=self.money.payments,
                marketing=self.marketing,
                clock=self.clock,
                cases=self.cases,
            ),
            *ShopCampaigns(self.marketing, self.clock).routes(),
            *ShopDesk(self.orders, self.shops, gate.members, self.have_spoken).routes(),
            *ShopAftersales(self.cases, gate.members).routes(),
            *TillApi(self.bills, self.shops).routes(),
            *ChannelApi(self.money.inbox, self.money.accounts).routes(),
        ]


def raise_commerce(
    on: Foundation, *, have_spoken: Callable[[str, str], Awaitable[bool]], spoke: Spoke, vouchers: Vouchers
) -> Commerce:
    """Build the wing. `have_spoken(shop, buyer)` and `spoke(buyers)` are chat's answers, `vouchers` is verify's."""
    gate = _gate(on, spoke)
    money = _money(on)
    shops = ShopService(on.db, on.clock, on.ids)
    catalog = CatalogService(on.db)
    inventory = InventoryService(on.db)
    coupons = Coupons(on.db, on.clock)
    people = People(gate.members, gate.staff)
    orders = OrderService(
        on.db,
        on.clock,
        on.ids,
        on.outbox,
        catalog,
        inventory,
        shops,
        coupons,
        works_at=people.works_at,
        masked=people.masked,
    )
    course = Course(clock=on.clock, outbox=on.outbox, vouchers=vouchers, refunds=money.refunds)
    return Commerce(
        gate=gate,
        money=money,
        shops=shops,
        catalog=catalog,
        inventory=inventory,
        marketing=Marketing(on.db, on.clock, on.ids, catalog),
        coupons=coupons,
        orders=orders,
        order_handlers=OrderHandlers(on.clock, on.outbox, inventory, coupons, money.payments.has_paid),
        order_stock=OrderStock(on.db, inventory),
        have_spoken=have_spoken,
        clock=on.clock,
        course=course,
        cases=AftersaleService(
            db=on.db,
            clock=on.clock,
            ids=on.ids,
            outbox=on.outbox,
            orders=orders,
            shops=shops,
            vouchers=vouchers,
            course=course,
        ),
        bills=BillService(db=on.db, clock=on.clock, ids=on.ids, outbox=on.outbox, bus=on.bus, cashier=money.cashier),
    )


def _gate(on: Foundation, spoke: Spoke) -> Gate:
    passwords = Passwords()
    members = Members(on.db, on.clock, on.ids, passwords)
    staff = StaffService(on.db, on.clock, on.ids)
    people = CommercePeople(members, staff)
    sessions = Sessions(
        db=on.db,
        bus=on.bus,
        clock=on.clock,
        ids=on.ids,
        people=people,
        resume_key=on.secrets.key("auth.resume.1"),
    )
    members.on_disabled(sessions.revoke_person)
    staff.on_change(sessions.rights_changed)
    sender = _sender(on)
    codes = LoginCodes(
        db=on.db,
        clock=on.clock,
        limiter=on.limiter,
        sender=sender,
        key=on.secrets.key("auth.codes.1"),
        tasks=on.tasks,
    )
    return Gate(
        members=members,
        staff=staff,
        sessions=sessions,
        passwords=passwords,
        sign_in=SignIn(
            members=members,
            people=people,
            sessions=sessions,
            passwords=passwords,
            throttle=LoginThrottle(db=on.db, clock=on.clock, limiter=on.limiter),
            codes=codes,
        ),
        sender=sender,
        guests=Guests(on.db, on.clock, on.ids, sessions, spoke),
    )


def _sender(on: Foundation) -> CodeSender:
    sms = on.settings.sms
    if sms.url:
        token = Path(sms.token_file).read_text(encoding="utf-8").strip() if sms.token_file else ""
        return HttpSender(on.http, sms.url, token)
    return InboxSender(on.clock)


def _money(on: Foundation) -> Money:
    accounts = Accounts({name: WechatChannel(name, one, on.http, on.clock) for name, one in on.settings.wechat.items()})
    ledger = Ledger(clock=on.clock, ids=on.ids)
    settlement = Settlement(db=on.db, clock=on.clock, outbox=on.outbox, ledger=ledger, bus=on.bus, accounts=accounts)
    resolver = Resolver(db=on.db, clock=on.clock, outbox=on.outbox, accounts=accounts, settlement=settlement)
    refunds = Refunds(db=on.db, clock=on.clock, ids=on.ids, outbox=on.outbox, ledger=ledger, accounts=accounts)
    payments = PaymentService(
        db=on.db, clock=on.clock, ids=on.ids, outbox=on.outbox, accounts=accounts, resolver=resolver
    )
    return Money(
        ledger=ledger,
        accounts=accounts,
        resolver=resolver,
        refunds=refunds,
        payments=payments,
        cashier=Cashier(
            clock=on.clock,
            payments=payments,
            resolver=resolver,
            code_key=on.secrets.key("payment.code.1"),
        ),
        inbox=Inbox(db=on.db, clock=on.clock, accounts=accounts, settlement=settlement, refunds=refunds),
    )
