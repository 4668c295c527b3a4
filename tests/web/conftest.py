"""The whole product in a process of its own, real Chromium in front of it, and a gate that keeps the console clean."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    Response,
    WebError,
    expect,
    sync_playwright,
)

from octshop_rt.demo.people import PASSWORD
from tests.place import new_folder

ROOT = Path(__file__).resolve().parents[2]
SHOTS = Path(__file__).parent / "shots"
SIZES = {"phone": (360, 740), "tablet": (768, 1024), "desk": (1440, 900)}

# Patience for a machine that does other things beside; a page that is right answers at once.
expect.set_options(timeout=12_000)

Size = Literal["phone", "tablet", "desk"]
Audience = Literal["buyer", "staff", "platform"]


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    holders = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [holder.getsockname()[1] for holder in holders]
    for holder in holders:
        holder.close()
    return ports


@dataclass
class Product:
    """`octshop-rt run` with demo data in a folder of its own; can be cut off and started again on the same data."""

    data: Path
    port: int
    sandbox_port: int
    process: subprocess.Popen[bytes] | None = None
    tokens: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "octshop_rt", "run", "--data", str(self.data)]
        command += ["--port", str(self.port), "--sandbox-port", str(self.sandbox_port)]
        env = os.environ | {"LANG": "C.UTF-8"}
        with (self.data / "run.out").open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True, env=env
            )
        until = time.monotonic() + 90
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.base}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.2)
        self.stop()
        pytest.fail(f"the product did not start:\n{(self.data / 'run.out').read_text(errors='replace')[-3000:]}")

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)
        self.process = None


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    """The running product."""
    if not (ROOT / "static/dist/shop/index.html").is_file():
        pytest.fail("the web pages are not built: cd static && npm ci && npm run build")
    data = new_folder("octshop-web-")
    port, sandbox_port = free_ports(2)
    running = Product(data, port, sandbox_port)
    running.start()
    yield running
    running.stop()
    shutil.rmtree(data, ignore_errors=True)


@dataclass
class Gate:
    """What a page must not do: complain in its console, throw, fail a request, or ask a foreign host."""

    base: str
    faults: list[str] = field(default_factory=list[str])
    allowed: list[re.Pattern[str]] = field(default_factory=list[re.Pattern[str]])

    def allow(self, pattern: str) -> None:
        """This test provokes it."""
        self.allowed.append(re.compile(pattern))

    def watch(self, context: BrowserContext) -> None:
        context.on("console", self._said)
        context.on("weberror", self._thrown)
        context.on("requestfailed", self._failed)
        context.on("request", self._foreign)
        context.on("response", self._refused)

    def check(self) -> None:
        left = [fault for fault in self.faults if not any(pattern.search(fault) for pattern in self.allowed)]
        assert not left, "\n".join(left)

    def _said(self, said: ConsoleMessage) -> None:
        # Chromium reports every answer ≥ 400 in the console without its address; `_refused` tells it with one.
        known = said.text.startswith("Failed to load resource: the server responded")
        # A page that is left gives up the socket it still opens.
        left = said.text.endswith("WebSocket is closed before the connection is established.")
        if said.type in {"error", "warning"} and not known and not left:
            self.faults.append(f"{said.type}: {said.text}")

    def _thrown(self, fault: WebError) -> None:
        self.faults.append(f"thrown: {fault.error}")

    def _refused(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"refused: {response.status} {response.request.method} {response.url}")

    def _failed(self, request: Request) -> None:
        # A page that is left cancels what it still loads.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"failed: {request.method} {request.url} {request.failure}")

    def _foreign(self, request: Request) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.faults.append(f"foreign: {request.url}")


@pytest.fixture
def gate(product: Product) -> Iterator[Gate]:
    """Shared by all pages of a test; checked at its end."""
    keeper = Gate(product.base)
    yield keeper
    keeper.check()


# Fonts are there, pictures are drawn, movements that end have ended; after so many milliseconds in any case.
AT_REST = """async (most_ms) => {
  const frame = () => new Promise(requestAnimationFrame)
  const rest = async () => {
    await document.fonts.ready
    await Promise.all([...document.images].map((one) => one.decode().catch(() => undefined)))
    await frame()
    const ends = document.getAnimations().filter((one) => one.effect?.getComputedTiming().endTime !== Infinity)
    await Promise.all(ends.map((one) => one.finished.catch(() => undefined)))
    await frame()
  }
  await Promise.race([rest(), new Promise((done) => setTimeout(done, most_ms))])
}"""
Launch = Callable[..., Browser]


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.fail("no Chromium for the page tests: apt-get install chromium fonts-wqy-microhei")


# What Chromium draws for itself beside each page: two pages behind the address bar, and one kept in stock.
NOT_DRAWN = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup", "SpareRendererForSitePerProcess")


def _open_browser(playwright: Playwright, camera: Path | None = None, *, microphone: bool = False) -> Browser:
    args = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    args += ["--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"]
    args += [f"--disable-features={','.join(NOT_DRAWN)}"]
    if camera is not None:
        args += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
    if microphone:
        args += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    return playwright.chromium.launch(executable_path=_chromium(), headless=True, args=args)


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """One for all page tests of a worker. Its loop must not outlive them: asynchronous tests beside it would fail."""
    with sync_playwright() as one:
        yield one


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One Chromium for all page tests of a worker; each visitor has a profile of its own in it, gone with the test."""
    one = _open_browser(playwright)
    yield one
    one.close()


