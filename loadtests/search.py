"""Search over 50,000 messages of one shop: how fast the index follows the log, and how fast words are found.

`OCTSHOP_TEST_MONGO_URI=… python loadtests/search.py`. Prints rows per second (the index takes half of one task's time,
chat comes first), client CPU a row, and the median of 20 searches each.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from octshop_rt.core import mongo
from octshop_rt.core.auth.model import Right, ShopStaff
from octshop_rt.core.clock import TestClock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from octshop_rt.im.conversation import store as log_store
from octshop_rt.im.conversation.model import Conversation, Entry
from octshop_rt.im.insight.indexing import Indexer
from octshop_rt.im.insight.search import Search, Wanted
from octshop_rt.im.wire.fields import Body

ROWS = 50_000
WORDS = """退款 物流 发货 尺码 颜色 优惠 发票 地址 快递 顺丰 什么时候 可以 我的订单 谢谢 在吗 请问 有没有 大码 质量 问题
换货 客服 电话 明天 今天 收到 坏了 包装 好评""".split()  # noqa: SIM905  (read as a person writes them)
ASKED = ("退款", "退款 顺丰 发票", str(ROWS - 77), "王小花", "什么时候可以发货")


async def fill(db: Database) -> None:
    """A hundred conversations of one shop."""
    chance = random.Random(7)
    clock = TestClock()
    ids = Ids(clock)
    talks = [
        Conversation(id=ids.new("C"), merchant_id="M1", shop_id="S1", buyer_id=f"U-{number}", created_at=clock.now())
        for number in range(100)
    ]
    for talk in talks:
        await log_store.add_conversation(db, talk)
    heads = dict.fromkeys((talk.id for talk in talks), 0)
    rows: list[Entry] = []
    for number in range(ROWS):
        c = chance.choice(talks).id
        heads[c] += 1
        clock.advance(7)
        body = Body(text="".join(chance.choices(WORDS, k=8)) + str(number))
        rows.append(
            Entry(id=ids.new("E"), c=c, s=heads[c], f="U", fr="buyer", m=f"m-{number:020d}", k="text", b=body,
                  ts=clock.now(), h="")
        )  # fmt: skip
    for at in range(0, ROWS, 1_000):
        await log_store.append(db, rows[at : at + 1_000])


async def main() -> None:
    """Fill, index, search, drop."""
    uri = os.environ["OCTSHOP_TEST_MONGO_URI"]
    db = Database.connect(MongoSettings(uri=uri, prefix=f"search{os.getpid()}"))
    try:
        await db.create_indexes(mongo.declared)
        await fill(db)
        began, cpu = time.perf_counter(), time.process_time()
        added = await Indexer(db, TestClock(), "bench").sweep()
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        print(f"indexed {added} messages: {added / took:.0f}/s, {cpu / added * 1e6:.0f} us client CPU each")
        agent = ShopStaff(
            session_id="N", person_id="U-a", name="a", merchant_id="M1", shop_id="S1", branch_id=None,
            rights=frozenset({Right.CHAT}),
        )  # fmt: skip
        for text in ASKED:
            times: list[float] = []
            hits = 0
            for _ in range(20):
                began = time.perf_counter()
                hits = len((await Search(db).find(agent, Wanted(text=text)))[0])
                times.append((time.perf_counter() - began) * 1e3)
            print(f"{text}: {hits} hits on the first page, median {statistics.median(times):.1f} ms")
    finally:
        await db.drop()
        await db.close()


if __name__ == "__main__":
    asyncio.run(main())
