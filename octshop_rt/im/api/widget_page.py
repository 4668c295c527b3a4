"""The widget's frame: the one page of ours that other sites may show, and only those the shop has listed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from octshop_rt.core.http.pages import page_policy
from octshop_rt.core.http.routes import PATH_VALUE

_LOADER_SECONDS: Final = 600


class WidgetPage:
    """GET /widget.js (the loader) and GET /widget/{shop_id} (the frame; `sites(shop_id)` may show it)."""

    def __init__(
        self, folder: Path, hosts: tuple[str, ...], sites: Callable[[str], Awaitable[tuple[str, ...]]]
    ) -> None:
        self._folder = folder
        self._policy = page_policy(hosts)
        self._sites = sites

    def install(self, app: web.Application) -> None:
        """Mount both."""
        app.router.add_get("/widget.js", self.loader)
        app.router.add_get("/widget/{shop_id}", self.frame)

    async def loader(self, _request: web.Request) -> web.StreamResponse:
        """What a site includes with one script tag."""
        headers = {
            "Cache-Control": f"public, max-age={_LOADER_SECONDS}",
            "Content-Type": "text/javascript; charset=utf-8",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        return self._file("widget.js", headers)

    async def frame(self, request: web.Request) -> web.StreamResponse:
        """The chat. Without a list of sites nobody may frame it."""
        shop_id = request.match_info["shop_id"]
        if not PATH_VALUE.fullmatch(shop_id):
            raise web.HTTPNotFound
        sites = await self._sites(shop_id)
        ancestors = " ".join(sites) if sites else "'none'"
        headers = {
            "Cache-Control": "no-cache",
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": self._policy.replace("frame-ancestors 'none'", f"frame-ancestors {ancestors}"),
            # Browsers too old for frame-ancestors: refused where nobody may, left to the list where somebody may.
            "X-Frame-Options": "SAMEORIGIN" if sites else "DENY",
            # Its address names the shop; the host page learns nothing from us but what it is told.
            "Referrer-Policy": "no-referrer",
        }
        return self._file("widget/index.html", headers)

    def _file(self, name: str, headers: dict[str, str]) -> web.StreamResponse:
        path = self._folder / name
        if not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers=headers)
