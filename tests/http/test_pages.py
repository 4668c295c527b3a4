"""Proves how the web clients are served: caching, history paths, precompressed files, no way out of the folder."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import HttpSettings
from tests.http.city import City, running


@pytest.fixture
async def web(db: Database, tmp_path: Path) -> AsyncIterator[City]:
    dist = tmp_path / "dist"
    (tmp_path / "secret.js").write_text("secret")
    for name in ("shop", "agent", "clerk", "pos", "phone"):
        (dist / name).mkdir(parents=True)
        (dist / name / "index.html").write_text(f"<p>{name}")
    (dist / "clerk" / "sw.js").write_text("worker")
    (dist / "push-worker.js").write_text("push")
    (dist / "assets").mkdir()
    (dist / "assets" / "app-1a2b.js").write_text("plain")
    (dist / "assets" / "app-1a2b.js.gz").write_bytes(gzip.compress(b"plain"))
    (dist / "assets" / "zxing-9.wasm").write_bytes(b"\x00asm")
    (dist / "assets" / "page.php").write_text("<?php")
    (dist / "assets" / "out.js").symlink_to(tmp_path / "secret.js")
    async with running(db, http=HttpSettings(public_url="http://shop.test:8480", web_dir=str(dist))) as city:
        yield city


async def test_entries_are_fresh_and_history_paths_lead_to_them(web: City) -> None:
    for path in ("/shop/", "/shop/orders/O123", "/agent/", "/clerk/scan", "/pos/", "/phone/x/y/z", "/shop/index.html"):
        async with web.client.get(web.url + path) as answer:
            assert await answer.text() == f"<p>{path.split('/')[1]}"
            assert answer.headers["Cache-Control"] == "no-cache"
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    for path, target in (("/", "/shop/"), ("/agent", "/agent/"), ("/pos", "/pos/")):
        async with web.client.get(web.url + path, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, target)
    async with web.client.get(f"{web.url}/clerk/sw.js") as answer:
        assert (answer.content_type, answer.headers["Cache-Control"]) == ("text/javascript", "no-cache")
    async with web.client.get(f"{web.url}/push-worker.js") as answer:  # req I5: a new one is taken at the next start
        assert (answer.content_type, answer.headers["Cache-Control"]) == ("text/javascript", "no-cache")
        assert "script-src 'self' 'wasm-unsafe-eval'" in answer.headers["Content-Security-Policy"]
    for path in ("/shop/missing.js", "/merchant/", "/shopping", "/favicon.ico"):
        async with web.client.get(web.url + path) as answer:
            assert answer.status == 404


async def test_assets_are_kept_for_ever_and_sent_small(web: City) -> None:
    headers = {"Accept-Encoding": "gzip"}
    async with web.client.get(f"{web.url}/assets/app-1a2b.js", headers=headers) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert await answer.text() == "plain"
    async with web.client.get(f"{web.url}/assets/app-1a2b.js", headers={"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert "Accept-Encoding" in answer.headers["Vary"]
    async with web.client.get(f"{web.url}/assets/zxing-9.wasm") as answer:
        assert answer.headers["Content-Type"] == "application/wasm"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../secret.js", "/assets/%2e%2e/%2e%2e/secret.js", "/assets/..%2f..%2fsecret.js", "/assets/out.js",
        "/assets/%00", "/assets//etc/passwd", "/assets/", "/assets/page.php", "/shop/..%2f..%2fsecret.js",
        "/assets/.hidden.js", "/assets/app-1a2b.js.gz", "/assets/app-1a2b.js%00.png",
    ],
)  # fmt: skip
async def test_there_is_no_way_out_of_the_folder(web: City, path: str) -> None:
    from yarl import URL

    async with web.client.get(URL(web.url + path, encoded=True)) as answer:
        assert answer.status in {400, 404}
        assert b"secret" not in await answer.read()


async def test_pages_run_under_a_strict_policy(web: City) -> None:
    async with web.client.get(f"{web.url}/shop/") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "X-Frame-Options" in answer.headers
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert parts["default-src"] == "'self'"
    assert parts["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert parts["connect-src"] == "'self' ws://shop.test:8480 wss://shop.test:8480"
    assert parts["frame-ancestors"] == "'none'"
    assert parts["object-src"] == "'none'"
    assert parts["base-uri"] == "'none'"


async def test_a_page_s_errors_are_no_pages(web: City) -> None:
    async with web.client.get(f"{web.url}/assets/none.js") as answer:
        assert answer.content_type == "application/problem+json"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
