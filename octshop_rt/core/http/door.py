"""The door of one route: who knocks, may they, is the request well-formed; then the handler, then the answer."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final

import msgspec
from aiohttp import web

from octshop_rt.core.auth import tokens
from octshop_rt.core.auth.model import (
    Anonymous,
    Audience,
    Buyer,
    CsrfRefused,
    ForeignOrigin,
    NotSignedIn,
    Principal,
    SignedIn,
    Staff,
)
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.codec import Codec
from octshop_rt.core.errors import BadInput, Forbidden, NotFound, RateLimited
from octshop_rt.core.http.edge import IP, LANG, REQUEST_ID
from octshop_rt.core.http.load import read
from octshop_rt.core.http.media import JSON, MSGPACK, Form, answer_form, body_form
from octshop_rt.core.http.origin import Origins
from octshop_rt.core.http.refusals import NotAcceptable, UnsupportedMedia
from octshop_rt.core.http.routes import FOLDERS, PATH_VALUE, Call, Raw, Route
from octshop_rt.core.http.streams import Flow, Stream
from octshop_rt.core.ratelimit import Limiter, Quota
from octshop_rt.core.tasks import TaskRegistry

CSRF_HEADER: Final = "X-CSRF-Token"
COOKIES: dict[Audience, str] = {
    Audience.BUYER: "oct_buyer",
    Audience.STAFF: "oct_staff",
    Audience.PLATFORM: "oct_admin",
}
_COOKIE_SECONDS: dict[Audience, int | None] = {
    Audience.BUYER: 180 * 86_400,
    Audience.STAFF: 30 * 86_400,
    Audience.PLATFORM: None,  # gone with the browser
}
# One person, or one address of people we do not know, over all routes together.
EVERYBODY: Final = Quota(name="http.person", burst=120, per_ms=2_000)
NOBODY: Final = Quota(name="http.address", burst=240, per_ms=4_000)

_encode_json = msgspec.json.Encoder().encode
_encode_msgpack = msgspec.msgpack.Encoder().encode


class Doors:
    """What all doors share."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        limiter: Limiter,
        tasks: TaskRegistry,
        origins: Origins,
        secure: bool,
        everybody: Quota = EVERYBODY,
        nobody: Quota = NOBODY,
    ) -> None:
        self.sessions = sessions
        self.limiter = limiter
        self.tasks = tasks
        self.origins = origins
        self.secure = secure
        self.everybody = everybody
        self.nobody = nobody

    def cookie(self, audience: Audience) -> str:
        """Its name; with TLS the prefix that binds it to this host and to Secure."""
        return f"__Host-{COOKIES[audience]}" if self.secure else COOKIES[audience]

    def door(self, route: Route) -> Door:
        """The aiohttp handler of `route`."""
        return Door(self, route)


