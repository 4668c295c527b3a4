"""A page whose session is about to end proves itself anew on the socket it has, and the chat goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from playwright.sync_api import Page, Request, WebSocketRoute

from tests.web.conftest import Product, Visit
from tests.web.desk import CHAT, FIRST, ask, bar, begin

AUTH, RES, ERR = 3, 27, 28


class Overheard:
    """The page's socket, passed on to the server as it is; one word of the server's can be put in between."""

    def __init__(self, page: Page) -> None:
        self.routes: list[WebSocketRoute] = []
        self.asked: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        page.route_web_socket("**/im", self._come)

    def _come(self, route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        self.routes.append(route)

        def up(said: str | bytes) -> None:
            self.asked += frames(said)
            server.send(said)

        def down(said: str | bytes) -> None:
            self.answers += frames(said)
            route.send(said)

        route.on_message(up)
        server.on_message(down)

    def tell(self, frame: dict[str, Any]) -> None:
        self.routes[-1].send(msgspec.msgpack.encode(frame))


def soon(page: Page, found: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What is there at last, or nothing."""
    for _ in range(200):
        if there := found():
            return there
        page.wait_for_timeout(50)
    return []


def frames(said: str | bytes) -> list[dict[str, Any]]:
    """One frame, or several of them in one message."""
    read = msgspec.json.decode(said) if isinstance(said, str) else msgspec.msgpack.decode(said)
    return read if isinstance(read, list) else [read]


def test_a_page_renews_on_its_open_socket_and_the_chat_goes_on(visit: Visit, product: Product) -> None:  # req I1, I2
    begin(product, online=())
    buyer = visit("/shop/", signed_in=FIRST)
    page = buyer.page
    line = Overheard(page)
    tickets: list[str] = []

    def counted(request: Request) -> None:
        if request.url.endswith("/buyer/ws-ticket"):
            tickets.append(request.url)

    page.on("request", counted)
    buyer.go(CHAT)
    ask(buyer, "到期以前")
    bar(buyer, "queued")
    sockets, before = len(line.routes), len(tickets)
    line.tell({"t": ERR, "code": "im.token_expiring", "msg": "登录即将到期，正在续期", "retry": True})
    proofs = soon(page, lambda: [one for one in line.asked if one["t"] == AUTH])
    assert len(proofs) == 1
    assert len(tickets) == before + 1  # a fresh one, which counts as use of the session
    number = proofs[0]["i"]
    answers = soon(page, lambda: [one for one in line.answers if one["t"] in {RES, ERR} and one.get("i") == number])
    assert [one["t"] for one in answers] == [RES]
    assert answers[0]["d"]["tok"]
    ask(buyer, "到期以后")
    assert len(line.routes) == sockets  # neither closed nor opened anew
