"""Working time on the pages: as the record says, in the table, in the file, on the board, and of one's own."""

from __future__ import annotations

import csv
import io
import re

from playwright.sync_api import expect

from octshop_rt.core.clock import Clock, business_day, business_day_bounds
from tests.web.conftest import Product, Visit
from tests.web.desk import attend, begin, open_desk, token
from tests.web.people import AGENT, COFFEE
from tests.web.people import ask as call
from tests.web.test_reports import boss_at, desk, saved


def test_working_time_is_shown_to_managers_and_to_oneself(visit: Visit, product: Product) -> None:  # req I8
    begin(product)
    agent = open_desk(visit)
    page = agent.page
    page.get_by_test_id("status").click()
    page.get_by_test_id("status-away-meal").click()
    expect(page.get_by_test_id("status")).to_have_attribute("data-status", "away")
    page.wait_for_timeout(1_100)  # so long a meal
    page.get_by_test_id("status").click()
    page.get_by_test_id("status-online").click()
    expect(page.get_by_test_id("status")).to_have_attribute("data-status", "online")
    since, until = business_day_bounds(business_day(Clock().now()))
    boss = boss_at(visit, "reports?span=today&view=work")
    table = boss.page.get_by_test_id("work-table")
    row = table.locator("tbody tr").filter(has_text="林可")
    expect(row).to_be_visible()
    told = desk(boss, f"reports/work?since={since}&until={until}")
    mine = next(one for one in told["agents"] if one["name"] == "林可")
    meal = next(one["ms"] for one in mine["whole"]["pauses"] if one["reason"] == "用餐")
    assert 1_000 <= meal <= mine["whole"]["work_ms"] - mine["whole"]["online_ms"]
    expect(table.locator("thead")).to_contain_text("用餐")
    assert abs(int(row.get_attribute("data-work") or 0) - mine["whole"]["work_ms"]) < 30_000
    boss.shot("reports-work-desk")
    name, body = saved(boss.page, "save-csv")
    assert name.suggested_filename == "service-work.csv"
    lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    assert lines[0][:5] == ["客服", "日期", "在岗(秒)", "在线(秒)", "接待(秒)"]
    assert any(line[0] == "林可" and line[1] == business_day(Clock().now()) for line in lines)
    saved(boss.page, "save-xlsx")
    # By day over a longer span: opened, each day stands for itself, and they add up.
    boss.page.get_by_test_id("span-7d").click()
    expect(boss.page.get_by_test_id("work")).to_have_attribute("data-loading", "false")
    boss.page.get_by_test_id("rail-board").click()
    worked = boss.page.locator("[data-testid=agent]").filter(has_text="林可").get_by_test_id("worked")
    expect(worked).to_have_text(re.compile(r"^\d+:\d\d:\d\d$"))
    boss.shot("board-worked-desk")
    # One's own, on a phone and in English.
    own = visit(f"/agent/reports?span=today&view=work&shop={COFFEE}", size="phone", lang="en", dark=True,
                signed_in=AGENT, audience="staff")  # fmt: skip
    own.page.get_by_role("tab", name="Working time").click()
    expect(own.page.get_by_test_id("work-table").locator("tbody tr")).to_have_count(1)
    expect(own.page.get_by_test_id("work")).to_contain_text("At work")
    own.shot("reports-work-phone-en-dark")
    answer = own.context.request.get(f"{own.base}/api/v1/shop/{COFFEE}/desk/reports/work?since={since}&until={until}")
    assert answer.status == 403
    attend(product, AGENT, "offline")
    ended = call("GET", f"{product.base}/api/v1/shop/{COFFEE}/desk/reports/work/mine?since={since}&until={until}",
                 token=token(product, AGENT))  # fmt: skip
    assert ended["whole"]["work_ms"] >= mine["whole"]["work_ms"]
