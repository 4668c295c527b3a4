"""fsck of push: a spell is of words that were said, in the fields of its state; a device can be reached and read."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.hindsight import Hindsight
from octshop_rt.im.conversation.reading import Log
from octshop_rt.im.push import rules, sealing, store
from octshop_rt.im.push.model import Spell


async def _spells(db: Database) -> AsyncIterator[Finding]:
    hindsight, log = Hindsight(db), Log(db)
    async for row in store.SPELLS.scan(db, {}):
        of = (await hindsight.conversations([row.c])).get(row.c)
        if of is None or (of.shop_id, of.buyer_id) != (row.shop_id, row.buyer_id) or row.id != f"{row.c}:{row.side}":
            expected = f"a side of a conversation of {row.buyer_id} with {row.shop_id}"
            yield Finding(check="F95", object_id=row.id, expected=expected, found="another or none")
        elif row.s > (head := await log.head(row.c)):
            yield Finding(check="F95", object_id=row.id, expected=f"s <= {head}", found=str(row.s))
        if fault := untrue(row):
            yield Finding(check="F95", object_id=row.id, expected=f"the fields of {row.state}", found=fault)


def untrue(row: Spell) -> str:
    """What is wrong between the fields of a spell, empty if nothing is."""
    if not 0 <= row.told_s <= row.s:
        return f"told of {row.told_s}, heard {row.s}"
    if (row.told_s > 0) != (row.told_at is not None):
        return f"told of {row.told_s} at {row.told_at}"
    if row.state == "told" and not row.told_s:
        return "told of nothing"
    if (row.state == "waiting") != (row.due_at is not None):
        return f"due at {row.due_at}"
    if row.state != "waiting" and row.away_at is not None:
        return f"away since {row.away_at}"
    return ""


async def _devices(db: Database) -> AsyncIterator[Finding]:
    async for row in store.SUBSCRIPTIONS.scan(db, {}):
        if row.id != rules.fingerprint(row.endpoint):
            yield Finding(check="F96", object_id=row.id, expected="the endpoint's fingerprint", found="another's")
        if not sealing.is_key(row.p256dh, row.auth):
            yield Finding(check="F96", object_id=row.id, expected="a browser's key", found="none")


CHECKS: tuple[Check, ...] = (
    Check(id="F95", text="An unread spell is of words that were said, and has the fields of its state", run=_spells),
    Check(id="F96", text="A device to be told is kept under its endpoint, with a key of P-256", run=_devices),
)
