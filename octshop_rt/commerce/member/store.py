"""Rows of people (database `mall`): persons by id, and the lookup that keeps phone numbers unique."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from octshop_rt.commerce.member.model import PersonRow, PhoneRow, StrangerRow, UsedEntry
from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Database, Place, Transaction, index

PERSONS = Collection(
    "mall", "persons", PersonRow, indexes=[index("created_at", partial={"guest": True})], shard_key=("_id",)
)
PHONES = Collection("mall", "person_phones", PhoneRow, shard_key=("_id",))
# Customers of other sites, as those sites name them: `id` is the shop and a hash of that name.
STRANGERS = Collection("mall", "person_strangers", StrangerRow, shard_key=("_id",))
USED_ENTRIES = Collection("mall", "person_entries", UsedEntry, indexes=[index("until")], shard_key=("_id",))


async def person(at: Place, person_id: str) -> PersonRow | None:
    """One person."""
    return await PERSONS.one(at, {"_id": person_id})


async def persons(at: Place, person_ids: Sequence[str]) -> list[PersonRow]:
    """Those that exist."""
    return await PERSONS.many(at, {"_id": {"$in": list(person_ids)}})


async def by_phone(at: Place, phone: str) -> PersonRow | None:
    """Whoever has this number."""
    found = await PHONES.one(at, {"_id": phone})
    return None if found is None else await person(at, found.person_id)


async def add(tx: Transaction, row: PersonRow) -> None:
    """A new person. DuplicateKey when the number belongs to somebody."""
    await PHONES.insert(tx, PhoneRow(id=row.phone, person_id=row.id))
    await PERSONS.insert(tx, row)


async def set_password(at: Place, person_id: str, password_hash: str) -> bool:
    """Replace the password's hash."""
    return bool(await PERSONS.update(at, {"_id": person_id}, {"$set": {"password_hash": password_hash}}))


async def set_disabled(at: Place, person_id: str, disabled_at: Millis | None) -> bool:
    """Shut out or let in again."""
    return bool(await PERSONS.update(at, {"_id": person_id}, {"$set": {"disabled_at": disabled_at}}))


async def add_guest(at: Place, row: PersonRow) -> None:
    """A guest has no number to keep unique."""
    await PERSONS.insert(at, row)


async def recognise(tx: Transaction, guest_id: str, member_id: str) -> bool:
    """The guest was this member: said once, for ever. False if it is said already or there is no such guest."""
    return bool(
        await PERSONS.update(
            tx, {"_id": guest_id, "guest": True, "member_id": None}, {"$set": {"member_id": member_id}}
        )
    )


async def adopt(tx: Transaction, member_id: str, guest_id: str, most: int) -> bool:
    """The member was this guest. False if there is no such member, or it was `most` guests already."""
    room = {"_id": member_id, "guest": {"$ne": True}, f"guests.{most - 1}": {"$exists": False}}
    return bool(await PERSONS.update(tx, room, {"$addToSet": {"guests": guest_id}}))


async def guests_between(at: Place, after: Millis, before: Millis, limit: int) -> list[PersonRow]:
    """Guests made in this time whom nobody knows, oldest first."""
    query = {"guest": True, "created_at": {"$gte": after, "$lt": before}, "member_id": None, "vouched": False}
    return await PERSONS.many(at, query, sort=[("created_at", 1)], limit=limit)


async def forget_guest(at: Place, guest_id: str) -> None:
    """A guest nobody has heard anything of."""
    await PERSONS.delete(at, {"_id": guest_id, "guest": True, "member_id": None})


async def stranger(at: Place, key: str) -> StrangerRow | None:
    """Which guest another site's customer is."""
    return await STRANGERS.one(at, {"_id": key})


async def add_stranger(tx: Transaction, row: StrangerRow) -> None:
    """DuplicateKey when that customer is a guest already."""
    await STRANGERS.insert(tx, row)


async def use_entry(db: Database, row: UsedEntry) -> None:
    """DuplicateKey at the second use."""
    await USED_ENTRIES.delete(db, {"until": {"$lt": row.until - 3_600_000}})
    await USED_ENTRIES.insert(db, row)


async def turn_stranger(tx: Transaction, key: str, before: str, person_id: str) -> bool:
    """The guest has become a member; the other site's customer is a new guest. False if another was faster."""
    return bool(await STRANGERS.update(tx, {"_id": key, "person_id": before}, {"$set": {"person_id": person_id}}))


def all_strangers(at: Place) -> AsyncIterator[StrangerRow]:
    """For fsck."""
    return STRANGERS.scan(at, {})


def all_persons(at: Place) -> AsyncIterator[PersonRow]:
    """For fsck."""
    return PERSONS.scan(at, {})


def all_phones(at: Place) -> AsyncIterator[PhoneRow]:
    """For fsck."""
    return PHONES.scan(at, {})
