"""Use cases of the catalogue: publish, list, look up what a checkout asks for."""

from __future__ import annotations

from collections.abc import Sequence

from octshop_rt.commerce.catalog import rules, store
from octshop_rt.commerce.catalog.model import LISTING, Listing, NotOnSale, Offer, Product, Sku
from octshop_rt.core.errors import Busy, NotFound
from octshop_rt.core.mongo import Database, Transaction

PAGE = 20


class CatalogService:
    """Goods as shops publish them and buyers see them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def product(self, product_id: str) -> tuple[Product, list[Sku]]:
        """A product that is or was on sale, with its live SKUs. NotFound for drafts and strangers."""
        found = await store.product(self._db, product_id)
        if found is None or found.listing is Listing.DRAFT:
            raise NotFound
        return found, [sku for sku in await store.skus_of(self._db, product_id) if not sku.retired]

    async def on_sale(
        self, *, shop_ids: Sequence[str] | None, words: str | None, cursor: str | None
    ) -> tuple[list[Product], str | None]:
        """A page of listed products and the next cursor."""
        rows = await store.on_sale(self._db, shop_ids=shop_ids, words=words, after=cursor, limit=PAGE + 1)
        return rows[:PAGE], rows[PAGE - 1].id if len(rows) > PAGE else None

    async def offers(self, sku_ids: Sequence[str]) -> dict[str, Offer]:
        """SKUs that are on sale, with their products. NotOnSale if any is not, NotFound if any never was."""
        found = {sku.id: sku for sku in await store.skus(self._db, sku_ids)}
        if any(sku_id not in found for sku_id in sku_ids):
            raise NotFound
        products = {
            one.id: one for one in await store.products_of(self._db, sorted({sku.product_id for sku in found.values()}))
        }
        offers: dict[str, Offer] = {}
        for sku in found.values():
            product = products[sku.product_id]
            if sku.retired or not product.on_sale:
                raise NotOnSale(title=product.title)
            offers[sku.id] = Offer(sku=sku, product=product)
        return offers

    async def products(self, product_ids: Sequence[str]) -> dict[str, Product]:
        """Those of `product_ids` that are or were on sale."""
        found = await store.products_of(self._db, sorted(set(product_ids))) if product_ids else []
        return {one.id: one for one in found if one.listing is not Listing.DRAFT}

    async def publish(self, product: Product, skus: Sequence[Sku]) -> None:
        """Enter a product with its SKUs. BadSpecs if the combinations are wrong; a known id changes nothing."""
        rules.check_skus(product.specs, skus)
        if await store.product(self._db, product.id) is not None:
            return

        async def work(tx: Transaction) -> None:
            await store.add(tx, product, skus)

        await self._db.transact(work)

    async def move(self, product_id: str, target: Listing) -> None:
        """List or unlist. Busy when the product is not where `target` may follow."""
        if not await store.move(self._db, product_id, LISTING.sources(target), target):
            raise Busy

    async def retire(self, sku_id: str) -> None:
        """Take one combination off sale for good."""
        await store.retire(self._db, sku_id)
