"""Visitors who chat without having signed in: how they come, who they turn out to be, when they are forgotten."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from octshop_rt.commerce.member import store
from octshop_rt.commerce.member.model import PersonRow, StrangerRow, UsedEntry, guest_nickname
from octshop_rt.core.auth.model import Audience, Buyer, Device
from octshop_rt.core.auth.sessions import OpenedSession, Sessions
from octshop_rt.core.clock import DAY, HOUR, Clock, Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction

MOST_GUESTS: Final = 100  # that one person can have been
KEPT_MS: Final = 2 * DAY  # a guest who has said nothing
_AT_ONCE = 200

Spoke = Callable[[Sequence[str]], Awaitable[set[str]]]


class Guests:
    """Guests. `spoke(ids)` is chat's answer to which of them have a conversation."""

    def __init__(self, db: Database, clock: Clock, ids: Ids, sessions: Sessions, spoke: Spoke) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._sessions = sessions
        self._spoke = spoke
        self._collected_at = clock.now()

    async def come(self, device: Device) -> tuple[PersonRow, OpenedSession]:
        """Somebody new. The token opens chat and nothing else."""
        row = self._row("")
        await store.add_guest(self._db, row)
        if self._clock.now() - self._collected_at >= HOUR:
            self._collected_at = self._clock.now()
            with contextlib.suppress(DomainError):  # tidying must not keep anybody out
                await self.collect()
        return row, await self._sessions.open(Audience.BUYER, row.id, device)

    async def come_known(
        self, shop_id: str, name_there: str, nickname: str, once: str, until: Millis, device: Device
    ) -> tuple[PersonRow, OpenedSession] | None:
        """A customer of the shop's own site, whom that site has vouched for: the same guest every time. None if the
        word named `once` (kept until `until`) has been used.

        A site's word is no sign-in here: where that guest has become a member, a new guest takes its place.
        """
        try:  # used up first: what fails after this needs a new word
            await store.use_entry(self._db, UsedEntry(id=once, until=until))
        except DuplicateKey:
            return None
        key = f"{shop_id}:{hashlib.sha256(name_there.encode()).hexdigest()[:40]}"
        known = await self._stranger(key)
        if known is None or known.member_id is not None:
            known = await self._enter_stranger(key, known, nickname)
        return known, await self._sessions.open(Audience.BUYER, known.id, device)

    async def _stranger(self, key: str) -> PersonRow | None:
        found = await store.stranger(self._db, key)
        return None if found is None else await store.person(self._db, found.person_id)

    async def _enter_stranger(self, key: str, before: PersonRow | None, nickname: str) -> PersonRow:
        row = self._row(nickname, vouched=True)

        async def work(tx: Transaction) -> None:
            if before is None:
                await store.add_stranger(tx, StrangerRow(id=key, person_id=row.id))
            elif not await store.turn_stranger(tx, key, before.id, row.id):
                raise _SaidAlreadyError
            await store.add_guest(tx, row)

        with contextlib.suppress(DuplicateKey, _SaidAlreadyError):  # another tab of the same customer was faster
            await self._db.transact(work)
        now = await self._stranger(key)
        assert now is not None
        return now

    async def recognise(self, token: str, member_id: str) -> bool:
        """Whoever holds this guest's token has signed in as `member_id`: one history from now on.

        Nothing that was said is touched. One transaction on the two persons decides; all else follows from it, so a
        repetition finds it done and a crash before it leaves everything as it was.
        """
        who = await self._sessions.resolve(Audience.BUYER, token, bearer=True)
        if not isinstance(who, Buyer) or not who.guest:
            return False
        guest_id = who.person_id
        done = bool(await self._spoke([guest_id])) and await self._merge(guest_id, member_id)
        if done:
            # The member's sockets come back knowing whose conversations are also theirs.
            await self._sessions.rights_changed(member_id)
        await self._sessions.revoke_person(guest_id)
        return done

    async def collect(self) -> int:
        """Forget guests of the day before yesterday who have no conversation; how many."""
        until = self._clock.now() - KEPT_MS
        # Those who have spoken stay: looking two days back, once an hour, finds every idle one.
        rows = await store.guests_between(self._db, until - KEPT_MS, until, _AT_ONCE)
        spoke = await self._spoke([row.id for row in rows]) if rows else set[str]()
        idle = [row for row in rows if row.id not in spoke]
        for row in idle:
            await self._sessions.revoke_person(row.id)
            await store.forget_guest(self._db, row.id)
        return len(idle)

    async def _merge(self, guest_id: str, member_id: str) -> bool:
        async def work(tx: Transaction) -> bool:
            if not await store.recognise(tx, guest_id, member_id):
                return False
            if not await store.adopt(tx, member_id, guest_id, MOST_GUESTS):
                raise _SaidAlreadyError
            return True

        try:
            return await self._db.transact(work)
        except _SaidAlreadyError:
            return False

    def _row(self, nickname: str, *, vouched: bool = False) -> PersonRow:
        person_id = self._ids.new("U")
        return PersonRow(
            id=person_id,
            phone="",
            nickname=nickname or guest_nickname(person_id),
            password_hash=None,
            admin=False,
            disabled_at=None,
            created_at=self._clock.now(),
            guest=True,
            vouched=vouched,
        )


class _SaidAlreadyError(Exception):
    """Somebody was faster, or there is no room: nothing is written."""
