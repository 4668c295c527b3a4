"""What is kept of identity (database `common`): sessions, one-time tickets, sign-in codes, counters of wrong tries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec import Struct

from octshop_rt.core.auth.model import Audience, Session
from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Database, Place, index


class Ticket(Struct, frozen=True, kw_only=True):
    """`id` is SHA-256 of a ticket that opens one socket, once, until `until`."""

    id: str
    session_id: str
    until: Millis


class LoginCode(Struct, frozen=True, kw_only=True):
    """The last code sent to one phone for one audience, and when codes were sent (at most a day back, newest last)."""

    id: str
    code_hash: str | None
    until: Millis
    tries: int
    sent: tuple[Millis, ...]


class LoginGuard(Struct, frozen=True, kw_only=True):
    """Wrong passwords for one account: how many since `since`, and until when the next one has to wait."""

    id: str
    fails: int
    since: Millis
    wait_until: Millis


# Sharded by the token's hash, which every request looks up; the other questions are rare enough to ask all shards.
SESSIONS = Collection(
    "common",
    "sessions",
    Session,
    indexes=[
        index("token_hash", unique=True),
        index("person_id", "-created_at"),
        index("barred_at"),
        index("until"),
    ],
    shard_key=("token_hash",),
)
TICKETS = Collection("common", "tickets", Ticket, indexes=[index("until")], shard_key=("_id",))
LOGIN_CODES = Collection("common", "login_codes", LoginCode, indexes=[index("until")], shard_key=("_id",))
LOGIN_GUARDS = Collection("common", "login_guards", LoginGuard, indexes=[index("since")], shard_key=("_id",))


async def add_session(db: Place, session: Session) -> None:
    """A new sign-in."""
    await SESSIONS.insert(db, session)


async def by_token(db: Database, token_hash: str) -> Session | None:
    """Whatever session has this token, ended ones included."""
    return await SESSIONS.one(db, {"token_hash": token_hash})


async def by_id(db: Database, session_id: str) -> Session | None:
    """One session."""
    return await SESSIONS.one(db, {"_id": session_id})


async def of_person(db: Database, person_id: str, now: Millis, audience: Audience | None = None) -> list[Session]:
    """Living sessions, newest first."""
    query: dict[str, object] = {
        "person_id": person_id,
        "revoked_at": None,
        "until": {"$gt": now},
        "idle_until": {"$gt": now},
    }
    if audience is not None:
        query["audience"] = audience
    return await SESSIONS.many(db, query, sort=[("created_at", -1)], limit=200)


async def seen_since(db: Database, person_id: str, since: Millis, audience: Audience) -> list[Session]:
    """Sessions in use at or after `since`, ended or not, newest first."""
    query = {"person_id": person_id, "audience": audience, "seen_at": {"$gte": since}}
    return await SESSIONS.many(db, query, sort=[("created_at", -1)], limit=200)


async def had_device(db: Database, person_id: str, device_id: str) -> bool:
    """Whether this person has ever signed in on this device."""
    return await SESSIONS.one(db, {"person_id": person_id, "device_id": device_id}) is not None


async def touch(db: Database, session_id: str, seen_at: Millis, idle_until: Millis) -> None:
    """It is in use."""
    await SESSIONS.update(
        db, {"_id": session_id, "revoked_at": None}, {"$max": {"seen_at": seen_at, "idle_until": idle_until}}
    )


async def revoke(db: Database, session_id: str, at: Millis) -> bool:
    """End it. False if it had ended already."""
    change = {"$set": {"revoked_at": at}, "$max": {"barred_at": at}}
    return bool(await SESSIONS.update(db, {"_id": session_id, "revoked_at": None}, change))


async def bar(db: Database, session_ids: Sequence[str], at: Millis) -> None:
    """What was handed out for these sessions before `at` is void; they live on."""
    for session_id in session_ids:
        await SESSIONS.update(db, {"_id": session_id}, {"$max": {"barred_at": at}})


async def barred_since(db: Database, since: Millis) -> list[Session]:
    """Sessions ended or barred at or after `since`."""
    return await SESSIONS.many(db, {"barred_at": {"$gte": since}})


def living(db: Database, now: Millis) -> AsyncIterator[Session]:
    """Every session that would open a door now."""
    return SESSIONS.scan(db, {"revoked_at": None, "until": {"$gt": now}, "idle_until": {"$gt": now}})


async def sweep(db: Database, now: Millis, keep_ms: int) -> int:
    """Delete what nobody can use or needs to see any more; how many sessions."""
    await TICKETS.delete(db, {"until": {"$lt": now}})
    await LOGIN_CODES.delete(db, {"until": {"$lt": now - keep_ms}})
    await LOGIN_GUARDS.delete(db, {"since": {"$lt": now - keep_ms}})
    return await SESSIONS.delete(db, {"until": {"$lt": now - keep_ms}})


async def add_ticket(db: Database, ticket: Ticket) -> None:
    """A new one-time ticket."""
    await TICKETS.insert(db, ticket)


async def take_ticket(db: Database, ticket_hash: str, session_id: str, now: Millis) -> bool:
    """Use it up; True for the first taker in time, never for a second one."""
    taken = await TICKETS.delete(db, {"_id": ticket_hash, "session_id": session_id, "until": {"$gt": now}})
    return taken == 1


async def code(db: Database, key: str) -> LoginCode | None:
    """The code last sent under `key`."""
    return await LOGIN_CODES.one(db, {"_id": key})


async def put_code(db: Database, new: LoginCode, before: LoginCode | None) -> bool:
    """Replace `before` by `new`; False if another request was faster. DuplicateKey says the same of a first code."""
    if before is None:
        await LOGIN_CODES.insert(db, new)
        return True
    change = {"$set": {"code_hash": new.code_hash, "until": new.until, "tries": new.tries, "sent": list(new.sent)}}
    return bool(await LOGIN_CODES.update(db, {"_id": new.id, "sent": list(before.sent)}, change))


async def try_code(db: Database, key: str, now: Millis, tries: int) -> LoginCode | None:
    """Count one try against a living code and return it; None if there is none or its tries are used up."""
    living_code = {"_id": key, "code_hash": {"$ne": None}, "until": {"$gt": now}, "tries": {"$lt": tries}}
    return await LOGIN_CODES.change(db, living_code, {"$inc": {"tries": 1}})


async def use_code(db: Database, key: str, code_hash: str) -> bool:
    """Use it up; True for the first taker, never for a second one."""
    return bool(await LOGIN_CODES.update(db, {"_id": key, "code_hash": code_hash}, {"$set": {"code_hash": None}}))


async def guard(db: Database, key: str) -> LoginGuard | None:
    """The counter under `key`."""
    return await LOGIN_GUARDS.one(db, {"_id": key})


async def count_guess(
    db: Database, key: str, now: Millis, *, window_ms: int, free: int, first_wait_ms: int, longest_wait_ms: int
) -> None:
    """One more guess, counted as wrong until it is known better; a window that is over begins anew.

    DuplicateKey while a wait lasts (then nothing is counted), or when another first guess was faster.
    """
    over = {"$lte": [{"$ifNull": ["$since", 0]}, now - window_ms]}
    doubled = {"$pow": [2, {"$min": [{"$subtract": ["$fails", free]}, 10]}]}
    wait = {"$min": [longest_wait_ms, {"$multiply": [first_wait_ms, doubled]}]}
    steps = [
        {
            "$set": {
                "fails": {"$cond": [over, 1, {"$add": ["$fails", 1]}]},
                "since": {"$cond": [over, now, "$since"]},
            }
        },
        {"$set": {"wait_until": {"$cond": [{"$gte": ["$fails", free]}, {"$add": [now, wait]}, 0]}}},
    ]
    await LOGIN_GUARDS.change(db, {"_id": key, "wait_until": {"$lte": now}}, steps, upsert=True)


async def take_back_guess(db: Database, key: str) -> None:
    """It was never looked at."""
    await LOGIN_GUARDS.update(db, {"_id": key, "fails": {"$gt": 0}}, {"$inc": {"fails": -1}, "$set": {"wait_until": 0}})


async def forgive(db: Database, key: str) -> None:
    """A right password ends the counting."""
    await LOGIN_GUARDS.delete(db, {"_id": key})
