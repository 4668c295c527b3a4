"""How the desk's routes are knocked at."""

from __future__ import annotations

from tests.http.knocking import Make, acting, at

DESK = "/shop/{shop_id}/desk"
CASE = f"{DESK}/cases/{{case_id}}"


def _shops(path: str, **body: object) -> dict[str, Make]:
    """Of our shop, of another's, of none."""
    return {
        "own": at(f"/shop/S1/{path}", **body),
        "other": at(f"/shop/S3/{path}", **body),
        "missing": at(f"/shop/@missing/{path}", **body),
    }


def _case(act: str, **body: object) -> dict[str, Make]:
    """Each command on a case of its own; then each id exchanged for somebody else's."""
    return {
        "own": acting(f"/shop/S1/desk/cases/@fresh_case/{act}", **body),
        "other": acting(f"/shop/S3/desk/cases/@case_b/{act}", **body),
        "missing": acting(f"/shop/S1/desk/cases/@missing/{act}", **body),
        "their_case": acting(f"/shop/S1/desk/cases/@case_b/{act}", **body),
    }


def _read(what: str) -> dict[str, Make]:
    return {
        "own": at(f"/shop/S1/desk/cases/@case_a/{what}"),
        "other": at(f"/shop/S3/desk/cases/@case_b/{what}"),
        "missing": at(f"/shop/S1/desk/cases/@missing/{what}"),
        "their_case": at(f"/shop/S1/desk/cases/@case_b/{what}"),
    }


def _group(**body: object) -> dict[str, Make]:
    return {
        "own": at("/shop/S1/desk/groups/@group_s1", **body),
        "other": at("/shop/S3/desk/groups/@group_s3", **body),
        "missing": at("/shop/S1/desk/groups/@missing", **body),
        "their_group": at("/shop/S1/desk/groups/@group_s3", **body),
    }


def _buyer(act: str, **body: object) -> dict[str, Make]:
    return {
        "own": acting(f"/buyer/cases/@fresh_case/{act}", **body),
        "other": acting(f"/buyer/cases/@case_b/{act}", **body),
        "missing": acting(f"/buyer/cases/@missing/{act}", **body),
    }


