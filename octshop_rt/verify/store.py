"""Vouchers, redemptions, scans and throttles in MongoDB. Every question of a clerk carries his shop in the filter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from octshop_rt.core.clock import Millis
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Collection, Place, index
from octshop_rt.verify.model import (
    LIFE,
    LastUse,
    Miss,
    Redemption,
    ScanRow,
    Throttle,
    Uses,
    Voucher,
    VoucherState,
)

VOUCHERS = Collection(
    "trading",
    "vouchers",
    Voucher,
    indexes=[
        index("shop_id", "typed_code", unique=True),
        index("shop_id", "number", unique=True),
        index("shop_id", "line_id", "index", unique=True),
        index("buyer_id", "-_id"),
        index("order_id"),
    ],
    shard_key=("shop_id",),
)

REDEMPTIONS = Collection(
    "trading",
    "redemptions",
    Redemption,
    indexes=[
        index("shop_id", "request_id", unique=True),
        index("shop_id", "business_day", "-_id"),
        index("voucher_id"),
        index("shop_id", "code_hash"),
        index("shop_id", "scan_id", partial={"scan_id": {"$gt": ""}}),
    ],
    shard_key=("shop_id",),
)

SCANS = Collection(
    "trading",
    "voucher_scans",
    ScanRow,
    indexes=[
        index("shop_id", "request_id", unique=True, partial={"request_id": {"$exists": True}}),
        index("shop_id", "at"),
    ],
    shard_key=("shop_id",),
)

THROTTLES = Collection("trading", "scan_throttles", Throttle, shard_key=("_id",))

_MOST_MISSES_KEPT = 64


# --- vouchers ---------------------------------------------------------------------------------------------------------


async def add_vouchers(at: Place, vouchers: Sequence[Voucher]) -> None:
    await VOUCHERS.insert_many(at, vouchers)


async def of_order(at: Place, order_id: str) -> list[Voucher]:
    return await VOUCHERS.many(at, {"order_id": order_id}, sort=[("_id", 1)])


async def of_buyer(
    at: Place, buyer_id: str, *, order_id: str | None, state: VoucherState | None, after: str | None, limit: int
) -> list[Voucher]:
    """Newest first."""
    query: dict[str, Any] = {"buyer_id": buyer_id}
    if order_id is not None:
        query["order_id"] = order_id
    if state is not None:
        query["state"] = state
    if after is not None:
        query["_id"] = {"$lt": after}
    return await VOUCHERS.many(at, query, sort=[("_id", -1)], limit=limit)


async def one_of_buyer(at: Place, buyer_id: str, voucher_id: str) -> Voucher | None:
    return await VOUCHERS.one(at, {"_id": voucher_id, "buyer_id": buyer_id})


async def at_shop(at: Place, shop_id: str, voucher_id: str) -> Voucher | None:
    return await VOUCHERS.one(at, {"_id": voucher_id, "shop_id": shop_id})


async def by_number(at: Place, shop_id: str, number: str) -> Voucher | None:
    return await VOUCHERS.one(at, {"shop_id": shop_id, "number": number})


async def by_typed_code(at: Place, shop_id: str, typed_code: str) -> Voucher | None:
    return await VOUCHERS.one(at, {"shop_id": shop_id, "typed_code": typed_code})


async def by_id(at: Place, voucher_id: str) -> Voucher | None:
    return await VOUCHERS.one(at, {"_id": voucher_id})


async def use(
    at: Place, voucher: Voucher, *, uses: Uses, last_use: LastUse, code_rev: int | None, same_scan_since: Millis
) -> Voucher | None:
    """The one conditional update that decides: enough uses left, this shop, this branch, in time, still active, the
    code not burnt meanwhile (`code_rev`, where the code has one), not the same clerk's double scan. None: refused.
    The share of what was paid is found in the same step, in `last_use.amount_fen`.
    """
    query: dict[str, Any] = {
        "_id": voucher.id,
        "shop_id": voucher.shop_id,
        "state": {"$in": LIFE.sources(VoucherState.USED)},
        "valid_from": {"$lte": last_use.at},
        "valid_until": {"$gt": last_use.at},
        "$or": [{"branch_ids": []}, {"branch_ids": last_use.branch_id}],
        "$nor": [{"last_use.clerk_id": last_use.clerk_id, "last_use.at": {"$gt": same_scan_since}}],
        "$expr": {"$lte": [{"$add": [_taken(), uses]}, "$uses_total"]},
    }
    if code_rev is not None:
        query["code_rev"] = code_rev
    return await VOUCHERS.change(
        at,
        query,
        [
            {
                "$set": {
                    "last_use": {**_literal(last_use), "amount_fen": _worth(voucher, uses)},
                    "taken_fen": {"$add": ["$taken_fen", _worth(voucher, uses)]},
                    "uses_used": {"$add": ["$uses_used", uses]},
                    "code_rev": {"$add": ["$code_rev", 1]},
                    "rev": {"$add": ["$rev", 1]},
                    "changed_at": last_use.at,
                }
            },
            {"$set": {"state": {"$cond": [_all_used(), VoucherState.USED, "$state"]}}},
        ],
    )


async def new_codes(at: Place, voucher: Voucher, *, typed_code: str, request_id: str, now: Millis) -> Voucher | None:
    """Void the codes shown so far. None if somebody else changed them meanwhile."""
    return await VOUCHERS.change(
        at,
        {"_id": voucher.id, "buyer_id": voucher.buyer_id, "code_rev": voucher.code_rev},
        {
            "$set": {"typed_code": typed_code, "refresh_request": request_id, "changed_at": now},
            "$inc": {"code_rev": 1, "rev": 1},
        },
    )


async def expire(at: Place, voucher_id: str, now: Millis) -> Voucher | None:
    """Move a voucher whose time is over; None if it was used up or refunded before, or its time is not over."""
    return await VOUCHERS.change(
        at,
        {
            "_id": voucher_id,
            "state": {"$in": LIFE.sources(VoucherState.EXPIRED)},
            "valid_until": {"$lte": now},
        },
        {"$set": {"state": VoucherState.EXPIRED, "changed_at": now}, "$inc": {"rev": 1}},
    )


async def freeze(at: Place, voucher: Voucher, uses: Uses, now: Millis) -> Voucher | None:
    """Set unused uses aside for a refund; None if so many are not unused."""
    return await VOUCHERS.change(
        at,
        {
            "_id": voucher.id,
            "state": {"$in": LIFE.sources(VoucherState.REFUNDED)},
            "$expr": {"$lte": [{"$add": [_taken(), uses]}, "$uses_total"]},
        },
        [
            {
                "$set": {
                    "taken_fen": {"$add": ["$taken_fen", _worth(voucher, uses)]},
                    "uses_frozen": {"$add": ["$uses_frozen", uses]},
                    "rev": {"$add": ["$rev", 1]},
                    "changed_at": now,
                }
            }
        ],
    )


async def unfreeze(at: Place, voucher_id: str, uses: Uses, amount_fen: Fen, now: Millis) -> Voucher | None:
    """The refund was refused or withdrawn; None if so many are not frozen."""
    return await VOUCHERS.change(
        at,
        {"_id": voucher_id, "uses_frozen": {"$gte": uses}},
        {
            "$inc": {"uses_frozen": -uses, "taken_fen": -amount_fen, "rev": 1},
            "$set": {"changed_at": now},
        },
    )


async def refund(at: Place, voucher_id: str, uses: Uses, now: Millis) -> Voucher | None:
    """Frozen uses have been paid back; None if so many are not frozen. Nothing left and nothing used: refunded."""
    return await VOUCHERS.change(
        at,
        {"_id": voucher_id, "uses_frozen": {"$gte": uses}},
        [
            {
                "$set": {
                    "uses_frozen": {"$subtract": ["$uses_frozen", uses]},
                    "uses_refunded": {"$add": ["$uses_refunded", uses]},
                    "rev": {"$add": ["$rev", 1]},
                    "changed_at": now,
                }
            },
            {
                "$set": {
                    "state": {
                        "$switch": {
                            "branches": [
                                {
                                    "case": {"$eq": ["$uses_refunded", "$uses_total"]},
                                    "then": VoucherState.REFUNDED,
                                },
                                {
                                    "case": {"$and": [_all_used(), {"$eq": ["$state", VoucherState.ACTIVE]}]},
                                    "then": VoucherState.USED,
                                },
                            ],
                            "default": "$state",
                        }
                    }
                }
            },
        ],
    )


async def all_vouchers(at: Place) -> AsyncIterator[Voucher]:
    async for voucher in VOUCHERS.scan(at, {}):
        yield voucher


# --- redemptions ------------------------------------------------------------------------------------------------------


async def add_redemption(at: Place, redemption: Redemption) -> None:
    await REDEMPTIONS.insert(at, redemption)


async def redemption(at: Place, redemption_id: str) -> Redemption | None:
    return await REDEMPTIONS.one(at, {"_id": redemption_id})


async def redemption_by_request(at: Place, shop_id: str, request_id: str) -> Redemption | None:
    return await REDEMPTIONS.one(at, {"shop_id": shop_id, "request_id": request_id})


async def redemption_by_scan(at: Place, shop_id: str, scan_id: str) -> Redemption | None:
    return await REDEMPTIONS.one(at, {"shop_id": shop_id, "scan_id": scan_id})


async def redemption_by_code(at: Place, shop_id: str, code_hash: str) -> Redemption | None:
    return await REDEMPTIONS.one(at, {"shop_id": shop_id, "code_hash": code_hash}, sort=[("_id", -1)])


async def redemptions_of_day(
    at: Place, shop_id: str, day: str, *, branch_ids: frozenset[str] | None, after: str | None, limit: int
) -> list[Redemption]:
    """Newest first; of certain branches only, where the person's grants end there."""
    query: dict[str, Any] = {"shop_id": shop_id, "business_day": day}
    if branch_ids is not None:
        query["branch_id"] = {"$in": sorted(branch_ids)}
    if after is not None:
        query["_id"] = {"$lt": after}
    return await REDEMPTIONS.many(at, query, sort=[("_id", -1)], limit=limit)