@pytest.fixture
def launch(playwright: Playwright) -> Iterator[Launch]:
    """Opens further browsers; `camera`: a Y4M file that plays as the camera, `microphone`: one that beeps.

    Closed at the end of the test.
    """
    browsers: list[Browser] = []

    def open_browser(camera: Path | None = None, *, microphone: bool = False) -> Browser:
        browsers.append(_open_browser(playwright, camera, microphone=microphone))
        return browsers[-1]

    yield open_browser
    for one in browsers:
        one.close()


@dataclass
class Visitor:
    """One person in one browser profile."""

    context: BrowserContext
    page: Page
    base: str

    def go(self, path: str) -> None:
        self.page.goto(self.base + path)

    def shot(self, name: str) -> None:
        """A screenshot for people to look at, once the page has come to rest."""
        SHOTS.mkdir(exist_ok=True)
        self.page.evaluate(AT_REST, 350)
        self.page.screenshot(path=SHOTS / f"{name}.png")


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser, product: Product, gate: Gate) -> Iterator[Visit]:
    """Opens a page for a person: `visit("/shop/", size="phone", signed_in="13800000001", audience="buyer")`."""
    contexts: list[BrowserContext] = []
    everybodys = browser

    def come(
        path: str = "/shop/",
        *,
        size: Size = "phone",
        lang: str = "zh-CN",
        dark: bool = False,
        signed_in: str = "",
        audience: Audience = "buyer",
        browser: Browser | None = None,
        camera: bool = False,
        zone: str = "Asia/Shanghai",
    ) -> Visitor:
        if browser is None:
            browser = everybodys
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            locale=lang,
            color_scheme="dark" if dark else "light",
            permissions=["camera"] if camera else [],
            timezone_id=zone,
        )
        contexts.append(context)
        context.set_default_timeout(15_000)
        gate.watch(context)
        if signed_in:
            sign_in(context, product.base, audience, signed_in)
        visitor = Visitor(context, context.new_page(), product.base)
        visitor.go(path)
        return visitor

    yield come
    for context in contexts:
        context.close()


def sign_in(context: BrowserContext, base: str, audience: Audience, phone: str) -> dict[str, Any]:
    """Through the API, for tests that are about something else; the cookie lands in the context."""
    device = {"id": "playwright-device", "name": "Playwright"}
    body = {"phone": phone, "password": PASSWORD, "device": device}
    answer = context.request.post(f"{base}/api/v1/{audience}/login", data=body, headers={"Origin": base})
    assert answer.ok, answer.text()
    # The empty page a tab starts with has no storage.
    context.add_init_script(f"try {{ localStorage.setItem('octshop.signed_in.{audience}', '1') }} catch {{}}")
    return dict(answer.json())
