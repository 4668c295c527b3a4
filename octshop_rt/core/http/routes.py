"""The route table: what a route declares, what its handler is given, and the checks that stop a start."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import UnionType
from typing import Any, Generic, Literal, NoReturn, TypeVar

import msgspec
from aiohttp import web

from octshop_rt.core.auth.model import Audience, Permission
from octshop_rt.core.errors import DEFAULT_LANG, DomainError, Lang
from octshop_rt.core.http.streams import Stream

P = TypeVar("P")

Method = Literal["GET", "POST", "PUT", "DELETE"]
MUTATING: frozenset[str] = frozenset({"POST", "PUT", "DELETE"})
API = "/api/v1"
BODY_LIMIT = 64 * 1024
PATH_VALUE = re.compile(r"[A-Za-z0-9_:-]{1,64}")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")

# The first folder of a path is whose door it is; a route may not be declared for another audience than its folder's.
FOLDERS: dict[str, Audience] = {
    "buyer": Audience.BUYER,
    "staff": Audience.STAFF,
    "shop": Audience.STAFF,
    "platform": Audience.PLATFORM,
}
# What `Call[...]` a handler must take for each audience.
_CALLERS: dict[Audience, frozenset[str]] = {
    Audience.PUBLIC: frozenset({"Anonymous", "Principal"}),
    Audience.BUYER: frozenset({"Buyer"}),
    Audience.STAFF: frozenset({"Staff"}),
    Audience.PLATFORM: frozenset({"Admin"}),
}


class Call(Generic[P]):
    """One request as a handler sees it. `query` is the decoded Struct the route declared; `raw` is for uploads only."""

    __slots__ = ("ip", "lang", "path", "query", "raw", "reply_cookies", "request_id", "token", "who")

    def __init__(
        self,
        *,
        who: P,
        path: Mapping[str, str],
        query: Any,
        raw: web.Request,
        ip: str = "",
        lang: Lang = DEFAULT_LANG,
        request_id: str = "",
        token: str = "",
    ) -> None:
        self.who: P = who
        self.path = path
        self.query = query
        self.lang: Lang = lang
        self.ip = ip
        self.request_id = request_id
        self.token = token  # of the session, or (public sign-in) of the one the browser still has: for identity alone
        self.raw = raw
        # name -> token to set, or None to remove: how the identity routes hand a session to a browser
        self.reply_cookies: dict[Audience, str | None] = {}


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is not a Struct: other people's formats, pictures. `headers` must be safe as they are."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/octet-stream"
    headers: dict[str, str] = {}


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """At most `burst` at once and `burst` per `per_ms` in the long run, for each person (nobody: each address).

    It comes on top of the limit over all routes; `alone` in its place.
    """

    name: str
    burst: int
    per_ms: int
    alone: bool = False


class RouteFault(Exception):
    """A route table that must not be served; the message names the route and what is wrong with it."""


class Route:
    """One route below `/api/v1`. `body=bytes` gives the handler the undecoded body; `answer=Raw` sends one.
    `body=Stream` gives it the body as it arrives, `answer=Flow` sends one as it is read.

    `max_body` bounds what is read at all; `takes` are the content types such a route accepts (empty: any).
    `admits` is asked about the path before a byte of the body is awaited; what it raises is the answer.
    """

    def __init__(
        self,
        method: Method,
        path: str,
        handler: Callable[..., Awaitable[object]],
        *,
        permission: Permission,
        body: type[msgspec.Struct | bytes | Stream] | UnionType | None = None,
        query: type[msgspec.Struct] | None = None,
        answer: Any = None,
        status: int | None = None,
        errors: Sequence[type[DomainError]] = (),
        summary: str = "",
        max_body: int = BODY_LIMIT,
        takes: Sequence[str] = (),
        limit: Limit | None = None,
        admits: Callable[[Mapping[str, str]], object] | None = None,
    ) -> None:
        self.method: Method = method
        self.path = path
        self.handler = handler
        self.permission = permission
        self.body = body
        self.query = query
        self.answer = answer
        self.status = status if status is not None else (204 if answer is None else 200)
        self.errors = tuple(errors)
        self.summary = summary
        self.max_body = max_body
        self.takes = tuple(takes)
        self.limit = limit
        self.admits = admits

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def mutating(self) -> bool:
        """Whether it may change anything."""
        return self.method in MUTATING

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Names in the path."""
        return tuple(_PLACEHOLDER.findall(self.path))

    @property
    def operation_id(self) -> str:
        """A stable name for generated clients: `post_buyer_orders_by_order_id_cancel`."""
        words = [f"by_{part[1:-1]}" if part.startswith("{") else part for part in self.path.strip("/").split("/")]
        return re.sub(r"[^a-z0-9_]", "_", "_".join([self.method.lower(), *words]))


def check(routes: Sequence[Route]) -> None:
    """Raise RouteFault unless every route is declared whole and consistently. Called before anything listens."""
    seen: set[tuple[str, str]] = set()
    for route in routes:
        shape = (route.method, _PLACEHOLDER.sub("{}", route.path))
        if shape in seen:
            _fault(route, "is declared twice")
        seen.add(shape)
        _check_permission(route)
        _check_handler(route)
        if route.method in {"GET", "DELETE"} and route.body is not None:
            _fault(route, "takes a body, which GET and DELETE do not")
        if (route.status == 204) != (route.answer is None):
            _fault(route, "must answer 204 exactly when it answers nothing")
        if not route.summary:
            _fault(route, "has no summary")


def _check_permission(route: Route) -> None:
    # The type checker cannot see a table built at run time; a missing permission must stop the start all the same.
    if type(route.permission) is not Permission:
        _fault(route, "declares no permission")
    permission = route.permission
    folder = route.path.strip("/").split("/")[0]
    audience = permission.audience
    if folder in FOLDERS and audience not in {FOLDERS[folder], Audience.PUBLIC}:
        _fault(route, f"lies below /{folder} but is declared for {audience}")
    if folder not in FOLDERS and audience is not Audience.PUBLIC:
        _fault(route, f"is for {audience} but lies below /{folder}")
    if permission.scoped != (folder == "shop" and "shop_id" in route.placeholders):
        _fault(route, "at_shop(...) and a path of /shop/{shop_id}/... belong together")
    if permission.right is not None and not permission.scoped:
        _fault(route, "asks for a right without saying at which shop")


def _check_handler(route: Route) -> None:
    parameters = list(inspect.signature(route.handler).parameters.values())
    if len(parameters) != (1 if route.body is None else 2):
        _fault(route, "its handler must take (call) or, with a body declared, (call, body)")
    permission = route.permission
    callers = frozenset({"ShopStaff"}) if permission.scoped else _CALLERS[permission.audience]
    caller = _name(parameters[0].annotation)
    if caller not in {f"Call[{name}]" for name in callers}:
        _fault(route, f"its handler takes {caller}, its permission gives Call[{' or '.join(sorted(callers))}]")
    if route.body is not None:
        given, declared = _name(parameters[1].annotation), _name(route.body)
        if given != declared:
            _fault(route, f"its handler takes a body of {given}, the route declares {declared}")


def _name(annotation: object) -> str:
    """`Call[Buyer]` for the text "Call[Buyer]", for the object Call[Buyer] and for a qualified name."""
    if isinstance(annotation, type) and not hasattr(annotation, "__origin__"):
        return annotation.__name__
    return re.sub(r"\b\w+\.", "", annotation if isinstance(annotation, str) else str(annotation))


def _fault(route: Route, reason: str) -> NoReturn:
    message = f"{route}: {reason}"
    raise RouteFault(message)
