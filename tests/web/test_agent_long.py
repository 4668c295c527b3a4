"""The agent's desk at length: a thousand conversations, ten thousand messages; what is drawn stays small and smooth."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.web.conftest import Gate, Product, Visit
from tests.web.crowd import conversations, history
from tests.web.desk import CHAT, FIRST, ask, bubbles, open_desk
from tests.web.people import COFFEE

# Scrolls for two seconds at the speed of a hand on the wheel; tells how long each picture took and how much is drawn.
_SCROLL = """([selector, step]) => new Promise(done => {
  const box = document.querySelector(selector), times = []
  let last = performance.now(), most = 0
  const end = last + 2000
  const beat = now => {
    times.push(now - last); last = now
    most = Math.max(most, box.querySelectorAll('li').length)
    box.scrollTop += step
    if (now < end) requestAnimationFrame(beat)
    else {
      times.sort((a, b) => a - b)
      done({ median: times[times.length >> 1], slowest: times.at(-1), most, top: box.scrollTop })
    }
  }
  requestAnimationFrame(beat)
})"""


# How long a picture takes while nobody does anything.
_REST = """() => new Promise(done => {
  const times = []
  let last = performance.now()
  const end = last + 1000
  const beat = now => {
    times.push(now - last); last = now
    if (now < end) requestAnimationFrame(beat)
    else done(times.sort((a, b) => a - b)[times.length >> 1])
  }
  requestAnimationFrame(beat)
})"""


def scroll(page: Page, test_id: str, step: int) -> dict[str, Any]:
    """What scrolling for two seconds was like."""
    told: dict[str, Any] = page.evaluate(_SCROLL, [f"[data-testid={test_id}]", step])
    return told


def smooth(page: Page, told: dict[str, Any]) -> bool:
    """Sixteen milliseconds is what a screen shows; four times slower machines pass, and one that gives nobody more."""
    return bool(told["median"] < 70 or told["median"] < 2 * page.evaluate(_REST))


def test_a_history_of_ten_thousand_lines_is_read_back_smoothly(visit: Visit, product: Product) -> None:  # req I12
    ask(visit(CHAT, signed_in=FIRST), "很久以前的第一句")
    desk = open_desk(visit)
    page = desk.page
    page.get_by_test_id("filter-all").click()
    page.get_by_test_id("conversation").filter(has_text="很久以前的第一句").click()
    c = page.locator("[aria-current=true][data-c]").get_attribute("data-c")
    assert c
    history(product, c, 10_000, "U00000000000000000000000000")
    page.reload()
    log = page.get_by_test_id("log")
    expect(bubbles(page, "第 10000 句")).to_be_visible()
    told = scroll(page, "log", -1_500)
    # Lines of the desk and of other talks of the two stand around the ten thousand.
    drawn = still = 0
    while drawn < 10_060 and still < 4:
        told = scroll(page, "log", -1_500)
        now = int(log.get_attribute("data-lines") or 0)
        still = 0 if now > drawn else still + 1  # a page may be late; four late ones are the end
        drawn = now
        assert told["most"] < 120, "too much is drawn"
        assert smooth(page, told), told
    print("10,000 lines:", told)
    assert drawn >= 10_001
    first = bubbles(page, "很久以前的第一句")
    page.evaluate("document.querySelector('[data-testid=log]').scrollTop = 0")
    for _ in range(80):
        if first.count():
            break
        log.evaluate("box => { box.scrollTop += 400 }")
        page.wait_for_timeout(50)
    expect(first).to_be_visible()
    # What is seen stays where it is while the rest comes and goes.
    log.evaluate("box => { box.scrollTop = box.scrollHeight / 2 }")
    page.wait_for_timeout(300)
    before = page.evaluate("document.elementFromPoint(700, 450).textContent")
    page.wait_for_timeout(300)
    assert page.evaluate("document.elementFromPoint(700, 450).textContent") == before
    desk.shot("agent-long-desk")
    page.get_by_test_id("fresh").click()
    expect(bubbles(page, "第 10000 句")).to_be_visible()


def test_a_thousand_conversations_scroll_and_are_found(visit: Visit, product: Product, gate: Gate) -> None:  # req I12
    gate.allow(r"404 .*/buyers/")  # of these thousand only the log knows
    conversations(product, COFFEE, 1_000)
    desk = open_desk(visit)
    page = desk.page
    page.get_by_test_id("filter-all").click()
    rows = page.get_by_test_id("conversations")
    expect(rows).to_be_visible()
    page.wait_for_function("Number(document.querySelector('[data-testid=conversations]').dataset.count) >= 1000")
    told = scroll(page, "conversations", 700)
    print("1,000 conversations:", told)
    assert told["most"] < 60, "too much is drawn"
    assert smooth(page, told), told
    desk.shot("agent-thousand-desk")
    page.locator("input[data-testid=search], [data-testid=search] input").first.fill("第 777 句")
    expect(page.get_by_test_id("conversation")).to_have_count(1)
    page.get_by_test_id("conversation").click()
    expect(bubbles(page, "第 777 句")).to_be_visible()
    page.keyboard.press("Escape")
