"""fsck of visitors: a visit is bounded, masked, and of a conversation between that person and that shop."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.acquaintance import Acquaintance
from octshop_rt.im.visitor import rules, store


async def _visits(db: Database) -> AsyncIterator[Finding]:
    async for row in store.all_visits(db):
        shop_id = await Acquaintance(db).shop_of(row.id)
        if shop_id != row.shop_id:
            found = "none" if shop_id is None else f"one with {shop_id}"
            yield Finding(check="F79", object_id=row.id, expected=f"a conversation with {row.shop_id}", found=found)
        if not 1 <= len(row.pages) <= rules.MOST_PAGES:
            expected = f"1 to {rules.MOST_PAGES} pages"
            yield Finding(check="F79", object_id=row.id, expected=expected, found=str(len(row.pages)))
        if any(rules.page(page.path) != page.path or rules.masked(page.title) != page.title for page in row.pages):
            yield Finding(check="F79", object_id=row.id, expected="no numbers of phones", found="one")


CHECKS: tuple[Check, ...] = (
    Check(id="F79", text="A visit is of a conversation with that shop, short, and holds no phone number", run=_visits),
)
