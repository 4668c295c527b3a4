"""How the routes of search, ratings, labels, customers, quality, figures and evidence are knocked at."""

from __future__ import annotations

from tests.http.knocking import Make, acting, at

DESK = "/shop/{shop_id}/desk"
SPAN = "since=1790000000000&until=1790000001000"


def _shops(path: str, **body: object) -> dict[str, Make]:
    """Of our shop, of another's, of none."""
    return {
        "own": at(f"/shop/S1/desk/{path}", **body),
        "other": at(f"/shop/S3/desk/{path}", **body),
        "missing": at(f"/shop/@missing/desk/{path}", **body),
    }


def _things(folder: str, thing: str, tail: str = "", **body: object) -> dict[str, Make]:
    """A thing of ours, of another shop, of none; and another shop's thing asked for at ours."""
    return {
        "own": at(f"/shop/S1/desk/{folder}/@{thing}_a{tail}", **body),
        "other": at(f"/shop/S3/desk/{folder}/@{thing}_b{tail}", **body),
        "missing": at(f"/shop/S1/desk/{folder}/@missing{tail}", **body),
        "theirs": at(f"/shop/S1/desk/{folder}/@{thing}_b{tail}", **body),
    }


def _buyers(tail: str = "", **body: object) -> dict[str, Make]:
    """`stranger` has never spoken with our shop."""
    return {
        "own": at(f"/shop/S1/desk/buyers/@buyer_a{tail}", **body),
        "other": at(f"/shop/S3/desk/buyers/@buyer_b{tail}", **body),
        "missing": at(f"/shop/S1/desk/buyers/@missing{tail}", **body),
        "stranger": at(f"/shop/S1/desk/buyers/@owner_m2{tail}", **body),
    }


KNOCKS: dict[str, dict[str, Make]] = {
    f"GET {DESK}/search": _shops("search?q=abc"),
    "GET /buyer/cases/{case_id}/rating": {
        "own": at("/buyer/cases/@ended_a/rating"),
        "other": at("/buyer/cases/@ended_b/rating"),
        "missing": at("/buyer/cases/@missing/rating"),
    },
    "POST /buyer/cases/{case_id}/rating": {
        "own": acting("/buyer/cases/@ended_a/rating", stars=5),
        "other": acting("/buyer/cases/@ended_b/rating", stars=5),
        "missing": acting("/buyer/cases/@missing/rating", stars=5),
    },
    f"GET {DESK}/ratings": _shops("ratings"),
    f"GET {DESK}/cases/{{case_id}}/summary": _things("cases", "case", "/summary"),
    f"PUT {DESK}/cases/{{case_id}}/summary": _things("cases", "case", "/summary", topic="order", solved=True),
    f"GET {DESK}/labels": _shops("labels"),
    f"POST {DESK}/labels": {
        "own": acting("/shop/S1/desk/labels", use="buyer", name="VIP", colour="red"),
        "other": acting("/shop/S3/desk/labels", use="buyer", name="VIP", colour="red"),
        "missing": acting("/shop/@missing/desk/labels", use="buyer", name="VIP", colour="red"),
    },
    f"PUT {DESK}/labels/{{label_id}}": _things("labels", "label", name="退货", colour="blue"),
    f"DELETE {DESK}/labels/{{label_id}}": {"missing": at("/shop/S1/desk/labels/@missing")},
    f"PUT {DESK}/cases/{{case_id}}/labels": _things("cases", "case", "/labels", label_ids=[]),
    f"PUT {DESK}/buyers/{{buyer_id}}/labels": _buyers("/labels", label_ids=[]),
    f"GET {DESK}/buyers/{{buyer_id}}": _buyers(),
    f"PUT {DESK}/buyers/{{buyer_id}}/memo": _buyers("/memo", alias="老张"),
    f"GET {DESK}/buyers/{{buyer_id}}/notes": _buyers("/notes"),
    f"GET {DESK}/quality/sheet": _shops("quality/sheet"),
    f"PUT {DESK}/quality/sheet": _shops("quality/sheet", items=[{"name": "一切", "points": 100}]),
    f"POST {DESK}/quality/samples": {
        "own": acting("/shop/S1/desk/quality/samples", since=1_790_000_000_000, until=1_790_000_001_000, size=3),
        "other": acting("/shop/S3/desk/quality/samples", since=1_790_000_000_000, until=1_790_000_001_000, size=3),
        "missing": acting("/shop/@missing/desk/quality/samples", since=1, until=2, size=3),
    },
    f"GET {DESK}/quality/checks": _shops("quality/checks"),
    f"GET {DESK}/quality/mine": _shops("quality/mine"),
    f"GET {DESK}/quality/checks/{{check_id}}": _things("quality/checks", "check"),
    f"GET {DESK}/quality/averages": _shops(f"quality/averages?{SPAN}"),
    f"POST {DESK}/quality/checks/{{check_id}}/score": _things("quality/checks", "check", "/score", marks=[100]),
    f"POST {DESK}/quality/checks/{{check_id}}/appeal": _things("quality/checks", "check", "/appeal", text="不对"),
    f"GET {DESK}/figures/now": _shops("figures/now"),
    f"GET {DESK}/figures/mine": _shops(f"figures/mine?{SPAN}"),
    f"GET {DESK}/reports": _shops(f"reports?{SPAN}"),
    f"GET {DESK}/reports/mine": _shops(f"reports/mine?{SPAN}"),
    f"GET {DESK}/reports/work": _shops(f"reports/work?{SPAN}"),
    f"GET {DESK}/reports/work/mine": _shops(f"reports/work/mine?{SPAN}"),
    f"GET {DESK}/reports/file": _shops(f"reports/file?{SPAN}&form=csv"),
    f"GET {DESK}/conversations/{{conversation_id}}/log": _things("conversations", "talk", "/log"),
    f"GET {DESK}/conversations/{{conversation_id}}/export": _things("conversations", "talk", "/export"),
    f"PUT {DESK}/conversations/{{conversation_id}}/hold": _things("conversations", "talk", "/hold", reason="投诉"),
    f"DELETE {DESK}/conversations/{{conversation_id}}/hold": _things("conversations", "talk", "/hold"),
    f"GET {DESK}/holds": _shops("holds"),
    "GET /staff/reports/shops": {"own": at("/staff/reports/shops?since=1&until=2")},
    "GET /staff/reports/shops/file": {"own": at("/staff/reports/shops/file?since=1&until=2&form=csv")},
    f"GET {DESK}/retention": _shops("retention"),
    f"PUT {DESK}/retention": _shops("retention", days=365),
    f"GET {DESK}/traces": _shops("traces"),
}
