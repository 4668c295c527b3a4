"""Sows the demo through the services, as people would enter it. Sowing again adds only what is missing."""

from __future__ import annotations

import itertools

from octshop_rt.commerce.catalog.model import Fulfilment, Listing, Picture, Product, Sku, Spec, VoucherTerms
from octshop_rt.commerce.catalog.service import CatalogService
from octshop_rt.commerce.inventory.model import Stock
from octshop_rt.commerce.inventory.service import InventoryService
from octshop_rt.commerce.marketing.model import CampaignText
from octshop_rt.commerce.marketing.service import Marketing
from octshop_rt.commerce.member.service import Members
from octshop_rt.commerce.shop.geo import point, to_gcj
from octshop_rt.commerce.shop.model import Branch, Certification, Merchant, Shop, ShopPicture, Till
from octshop_rt.commerce.shop.official import OFFICIAL, official
from octshop_rt.commerce.shop.service import ShopService
from octshop_rt.commerce.shop.staff import StaffService
from octshop_rt.commerce.shop.staff_model import Role
from octshop_rt.core.auth.model import Right, ShopStaff
from octshop_rt.core.auth.passwords import Passwords
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import DAY, Clock, Millis, business_day, business_day_bounds
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.demo.answers import EVERYWHERE, KNOWLEDGE, QUESTIONS_EN, QUICK, DemoKnowledge
from octshop_rt.demo.campaigns import CAMPAIGNS
from octshop_rt.demo.goods import GOODS, DemoGoods
from octshop_rt.demo.ids import fixed
from octshop_rt.demo.people import ACCOUNTS, PASSWORD, Account
from octshop_rt.demo.shops import CITY, MERCHANT, SHOPS, DemoShop
from octshop_rt.im.answer.knowledge import FaqText, KeywordText, Knowledge, SettingsText
from octshop_rt.im.answer.model import Welcome
from octshop_rt.im.answer.quick import QuickReplies, QuickText
from octshop_rt.im.desk.office import Office

MERCHANT_ID = fixed("M", 1)
GROUPS = ("售前咨询", "售后处理")


async def seed(db: Database, clock: Clock) -> None:
    """Enter whatever of the demo is not there yet. Nothing that somebody has changed is changed back."""
    ids, now = Ids(clock), clock.now()
    shops = ShopService(db, clock, ids)
    catalog, inventory = CatalogService(db), InventoryService(db)
    merchant = Merchant(id=MERCHANT_ID, name=MERCHANT, self_run=True, created_at=now)
    for one in SHOPS:
        branches = _branches(one)
        await shops.add(merchant, _shop(one, branches[0], now), branches, _tills(one))
    for goods in GOODS:
        skus = _skus(goods)
        await catalog.publish(_product(goods, skus, now), skus)
        for sku in skus:
            await inventory.add(_stock(sku, goods.stock))
    await _offer(Marketing(db, clock, ids, catalog), now)
    for known in KNOWLEDGE:
        await _teach(known, db, clock, ids)
    await shops.add(*official(now), [], [])
    passwords = Passwords()
    try:
        members, staff = Members(db, clock, ids, passwords), StaffService(db, clock, ids)
        for number, account in enumerate(ACCOUNTS, 1):
            await _enter(account, fixed("U", number), members, staff)
    finally:
        passwords.close()
    await _desks(Office(db, clock, ids))


async def _desks(office: Office) -> None:
    """Everybody who answers has a place at the desk of each shop; two groups, and who answers in which."""
    for shop in SHOPS:
        shop_id = fixed("S", shop.number)
        if await office.agents(shop_id):
            continue  # sown before: the manager may have arranged it otherwise
        groups = [
            (await office.add_group(shop_id, name, fixed("Z", shop.number * 10 + n))).id
            for n, name in enumerate(GROUPS, 1)
        ]
        answering = [
            (number, one) for number, one in enumerate(ACCOUNTS, 1) if Role.AGENT in one.roles and one.shops != (0,)
        ]
        for place, (number, one) in enumerate(answering):
            agent = await office.ensure(shop_id, fixed("U", number), one.name)
            mine = (groups[place % len(groups)],)
            await office.arrange(shop_id, agent.id, cap=None, groups=mine, skills=None)


def _house(shop_id: str) -> ShopStaff:
    """Whoever enters what a shop's staff would."""
    return ShopStaff(
        session_id="", person_id="demo", name="demo", merchant_id=MERCHANT_ID, shop_id=shop_id, branch_id=None,
        rights=frozenset(Right),
    )  # fmt: skip


async def _offer(marketing: Marketing, now: Millis) -> None:
    """Once: a campaign that is there stays as its shop has edited it."""
    for one in CAMPAIGNS:
        who, campaign_id = _house(fixed("S", one.shop)), fixed("P", one.shop * 10 + one.number)
        if any(row.id == campaign_id for row in (await marketing.all_of(who))[0]):
            continue
        text = CampaignText(
            title=one.title,
            words=one.words,
            terms=one.terms,
            total=one.total,
            per_buyer=one.per_buyer,
            claim_from=now,
            claim_until=business_day_bounds(business_day(now + one.claim_days * DAY))[1] - 1,
            valid_days=one.valid_days,
            product_ids=tuple(fixed("G", number) for number in one.goods),
        )
        await marketing.add(who, f"demo-campaign-{one.shop}-{one.number:04d}", text, campaign_id)


