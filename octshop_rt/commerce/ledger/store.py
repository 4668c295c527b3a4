"""Journals, kept balances and holds in MongoDB. Nothing outside this domain writes here; journals are only added."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

from msgspec import Struct

from octshop_rt.commerce.ledger.model import (
    HOLD_LIFE,
    AccountName,
    Balance,
    Entry,
    Hold,
    HoldState,
    Journal,
    Side,
)
from octshop_rt.core.clock import Millis
from octshop_rt.core.money import Fen, SignedFen
from octshop_rt.core.mongo import Collection, Place, index

# One document holds all legs of a posting, so a posting is one write and can never stand half.
JOURNALS = Collection(
    "trading",
    "ledger_journals",
    Journal,
    indexes=[
        index("ref", unique=True),
        index("entries.account", "effective_at"),
        index("hold_id", partial={"hold_id": {"$exists": True}}),
        index("scope.shop_id", "business_day", "kind"),
    ],
    shard_key=("ref",),
)

BALANCES = Collection("trading", "ledger_balances", Balance, shard_key=("_id",))

HOLDS = Collection(
    "trading",
    "ledger_holds",
    Hold,
    indexes=[index("ref", unique=True), index("account", "state"), index("state", "expires_at")],
    shard_key=("ref",),
)


class AccountSum(Struct, frozen=True):
    """Debits and credits of one account, summed over all JOURNALS."""

    account: AccountName
    debit_fen: Fen
    credit_fen: Fen


async def by_ref(at: Place, ref: str) -> Journal | None:
    return await JOURNALS.one(at, {"ref": ref})


async def by_id(at: Place, journal_id: str) -> Journal | None:
    return await JOURNALS.one(at, {"_id": journal_id})


async def of_hold(at: Place, hold_id: str) -> Journal | None:
    return await JOURNALS.one(at, {"hold_id": hold_id})


async def pages(at: Place, account: AccountName) -> list[Entry]:
    """The legs on a checked account in the order of its numbered pages, and those without a number first."""
    found = [
        entry
        async for journal in JOURNALS.scan(at, {"entries.account": account})
        for entry in journal.entries
        if entry.account == account
    ]
    return sorted(found, key=lambda entry: entry.seq or 0)


async def of_account(at: Place, account: AccountName, *, limit: int) -> list[Journal]:
    """Latest first."""
    return await JOURNALS.many(at, {"entries.account": account}, sort=[("effective_at", -1)], limit=limit)


async def add(at: Place, journal: Journal) -> None:
    await JOURNALS.insert(at, journal)


async def all_journals(at: Place) -> AsyncIterator[Journal]:
    async for journal in JOURNALS.scan(at, {}):
        yield journal


async def all_balances(at: Place) -> AsyncIterator[Balance]:
    async for balance in BALANCES.scan(at, {}):
        yield balance


async def all_holds(at: Place) -> AsyncIterator[Hold]:
    async for hold in HOLDS.scan(at, {}):
        yield hold


async def sums(at: Place, account: AccountName | None = None) -> list[AccountSum]:
    """Debits and credits per account; of one account alone if named."""
    wanted = [] if account is None else [{"$match": {"entries.account": account}}]
    rows = await JOURNALS.aggregate(
        at,
        [
            *wanted,
            {"$unwind": "$entries"},
            *wanted,
            {
                "$group": {
                    "_id": "$entries.account",
                    "debit_fen": {"$sum": _on_side(Side.DEBIT)},
                    "credit_fen": {"$sum": _on_side(Side.CREDIT)},
                }
            },
            {"$sort": {"_id": 1}},
        ],
    )
    return [
        AccountSum(row["_id"], cast("int", row["debit_fen"]), cast("int", row["credit_fen"]))
        for row in rows
        if isinstance(row["_id"], str)  # F81 names what else there is
    ]


async def kept_balance(at: Place, account: AccountName) -> Balance | None:
    return await BALANCES.one(at, {"_id": account})


async def grow(at: Place, account: AccountName, amount_fen: Fen, now: Millis) -> Balance | None:
    """Add to a kept balance; the first amount opens it."""
    return await BALANCES.change(
        at,
        {"_id": account},
        {
            "$inc": {"balance_fen": amount_fen, "seq": 1},
            "$set": {"changed_at": now},
            "$setOnInsert": {"held_fen": 0},
        },
        upsert=True,
    )


async def take(
    at: Place, account: AccountName, amount_fen: Fen, now: Millis, *, from_hold_fen: Fen = 0
) -> Balance | None:
    """Take from a kept balance what can be spent, plus what a hold being resolved sets free. None: not enough."""
    return await BALANCES.change(
        at,
        {
            "_id": account,
            "$expr": {"$gte": [_spendable(), amount_fen - from_hold_fen]},
            "held_fen": {"$gte": from_hold_fen},
        },
        {
            "$inc": {"balance_fen": -amount_fen, "held_fen": -from_hold_fen, "seq": 1},
            "$set": {"changed_at": now},
        },
    )


async def shift_held(at: Place, account: AccountName, delta_fen: SignedFen, now: Millis) -> bool:
    """Set more aside (positive: only what can be spent) or give back (negative: only what is held)."""
    room = {"$gte": [_spendable(), delta_fen]} if delta_fen > 0 else {"$gte": ["$held_fen", -delta_fen]}
    changed = await BALANCES.update(
        at, {"_id": account, "$expr": room}, {"$inc": {"held_fen": delta_fen}, "$set": {"changed_at": now}}
    )
    return changed == 1


async def hold_by_ref(at: Place, ref: str) -> Hold | None:
    return await HOLDS.one(at, {"ref": ref})


async def add_hold(at: Place, hold: Hold) -> None:
    await HOLDS.insert(at, hold)


async def resolve_hold(
    at: Place, ref: str, target: HoldState, *, captured_fen: Fen, reason: str, now: Millis
) -> Hold | None:
    """Move a hold to `target`; None if it was resolved before."""
    return await HOLDS.change(
        at,
        {"ref": ref, "state": {"$in": HOLD_LIFE.sources(target)}},
        {"$set": {"state": target, "captured_fen": captured_fen, "reason": reason, "resolved_at": now}},
    )


def _on_side(side: Side) -> dict[str, object]:
    return {"$cond": [{"$eq": ["$entries.side", side]}, "$entries.amount_fen", 0]}


def _spendable() -> dict[str, object]:
    return {"$subtract": ["$balance_fen", "$held_fen"]}
