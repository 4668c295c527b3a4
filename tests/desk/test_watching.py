"""Who may watch a case, a desk and a board: exactly those who may fetch them."""

from __future__ import annotations

from octshop_rt.core.clock import TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.model import Party
from octshop_rt.im.desk.watching import DeskWatching
from tests.desk.kit import MANAGER, SHOP, buyer, node, staff


async def test_topics_of_the_desk_are_for_those_who_may_fetch_them(db: Database, clock: TestClock) -> None:
    async with node(db, clock, works=False) as one:
        case = await one.asks("B1")
        await one.sits("U1")
    people: dict[str, Party] = {
        "own buyer": buyer("B1"), "other buyer": buyer("B2"), "agent": staff("U1"), "colleague": staff("U2"),
        "other shop": staff("U3", "S2", rights=MANAGER), "no right": staff("U4", rights=frozenset()),
        "manager": staff("U5", rights=MANAGER),
    }  # fmt: skip
    things = {("case", case.id): {"own buyer", "agent", "colleague", "manager"},
              ("case", "Zmissing"): set[str](),
              ("desk", f"{SHOP}:U1"): {"agent", "manager"},
              ("desk", "nonsense"): set[str](),
              ("board", SHOP): {"manager"},
              ("till", "T1"): set[str]()}  # fmt: skip
    watching = DeskWatching(db)
    for (topic, thing_id), allowed in things.items():
        seen = {name for name, who in people.items() if await watching.may_watch(who, topic, thing_id)}
        assert seen == allowed, (topic, thing_id)
