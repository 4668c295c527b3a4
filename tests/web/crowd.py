"""Long histories and many conversations, written straight into the log of a running product."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

from octshop_rt.cli.place import database
from octshop_rt.core.clock import DAY, Clock, TestClock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.model import Conversation, Entry
from octshop_rt.im.wire.fields import Body, Role
from tests.web.conftest import Product

_STEP = 1_000
_AGO = 20 * DAY  # so long ago that no part of the desk takes them for news


def history(product: Product, c: str, count: int, staff_id: str) -> None:
    """The log of `c` goes on with `count` lines of an old talk between its buyer and this agent."""

    async def write(db: Database) -> None:
        talk = await store.conversation(db, c)
        assert talk is not None
        tail = await store.tail(db, c)
        ids = Ids(TestClock(Clock().now() - _AGO))
        rows = [_line(ids, c, tail + n, talk.buyer_id if n % 3 else staff_id, n) for n in range(1, count + 1)]
        for at in range(0, count, _STEP):
            await store.append(db, rows[at : at + _STEP])

    with_database(product, write)


def conversations(product: Product, shop_id: str, count: int) -> None:
    """So many buyers have written one line each to this shop."""

    async def write(db: Database) -> None:
        now = Clock().now() - _AGO
        ids = Ids(TestClock(now))
        talks = [
            Conversation(id=ids.new("C"), merchant_id="M", shop_id=shop_id, buyer_id=ids.new("U"), created_at=now)
            for _ in range(count)
        ]
        for talk in talks:
            await store.add_conversation(db, talk)
        rows = [_line(ids, talk.id, 1, talk.buyer_id, n) for n, talk in enumerate(talks, 1)]
        await store.append(db, rows)

    with_database(product, write)


def _line(ids: Ids, c: str, s: int, who: str, n: int) -> Entry:
    role: Role = "buyer" if n % 3 else "staff"
    text = f"第 {n} 句" + "，说得长一些就会换行" * (n % 7)
    said = Body(text=text)
    moment = Clock().now() - _AGO + n * 20_000
    return Entry(id=ids.new("E"), c=c, s=s, f=who, fr=role, m=ids.new("Z"), k="text", b=said, ts=moment, h="")


def with_database(product: Product, work: Callable[[Database], Awaitable[None]]) -> None:
    """In a thread of its own: Playwright's loop runs in this one."""
    faults: list[BaseException] = []

    async def run() -> None:
        async with database(None, product.data) as db:
            await work(db)

    def main() -> None:
        try:
            asyncio.run(run())
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=main)
    thread.start()
    thread.join(120)
    if faults:
        raise faults[0]
