"""Rows of automatic answers: settings, questions, lessons, keywords, quick replies, what was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Database, Transaction, index
from octshop_rt.im.answer.model import AnswerSettings, Faq, Given, Keyword, Lesson, QuickReply

SETTINGS = Collection("im", "answer_settings", AnswerSettings, shard_key=("_id",))
FAQS = Collection("im", "faqs", Faq, indexes=[index("shop_id", "request_id", unique=True)], shard_key=("shop_id",))
LESSONS = Collection(
    "im",
    "faq_lessons",
    Lesson,
    indexes=[index("shop_id", "faq_id", "text", unique=True), index("shop_id", "-at")],
    shard_key=("shop_id",),
)
KEYWORDS = Collection(
    "im", "keyword_replies", Keyword, indexes=[index("shop_id", "request_id", unique=True)], shard_key=("shop_id",)
)
QUICK = Collection(
    "im",
    "quick_replies",
    QuickReply,
    indexes=[index("shop_id", "request_id", unique=True), index("shop_id", "owner")],
    shard_key=("shop_id",),
)
GIVEN = Collection(
    "im",
    "answers_given",
    Given,
    indexes=[
        index("c", "m", unique=True),
        index("c", "-s"),
        index("until", partial={"until": {"$gt": 0}}),
        index("shop_id", "at", partial={"text": {"$gt": ""}}),
    ],
    shard_key=("c",),
)
MOST_LESSONS = 5_000


# --- settings ---------------------------------------------------------------------------------------------------------


async def settings(at: Database | Transaction, shop_id: str) -> AnswerSettings | None:
    return await SETTINGS.one(at, {"_id": shop_id})


async def revisions(db: Database, shop_ids: Sequence[str]) -> Mapping[str, int]:
    """What is newest of each; shops that never changed anything are left out."""
    found = await SETTINGS.aggregate(db, [{"$match": {"_id": {"$in": list(shop_ids)}}}, {"$project": {"rev": 1}}])
    return {row["_id"]: row["rev"] for row in found}


async def add_settings(at: Transaction, row: AnswerSettings) -> None:
    await SETTINGS.insert(at, row)


async def set_settings(at: Transaction, row: AnswerSettings) -> None:
    fresh: dict[str, Any] = msgspec.to_builtins(row)
    del fresh["id"], fresh["rev"]
    await SETTINGS.update(at, {"_id": row.id}, {"$set": fresh, "$inc": {"rev": 1}})


async def touch(at: Database | Transaction, shop_id: str) -> None:
    """Something else a node keeps in memory of the shop has changed."""
    await SETTINGS.update(at, {"_id": shop_id}, {"$inc": {"rev": 1}})


# --- questions --------------------------------------------------------------------------------------------------------


async def faqs(at: Database | Transaction, shop_id: str) -> list[Faq]:
    return await FAQS.many(at, {"shop_id": shop_id})


async def faq(at: Database | Transaction, shop_id: str, faq_id: str) -> Faq | None:
    return await FAQS.one(at, {"_id": faq_id, "shop_id": shop_id})


async def faq_by_request(at: Database | Transaction, shop_id: str, request_id: str) -> Faq | None:
    return await FAQS.one(at, {"shop_id": shop_id, "request_id": request_id})


async def count_faqs(at: Transaction, shop_id: str) -> int:
    return await FAQS.count(at, {"shop_id": shop_id})


async def add_faq(at: Transaction, row: Faq) -> None:
    await FAQS.insert(at, row)


async def add_faqs(at: Transaction, rows: Sequence[Faq]) -> None:
    await FAQS.insert_many(at, rows)


async def set_faq(at: Transaction, shop_id: str, faq_id: str, fresh: Mapping[str, Any]) -> Faq | None:
    return await FAQS.change(at, {"_id": faq_id, "shop_id": shop_id}, {"$set": fresh})


async def drop_faq(at: Transaction, shop_id: str, faq_id: str) -> int:
    """With all that was taught about it."""
    await LESSONS.delete(at, {"shop_id": shop_id, "faq_id": faq_id})
    return await FAQS.delete(at, {"_id": faq_id, "shop_id": shop_id})


async def count_asked(at: Database | Transaction, shop_id: str, faq_id: str) -> None:
    await FAQS.update(at, {"_id": faq_id, "shop_id": shop_id}, {"$inc": {"asked": 1}})


async def count_votes(at: Transaction, shop_id: str, faq_id: str, helpful: int, unhelpful: int) -> None:
    await FAQS.update(at, {"_id": faq_id, "shop_id": shop_id}, {"$inc": {"helpful": helpful, "unhelpful": unhelpful}})


# --- lessons ----------------------------------------------------------------------------------------------------------


async def lessons(at: Database | Transaction, shop_id: str) -> list[Lesson]:
    """The newest."""
    return await LESSONS.many(at, {"shop_id": shop_id}, sort=[("at", -1)], limit=MOST_LESSONS)


async def lessons_of(at: Database | Transaction, shop_id: str, faq_id: str) -> list[Lesson]:
    return await LESSONS.many(at, {"shop_id": shop_id, "faq_id": faq_id})


async def forget_lesson(at: Transaction, shop_id: str, faq_id: str, text: str) -> int:
    return await LESSONS.delete(at, {"shop_id": shop_id, "faq_id": faq_id, "text": text})


async def put_lesson(at: Transaction, row: Lesson) -> None:
    where = {"shop_id": row.shop_id, "faq_id": row.faq_id, "text": row.text}
    fresh: dict[str, Any] = {"good": list(row.good), "bad": list(row.bad), "at": row.at}
    await LESSONS.update(at, where, {"$setOnInsert": {"_id": row.id}, "$set": fresh}, upsert=True)


# --- keywords ---------------------------------------------------------------------------------------------------------


async def keywords(at: Database | Transaction, shop_id: str) -> list[Keyword]:
    return await KEYWORDS.many(at, {"shop_id": shop_id})


async def keyword_by_request(at: Database | Transaction, shop_id: str, request_id: str) -> Keyword | None:
    return await KEYWORDS.one(at, {"shop_id": shop_id, "request_id": request_id})


async def count_keywords(at: Transaction, shop_id: str) -> int:
    return await KEYWORDS.count(at, {"shop_id": shop_id})


async def add_keyword(at: Transaction, row: Keyword) -> None:
    await KEYWORDS.insert(at, row)


async def set_keyword(at: Transaction, shop_id: str, keyword_id: str, fresh: Mapping[str, Any]) -> Keyword | None:
    return await KEYWORDS.change(at, {"_id": keyword_id, "shop_id": shop_id}, {"$set": fresh})


async def drop_keyword(at: Transaction, shop_id: str, keyword_id: str) -> int:
    return await KEYWORDS.delete(at, {"_id": keyword_id, "shop_id": shop_id})


# --- quick replies ----------------------------------------------------------------------------------------------------


async def quick(db: Database, shop_id: str, owners: Sequence[str]) -> list[QuickReply]:
    return await QUICK.many(db, {"shop_id": shop_id, "owner": {"$in": list(owners)}})


async def quick_one(db: Database, shop_id: str, reply_id: str) -> QuickReply | None:
    return await QUICK.one(db, {"_id": reply_id, "shop_id": shop_id})


async def quick_by_request(db: Database, shop_id: str, request_id: str) -> QuickReply | None:
    return await QUICK.one(db, {"shop_id": shop_id, "request_id": request_id})


async def count_quick(db: Database, shop_id: str, owner: str) -> int:
    return await QUICK.count(db, {"shop_id": shop_id, "owner": owner})


async def add_quick(db: Database, row: QuickReply) -> None:
    """DuplicateKey if the request has made one before."""
    await QUICK.insert(db, row)


async def set_quick(db: Database, shop_id: str, reply_id: str, fresh: Mapping[str, Any]) -> QuickReply | None:
    return await QUICK.change(db, {"_id": reply_id, "shop_id": shop_id}, {"$set": fresh})


async def drop_quick(db: Database, shop_id: str, reply_id: str) -> int:
    return await QUICK.delete(db, {"_id": reply_id, "shop_id": shop_id})


async def count_used(db: Database, shop_id: str, reply_id: str) -> None:
    await QUICK.update(db, {"_id": reply_id, "shop_id": shop_id}, {"$inc": {"used": 1}})


# --- what was answered ------------------------------------------------------------------------------------------------


async def claim(db: Database, row: Given) -> None:
    """DuplicateKey: this answer is being given, or has been."""
    await GIVEN.insert(db, row)


async def take_over(db: Database, given: Given, now: Millis, until: Millis) -> Given | None:
    """The claim of a node that did not finish; None if somebody else was faster."""
    return await GIVEN.change(
        db, {"c": given.c, "m": given.m, "until": {"$gt": 0, "$lte": now}}, {"$set": {"until": until}}
    )


async def unfinished(db: Database, now: Millis, limit: int) -> list[Given]:
    """Claims whose time is over."""
    return await GIVEN.many(db, {"until": {"$gt": 0, "$lte": now}}, limit=limit)


async def by_client_id(db: Database, c: str, m: str) -> Given | None:
    return await GIVEN.one(db, {"c": c, "m": m})


async def given(at: Database | Transaction, answer_id: str, buyer_ids: Sequence[str]) -> Given | None:
    """`buyer_ids`: all that one person has been."""
    return await GIVEN.one(at, {"_id": answer_id, "buyer_id": {"$in": list(buyer_ids)}})


async def last_given(db: Database, c: str, below: int, limit: int) -> list[Given]:
    """What was answered to the buyer's words before entry `below`, newest first."""
    return await GIVEN.many(db, {"c": c, "s": {"$gt": 0, "$lt": below}}, sort=[("s", -1)], limit=limit)


async def finish(db: Database, row: Given) -> None:
    """The result of a claim."""
    fresh: dict[str, Any] = {
        "by": row.by, "faq_ids": list(row.faq_ids), "confidence": row.confidence, "until": None,
    }  # fmt: skip
    await GIVEN.update(db, {"c": row.c, "m": row.m}, {"$set": fresh})


async def set_vote(at: Transaction, row: Given, *, helpful: bool) -> int:
    """1 if it is another opinion than the one that stood."""
    if row.helpful == helpful:
        return 0
    where = {"c": row.c, "m": row.m, "helpful": row.helpful}
    return await GIVEN.update(at, where, {"$set": {"helpful": helpful}})


async def set_picked(db: Database, row: Given, option: str) -> None:
    await GIVEN.update(db, {"c": row.c, "m": row.m}, {"$set": {"picked": option}})
