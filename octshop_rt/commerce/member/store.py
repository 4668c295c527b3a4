"""Rows of people (database `mall`): persons by id, and the lookup that keeps phone numbers unique."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from octshop_rt.commerce.member.model import PersonRow, PhoneRow
from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Place, Transaction

PERSONS = Collection("mall", "persons", PersonRow, shard_key=("_id",))
PHONES = Collection("mall", "person_phones", PhoneRow, shard_key=("_id",))


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


def all_persons(at: Place) -> AsyncIterator[PersonRow]:
    """For fsck."""
    return PERSONS.scan(at, {})


def all_phones(at: Place) -> AsyncIterator[PhoneRow]:
    """For fsck."""
    return PHONES.scan(at, {})
