"""The way from our own origin to the simulator and the demo text messages, so that pages stay on self."""

from __future__ import annotations

from typing import Final

import aiohttp
import msgspec
from aiohttp import web

from octshop_rt.core.auth.codes import InboxSender
from octshop_rt.core.http.load import read

BODY_BYTES: Final = 64 * 1024
SECONDS: Final = 30
_PASSED = ("Content-Type", "Accept", "Accept-Language")


class SandboxProxy:
    """Passes `/sandbox/phone/api/…` on to the simulator and shows the demo inbox. Never mounted in production."""

    def __init__(self, session: aiohttp.ClientSession, url: str, inbox: InboxSender) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._inbox = inbox

    def install(self, app: web.Application) -> None:
        """Mount both."""
        app.router.add_route("*", "/sandbox/phone/api/{rest:.*}", self.phone)
        app.router.add_get("/sandbox/inbox", self.messages)

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """Text messages sent to `?phone=`, newest first: {items: [{phone, code, purpose, sent_at}]}."""
        found = self._inbox.messages(request.query.get("phone"))
        return web.Response(
            body=msgspec.json.encode({"items": found}),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    async def phone(self, request: web.Request) -> web.StreamResponse:
        """One request there and its answer back; 502 in words when the simulator is away."""
        body = await read(request, BODY_BYTES)
        headers = {name: request.headers[name] for name in _PASSED if name in request.headers}
        try:
            async with self._session.request(
                request.method,
                f"{self._url}/phone/api/{request.match_info['rest']}",
                params=request.query,
                data=body or None,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=SECONDS),
                allow_redirects=False,
            ) as answer:
                return web.Response(
                    body=await answer.read(),
                    status=answer.status,
                    headers={
                        "Content-Type": answer.headers.get("Content-Type", "application/json"),
                        "Cache-Control": "no-store",
                    },
                )
        except (aiohttp.ClientError, TimeoutError):
            raise web.HTTPBadGateway(text="the payment simulator does not answer") from None
