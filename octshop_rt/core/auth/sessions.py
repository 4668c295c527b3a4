"""Sessions: opening, resolving a token to a principal, revoking at once on every node, tickets and resume tokens."""

from __future__ import annotations

import contextlib
from typing import Final, Protocol

from msgspec import Struct

from octshop_rt.core.auth import store, tokens
from octshop_rt.core.auth.model import (
    SEEN_EVERY,
    SPANS,
    Admin,
    Anonymous,
    Audience,
    Buyer,
    Device,
    NotSignedIn,
    Person,
    Principal,
    Session,
    SignedIn,
    Staff,
)
from octshop_rt.core.bus import Bus
from octshop_rt.core.clock import DAY, HOUR, MINUTE, SECOND, Clock, Millis
from octshop_rt.core.codec import Codec
from octshop_rt.core.errors import BadInput, DomainError
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database

REVOKED: Final = "session.revoked"  # bus channel; payload: the session's id

CACHE_MS = 30 * SECOND
CACHE_SIZE = 20_000
TICKET_MS = 30 * SECOND
RESUME_MS = 10 * MINUTE
BARRED_FRESH_MS = 3 * SECOND
MOST_SESSIONS = 50
KEEP_MS = 30 * DAY


class People(Protocol):
    """Who keeps people tells sessions what they need to know: the wing's part of signing in."""

    async def person(self, audience: Audience, person_id: str) -> Person | None:
        """The person, if it exists, is not disabled and belongs behind this audience's door."""
        ...


class OpenedSession(Struct, frozen=True, kw_only=True):
    """A new session with the only copy of its token."""

    token: str
    csrf_token: str
    session: Session


class Ticket(Struct, frozen=True, kw_only=True):
    """Opens one socket once."""

    ticket: str
    expires_at: Millis


class Proven(Struct, frozen=True):
    """Whom a living session belongs to, and when it ends unless it is used before."""

    who: SignedIn
    until: Millis


class _Resume(Struct, frozen=True, array_like=True):
    issued_at: Millis
    who: Buyer | Staff | Admin
    until: Millis = 0  # when the session ends, 0: not told


class _Known(Struct, frozen=True):
    session: Session
    who: SignedIn
    until: Millis


