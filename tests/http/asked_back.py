"""After-sale for the matrix: each buyer has an order with an open case, and one that is there to be asked back."""

from __future__ import annotations

from typing import Any, Protocol


class Asking(Protocol):
    """What this needs of the world."""

    ids: dict[str, str]

    def request_id(self) -> str: ...

    async def must(self, name: str, method: str, path: str, body: Any = None) -> Any: ...

    async def voucher(self, buyer: str, sku: str) -> Any: ...


async def cases(world: Asking) -> None:
    """Enter them through the doors, as people would."""
    for buyer, sku in (("buyer_a", "K1"), ("buyer_b", "K3")):
        world.ids[f"asked_{buyer[-1]}"] = (await world.voucher(buyer, sku))["order_id"]
        world.ids[f"aftersale_{buyer[-1]}"] = await ask(world, buyer, (await world.voucher(buyer, sku))["order_id"])


async def ask(world: Asking, buyer: str, order_id: str) -> str:
    """A case: the buyer wants all of an unused order back."""
    body = {"request_id": world.request_id(), "order_id": order_id, "reason": "no_time", "expected_fen": 1990}
    return str((await world.must(buyer, "POST", "/buyer/aftersales", body))["id"])


async def nothing_asked(world: Asking, buyer: str) -> str:
    """The buyer's order that is there to be asked back, with no case open."""
    order_id = world.ids[f"asked_{buyer[-1]}"]
    for one in (await world.must(buyer, "GET", f"/buyer/aftersales?order_id={order_id}"))["items"]:
        if one["open"]:
            await world.must(buyer, "POST", f"/buyer/aftersales/{one['id']}/withdraw")
    return order_id
