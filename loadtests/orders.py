"""Orders from checkout to voucher: closed loop against one server process; the data is audited after.

The server, mongod and this load (with the simulated channel) are processes of their own on one machine. fsck must be
clean at the end, and every acknowledged order must be in the store exactly once.

Run: `python loadtests/orders.py [--buyers 24] [--seconds 20]`
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import aiohttp
from rich.console import Console
from rich.progress import Progress

from loadtests.chaos import installation, settle
from loadtests.chaos_people import History, Insistent, enter
from loadtests.report import Figure, percentile, tell
from octshop_rt.core.clock import monotonic_ms
from octshop_rt.core.settings import Settings

POLL_SECONDS = 0.02


class Buyers:
    """Everybody who buys at once, and what came of it."""

    def __init__(self, http: aiohttp.ClientSession, gateway: str, history: History) -> None:
        self._http = http
        self._gateway = gateway
        self._history = history
        self.ready_ms: list[int] = []

    async def buy(self, buyer: Insistent, sku: dict[str, Any]) -> None:
        """Check out, pay on the phone, wait for the voucher."""
        began = monotonic_ms()
        request_id = secrets.token_hex(12)
        lines = [{"sku_id": sku["id"], "quantity": 1}]
        wish = {"request_id": request_id, "lines": lines, "fulfilment": "in_store"}
        status, bought = await buyer.ask("POST", "/buyer/orders", {**wish, "expected_payable_fen": sku["price_fen"]})
        assert status == 201, bought
        self._history.orders[request_id] = bought["group_id"]
        order = bought["orders"][0]
        wish = {"request_id": secrets.token_hex(12), "order_ids": [order["id"]]}
        status, opened = await buyer.ask("POST", "/buyer/payments", wish)
        assert status == 201, opened
        decision = {"code_url": opened["code_url"], "decision": "pay"}
        async with self._http.post(f"{self._gateway}/phone/api/confirm", json=decision) as answer:
            assert answer.ok, await answer.text()
        while True:
            _, page = await buyer.ask("GET", f"/buyer/vouchers?order_id={order['id']}")
            if page["items"]:
                break
            await asyncio.sleep(POLL_SECONDS)
        self.ready_ms.append(monotonic_ms() - began)


async def sell(
    http: aiohttp.ClientSession, origin: str, gateway: str, settings: Settings, history: History, chosen: Any
) -> tuple[Buyers, float]:
    """Buyers in a closed loop for some seconds; orders per second."""
    buyers = Buyers(http, gateway, history)
    people: list[Insistent] = []
    for number in range(chosen.buyers):
        phone = f"187{number:08d}"
        await enter(settings, phone)
        one = Insistent(http, [origin], history)
        await one.sign_in("buyer", phone)
        people.append(one)
    _, page = await people[0].ask("GET", "/buyer/products")
    details = [(await people[0].ask("GET", f"/buyer/products/{one['id']}"))[1] for one in page["items"]]
    skus = [sku for product in details for sku in product["skus"] if sku["available"] > 50]
    began, until = monotonic_ms(), monotonic_ms() + int(chosen.seconds * 1000)

    async def loop(number: int, buyer: Insistent) -> None:
        turn = number
        while monotonic_ms() < until:
            await buyers.buy(buyer, skus[turn % len(skus)])
            turn += len(people)

    await asyncio.gather(*(loop(number, buyer) for number, buyer in enumerate(people)))
    return buyers, len(buyers.ready_ms) * 1000 / (monotonic_ms() - began)


def figures(rate: float, ready_ms: list[int]) -> list[Figure]:
    """What is told."""
    return [
        Figure("orders, checkout to voucher", round(rate, 1), "/s"),
        Figure("checkout to voucher, p50", percentile(ready_ms, 50), "ms"),
        Figure("checkout to voucher, p99", percentile(ready_ms, 99), "ms"),
    ]


@asynccontextmanager
async def spoken(words: str) -> AsyncGenerator[None]:
    """A line that moves while one measures."""
    with Progress(transient=True) as progress:
        progress.add_task(words, total=None)
        yield


async def run(chosen: argparse.Namespace) -> int:
    """Measure, audit, print, write; 0 if the audit is clean."""
    history = History()
    with tempfile.TemporaryDirectory(prefix="octshop-bench-") as place:
        async with installation(Path(place), 1) as (nodes, settings, gateway), aiohttp.ClientSession() as http:
            await nodes[0].ready(http)
            async with spoken("orders"):
                buyers, rate = await sell(http, nodes[0].origin, gateway, settings, history, chosen)
            counts, violations = await settle(settings)
            violations += await history.contradictions(settings)
    told = [*figures(rate, buyers.ready_ms)]
    told.append(Figure("violations after the run", len(violations), "", "0", not violations and not counts["parked"]))
    tell("orders", told, about=f"{chosen.buyers} buyers")
    for violation in violations:
        Console().print(violation, style="red", markup=False)
    return 1 if violations else 0


def main() -> None:
    """Parse, run, exit."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--buyers", type=int, default=24)
    arguments.add_argument("--seconds", type=float, default=20)
    raise SystemExit(asyncio.run(run(arguments.parse_args())))


if __name__ == "__main__":
    main()
