"""The web clients' files: hashed assets for ever, entry pages always fresh, history paths to their app's entry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from aiohttp import web

APPS: Final = ("shop", "agent", "clerk", "pos", "phone")
HOME: Final = "/shop/"
_PART = re.compile(r"[A-Za-z0-9_@+~-][A-Za-z0-9_.@+~-]*")
_FOR_EVER = "public, max-age=31536000, immutable"
_FRESH = "no-cache"
_TYPES: dict[str, str] = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
_TEXT = frozenset({".css", ".html", ".js", ".mjs", ".txt", ".svg"})


def page_policy(hosts: tuple[str, ...]) -> str:
    """The pages' Content-Security-Policy. `hosts` are host:port of our own origins, for their sockets.

    `wasm-unsafe-eval` is for the QR decoder; inline styles are Vant's and Element Plus's; no inline script runs.
    """
    sockets = "".join(f" ws://{host} wss://{host}" for host in hosts)
    return (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; "
        f"connect-src 'self'{sockets}; worker-src 'self' blob:; media-src 'self' blob:; "
        "base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
    )


class Pages:
    """Serves `folder` (the web build). Missing build: the pages say so in words, the API works."""

    def __init__(self, folder: Path, policy: str) -> None:
        self._folder = folder.resolve()
        self._headers = {
            "Content-Security-Policy": policy,
            "Permissions-Policy": "camera=(self), geolocation=(self), microphone=(self), payment=()",
        }

    def install(self, app: web.Application) -> None:
        """Mount them."""
        app.router.add_get("/", self.home)
        app.router.add_get("/assets/{rest:.+}", self.asset)
        for name in APPS:
            app.router.add_get(f"/{name}", self.slash)
            app.router.add_get(f"/{name}/{{rest:.*}}", self.entry)
        # what the build puts beside the apps: icon.svg, robots.txt
        app.router.add_get(r"/{name:[a-z0-9-]+\.(?:ico|png|svg|txt)}", self.file)
        # At the root, because a service worker's scope must lie below its own address.
        app.router.add_get("/push-worker.js", self.file)

    async def home(self, _request: web.Request) -> web.StreamResponse:
        """`/` is the buyer's shop."""
        return web.Response(status=302, headers={"Location": HOME})

    async def slash(self, request: web.Request) -> web.StreamResponse:
        """`/agent` is `/agent/`."""
        return web.Response(status=302, headers={"Location": f"{request.path}/"})

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """A hashed file: its content never changes under its name."""
        return self._send(self._find(request.path), _FOR_EVER)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file that keeps its name."""
        return self._send(self._find(request.path), _FRESH)

    async def entry(self, request: web.Request) -> web.StreamResponse:
        """A file of one app if there is one, else the app's entry page: its router reads the path."""
        name = request.path.split("/")[1]
        last = request.path.rsplit("/", 1)[-1]
        found = self._find(request.path) if "." in last else None
        if found is None and "." in last and not last.endswith(".html"):
            raise web.HTTPNotFound
        return self._send(found or self._find(f"/{name}/index.html"), _FRESH)

    def _find(self, path: str) -> Path | None:
        parts = path.strip("/").split("/")
        if not all(_PART.fullmatch(part) for part in parts):
            return None
        found = self._folder.joinpath(*parts)
        # A link out of the folder is no file of ours.
        return found if found.is_file() and found.resolve().is_relative_to(self._folder) else None

    def _send(self, path: Path | None, caching: str) -> web.StreamResponse:
        if path is None:
            raise web.HTTPNotFound
        kind = _TYPES.get(path.suffix)
        if kind is None:
            raise web.HTTPNotFound
        charset = "; charset=utf-8" if path.suffix in _TEXT else ""
        headers = {**self._headers, "Cache-Control": caching, "Content-Type": kind + charset, "Vary": "Accept-Encoding"}
        return web.FileResponse(path, headers=headers)