class Door:
    """One route, compiled."""

    def __init__(self, doors: Doors, route: Route) -> None:
        self._doors = doors
        self._route = route
        has_codec = route.body is not None and route.body not in {bytes, Stream}
        self._codec: Codec[Any] | None = Codec(route.body) if has_codec else None
        self._quota = (
            None
            if route.limit is None
            else Quota(name=f"route.{route.limit.name}", burst=route.limit.burst, per_ms=route.limit.per_ms)
        )
        self._lists = _list_fields(route.query)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Serve one request. Refusals fly out; the edge renders them."""
        route = self._route
        who, token = await self._who(request)
        await self._limit(request, who)
        form = answer_form(request.headers.get("Accept", ""))
        if form is None:
            raise NotAcceptable
        for value in request.match_info.values():
            if not PATH_VALUE.fullmatch(value):
                raise NotFound
        who = self._at_shop(request, who)
        call: Call[Any] = Call(
            who=who,
            path=dict(request.match_info),
            query=self._query(request),
            raw=request,
            ip=request[IP],
            lang=request[LANG],
            request_id=request[REQUEST_ID],
            token=token,
        )
        if route.admits is not None:
            route.admits(call.path)
        given = () if route.body is None else (await self._body(request),)
        work = route.handler(call, *given)
        if route.mutating:  # a disconnect must not cancel what may be committing
            result = await self._doors.tasks.run(_finish(work), name=repr(route))
        else:
            result = await work
        return await result.send(request) if isinstance(result, Flow) else self._answer(call, result, form)

    async def _who(self, request: web.Request) -> tuple[Principal, str]:
        """The principal and its token. A bearer token is looked at alone: with it, cookies count for nothing."""
        audience = self._route.permission.audience
        doors = self._doors
        if audience is Audience.PUBLIC:
            # A sign-in route is told which session the browser has, to end it.
            folder = FOLDERS.get(self._route.path.strip("/").split("/")[0])
            return Anonymous(), "" if folder is None else request.cookies.get(doors.cookie(folder), "")
        header = request.headers.get("Authorization")
        if header is not None:
            scheme, _, token = header.partition(" ")
            found = None
            if scheme.lower() == "bearer":
                found = await self._resolve(request, token.strip(), bearer=True)
            if found is None or not self._lets(found):
                raise NotSignedIn
            return found, token.strip()
        token = request.cookies.get(doors.cookie(audience), "")
        found = await self._resolve(request, token, bearer=False) if token else None
        if found is None or not self._lets(found):
            raise NotSignedIn
        if self._route.mutating:
            if doors.origins.of(request) != "own":
                raise ForeignOrigin
            if not tokens.csrf_matches(token, request.headers.get(CSRF_HEADER, "")):
                raise CsrfRefused
        return found, token

    def _lets(self, who: SignedIn) -> bool:
        """Guests pass where the route says so; everywhere else they are nobody yet."""
        return self._route.permission.guests or not (isinstance(who, Buyer) and who.guest)

    async def _resolve(self, request: web.Request, token: str, *, bearer: bool) -> SignedIn | None:
        """Tokens we do not remember cost a read: each address may make so many of them and no more."""
        doors = self._doors
        if not doors.sessions.remembers(token):
            after_ms = await doors.limiter.take(doors.nobody, f"token {request[IP]}")
            if after_ms:
                raise RateLimited(after_ms=after_ms)
        return await doors.sessions.resolve(self._route.permission.audience, token, bearer=bearer)

    def _at_shop(self, request: web.Request, who: Principal) -> Principal:
        """Staff as staff of the shop in the path. No grant there looks like no such shop."""
        permission = self._route.permission
        if not permission.scoped or not isinstance(who, Staff):
            return who
        here = who.at(request.match_info["shop_id"], permission.right)
        if here is None:
            raise NotFound
        if permission.right is not None and permission.right not in here.rights:
            raise Forbidden
        return here

    async def _limit(self, request: web.Request, who: Principal) -> None:
        doors, limit = self._doors, self._route.limit
        if isinstance(who, Anonymous):
            key, over_all = str(request[IP]), doors.nobody
        else:
            key, over_all = who.person_id, doors.everybody
        quotas = [] if limit is not None and limit.alone else [over_all]
        if self._quota is not None:
            quotas.append(self._quota)
        for quota in quotas:
            after_ms = await doors.limiter.take(quota, key)
            if after_ms:
                raise RateLimited(after_ms=after_ms)

    def _query(self, request: web.Request) -> Any:
        given: dict[str, Any] = {}
        for name in request.query:
            if name == "lang":
                continue
            values = request.query.getall(name)
            if name in self._lists:
                given[name] = values
            elif len(values) > 1:
                raise BadInput(reason=f"query parameter `{name}` given more than once")
            else:
                given[name] = values[0]
        query = self._route.query
        if query is None:
            if given:
                raise BadInput(reason=f"unknown query parameter `{min(given)}`")
            return None
        unknown = given.keys() - {field.encode_name for field in msgspec.structs.fields(query)}
        if unknown:
            raise BadInput(reason=f"unknown query parameter `{min(unknown)}`")
        try:
            found = msgspec.convert(given, query, strict=False)
        except msgspec.ValidationError as fault:
            raise BadInput(reason=str(fault)) from None
        # msgspec takes the word `null` for an absent number: a parameter that was given is never absent.
        for field in msgspec.structs.fields(query):
            if field.encode_name in given and getattr(found, field.name) is None:
                raise BadInput(reason=f"query parameter `{field.encode_name}` has no value")
        return found

    async def _body(self, request: web.Request) -> object:
        route = self._route
        content_type = request.headers.get("Content-Type", "")
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UnsupportedMedia(takes="identity")
        form: Form | None = None
        if self._codec is not None:
            form = body_form(content_type)
            if form is None:
                raise UnsupportedMedia(takes=f"{JSON}, {MSGPACK}")
        elif route.takes and content_type.partition(";")[0].strip().lower() not in route.takes:
            raise UnsupportedMedia(takes=", ".join(route.takes))
        if route.body is Stream:
            return Stream(request, route.max_body)
        data = await read(request, route.max_body)
        if self._codec is None:
            return data
        return self._codec.from_msgpack(data) if form == "msgpack" else self._codec.from_json(data)

    def _answer(self, call: Call[Any], result: object, form: Form) -> web.StreamResponse:
        if isinstance(result, Raw):
            answer = web.Response(
                status=result.status, body=result.body, content_type=result.content_type, headers=result.headers
            )
        elif self._route.answer is None:
            answer = web.Response(status=204)
        elif form == "msgpack":
            answer = web.Response(status=self._route.status, body=_encode_msgpack(result), content_type=MSGPACK)
        else:
            answer = web.Response(status=self._route.status, body=_encode_json(result), content_type=JSON)
        for audience, token in call.reply_cookies.items():
            name = self._doors.cookie(audience)
            if token is None:
                answer.del_cookie(name, path="/", secure=self._doors.secure, httponly=True, samesite="Strict")
            else:
                answer.set_cookie(
                    name,
                    token,
                    max_age=_COOKIE_SECONDS[audience],
                    path="/",
                    secure=self._doors.secure,
                    httponly=True,
                    samesite="Strict",
                )
        return answer


async def _finish(work: Awaitable[object]) -> object:
    return await work


def _list_fields(query: type[msgspec.Struct] | None) -> frozenset[str]:
    if query is None:
        return frozenset()
    names: set[str] = set()
    shape = msgspec.inspect.type_info(query)
    assert isinstance(shape, msgspec.inspect.StructType)
    for field in shape.fields:
        if isinstance(field.type, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
            names.add(field.encode_name)
    return frozenset(names)
