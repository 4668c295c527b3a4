"""The server is killed in the middle of a chat: what both sides write meanwhile arrives once and in order."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import SIZES, Gate, Launch, Product, Visitor, free_ports, sign_in
from tests.web.desk import CHAT, FIRST, ask, bar, begin, bubbles, choose, hears
from tests.web.people import AGENT

BUYERS = ("停机时第一句", "停机时第二句", "停机时第三句")
AGENTS = ("停机时的回答一", "停机时的回答二")
BACK_MS = 60_000


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Product]:
    """A product of its own, which may die."""
    port, sandbox_port = free_ports(2)
    own = Product(tmp_path, port, sandbox_port)
    own.start()
    yield own
    own.stop()


def kill(product: Product) -> None:
    """As if the power had failed: nothing is written down, nobody is told."""
    assert product.process is not None
    os.kill(product.process.pid, signal.SIGKILL)
    product.process.wait(10)
    product.process = None


def spoken(page: Page) -> list[str]:
    """What people said, as the buyer's page shows it."""
    return [
        text for text in page.locator("[data-bubble]:not([data-fr=bot]) .bubble").all_inner_texts() if "停机时" in text
    ]


def test_the_server_is_killed_in_the_middle_of_a_chat(mortal: Product, launch: Launch) -> None:  # req I1, I5
    gate = Gate(mortal.base)
    gate.allow("ERR_CONNECTION|ERR_EMPTY_RESPONSE|WebSocket|refused: 50[234]|Failed to fetch")
    browser = launch()

    def come(path: str, audience: str, phone: str, size: str) -> Visitor:
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, locale="zh-CN")
        gate.watch(context)
        sign_in(context, mortal.base, "staff" if audience == "staff" else "buyer", phone)
        visitor = Visitor(context, context.new_page(), mortal.base)
        visitor.go(path)
        return visitor

    begin(mortal)
    agent = come("/agent/", "staff", AGENT, "desk")
    buyer = come(CHAT, "buyer", FIRST, "phone")
    ask(buyer, "停机前的话")
    bar(buyer, "human")
    choose(agent.page, "停机前的话")
    kill(mortal)
    box, composer = buyer.page.locator("textarea"), agent.page.get_by_test_id("composer")
    for text in BUYERS:
        box.fill(text)
        box.press("Enter")
        expect(box).to_have_value("")
    for text in AGENTS:
        composer.fill(text)
        composer.press("Enter")
    expect(buyer.page.locator("[data-bubble]").filter(has_text=BUYERS[-1])).to_have_attribute("data-state", "sending")
    buyer.shot("service-killed-phone")
    mortal.start()
    settled = re.compile("sent|read")
    for text in BUYERS:
        mine = buyer.page.locator("[data-bubble]").filter(has_text=text)
        expect(mine).to_have_attribute("data-state", settled, timeout=BACK_MS)
        expect(bubbles(agent.page, text)).to_have_count(1, timeout=BACK_MS)
    for text in AGENTS:
        expect(bubbles(agent.page, text)).to_have_attribute("data-mark", settled, timeout=BACK_MS)
        expect(buyer.page.locator("[data-bubble]").filter(has_text=text)).to_have_count(1, timeout=BACK_MS)
    bar(buyer, "human")  # still with the same agent
    buyer.page.reload()
    hears(buyer, AGENTS[-1])
    shown = spoken(buyer.page)
    assert [text for text in shown if text in BUYERS] == list(BUYERS)
    assert [text for text in shown if text in AGENTS] == list(AGENTS)
    composer.fill("服务器回来了")
    composer.press("Enter")
    hears(buyer, "服务器回来了")
    gate.check()
