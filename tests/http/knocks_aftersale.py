"""How the routes of after-sale are knocked at. What a knock uses up (`@fresh_…`) is made anew before it."""

from __future__ import annotations

from tests.http.knocking import Make, acting, at

OURS, THEIRS = "/shop/S1/aftersales", "/shop/S3/aftersales"


def _asking(order: str) -> Make:
    return acting("/buyer/aftersales", order_id=order, reason="no_time", expected_fen=1990)


def _of_shop(tail: str, own: str, other: str, **body: str) -> dict[str, Make]:
    return {
        "own": at(f"{OURS}/{own}{tail}", **body),
        "other": at(f"{THEIRS}/{other}{tail}", **body),
        "missing": at(f"{OURS}/@missing{tail}", **body),
        "their_case": at(f"{OURS}/@aftersale_b{tail}", **body),
    }


def _of_buyer(tail: str, own: str, other: str) -> dict[str, Make]:
    return {
        "own": at(f"/buyer/aftersales/{own}{tail}"),
        "other": at(f"/buyer/aftersales/{other}{tail}"),
        "missing": at(f"/buyer/aftersales/@missing{tail}"),
    }


CASE = "/shop/{shop_id}/aftersales/{aftersale_id}"
KNOCKS: dict[str, dict[str, Make]] = {
    "POST /buyer/orders/{order_id}/refund-offers": {
        "own": at("/buyer/orders/@order_a/refund-offers", lines=[]),
        "other": at("/buyer/orders/@order_b/refund-offers", lines=[]),
        "missing": at("/buyer/orders/@missing/refund-offers", lines=[]),
    },
    "POST /buyer/aftersales": {
        "own": _asking("@fresh_asked_a"),
        "other": _asking("@fresh_asked_b"),
        "missing": _asking("@missing"),
    },
    "GET /buyer/aftersales": {"own": at("/buyer/aftersales")},
    "GET /buyer/aftersales/{aftersale_id}": _of_buyer("", "@aftersale_a", "@aftersale_b"),
    "POST /buyer/aftersales/{aftersale_id}/withdraw": _of_buyer(
        "/withdraw", "@fresh_aftersale_a", "@fresh_aftersale_b"
    ),
    "GET /shop/{shop_id}/aftersales": {
        "own": at(OURS),
        "other": at(THEIRS),
        "missing": at("/shop/@missing/aftersales"),
    },
    "GET /shop/{shop_id}/aftersales/count": {
        "own": at(f"{OURS}/count"),
        "other": at(f"{THEIRS}/count"),
        "missing": at("/shop/@missing/aftersales/count"),
    },
    f"GET {CASE}": _of_shop("", "@aftersale_a", "@aftersale_b"),
    # agreeing again, and pressing on what is under way, are the same acts
    f"POST {CASE}/agree": _of_shop("/agree", "@aftersale_a", "@aftersale_b"),
    f"POST {CASE}/refuse": _of_shop("/refuse", "@fresh_aftersale_a", "@fresh_aftersale_b", reason="已预约"),
    f"POST {CASE}/press": _of_shop("/press", "@aftersale_a", "@aftersale_b"),
}
