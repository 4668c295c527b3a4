"""The buyers' face of commerce: shops, goods, coupons, orders and payments in one list of routes."""

from __future__ import annotations

from octshop_rt.commerce.aftersale.service import AftersaleService
from octshop_rt.commerce.api.buyer_aftersales import BuyerAftersales
from octshop_rt.commerce.api.buyer_coupons import BuyerCoupons
from octshop_rt.commerce.api.buyer_goods import BuyerGoods
from octshop_rt.commerce.api.buyer_orders import BuyerOrders
from octshop_rt.commerce.api.buyer_payments import BuyerPayments
from octshop_rt.commerce.api.buyer_shops import BuyerShops
from octshop_rt.commerce.catalog.service import CatalogService
from octshop_rt.commerce.inventory.service import InventoryService
from octshop_rt.commerce.marketing.service import Marketing
from octshop_rt.commerce.order.service import OrderService
from octshop_rt.commerce.payment.service import PaymentService
from octshop_rt.commerce.shop.service import ShopService
from octshop_rt.core.clock import Clock
from octshop_rt.core.http.routes import Route


def buyer_routes(
    *,
    shops: ShopService,
    catalog: CatalogService,
    inventory: InventoryService,
    orders: OrderService,
    payments: PaymentService,
    marketing: Marketing,
    clock: Clock,
    cases: AftersaleService,
) -> list[Route]:
    """All routes of the buyers' door except signing in."""
    return [
        *BuyerShops(shops).routes(),
        *BuyerGoods(catalog, inventory, shops, orders).routes(),
        *BuyerCoupons(marketing, orders, catalog, shops, clock).routes(),
        *BuyerOrders(orders).routes(),
        *BuyerPayments(orders, payments).routes(),
        *BuyerAftersales(cases).routes(),
    ]
