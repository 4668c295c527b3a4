"""Scans: how many a second a node looks up and writes off, how long a clerk waits, and that no use happens twice.

Server, load and mongod are processes of their own on one machine. Latency is open-loop, from the intended moment of the
clerk's confirming. Afterwards fsck runs over vouchers and books.

Run: `python loadtests/scans.py [--seconds 5] [--rate 100]`, with OCTSHOP_TEST_MONGO_URI set or on a private mongod.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import secrets
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import aiohttp

from loadtests.report import Figure, at_least, at_most, measure, percentile
from loadtests.scans_server import KEY, KEYS, SHOP, Clerks
from octshop_rt.commerce.ledger import checks as ledger_checks
from octshop_rt.commerce.ledger import postings
from octshop_rt.commerce.ledger.model import AccountKind
from octshop_rt.commerce.ledger.service import Ledger
from octshop_rt.core import mongo, outbox
from octshop_rt.core.auth.model import Audience, Device
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import DAY, Clock
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.core.settings import MongoSettings
from octshop_rt.events import OrderPaid, PaidLine, Scope
from octshop_rt.verify import checks, store, token
from octshop_rt.verify.issue import Issuer
from octshop_rt.verify.model import Voucher

PREFIX = "bench_scans"
PAID_FEN = 1_990
CLERKS = 32
URL = f"/api/v1/shop/{SHOP}"
Ask = Callable[[int, str, dict[str, Any]], Awaitable[tuple[int, dict[str, Any]]]]


@asynccontextmanager
async def server(uri: str) -> AsyncGenerator[int]:
    """A server process; yields its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.scans_server", uri, PREFIX,
        cwd=Path(__file__).parents[1], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    lines = process.stdout
    while not (line := await asyncio.wait_for(lines.readline(), 30)).strip().isdigit():
        assert line, "the server did not start"

    async def drain() -> None:
        while await lines.readline():
            pass

    draining = asyncio.create_task(drain())
    try:
        yield int(line)
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)
        await draining


async def sell(db: Database, clock: Clock, count: int) -> list[Voucher]:
    """`count` paid orders of one use each, in the books and with their vouchers."""
    ids = Ids(clock)
    issuer, ledger = Issuer(clock=clock, ids=ids, outbox=Outbox(clock, ids)), Ledger(clock=clock, ids=ids)
    scope = Scope(merchant_id="M1", shop_id=SHOP)
    for first in range(0, count, 20):

        async def work(tx: Transaction, first: int = first) -> None:
            for number in range(first, min(first + 20, count)):
                now = clock.now()
                line = PaidLine(
                    line_id=f"L{number}", sku_id="K1", title="拿铁", spec="", quantity=1, paid_fen=PAID_FEN,
                    valid_from=now - DAY, valid_until=now + DAY,
                )  # fmt: skip
                event = OrderPaid(
                    order_id=f"O{number}", buyer_id="U1", scope=scope, fulfilment="in_store", lines=(line,),
                    payment_id="Y1", paid_at=now,
                )  # fmt: skip
                await issuer.on_order_paid(tx, event)
            part = postings.Part(
                shop_id=SHOP,
                amount_fen=PAID_FEN * (min(first + 20, count) - first),
                pending=AccountKind.VOUCHER_UNREDEEMED,
            )
            paid = postings.payment_received(
                attempt_id=f"A{first}", channel="wechat", channel_account="bench", parts=[part], at=clock.now()
            )
            await ledger.post(tx, paid)

        await db.transact(work)
    return await store.VOUCHERS.many(db, {"shop_id": SHOP})


def shown(voucher: Voucher, clock: Clock) -> str:
    return token.show(KEYS, number=voucher.number, code_rev=voucher.code_rev, now=clock.now()).digits


def confirm(voucher: Voucher, clock: Clock) -> dict[str, Any]:
    return {"request_id": secrets.token_hex(12), "text": shown(voucher, clock), "uses": 1}


async def closed_loop(lanes: int, seconds: float, once: Callable[[int], Awaitable[None]]) -> float:
    """How many `once` a second `lanes` clerks get done."""
    until, done = time.perf_counter() + seconds, 0

    async def lane(number: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await once(number)
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*(lane(number) for number in range(lanes)))
    return done / (time.perf_counter() - began)


