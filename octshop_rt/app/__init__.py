"""Who is made of what: everything built by hand with plain constructors, started and stopped in one order."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from aiohttp import web

from octshop_rt.app import across, care
from octshop_rt.app.answering import MARKS
from octshop_rt.app.between import BranchesOfShops, ChatDirectory, ShopCards, Snapshots, VouchersOfOrders, Watching
from octshop_rt.app.care import AroundDesk, Care, raise_care
from octshop_rt.app.commerce import Commerce, raise_commerce
from octshop_rt.app.files import make_media, object_checks
from octshop_rt.app.foundation import Foundation, lay
from octshop_rt.app.visiting import mount_widget
from octshop_rt.commerce.aftersale import checks as aftersale_checks
from octshop_rt.commerce.bill import checks as bill_checks
from octshop_rt.commerce.inventory import checks as inventory_checks
from octshop_rt.commerce.ledger import checks as ledger_checks
from octshop_rt.commerce.marketing import checks as marketing_checks
from octshop_rt.commerce.member import checks as member_checks
from octshop_rt.commerce.order import checks as order_checks
from octshop_rt.commerce.order.notices import OrderNotices
from octshop_rt.commerce.payment import checks as payment_checks
from octshop_rt.commerce.payment import checks_books as payment_books
from octshop_rt.commerce.shop import staff_checks
from octshop_rt.core import checks as core_checks
from octshop_rt.core.auth import checks as auth_checks
from octshop_rt.core.auth.codes import InboxSender
from octshop_rt.core.clock import Clock
from octshop_rt.core.dispatcher import Dispatcher
from octshop_rt.core.fsck import Check
from octshop_rt.core.http.origin import ClientAddress, Origins
from octshop_rt.core.http.routes import Route
from octshop_rt.core.http.server import build_app
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import Settings, SettingsError
from octshop_rt.core.uploads import PicturePool
from octshop_rt.im.api.files import Files
from octshop_rt.im.conversation import checks as im_checks
from octshop_rt.im.conversation.acquaintance import Acquaintance
from octshop_rt.im.desk.watching import DeskWatching
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.media import checks as media_checks
from octshop_rt.im.media.service import Media
from octshop_rt.im.poll.server import Polls
from octshop_rt.im.ws.server import ImServer
from octshop_rt.sandbox.proxy import SandboxProxy
from octshop_rt.subscriptions import UNHEARD, Handlers, subscriptions
from octshop_rt.verify import checks as verify_checks
from octshop_rt.verify import token
from octshop_rt.verify.api import BuyerVouchers, ClerkDesk
from octshop_rt.verify.codes import Codes
from octshop_rt.verify.issue import Issuer
from octshop_rt.verify.lookup import Lookup
from octshop_rt.verify.scan import Scanner
from octshop_rt.verify.service import Redeemer

CHECKS: tuple[Check, ...] = (
    *im_checks.CHECKS,
    *care.CHECKS,
    *media_checks.CHECKS,
    *order_checks.CHECKS,
    *aftersale_checks.CHECKS,
    *inventory_checks.CHECKS,
    *marketing_checks.CHECKS,
    *payment_checks.CHECKS,
    *payment_books.CHECKS,
    *bill_checks.CHECKS,
    *ledger_checks.CHECKS,
    *verify_checks.CHECKS,
    *across.CHECKS,
    *core_checks.CHECKS,
    *auth_checks.CHECKS,
    *member_checks.CHECKS,
    *staff_checks.CHECKS,
)


def checks(settings: Settings) -> tuple[Check, ...]:
    """All that fsck can ask, with what depends on where the files of these settings lie."""
    return (*CHECKS, *object_checks(settings))


@dataclass(frozen=True, kw_only=True, slots=True)
class Verify:
    """The verify wing."""

    codes: Codes
    issuer: Issuer
    pictures: PicturePool
    routes: list[Route]


@dataclass(frozen=True, kw_only=True, slots=True)
class App:
    """One process of the product. `web` is to be served by core/http's runner between `start` and `stop`."""

    foundation: Foundation
    commerce: Commerce
    verify: Verify
    im: ImServer
    care: Care
    media: Media
    dispatcher: Dispatcher
    routes: Sequence[Route]
    web: web.Application

    async def start(self) -> None:
        """Busy if MongoDB does not answer."""
        await self.foundation.start()
        self.im.start()
        await self.care.start()
        await self.dispatcher.start()

    async def drain(self) -> None:
        """Ask open sockets to move; serve them until they have."""
        await self.im.drain(by_ms=3_000, spread_ms=1_000)

    async def stop(self) -> None:
        """Settle what was accepted, give events back, let go."""
        # Each one, whatever becomes of the others. The last named comes first.
        async with contextlib.AsyncExitStack() as parts:
            parts.push_async_callback(self.foundation.stop)
            parts.callback(self.verify.pictures.close)
            parts.callback(self.commerce.gate.passwords.close)
            parts.callback(self.commerce.gate.sessions.close)
            parts.push_async_callback(self.media.close)
            parts.push_async_callback(self.dispatcher.stop)
            parts.push_async_callback(self.im.stop)
            parts.push_async_callback(self.care.stop)