KNOCKS: dict[str, dict[str, Make]] = {
    "PUT /buyer/visits/{visited_id}": {
        "own": at("/buyer/visits/S1", page="/shop/", title="首页"),
        "missing": at("/buyer/visits/@missing", page="/shop/"),
    },
    "POST /buyer/entry": {
        "any": at("/buyer/entry", shop_id="S1", entry="e30.not-a-signature", device_id="matrix-device", device_name="m")
    },
    f"GET {DESK}/visits/{{c}}": {
        "own": at("/shop/S1/desk/visits/@c_a"),
        "other": at("/shop/S3/desk/visits/@c_b"),
        "missing": at("/shop/S1/desk/visits/@missing"),
        "their_talk": at("/shop/S1/desk/visits/@c_b"),
    },
    f"GET {DESK}/widget": _shops("desk/widget"),
    f"PUT {DESK}/widget": _shops("desk/widget", on=True, sites=["https://www.example.com"]),
    f"POST {DESK}/widget/secret": {
        "own": at("/shop/S1/desk/widget/secret"),
        "other": at("/shop/S3/desk/widget/secret"),
    },
    f"GET {DESK}": _shops("desk"),
    f"PUT {DESK}/me": _shops("desk/me", status="away", reason="午饭"),
    f"POST {DESK}/me/beat": _shops("desk/me/beat"),
    f"GET {DESK}/cases": _shops("desk/cases"),
    f"GET {CASE}": {
        "own": at("/shop/S1/desk/cases/@case_a"),
        "other": at("/shop/S3/desk/cases/@case_b"),
        "missing": at("/shop/S1/desk/cases/@missing"),
        "their_case": at("/shop/S1/desk/cases/@case_b"),
    },
    f"POST {DESK}/next": {
        "own": acting("/shop/S1/desk/next"),
        "missing": acting("/shop/@missing/desk/next"),
        "their_shop": acting("/shop/S2/desk/next"),
    },
    f"POST {CASE}/accept": _case("accept"),
    f"POST {CASE}/transfer": _case("transfer", queue=True),
    f"POST {CASE}/invite": _case("invite", agent_id="@agent_s1"),
    f"POST {CASE}/end": _case("end", resolved=True),
    f"POST {CASE}/reopen": _case("reopen"),
    f"GET {DESK}/messages": _shops("desk/messages"),
    f"PUT {DESK}/messages/{{message_id}}": {
        "own": at("/shop/S1/desk/messages/@message_a", state="open"),
        "other": at("/shop/S3/desk/messages/@message_b", state="open"),
        "missing": at("/shop/S1/desk/messages/@missing", state="open"),
        "their_message": at("/shop/S1/desk/messages/@message_b", state="open"),
    },
    f"GET {DESK}/board": _shops("desk/board"),
    f"GET {CASE}/log": _read("log"),
    f"GET {CASE}/origin": _read("origin"),
    f"POST {CASE}/whisper": _case("whisper", text="先道歉"),
    f"POST {CASE}/take-over": _case("take-over"),
    f"GET {DESK}/settings": _shops("desk/settings"),
    f"PUT {DESK}/settings": _shops("desk/settings", cap=6),
    f"GET {DESK}/settings/layers": _shops("desk/settings/layers"),
    f"POST {DESK}/settings/hours": _shops("desk/settings/hours", hours=[], holidays=[]),
    "GET /platform/desk/settings": {"own": at("/platform/desk/settings")},
    "PUT /platform/desk/settings": {"own": at("/platform/desk/settings", idle_end_s=1_700)},
    "GET /platform/desk/settings/layers": {"own": at("/platform/desk/settings/layers")},
    "POST /platform/desk/settings/hours": {"own": at("/platform/desk/settings/hours", hours=[], holidays=[])},
    "GET /platform/desk/settings/shops": {"own": at("/platform/desk/settings/shops")},
    f"GET {DESK}/groups": _shops("desk/groups"),
    f"POST {DESK}/groups": _shops("desk/groups", name="售后"),
    f"PUT {DESK}/groups/{{group_id}}": _group(name="售前"),
    f"DELETE {DESK}/groups/{{group_id}}": _group(),
    f"GET {DESK}/agents": _shops("desk/agents"),
    f"PUT {DESK}/agents/{{agent_id}}": {
        "own": at("/shop/S1/desk/agents/@agent_s1", cap=4),
        "other": at("/shop/S3/desk/agents/@agent_s1", cap=4),
        "missing": at("/shop/S1/desk/agents/@missing", cap=4),
        "their_group": at("/shop/S1/desk/agents/@agent_s1", groups=["@group_s3"]),
    },
    f"PUT {DESK}/agents/{{agent_id}}/status": {
        "own": at("/shop/S1/desk/agents/@agent_s1/status", status="away", reason="午饭"),
        "other": at("/shop/S3/desk/agents/@agent_s1/status", status="away"),
        "missing": at("/shop/S1/desk/agents/@missing/status", status="away"),
    },
    "POST /buyer/cases": {
        "own": acting("/buyer/cases", shop_id="S1"),
        "missing": acting("/buyer/cases", shop_id="@missing"),
        "their_order": acting("/buyer/cases", shop_id="S3", ctx={"k": "order", "id": "@order_b"}),
    },
    "GET /buyer/cases": {"own": at("/buyer/cases")},
    "GET /buyer/cases/{case_id}": {
        "own": at("/buyer/cases/@case_a"),
        "other": at("/buyer/cases/@case_b"),
        "missing": at("/buyer/cases/@missing"),
    },
    "POST /buyer/cases/{case_id}/person": _buyer("person"),
    "POST /buyer/cases/{case_id}/end": _buyer("end"),
    "GET /buyer/messages": {"own": at("/buyer/messages?shop_id=S1")},
    "POST /buyer/cases/{case_id}/messages": _buyer("messages", text="在吗"),
}
