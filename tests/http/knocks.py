"""How each route is knocked at: path and body for our own object, for somebody else's, and for a missing one."""

from __future__ import annotations

from octshop_rt.core.auth.model import Audience
from tests.http import (
    knocks_aftersale,
    knocks_answers,
    knocks_coupons,
    knocks_desk,
    knocks_insight,
    knocks_push,
)
from tests.http.knocking import MISSING, Knock, Make, acting, at, named
from tests.http.parcels import photo
from tests.http.world import PASSWORD, World


def login_code(folder: str) -> Make:
    async def make(world: World, who: str) -> Knock:
        return Knock(path=f"/{folder}/login-codes", body={"phone": f"139{world.serial():08d}"})

    return make


def login(folder: str, *, known: bool, audience: Audience) -> Make:
    names = {Audience.BUYER: "buyer_a", Audience.STAFF: "owner", Audience.PLATFORM: "admin"}

    async def make(world: World, who: str) -> Knock:
        phone = world.phones[names[audience]] if known else f"137{world.serial():08d}"
        device = {"id": "matrix-device", "name": "matrix"}
        body = {"phone": phone, "password": PASSWORD, "device": device, "bearer": True}
        return Knock(path=f"/{folder}/login", body=body)

    return make


def device(folder: str, audience: Audience, whose: str) -> Make:
    """Somebody's session at a door: `self` is the asking person's own other one."""

    async def make(world: World, who: str) -> Knock:
        owner = who if whose == "self" and who in world.people else whose
        if owner in world.people:
            return Knock(path=f"/{folder}/devices/{await world.session_of(owner, audience)}")
        return Knock(path=f"/{folder}/devices/{MISSING}")

    return make


def fresh_order(whose: str, sku: str) -> Make:
    async def make(world: World, who: str) -> Knock:
        order_id = await world.order(whose, sku)
        body = {"request_id": world.request_id(), "reason": "matrix"}
        return Knock(path=f"/buyer/orders/{order_id}/cancel", body=body)

    return make


def charging(shop: str, till: str, *able: str) -> Make:
    """At a till that nothing holds when it is asked by those who may charge; the others are refused before that."""

    async def make(world: World, who: str) -> Knock:
        if who in able:
            await world.free_till(who, shop, till)
        return await acting(f"/shop/{shop}/tills/{till}/charges", amount_fen=100)(world, who)

    return make


def code_of(path: str, voucher: str, buyer: str, *, acts: bool) -> Make:
    """The code that `buyer` would read out to the clerk now: older ones are void."""

    async def make(world: World, who: str) -> Knock:
        found = await world.must(buyer, "GET", f"/buyer/vouchers/{world.ids[voucher]}")
        body = {"text": found["typed_code"], **({"request_id": world.request_id()} if acts else {})}
        return Knock(path=named(world, path), body=body)

    return make


def codes(path: str, *, acts: bool) -> dict[str, Make]:
    """The kinds of a scan or a write-off."""
    ours, theirs = ("voucher_a", "buyer_a"), ("voucher_b", "buyer_b")
    return {
        "own": code_of(f"/shop/S1/{path}", *ours, acts=acts),
        "other": code_of(f"/shop/S3/{path}", *theirs, acts=acts),
        "missing": code_of(f"/shop/@missing/{path}", *ours, acts=acts),
        "their_voucher": code_of(f"/shop/S1/{path}", *theirs, acts=acts),
        "our_other_shop": code_of(f"/shop/S2/{path}", *ours, acts=acts),
    }


def picture(path: str) -> Make:
    async def make(world: World, who: str) -> Knock:
        return Knock(path=path, data=photo("1234"), kind="image/png")

    return make


def upload(path: str) -> Make:
    async def make(world: World, who: str) -> Knock:
        asked = f"{path}?kind=file&name=a.txt&request_id={world.request_id()}"
        return Knock(path=asked, data=b"a few words", kind="text/plain")

    return make


