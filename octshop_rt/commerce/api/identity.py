"""Signing in and out, devices, passwords and socket tickets, for buyers, staff and the platform."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct

from octshop_rt.commerce.member.model import Password, PersonCard, Phone, WeakPassword
from octshop_rt.commerce.member.service import Members
from octshop_rt.commerce.member.sign_in import Proof, SignIn
from octshop_rt.commerce.shop.staff import StaffService
from octshop_rt.commerce.shop.staff_model import GrantView
from octshop_rt.core.auth import tokens
from octshop_rt.core.auth.model import (
    BUYER,
    PLATFORM,
    PUBLIC,
    STAFF,
    VISITOR,
    Admin,
    Anonymous,
    Audience,
    Buyer,
    CodeNotSent,
    CodeTooSoon,
    Device,
    NeedPasswordOrCode,
    Permission,
    Session,
    SignInBusy,
    Staff,
    TooManyTries,
    WrongCredentials,
)
from octshop_rt.core.auth.sessions import Sessions, Ticket
from octshop_rt.core.clock import MINUTE, Millis
from octshop_rt.core.errors import NotFound
from octshop_rt.core.http.routes import Call, Limit, Route

Code = Annotated[str, Meta(pattern=r"^[0-9]{6}$(?!\n)")]
GivenPassword = Annotated[str, Meta(min_length=1, max_length=128)]
Knocker: TypeAlias = "Call[Buyer] | Call[Staff] | Call[Admin]"

TICKETS = Limit(name="ws-ticket", burst=30, per_ms=MINUTE)


class CodeWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to send a code."""

    phone: Phone


