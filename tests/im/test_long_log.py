"""One conversation with very many entries: a page costs what the page holds, wherever it lies. The long form, with
1,000,000 and a clock, is loadtests/soak_log.py.
"""

from __future__ import annotations

from typing import Any

from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.conversation.rules import MOST_LOOKED
from octshop_rt.im.wire.fields import Body
from tests.im.kit import Town, enter, running

MANY = 50_000
PAGE = 50
_OF_THE_DRIVER = {"lsid", "$clusterTime", "$db", "$readPreference", "txnNumber", "readConcern"}


class Reads(CommandListener):
    """The questions asked of the log."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def started(self, event: CommandStartedEvent) -> None:
        command = event.command
        if event.command_name in {"find", "aggregate"} and command[event.command_name] == "entries":
            kept = {name: value for name, value in command.items() if name not in _OF_THE_DRIVER}
            self.asked.append((event.database_name, kept))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Not needed."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Not needed."""


async def examined(uri: str, reads: Reads) -> list[tuple[int, int]]:
    """Keys and documents each question looks at, asked again with explain."""
    found: list[tuple[int, int]] = []
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        for database, command in reads.asked:
            told = await client[database].command("explain", command, verbosity="executionStats")
            stats = told.get("executionStats") or told["stages"][0]["$cursor"]["executionStats"]
            found.append((stats["totalKeysExamined"], stats["totalDocsExamined"]))
    return found


async def test_a_page_costs_the_same_at_head_middle_and_tail_of_a_long_log(
    db: Database, mongo_uri: str
) -> None:  # acceptance 26
    reads = Reads()
    watched = Database.connect(MongoSettings(uri=mongo_uri, prefix=db._prefix), [reads])
    town = Town()
    town.open_shop("S1", "agent-1")
    async with running(watched, town) as node:
        buyer = await enter(node, "buyer-1")
        agent = await enter(node, "agent-1", staff=True)
        c = await buyer.open("S1")
        for first in range(1, MANY, 5_000):
            await store.append(db, [line(c, s) for s in range(first, first + 5_000)])
        for start in (1, MANY // 2, MANY - PAGE + 1):
            reads.asked.clear()
            page = await buyer.pull(c, **{"from": start, "n": PAGE})
            assert [ent["s"] for ent in page["ents"]] == list(range(start, start + PAGE))
            assert reads.asked
            for keys, documents in await examined(mongo_uri, reads):
                assert keys <= PAGE + 2, start
                assert documents <= PAGE + 1, start
        reads.asked.clear()
        assert (await buyer.pull(c, n=PAGE, rev=True))["ents"][-1]["s"] == MANY
        (known,) = await buyer.sync({c: MANY - 10})
        (listed,) = await agent.sync(per=20)
        assert (len(known["ents"]), known["unread"]) == (10, 100)
        assert (listed["head"], listed["ents"][-1]["s"]) == (MANY, MANY)
        assert (await agent.say(c, "and on"))["s"] == MANY + 1
        assert reads.asked
        assert max(await examined(mongo_uri, reads)) <= (MOST_LOOKED + 2, MOST_LOOKED + 2)  # the agent's unread words
        await buyer.close()
        await agent.close()
    await watched.close()


async def test_a_sync_of_many_conversations_asks_few_questions(db: Database, mongo_uri: str) -> None:  # acceptance 15
    reads = Reads()
    watched = Database.connect(MongoSettings(uri=mongo_uri, prefix=db._prefix), [reads])
    town = Town()
    shops = [town.open_shop(f"S{number}", "agent-1") for number in range(16)]
    async with running(watched, town) as node:
        buyer = await enter(node, "buyer-1")
        agent = await enter(node, "agent-1", staff=True)
        cs = [await buyer.open(shop) for shop in shops]
        for number, c in enumerate(cs):
            for said in range(number + 1):
                await agent.say(c, f"{said}")
        reads.asked.clear()
        found = {one["c"]: one for one in await buyer.sync(per=4)}
        assert [found[c]["unread"] for c in cs] == list(range(1, 17))
        assert [[ent["s"] for ent in found[c]["ents"]] for c in cs] == [
            list(range(max(1, head - 3), head + 1)) for head in range(1, 17)
        ]
        assert len(reads.asked) == 3  # heads, pages, unread: of all sixteen
        await buyer.close()
        await agent.close()
    await watched.close()


def line(c: str, s: int) -> Entry:
    return Entry(
        id=f"E{s:012}", c=c, s=s, f="agent-1", fr="staff", m=f"message-{s:012}", k="text", ts=1, h="",
        b=Body(text="请问还有什么可以帮您?"),
    )  # fmt: skip