async def redemptions_of_voucher(at: Place, voucher_id: str) -> list[Redemption]:
    return await REDEMPTIONS.many(at, {"voucher_id": voucher_id}, sort=[("_id", 1)])


async def all_redemptions(at: Place) -> AsyncIterator[Redemption]:
    async for redemption in REDEMPTIONS.scan(at, {}):
        yield redemption


# --- scans and throttles ----------------------------------------------------------------------------------------------


async def add_scan(at: Place, row: ScanRow) -> None:
    await SCANS.insert(at, row)


async def scan_at_shop(at: Place, shop_id: str, scan_id: str) -> ScanRow | None:
    return await SCANS.one(at, {"_id": scan_id, "shop_id": shop_id})


async def attempt_by_request(at: Place, shop_id: str, request_id: str) -> ScanRow | None:
    """The refused attempt of a request, if it was refused."""
    return await SCANS.one(at, {"shop_id": shop_id, "request_id": request_id})


async def throttle(at: Place, throttle_id: str) -> Throttle | None:
    return await THROTTLES.one(at, {"_id": throttle_id})


async def add_miss(at: Place, throttle_id: str, miss: Miss) -> Throttle | None:
    """Count a guess before its answer is known, so that a hundred at once are counted too. Returns what stands then;
    DuplicateKey if the door is closed, or if another guess opened the row at the same moment.
    """
    return await THROTTLES.change(
        at,
        {"_id": throttle_id, "until": {"$lte": miss.at}},
        {
            "$push": {"misses": {"$each": [{"id": miss.id, "at": miss.at}], "$slice": -_MOST_MISSES_KEPT}},
            "$setOnInsert": {"until": 0},
        },
        upsert=True,
    )


