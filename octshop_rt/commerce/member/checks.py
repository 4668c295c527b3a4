"""fsck of people: every phone number leads to its person and back; nobody shut out has an open session."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.commerce.member import store
from octshop_rt.core.auth.checks import living_sessions
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database


async def _phones(db: Database) -> AsyncIterator[Finding]:
    async for row in store.all_persons(db):
        if row.guest:
            continue
        owner = await store.by_phone(db, row.phone)
        if owner is None or owner.id != row.id:
            yield Finding(
                check="F73",
                object_id=row.id,
                expected="the phone number leads to this person",
                found="to nobody" if owner is None else f"to {owner.id}",
            )
    async for phone in store.all_phones(db):
        if await store.person(db, phone.person_id) is None:
            yield Finding(check="F73", object_id=phone.person_id, expected="a person", found="a phone number alone")


async def became(db: Database, guest_id: str) -> str | None:
    """The member that guest is now."""
    row = await store.person(db, guest_id)
    return None if row is None else row.member_id


async def _guests(db: Database) -> AsyncIterator[Finding]:
    async for row in store.all_persons(db):
        if row.guest and (row.phone or row.password_hash or row.admin or row.guests):
            yield Finding(check="F77", object_id=row.id, expected="a guest without phone or rights", found="one with")
        if row.member_id is not None:
            member = await store.person(db, row.member_id)
            if not row.guest or member is None or row.id not in member.guests:
                yield Finding(check="F77", object_id=row.id, expected=f"a guest {row.member_id} was", found="not so")
        for guest_id in row.guests:
            guest = await store.person(db, guest_id)
            if guest is None or guest.member_id != row.id:
                yield Finding(check="F77", object_id=row.id, expected=f"guest {guest_id} is this one", found="not so")
    async for stranger in store.all_strangers(db):
        if await store.person(db, stranger.person_id) is None:
            yield Finding(check="F77", object_id=stranger.id, expected="a guest", found="another site's name alone")


async def _sessions(db: Database) -> AsyncIterator[Finding]:
    async for session in living_sessions(db):
        row = await store.person(db, session.person_id)
        if row is None or row.disabled:
            found = "nobody has this id" if row is None else f"the person is disabled since {row.disabled_at}"
            yield Finding(check="F70", object_id=session.id, expected="a person who may come in", found=found)


CHECKS: tuple[Check, ...] = (
    Check(id="F70", text="No open session belongs to a disabled or missing person", run=_sessions),
    Check(id="F77", text="Guests and the members they were name each other", run=_guests),
    Check(id="F73", text="Every phone number leads to its person and back", run=_phones),
)