class Sessions:
    """MongoDB holds the truth; what was read is believed for up to 30 s, less when the bus says it has ended."""

    def __init__(self, *, db: Database, bus: Bus, clock: Clock, ids: Ids, people: People, resume_key: bytes) -> None:
        self._db = db
        self._bus = bus
        self._clock = clock
        self._ids = ids
        self._people = people
        self._resume_key = resume_key
        self._resume: Codec[_Resume] = Codec(_Resume)
        self._known: dict[str, _Known] = {}
        self._hash_of: dict[str, str] = {}  # session id -> token hash, for what is in _known
        # Counts what was forgotten, so that a read begun before a revocation is not remembered after it.
        self._epoch = 0
        self._barred: dict[str, Millis] = {}
        self._barred_read_at: Millis = 0
        self._swept_at: Millis = clock.now()
        self._unsubscribe = (bus.subscribe(REVOKED, self._on_revoked), bus.on_gap(self._on_gap))

    def close(self) -> None:
        """Stop listening to the bus."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()

    async def open(self, audience: Audience, person_id: str, device: Device) -> OpenedSession:
        """Sign a person in. The oldest sessions beyond fifty of one person end."""
        now = self._clock.now()
        token = tokens.new_token()
        span = SPANS[audience]
        session = Session(
            id=self._ids.new("N"),
            token_hash=tokens.token_hash(token),
            audience=audience,
            person_id=person_id,
            device_id=device.id,
            device_name=device.name,
            ip=device.ip,
            bearer=device.bearer,
            created_at=now,
            seen_at=now,
            idle_until=now + span.idle,
            until=now + span.absolute,
        )
        await store.add_session(self._db, session)
        for old in (await store.of_person(self._db, person_id, now, audience))[MOST_SESSIONS:]:
            await self.revoke(old.id)
        if now - self._swept_at >= HOUR:
            self._swept_at = now
            with contextlib.suppress(DomainError):  # tidying must not keep anybody out
                await self.sweep()
        return OpenedSession(token=token, csrf_token=tokens.csrf_of(token), session=session)

    async def resolve(self, audience: Audience, token: str, *, bearer: bool | None = None) -> SignedIn | None:
        """Who holds `token`, or None. `bearer` says how it came; a cookie's token in a header opens nothing."""
        key = tokens.token_hash(token)
        known = self._known.get(key)
        now = self._clock.now()
        if known is None or known.until <= now:
            known = await self._look(key, now)
        if known is None or known.session.audience is not audience:
            return None
        if bearer is not None and known.session.bearer is not bearer:
            return None
        return known.who

    def remembers(self, token: str) -> bool:
        """Whether resolving `token` needs no read: what is not remembered may be a guess and should be rationed."""
        known = self._known.get(tokens.token_hash(token))
        return known is not None and known.until > self._clock.now()

    async def by_session(self, session_id: str) -> SignedIn | None:
        """Who this living session belongs to now, read from the truth."""
        proven = await self.proven(session_id)
        return None if proven is None else proven.who

    async def proven(self, session_id: str) -> Proven | None:
        """The same with the end of the session: for sockets that re-check."""
        session = await store.by_id(self._db, session_id)
        known = await self._admit(session, self._clock.now())
        return None if known is None else Proven(known.who, min(known.session.until, known.session.idle_until))

    async def revoke(self, session_id: str) -> None:
        """End one session, here at once and elsewhere as fast as the bus; ending it again is harmless."""
        await store.revoke(self._db, session_id, self._clock.now())
        await self._tell(session_id)

    async def revoke_person(self, person_id: str, *, audience: Audience | None = None, but: str | None = None) -> int:
        """End all sessions of a person (except session `but`); how many."""
        ended = 0
        for session in await store.of_person(self._db, person_id, self._clock.now(), audience):
            if session.id != but:
                await self.revoke(session.id)
                ended += 1
        return ended

    async def rights_changed(self, person_id: str) -> None:
        """A person's grants were changed: sessions live on with the new rights, sockets close and come back."""
        now = self._clock.now()
        ids = [session.id for session in await store.of_person(self._db, person_id, now)]
        await store.bar(self._db, ids, now)
        for session_id in ids:
            await self._tell(session_id)

    async def of_person(self, person_id: str, audience: Audience | None = None) -> list[Session]:
        """Living sessions, newest first."""
        return await store.of_person(self._db, person_id, self._clock.now(), audience)

    async def seen_since(self, person_id: str, since: Millis, audience: Audience) -> list[Session]:
        """Those in use at or after `since`, ended or not, newest first."""
        return await store.seen_since(self._db, person_id, since, audience)

    async def had_device(self, person_id: str, device_id: str) -> bool:
        """Whether this person has signed in on this device before."""
        return await store.had_device(self._db, person_id, device_id)

    async def ticket(self, who: Principal) -> Ticket:
        """A ticket for the first frame of a socket: one use, 30 s."""
        if isinstance(who, Anonymous):
            raise NotSignedIn
        secret = tokens.new_token()
        until = self._clock.now() + TICKET_MS
        await store.add_ticket(
            self._db, store.Ticket(id=tokens.token_hash(secret), session_id=who.session_id, until=until)
        )
        return Ticket(ticket=f"{who.session_id}.{secret}", expires_at=until)

    async def redeem_ticket(self, text: str) -> Proven | None:
        """Who a ticket belongs to; None if it is unknown, late or used, or its session has ended."""
        session_id, _, secret = text.partition(".")
        now = self._clock.now()
        if not await store.take_ticket(self._db, tokens.token_hash(secret), session_id, now):
            return None
        return await self.proven(session_id)

    def resume_token(self, who: SignedIn, until: Millis = 0) -> str:
        """Lets a lost socket come back within ten minutes, not after `until`, without a ticket. For WELCOME."""
        return tokens.seal(self._resume_key, self._resume.msgpack(_Resume(self._clock.now(), who, until)))

    async def redeem_resume(self, text: str) -> Proven | None:
        """Who a resume token belongs to; None if forged, older than ten minutes, or its session was ended or changed.

        Costs no read of its own: which sessions were ended is read at most once in three seconds.
        """
        payload = tokens.unseal(self._resume_key, text)
        if payload is None:
            return None
        try:
            resume = self._resume.from_msgpack(payload)
        except BadInput:
            return None
        now = self._clock.now()
        until = resume.until or now + RESUME_MS
        if now >= min(until, resume.issued_at + RESUME_MS):
            return None
        if now - self._barred_read_at >= BARRED_FRESH_MS:
            await self._read_barred(now)
        if resume.issued_at <= self._barred.get(resume.who.session_id, -1):
            return None
        return Proven(resume.who, until)

    async def sweep(self) -> int:
        """Delete long-ended sessions, old tickets and codes; how many sessions. Signing in does it once an hour."""
        return await store.sweep(self._db, self._clock.now(), KEEP_MS)

    async def _look(self, key: str, now: Millis) -> _Known | None:
        epoch = self._epoch
        session = await store.by_token(self._db, key)
        known = await self._admit(session, now)
        if known is None or session is None:
            self._forget(key)
            return None
        if session.seen_at + SEEN_EVERY <= now:
            idle_until = min(now + SPANS[session.audience].idle, session.until)
            with contextlib.suppress(DomainError):  # a missed mark of use must not shut the door
                await store.touch(self._db, session.id, now, idle_until)
        if epoch == self._epoch:
            self._remember(key, known)
        return known

    async def _admit(self, session: Session | None, now: Millis) -> _Known | None:
        if session is None or session.revoked_at is not None or now >= min(session.until, session.idle_until):
            return None
        person = await self._people.person(session.audience, session.person_id)
        if person is None:
            return None
        until = min(now + CACHE_MS, session.until, session.idle_until)
        return _Known(session, _principal(session, person), until)

    def _remember(self, key: str, known: _Known) -> None:
        if len(self._known) >= CACHE_SIZE:
            self._forget(next(iter(self._known)))
        self._known[key] = known
        self._hash_of[known.session.id] = key

    def _forget(self, key: str) -> None:
        known = self._known.pop(key, None)
        if known is not None:
            self._hash_of.pop(known.session.id, None)

    async def _tell(self, session_id: str) -> None:
        self._on_revoked(REVOKED, session_id.encode())
        await self._bus.publish(REVOKED, session_id.encode())

    def _on_revoked(self, _channel: str, payload: bytes) -> None:
        session_id = payload.decode("ascii", "replace")
        self._epoch += 1
        self._barred[session_id] = self._clock.now()
        key = self._hash_of.get(session_id)
        if key is not None:
            self._forget(key)

    def _on_gap(self) -> None:
        self._epoch += 1
        self._known.clear()
        self._hash_of.clear()
        self._barred_read_at = 0

    async def _read_barred(self, now: Millis) -> None:
        rows = await store.barred_since(self._db, now - RESUME_MS - MINUTE)
        for row in rows:
            self._barred[row.id] = max(row.barred_at, self._barred.get(row.id, 0))
        horizon = now - RESUME_MS - MINUTE
        self._barred = {key: at for key, at in self._barred.items() if at >= horizon}
        self._barred_read_at = now


def _principal(session: Session, person: Person) -> SignedIn:
    if session.audience is Audience.BUYER:
        return Buyer(
            session_id=session.id,
            person_id=person.id,
            device_id=session.device_id,
            guest=person.guest,
            was=person.was,
            ip=session.ip if person.guest else "",
        )
    if session.audience is Audience.STAFF:
        return Staff(
            session_id=session.id,
            person_id=person.id,
            name=person.name,
            device_id=session.device_id,
            grants=person.grants,
        )
    return Admin(session_id=session.id, person_id=person.id, name=person.name)
