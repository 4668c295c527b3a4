"""Use cases of people: find, enter, name, shut out; passwords are hashed on the way in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

from octshop_rt.commerce.member import store
from octshop_rt.commerce.member.model import PersonCard, PersonRow, card, default_nickname
from octshop_rt.core.auth.passwords import Passwords
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import NotFound
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction


class Members:
    """People as the other domains need them."""

    def __init__(self, db: Database, clock: Clock, ids: Ids, passwords: Passwords) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._passwords = passwords
        self._on_disabled: Callable[[str], Awaitable[object]] | None = None

    def on_disabled(self, callback: Callable[[str], Awaitable[object]]) -> None:
        """Called with the id of each person who is shut out: ends the sessions."""
        self._on_disabled = callback

    async def person(self, person_id: str) -> PersonRow | None:
        """One person, disabled or not."""
        return await store.person(self._db, person_id)

    async def by_phone(self, phone: str) -> PersonRow | None:
        """Whoever has this number, disabled or not."""
        return await store.by_phone(self._db, phone)

    async def card(self, person_id: str) -> PersonCard:
        """What a page may show; NotFound if there is nobody."""
        row = await store.person(self._db, person_id)
        if row is None:
            raise NotFound
        return (await self.cards([person_id]))[person_id]

    async def cards(self, person_ids: Collection[str]) -> dict[str, PersonCard]:
        """Cards of those that exist, by id."""
        rows = await store.persons(self._db, sorted(person_ids))
        members = await self._members_of(rows)
        return {row.id: card(members.get(row.member_id or "", row)) for row in rows}

    async def behind(self, person_ids: Collection[str]) -> dict[str, str]:
        """Who they are now: a guest who has signed in is the member, everybody else is who he is."""
        rows = await store.persons(self._db, sorted(person_ids))
        return {row.id: row.member_id or row.id for row in rows}

    async def known_as(self, person_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        """All ids of the same human being, for those who have more than one."""
        rows = await store.persons(self._db, sorted(person_ids))
        members = await self._members_of(rows)
        found = {row.id: members.get(row.member_id or "", row) for row in rows}
        return {one: (row.id, *row.guests) for one, row in found.items() if row.guests}

    async def _members_of(self, rows: Sequence[PersonRow]) -> dict[str, PersonRow]:
        ids = sorted({row.member_id for row in rows if row.member_id is not None})
        return {row.id: row for row in await store.persons(self._db, ids)} if ids else {}

    async def enter(self, phone: str) -> PersonRow:
        """The person with this number; a new one if it is nobody's yet. Two at once get the same person."""
        return await store.by_phone(self._db, phone) or await self.add(phone=phone)

    async def add(
        self,
        *,
        phone: str,
        nickname: str | None = None,
        password: str | None = None,
        admin: bool = False,
        person_id: str | None = None,
    ) -> PersonRow:
        """Enter a person. If the number is somebody's already, that person is returned as it is."""
        found = await store.by_phone(self._db, phone)
        if found is not None:
            return found
        row = PersonRow(
            id=person_id or self._ids.new("U"),
            phone=phone,
            nickname=nickname or default_nickname(phone),
            password_hash=None if password is None else await self._passwords.hash(password),
            admin=admin,
            disabled_at=None,
            created_at=self._clock.now(),
        )

        async def work(tx: Transaction) -> None:
            await store.add(tx, row)

        try:
            await self._db.transact(work)
        except DuplicateKey:
            first = await store.by_phone(self._db, phone)
            assert first is not None  # the number was refused because it is somebody's
            return first
        return row

    async def set_password(self, person_id: str, password: str) -> None:
        """Hash and keep it."""
        await store.set_password(self._db, person_id, await self._passwords.hash(password))

    async def disable(self, person_id: str) -> None:
        """Shut a person out: no sign-in from now on, and every session ends."""
        await store.set_disabled(self._db, person_id, self._clock.now())
        if self._on_disabled is not None:
            await self._on_disabled(person_id)

    async def enable(self, person_id: str) -> None:
        """Let a person in again; it has to sign in anew."""
        await store.set_disabled(self._db, person_id, None)