async def _teach(known: DemoKnowledge, db: Database, clock: Clock, ids: Ids) -> None:
    """Once: a shop that has changed anything of its answers keeps them as they are."""
    knowledge = Knowledge(db, clock, ids, LocalBus())
    shop_id = fixed("S", known.shop)
    if (await knowledge.settings(shop_id)).rev:
        return
    who = _house(shop_id)
    rows = [
        await knowledge.add_faq(
            who,
            f"demo-faq-{known.shop}-{number:06d}",
            FaqText(
                category=one.category,
                question=one.question,
                question_en=QUESTIONS_EN.get(one.question, ""),
                similar=one.similar,
                zh=one.answer,
                en=one.en,
                on=True,
            ),
        )
        for number, one in enumerate((*known.faqs, *EVERYWHERE))
    ]
    for number, (word, answer) in enumerate(known.keywords):
        text = KeywordText(words=(word,), how="contains", zh=answer, en="", priority=0, on=True)
        await knowledge.add_keyword(who, f"demo-keyword-{known.shop}-{number:03d}", text)
    quick = QuickReplies(db, clock, ids, _nothing)
    for number, (category, title, text, code) in enumerate(QUICK):
        reply = QuickText(category=category, title=title, text=text, code=code)
        await quick.add(who, f"demo-quick-{known.shop}-{number:04d}", reply, mine=False)
    offered = tuple(row.id for row in rows[:3])
    settings = await knowledge.settings(shop_id)
    welcomes = (
        Welcome(page="any", zh=known.welcome, en=known.welcome_en, questions=offered),
        Welcome(page="order", zh=known.of_orders, questions=tuple(row.id for row in rows[-3:])),
    )
    await knowledge.set_settings(
        who,
        SettingsText(
            on=True, sure=settings.sure, unsure=settings.unsure, unknown_to_person=2, assistant=False,
            welcomes=welcomes, synonyms=known.synonyms,
        ),
    )  # fmt: skip


async def _nothing(shop_id: str, c: str) -> None:
    """No conversation is filled in here."""


async def _enter(account: Account, person_id: str, members: Members, staff: StaffService) -> None:
    person = await members.add(
        phone=account.phone,
        nickname=account.name,
        password=PASSWORD,
        admin=account.kind == "admin",
        person_id=person_id,
    )
    held = {(grant.shop_id, grant.role) for grant in await staff.grants(person.id)}
    for shop, role in itertools.product(account.shops or [one.number for one in SHOPS], account.roles):
        shop_id = fixed("S", shop) if shop else OFFICIAL
        if (shop_id, role) not in held:
            await staff.give(person.id, role, shop_id, by="demo")


def _branches(shop: DemoShop) -> list[Branch]:
    return [
        Branch(
            id=fixed("B", shop.number * 10 + n),
            shop_id=fixed("S", shop.number),
            merchant_id=MERCHANT_ID,
            name=place.name,
            certification=Certification.CERTIFIED,
            address=place.address,
            point=point(place.lng, place.lat),
            gcj=to_gcj(point(place.lng, place.lat)),
            hours=shop.hours,
            phone=shop.phone,
        )
        for n, place in enumerate(shop.places, 1)
    ]


def _shop(shop: DemoShop, first: Branch, now: Millis) -> Shop:
    return Shop(
        id=fixed("S", shop.number),
        merchant_id=MERCHANT_ID,
        name=shop.name,
        city=CITY,
        certification=Certification.CERTIFIED,
        self_run=shop.self_run,
        open=True,
        address=first.address,
        point=first.point,
        gcj=first.gcj,
        hours=shop.hours,
        phone=shop.phone,
        notice=shop.notice,
        score_tenths=shop.score_tenths,
        picture=ShopPicture(seed=shop.name, hue=shop.hue),
        created_at=now,
    )


def _tills(shop: DemoShop) -> list[Till]:
    return [
        Till(
            id=fixed("T", shop.number * 100 + n * 10 + m),
            shop_id=fixed("S", shop.number),
            merchant_id=MERCHANT_ID,
            branch_id=fixed("B", shop.number * 10 + n),
            name=f"{place.name} {name}",
        )
        for n, place in enumerate(shop.places, 1)
        for m, name in enumerate(place.tills, 1)
    ]


def _skus(goods: DemoGoods) -> list[Sku]:
    names = [name for name, _ in goods.specs]
    return [
        Sku(
            id=fixed("K", goods.number * 100 + n),
            product_id=fixed("G", goods.number),
            shop_id=fixed("S", goods.shop),
            spec={name: value for name, (value, _) in zip(names, chosen, strict=True)},
            price_fen=goods.price_fen + sum(more for _, more in chosen),
        )
        for n, chosen in enumerate(itertools.product(*(values for _, values in goods.specs)), 1)
    ]


def _product(goods: DemoGoods, skus: list[Sku], now: Millis) -> Product:
    return Product(
        id=fixed("G", goods.number),
        shop_id=fixed("S", goods.shop),
        merchant_id=MERCHANT_ID,
        title=goods.title,
        subtitle=goods.subtitle,
        description=goods.description,
        tags=goods.tags,
        picture=Picture(seed=goods.title, hue=goods.hue),
        specs=tuple(Spec(name=name, values=tuple(value for value, _ in values)) for name, values in goods.specs),
        fulfilments=(Fulfilment.IN_STORE,),
        voucher=VoucherTerms(valid_days=goods.valid_days, uses_each=goods.uses_each),
        refundable=goods.refundable,
        price_fen=min(sku.price_fen for sku in skus),
        market_price_fen=goods.market_price_fen,
        listing=Listing.LISTED,
        created_at=now,
    )


def _stock(sku: Sku, pieces: int) -> Stock:
    return Stock(id=sku.id, product_id=sku.product_id, shop_id=sku.shop_id, total=pieces, available=pieces)
