"""The edge before every handler: id, address, language, origin, load, last resort, and the headers of all answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import hdrs, web

from octshop_rt.core.auth.model import ForeignOrigin
from octshop_rt.core.clock import monotonic_ms
from octshop_rt.core.errors import DomainError, Lang
from octshop_rt.core.http import problem
from octshop_rt.core.http.load import PLACE, Load, Place
from octshop_rt.core.http.media import answer_form, language
from octshop_rt.core.http.origin import ClientAddress, Origins
from octshop_rt.core.http.refusals import Internal
from octshop_rt.core.http.routes import MUTATING
from octshop_rt.core.ids import Ids
from octshop_rt.core.metrics import HttpMetrics

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID: Final = web.RequestKey("request_id", str)
IP: Final = web.RequestKey("ip", str)
LANG: Final[web.RequestKey[Lang]] = web.RequestKey("lang", str)  # pyright: ignore[reportAssignmentType] # a Literal is no class
STARTED: Final = web.RequestKey("started", int)

SLOW_MS: Final = 500
# How the operator looks at a server that has too much to do.
OPERATIONS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
# Answers that come when there is something to say.
HELD: Final = frozenset({("GET", "/im/poll")})
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PATCH", *MUTATING})

# An API answer is never a page: nothing it holds may run, be framed or be kept by a cache.
API_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS: Final[dict[str, str]] = {
    "Content-Security-Policy": API_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}
TRANSPORT_SECURITY: Final = "max-age=31536000; includeSubDomains"


class Edge:
    """One middleware and one signal. Everything the server sends passes both, errors included."""

    def __init__(
        self,
        *,
        ids: Ids,
        origins: Origins,
        address: ClientAddress,
        secure: bool,
        metrics: HttpMetrics,
        load: Load | None = None,
    ) -> None:
        self._ids = ids
        self._origins = origins
        self._address = address
        self._metrics = metrics
        self.load = load or Load()
        self._headers = dict(HEADERS)
        if secure:
            self._headers["Strict-Transport-Security"] = TRANSPORT_SECURITY

    def install(self, app: web.Application) -> None:
        """Stand before `app`."""

        @web.middleware
        async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self.pass_on(request, handler)

        app.middlewares.append(edge)
        app.on_response_prepare.append(self.dress)

    async def pass_on(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let one request in and its answer, whatever it is, out."""
        request[STARTED] = monotonic_ms()
        request[REQUEST_ID] = self._ids.new("Z")
        request[IP] = self._address.of(request)
        wish = request.query.get("lang") or request.cookies.get("lang")
        request[LANG] = language(wish, request.headers.get("Accept-Language", ""))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request[REQUEST_ID])
        place = request[PLACE] = Place(self.load, request[IP])
        try:
            answer = await self._guarded(request, handler)
        finally:
            place.leave()
        # A socket's time is the connection's life, and a poll waits as long as nothing is said.
        if not _is_socket(answer) and (request.method, route_of(request)) not in HELD:
            self._note(request, answer)
        return answer

    async def dress(self, request: web.Request, answer: web.StreamResponse) -> None:
        """Give an answer its headers. What a handler has set on purpose stays."""
        for name, value in self._headers.items():
            answer.headers.setdefault(name, value)
        answer.headers.update(self._origins.cors(request))
        answer.headers.popall(hdrs.SERVER, None)
        if REQUEST_ID in request:
            answer.headers["X-Request-Id"] = request[REQUEST_ID]
        if PLACE in request:  # a socket or a long answer is no work any more: it has limits of its own
            request[PLACE].leave()

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if route_of(request) not in OPERATIONS:
                request[PLACE].enter()
            if request.method == "OPTIONS" and self._origins.of(request) == "listed":
                return web.Response(status=204)
            if request.method in MUTATING and not self._origins.may(request):
                raise ForeignOrigin
            return await handler(request)
        except DomainError as refusal:
            return self._refuse(request, refusal)
        except web.HTTPException as answer:
            return self._plain(request, answer)
        except web.RequestPayloadError:
            answer = self._plain(request, web.HTTPBadRequest())
            answer.force_close()  # what follows cannot be told from the body
            return answer
        except Exception as fault:
            if isinstance(fault, ConnectionError) and over(request):
                log.info("client left", method=_method(request), route=route_of(request))
                raise
            log.exception("unexpected", error_id=request[REQUEST_ID], method=request.method, route=route_of(request))
            return self._refuse(request, Internal(error_id=request[REQUEST_ID]))

    def _refuse(self, request: web.Request, refusal: DomainError) -> web.StreamResponse:
        self._metrics.refused(refusal.code)
        if refusal.status >= 500 and not isinstance(refusal, Internal):
            log.warning("refused", code=refusal.code, route=route_of(request), cause=repr(refusal.__cause__))
        answer = problem.response(
            problem.problem_of(refusal, request[LANG], request[REQUEST_ID]),
            answer_form(request.headers.get("Accept", "")) or "json",
            request[LANG],
        )
        if refusal.status in {408, 413}:
            answer.force_close()  # the rest of the body is not wanted
        return answer

    def _plain(self, request: web.Request, given: web.HTTPException) -> web.StreamResponse:
        if given.status < 400:  # a redirect
            answer = web.Response(status=given.status)
        else:
            form = answer_form(request.headers.get("Accept", "")) or "json"
            bare = problem.bare_problem(given.status, request[LANG], request[REQUEST_ID])
            answer = problem.response(bare, form, request[LANG])
        for name in (hdrs.LOCATION, hdrs.ALLOW, hdrs.RETRY_AFTER):
            if name in given.headers:
                answer.headers[name] = given.headers[name]
        return answer

    def _note(self, request: web.Request, answer: web.StreamResponse) -> None:
        route = route_of(request)
        spent_ms = monotonic_ms() - request[STARTED]
        self._metrics.answered(_method(request), route, answer.status, spent_ms / 1000)
        # Reads that went well are counted, not told: their lines would cost more than the reads.
        if request.method in MUTATING or answer.status >= 400 or spent_ms >= SLOW_MS:
            log.info("http", method=_method(request), route=route, status=answer.status, ms=spent_ms)


def over(request: web.BaseRequest) -> bool:
    """Whether there is nobody to answer any more, or an answer has begun already."""
    return request.transport is None or request.transport.is_closing() or request.writer.output_size > 0


def _is_socket(answer: web.StreamResponse) -> bool:
    return isinstance(answer, web.WebSocketResponse) and answer.prepared


def route_of(request: web.Request) -> str:
    """The pattern that matched: safe to log and to count by, unlike the path."""
    resource = request.match_info.route.resource
    return "unmatched" if resource is None else resource.canonical


def _method(request: web.Request) -> str:
    # The client may invent methods; our figures must not grow with its fancy.
    return request.method if request.method in _METHODS else "other"