async def take_back_miss(at: Place, throttle_id: str, miss: Miss) -> None:
    """The guess was right: it is none."""
    await THROTTLES.update(at, {"_id": throttle_id}, {"$pull": {"misses": {"id": miss.id}}})


async def close_door(at: Place, throttle_id: str, until: Millis) -> None:
    """Take no guesses until then, and begin to count anew after it."""
    await THROTTLES.update(at, {"_id": throttle_id}, {"$max": {"until": until}, "$set": {"misses": []}})


def _taken() -> dict[str, Any]:
    return {"$add": ["$uses_used", "$uses_frozen", "$uses_refunded"]}


def _all_used() -> dict[str, Any]:
    return {"$eq": [{"$add": ["$uses_used", "$uses_refunded"]}, "$uses_total"]}


def _worth(voucher: Voucher, uses: Uses) -> dict[str, Any]:
    """rules.worth_fen in MongoDB's words: what is paid and the number of uses never change, what is taken does."""
    is_last = {"$eq": [{"$add": [_taken(), uses]}, voucher.uses_total]}
    share_fen = voucher.paid_fen // voucher.uses_total
    return {"$cond": [is_last, {"$subtract": [voucher.paid_fen, "$taken_fen"]}, share_fen * uses]}


def _literal(last_use: LastUse) -> dict[str, Any]:
    """A clerk may be called "$title": in a pipeline that must stay a name."""
    return {
        "redemption_id": {"$literal": last_use.redemption_id},
        "at": last_use.at,
        "clerk_id": {"$literal": last_use.clerk_id},
        "clerk_name": {"$literal": last_use.clerk_name},
        "branch_id": {"$literal": last_use.branch_id},
        "uses": last_use.uses,
    }
