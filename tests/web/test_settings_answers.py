"""What a shop answers by itself and what it lets through, set on the settings' pages, met by buyers in their chat."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import Gate, Product, Size, Visit, Visitor
from tests.web.desk import CHAT, FIRST, ask, begin, bubbles, choose, hears, open_desk, token
from tests.web.people import AGENT, COFFEE, LATTE, OWNER
from tests.web.people import ask as call
from tests.web.test_settings import save, settings

PRODUCT = f"{CHAT}?product=G000000DEM00000000000000001"


@pytest.fixture(autouse=True)
def _alone(product: Product) -> Iterator[None]:
    """Nobody is served yet; afterwards people answer again, no machine, and the shop says what it said before."""
    desk = f"{product.base}/api/v1/shop/{COFFEE}/desk"
    boss = token(product, OWNER)
    begin(product)
    before = call("GET", f"{desk}/answers", token=boss)
    keywords = {one["id"] for one in call("GET", f"{desk}/keywords", token=boss)["items"]}
    yield
    wish = {name: value for name, value in before.items() if name not in {"assistant_there", "variables"}}
    call("PUT", f"{desk}/answers", wish, boss)
    for one in call("GET", f"{desk}/keywords", token=boss)["items"]:
        if one["id"] not in keywords:
            call("DELETE", f"{desk}/keywords/{one['id']}", token=boss)
    begin(product)


def heard(buyer: Visitor, text: str) -> None:
    """The machine says it."""
    expect(buyer.page.locator("[data-bubble][data-fr=bot]").filter(has_text=text).last).to_be_visible()


def words(page: Page, label: str) -> Locator:
    """The field of a list of words."""
    return page.get_by_label(label, exact=True)


def dropped(page: Page, text: str) -> None:
    """No row says it any more."""
    expect(page.get_by_text(text)).to_have_count(0)


def test_an_owner_teaches_the_shop_to_answer_and_buyers_are_answered(visit: Visit) -> None:  # req I7
    owner = settings(visit, "matching")
    page = owner.page
    page.get_by_test_id("bot-on").click()
    save(page)
    owner.shot("answers-matching-desk")

    page.get_by_test_id("part-knowledge").click()
    page.get_by_test_id("faq-add").click()
    page.get_by_test_id("faq-question").fill("可以带宠物进店吗")
    words(page, "其他问法").fill("能带狗吗")
    words(page, "其他问法").press("Enter")
    page.get_by_test_id("faq-zh").fill("欢迎牵绳的小动物，露台座位最合适，")
    page.get_by_test_id("put-shop").first.click()
    expect(page.get_by_test_id("faq-zh")).to_have_value(re.compile(r"，\{shop\}$"))
    owner.shot("answers-faq-editor-desk")
    page.get_by_test_id("save").click()
    mine = page.get_by_test_id("faq").filter(has_text="可以带宠物进店吗")
    expect(mine).to_be_visible()
    page.get_by_test_id("try-text").fill("请问能不能带小狗进去呀")
    page.get_by_test_id("try-text").press("Enter")
    expect(page.get_by_test_id("tried")).to_contain_text("可以带宠物进店吗")
    owner.shot("answers-knowledge-desk")
    page.get_by_test_id("faq-import").click()
    page.get_by_test_id("import-text").fill("问：有没有无麸质蛋糕\n无麸质的有吗\n答：每天十份。\n问：没有答案的\n答：")
    expect(page.get_by_test_id("import-count")).to_contain_text("1")
    owner.shot("answers-import-desk")
    page.get_by_test_id("import-go").click()
    expect(page.get_by_test_id("imported")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("faq").filter(has_text="有没有无麸质蛋糕")).to_be_visible()

    page.get_by_test_id("part-keywords").click()
    page.get_by_test_id("keyword-add").click()
    words(page, "关键词").fill("wifi，无线密码")
    words(page, "关键词").press("Enter")
    page.get_by_test_id("keyword-zh").fill("密码印在小票背面")
    page.get_by_test_id("save").click()
    expect(page.get_by_test_id("keyword").filter(has_text="无线密码")).to_be_visible()
    owner.shot("answers-keywords-desk")

    page.get_by_test_id("part-welcome").click()
    page.get_by_test_id("welcome-product").click()
    page.get_by_test_id("welcome-zh").fill("想了解")
    page.get_by_test_id("put-title").first.click()
    expect(page.get_by_test_id("buyer-preview")).to_contain_text(f"想了解{LATTE}")
    page.get_by_test_id("welcome-questions").click()
    page.get_by_role("option", name="可以带宠物进店吗").click()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("buyer-preview")).to_contain_text("可以带宠物进店吗")
    save(page)
    owner.shot("answers-welcome-desk")

    buyer = visit(PRODUCT, signed_in=FIRST)
    ask(buyer, "请问能不能带宠物进店呢？")
    heard(buyer, f"想了解{LATTE}")
    expect(buyer.page.get_by_role("button", name="可以带宠物进店吗")).to_be_visible()
    heard(buyer, "欢迎牵绳的小动物")
    ask(buyer, "WIFI 是多少")
    heard(buyer, "密码印在小票背面")
    buyer.shot("answers-buyer-phone")

    page.get_by_test_id("part-knowledge").click()
    for question in ("可以带宠物进店吗", "有没有无麸质蛋糕"):
        page.get_by_role("button", name=f"删除：{question}").click()
        page.get_by_test_id("faq-drop-go").click()
        dropped(page, question)


def test_what_may_not_be_said_is_masked_or_flagged_and_the_flag_is_settled(visit: Visit) -> None:  # req I10
    owner = settings(visit, "words")
    page = owner.page
    for level, text in (("mask", "臭豆腐脑\n榴莲味"), ("flag", "曝光你们")):
        page.get_by_test_id("words-text").fill(text)
        page.get_by_test_id(f"level-{level}").click()
        page.get_by_test_id("words-add").click()
        expect(page.get_by_test_id("words-text")).to_have_value("")
    expect(page.get_by_test_id("guard-word")).to_have_count(3)
    page.get_by_role("button", name="去掉“榴莲味”").click()
    page.get_by_test_id("words-undo").click()
    page.get_by_test_id("try-guard-text").fill("真是榴 莲 味")
    page.get_by_test_id("try-guard-text").press("Enter")
    expect(page.get_by_test_id("tried-guard")).to_have_attribute("data-verdict", "mask")
    expect(page.get_by_test_id("tried-guard")).to_contain_text("真是*****")
    owner.shot("guard-words-desk")
    page.get_by_test_id("part-limits").click()
    expect(page.get_by_test_id("limits")).to_be_visible()
    expect(page.get_by_test_id("guard-above")).to_be_visible()
    owner.shot("guard-limits-desk")

    buyer = visit(CHAT, signed_in=FIRST)
    ask(buyer, "怎么一股")
    buyer.page.locator("textarea").fill("这杯是臭豆腐脑")
    buyer.page.locator("button[type=submit]").click()
    hears(buyer, "这杯是****")
    ask(buyer, "不退钱我就曝光你们！")

    page.get_by_test_id("part-flags").click()
    flag = page.get_by_test_id("flag").filter(has_text="曝光你们")
    expect(flag.locator("mark")).to_have_text("曝光你们")
    owner.shot("guard-flags-desk")
    flag.get_by_test_id("flag-open").click()
    expect(bubbles(page, "不退钱我就曝光你们！")).to_be_visible()
    page.go_back()
    page.get_by_test_id("flags-side").click()
    page.get_by_role("option", name="客服").click()
    expect(flag).to_have_count(0)
    expect(page).to_have_url(re.compile("side=staff"))
    page.get_by_test_id("flags-side").click()
    page.get_by_role("option", name="双方").click()
    flag.get_by_test_id("flag-handled").click()
    page.get_by_test_id("flag-note").fill("已电话安抚")
    page.get_by_test_id("flag-handled-go").click()
    expect(flag).to_have_count(0)
    page.get_by_test_id("flags-handled").click()
    expect(flag.first).to_contain_text("已电话安抚")

    page.get_by_test_id("part-words").click()
    for text in ("臭豆腐脑", "榴莲味", "曝光你们"):
        page.get_by_role("button", name=f"去掉“{text}”").click()
    expect(page.get_by_test_id("guard-word")).to_have_count(0)


def test_a_blocked_guest_is_told_so_and_a_new_guest_on_the_same_device_is_asked_to_sign_in(
    visit: Visit, gate: Gate
) -> None:  # req I10
    guest = visit(CHAT)
    ask(guest, "在吗在吗在吗")
    agent = open_desk(visit)
    page = agent.page
    choose(page, "在吗在吗在吗")
    page.get_by_test_id("open-block").click()
    page.get_by_test_id("block-1").click()
    page.get_by_test_id("block-reason").fill("刷屏骚扰")
    agent.shot("guard-block-dialog-desk")
    page.get_by_test_id("block-go").click()
    expect(page.get_by_test_id("block-buyer")).to_have_attribute("data-blocked", "true")
    guest.page.locator("textarea").fill("还能说话吗")
    guest.page.locator("button[type=submit]").click()
    failed = guest.page.locator("[data-bubble][data-state=failed]")
    expect(failed).to_contain_text("暂不接收您的消息")
    guest.shot("guard-blocked-buyer-phone")
    guest.page.evaluate("localStorage.removeItem('octshop.guest')")
    guest.go(CHAT)
    guest.page.locator("textarea").fill("换个身份再来")
    guest.page.locator("button[type=submit]").click()
    expect(failed.last).to_contain_text("请登录后再发")

    boss = settings(visit, "blocked", size="phone", lang="en", dark=True)
    row = boss.page.get_by_test_id("block").filter(has_text="刷屏骚扰")
    expect(row).to_be_visible()
    boss.shot("guard-blocked-phone-en-dark")
    row.get_by_test_id("lift").click()
    boss.page.get_by_test_id("lift-go").click()
    expect(row).to_have_count(0)
    ask(guest, "谢谢放我出来")


def test_an_agent_keeps_a_quick_reply_of_his_own_and_uses_it(visit: Visit) -> None:  # req I7
    buyer = visit(CHAT, signed_in=FIRST)
    ask(buyer, "发货了吗")
    agent = settings(visit, "quick-replies", phone=AGENT, size="phone", lang="en")
    page = agent.page
    page.get_by_test_id("quick-add").click()
    page.get_by_test_id("quick-title").fill("Packed today")
    page.get_by_test_id("quick-code").fill("packed")
    page.get_by_test_id("put-buyer").click()
    page.get_by_test_id("quick-text").press_sequentially(", your order leaves today")
    agent.shot("answers-quick-editor-phone-en")
    page.get_by_test_id("save").click()
    mine = page.get_by_test_id("quick-reply").filter(has_text="Packed today")
    expect(mine).to_be_visible()
    agent.shot("answers-quick-phone-en")
    page.get_by_test_id("quick-shop").click()
    expect(page.get_by_test_id("quick-add")).to_have_count(0)
    page.get_by_test_id("settings-back").click()
    page.get_by_test_id("rail-desk").click()
    choose(page, "发货了吗")
    page.get_by_test_id("composer").press_sequentially("/packed")
    page.get_by_test_id("canned-item").filter(has_text="Packed today").wait_for()
    page.get_by_test_id("composer").press("Enter")
    expect(page.get_by_test_id("composer")).to_have_value(re.compile("^小满, your order leaves today"))
    page.get_by_test_id("composer").press("Enter")
    hears(buyer, "小满, your order leaves today")
    page.go_back()
    agent.go("/agent/settings/quick-replies")
    mine.get_by_test_id("quick-drop").click()
    page.get_by_test_id("quick-drop-go").click()
    expect(mine).to_have_count(0)


@pytest.mark.parametrize(("size", "lang", "dark"), [("phone", "zh-CN", True), ("tablet", "en", False)])
def test_every_part_fits_its_screen_and_has_its_words(visit: Visit, size: Size, lang: str, dark: bool) -> None:
    """In both languages: no key shows, nothing runs out at the side."""
    owner = settings(visit, size=size, lang=lang, dark=dark, phone=OWNER)
    page = owner.page
    for part in ("welcome", "knowledge", "matching", "keywords", "quick-replies", "assistant", "words", "limits",
                 "blocked", "flags"):  # fmt: skip
        owner.go(f"/agent/settings/{part}")
        expect(page.get_by_test_id("settings-part").locator("[aria-busy=true]")).to_have_count(0)
        expect(page.get_by_test_id("settings-part").locator("h3:visible, .none:visible").first).to_be_visible()
        owner.shot(f"answers-{part}-{size}-{lang}{'-dark' if dark else ''}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{part} is {wide} px too wide"
        assert not re.findall(r"\b(?:answers|guard|settings)\.[a-z_.]+", page.inner_text("main")), part
