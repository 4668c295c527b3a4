"""Everything a chat carries, both ways: pictures, moving ones, voice, film, file, place, quotes, words taken back."""

from __future__ import annotations

import base64
import re

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.media.recordings import gif
from tests.web.conftest import Gate, Launch, Product, Visit, Visitor
from tests.web.desk import CHAT, FIRST, ask, begin, bubbles, choose, hears, open_desk, png
from tests.web.people import COFFEE

DONE = re.compile("sent|read")
# A film is what this browser itself records: a second of a turning colour.
FILM = """async () => {
  const board = Object.assign(document.createElement('canvas'), { width: 320, height: 240 })
  const pen = board.getContext('2d')
  const tape = new MediaRecorder(board.captureStream(25), { mimeType: 'video/webm;codecs=vp8' })
  const pieces = []
  tape.ondataavailable = (event) => pieces.push(event.data)
  const ended = new Promise((done) => (tape.onstop = done))
  let n = 0
  const timer = setInterval(() => { pen.fillStyle = `hsl(${(n += 9)} 70% 50%)`; pen.fillRect(0, 0, 320, 240) }, 30)
  tape.start()
  await new Promise((done) => setTimeout(done, 1500))
  tape.stop()
  await ended
  clearInterval(timer)
  const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer())
  return btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join(''))
}"""


@pytest.fixture(autouse=True)
def _alone(product: Product) -> None:
    begin(product)


def lines(page: Page, kind: str) -> Locator:
    return page.locator(f"[data-bubble][data-kind={kind}]")


def arrived(page: Page, kind: str, count: int = 1) -> Locator:
    """So many lines of this kind stand in the buyer's log, and the last of them has come to the server."""
    expect(lines(page, kind)).to_have_count(count)
    last = lines(page, kind).last
    expect(last).to_have_attribute("data-state", DONE)
    return last


def attach(page: Page, door: str, *files: FilePayload) -> None:
    page.get_by_test_id("more-open").click()
    page.get_by_test_id(f"file-{door}").set_input_files(list(files))
    expect(page.get_by_test_id("preview-sheet")).to_be_visible()


def picture(name: str = "桌子.png", *, width: int = 320) -> FilePayload:
    return {"name": name, "mimeType": "image/png", "buffer": base64.b64decode(png(width))}


def act(page: Page, line: Locator, what: str) -> None:
    """By the right button, as by a long press on a phone."""
    line.locator(".said").click(button="right")
    page.get_by_test_id(f"act-{what}").click()


def test_everything_goes_both_ways(visit: Visit, launch: Launch, gate: Gate) -> None:  # req I6, I11
    buyer = visit(CHAT, signed_in=FIRST, browser=launch(microphone=True))
    page = buyer.page
    ask(buyer, "桌子这样摆可以吗？")
    agent = open_desk(visit)
    choose(agent.page, "桌子这样摆可以吗？")
    _pictures(buyer)
    _voice(buyer)
    _film_file_and_place(buyer)
    seen = agent.page.locator("[data-testid=message]")
    for kind, count in (("image", 2), ("voice", 1), ("video", 1), ("file", 1), ("location", 1)):
        expect(seen.and_(agent.page.locator(f"[data-kind={kind}]"))).to_have_count(count)
    expect(agent.page.get_by_test_id("video").locator("img")).to_be_visible()
    agent.shot("content-agent-desk")
    _answer_with_a_picture_and_a_quote(agent, page)
    buyer.shot("content-answered-phone")
    page.get_by_test_id("quoted").click()
    expect(page.locator("[data-bubble].lit")).to_contain_text("桌子这样摆可以吗？")
    _take_back_and_put_right(buyer, agent)
    gate.allow("ERR_INTERNET_DISCONNECTED")
    _a_cut_upload_arrives_once(buyer, agent)
    for size, lang, dark in (("desk", "en", True), ("phone", "en", False)):
        other = visit(CHAT, signed_in=FIRST, size=size, lang=lang, dark=dark)
        expect(lines(other.page, "image").last.locator("img")).to_be_visible()
        other.page.get_by_test_id("more-open").click()
        expect(other.page.get_by_test_id("more-panel")).to_be_visible()
        other.shot(f"content-{size}-{lang}-{'dark' if dark else 'light'}")
        assert other.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def _pictures(buyer: Visitor) -> None:
    """Two at once, looked at before they go; one of them moves."""
    page = buyer.page
    page.get_by_test_id("more-open").click()
    buyer.shot("content-more-phone")
    page.get_by_test_id("more-open").click()
    moving: FilePayload = {"name": "好.gif", "mimeType": "image/gif", "buffer": gif(frames=5)}
    attach(page, "album", picture(), moving, picture("多余.png"))
    page.get_by_test_id("preview-sheet").get_by_role("button", name="移除 多余.png").click()
    buyer.shot("content-preview-phone")
    page.get_by_test_id("preview-send").click()
    last = arrived(page, "image", 2)
    expect(last).to_contain_text("GIF")
    expect(page.get_by_test_id("preview-sheet")).to_be_hidden()


