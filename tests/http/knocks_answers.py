"""How the routes of automatic answers, quick replies and the guard are knocked at."""

from __future__ import annotations

from typing import Any

from octshop_rt.im.answer import store
from octshop_rt.im.answer.model import Lesson
from tests.http.knocking import MISSING, Knock, Make, acting, at
from tests.http.world import World

DESK = "/shop/{shop_id}/desk"
FAQ: dict[str, Any] = {"question": "运费多少", "zh": "满 30 元免运费"}
KEYWORD: dict[str, Any] = {"words": ["发票"], "zh": "请留下抬头"}
QUICK: dict[str, Any] = {"title": "稍等", "text": "{buyer}您好，请稍等"}
WORDS: dict[str, Any] = {"words": ["外挂"], "level": "mask"}
SPAM: dict[str, Any] = {"buyer": {}, "staff": {}, "flood": {}}
SETTINGS: dict[str, Any] = {
    "on": True, "sure": 70, "unsure": 35, "unknown_to_person": 2, "assistant": False, "welcomes": [], "synonyms": [],
}  # fmt: skip


def _shops(path: str, make: Any = at, **body: object) -> dict[str, Make]:
    """Of our shop, of another's, of none."""
    return {
        "own": make(f"/shop/S1/desk/{path}", **body),
        "other": make(f"/shop/S3/desk/{path}", **body),
        "missing": make(f"/shop/@missing/desk/{path}", **body),
    }


def _things(path: str, tail: str, thing: dict[str, Any], body: dict[str, Any] | None) -> dict[str, Make]:
    """A thing made for each knock: ours, theirs, none, and theirs behind our door."""

    def of(door: str, shop: str) -> Make:
        fresh = "fresh thing"

        async def make(world: World, who: str) -> Knock:
            one = MISSING
            if shop:
                owner = "owner" if shop == "S1" else "owner_m2"
                wish = {"request_id": world.request_id(), **thing}
                one = (await world.must(owner, "POST", f"/shop/{shop}/desk/{path}", wish))["id"]
            assert fresh
            sent = None if body is None else {"request_id": world.request_id(), **body}
            if sent is not None and "c" in sent:
                sent = {"c": world.ids["c_a"]}
            return Knock(path=f"/shop/{door}/desk/{path}/{one}{tail}", body=sent)

        return make

    return {"own": of("S1", "S1"), "other": of("S3", "S3"), "missing": of("S1", ""), "their_thing": of("S1", "S3")}


def _lesson(door: str, shop: str) -> Make:
    """What a buyer has taught of a fresh question."""
    text = "邮费多少"
    fresh = "fresh lesson"

    async def make(world: World, who: str) -> Knock:
        one = MISSING
        if shop:
            owner = "owner" if shop == "S1" else "owner_m2"
            wish = {"request_id": world.request_id(), **FAQ}
            one = (await world.must(owner, "POST", f"/shop/{shop}/desk/faqs", wish))["id"]
            lesson = Lesson(id=world.request_id(), shop_id=shop, faq_id=one, text=text, good=("U1",), at=1)
            await store.LESSONS.insert(world.db, lesson)
        assert fresh
        return Knock(path=f"/shop/{door}/desk/faqs/{one}/forget", body={"text": text})

    return make


def _word(base: str, owner: str, *, known: bool) -> Make:
    fresh = "fresh word"

    async def make(world: World, who: str) -> Knock:
        one = MISSING
        if known:
            wish = {"request_id": world.request_id(), **WORDS}
            one = (await world.must(owner, "POST", f"{base}/words", wish))["words"][-1]["id"]
        assert fresh
        return Knock(path=f"{base}/words/{one}")

    return make


def _block(door: str, buyer: str) -> Make:
    fresh = "fresh block"

    async def make(world: World, who: str) -> Knock:
        for shop, owner, one in (("S1", "owner", "buyer_a"), ("S3", "owner_m2", "buyer_b")):
            wish = {"request_id": world.request_id(), "buyer_id": world.people[one]}
            await world.must(owner, "POST", f"/shop/{shop}/desk/blocks", wish)
        assert fresh
        return Knock(path=f"/shop/{door}/desk/blocks/{world.people.get(buyer, MISSING)}")

    return make


QUICK_ALL = {**QUICK, "whose": "shop"}

