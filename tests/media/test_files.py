"""Files from upload to oblivion: kept, shown to those they were sent to, held by entries, recalled, collected."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from octshop_rt.core.auth.model import Audience, Grant, Person, Right
from octshop_rt.core.clock import DAY, MINUTE, Clock
from octshop_rt.core.dispatcher import Dispatcher, Subscription
from octshop_rt.core.fsck import Finding, examine
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import FileDoubt
from octshop_rt.im.api.files import Files
from octshop_rt.im.conversation import checks as im_checks
from octshop_rt.im.media import checks, model, store
from octshop_rt.im.media.checks import check_objects
from octshop_rt.im.media.model import NoFile, OverQuota, Owner, Quotas, ShopIsFull, TooManyUploads
from octshop_rt.im.media.objects import CHUNKS, OBJECTS, GridFs
from octshop_rt.im.media.service import Media
from octshop_rt.im.wire.fields import MediaKind
from tests.http import city
from tests.im.kit import Client, Node, Town, client_id, enter, running
from tests.media.recordings import jpeg, mp4, ogg

BUYER = Owner(person_id="buyer-1", side="buyer")
GUEST = Owner(person_id="guest-9", side="buyer", guest=True)
OTHER = Owner(person_id="buyer-2", side="buyer")
AGENT = Owner(person_id="agent-1", side="staff", shop_id="S1")
ELSEWHERE = Owner(person_id="agent-9", side="staff", shop_id="S2")


class Movable(Clock):
    """The wall clock, which a test may push forward."""

    def __init__(self) -> None:
        self.ahead = 0

    def now(self) -> int:
        return super().now() + self.ahead


@pytest.fixture
def clock() -> Movable:
    return Movable()


@pytest.fixture
async def node(db: Database, clock: Movable) -> AsyncIterator[Node]:
    town = Town()
    town.open_shop("S1", "agent-1", "agent-2")
    town.open_shop("S2", "agent-9")
    async with running(db, town, clock=clock) as node:
        yield node


async def body(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 65_536):
        yield data[at : at + 65_536]


async def keep(
    node: Node, who: Owner, kind: MediaKind = "file", data: bytes = b"a few words", name: str = "a.txt"
) -> str:
    return (await node.media.keep(who, client_id(), kind, name, body(data))).id


async def send(client: Client, c: str, k: str, file_id: str, m: str | None = None) -> dict[str, Any]:
    forged = {"file": file_id, "mime": "text/html", "size": 1, "name": "x.html"}
    return await client.ask({"t": 5, "c": c, "m": m or client_id(), "k": k, "b": forged})


async def sees(node: Node, who: Owner, file_id: str) -> bool:
    try:
        file = await node.media.seen(who, file_id)
        return b"".join([one async for one in node.media.reader(file)(0, file.size - 1)]) != b""
    except NoFile:
        return False


async def wrong(db: Database, clock: Clock) -> list[Finding]:
    found = list((await examine(db, [*im_checks.CHECKS, *checks.CHECKS])).findings)
    return found + [one async for one in check_objects(db, GridFs(db, clock), clock.now())]


async def work_off(node: Node, db: Database, clock: Movable) -> None:
    heard = Subscription(event=FileDoubt, name="media.doubt", run=node.im.changes.on_file_doubt, kind="outside")
    await Dispatcher(db, clock, node.bus, [heard], owner="w").drain()


async def test_a_sent_file_is_for_the_two_sides_and_says_what_the_server_knows(
    node: Node, db: Database, clock: Movable
):  # req I6
    buyer, agent = await enter(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    photo = await keep(node, BUYER, "image", jpeg(), "../../IMG 1.jpg")
    for who, may in ((BUYER, True), (OTHER, False), (AGENT, False)):
        assert await sees(node, who, photo) is may
    assert (await send(buyer, c, "image", photo))["s"] == 1
    await agent.sees(c, 1)
    said = agent.log[c][1]["b"]
    assert (said["mime"], said["w"], said["h"], said["name"]) == ("image/webp", 800, 1200, "IMG 1.jpg")
    assert said["size"] == (await node.media.seen(AGENT, photo)).size > 1_000
    for who, may in ((AGENT, True), (OTHER, False), (ELSEWHERE, False)):
        assert await sees(node, who, photo) is may
    assert await wrong(db, clock) == []
    await asyncio.gather(buyer.close(), agent.close())


async def test_nobody_sends_what_he_may_not_see_or_calls_it_something_else(node: Node):  # req I6
    buyer, stranger = await enter(node, "buyer-1"), await enter(node, "buyer-2")
    agent = await enter(node, "agent-1", staff=True)
    c, theirs = await buyer.open("S1"), await stranger.open("S1")
    note = await keep(node, BUYER)
    for client, where, kind, file_id in (
        (stranger, theirs, "file", note), (buyer, c, "image", note), (buyer, c, "file", "F404"),
        (agent, c, "file", note),
    ):  # fmt: skip
        assert (await send(client, where, kind, file_id))["code"] == "media.no_file"
    assert (await send(buyer, c, "file", note))["t"] == 4
    assert (await send(agent, theirs, "file", note))["t"] == 4  # what was sent to the shop, its agents may pass on
    assert await sees(node, OTHER, note)
    await asyncio.gather(buyer.close(), stranger.close(), agent.close())


async def test_a_recalled_file_is_gone_for_everyone_and_from_the_store(
    node: Node, db: Database, clock: Movable
):  # req I6, acceptance 24
    buyer, agent = await enter(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    photo, m = await keep(node, BUYER, "image", jpeg()), client_id()
    await send(buyer, c, "image", photo, m)
    await agent.sees(c, 1)
    assert await sees(node, AGENT, photo)
    assert (await buyer.ask({"t": 17, "op": "recall", "c": c, "a": {"s": 1}}))["t"] == 27
    for who in (BUYER, AGENT):
        assert not await sees(node, who, photo)
    assert await CHUNKS.count(db, {"files_id": photo}) == await OBJECTS.count(db, {"_id": f"{photo}.t"}) == 0
    again = await send(buyer, c, "image", photo, m)  # the same message again is still that message
    assert (again["s"], again["dup"]) == (1, True)
    assert (await send(buyer, c, "image", photo))["code"] == "media.no_file"
    assert await wrong(db, clock) == []
    await asyncio.gather(buyer.close(), agent.close())


async def test_a_file_sent_twice_outlives_one_recall_but_not_where_it_was_recalled(
    node: Node, db: Database, clock: Movable
):  # req I6
    agent = await enter(node, "agent-1", staff=True)
    buyers = [await enter(node, "buyer-1"), await enter(node, "buyer-2")]
    one, two = [await buyer.open("S1") for buyer in buyers]
    leaflet = await keep(node, AGENT)
    m = client_id()
    await send(agent, one, "file", leaflet, m)
    await send(agent, two, "file", leaflet)
    await agent.ask({"t": 17, "op": "recall", "c": one, "a": {"s": 1}})
    assert (await send(agent, one, "file", leaflet, m))["dup"]  # and this does not show it again
    assert not await sees(node, BUYER, leaflet)
    assert await sees(node, OTHER, leaflet)
    clock.ahead += 2 * DAY
    await work_off(node, db, clock)
    assert await sees(node, OTHER, leaflet)
    assert await wrong(db, clock) == []
    await asyncio.gather(agent.close(), *(buyer.close() for buyer in buyers))


async def test_a_guests_files_are_those_of_the_member_he_becomes(node: Node):  # req I6, I9
    guest = Owner(person_id="guest-1", side="buyer", guest=True)
    visitor = await enter(node, "guest-1")
    c = await visitor.open("S1")
    sent, unsent = await keep(node, guest), await keep(node, guest)
    await send(visitor, c, "file", sent)
    await visitor.close()
    member = Owner(person_id="buyer-1", side="buyer", was=("guest-1",))
    assert [await sees(node, member, one) for one in (sent, unsent)] == [True, True]
    assert [await sees(node, OTHER, one) for one in (sent, unsent)] == [False, False]
    node.town.same.append(("buyer-1", "guest-1"))
    buyer = await enter(node, "buyer-1")
    assert (await send(buyer, c, "file", unsent))["t"] == 4
    await buyer.close()


async def test_what_nobody_sent_within_a_day_is_thrown_away(node: Node, db: Database, clock: Movable):  # req I6
    unsent, never_said, sent = [await keep(node, BUYER) for _ in range(3)]
    buyer = await enter(node, "buyer-1")
    c = await buyer.open("S1")
    await send(buyer, c, "file", sent)
    place = model.Place(c=c, f="buyer-1", m=client_id(), buyer_id="buyer-1", shop_id="S1")
    await node.media.hold(BUYER, "file", never_said, place)  # and the node died before it wrote the entry
    clock.ahead += DAY - MINUTE
    await work_off(node, db, clock)
    assert [await sees(node, BUYER, one) for one in (unsent, never_said, sent)] == [True, True, True]
    clock.ahead += 2 * MINUTE
    await work_off(node, db, clock)
    assert [await sees(node, BUYER, one) for one in (unsent, never_said, sent)] == [False, False, True]
    assert await store.FILES.count(db, {"owner_id": "buyer-1"}) == await OBJECTS.count(db, {}) == 1
    await buyer.close()


async def test_an_upload_that_was_just_claimed_is_not_thrown_away_under_the_sender(
    node: Node, db: Database, clock: Movable
):  # req I6
    note = await keep(node, BUYER)
    clock.ahead += DAY + MINUTE
    assert await store.claim(db, note, "S1", clock.now()) is not None  # a send is between its two steps
    await work_off(node, db, clock)
    assert await sees(node, BUYER, note)
    clock.ahead += DAY + MINUTE
    await work_off(node, db, clock)
    assert not await sees(node, BUYER, note)


async def test_the_same_request_is_the_same_file(node: Node, db: Database):  # req I6
    request = client_id()
    both = await asyncio.gather(*(node.media.keep(BUYER, request, "file", "a.txt", body(b"text")) for _ in range(2)))
    again = await node.media.keep(BUYER, request, "file", "a.txt", body(b"text"))
    assert {both[0].id, both[1].id} == {again.id}
    assert await OBJECTS.count(db, {}) == 1


async def test_quotas_of_a_person_and_of_a_shop(db: Database, clock: Movable):  # req I6
    ids = city.Ids(clock)
    quotas = Quotas(guest_files=2, person_files=3, person_bytes=100, shop_bytes=60, at_once=1)
    media = Media(db, clock, ids, Outbox(clock, ids), GridFs(db, clock), quotas=quotas)

    async def kept(who: Owner, data: bytes) -> str:
        return (await media.keep(who, client_id(), "file", "a.txt", body(data))).id

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(60)

    running = asyncio.create_task(media.keep(OTHER, client_id(), "file", "a.txt", slow()))
    while not media._running:
        await asyncio.sleep(0.01)
    with pytest.raises(TooManyUploads):
        await kept(OTHER, b"x")
    running.cancel()
    await asyncio.wait({running})
    for _ in range(2):
        await kept(GUEST, b"x")
    with pytest.raises(OverQuota):
        await kept(GUEST, b"x")
    await kept(BUYER, b"x" * 60)
    with pytest.raises(OverQuota):
        await kept(BUYER, b"x" * 50)
    second = await kept(BUYER, b"x" * 10)
    await kept(BUYER, b"x")
    with pytest.raises(OverQuota):
        await kept(BUYER, b"x")
    clock.ahead += DAY + MINUTE
    await kept(BUYER, b"x")
    await kept(AGENT, b"x" * 55)
    with pytest.raises(ShopIsFull):
        await kept(AGENT, b"x" * 10)
    place = model.Place(c="C1", f="buyer-1", m=client_id(), buyer_id="buyer-1", shop_id="S1")
    with pytest.raises(ShopIsFull):
        await media.hold(BUYER, "file", second, place)
    await media.close()


async def test_fsck_sees_bytes_without_a_row_rows_without_bytes_and_dead_holds(
    node: Node, db: Database, clock: Movable
):  # req I6
    buyer = await enter(node, "buyer-1")
    c = await buyer.open("S1")
    one, two, three = [await keep(node, BUYER) for _ in range(3)]
    for file_id in (one, two, three):
        await send(buyer, c, "file", file_id)
    clock.ahead += 3 * DAY
    assert await wrong(db, clock) == []
    await GridFs(db, clock).delete(one)
    await store.FILES.delete(db, {"_id": two})
    await store.HOLDS.delete(db, {"c": c, "file_id": three})
    found = {(one.check, one.object_id) for one in await wrong(db, clock)}
    assert {("F91", one), ("F91", two)} <= found
    assert {check for check, _ in found} == {"F8", "F90", "F91"}
    await buyer.close()


# --- over HTTP --------------------------------------------------------------------------------------------------------


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
        assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
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