def _voice(buyer: Visitor) -> None:
    page = buyer.page
    page.get_by_test_id("voice-mode").click()
    hold = page.get_by_test_id("hold")
    hold.hover()
    page.mouse.down()
    expect(page.get_by_test_id("recording")).to_be_visible()
    page.wait_for_timeout(1_200)
    buyer.shot("content-recording-phone")
    page.mouse.move(180, 200)
    expect(page.get_by_test_id("recording")).to_contain_text("松开 取消")
    page.mouse.up()
    expect(page.get_by_test_id("recording")).to_be_hidden()
    hold.hover()
    page.mouse.down()
    expect(page.get_by_test_id("recording")).to_be_visible()
    page.wait_for_timeout(1_500)
    page.mouse.up()
    note = arrived(page, "voice")  # the one that was slid away is not there
    note.get_by_role("button", name=re.compile("播放语音")).click()
    expect(note.get_by_test_id("voice")).to_have_attribute("data-playing", "true")
    page.get_by_test_id("voice-mode").click()


def _film_file_and_place(buyer: Visitor) -> None:
    page = buyer.page
    film = base64.b64decode(page.evaluate(FILM))
    attach(page, "video", {"name": "摆法.webm", "mimeType": "video/webm", "buffer": film})
    page.get_by_test_id("preview-send").click()
    expect(arrived(page, "video").locator("img")).to_be_visible()
    attach(page, "file", {"name": "尺寸.csv", "mimeType": "text/csv", "buffer": "长,宽\n120,60\n".encode()})
    page.get_by_test_id("preview-send").click()
    expect(arrived(page, "file")).to_contain_text("尺寸.csv")
    buyer.context.grant_permissions(["geolocation"])
    buyer.context.set_geolocation({"latitude": 31.2304, "longitude": 121.4737})
    page.get_by_test_id("more-open").click()
    page.get_by_test_id("more-place").click()
    form = page.get_by_test_id("place-form")
    form.get_by_label("名称").fill("人民广场店门口")
    form.get_by_test_id("place-send").click()
    expect(arrived(page, "location")).to_contain_text("人民广场店门口")
    page.get_by_test_id("more-open").click()
    page.get_by_test_id("more-product").click()
    buyer.shot("content-pick-phone")
    page.get_by_test_id("pick").first.click()
    arrived(page, "product")
    buyer.shot("content-sent-phone")


def _answer_with_a_picture_and_a_quote(agent: Visitor, buyer: Page) -> None:
    page = agent.page
    page.get_by_test_id("attach-file").set_input_files([picture("样板.png", width=240)])
    expect(page.get_by_test_id("attached").locator("li").first).to_have_attribute("data-state", "ready")
    question = bubbles(page, "桌子这样摆可以吗？").first
    question.scroll_into_view_if_needed()
    question.hover()
    question.get_by_test_id("tool-quote").click()
    page.get_by_test_id("composer").fill("可以，参考这张")
    page.keyboard.press("Enter")
    expect(buyer.locator("[data-bubble].them[data-kind=image] img")).to_be_visible()
    expect(buyer.get_by_test_id("quoted")).to_contain_text("桌子这样摆可以吗？")
    buyer.locator("[data-bubble].them[data-kind=image]").get_by_test_id("picture").click()
    expect(buyer.get_by_test_id("viewer").locator("img")).to_be_visible()
    buyer.keyboard.press("Escape")
    expect(buyer.get_by_test_id("viewer")).to_be_hidden()