def files(folder: str, kinds: dict[str, str]) -> dict[str, dict[str, Make]]:
    """Downloads: kind of object -> its path below the doors of files."""
    return {
        f"GET {folder}/{{file_id}}{tail}": {kind: at(f"{path}{tail}") for kind, path in kinds.items()}
        for tail in ("", "/thumbnail")
    }


def poster(path: str) -> Make:
    async def make(world: World, who: str) -> Knock:
        return Knock(path=named(world, path), data=photo("1234"), kind="image/png")

    return make


def raw(path: str, data: bytes) -> Make:
    async def make(world: World, who: str) -> Knock:
        return Knock(path=path, data=data, kind="application/json")

    return make


def identity(folder: str, audience: Audience, me: str, other: str) -> dict[str, dict[str, Make]]:
    """The routes that the doors of buyers and staff have in common."""
    password = {"password": PASSWORD, "old_password": PASSWORD}
    return {
        f"POST /{folder}/login-codes": {"any": login_code(folder)},
        f"POST /{folder}/login": {
            "own": login(folder, known=True, audience=audience),
            "missing": login(folder, known=False, audience=audience),
        },
        f"GET /{folder}/session": {"own": at(f"/{folder}/session")},
        f"DELETE /{folder}/session": {"own": at(f"/{folder}/session")},
        f"GET /{folder}/devices": {"own": at(f"/{folder}/devices")},
        f"DELETE /{folder}/devices/{{session_id}}": {
            "own": device(folder, audience, "self"),
            "other": device(folder, audience, other),
            "missing": at(f"/{folder}/devices/@missing"),
        },
        f"PUT /{folder}/password": {"own": at(f"/{folder}/password", **password)},
        f"POST /{folder}/ws-ticket": {"own": at(f"/{folder}/ws-ticket")},
    }


LINE = [{"sku_id": "@K1", "quantity": 1}]
LOST_LINE = [{"sku_id": "@missing", "quantity": 1}]
TILL = "/shop/{shop_id}/tills/{till_id}"
CHARGE = f"{TILL}/charges/{{charge_id}}"


def _charges(act: str, method: str) -> dict[str, dict[str, Make]]:
    tail = f"/{act}" if act else ""
    own = "@fresh_charge" if act in {"reverse", "close", "aside"} else "@charge_s1"
    return {
        f"{method} {CHARGE}{tail}": {
            "own": at(f"/shop/S1/tills/T1/charges/{own}{tail}"),
            "other": at(f"/shop/S3/tills/T4/charges/@charge_s3{tail}"),
            "missing": at(f"/shop/S1/tills/T1/charges/@missing{tail}"),
            # each id in turn exchanged for somebody else's
            "their_till": at(f"/shop/S1/tills/T4/charges/@charge_s1{tail}"),
            "their_charge": at(f"/shop/S1/tills/T1/charges/@charge_s3{tail}"),
            "our_other_till": at(f"/shop/S1/tills/T2/charges/@charge_s1{tail}"),
        }
    }


def _requests(act: str, method: str) -> dict[str, dict[str, Make]]:
    """A charge by its request: one that nobody made is no secret, and is told or called off."""
    tail = f"request-of-the-matrix{act}"
    return {
        f"{method} {TILL}/requests/{{request_id}}{act}": {
            "own": at(f"/shop/S1/tills/T1/requests/{tail}"),
            "other": at(f"/shop/S3/tills/T4/requests/{tail}"),
            "missing": at(f"/shop/S1/tills/@missing/requests/{tail}"),
            "their_till": at(f"/shop/S1/tills/T4/requests/{tail}"),
            "malformed": at(f"/shop/S1/tills/T1/requests/short{act}"),
        }
    }


