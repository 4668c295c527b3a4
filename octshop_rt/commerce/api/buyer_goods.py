"""Goods as buyers see them: lists, search, one product with its SKUs, and what a basket would cost."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.commerce.api.buyer_shops import BranchView, Cursor, PlaceQuery, branch_view
from octshop_rt.commerce.catalog.model import CannotFulfil, Fulfilment, NotOnSale, Picture, Product, Spec
from octshop_rt.commerce.catalog.service import CatalogService
from octshop_rt.commerce.inventory.service import InventoryService
from octshop_rt.commerce.order.model import MOST_LINES, WantedLine
from octshop_rt.commerce.order.rules import Basket
from octshop_rt.commerce.order.service import OrderService
from octshop_rt.commerce.pricing.model import Quote
from octshop_rt.commerce.shop.geo import asked_place, distance_m
from octshop_rt.commerce.shop.model import GeoPoint, Lat, Lng, NotCertified, Shop, ShopClosed
from octshop_rt.commerce.shop.service import ShopService
from octshop_rt.core.auth.model import PUBLIC, Anonymous
from octshop_rt.core.errors import NotFound
from octshop_rt.core.http.routes import Call, Route
from octshop_rt.core.ids import Id
from octshop_rt.core.money import Fen

# A NUL in a pattern is the one text MongoDB refuses; no control character was ever typed into a search field.
Words = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
WantedLines = Annotated[tuple[WantedLine, ...], Meta(min_length=1, max_length=MOST_LINES)]


class ProductsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`q` is looked for in titles and tags."""

    shop_id: Id | None = None
    q: Words | None = None
    lng: Lng | None = None
    lat: Lat | None = None
    cursor: Cursor | None = None


class ProductCard(Struct, frozen=True, kw_only=True):
    """A product in a list; `price_fen` is its lowest."""

    id: Id
    shop_id: Id
    shop_name: str
    title: str
    subtitle: str
    price_fen: Fen
    market_price_fen: Fen | None
    tags: tuple[str, ...]
    distance_m: int | None
    sold: int
    picture: Picture


class Products(Struct, frozen=True, kw_only=True):
    """One page of products."""

    items: list[ProductCard]
    next: str | None


class SkuView(Struct, frozen=True, kw_only=True):
    """A combination that can be chosen; `available` 0 is sold out."""

    id: Id
    spec: dict[str, str]
    price_fen: Fen
    available: int


class VoucherPromise(Struct, frozen=True, kw_only=True):
    """What one piece becomes when paid."""

    valid_days: int
    uses_each: int


class ProductPage(ProductCard, frozen=True, kw_only=True):
    """A product with everything a buyer chooses from."""

    description: str
    specs: tuple[Spec, ...]
    skus: list[SkuView]
    fulfilments: tuple[Fulfilment, ...]
    voucher: VoucherPromise
    refundable: bool
    on_sale: bool
    certified: bool
    branches: list[BranchView]


class QuoteWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A basket to be priced."""

    lines: WantedLines
    fulfilment: Fulfilment = Fulfilment.IN_STORE


class QuoteLineView(Struct, frozen=True, kw_only=True):
    """A priced line."""

    sku_id: Id
    shop_id: Id
    title: str
    spec: dict[str, str]
    picture: Picture
    quantity: int
    unit_price_fen: Fen
    list_fen: Fen
    discount_fen: Fen
    payable_fen: Fen


class QuoteView(Struct, frozen=True, kw_only=True):
    """A priced basket. Send `payable_fen` back as `expected_payable_fen` to buy at this price or not at all."""

    lines: list[QuoteLineView]
    goods_fen: Fen
    freight_fen: Fen
    discount_fen: Fen
    payable_fen: Fen
    quote_hash: str


QUOTE_REFUSALS = (NotFound, NotOnSale, CannotFulfil, NotCertified, ShopClosed)


class BuyerGoods:
    """Open to everybody."""

    def __init__(
        self, catalog: CatalogService, inventory: InventoryService, shops: ShopService, orders: OrderService
    ) -> None:
        self._catalog = catalog
        self._inventory = inventory
        self._shops = shops
        self._orders = orders

    def routes(self) -> list[Route]:
        """Below /buyer/products, and quotes."""
        return [
            Route(
                "GET",
                "/buyer/products",
                self.products,
                permission=PUBLIC,
                query=ProductsQuery,
                answer=Products,
                summary="Products on sale, of one shop or of all, by words in titles and tags",
            ),
            Route(
                "GET",
                "/buyer/products/{product_id}",
                self.product,
                permission=PUBLIC,
                query=PlaceQuery,
                answer=ProductPage,
                summary="One product with its SKUs and what is left of them",
            ),
            Route(
                "POST",
                "/buyer/quotes",
                self.quote,
                permission=PUBLIC,
                body=QuoteWish,
                answer=QuoteView,
                errors=QUOTE_REFUSALS,
                summary="What a basket costs now",
            ),
        ]

    async def products(self, call: Call[Anonymous]) -> Products:
        asked: ProductsQuery = call.query
        place = asked_place(asked.lng, asked.lat)
        shop_ids = None if asked.shop_id is None else [asked.shop_id]
        rows, following = await self._catalog.on_sale(shop_ids=shop_ids, words=asked.q, cursor=asked.cursor)
        shops = await self._shops.shops({row.shop_id for row in rows})
        sold = await self._inventory.sold([row.id for row in rows])
        items = [_card(row, shops[row.shop_id], sold[row.id], place) for row in rows]
        return Products(items=items, next=following)

    async def product(self, call: Call[Anonymous]) -> ProductPage:
        asked: PlaceQuery = call.query
        place = asked_place(asked.lng, asked.lat)
        product, skus = await self._catalog.product(call.path["product_id"])
        shop = await self._shops.shop(product.shop_id)
        stock = await self._inventory.of([sku.id for sku in skus])
        policy = await self._shops.policy(shop.id)
        branches = await self._shops.branches(shop.id)
        card = _card(product, shop, sum(row.sold for row in stock.values()), place)
        return ProductPage(
            **{name: getattr(card, name) for name in card.__struct_fields__},
            description=product.description,
            specs=product.specs,
            skus=[
                SkuView(
                    id=sku.id,
                    spec=sku.spec,
                    price_fen=sku.price_fen,
                    available=stock[sku.id].available if sku.id in stock else 0,
                )
                for sku in skus
            ],
            fulfilments=product.fulfilments,
            voucher=VoucherPromise(
                valid_days=product.voucher.valid_days or policy.voucher_valid_days,
                uses_each=product.voucher.uses_each,
            ),
            refundable=product.refundable,
            on_sale=product.on_sale and shop.open,
            certified=shop.certified,
            branches=[
                branch_view(branch, place)
                for branch in branches
                if not product.branch_ids or branch.id in product.branch_ids
            ],
        )

    async def quote(self, call: Call[Anonymous], body: QuoteWish) -> QuoteView:
        quoted, basket = await self._orders.quote(body.lines, body.fulfilment)
        return quote_view(quoted, basket)


def _card(product: Product, shop: Shop, sold: int, place: GeoPoint | None) -> ProductCard:
    return ProductCard(
        id=product.id,
        shop_id=shop.id,
        shop_name=shop.name,
        title=product.title,
        subtitle=product.subtitle,
        price_fen=product.price_fen,
        market_price_fen=product.market_price_fen,
        tags=product.tags,
        distance_m=None if place is None else distance_m(place, shop.point),
        sold=sold,
        picture=product.picture,
    )


def quote_view(quoted: Quote, basket: Basket) -> QuoteView:
    """A priced basket as shown."""
    lines: list[QuoteLineView] = []
    for line in quoted.lines:
        offer = basket.offers[line.id]
        lines.append(
            QuoteLineView(
                sku_id=line.id,
                shop_id=offer.product.shop_id,
                title=offer.product.title,
                spec=offer.sku.spec,
                picture=offer.product.picture,
                quantity=line.quantity,
                unit_price_fen=line.unit_price_fen,
                list_fen=line.list_fen,
                discount_fen=line.discount_fen,
                payable_fen=line.payable_fen,
            )
        )
    return QuoteView(
        lines=lines,
        goods_fen=quoted.goods_fen,
        freight_fen=quoted.freight_fen,
        discount_fen=quoted.discount_fen,
        payable_fen=quoted.payable_fen,
        quote_hash=quoted.quote_hash,
    )
