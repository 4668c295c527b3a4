"""Looking back: figures, ratings, files; what was said and the proof of it; quality, scored and answered."""

from __future__ import annotations

import csv
import io
import secrets
import time
import zipfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Download, Page, expect

from octshop_rt.core.clock import Clock, business_day, business_day_bounds
from octshop_rt.im.insight.chain import first_wrong
from tests.web.conftest import Product, Visit, Visitor
from tests.web.desk import CHAT, FIRST, ask, begin, bubbles, choose, hears, open_desk
from tests.web.people import AGENT, COFFEE, OWNER, BuyerByWire


def served(visit: Visit, product: Product, question: str, answer: str, stars: int) -> Visitor:
    """A buyer asks, the agent answers and ends, the buyer rates. The agent's page."""
    begin(product)
    buyer = visit(CHAT, signed_in=FIRST)
    ask(buyer, question)
    agent = open_desk(visit)
    choose(agent.page, question)
    agent.page.get_by_test_id("composer").fill(answer)
    agent.page.keyboard.press("Enter")
    hears(buyer, answer)
    agent.page.keyboard.press("Alt+e")
    agent.page.get_by_test_id("end-go").click()
    expect(agent.page.get_by_test_id("conversation").filter(has_text=answer)).to_have_count(0)
    wire = BuyerByWire.sign_in(product, FIRST)
    case = wire("GET", "/buyer/cases")["items"][0]
    wish = {"request_id": secrets.token_hex(10), "stars": stars, "solved": True, "text": "讲得很清楚"}
    wire("POST", f"/buyer/cases/{case['id']}/rating", wish)
    buyer.context.close()
    return agent


def desk(staff: Visitor, path: str) -> Any:
    """What the API says to whoever is signed in there."""
    return staff.context.request.get(f"{staff.base}/api/v1/shop/{COFFEE}/desk/{path}").json()


def boss_at(visit: Visit, path: str, **how: Any) -> Visitor:
    join = "&" if "?" in path else "?"
    return visit(f"/agent/{path}{join}shop={COFFEE}", signed_in=OWNER, audience="staff", **{"size": "desk", **how})


def saved(page: Page, button: str) -> tuple[Download, bytes]:
    with page.expect_download() as waiting:
        page.get_by_test_id(button).click()
    return waiting.value, Path(waiting.value.path()).read_bytes()


def drawn(page: Page) -> float:
    """All columns or bars of the chart together."""
    return float(
        page.get_by_test_id("chart").evaluate(
            "e => [...e.querySelectorAll('[data-value]')].reduce((s, x) => s + Number(x.dataset.value), 0)"
        )
    )


def test_figures_are_those_of_the_api_drawn_and_as_files(visit: Visit, product: Product) -> None:  # req I8
    agent = served(visit, product, "报表里的提问", "报表里的回答", 5)
    boss = boss_at(visit, "reports?span=today&by=agent")
    page = boss.page
    expect(page.get_by_test_id("figure-opened")).to_be_visible()
    since, until = business_day_bounds(business_day(Clock().now()))
    told = desk(boss, f"reports?since={since}&until={until}&by=agent")
    for field in ("opened", "served", "closed", "first_avg_ms", "answer_avg_ms", "csat_bp", "stars_avg_hundredths"):
        expect(page.get_by_test_id(f"figure-{field}")).to_have_attribute("data-value", str(told["whole"][field]))
    page.get_by_test_id("means-first_avg_ms").click()
    expect(page.get_by_test_id("means")).to_contain_text("排队时间也算在内")
    page.keyboard.press("Escape")
    page.get_by_test_id("figure-served").click()
    expect(page.get_by_test_id("chart")).to_have_attribute("data-name", "人工接待")
    assert drawn(page) == sum(part["figures"]["served"] for part in told["parts"]) > 0
    boss.shot("reports-agent-desk")
    page.get_by_test_id("by-hour").click()
    expect(page.get_by_test_id("report-table").locator("thead th").first).to_have_text("时段")
    assert drawn(page) == told["whole"]["served"]
    assert "by=hour" in page.url
    assert "figure=served" in page.url
    boss.shot("reports-hour-desk")
    file, body = saved(page, "save-csv")
    assert file.suggested_filename == "service-hour.csv"
    rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    assert rows[0][:2] == ["时段", "会话数"]
    assert int(rows[-1][1]) == told["whole"]["opened"]
    file, body = saved(page, "save-xlsx")
    with zipfile.ZipFile(io.BytesIO(body)) as book:
        assert any("chart" in name for name in book.namelist())

    page.get_by_test_id("view-ratings").click()
    rating = page.get_by_test_id("rating").first
    expect(rating).to_contain_text("讲得很清楚")
    expect(rating).to_have_attribute("data-stars", "5")
    boss.shot("reports-ratings-desk")
    rating.click()
    expect(page.get_by_test_id("found-talk")).to_be_visible()

    # An agent sees her own part, in English, on the phone, in the dark.
    agent.context.close()
    hand = visit(
        f"/agent/reports?span=today&shop={COFFEE}",
        signed_in=AGENT,
        audience="staff",
        size="phone",
        lang="en",
        dark=True,
    )
    expect(hand.page.get_by_role("heading", name="My figures")).to_be_visible()
    own = next(part for part in told["parts"] if part["name"] == "林可")["figures"]
    expect(hand.page.get_by_test_id("figure-served")).to_have_attribute("data-value", str(own["served"]))
    expect(hand.page.get_by_test_id("save-csv")).to_have_count(0)
    hand.shot("reports-mine-phone-dark")
    hand.page.get_by_test_id("span-custom").click()
    hand.page.get_by_test_id("from").fill("2020-01-01")
    expect(hand.page.get_by_role("alert")).to_contain_text("93")


