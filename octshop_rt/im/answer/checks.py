"""What always holds of automatic answers: for fsck, fault tests and operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

from octshop_rt.core.clock import MINUTE
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database
from octshop_rt.im.answer import store

_IN_HAND_MS = 10 * MINUTE


async def _votes(db: Database) -> AsyncIterator[Finding]:
    """F100: the counters of a question are the votes on its answers."""
    votes: Counter[tuple[str, bool]] = Counter()
    async for given in store.GIVEN.scan(db, {}):
        if given.by == "faq" and given.faq_ids and given.helpful is not None:
            votes[given.faq_ids[0], given.helpful] += 1
    async for faq in store.FAQS.scan(db, {}):
        counted = (votes[faq.id, True], votes[faq.id, False])
        if counted != (faq.helpful, faq.unhelpful):
            yield Finding(
                check="F100", object_id=faq.id, expected=f"votes {counted}", found=f"{(faq.helpful, faq.unhelpful)}"
            )


async def _ended(db: Database) -> AsyncIterator[Finding]:
    """F101: no answer that was begun lies about: the sweep takes it over after seconds."""
    async for given in store.GIVEN.scan(db, {"until": {"$gt": 0, "$lte": await db.time() - _IN_HAND_MS}}):
        yield Finding(check="F101", object_id=given.id, expected="ended or taken over", found=f"open since {given.at}")


async def _offered(db: Database) -> AsyncIterator[Finding]:
    """F102: what a welcome offers is there."""
    async for row in store.SETTINGS.scan(db, {}):
        offered = {faq_id for one in row.welcomes for faq_id in one.questions}
        for faq_id in sorted(offered - {one.id for one in await store.faqs(db, row.id)}):
            yield Finding(check="F102", object_id=row.id, expected=f"question {faq_id}", found="none")


CHECKS: tuple[Check, ...] = (
    Check(id="F100", text="a question's counters are the votes on its answers", run=_votes),
    Check(id="F101", text="no automatic answer stays half given", run=_ended),
    Check(id="F102", text="welcome texts offer questions that exist", run=_offered),
)
