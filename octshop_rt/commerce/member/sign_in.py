"""Signing in: by code or password, throttled, with answers that do not tell whether an account exists."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.commerce.member.model import PersonRow, check_password
from octshop_rt.commerce.member.service import Members
from octshop_rt.core.auth.codes import LoginCodes
from octshop_rt.core.auth.model import (
    Admin,
    Audience,
    Buyer,
    Device,
    NeedPasswordOrCode,
    Staff,
    WrongCredentials,
)
from octshop_rt.core.auth.passwords import Passwords
from octshop_rt.core.auth.sessions import OpenedSession, People, Sessions
from octshop_rt.core.auth.throttle import LoginThrottle
from octshop_rt.core.errors import NotFound


class Proof(Struct, frozen=True, kw_only=True):
    """Exactly one of the two."""

    password: str | None = None
    code: str | None = None

    def check(self) -> None:
        """NeedPasswordOrCode unless exactly one is given."""
        if (self.password is None) == (self.code is None):
            raise NeedPasswordOrCode


class Entered(Struct, frozen=True, kw_only=True):
    """A person who has just come in."""

    person: PersonRow
    opened: OpenedSession


class SignIn:
    """The one way in. Buyers exist from their first sign-in by code; staff and admins are entered by others."""

    def __init__(
        self,
        *,
        members: Members,
        people: People,
        sessions: Sessions,
        passwords: Passwords,
        throttle: LoginThrottle,
        codes: LoginCodes,
    ) -> None:
        self._members = members
        self._people = people
        self._sessions = sessions
        self._passwords = passwords
        self._throttle = throttle
        self._codes = codes

    async def send_code(self, audience: Audience, phone: str, ip: str) -> None:
        """Send a code, or seem to. Shut-out buyers are counted and sent nothing, as are strangers at other doors."""
        row = await self._members.by_phone(phone)
        known = row is None if audience is Audience.BUYER else False
        if row is not None:
            known = await self._people.person(audience, row.id) is not None
        await self._codes.send(audience, phone, ip, known=known)

    async def enter(self, audience: Audience, phone: str, proof: Proof, device: Device) -> Entered:
        """Sign in. WrongCredentials for everything that is not right, TooManyTries while slowed down."""
        proof.check()
        async with self._throttle.entering(audience, device.ip):
            if proof.code is not None:
                row = await self._by_code(audience, phone, proof.code)
            else:
                row = await self._by_password(audience, phone, proof.password or "", device.id)
        return Entered(person=row, opened=await self._sessions.open(audience, row.id, device))

    async def change_password(self, who: Buyer | Staff | Admin, audience: Audience, new: str, proof: Proof) -> None:
        """Set a new password, proven by the old one or a fresh code. All other sessions of the person end."""
        proof.check()
        row = await self._members.person(who.person_id)
        if row is None:
            raise NotFound
        check_password(new, row.phone)
        if proof.code is not None:
            if not await self._codes.check(audience, row.phone, proof.code):
                raise WrongCredentials
        else:
            async with self._throttle.guessing(audience, row.phone, f"change\n{who.session_id}"):
                if not await self._passwords.verify(row.password_hash, proof.password or ""):
                    raise WrongCredentials
        await self._members.set_password(row.id, new)
        await self._sessions.revoke_person(row.id, but=who.session_id)

    async def _by_code(self, audience: Audience, phone: str, code: str) -> PersonRow:
        if not await self._codes.check(audience, phone, code):
            raise WrongCredentials
        if audience is Audience.BUYER:
            row = await self._members.enter(phone)
        else:
            row = await self._members.by_phone(phone)
        if row is None or await self._people.person(audience, row.id) is None:
            raise WrongCredentials
        return row

    async def _by_password(self, audience: Audience, phone: str, password: str, device_id: str) -> PersonRow:
        row = await self._members.by_phone(phone)
        # Asked for strangers too, so that they take the same steps.
        used_before = await self._sessions.had_device(row.id if row else "", device_id)
        async with self._throttle.guessing(audience, phone, device_id if used_before else None):
            right = await self._passwords.verify(row.password_hash if row else None, password)
            if not right or row is None or await self._people.person(audience, row.id) is None:
                raise WrongCredentials
        if row.password_hash is not None and self._passwords.outdated(row.password_hash):
            await self._members.set_password(row.id, password)
        return row