def test_what_was_said_is_found_and_proved(visit: Visit, product: Product) -> None:  # req I6
    word = f"青花瓷{secrets.randbelow(10**6)}"
    agent = served(visit, product, f"你们有{word}的杯子吗", "有的，库存三只", 4)
    agent.context.close()
    boss = boss_at(visit, "search")
    until = time.monotonic() + 15  # the index follows within a second or so
    while not desk(boss, f"search?q={word}")["items"] and time.monotonic() < until:
        time.sleep(0.3)
    page = boss.page
    page.get_by_test_id("search-words").fill(word)
    page.keyboard.press("Enter")
    hit = page.get_by_test_id("hit")
    expect(hit).to_have_count(1)
    expect(hit.locator("mark").first).to_be_visible()
    hit.click()
    expect(page.get_by_test_id("found-line")).to_contain_text(word)
    expect(bubbles(page, "库存三只").last).to_be_visible()
    boss.shot("search-found-desk")
    page.reload()
    expect(page.get_by_test_id("found-line")).to_contain_text(word)

    file, body = saved(page, "export-jsonl")
    text = body.decode()
    assert first_wrong(text) is None
    assert word in text
    assert first_wrong(text.replace("库存三只", "库存两只")) is not None
    assert file.suggested_filename.endswith(".jsonl")
    file, body = saved(page, "export-html")
    assert file.suggested_filename.endswith(".html")
    assert word in body.decode()

    page.get_by_test_id("hold").click()
    page.get_by_test_id("hold-reason").fill("杯子有裂纹，顾客投诉")
    page.get_by_test_id("hold-go").click()
    expect(page.get_by_test_id("found-talk")).to_have_attribute("data-held", "true")
    page.get_by_test_id("view-holds").click()
    expect(page.get_by_test_id("held").first).to_contain_text("杯子有裂纹")
    page.get_by_test_id("lift").click()
    page.get_by_test_id("lift-go").click()
    expect(page.get_by_test_id("found-talk")).to_have_attribute("data-held", "false")
    page.get_by_test_id("view-traces").click()
    expect(page.get_by_test_id("trace").first).to_have_attribute("data-what", "release")
    last = text.rstrip("\n").rsplit("\n", 1)[1]
    evidence = page.get_by_test_id("trace").and_(page.locator("[data-what=export]")).nth(1)
    assert evidence.locator(".hash").inner_text().split()[-1] in last
    boss.shot("search-traces-desk")
    page.get_by_test_id("found-open").click()
    expect(bubbles(page, word)).to_be_in_viewport()

    hand = visit(f"/agent/search?q={word}&shop={COFFEE}", signed_in=AGENT, audience="staff", size="phone", lang="en")
    expect(hand.page.get_by_test_id("hit")).to_have_count(1)
    hand.shot("search-phone")
    hand.page.get_by_test_id("hit").click()
    expect(hand.page.get_by_test_id("found-line")).to_contain_text(word)
    expect(hand.page.get_by_test_id("export-jsonl")).to_have_count(0)
    hand.shot("search-phone-found")
    hand.page.get_by_test_id("found-back").click()
    expect(hand.page.get_by_test_id("hit")).to_have_count(1)


