"""What one wing asks of another, said in the asker's words: the wings themselves never meet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from octshop_rt.app.commerce import Commerce
from octshop_rt.commerce.aftersale.model import Unused
from octshop_rt.commerce.member.service import Members
from octshop_rt.commerce.order.service import OrderService
from octshop_rt.commerce.shop.service import ShopService
from octshop_rt.core.auth.model import Buyer, Right, Staff
from octshop_rt.core.errors import NotFound
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Place, Transaction
from octshop_rt.im.conversation.model import Conversation, Party, ShopFacts
from octshop_rt.im.desk.model import PLATFORM_SHOP, Card
from octshop_rt.im.desk.watching import DeskWatching
from octshop_rt.im.wire.fields import Body, CardKind, Context
from octshop_rt.verify.codes import Codes
from octshop_rt.verify.issue import Issuer

Snapshot = Callable[[Conversation, str], Awaitable[Body | None]]
"""(conversation, id of the thing): the thing as this conversation may show it now, or None."""

Look = Callable[[str, str, Context], Awaitable[Card | None]]
"""(buyer, shop, what the buyer says to come from): its card, or None."""


class ChatDirectory:
    """Shops and people, as chat asks for them."""

    def __init__(self, shops: ShopService, members: Members) -> None:
        self._shops = shops
        self._members = members

    async def shop(self, shop_id: str) -> ShopFacts | None:
        """A shop a buyer may talk to; None if there is none."""
        try:
            shop = await self._shops.shop(shop_id)
        except NotFound:
            return None
        return ShopFacts(id=shop.id, merchant_id=shop.merchant_id, name=shop.name)

    async def shop_names(self, shop_ids: Sequence[str]) -> Mapping[str, str]:
        """Names by id."""
        return {shop.id: shop.name for shop in (await self._shops.shops(set(shop_ids))).values()}

    async def buyer_names(self, buyer_ids: Sequence[str]) -> Mapping[str, str]:
        """Nicknames by id."""
        return {person_id: card.nickname for person_id, card in (await self._members.cards(buyer_ids)).items()}

    async def known_as(self, buyer_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """All ids of those who were guests before."""
        return await self._members.known_as(buyer_ids)


class ShopCards:
    """What cards of a conversation may show, each kind by its own snapshot: of the conversation's shop (of any, where
    the platform's own service is talked to) and of its two sides. Opening a card asks its own route again.
    """

    def __init__(self, snapshots: Mapping[CardKind, Snapshot], look: Look) -> None:
        self._snapshots = snapshots
        self._look = look

    async def about(self, buyer_id: str, shop_id: str, ctx: Context) -> Context | None:
        """The thing under the name it has now."""
        card = await self._look(buyer_id, shop_id, ctx)
        return None if card is None else Context(k=card.k, id=card.id, title=card.title[:200])

    async def card(self, who: Party, conversation: Conversation, kind: CardKind, thing_id: str) -> Body | None:
        """The thing as it is now; None where this conversation must not show it."""
        snapshot = self._snapshots.get(kind)
        return None if snapshot is None else await snapshot(conversation, thing_id)


class Snapshots:
    """The snapshots of the kinds there are; both sides may show each."""

    def __init__(self, commerce: Commerce) -> None:
        self._catalog = commerce.catalog
        self._orders = commerce.orders
        self._marketing = commerce.marketing
        self._cases = commerce.cases
        self._members = commerce.gate.members

    def by_kind(self) -> dict[CardKind, Snapshot]:
        """A new kind joins here by one line."""
        return {
            "product": self._product,
            "order": self._order,
            "coupon": self._coupon,
            "aftersale": self._aftersale,
        }

    async def _product(self, conversation: Conversation, product_id: str) -> Body | None:
        try:
            product, _ = await self._catalog.product(product_id)
        except NotFound:
            return None
        if not _fits(conversation, product.shop_id):
            return None
        return Body(
            id=product.id,
            title=product.title[:200],
            price_fen=product.price_fen,
            picture=f"{product.picture.seed}/{product.picture.hue}",
        )

    async def _order(self, conversation: Conversation, order_id: str) -> Body | None:
        order = await self._orders.bought(await self._buyer(conversation), order_id)
        if order is None or not _fits(conversation, order.shop_id):
            return None
        line = order.lines[0]
        picture = f"{line.picture.seed}/{line.picture.hue}"
        return Body(id=order.id, title=line.title[:200], price_fen=order.payable_fen, picture=picture)

    async def _coupon(self, conversation: Conversation, campaign_id: str) -> Body | None:
        """A campaign, to be claimed where the card leads: value or share off, and from which spend."""
        try:
            found = await self._marketing.one(campaign_id)
        except NotFound:
            return None
        if not _fits(conversation, found.shop_id):
            return None
        terms = found.terms
        return Body(
            id=found.id,
            title=found.title,
            price_fen=terms.value_fen or None,
            n=terms.off_bp or None,
            min_fen=terms.min_spend_fen or None,
        )

    async def _aftersale(self, conversation: Conversation, case_id: str) -> Body | None:
        case = await self._cases.opened_by(await self._buyer(conversation), case_id)
        if case is None or not _fits(conversation, case.shop_id):
            return None
        line = case.lines[0]
        picture = f"{line.picture.seed}/{line.picture.hue}"
        return Body(id=case.id, title=line.title[:200], price_fen=case.amount_fen, picture=picture, ev=case.state)

    async def _buyer(self, conversation: Conversation) -> str:
        """Guests have no orders: a conversation begun as one shows those of the member he has become."""
        buyer_id = conversation.buyer_id
        return (await self._members.behind([buyer_id])).get(buyer_id, buyer_id)


def _fits(conversation: Conversation, shop_id: str) -> bool:
    return conversation.shop_id in {shop_id, PLATFORM_SHOP}


class Watching:
    """Who may be told that a thing has changed: the same people who may fetch it."""

    def __init__(self, shops: ShopService, orders: OrderService, codes: Codes, desk: DeskWatching) -> None:
        self._shops = shops
        self._orders = orders
        self._codes = codes
        self._desk = desk

    async def may_watch(self, who: Party, topic: str, thing_id: str) -> bool:
        """Whether `who` may subscribe to notices of `topic` about `thing_id`."""
        try:
            if topic in {"case", "desk", "board"}:
                return await self._desk.may_watch(who, topic, thing_id)
            if isinstance(who, Buyer):
                return await self._buyer_may(who, topic, thing_id)
            return topic == "till" and await self._charges_at(who, thing_id)
        except NotFound:
            return False

    async def _buyer_may(self, buyer: Buyer, topic: str, thing_id: str) -> bool:
        if topic == "order":
            await self._orders.of(buyer, thing_id)
            return True
        if topic == "voucher":
            await self._codes.one(buyer, thing_id)
            return True
        return False

    async def _charges_at(self, staff: Staff, till_id: str) -> bool:
        for grant in staff.grants:
            if Right.CHARGE in grant.rights:
                tills = await self._shops.tills(grant.shop_id)
                if any(till.id == till_id and grant.branch_id in {None, till.branch_id} for till in tills):
                    return True
        return False


class BranchesOfShops:
    """Branches, as the write-off asks for them."""

    def __init__(self, shops: ShopService) -> None:
        self._shops = shops

    async def known(self, shop_id: str, branch_id: str) -> bool:
        """Whether the branch belongs to the shop."""
        return any(branch.id == branch_id for branch in await self._shops.branches(shop_id))


class VouchersOfOrders:
    """Unused uses of orders, as after-sale asks for them."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    async def unused(self, at: Place, order_id: str) -> list[Unused]:
        """What could be used now."""
        found = await self._issuer.unused(at, order_id)
        return [
            Unused(voucher_id=one.id, line_id=one.line_id, uses=one.uses_left, valid_until=one.valid_until)
            for one in found
        ]

    async def worth_fen(self, at: Place, voucher_id: str, uses: int) -> Fen:
        """The paid share of so many of them."""
        return await self._issuer.worth_fen(at, voucher_id, uses)

    async def freeze(self, tx: Transaction, voucher_id: str, uses: int) -> Fen:
        """Set aside for a refund."""
        return await self._issuer.freeze(tx, voucher_id, uses)

    async def unfreeze(self, tx: Transaction, voucher_id: str, uses: int, amount_fen: Fen) -> None:
        """To be used after all."""
        await self._issuer.unfreeze(tx, voucher_id, uses, amount_fen)

    async def refunded(self, tx: Transaction, voucher_id: str, uses: int) -> None:
        """Paid back."""
        await self._issuer.refunded(tx, voucher_id, uses)
