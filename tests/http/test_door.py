"""Proves the door: who gets in, CSRF and origin, bodies in two forms, queries, refusals as problems."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from octshop_rt.commerce.api.channel import NOTICES, ChannelApi, notice_path
from octshop_rt.commerce.payment.settle import Accounts
from octshop_rt.core.auth.model import Audience
from octshop_rt.core.http.door import NOBODY
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import HttpSettings
from tests.http.city import City, running

OWN = {"Origin": "http://shop.test"}


async def _problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    body = msgspec.json.decode(await answer.read())
    assert (answer.status, body["code"]) == (status, code), body
    assert answer.content_type == "application/problem+json"
    assert set(body) == {"type", "title", "status", "detail", "code", "retry", "data", "request_id"}
    assert body["status"] == status
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return body


async def test_json_and_msgpack_by_content_type(city: City) -> None:  # issue 8
    for sent in ("application/json", "application/msgpack", "application/json; charset=utf-8"):
        packed = "msgpack" in sent
        body = (msgspec.msgpack if packed else msgspec.json).encode({"text": "你好", "count": 7})
        for wanted, kind in (
            ("application/json", "application/json"),
            ("application/msgpack", "application/msgpack"),
            ("*/*", "application/json"),
            ("application/json;q=0.1, application/msgpack", "application/msgpack"),
        ):
            headers = {"Content-Type": sent, "Accept": wanted}
            async with city.client.post(f"{city.api}/echo", data=body, headers=headers) as answer:
                assert answer.status == 200
                assert answer.content_type == kind
                codec = msgspec.msgpack if "msgpack" in kind else msgspec.json
                assert codec.decode(await answer.read()) == {"text": "你好", "count": 7}
    for accept in ("text/html", "image/png", "application/json;q=0"):
        async with city.client.post(f"{city.api}/echo", json={"text": "a"}, headers={"Accept": accept}) as answer:
            await _problem(answer, 406, "http.not_acceptable")
    for sent in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=gbk",
        "",
    ):
        headers = {"Content-Type": sent}
        async with city.client.post(f"{city.api}/echo", data=b'{"text":"a"}', headers=headers) as answer:
            await _problem(answer, 415, "http.unsupported_media")
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with city.client.post(f"{city.api}/echo", data=b"\x1f\x8b", headers=headers) as answer:
        assert answer.status in {400, 415}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{", b'{"text":""}', b'{"text":"a","count":101}', b'{"text":"a","count":-1}',
        b'{"text":"a","count":18446744073709551616}', b'{"text":{"$gt":""}}', b'{"text":["a"]}', b'{"text":null}',
        b'{"text":"a","admin":true}', b'{"text":"a"} x', b'{"text":"\xff"}', b'{"text":"a","count":1.5}',
        b'{"text":"\\ud800"}', b"[" * 900,
    ],
)  # fmt: skip
async def test_a_body_of_another_shape_is_refused(city: City, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    async with city.client.post(f"{city.api}/echo", data=body, headers=headers) as answer:
        problem = await _problem(answer, 400, "core.bad_input")
        assert not problem["retry"]


async def test_hostile_msgpack_is_refused(city: City) -> None:
    for body in (
        b"\x91" * 900,
        b"\xc1",
        b"\x81\xa4text\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x81\xa4text\xa1\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\x82\xa4text\xa1a\xa5count\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    ):
        headers = {"Content-Type": "application/msgpack"}
        async with city.client.post(f"{city.api}/echo", data=body, headers=headers) as answer:
            problem = await _problem(answer, 400, "core.bad_input")
            assert problem["retry"] is False
    async with city.client.get(f"{city.url}/healthz") as answer:
        assert answer.status == 200


async def test_queries_are_decoded_and_unknown_ones_refused(city: City) -> None:
    async with city.client.get(f"{city.api}/echo?most=50&tag=a&tag=b&lang=en") as answer:
        assert await answer.json() == {"text": "a,b", "count": 50}
    for query in (
        "most=0",
        "most=51",
        "most=x",
        "most=1&most=2",
        "cursor=12345678901",
        "what=1",
        "most=1.5",
        "near=null",
        "near=NULL",
    ):
        async with city.client.get(f"{city.api}/echo?{query}") as answer:
            await _problem(answer, 400, "core.bad_input")
    headers = await city.bearer(Audience.BUYER, "U1")
    async with city.client.get(f"{city.api}/buyer/me?x=1", headers=headers) as answer:
        await _problem(answer, 400, "core.bad_input")


async def test_raw_routes_take_the_declared_types(city: City) -> None:
    async with city.client.post(f"{city.api}/raw", data=b"\x89PNG", headers={"Content-Type": "image/png"}) as answer:
        assert (answer.status, answer.content_type, await answer.read()) == (200, "image/png", b"\x89PNG")
    async with city.client.post(f"{city.api}/raw", data=b"x", headers={"Content-Type": "text/html"}) as answer:
        await _problem(answer, 415, "http.unsupported_media")


async def test_each_audience_has_its_own_door(city: City) -> None:
    doors = {Audience.BUYER: "/buyer/me", Audience.STAFF: "/staff/me", Audience.PLATFORM: "/platform/me"}
    for audience in doors:
        headers = await city.bearer(audience, "U1")
        for other, path in doors.items():
            async with city.client.get(city.api + path, headers=headers) as answer:
                if other is audience:
                    assert answer.status == 200
                else:
                    await _problem(answer, 401, "auth.not_signed_in")
                    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_shop_scope_foreign_looks_missing(city: City) -> None:
    word = {"text": "a"}
    finance = await city.bearer(Audience.STAFF, "Ufinance")
    clerk = await city.bearer(Audience.STAFF, "Uclerk")
    other = await city.bearer(Audience.STAFF, "Uother")
    money = f"{city.api}/shop/S1/money"
    async with city.client.put(money, json=word, headers=finance) as answer:
        assert answer.status == 200
    async with city.client.put(money, json=word, headers=clerk) as answer:
        await _problem(answer, 403, "core.forbidden")
    bodies = []
    for path, who in ((money, other), (f"{city.api}/shop/S9/money", other), (f"{city.api}/shop/S9/money", clerk)):
        async with city.client.put(path, json=word, headers=who) as answer:
            problem = await _problem(answer, 404, "core.not_found")
            bodies.append({**problem, "request_id": ""})
    assert bodies[0] == bodies[1] == bodies[2]
    async with city.client.get(f"{city.api}/shop/S1/me", headers=clerk) as answer:
        assert await answer.json() == {"kind": "S1", "rights": ["voucher.redeem"]}
    assert city.town.done == ["a"]


async def test_bearer_ignores_cookies_and_a_cookie_is_no_bearer(city: City) -> None:
    cookie = await city.open(Audience.BUYER, "U1", bearer=False)
    device = await city.open(Audience.BUYER, "U1", bearer=True)
    jar = {"Cookie": f"oct_buyer={cookie.token}"}
    async with city.client.get(f"{city.api}/buyer/me", headers=jar) as answer:
        assert answer.status == 200
    for header in ("Bearer nonsense", "Basic eDp5", "Bearer", f"Bearer {cookie.token}"):
        headers = {**jar, "Authorization": header}
        async with city.client.get(f"{city.api}/buyer/me", headers=headers) as answer:
            await _problem(answer, 401, "auth.not_signed_in")
    async with city.client.get(f"{city.api}/buyer/me", headers={"Cookie": f"oct_buyer={device.token}"}) as answer:
        await _problem(answer, 401, "auth.not_signed_in")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Origin": "http://shop.test"}, 201, ""),
        ({"Sec-Fetch-Site": "same-origin"}, 201, ""),
        ({}, 403, "auth.foreign_origin"),  # a cookie without any sign of our own page
        ({"Origin": "null"}, 403, "auth.foreign_origin"),
        ({"Origin": "http://shop.test.evil.example"}, 403, "auth.foreign_origin"),
        ({"Origin": "http://evilshop.test"}, 403, "auth.foreign_origin"),
        ({"Origin": "https://shop.test"}, 403, "auth.foreign_origin"),
        ({"Origin": "http://shop.test:81"}, 403, "auth.foreign_origin"),
        ({"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, 403, "auth.foreign_origin"),
        ({"Sec-Fetch-Site": "same-site"}, 403, "auth.foreign_origin"),
        ({"Sec-Fetch-Site": "cross-site"}, 403, "auth.foreign_origin"),
    ],
)
async def test_a_cookie_needs_our_own_origin(city: City, headers: dict[str, str], status: int, code: str) -> None:
    opened = await city.open(Audience.BUYER, "U1", bearer=False)
    headers = {**headers, "Cookie": f"oct_buyer={opened.token}", "X-CSRF-Token": opened.csrf_token}
    async with city.client.post(f"{city.api}/buyer/words", json={"text": "a"}, headers=headers) as answer:
        if code:
            await _problem(answer, status, code)
            assert city.town.done == []
        else:
            assert answer.status == status


async def test_a_cookie_needs_the_csrf_header_on_every_mutating_route(city: City) -> None:
    opened = await city.open(Audience.BUYER, "U1", bearer=False)
    other = await city.open(Audience.BUYER, "U1", bearer=False)
    routes = [one for one in city.town.routes() if one.mutating and one.permission.audience is Audience.BUYER]
    assert len(routes) >= 3
    for route in routes:
        for token in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": other.csrf_token}, {"X-CSRF-Token": opened.token}):
            headers = {**OWN, **token, "Cookie": f"oct_buyer={opened.token}"}
            async with city.client.request(
                route.method, city.api + route.path, json={"text": "a"}, headers=headers
            ) as answer:
                await _problem(answer, 403, "auth.csrf")
    assert city.town.done == []


async def test_foreign_origins_change_nothing_even_on_public_routes(city: City) -> None:
    headers = {"Origin": "https://evil.example"}
    async with city.client.post(f"{city.api}/echo", json={"text": "a"}, headers=headers) as answer:
        await _problem(answer, 403, "auth.foreign_origin")
    async with city.client.get(f"{city.api}/echo", headers=headers) as answer:
        assert answer.status == 200
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_cors_is_off_and_exact_where_it_is_on(db: Database) -> None:
    http = HttpSettings(public_url="http://shop.test", origins=("https://partner.example",))
    async with running(db, http=http) as city:
        bearer = await city.bearer(Audience.BUYER, "U1")
        cookie = await city.open(Audience.BUYER, "U1", bearer=False)
        for origin in ("https://partner.example", "https://partner.example.evil", "https://xpartner.example"):
            good = origin == "https://partner.example"
            headers = {**bearer, "Origin": origin}
            async with city.client.post(f"{city.api}/buyer/words", json={"text": "a"}, headers=headers) as answer:
                assert answer.status == (201 if good else 403)
                assert answer.headers.get("Access-Control-Allow-Origin") == (origin if good else None)
                assert "Access-Control-Allow-Credentials" not in answer.headers
            preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            async with city.client.options(f"{city.api}/buyer/words", headers=preflight) as answer:
                assert answer.status == (204 if good else 405)
                assert ("Access-Control-Allow-Methods" in answer.headers) is good
            # a listed origin may not ride on cookies
            headers = {"Origin": origin, "Cookie": f"oct_buyer={cookie.token}", "X-CSRF-Token": cookie.csrf_token}
            async with city.client.post(f"{city.api}/buyer/words", json={"text": "a"}, headers=headers) as answer:
                await _problem(answer, 403, "auth.foreign_origin")


async def test_refusals_speak_both_languages(city: City) -> None:
    for lang, detail in (("zh-CN", "只剩 3 件"), ("en", "Only 3 left")):
        for headers, query in (
            ({"Accept-Language": f"{lang},fr;q=0.9"}, ""),
            ({}, f"?lang={lang}"),
            ({"Cookie": f"lang={lang}", "Accept-Language": "zh" if lang == "en" else "en"}, ""),
        ):
            async with city.client.get(f"{city.api}/fault/sold_out{query}", headers=headers) as answer:
                problem = await _problem(answer, 409, "town.sold_out")
                assert problem["detail"] == detail
                assert problem["data"] == {"left": 3}
                assert answer.headers["Content-Language"] == lang
    async with city.client.get(f"{city.api}/fault/sold_out", headers={"Accept": "application/msgpack"}) as answer:
        assert msgspec.msgpack.decode(await answer.read())["code"] == "town.sold_out"


async def test_trouble_inside_shows_an_id_outside_and_nothing_else(
    city: City, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("bug", "late"):
        async with city.client.get(f"{city.api}/fault/{kind}") as answer:
            text = await answer.text()
            problem = await _problem(answer, 500, "http.internal")
            assert problem["data"] == {"error_id": problem["request_id"]}
            assert "secret" not in text
            assert "13812345678" not in text
            assert "Traceback" not in text
    for kind, code in (("busy", "core.busy"), ("unknown", "core.unknown_outcome")):
        async with city.client.get(f"{city.api}/fault/{kind}") as answer:
            assert (await _problem(answer, 503, code))["retry"]
    async with city.client.get(f"{city.api}/fault/not_found") as answer:
        await _problem(answer, 404, "http.status_404")


async def test_unknown_paths_and_methods_are_problems_too(city: City) -> None:
    async with city.client.get(f"{city.api}/nothing") as answer:
        await _problem(answer, 404, "http.status_404")
    async with city.client.put(f"{city.api}/echo") as answer:
        await _problem(answer, 405, "http.status_405")
        assert set(answer.headers["Allow"].replace(" ", "").split(",")) == {"GET", "POST"}
    staff = await city.bearer(Audience.STAFF, "Uclerk")
    for spoiled in ("a%2Fb", "a%00", "x" * 65, "%E4%BD%A0", "..%2f", "a b"):
        async with city.client.get(f"{city.url}/api/v1/shop/{spoiled}/me", headers=staff) as answer:
            assert answer.status == 404


async def test_a_disconnect_does_not_stop_a_change(city: City) -> None:  # issue 4
    city.town.gate = asyncio.Event()
    headers = await city.bearer(Audience.BUYER, "U1")
    asking = asyncio.create_task(city.client.post(f"{city.api}/buyer/slow", headers=headers))
    async with asyncio.timeout(5):
        while not len(city.tasks):
            await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.sleep(0.1)
    assert len(city.tasks) == 1
    city.town.gate.set()
    assert await city.tasks.drain(seconds=2) == 0
    assert city.town.done == ["slow"]


@pytest.fixture
async def still(db: Database) -> AsyncIterator[City]:
    async with running(db, still=True) as one:
        yield one


async def test_a_route_s_own_limit_and_the_one_over_all(still: City) -> None:
    headers = await still.bearer(Audience.BUYER, "U1")
    for expected in (204, 204, 429):
        async with still.client.post(f"{still.api}/buyer/rare", headers=headers) as answer:
            assert answer.status == expected
    assert answer.headers["Retry-After"] == "30"
    statuses: list[int] = []
    for _ in range(120):
        async with still.client.get(f"{still.api}/buyer/me", headers=headers) as answer:
            statuses.append(answer.status)
    assert statuses == [200] * 117 + [429] * 3  # 120 in all, three of them spent above


class Heard:
    """Stands for the inbox, which proves and books: here only the door is looked at."""

    def __init__(self) -> None:
        self.count = 0

    async def take(self, account_id: str, headers: Any, body: bytes) -> None:
        self.count += 1


async def test_the_channel_s_notices_come_from_few_addresses_and_get_through(db: Database) -> None:
    heard = Heard()
    channel = ChannelApi(heard, Accounts({"default": heard})).routes()  # pyright: ignore  (stand-ins)
    async with running(db, still=True, extra=channel) as city:
        answered = 200
        for _ in range(NOBODY.burst + 1):
            async with city.client.get(f"{city.api}/echo") as answer:
                answered = answer.status
        assert answered == 429  # this address has used up what strangers may ask
        for _ in range(NOBODY.burst + 1):
            async with city.client.post(city.api + notice_path("default"), data=b"{}") as answer:
                assert answer.status == 204
        assert heard.count == NOBODY.burst + 1
        for _ in range(NOTICES.burst):
            async with city.client.post(city.api + notice_path("default"), data=b"{}") as answer:
                answered = answer.status
        assert answered == 429  # it is bounded all the same: a forged one costs a look at its signature


async def test_guessed_tokens_are_rationed_by_address(still: City) -> None:
    good = await still.bearer(Audience.BUYER, "U1")
    async with still.client.get(f"{still.api}/buyer/me", headers=good) as answer:
        assert answer.status == 200
    statuses: list[int] = []
    for number in range(245):
        headers = {"Authorization": f"Bearer guess-{number}"}
        async with still.client.get(f"{still.api}/buyer/me", headers=headers) as answer:
            statuses.append(answer.status)
    assert statuses == [401] * 239 + [429] * 6
    async with still.client.get(f"{still.api}/buyer/me", headers=good) as answer:
        assert answer.status == 200  # whoever is known already is not kept out by a neighbour who guesses