def test_a_sample_is_scored_seen_and_answered(visit: Visit, product: Product) -> None:  # req I6
    agent = served(visit, product, "质检会抽到我吗", "会的", 5)
    case = BuyerByWire.sign_in(product, FIRST)("GET", "/buyer/cases")["items"][0]
    boss = boss_at(visit, "quality?view=sheet")
    page = boss.page
    expect(page.get_by_test_id("sheet-item").first).to_be_visible()
    if page.get_by_test_id("sheet").get_attribute("data-version") == "0":
        points = page.get_by_test_id("sheet-item").first.locator("input[type=number]")
        points.fill("25")
        points.blur()
        expect(page.get_by_test_id("sheet-sum")).to_contain_text("105")
        expect(page.get_by_test_id("sheet-save")).to_be_disabled()
        points.fill("20")
        points.blur()
        boss.shot("quality-sheet-desk")
        page.get_by_test_id("sheet-save").click()
        expect(page.get_by_test_id("sheet")).to_have_attribute("data-version", "1")
    page.get_by_test_id("view-checks").click()
    page.get_by_test_id("draw").click()
    page.get_by_test_id("draw-size").locator("input").fill("200")  # all there are, and so this one
    page.get_by_test_id("draw-go").click()
    mine = page.get_by_test_id("check").filter(has_text="林可").and_(page.locator(f"[data-case={case['id']}]"))
    expect(mine).to_have_attribute("data-state", "open")
    mine.click()
    expect(bubbles(page, "会的").first).to_be_visible()
    assert page.evaluate("Object.keys(sessionStorage).filter(key => key.startsWith('octshop.check'))") == []
    for mark in page.get_by_test_id("full-mark").all():
        mark.click()
    page.get_by_test_id("mark").nth(1).fill("15")
    expect(page.get_by_test_id("total")).to_have_attribute("data-value", "90")
    page.get_by_test_id("comment").fill("先确认再回答")
    boss.shot("quality-score-desk")
    page.get_by_test_id("score-go").click()
    expect(page.get_by_test_id("check-pane")).to_have_attribute("data-state", "scored")
    expect(page.get_by_test_id("average").filter(has_text="林可")).to_be_visible()

    page.get_by_test_id("mark").nth(1).fill("20")  # begun, and overtaken by what the agent says
    agent.go(f"/agent/quality?shop={COFFEE}")
    theirs = agent.page
    theirs.get_by_test_id("check").first.click()
    expect(theirs.get_by_test_id("total")).to_have_attribute("data-value", "90")
    expect(theirs.get_by_test_id("score-form")).to_contain_text("先确认再回答")
    expect(theirs.get_by_test_id("mark")).to_have_count(0)
    theirs.get_by_test_id("appeal").fill("已经确认过了")
    agent.shot("quality-mine-desk")
    theirs.reload()
    expect(theirs.get_by_test_id("appeal")).to_have_value("已经确认过了")
    theirs.get_by_test_id("appeal-go").click()
    expect(theirs.get_by_test_id("check-pane")).to_have_attribute("data-state", "appealed")
    expect(theirs.get_by_test_id("appeal")).to_have_count(0)

    page.reload()
    expect(page.get_by_test_id("appeal-text")).to_contain_text("已经确认过了")
    expect(page.get_by_test_id("mark").nth(1)).to_have_value("15")
    page.get_by_test_id("mark").nth(1).fill("25")
    boss.shot("quality-appeal-desk")
    page.get_by_test_id("score-go").click()
    expect(page.get_by_test_id("check-pane")).to_have_attribute("data-state", "settled")
    expect(page.get_by_test_id("mark")).to_have_count(0)
    hand = visit(f"/agent/quality?shop={COFFEE}", signed_in=AGENT, audience="staff", size="phone", lang="en")
    expect(hand.page.get_by_test_id("check").first).to_have_attribute("data-state", "settled")
    hand.page.get_by_test_id("check").first.click()
    expect(hand.page.get_by_test_id("total")).to_have_attribute("data-value", "100")
    hand.shot("quality-phone")
