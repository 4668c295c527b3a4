"""fsck of people: every phone number leads to its person and back; nobody shut out has an open session."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.commerce.member import store
from octshop_rt.core.auth.checks import living_sessions
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database


async def _phones(db: Database) -> AsyncIterator[Finding]:
    async for row in store.all_persons(db):
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


async def _sessions(db: Database) -> AsyncIterator[Finding]:
    async for session in living_sessions(db):
        row = await store.person(db, session.person_id)
        if row is None or row.disabled:
            found = "nobody has this id" if row is None else f"the person is disabled since {row.disabled_at}"
            yield Finding(check="F70", object_id=session.id, expected="a person who may come in", found=found)


CHECKS: tuple[Check, ...] = (
    Check(id="F70", text="No open session belongs to a disabled or missing person", run=_sessions),
    Check(id="F73", text="Every phone number leads to its person and back", run=_phones),
)
