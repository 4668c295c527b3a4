"""Uploads and downloads over HTTP: judged by their bytes, streamed both ways, inert wherever they are opened."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from octshop_rt.core.auth.model import Audience, Grant, Person, Right
from octshop_rt.core.clock import Clock
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import Outbox
from octshop_rt.im.api.files import Files
from octshop_rt.im.media import model
from octshop_rt.im.media.model import Owner
from octshop_rt.im.media.objects import GridFs
from octshop_rt.im.media.service import Media
from tests.http import city
from tests.im.kit import client_id
from tests.media.recordings import jpeg, mp4, ogg


@pytest.fixture
async def town(db: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[city.City, Media]]:
    chat = Grant(merchant_id="M1", shop_id="S1", role="agent", rights=frozenset({Right.CHAT}))
    people = city.People()
    people.people["Uchat"] = Person(id="Uchat", name="Ke", grants=(chat,))
    monkeypatch.setattr(city, "People", lambda: people)
    clock = Clock()
    ids = city.Ids(clock)
    media = Media(db, clock, ids, Outbox(clock, ids), GridFs(db, clock))
    async with city.running(db, extra=Files(media).routes()) as one:
        yield one, media
    await media.close()


async def upload(one: city.City, data: Any, kind: str, name: str = "", *, shop: str = "") -> aiohttp.ClientResponse:
    who = ("Uchat", Audience.STAFF, f"/shop/{shop}/files") if shop else ("U1", Audience.BUYER, "/buyer/files")
    asked = {"request_id": client_id(), "kind": kind, "name": name}
    headers = {**await one.bearer(who[1], who[0]), "Content-Type": "application/octet-stream"}
    return await one.client.post(one.api + who[2], params=asked, data=data, headers=headers)


async def test_downloads_are_inert_cached_only_with_a_question_and_come_in_parts(town: Any):  # req I6
    one, _ = town
    film, page = mp4(media=300_000), b"<script>alert(1)</script>"
    kept = await (await upload(one, film, "video", "a.mp4")).json()
    text = await (await upload(one, page, "file", "page.html.txt")).json()
    me = await one.bearer(Audience.BUYER, "U1")

    async def get(file_id: str, **headers: str) -> aiohttp.ClientResponse:
        return await one.client.get(f"{one.api}/buyer/files/{file_id}", headers={**me, **headers})

    whole = await get(kept["id"])
    assert (whole.status, whole.content_type, await whole.read()) == (200, "video/mp4", film)
    assert whole.headers["Content-Disposition"] == "inline; filename*=UTF-8''a.mp4"
    for answer in (whole, await get(text["id"])):
        assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.content_type == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    size = len(film)
    for asked, status, part in (
        ("bytes=0-9", 206, film[:10]), (f"bytes={size - 5}-", 206, film[-5:]), ("bytes=-7", 206, film[-7:]),
        ("bytes=270000-290000", 206, film[270_000:290_001]), (f"bytes={size}-", 416, b""), ("bytes=-0", 416, b""),
        ("bytes=5-2", 200, film), ("bytes=0-1,4-5", 200, film), ("lines=1-2", 200, film),
    ):  # fmt: skip
        answer = await get(kept["id"], Range=asked)
        assert (answer.status, await answer.read()) == (status, part), asked
    assert (await get(kept["id"], **{"If-None-Match": whole.headers["ETag"]})).status == 304
    stranger = await one.bearer(Audience.STAFF, "Uchat")
    hidden = await one.client.get(f"{one.api}/shop/S1/files/{kept['id']}", headers=stranger)
    assert hidden.status == 404


async def test_uploads_are_judged_by_their_bytes_whatever_they_are_called(town: Any, monkeypatch: Any):  # req I6
    one, media = town
    for data, kind, name, status, code in (
        (b"<svg onload='alert(1)'>", "image", "a.png", 415, "upload.not_a_picture"),
        (b"MZ\x90", "file", "a.exe", 415, "media.bad_content"),
        (b"<html>", "file", "a.html", 415, "media.bad_content"),
        (b"MZ\x90\0", "file", "a.txt", 415, "media.bad_content"),
        (b"<html>", "file", "a.pdf", 415, "media.bad_content"),
        (b"", "file", "a.txt", 400, "media.empty"),
        (ogg(ms=200_000), "voice", "", 413, "media.too_long"),
        (mp4(), "voice", "", 415, "media.bad_content"),
    ):
        answer = await upload(one, data, kind, name)
        assert (answer.status, (await answer.json())["code"]) == (status, code), name
    good = await upload(one, b"%PDF-1.7", "file", "a\u202efdp..\\合同.PDF", shop="S1")
    assert (good.status, (await good.json())["name"]) == (201, "合同.PDF")
    assert (await good.json())["mime"] == "application/pdf"
    voice = await (await upload(one, ogg(ms=3_000), "voice")).json()
    assert (voice["mime"], voice["ms"]) == ("audio/ogg", 3_000)
    monkeypatch.setitem(model.ALLOWED, "file", model.Allowance(bytes=100_000))

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 10_000

    answer = await upload(one, endless(), "file", "a.txt")
    assert (answer.status, (await answer.json())["code"]) == (413, "media.too_large")
    assert len(media._running) == 0


async def test_a_large_film_passes_without_lying_in_memory(town: Any):  # req I6
    one, media = town
    before = _rss()
    film = mp4(media=60 * 1024 * 1024)

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(film), 262_144):
            yield film[at : at + 262_144]

    held = _rss()
    kept = await (await upload(one, parts(), "video", "a.mp4")).json()
    assert kept["size"] == len(film)
    assert _rss() - held < 40 * 1024 * 1024, (before, held, _rss())
    owner = Owner(person_id="U1", side="buyer")
    file = await media.seen(owner, kept["id"])
    read = 0
    async for chunk in media.reader(file)(0, file.size - 1):
        assert len(chunk) <= 255 * 1024
        read += len(chunk)
    assert read == len(film)


async def test_the_thumbnail_is_small_and_plain(town: Any):  # req I6
    one, _ = town
    kept = await (await upload(one, jpeg(2000, 1000, marked=b"secret place"), "image", "p.jpg")).json()
    assert kept["thumb"]
    answer = await one.client.get(
        f"{one.api}/buyer/files/{kept['id']}/thumbnail", headers=await one.bearer(Audience.BUYER, "U1")
    )
    data = await answer.read()
    assert Image.open(io.BytesIO(data)).size == (160, 320)
    assert b"secret" not in data
    assert answer.content_type == "image/webp"


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096
