"""Proves the edge: headers on every answer, sizes and times on raw sockets, addresses behind proxies, request ids."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from octshop_rt.core.auth.model import Audience
from octshop_rt.core.http import load
from octshop_rt.core.http import server as server_module
from octshop_rt.core.http.origin import ClientAddress
from octshop_rt.core.http.server import LOAD
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import HttpSettings
from tests.http.city import City, running

ALWAYS = {
    "Content-Security-Policy": None,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": None,
}


def _dressed(headers: Any, *, private: bool = True) -> None:
    for name, value in ALWAYS.items():
        assert name in headers, name
        assert value is None or headers[name] == value
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"] or not private
    assert "Server" not in headers
    if private:
        assert headers["Cache-Control"] == "no-store"


async def _raw(port: int, data: bytes, *, wait: float = 5) -> tuple[int, dict[str, str], bytes]:
    """Send bytes, read to the end: status, headers, body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    async with asyncio.timeout(wait):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    return int(lines[0].split()[1]) if lines[0] else 0, headers, body


async def test_every_route_s_every_answer_is_dressed(city: City) -> None:
    buyer = await city.bearer(Audience.BUYER, "U1")
    staff = await city.bearer(Audience.STAFF, "Ufinance")
    city.town.gate = asyncio.Event()
    city.town.gate.set()
    statuses: set[int] = set()
    for route in city.town.routes():
        path = route.path.replace("{shop_id}", "S1")
        kinds = ("bug", "sold_out", "busy", "not_found") if "{kind}" in path else ("",)
        for kind in kinds:
            for headers in ({}, buyer, staff, {"Accept": "text/html"}, {"Origin": "https://evil.example"}):
                for body in (b"", b'{"text":"a"}'):
                    given = {**headers, "Content-Type": "application/json"}
                    url = city.api + path.replace("{kind}", kind)
                    async with city.client.request(route.method, url, data=body, headers=given) as answer:
                        _dressed(answer.headers)
                        statuses.add(answer.status)
                        assert len(answer.headers["X-Request-Id"]) == 27
    for method, path in (
        ("GET", "/api/v1/none"),
        ("PATCH", "/api/v1/echo"),
        ("TRACE", "/api/v1/echo"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
    ):
        async with city.client.request(method, city.url + path) as answer:
            _dressed(answer.headers)
            statuses.add(answer.status)
    assert {200, 201, 204, 400, 401, 403, 404, 405, 406, 409, 415, 500, 503} <= statuses
    for path in ("/api/docs", "/api/openapi.json"):
        async with city.client.get(city.url + path) as answer:
            _dressed(answer.headers, private=False)
            assert answer.status == 200


async def test_requests_that_are_no_http_are_dressed_too(city: City) -> None:
    for data in (
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ):
        status, headers, body = await _raw(city.port, data)
        assert status == 400
        assert "Server" not in headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert b"aiohttp" not in body
        assert b"Python" not in body


async def test_headers_have_a_limit(city: City) -> None:
    line = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    assert (await _raw(city.port, line + b"X: " + b"a" * 7000 + b"\r\n\r\n"))[0] == 200
    assert (await _raw(city.port, line + b"X: " + b"a" * 9000 + b"\r\n\r\n"))[0] == 400
    assert (await _raw(city.port, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"))[0] == 400
    many = b"".join(b"X-%d: a\r\n" % number for number in range(100))
    assert (await _raw(city.port, line + many + b"\r\n"))[0] == 400


async def test_bodies_have_a_limit(city: City) -> None:
    head = b"POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n"
    # told beforehand: refused without reading
    status, _, body = await _raw(city.port, head + b"Content-Length: 1000000000\r\n\r\n")
    assert status == 413
    assert b'"http.too_large"' in body
    # not told: refused as soon as it is too much
    chunk = b"400\r\n" + b" " * 0x400 + b"\r\n"
    status, _, _ = await _raw(city.port, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 2)
    assert status == 413
    fits = b'{"text":"' + b"a" * 20 + b'"}'
    fits += b" " * (1024 - len(fits))
    for data, expected in ((fits, 200), (fits + b" ", 413)):
        headers = {"Content-Type": "application/json"}
        async with city.client.post(f"{city.api}/echo", data=data, headers=headers) as answer:
            assert answer.status == expected


async def test_a_body_that_drips_is_cut_off(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "BODY_SECONDS", 0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", city.port)
    writer.write(
        b"POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
    )
    began = time.monotonic()

    async def drip() -> None:
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.1)

    dripping = asyncio.create_task(drip())
    async with asyncio.timeout(6):
        answer = await reader.read()  # to the end: the connection is closed
    dripping.cancel()
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"http.too_slow"' in answer
    assert time.monotonic() - began < 5
    writer.close()


async def test_headers_that_drip_are_cut_off(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert server_module.KEEPALIVE_SECONDS == 30
    monkeypatch.setattr(server_module, "KEEPALIVE_SECONDS", 1)
    async with running(db) as city:
        for first in (b"", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", city.port)
            writer.write(first + b"GET /healthz HTTP/1.1\r\n")
            began = time.monotonic()
            async with asyncio.timeout(6):
                while not reader.at_eof():
                    with_drip = b"X-A: b\r\n"
                    if not writer.is_closing():
                        writer.write(with_drip)
                    try:
                        async with asyncio.timeout(0.2):
                            await reader.read(4096)
                    except TimeoutError:
                        continue
                    except ConnectionError:
                        break
            assert time.monotonic() - began < 4
            writer.close()


async def test_the_address_comes_from_trusted_proxies_only(db: Database, city: City) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9"}
    async with city.client.get(f"{city.api}/echo", headers=forged) as answer:
        assert (await answer.json())["text"] == "127.0.0.1"
    http = HttpSettings(public_url="http://shop.test", proxies=("127.0.0.0/8", "10.0.0.0/8"))
    async with running(db, http=http) as behind:
        for told, expected in (
            ("203.0.113.9", "203.0.113.9"),
            ("6.6.6.6, 203.0.113.9", "203.0.113.9"),  # the client's own lie stands further left
            ("203.0.113.9, 10.0.0.7", "203.0.113.9"),
            ("10.0.0.8, 10.0.0.7", "10.0.0.8"),
            ("what, 10.0.0.7", "10.0.0.7"),
            ("", "127.0.0.1"),
        ):
            async with behind.client.get(f"{behind.api}/echo", headers={"X-Forwarded-For": told}) as answer:
                assert (await answer.json())["text"] == expected


def test_an_ipv6_proxy_is_a_proxy() -> None:
    assert ClientAddress(("::1",)).trusts("::1")
    assert not ClientAddress(("::1",)).trusts("not an address")


async def test_figures_are_for_this_machine_only(city: City) -> None:
    async with city.client.get(f"{city.api}/fault/sold_out") as answer:
        assert answer.status == 409
    async with city.client.get(f"{city.url}/metrics") as answer:
        text = await answer.text()
    assert 'octshop_http_requests_total{method="GET",route="/api/v1/fault/{kind}",status="409"} 1.0' in text
    assert 'octshop_http_refusals_total{code="town.sold_out"} 1.0' in text
    async with city.client.get(f"{city.url}/metrics", headers={"X-Forwarded-For": "1.2.3.4"}) as answer:
        assert answer.status == 404
    # other people's methods and paths do not make the figures grow
    for number, method in enumerate(("PROPFIND", "MKCOL", "LOCK", "SEARCH", "PURGE")):
        async with city.client.request(method, f"{city.url}/nothing/{number}") as answer:
            assert answer.status == 404
    async with city.client.get(f"{city.url}/metrics") as answer:
        text = await answer.text()
    assert 'octshop_http_requests_total{method="other",route="unmatched",status="404"} 5.0' in text


async def test_tls_binds_cookies_and_asks_for_tls_for_ever(db: Database) -> None:
    async with running(db, http=HttpSettings(public_url="https://shop.test")) as city:
        async with city.client.get(f"{city.url}/healthz") as answer:
            assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
        opened = await city.open(Audience.BUYER, "U1", bearer=False)
        for name, status in (("__Host-oct_buyer", 200), ("oct_buyer", 401)):
            async with city.client.get(f"{city.api}/buyer/me", headers={"Cookie": f"{name}={opened.token}"}) as answer:
                assert answer.status == status


async def test_more_requests_than_it_can_carry_are_sent_away(city: City) -> None:
    city.app[LOAD].most_at_work = 0
    async with city.client.get(f"{city.api}/echo") as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "1"
        assert (await answer.json(content_type=None))["code"] == "core.busy"
    for path in ("/healthz", "/readyz", "/metrics"):  # the operator still sees what goes on
        async with city.client.get(city.url + path) as answer:
            assert answer.status == 200, path