async def build(settings: Settings, *, clock: Clock | None = None, db: Database | None = None) -> App:
    """Everything, made by hand; nothing is asked of a server yet. SettingsError if production is unsafe."""
    _refuse_unsafe(settings)
    on = lay(settings, clock=clock, db=db)
    met = Acquaintance(on.db)
    issuer = Issuer(clock=on.clock, ids=on.ids, outbox=on.outbox)
    commerce = raise_commerce(on, have_spoken=met.have_spoken, spoke=met.spoke, vouchers=VouchersOfOrders(issuer))
    verify = _verify(on, issuer, BranchesOfShops(commerce.shops))
    origins = Origins.of_settings(settings.http, production=settings.production)
    address = ClientAddress(settings.http.proxies)
    media = make_media(on)
    guard = Guard(on.db, on.clock, on.ids, on.bus, on.secrets.key(MARKS))
    im = ImServer(
        db=on.db,
        clock=on.clock,
        ids=on.ids,
        bus=on.bus,
        tasks=on.tasks,
        sessions=commerce.gate.sessions,
        directory=ChatDirectory(commerce.shops, commerce.gate.members),
        may_watch=Watching(commerce.shops, commerce.orders, verify.codes, DeskWatching(on.db)).may_watch,
        origins=origins,
        address=address,
        node=on.node,
        metrics=on.metrics,
        media=media,
        cards=ShopCards(Snapshots(commerce).by_kind(), AroundDesk(commerce).card),
        guard=guard,
    )
    service = raise_care(on, commerce, im, guard)
    routes = [*commerce.routes(), *verify.routes, *Files(media).routes(), *service.routes]
    application = build_app(
        routes,
        sessions=commerce.gate.sessions,
        settings=settings,
        limiter=on.limiter,
        tasks=on.tasks,
        ids=on.ids,
        metrics=on.metrics,
        ready=on.db.ping,
    )
    application.router.add_get("/im", im.handle)
    mount_widget(application, on, service.visitors, origins)
    Polls(im, origins=origins, address=address).install(application)
    sender = commerce.gate.sender
    if settings.sandbox.url and isinstance(sender, InboxSender):
        SandboxProxy(on.http, settings.sandbox.url, sender).install(application)
    return App(
        foundation=on,
        commerce=commerce,
        verify=verify,
        im=im,
        care=service,
        media=media,
        dispatcher=Dispatcher(
            on.db,
            on.clock,
            on.bus,
            subscriptions(_handlers(on, commerce, verify, im, service)),
            owner=on.node,
            unheard=UNHEARD,
        ),
        routes=routes,
        web=application,
    )


@contextlib.asynccontextmanager
async def running(settings: Settings, *, clock: Clock | None = None, db: Database | None = None) -> AsyncGenerator[App]:
    """Build, start, and stop again, whatever happens between."""
    app = await build(settings, clock=clock, db=db)
    try:
        await app.start()
        yield app
    finally:
        await app.stop()


def _verify(on: Foundation, issuer: Issuer, branches: BranchesOfShops) -> Verify:
    keys = token.Keys.derive(on.secrets)
    lookup = Lookup(on.db, clock=on.clock, ids=on.ids, keys=keys)
    scanner = Scanner(on.db, clock=on.clock, ids=on.ids, lookup=lookup)
    redeemer = Redeemer(
        on.db,
        clock=on.clock,
        ids=on.ids,
        outbox=on.outbox,
        bus=on.bus,
        lookup=lookup,
        knows_branch=branches.known,
    )
    codes = Codes(on.db, clock=on.clock, keys=keys)
    pictures = PicturePool()
    desk = ClerkDesk(on.db, clock=on.clock, scanner=scanner, redeemer=redeemer, pictures=pictures)
    return Verify(
        codes=codes,
        issuer=issuer,
        pictures=pictures,
        routes=[*BuyerVouchers(codes).routes(), *desk.routes()],
    )


def _handlers(on: Foundation, commerce: Commerce, verify: Verify, im: ImServer, service: Care) -> Handlers:
    return Handlers(
        orders=commerce.order_handlers,
        coupons=commerce.coupons,
        order_notices=OrderNotices(on.clock, on.bus),
        order_stock=commerce.order_stock,
        aftersale=commerce.course,
        bills=commerce.bills,
        resolver=commerce.money.resolver,
        refunds=commerce.money.refunds,
        ledger=commerce.money.ledger,
        issuer=verify.issuer,
        changes=im.changes,
        retention=service.insight.retention,
        push=service.pushing.sender,
    )


def _refuse_unsafe(settings: Settings) -> None:
    """What must never be on where money is real."""
    if not settings.production:
        return
    if settings.sandbox.url:
        message = "settings: the payment simulator ([sandbox] url) is refused in production"
        raise SettingsError(message)
    if not settings.sms.url:
        message = "settings: production needs [sms] url, the gateway that brings sign-in codes to phones"
        raise SettingsError(message)
    if not settings.http.origin.startswith("https://"):
        message = "settings: [http] public_url must be the https:// address browsers use: cookies are sent to no other"
        raise SettingsError(message)
    if settings.push.sandbox_url:
        message = "settings: the simulator of a push service ([push] sandbox_url) is refused in production"
        raise SettingsError(message)
    if settings.assistant.url and not settings.assistant.url.startswith("https://"):
        message = "settings: [assistant] url must be https in production"
        raise SettingsError(message)
    for name, account in settings.wechat.items():
        if not account.gateway_url.startswith("https://"):
            message = f"settings: [wechat.{name}] gateway_url must be https in production"
            raise SettingsError(message)