class DeviceName(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`id` is made once by the program and kept; `name` is for the list of devices."""

    id: Annotated[str, Meta(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$(?!\n)")]
    name: Annotated[str, Meta(min_length=1, max_length=60)]


class Login(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of `code` and `password`. With `bearer` the token is in the answer and no cookie is set."""

    phone: Phone
    device: DeviceName
    code: Code | None = None
    password: GivenPassword | None = None
    bearer: bool = False


class NewPassword(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Proven by exactly one of a fresh code and the old password."""

    password: Password
    code: Code | None = None
    old_password: GivenPassword | None = None


class SignedIn(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`csrf_token` goes into the header X-CSRF-Token of changes made with the cookie; empty with a bearer token."""

    person: PersonCard
    csrf_token: str
    token: str | None = None


class StaffSignedIn(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """As SignedIn, with where the person works."""

    person: PersonCard
    csrf_token: str
    grants: list[GrantView]
    token: str | None = None


class DeviceView(Struct, frozen=True, kw_only=True):
    """One open session, as a line of the list of devices."""

    session_id: str
    device_id: str
    name: str
    ip: str
    created_at: Millis
    seen_at: Millis
    this: bool


class Devices(Struct, frozen=True, kw_only=True):
    """Newest first; one page is all."""

    items: list[DeviceView]
    next: str | None = None


class Identity:
    """What the three doors have in common."""

    def __init__(self, *, sign_in: SignIn, sessions: Sessions, members: Members, staff: StaffService) -> None:
        self.sign_in = sign_in
        self.sessions = sessions
        self.members = members
        self.staff = staff

    def routes(self) -> list[Route]:
        """The routes of all three."""
        return [
            *BuyerIdentity(self).routes(),
            *StaffIdentity(self).routes(),
            *PlatformIdentity(self).routes(),
        ]

    async def enter(self, call: Call[Anonymous], audience: Audience, body: Login) -> SignedIn:
        """Sign in; the session this browser had before ends, so that a token is never kept across a sign-in."""
        device = Device(id=body.device.id, name=body.device.name, ip=call.ip, bearer=body.bearer)
        proof = Proof(password=body.password, code=body.code)
        entered = await self.sign_in.enter(audience, body.phone, proof, device)
        opened = entered.opened
        if call.token and (before := await self.sessions.resolve(audience, call.token, bearer=False)) is not None:
            await self.sessions.revoke(before.session_id)
        if not body.bearer:
            call.reply_cookies[audience] = opened.token
        return SignedIn(
            person=await self.members.card(entered.person.id),
            csrf_token="" if body.bearer else opened.csrf_token,
            token=opened.token if body.bearer else None,
        )

    async def current(self, call: Knocker) -> SignedIn:
        """Who is signed in."""
        bearer = "Authorization" in call.raw.headers
        return SignedIn(
            person=await self.members.card(call.who.person_id),
            csrf_token="" if bearer else tokens.csrf_of(call.token),
        )

    async def leave(self, call: Knocker, audience: Audience) -> None:
        """Sign out here."""
        await self.sessions.revoke(call.who.session_id)
        if "Authorization" not in call.raw.headers:
            call.reply_cookies[audience] = None

    async def devices(self, call: Knocker, audience: Audience) -> Devices:
        """Where this person is signed in behind this door."""
        mine = await self.sessions.of_person(call.who.person_id, audience)
        return Devices(items=[_device(one, call.who.session_id) for one in mine])

    async def drop_device(self, call: Knocker, audience: Audience) -> None:
        """Sign out one of one's own devices; somebody else's looks missing."""
        mine = await self.sessions.of_person(call.who.person_id, audience)
        if call.path["session_id"] not in {one.id for one in mine}:
            raise NotFound
        await self.sessions.revoke(call.path["session_id"])

    async def change_password(self, call: Knocker, audience: Audience, body: NewPassword) -> None:
        """Set a new password."""
        proof = Proof(password=body.old_password, code=body.code)
        await self.sign_in.change_password(call.who, audience, body.password, proof)


class BuyerIdentity:
    """The buyers' door."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def routes(self) -> list[Route]:
        """Below /buyer."""
        return _entrance("/buyer", self.send_code, self.login, SignedIn) + _inside(
            "/buyer", BUYER, self, SignedIn, chat=VISITOR
        )

    async def send_code(self, call: Call[Anonymous], body: CodeWish) -> None:
        await self._identity.sign_in.send_code(Audience.BUYER, body.phone, call.ip)

    async def login(self, call: Call[Anonymous], body: Login) -> SignedIn:
        return await self._identity.enter(call, Audience.BUYER, body)

    async def session(self, call: Call[Buyer]) -> SignedIn:
        return await self._identity.current(call)

    async def logout(self, call: Call[Buyer]) -> None:
        await self._identity.leave(call, Audience.BUYER)

    async def devices(self, call: Call[Buyer]) -> Devices:
        return await self._identity.devices(call, Audience.BUYER)

    async def drop_device(self, call: Call[Buyer]) -> None:
        await self._identity.drop_device(call, Audience.BUYER)

    async def password(self, call: Call[Buyer], body: NewPassword) -> None:
        await self._identity.change_password(call, Audience.BUYER, body)

    async def ticket(self, call: Call[Buyer]) -> Ticket:
        return await self._identity.sessions.ticket(call.who)


class StaffIdentity:
    """The door of shop staff."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def routes(self) -> list[Route]:
        """Below /staff."""
        entrance = _entrance("/staff", self.send_code, self.login, StaffSignedIn)
        return entrance + _inside("/staff", STAFF, self, StaffSignedIn)

    async def send_code(self, call: Call[Anonymous], body: CodeWish) -> None:
        await self._identity.sign_in.send_code(Audience.STAFF, body.phone, call.ip)

    async def login(self, call: Call[Anonymous], body: Login) -> StaffSignedIn:
        return await self._with_grants(await self._identity.enter(call, Audience.STAFF, body))

    async def session(self, call: Call[Staff]) -> StaffSignedIn:
        return await self._with_grants(await self._identity.current(call))

    async def logout(self, call: Call[Staff]) -> None:
        await self._identity.leave(call, Audience.STAFF)

    async def devices(self, call: Call[Staff]) -> Devices:
        return await self._identity.devices(call, Audience.STAFF)

    async def drop_device(self, call: Call[Staff]) -> None:
        await self._identity.drop_device(call, Audience.STAFF)

    async def password(self, call: Call[Staff], body: NewPassword) -> None:
        await self._identity.change_password(call, Audience.STAFF, body)

    async def ticket(self, call: Call[Staff]) -> Ticket:
        return await self._identity.sessions.ticket(call.who)

    async def _with_grants(self, signed: SignedIn) -> StaffSignedIn:
        return StaffSignedIn(
            person=signed.person,
            csrf_token=signed.csrf_token,
            token=signed.token,
            grants=await self._identity.staff.views(signed.person.id),
        )


class PlatformIdentity:
    """The platform's door."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def routes(self) -> list[Route]:
        """Below /platform."""
        return [
            _login_route("/platform", self.login, SignedIn),
            Route("GET", "/platform/session", self.session, permission=PLATFORM, answer=SignedIn, summary=_WHO),
            Route("DELETE", "/platform/session", self.logout, permission=PLATFORM, summary=_OUT),
        ]

    async def login(self, call: Call[Anonymous], body: Login) -> SignedIn:
        return await self._identity.enter(call, Audience.PLATFORM, body)

    async def session(self, call: Call[Admin]) -> SignedIn:
        return await self._identity.current(call)

    async def logout(self, call: Call[Admin]) -> None:
        await self._identity.leave(call, Audience.PLATFORM)


_WHO = "Who is signed in, and the CSRF token of the session"
_OUT = "Sign out"


def _login_route(folder: str, login: Any, answer: Any) -> Route:
    return Route(
        "POST",
        f"{folder}/login",
        login,
        permission=PUBLIC,
        body=Login,
        answer=answer,
        errors=(WrongCredentials, TooManyTries, SignInBusy, NeedPasswordOrCode),
        summary="Sign in by code or password",
    )


def _entrance(folder: str, send_code: Any, login: Any, answer: Any) -> list[Route]:
    return [
        Route(
            "POST",
            f"{folder}/login-codes",
            send_code,
            permission=PUBLIC,
            body=CodeWish,
            errors=(CodeTooSoon, CodeNotSent),
            summary="Send a sign-in code by text message; the answer is the same for every number",
        ),
        _login_route(folder, login, answer),
    ]


def _inside(
    folder: str,
    permission: Permission,
    door: BuyerIdentity | StaffIdentity,
    answer: Any,
    chat: Permission | None = None,
) -> list[Route]:
    """`chat`: who may have a ticket for the socket, if not the same."""
    return [
        Route("GET", f"{folder}/session", door.session, permission=permission, answer=answer, summary=_WHO),
        Route("DELETE", f"{folder}/session", door.logout, permission=permission, summary=_OUT),
        Route(
            "GET",
            f"{folder}/devices",
            door.devices,
            permission=permission,
            answer=Devices,
            summary="Where one is signed in",
        ),
        Route(
            "DELETE",
            f"{folder}/devices/{{session_id}}",
            door.drop_device,
            permission=permission,
            errors=(NotFound,),
            summary="Sign a device out; takes effect at once",
        ),
        Route(
            "PUT",
            f"{folder}/password",
            door.password,
            permission=permission,
            body=NewPassword,
            errors=(WrongCredentials, WeakPassword, TooManyTries, SignInBusy, NeedPasswordOrCode),
            summary="Set a new password; all other devices are signed out",
        ),
        Route(
            "POST",
            f"{folder}/ws-ticket",
            door.ticket,
            permission=chat or permission,
            answer=Ticket,
            limit=TICKETS,
            summary="A ticket that opens one chat socket within 30 s",
        ),
    ]


def _device(session: Session, mine: str) -> DeviceView:
    return DeviceView(
        session_id=session.id,
        device_id=session.device_id,
        name=session.device_name,
        ip=session.ip,
        created_at=session.created_at,
        seen_at=session.seen_at,
        this=session.id == mine,
    )