KNOCKS: dict[str, dict[str, Make]] = {
    f"GET {DESK}/answers": _shops("answers"),
    f"PUT {DESK}/answers": _shops("answers", **SETTINGS),
    f"POST {DESK}/answers/try": _shops("answers/try", text="运费多少"),
    f"GET {DESK}/faqs": _shops("faqs"),
    f"POST {DESK}/faqs": _shops("faqs", acting, **FAQ),
    f"PUT {DESK}/faqs/{{faq_id}}": _things("faqs", "", FAQ, FAQ),
    f"DELETE {DESK}/faqs/{{faq_id}}": _things("faqs", "", FAQ, None),
    f"POST {DESK}/faq-import": _shops("faq-import", items=[FAQ]),
    f"POST {DESK}/faqs/{{faq_id}}/forget": {
        "own": _lesson("S1", "S1"),
        "other": _lesson("S3", "S3"),
        "missing": _lesson("S1", ""),
        "their_thing": _lesson("S1", "S3"),
    },
    f"GET {DESK}/keywords": _shops("keywords"),
    f"POST {DESK}/keywords": _shops("keywords", acting, **KEYWORD),
    f"PUT {DESK}/keywords/{{keyword_id}}": _things("keywords", "", KEYWORD, KEYWORD),
    f"DELETE {DESK}/keywords/{{keyword_id}}": _things("keywords", "", KEYWORD, None),
    f"GET {DESK}/quick-replies": _shops("quick-replies"),
    f"POST {DESK}/quick-replies": {
        **_shops("quick-replies", acting, **QUICK),
        "everyones": acting("/shop/S1/desk/quick-replies", **QUICK_ALL),
    },
    f"PUT {DESK}/quick-replies/{{reply_id}}": _things("quick-replies", "", QUICK_ALL, QUICK_ALL),
    f"DELETE {DESK}/quick-replies/{{reply_id}}": _things("quick-replies", "", QUICK_ALL, None),
    f"POST {DESK}/quick-replies/{{reply_id}}/filled": {
        **_things("quick-replies", "/filled", QUICK_ALL, {"c": ""}),
    },
    "POST /buyer/answers/{answer_id}/choice": {
        "own": acting("/buyer/answers/@answer_a/choice", option="person"),
        "other": acting("/buyer/answers/@answer_b/choice", option="person"),
        "missing": acting("/buyer/answers/@missing/choice", option="person"),
    },
    "PUT /buyer/answers/{answer_id}/vote": {
        "own": at("/buyer/answers/@answer_a/vote", helpful=True),
        "other": at("/buyer/answers/@answer_b/vote", helpful=True),
        "missing": at("/buyer/answers/@missing/vote", helpful=True),
    },
    f"GET {DESK}/guard": _shops("guard"),
    f"POST {DESK}/guard/words": _shops("guard/words", acting, **WORDS),
    f"DELETE {DESK}/guard/words/{{word_id}}": {
        "own": _word("/shop/S1/desk/guard", "owner", known=True),
        "other": _word("/shop/S3/desk/guard", "owner_m2", known=True),
        "missing": _word("/shop/S1/desk/guard", "owner", known=False),
    },
    f"PUT {DESK}/guard/spam": _shops("guard/spam", **SPAM),
    f"POST {DESK}/guard/try": _shops("guard/try", text="你好"),
    f"GET {DESK}/blocks": _shops("blocks"),
    f"POST {DESK}/blocks": {
        "own": acting("/shop/S1/desk/blocks", buyer_id="@buyer_a"),
        "other": acting("/shop/S3/desk/blocks", buyer_id="@buyer_b"),
        "missing": acting("/shop/@missing/desk/blocks", buyer_id="@buyer_a"),
        "stranger": acting("/shop/S1/desk/blocks", buyer_id="@owner_m2"),
    },
    f"DELETE {DESK}/blocks/{{buyer_id}}": {
        "own": _block("S1", "buyer_a"),
        "other": _block("S3", "buyer_b"),
        "missing": _block("S1", "nobody"),
        "their_buyer": _block("S1", "owner_m2"),
    },
    f"GET {DESK}/flags": _shops("flags"),
    f"POST {DESK}/flags/{{flag_id}}/settle": {
        "own": acting("/shop/S1/desk/flags/@flag_a/settle", state="fine"),
        "other": acting("/shop/S3/desk/flags/@flag_b/settle", state="fine"),
        "missing": acting("/shop/S1/desk/flags/@missing/settle", state="fine"),
        "their_flag": acting("/shop/S1/desk/flags/@flag_b/settle", state="fine"),
    },
    "GET /platform/guard": {"own": at("/platform/guard")},
    "POST /platform/guard/words": {"own": acting("/platform/guard/words", **WORDS)},
    "DELETE /platform/guard/words/{word_id}": {
        "own": _word("/platform/guard", "admin", known=True),
        "missing": _word("/platform/guard", "admin", known=False),
    },
    "PUT /platform/guard/spam": {"own": at("/platform/guard/spam", **SPAM)},
    "POST /platform/guard/try": {"own": at("/platform/guard/try", text="加我 QQ 123456", side="staff")},
}
