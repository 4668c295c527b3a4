"""Files from upload to oblivion: kept, shown to those they were sent to, held by entries, recalled, collected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from octshop_rt.core.clock import DAY, MINUTE, Clock
from octshop_rt.core.dispatcher import Dispatcher, Subscription
from octshop_rt.core.errors import Busy
from octshop_rt.core.fsck import Finding, examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import Outbox
from octshop_rt.core.uploads import NotAPicture
from octshop_rt.events import FileDoubt
from octshop_rt.im.conversation import checks as im_checks
from octshop_rt.im.media import checks, model, store
from octshop_rt.im.media.checks import check_objects
from octshop_rt.im.media.model import FileTooLarge, NoFile, OverQuota, Owner, Quotas, ShopIsFull, TooManyUploads
from octshop_rt.im.media.objects import CHUNKS, OBJECTS, GridFs
from octshop_rt.im.media.service import Media
from octshop_rt.im.wire.fields import MediaKind
from tests.im.kit import Client, Node, Town, client_id, enter, running
from tests.media.recordings import jpeg, mp4

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


async def test_a_film_gets_its_poster_once_from_whoever_uploaded_it(node: Node, db: Database, clock: Movable):  # req I6
    buyer, agent = await enter(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    film, later = [await keep(node, BUYER, "video", mp4(), "a.mp4") for _ in range(2)]
    photo, note = await keep(node, BUYER, "image", jpeg(40, 40)), await keep(node, BUYER)

    async def put(who: Owner, file_id: str, data: bytes) -> int:
        return (await node.media.put_poster(who, file_id, body(data))).thumb

    for who, file_id in ((OTHER, film), (AGENT, film), (BUYER, photo), (BUYER, note), (BUYER, "F404")):
        with pytest.raises(NoFile):
            await put(who, file_id, jpeg(640, 360))
    with pytest.raises(NotAPicture):
        await put(BUYER, film, b"<svg onload='alert(1)'>")
    with pytest.raises(FileTooLarge):
        await put(BUYER, film, bytes(model.POSTER_BYTES + 1))
    tries = await asyncio.gather(
        *(put(BUYER, film, jpeg(640, 360, marked=b"secret place")) for _ in range(3)), return_exceptions=True
    )
    sizes = {one for one in tries if isinstance(one, int)}
    assert all(isinstance(one, int | Busy) for one in tries)
    (size,) = sizes
    assert await put(BUYER, film, jpeg(900, 900)) == size  # the first one stays
    await send(buyer, c, "video", film)
    await send(buyer, c, "video", later)
    await agent.sees(c, 2)
    first, second = [agent.log[c][s]["b"] for s in (1, 2)]
    assert first["poster"] is True
    assert "poster" not in second
    assert await put(BUYER, later, jpeg(640, 360))  # one that comes late is there for those who ask
    drawn = b"".join([one async for one in node.media.thumb_reader(await node.media.seen(AGENT, film))(0, size - 1)])
    assert b"secret" not in drawn
    assert drawn[8:12] == b"WEBP"
    assert (await buyer.ask({"t": 17, "op": "recall", "c": c, "a": {"s": 1}}))["t"] == 27
    assert await OBJECTS.count(db, {"_id": f"{film}.t"}) == 0
    with pytest.raises(NoFile):
        await put(BUYER, film, jpeg(640, 360))
    assert await wrong(db, clock) == []
    await asyncio.gather(buyer.close(), agent.close())


async def test_posters_of_one_person_come_a_few_at_a_time_as_uploads_do(node: Node):  # req I6
    film = await keep(node, BUYER, "video", mp4(), "a.mp4")
    arrived, begun = asyncio.Event(), list[int]()

    async def slow() -> AsyncIterator[bytes]:
        begun.append(1)
        await arrived.wait()
        yield jpeg(640, 360)

    tries = [asyncio.create_task(node.media.put_poster(BUYER, film, slow())) for _ in range(Quotas().at_once)]
    async with asyncio.timeout(20):
        while len(begun) < len(tries):
            await asyncio.sleep(0.01)
    with pytest.raises(TooManyUploads):
        await node.media.put_poster(BUYER, film, body(jpeg(640, 360)))
    arrived.set()
    await asyncio.wait(tries)
    assert (await node.media.put_poster(BUYER, film, body(jpeg(640, 360)))).thumb


async def test_a_poster_that_was_left_halfway_is_put_anew(node: Node, db: Database, clock: Movable):  # req I6
    film = await keep(node, BUYER, "video", mp4(), "a.mp4")
    assert await store.begin_poster(db, film, clock.now(), clock.now() - MINUTE)
    await node.media._put_thumb(film, b"what a node wrote before it died")
    with pytest.raises(Busy):
        await node.media.put_poster(BUYER, film, body(jpeg(640, 360)))
    assert await wrong(db, clock) == []
    clock.ahead += 2 * MINUTE
    assert (await node.media.put_poster(BUYER, film, body(jpeg(640, 360)))).thumb
    assert await wrong(db, clock) == []


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
    ids = Ids(clock)
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
    assert {("F98", one), ("F98", two)} <= found
    assert {check for check, _ in found} == {"F8", "F97", "F98"}
    await buyer.close()