KNOCKS: dict[str, dict[str, Make]] = {
    **identity("buyer", Audience.BUYER, "buyer_a", "buyer_b"),
    **identity("staff", Audience.STAFF, "owner", "owner_m2"),
    "POST /buyer/guest": {"any": at("/buyer/guest", device={"id": "matrix-device", "name": "matrix"})},
    "PUT /buyer/guest": {"own": at("/buyer/guest", token="nobody's token, of the right length")},
    "POST /platform/login": {
        "own": login("platform", known=True, audience=Audience.PLATFORM),
        "missing": login("platform", known=False, audience=Audience.PLATFORM),
    },
    "GET /platform/session": {"own": at("/platform/session")},
    "DELETE /platform/session": {"own": at("/platform/session")},
    "GET /buyer/shops": {"any": at("/buyer/shops")},
    "GET /buyer/shops/{shop_id}": {"any": at("/buyer/shops/S1"), "missing": at("/buyer/shops/@missing")},
    "GET /buyer/products": {"any": at("/buyer/products")},
    "GET /buyer/products/{product_id}": {
        "any": at("/buyer/products/@G1"),
        "missing": at("/buyer/products/@missing"),
    },
    "POST /buyer/quotes": {
        "any": at("/buyer/quotes", lines=LINE),
        "missing": at("/buyer/quotes", lines=LOST_LINE),
    },
    "POST /buyer/orders": {
        "own": acting("/buyer/orders", lines=LINE, fulfilment="in_store", expected_payable_fen=1990),
        "missing": acting("/buyer/orders", lines=LOST_LINE, fulfilment="in_store", expected_payable_fen=1990),
    },
    "GET /buyer/orders": {"own": at("/buyer/orders")},
    "GET /buyer/orders/{order_id}": {
        "own": at("/buyer/orders/@order_a"),
        "other": at("/buyer/orders/@order_b"),
        "missing": at("/buyer/orders/@missing"),
    },
    "POST /buyer/orders/{order_id}/cancel": {
        "own": fresh_order("buyer_a", "K1"),
        "other": fresh_order("buyer_b", "K3"),
        "missing": acting("/buyer/orders/@missing/cancel"),
    },
    "POST /buyer/payments": {
        "own": acting("/buyer/payments", order_ids=["@order_a"]),
        "other": acting("/buyer/payments", order_ids=["@order_b"]),
        "missing": acting("/buyer/payments", order_ids=["@missing"]),
        "mixed": acting("/buyer/payments", order_ids=["@order_a", "@order_b"]),
    },
    "GET /buyer/payments/{payment_id}": {
        "own": at("/buyer/payments/@payment_a"),
        "other": at("/buyer/payments/@payment_b"),
        "missing": at("/buyer/payments/@missing"),
    },
    "GET /buyer/vouchers": {"own": at("/buyer/vouchers")},
    "GET /buyer/vouchers/{voucher_id}": {
        "own": at("/buyer/vouchers/@voucher_a"),
        "other": at("/buyer/vouchers/@voucher_b"),
        "missing": at("/buyer/vouchers/@missing"),
    },
    "GET /buyer/vouchers/{voucher_id}/code": {
        "own": at("/buyer/vouchers/@voucher_a/code"),
        "other": at("/buyer/vouchers/@voucher_b/code"),
        "missing": at("/buyer/vouchers/@missing/code"),
    },
    "POST /buyer/vouchers/{voucher_id}/code": {
        "own": acting("/buyer/vouchers/@voucher_a/code"),
        "other": acting("/buyer/vouchers/@voucher_b/code"),
        "missing": acting("/buyer/vouchers/@missing/code"),
    },
    "GET /shop/{shop_id}/orders": {
        "own": at("/shop/S1/orders"),
        "other": at("/shop/S3/orders"),
        "missing": at("/shop/@missing/orders"),
    },
    "GET /shop/{shop_id}/buyers/{buyer_id}": {
        "own": at("/shop/S1/buyers/@buyer_a"),
        "other": at("/shop/S3/buyers/@buyer_b"),
        "missing": at("/shop/S1/buyers/@missing"),
        "stranger": at("/shop/S1/buyers/@owner_m2"),
    },
    "GET /shop/{shop_id}/profile": {
        "own": at("/shop/S1/profile"),
        "other": at("/shop/S3/profile"),
        "missing": at("/shop/@missing/profile"),
    },
    f"POST {TILL}/charges": {
        "own": charging("S1", "T1", "cashier", "manager", "owner"),
        "held": acting("/shop/S1/tills/T1/charges", amount_fen=100),  # by the last one above
        "other": charging("S3", "T4", "owner_m2"),
        "missing": acting("/shop/S1/tills/@missing/charges", amount_fen=100),
        "their_till": acting("/shop/S1/tills/T4/charges", amount_fen=100),
    },
    **_charges("", "GET"),
    **_charges("query", "POST"),
    **_charges("reverse", "POST"),
    **_charges("close", "POST"),
    **_charges("aside", "POST"),
    **_requests("", "GET"),
    **_requests("/reverse", "POST"),
    f"GET {TILL}/takings": {
        "own": at("/shop/S1/tills/T1/takings"),
        "other": at("/shop/S3/tills/T4/takings"),
        "missing": at("/shop/S1/tills/@missing/takings"),
        "their_till": at("/shop/S1/tills/T4/takings"),
    },
    "POST /channel/wechat/{account_id}/notify": {
        "forged": raw("/channel/wechat/default/notify", b"{}"),
        "missing": raw("/channel/wechat/nobody/notify", b"{}"),
    },
    "POST /shop/{shop_id}/scans": codes("scans", acts=False),
    "POST /shop/{shop_id}/redemptions": codes("redemptions", acts=True),
    "GET /shop/{shop_id}/redemptions": {
        "own": at("/shop/S1/redemptions"),
        "other": at("/shop/S3/redemptions"),
        "missing": at("/shop/@missing/redemptions"),
    },
    "POST /shop/{shop_id}/scan-photos": {
        "own": picture("/shop/S1/scan-photos"),
        "other": picture("/shop/S3/scan-photos"),
        "missing": picture(f"/shop/{MISSING}/scan-photos"),
    },
    **knocks_desk.KNOCKS,
    "POST /buyer/files": {"own": upload("/buyer/files")},
    **files(
        "/buyer/files",
        {"own": "/buyer/files/@file_a", "other": "/buyer/files/@file_b", "missing": "/buyer/files/@missing"},
    ),
    "PUT /buyer/files/{file_id}/poster": {
        "own": poster("/buyer/files/@film_a/poster"),
        "other": poster("/buyer/files/@film_b/poster"),
        "missing": poster("/buyer/files/@missing/poster"),
        "no_film": poster("/buyer/files/@file_a/poster"),
    },
    "PUT /shop/{shop_id}/files/{file_id}/poster": {
        "own": poster("/shop/S1/files/@film_owner/poster"),
        "other": poster("/shop/S3/files/@film_b/poster"),
        "missing": poster("/shop/S1/files/@missing/poster"),
        "their_film": poster("/shop/S1/files/@film_a/poster"),
    },
    "POST /shop/{shop_id}/files": {
        "own": upload("/shop/S1/files"),
        "other": upload("/shop/S3/files"),
        "missing": upload(f"/shop/{MISSING}/files"),
    },
    **files(
        "/shop/{shop_id}/files",
        {
            "own": "/shop/S1/files/@file_a",
            "other": "/shop/S3/files/@file_b",
            "missing": "/shop/S1/files/@missing",
            "their_file": "/shop/S1/files/@file_b",
            "unsent": "/shop/S1/files/@file_unsent",
        },
    ),
    **knocks_aftersale.KNOCKS,
    **knocks_answers.KNOCKS,
    **knocks_coupons.KNOCKS,
    **knocks_insight.KNOCKS,
    **knocks_push.KNOCKS,
}
