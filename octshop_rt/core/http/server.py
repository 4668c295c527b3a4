"""The HTTP server: the aiohttp application made of routes, edge, papers and pages, and the runner with its limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.errors import DomainError
from octshop_rt.core.http import openapi, papers
from octshop_rt.core.http.door import Doors
from octshop_rt.core.http.edge import LANG, Edge
from octshop_rt.core.http.load import Load
from octshop_rt.core.http.origin import ClientAddress, Origins
from octshop_rt.core.http.pages import Pages, page_policy
from octshop_rt.core.http.routes import API, Route, check
from octshop_rt.core.http.wire import Runner
from octshop_rt.core.ids import Ids
from octshop_rt.core.metrics import HttpMetrics, Metrics
from octshop_rt.core.ratelimit import Limiter
from octshop_rt.core.settings import Settings
from octshop_rt.core.tasks import TaskRegistry

VERSION: Final = "1"
ORIGINS: Final = web.AppKey("origins", Origins)
ADDRESS: Final = web.AppKey("address", ClientAddress)
LOAD: Final = web.AppKey("load", Load)

KEEPALIVE_SECONDS: Final = 30  # also the time a client has to finish its headers
HEADER_LINE: Final = 8_190
MOST_HEADERS: Final = 64
LINGER_SECONDS: Final = 2
SHUTDOWN_SECONDS: Final = 1.5  # aiohttp waits so long twice; a mutation goes on without its connection
_LOOPBACK = frozenset({"127.0.0.1", "::1", ""})


def build_app(
    routes: Sequence[Route],
    *,
    sessions: Sessions,
    settings: Settings,
    limiter: Limiter,
    tasks: TaskRegistry,
    ids: Ids,
    metrics: Metrics | None = None,
    ready: Callable[[], Awaitable[None]] | None = None,
    doors: Doors | None = None,
) -> web.Application:
    """The application. RouteFault if any route is declared badly: nothing listens then.

    `ready` raises while the process should get no traffic. More handlers may be mounted on the result; they pass the
    same edge (headers, origin, request id, error bodies), but no door: they must ask who it is themselves.
    """
    check(routes)
    secure = settings.http.origin.startswith("https://")
    origins = Origins.of_settings(settings.http, production=settings.production)
    address = ClientAddress(settings.http.proxies)
    metrics = metrics or Metrics()
    app = web.Application(client_max_size=0)
    app[ORIGINS] = origins
    app[ADDRESS] = address
    edge = Edge(ids=ids, origins=origins, address=address, secure=secure, metrics=HttpMetrics(metrics))
    edge.install(app)
    app[LOAD] = edge.load
    app.on_shutdown.append(_give_up_reading)
    doors = doors or Doors(sessions=sessions, limiter=limiter, tasks=tasks, origins=origins, secure=secure)
    for route in routes:
        app.router.add_route(route.method, API + route.path, doors.door(route).__call__)
    _mount_papers(app, routes, secure=secure)
    _mount_operations(app, metrics, ready)
    if settings.http.web_dir:
        hosts = tuple(sorted({urlsplit(origin).netloc for origin in origins.own}))
        Pages(Path(settings.http.web_dir), page_policy(hosts)).install(app)
    return app


def runner(app: web.Application) -> web.AppRunner:
    """How the application is to be run: the limits that aiohttp's defaults leave open."""
    return Runner(
        app,
        handle_signals=False,
        access_log=None,
        keepalive_timeout=KEEPALIVE_SECONDS,
        max_line_size=HEADER_LINE,
        max_field_size=HEADER_LINE,
        max_headers=MOST_HEADERS,
        lingering_time=LINGER_SECONDS,
        shutdown_timeout=SHUTDOWN_SECONDS,
        handler_cancellation=False,
        address=app[ADDRESS],
    )


async def _give_up_reading(app: web.Application) -> None:
    app[LOAD].close()


def _mount_papers(app: web.Application, routes: Sequence[Route], *, secure: bool) -> None:
    text = msgspec.json.format(msgspec.json.encode(openapi.document(routes, version=VERSION, secure=secure)), indent=1)
    pages = {lang: papers.page(routes, lang) for lang in ("zh-CN", "en")}

    async def description(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=text, content_type="application/json", headers={"Cache-Control": "no-cache"})

    async def docs(request: web.Request) -> web.StreamResponse:
        return web.Response(
            text=pages[request[LANG]],
            content_type="text/html",
            headers={
                "Content-Security-Policy": papers.POLICY,
                "Cache-Control": "no-cache",
                "Content-Language": request[LANG],
                "Vary": "Accept-Language, Cookie",
            },
        )

    app.router.add_get("/api/openapi.json", description)
    app.router.add_get("/api/docs", docs)


def _mount_operations(app: web.Application, metrics: Metrics, ready: Callable[[], Awaitable[None]] | None) -> None:
    async def healthz(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "alive"})

    looking: list[asyncio.Task[None]] = []

    async def look(ready: Callable[[], Awaitable[None]]) -> None:
        await ready()

    async def readyz(_request: web.Request) -> web.StreamResponse:
        try:
            if ready is not None:
                # Everybody may ask, so all who ask meanwhile are told by one look.
                if not looking or looking[0].done():
                    looking[:] = [asyncio.get_running_loop().create_task(look(ready))]
                await asyncio.shield(looking[0])
        except DomainError as refusal:
            return web.json_response({"status": "not ready", "code": refusal.code}, status=503)
        return web.json_response({"status": "ready"})

    async def figures(request: web.Request) -> web.StreamResponse:
        # Figures are the operator's: only from this machine, where the collector or its tunnel runs.
        if (request.remote or "") not in _LOOPBACK or "X-Forwarded-For" in request.headers:
            raise web.HTTPNotFound
        body, kind = metrics.page()
        return web.Response(body=body, headers={"Content-Type": kind})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", figures)
