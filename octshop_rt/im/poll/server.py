"""Chat by polling: POST /im/poll is HELLO, POST /im/poll/frames speaks, GET /im/poll hears, DELETE /im/poll leaves.

The same frames (JSON), session rules, limits and hub as over a socket. A link lives on the node that greeted it; its
key (Authorization: Bearer) is the node's boot and a secret, so that another node can say that it is elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable
from typing import Final

import structlog
from aiohttp import web

from octshop_rt.core.clock import monotonic_ms
from octshop_rt.core.http.load import PLACE
from octshop_rt.core.http.origin import ClientAddress, Origins
from octshop_rt.im.poll.link import PollLink
from octshop_rt.im.session import Closing
from octshop_rt.im.wire.closing import Close
from octshop_rt.im.ws.server import ImServer

log = structlog.get_logger(__name__)

PATH: Final = "/im/poll"
ELSEWHERE: Final = "im.poll_elsewhere"  # 409: this key is of another node, or of this one before it was started anew
GONE: Final = "im.poll_gone"  # 410: it has ended; `close` says why
FULL: Final = "im.poll_full"  # 503
_KEPT_S = 30  # an ended link, for the poll that asks why
_BODY_S = 15


class Polls:
    """Polled connections of this node, beside its sockets."""

    def __init__(self, im: ImServer, *, origins: Origins, address: ClientAddress) -> None:
        self._im = im
        self._origins = origins
        self._address = address
        self._links: dict[str, PollLink] = {}
        self._keys: dict[str, str] = {}  # link id -> key

    def install(self, app: web.Application) -> None:
        """Mount the four handlers."""
        app.router.add_post(PATH, self.open)
        app.router.add_get(PATH, self.hear)
        app.router.add_delete(PATH, self.leave)
        app.router.add_post(f"{PATH}/frames", self.speak)

    async def open(self, request: web.Request) -> web.StreamResponse:
        """HELLO. Answers {key, n, f: [WELCOME]}, or {n, f: [KICK], close}."""
        ip = self._address.of(request)
        self._own_page(request)
        if len(self._links) >= self._im.policy.polls or not self._im.has_room(ip):
            return _said(503, FULL, headers={"Retry-After": "1"})
        data = await self._body(request, self._im.policy.hello_bytes)
        link = PollLink(self._im.new_id(), self._im.policy, self._im.owing, self._ended)
        key = secrets.token_urlsafe(24)
        self._links[key] = link
        self._keys[link.id] = key
        await self._guarded(link, self._im.meet(link, data, ip))
        return await self._answer(link, 0, 0, key="" if link.closed else f"{self._im.boot}.{key}")

    async def hear(self, request: web.Request) -> web.StreamResponse:
        """Frames after number `after`, as soon as there are any, at most after 25 s. {n, f, close?}."""
        self._own_page(request)
        link = self._link(request)
        if isinstance(link, web.Response):
            return link
        after = request.query.get("after", "0")
        if not after.isdecimal() or len(after) > 15:
            return _said(400, "im.bad_field")
        link.session.sign_of_life(monotonic_ms())
        if PLACE in request:  # waiting is no work
            request[PLACE].leave()
        return await self._answer(link, int(after), self._im.policy.poll_hold_ms / 1000)

    async def speak(self, request: web.Request) -> web.StreamResponse:
        """One frame or an array of at most 64. 204 once they were acted on; what they are answered is heard by GET."""
        self._own_page(request)
        link = self._link(request)
        if isinstance(link, web.Response):
            return link
        data = await self._body(request, self._im.policy.frame_bytes)
        async with link.posting:
            if link.ended is None:
                await self._guarded(link, self._spoken(link, data))
        return web.Response(status=204) if link.ended is None else _gone(link)

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """The client is done."""
        self._own_page(request)
        link = self._link(request)
        if isinstance(link, web.Response):
            return link
        await link.close(Close.GOING_AWAY)
        return web.Response(status=204)

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _spoken(self, link: PollLink, data: bytes) -> None:
        link.session.bytes_in(len(data))
        await self._im.frames.message(link, data)
        while link.session.must_wait(link.buffered, monotonic_ms()):  # noqa: ASYNC110  (it has to fetch first)
            await asyncio.sleep(0.05)

    async def _guarded(self, link: PollLink, work: Awaitable[None]) -> None:
        try:
            await work
        except Closing as closing:
            await link.end(closing)
        except Exception:
            log.exception("poll failed")
            await link.close(Close.INTERNAL)

    async def _answer(self, link: PollLink, after: int, seconds: float, *, key: str = "") -> web.Response:
        number, frames = await link.wait(after, seconds)
        tail = b""
        if link.ended is not None and number >= link.last:
            tail = b',"close":%d' % link.ended
        head = b'{"key":"%s",' % key.encode() if key else b"{"
        body = head + b'"n":%d,"f":%s%s}' % (number, frames, tail)
        return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})

    def _ended(self, link: PollLink) -> None:
        self._im.part(link)
        asyncio.get_running_loop().call_later(_KEPT_S, self._forget, link)

    def _forget(self, link: PollLink) -> None:
        self._links.pop(self._keys.pop(link.id, ""), None)

    def _link(self, request: web.Request) -> PollLink | web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        boot, _, key = token.partition(".")
        if scheme.lower() != "bearer" or boot != self._im.boot:
            return _said(409, ELSEWHERE)
        return self._links.get(key) or _said(410, GONE, close=Close.GOING_AWAY)

    def _own_page(self, request: web.Request) -> None:
        if not self._origins.may(request):
            raise web.HTTPForbidden(text="foreign origin")

    @staticmethod
    async def _body(request: web.Request, most: int) -> bytes:
        """No longer than `most`, no slower than 15 s."""
        data = bytearray()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BODY_S):
                async for chunk in request.content.iter_any():
                    data += chunk
                    if len(data) > most:
                        raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(data))
                return bytes(data)
        raise web.HTTPRequestTimeout


def _gone(link: PollLink) -> web.Response:
    return _said(410, GONE, close=link.ended or Close.GOING_AWAY)


def _said(status: int, code: str, *, close: Close | None = None, headers: dict[str, str] | None = None) -> web.Response:
    said: dict[str, object] = {"code": code} if close is None else {"code": code, "close": int(close)}
    return web.json_response(said, status=status, headers=headers)
