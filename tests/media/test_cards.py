"""Cards of the whole product: what the shop sells and what the two have bought, read from where it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from octshop_rt.app.visiting import Pages
from octshop_rt.core import mongo
from octshop_rt.core.auth.model import Audience, Buyer, Device, Staff
from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Database
from octshop_rt.im.answer import store as answer_store
from octshop_rt.im.answer.model import Given
from octshop_rt.im.conversation.model import Appended
from octshop_rt.im.desk.model import Card, NoSuchContext
from octshop_rt.im.guard import store as guard_store
from octshop_rt.im.guard.model import Flag
from octshop_rt.im.wire.fields import Body, Context, SayKind
from octshop_rt.im.wire.incoming import Send
from tests.http.world import World, living
from tests.im.kit import client_id


@pytest.fixture
async def world(db: Database, tmp_path: Path) -> AsyncIterator[World]:
    async with living(db, tmp_path) as one:
        yield one


async def person(world: World, name: str, audience: Audience) -> Buyer | Staff:
    token = await world.token(name, audience)
    who = await world.app.commerce.gate.sessions.resolve(audience, token, bearer=True)
    assert isinstance(who, Buyer | Staff)
    return who


async def show(world: World, who: Buyer | Staff, c: str, k: SayKind, thing: str) -> Body | str:
    """The card as it was stored, or the code of the refusal."""
    forged = Body(id=thing, title="free!", price_fen=0, picture="x/1")
    try:
        outcome = await (await world.app.im.conversations.submit(who, Send(i=1, c=c, m=client_id(), k=k, b=forged), ""))
    except DomainError as refusal:
        return refusal.code
    assert isinstance(outcome, Appended)
    return outcome.entry.b


async def test_cards_show_this_shops_goods_and_these_twos_orders(world: World):  # req I6
    buyer, agent = await person(world, "buyer_a", Audience.BUYER), await person(world, "agent", Audience.STAFF)
    other = await person(world, "buyer_b", Audience.BUYER)
    c = (await world.app.im.conversations.open(buyer, "S1", None)).id
    theirs = (await world.app.im.conversations.open(other, "S1", None)).id
    goods: dict[str, Any] = {"title": "拿铁", "price_fen": 1990, "picture": "a/30"}
    ids = world.ids
    foreign: list[tuple[SayKind, str]] = [
        ("product", ids["G3"]), ("order", ids["order_b"]), ("product", "G404"), ("coupon", "P404"),
        ("coupon", ids["campaign_s3"]), ("coupon", ids["coupon_a"]), ("aftersale", ids["aftersale_b"]),
        ("aftersale", ids["order_a"]),
    ]  # fmt: skip
    for who in (buyer, agent):
        assert await show(world, who, c, "product", ids["G1"]) == Body(id=ids["G1"], **goods)
        assert await show(world, who, c, "order", ids["order_a"]) == Body(id=ids["order_a"], **goods)
        # A campaign's card says what it takes off and from which spend, in numbers: each side reads it in its language.
        offer = Body(id=ids["campaign_s1"], title="满 10 减 1", price_fen=100, min_fen=1_000)
        assert await show(world, who, c, "coupon", ids["campaign_s1"]) == offer
        # An after-sale case says what is asked back and how it stood when it was sent.
        asked = Body(id=ids["aftersale_a"], ev="asked", **goods)
        assert await show(world, who, c, "aftersale", ids["aftersale_a"]) == asked
        for k, thing in foreign:
            assert await show(world, who, c, k, thing) == "im.no_such_thing"
    # An agent may not show one buyer what another has bought.
    assert await show(world, agent, theirs, "order", ids["order_a"]) == "im.no_such_thing"
    assert await show(world, agent, theirs, "aftersale", ids["aftersale_a"]) == "im.no_such_thing"
    assert await show(world, other, theirs, "order", ids["order_a"]) == "im.no_such_thing"
    # An order of this buyer at another shop is none of this shop's business.
    assert await show(world, other, theirs, "order", ids["order_b"]) == "im.no_such_thing"


async def test_a_conversation_keeps_of_where_it_began_what_is_true(world: World):  # req I1
    ids, conversations = world.ids, world.app.im.conversations
    token = {"title": "加微信 abc12345 http://evil.example"}

    async def began(k: Any, thing_id: str, shop_id: str = "S1") -> Context | None:
        guests = world.app.commerce.gate.guests
        session = await guests.come(Device(id=f"device-{world.serial():08d}", name="t", ip="127.0.0.1", bearer=True))
        who = await world.app.commerce.gate.sessions.resolve(Audience.BUYER, session[1].token, bearer=True)
        assert isinstance(who, Buyer)
        return (await conversations.open(who, shop_id, Context(k=k, id=thing_id, **token))).ctx

    assert await began("product", ids["G1"]) == Context(k="product", id=ids["G1"], title="拿铁")
    assert await began("product", "P404") is None
    assert await began("order", "O01M8KN4J53W7AA8J56VPJ9BBW2") is None  # made up
    assert await began("order", ids["order_a"]) is None  # another buyer's
    assert await began("product", ids["G3"]) is None  # another shop's


async def test_who_comes_from_a_campaign_brings_its_card_to_the_case(world: World):  # req I4, 8.I4
    buyer = await person(world, "buyer_a", Audience.BUYER)
    assert isinstance(buyer, Buyer)
    desk, ids = world.app.care.desk, world.ids
    await desk.end_by_buyer(buyer, ids["case_a"], world.request_id())
    case = await desk.arrive(buyer, "S1", Context(k="activity", id=ids["campaign_s1"], title="forged"))
    assert case.card == Card(k="activity", id=ids["campaign_s1"], title="满 10 减 1")
    with pytest.raises(NoSuchContext):
        await desk.arrive(buyer, "S1", Context(k="activity", id=ids["campaign_s3"]))
    # So does the campaign's page in the buyer's trail, by the name its shop gave it.
    pages = Pages(world.app.commerce)
    assert await pages.named("S1", f"/shop/activity/{ids['campaign_s1']}") == "满 10 减 1"
    assert await pages.named("S1", f"/shop/activity/{ids['campaign_s3']}") is None


async def test_who_comes_from_a_case_brings_it_as_it_stands(world: World):  # req I1, I4
    buyer = await person(world, "buyer_a", Audience.BUYER)
    assert isinstance(buyer, Buyer)
    desk, ids = world.app.care.desk, world.ids
    await desk.end_by_buyer(buyer, ids["case_a"], world.request_id())
    case = await desk.arrive(buyer, "S1", Context(k="aftersale", id=ids["aftersale_a"], title="forged"))
    assert case.card == Card(
        k="aftersale", id=ids["aftersale_a"], title="拿铁", price_fen=1990, picture="a/30", state="asked"
    )
    for foreign in (ids["aftersale_b"], ids["order_a"]):
        with pytest.raises(NoSuchContext):
            await desk.arrive(buyer, "S1", Context(k="aftersale", id=foreign))


async def test_the_platforms_service_may_be_shown_any_shops_goods_and_the_buyers_orders(world: World):  # req I2, I6
    other = await person(world, "buyer_b", Audience.BUYER)
    assert isinstance(other, Buyer)
    c = (await world.app.care.desk.arrive(other, "platform", None)).c
    ids = world.ids
    own: list[tuple[SayKind, str]] = [("product", "G1"), ("product", "G3"), ("order", "order_b")]
    assert isinstance(await show(world, other, c, "coupon", ids["campaign_s1"]), Body)
    for k, thing in own:
        shown = await show(world, other, c, k, ids[thing])
        assert isinstance(shown, Body) and shown.title == "拿铁"
    assert await show(world, other, c, "order", ids["order_a"]) == "im.no_such_thing"


async def test_copies_that_others_keep_of_recalled_words_go_too(world: World):  # req I6, acceptance 24
    buyer = await person(world, "buyer_a", Audience.BUYER)
    app = world.app
    c = (await app.im.conversations.open(buyer, "S1", None)).id
    said = Send(i=1, c=c, m=client_id(), k="text", b=Body(text="加我微信 hunter2"))
    outcome = await (await app.im.conversations.submit(buyer, said, ""))
    assert isinstance(outcome, Appended)
    s = outcome.entry.s
    flag = Flag(
        id=app.foundation.ids.new("Z"), shop_id="S1", c=c, s=s, side="buyer", f=buyer.person_id,
        text="加我微信 hunter2", hits=("微信",), at=1,
    )  # fmt: skip
    given = Given(
        id=app.foundation.ids.new("Z"), shop_id="S1", case_id="H1", c=c, m=f"test-{s}", s=s,
        buyer_id=buyer.person_id, text="hunter2", at=1,
    )  # fmt: skip
    await guard_store.FLAGS.insert(world.db, flag)
    await answer_store.GIVEN.insert(world.db, given)
    await app.im.changes.recall(buyer, c, s)
    for collection in mongo.declared:
        if not collection.bulk:
            assert "hunter2" not in repr([doc async for doc in world.db.raw(collection).find({})]), collection.name