async def open_loop(rate: int, seconds: float, once: Callable[[int], Awaitable[None]]) -> list[float]:
    """Milliseconds from the intended moment to the answer."""
    waits: list[float] = []
    began = time.perf_counter()

    async def at(number: int) -> None:
        intended = began + number / rate
        await asyncio.sleep(max(0.0, intended - time.perf_counter()))
        await once(number % CLERKS)
        waits.append((time.perf_counter() - intended) * 1000)

    await asyncio.gather(*(at(number) for number in range(int(rate * seconds))))
    return waits


async def figures_of(ask: Ask, clock: Clock, vouchers: list[Voucher], chosen: argparse.Namespace) -> list[Figure]:
    fresh, looked_at = iter(vouchers), itertools.cycle(vouchers[-200:])

    async def write_off(clerk: int) -> None:
        status, answer = await ask(clerk, "/redemptions", confirm(next(fresh), clock))
        assert status == 201, answer

    async def look(clerk: int) -> None:
        status, answer = await ask(clerk, "/scans", {"text": shown(next(looked_at), clock)})
        assert status == 200, answer

    one = next(fresh)
    wishes = [confirm(one, clock) for _ in range(64)]
    answers = await asyncio.gather(*(ask(number % CLERKS, "/redemptions", wish) for number, wish in enumerate(wishes)))
    won = sum(status == 201 for status, _ in answers)
    figures = [Figure("64 clerks, one use: how many got it", won, "", "1", won == 1)]
    scans = await closed_loop(CLERKS, chosen.seconds, look)
    figures.append(at_least(f"scans looked up and audited, {CLERKS} clerks", scans, "/s", 100))
    offs = await closed_loop(CLERKS, chosen.seconds, write_off)
    figures.append(at_least(f"write-offs, {CLERKS} clerks", offs, "/s", 100))
    waits = await open_loop(chosen.rate, chosen.seconds, write_off)
    figures.append(at_most(f"write-off at {chosen.rate}/s, p50", percentile(waits, 50), "ms", 50))
    figures.append(at_most(f"write-off at {chosen.rate}/s, p99", percentile(waits, 99), "ms", 200))
    return figures


async def audit(db: Database) -> Figure:
    """Wait for the books, then fsck."""
    for _ in range(600):
        if not await outbox.ROWS.count(db, {"state": "waiting", "type": "VoucherUsed"}):
            break
        await asyncio.sleep(0.1)
    report = await examine(db, [*checks.CHECKS, *ledger_checks.CHECKS])
    redeemed = await store.REDEMPTIONS.count(db, {})
    booked = [ref async for ref in ledger_checks.booked(db, postings.PostingKind.WRITE_OFF)]
    if not report.clean or len(booked) != redeemed:
        message = f"fsck: {report.findings[:5]}; {redeemed} redeemed, {len(booked)} booked"
        raise SystemExit(message)
    return Figure("write-offs found in the books, fsck clean", redeemed, "", "all", ok=True)


async def run(uri: str, chosen: argparse.Namespace) -> list[Figure]:
    clock = Clock()
    db = Database.connect(MongoSettings(uri=uri, prefix=PREFIX))
    await db.drop()
    await db.create_indexes(mongo.declared)
    vouchers = await sell(db, clock, chosen.vouchers)
    sessions = Sessions(db=db, bus=LocalBus(), clock=clock, ids=Ids(clock), people=Clerks(), resume_key=KEY)
    device = Device(id="bench", name="bench", bearer=True)
    opened = [await sessions.open(Audience.STAFF, f"U{number}", device) for number in range(CLERKS)]
    async with server(uri) as port, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256)) as http:

        async def ask(clerk: int, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            headers = {"Authorization": f"Bearer {opened[clerk].token}"}
            async with http.post(f"http://127.0.0.1:{port}{URL}{path}", json=body, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None)

        figures = await figures_of(ask, clock, vouchers, chosen)
        figures.append(await audit(db))
    sessions.close()
    await db.drop()
    await db.close()
    return figures


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=5)
    arguments.add_argument("--rate", type=int, default=100)
    arguments.add_argument("--vouchers", type=int, default=6_000)
    chosen = arguments.parse_args()
    measure("scans", lambda uri: run(uri, chosen))


if __name__ == "__main__":
    main()
