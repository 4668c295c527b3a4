"""What tests of the agent's desk do again and again."""

from __future__ import annotations

import base64
import secrets
import struct
import time
import zlib
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from octshop_rt.demo.people import PASSWORD
from tests.web.conftest import Product, Size, Visit, Visitor
from tests.web.people import AGENT, COFFEE, OWNER
from tests.web.people import ask as call

FIRST, SECOND = "13800000001", "13800000002"
OTHER = "13900000008"
CHAT = f"/shop/chat/{COFFEE}"
_ROUNDS = 30  # more than two pages of cases take
_HEARD_S = 1.0  # the desk hears what is said in rounds of up to so long


def ask(buyer: Visitor, text: str) -> None:
    """The buyer writes in the shop's own chat page."""
    buyer.page.locator("textarea").fill(text)
    # It can be pressed once the conversation is open.
    buyer.page.locator("button[type=submit]").click()
    hears(buyer, text)


def hears(buyer: Visitor, text: str) -> None:
    """It stands in the buyer's chat; the machine's own words may come after it."""
    expect(buyer.page.locator("[data-bubble]").filter(has_text=text).last).to_be_visible()


def bubbles(page: Page, text: str) -> Locator:
    """The lines of the log with this text."""
    return page.get_by_test_id("message").filter(has_text=text)


def open_desk(
    visit: Visit, *, size: Size = "desk", lang: str = "zh-CN", dark: bool = False, phone: str = AGENT
) -> Visitor:
    """Signed in and connected."""
    agent = visit("/agent/", size=size, lang=lang, dark=dark, signed_in=phone, audience="staff")
    expect(agent.page.get_by_test_id("connection")).to_have_attribute("data-phase", "online")
    return agent


def choose(page: Page, text: str) -> None:
    """Opens the conversation whose row says this."""
    page.get_by_test_id("conversation").filter(has_text=text).click()
    expect(page.get_by_test_id("chat")).to_be_visible()


def png(width: int = 320, height: int = 200) -> str:
    """A picture made on the spot, as base64."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(x * c % 256 for x in range(width) for c in (1, y, 3)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    whole = part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + whole).decode()


def begin(product: Product, *, online: tuple[str, ...] = (AGENT,)) -> None:
    """Nobody is served or waits at the coffee shop, of its agents these take buyers, and people answer, no machine."""
    desk = f"{product.base}/api/v1/shop/{COFFEE}/desk"
    boss = token(product, OWNER)
    shown = call("GET", f"{desk}/answers", token=boss)
    kept = ("sure", "unsure", "unknown_to_person", "assistant", "welcomes", "synonyms")
    call("PUT", f"{desk}/answers", {"on": False} | {name: shown[name] for name in kept}, boss)
    for _ in range(_ROUNDS):
        if not _end_all(desk, boss):
            break
        time.sleep(_HEARD_S)  # what was said last in the test before may open another
    else:
        pytest.fail("cases keep opening at the coffee shop: somebody of an earlier test goes on speaking")
    for phone in (AGENT, OTHER, OWNER):
        attend(product, phone, "online" if phone in online else "offline")


def _end_all(desk: str, boss: str) -> int:
    ended = 0
    for state in ("human", "queued", "bot", "new"):
        for case in call("GET", f"{desk}/cases?state={state}", token=boss)["items"]:
            end = {"request_id": secrets.token_hex(10), "resolved": None}
            call("POST", f"{desk}/cases/{case['id']}/end", end, boss)
            ended += 1
    return ended


def attend(product: Product, phone: str, status: str) -> None:
    """This agent of the coffee shop takes buyers, or none."""
    attend_at(product, COFFEE, phone, status)


def attend_at(product: Product, shop_id: str, phone: str, status: str) -> None:
    """An agent of any shop."""
    wish = {"status": status, "reason": ""}
    call("PUT", f"{product.base}/api/v1/shop/{shop_id}/desk/me", wish, token(product, phone))


def end_all_at(product: Product, shop_id: str, phone: str) -> None:
    """Nobody is served or waits there any more; `phone` manages it."""
    _end_all(f"{product.base}/api/v1/shop/{shop_id}/desk", token(product, phone))


def keep_quick_reply(product: Product, title: str, text: str) -> None:
    """For everyone at the coffee shop."""
    wish = {"request_id": secrets.token_hex(10), "whose": "shop", "title": title, "text": text}
    url = f"{product.base}/api/v1/shop/{COFFEE}/desk/quick-replies"
    call("POST", url, wish, token(product, OWNER))


def token(product: Product, phone: str) -> str:
    """Of a session without a browser; nobody ends it, so one is enough for all tests at this product."""
    if phone not in product.tokens:
        device = {"id": secrets.token_hex(8), "name": "test"}
        body = {"phone": phone, "password": PASSWORD, "device": device, "bearer": True}
        product.tokens[phone] = str(call("POST", f"{product.base}/api/v1/staff/login", body)["token"])
    return product.tokens[phone]


def manage(product: Product, method: str, path: str, body: object = None) -> Any:
    """As the owner of the coffee shop, below its desk."""
    return call(method, f"{product.base}/api/v1/shop/{COFFEE}/desk/{path}", body, token(product, OWNER))


def seats(product: Product, **caps: int) -> None:
    """How many buyers each agent of the coffee shop serves at once: name=number."""
    for agent in manage(product, "GET", "agents"):
        if agent["name"] in caps:
            manage(product, "PUT", f"agents/{agent['id']}", {"cap": caps[agent["name"]]})


def bar(buyer: Visitor, state: str) -> Locator:
    """The line above the buyer's chat that says where the case stands, once it says this."""
    line = buyer.page.get_by_test_id("case-bar")
    expect(line).to_have_attribute("data-state", state)
    return line
