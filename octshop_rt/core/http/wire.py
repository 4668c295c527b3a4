"""What aiohttp answers before there is a request: bytes that are no HTTP get our headers, no stack, no server name."""

from __future__ import annotations

import structlog
from aiohttp import hdrs, web

from octshop_rt.core.errors import DEFAULT_LANG
from octshop_rt.core.http.edge import HEADERS
from octshop_rt.core.http.problem import PROBLEM_JSON, bare_problem, encode

log = structlog.get_logger(__name__)


class Nameless(web.Response):
    """An answer that does not say which server made it."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall(hdrs.SERVER, None)


class Connection(web.RequestHandler):
    """One connection. The edge answers whatever became a request; this answers what did not."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to bytes that are no HTTP. aiohttp would log them with a stack and send them back."""
        if status >= 500:
            log.error("escaped the edge", exc_info=exc)
        else:
            log.debug("no http", fault=type(exc).__name__)
        if request.writer.output_size > 0:
            gone = "part of another answer is sent already"
            raise ConnectionError(gone)
        bare = bare_problem(status, DEFAULT_LANG, "")
        answer = Nameless(status=status, body=encode(bare), content_type=PROBLEM_JSON, headers=HEADERS)
        answer.force_close()
        return answer


class Server(web.Server):
    """Makes our connections."""

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """aiohttp's runner with our server."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(made.request_handler, request_factory=made.request_factory, **self._kwargs)
