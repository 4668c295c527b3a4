"""Insight, made by hand: search, ratings, labels, customers, quality, figures, evidence; their routes and checks."""

from __future__ import annotations

from dataclasses import dataclass

from octshop_rt.app.between import ChatDirectory
from octshop_rt.app.commerce import Commerce
from octshop_rt.app.foundation import Foundation
from octshop_rt.commerce.order.views import label
from octshop_rt.core.auth.model import Right, ShopStaff
from octshop_rt.core.errors import Lang, NotFound
from octshop_rt.core.http.routes import Route
from octshop_rt.im.api.insight import InsightApi
from octshop_rt.im.api.labels import CustomerApi
from octshop_rt.im.api.quality import QualityApi
from octshop_rt.im.api.ratings import RatingApi
from octshop_rt.im.api.search import SearchApi
from octshop_rt.im.api.shops_reports import ShopsReports
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.insight.customers import Bought, BoughtLine, CustomerBook, Who
from octshop_rt.im.insight.disputes import Disputes
from octshop_rt.im.insight.indexing import Indexer
from octshop_rt.im.insight.labels import Labels
from octshop_rt.im.insight.lookup import Lookup
from octshop_rt.im.insight.naming import Naming
from octshop_rt.im.insight.quality import Quality
from octshop_rt.im.insight.ratings import Ratings, Summaries
from octshop_rt.im.insight.reminders import Reminders
from octshop_rt.im.insight.reports import Reports
from octshop_rt.im.insight.retention import Retention
from octshop_rt.im.insight.search import Search
from octshop_rt.im.insight.words import Forgetting
from octshop_rt.im.ws.server import ImServer


@dataclass(frozen=True, kw_only=True, slots=True)
class Insight:
    """What looks at chat from above. Started after the desk, stopped before chat."""

    indexer: Indexer
    reminders: Reminders
    retention: Retention
    reports: Reports
    routes: list[Route]

    async def start(self) -> None:
        """Index, remind, and arrange the night."""
        await self.retention.arrange()
        self.indexer.start()
        self.reminders.start()

    async def stop(self) -> None:
        """No new work."""
        await self.reminders.stop()
        await self.indexer.stop()


def raise_insight(on: Foundation, commerce: Commerce, im: ImServer, guard: Guard) -> Insight:
    """Build it on chat and commerce."""
    directory = ChatDirectory(commerce.shops, commerce.gate.members)
    naming = Naming(on.db, directory.buyer_names)
    disputes = Disputes(on.db, on.clock, on.ids, directory.buyer_names)
    labels = Labels(on.db, on.clock, on.ids)
    reports = Reports(on.db, on.clock, directory.shop_names)
    indexer = Indexer(on.db, on.clock, on.node)
    im.conversations.on_said(indexer.hear)
    im.changes.on_recalled(indexer.forget)
    im.changes.on_recalled(Forgetting(on.db).recalled)
    return Insight(
        indexer=indexer,
        reminders=Reminders(on.db, on.clock, on.bus, on.node),
        retention=Retention(on.db, on.clock, on.ids, on.outbox, reports, im.changes.release),
        reports=reports,
        routes=[
            *SearchApi(Search(on.db), naming).routes(),
            *RatingApi(Ratings(on.db, on.clock, on.bus, guard), Summaries(on.db, on.clock), naming).routes(),
            *CustomerApi(labels, CustomerBook(on.db, on.clock, labels, CustomersOfShops(commerce))).routes(),
            *QualityApi(Quality(on.db, on.clock, on.ids), naming).routes(),
            *ShopsReports(reports).routes(),
            *InsightApi(reports, disputes, Lookup(on.db, im.conversations), naming).routes(),
        ],
    )


class CustomersOfShops:
    """People and orders, as insight asks for them."""

    def __init__(self, commerce: Commerce) -> None:
        self._members = commerce.gate.members
        self._orders = commerce.orders

    async def who(self, buyer_id: str) -> Who | None:
        """Nickname and masked phone."""
        try:
            card = await self._members.card(buyer_id)
        except NotFound:
            return None
        return Who(nickname=card.nickname, phone_masked=card.phone_masked)

    async def bought(self, staff: ShopStaff, buyer_id: str, limit: int, lang: Lang) -> tuple[int, list[Bought]]:
        """Orders at this shop, for those who may read orders."""
        if Right.ORDERS not in staff.rights:
            return 0, []
        rows, _ = await self._orders.of_shop(staff, buyer_id=buyer_id, cursor=None)
        found = [
            Bought(
                id=order.id,
                label=label(order, lang),
                payable_fen=order.payable_fen,
                created_at=order.created_at,
                lines=tuple(BoughtLine(title=line.title, quantity=line.quantity) for line in order.lines),
            )
            for order in rows[:limit]
        ]
        return await self._orders.count_of(staff, buyer_id), found