def _take_back_and_put_right(buyer: Visitor, agent: Visitor) -> None:
    page = buyer.page
    ask(buyer, "写错的一句")
    ask(buyer, "要改的一句")
    expect(lines(page, "text").last).to_have_attribute("data-state", DONE)
    line = page.locator("[data-bubble]").filter(has_text="要改的一句")
    line.locator(".said").click(button="right")
    buyer.shot("content-menu-phone")
    page.get_by_test_id("act-edit").click()
    page.locator("textarea").fill("改好的一句")
    page.locator("textarea").press("Enter")
    expect(page.locator("[data-bubble]").filter(has_text="改好的一句")).to_contain_text("已编辑")
    expect(bubbles(agent.page, "改好的一句")).to_be_visible()
    act(page, page.locator("[data-bubble]").filter(has_text="写错的一句"), "recall")
    expect(page.get_by_test_id("recalled")).to_contain_text("您撤回了一条消息")
    expect(bubbles(agent.page, "写错的一句")).to_have_count(0)
    page.get_by_role("button", name="重新编辑").click()
    expect(page.locator("textarea")).to_have_value("写错的一句")
    page.locator("textarea").fill("")
    act(page, page.locator("[data-bubble].them").filter(has_text="可以，参考这张"), "quote")
    page.locator("textarea").fill("就照这张摆")
    page.locator("textarea").press("Enter")
    expect(bubbles(agent.page, "就照这张摆").get_by_test_id("quoted")).to_contain_text("可以，参考这张")


def _a_cut_upload_arrives_once(buyer: Visitor, agent: Visitor) -> None:
    """What was chosen while the network was away outlives a reload and arrives once."""
    page = buyer.page
    before = lines(page, "image").count()
    cdp = buyer.context.new_cdp_session(page)
    cdp.send("Network.enable")
    slow = {"offline": False, "latency": 20, "downloadThroughput": -1, "uploadThroughput": 40_000}
    cdp.send("Network.emulateNetworkConditions", slow)
    noise: FilePayload = {"name": "大图.png", "mimeType": "image/png", "buffer": base64.b64decode(png(1600))}
    attach(page, "album", noise)
    page.get_by_test_id("preview-send").click()
    going = lines(page, "image").last
    expect(going).to_have_attribute("data-going", "going")
    buyer.context.set_offline(True)
    expect(going).to_have_attribute("data-going", "cut")
    buyer.shot("content-cut-phone")
    buyer.context.set_offline(False)
    cdp.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
    arrived(page, "image", before + 1)
    expect(agent.page.locator("[data-testid=message][data-kind=image]")).to_have_count(before + 1)
    page.reload()
    expect(lines(page, "image")).to_have_count(before + 1)
    expect(page.locator("[data-going]")).to_have_count(0)


def test_a_visitor_of_another_site_sends_pictures_and_files(visit: Visit) -> None:  # req I6, I12
    guest = visit(f"/widget/{COFFEE}")
    page = guest.page
    page.locator("textarea").fill("在别的网站上问")
    page.locator("textarea").press("Enter")
    hears(guest, "在别的网站上问")
    attach(page, "album", picture(), picture("二.png", width=200))
    page.get_by_test_id("preview-send").click()
    shown = arrived(page, "image", 2)
    expect(shown.locator("img")).to_be_visible()
    attach(page, "file", {"name": "清单.txt", "mimeType": "text/plain", "buffer": "两张桌子".encode()})
    page.get_by_test_id("preview-send").click()
    note = arrived(page, "file")
    with page.expect_download() as saved:
        note.get_by_test_id("file").click()
    assert saved.value.suggested_filename == "清单.txt"
    page.get_by_test_id("emoji-open").click()
    page.get_by_test_id("emoji-panel").get_by_role("button", name="👍").click()
    guest.shot("content-widget-emoji")
    page.locator("button[type=submit]").click()
    hears(guest, "👍")
    agent = open_desk(visit)
    choose(agent.page, "👍")
    expect(agent.page.locator("[data-testid=message][data-kind=image] img").last).to_be_visible()
    act(page, shown, "recall")
    expect(agent.page.get_by_test_id("recalled")).to_have_count(1)
    expect(lines(page, "image").locator("img")).to_have_count(1)
    guest.shot("content-widget-phone")
