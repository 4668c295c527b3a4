"""Who asks for a person, which keyword fits, variables, and the letters of Chinese."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octshop_rt.im.answer import phrases, rules
from octshop_rt.im.answer.model import Keyword, QuickReply, UnknownVariable, Welcome


@pytest.mark.parametrize(
    "text",
    [
        "人工", "转人工", "我要人工客服", "找人工！", "人 工", "人工服务", "真人", "ｈｕｍａｎ",
        "能不能给我转接人工客服啊我都问了三遍了",
        "human please", "I want to talk to a real person", "talk to an agent", "客服", "Can I speak with someone?",
    ],
)  # fmt: skip
def test_asking_for_a_person_is_understood(text: str) -> None:  # req I7
    assert rules.wants_person(text)


@pytest.mark.parametrize(
    "text",
    [
        "人工智能是什么",
        "这个手串是纯人工做的吗我想买来送给妈妈",
        "人工费多少",
        "humane society",
        "你好",
        "",
        "含人工色素吗",
        "personal care",
    ],
)
def test_speaking_of_something_else_asks_for_nobody(text: str) -> None:
    assert not rules.wants_person(text)


def keyword(number: int, *words: str, how: str = "contains", priority: int = 0, on: bool = True) -> Keyword:
    return Keyword(
        id=f"K{number}", shop_id="S1", request_id=f"r{number}", words=words, how=how, zh=f"答{number}", en="",  # type: ignore[arg-type]
        priority=priority, on=on, at=0,
    )  # fmt: skip


def fits(text: str, *rows: Keyword) -> str | None:
    found = rules.keyword(text, rows)
    return None if found is None else found.id


def test_keywords_fit_whole_or_inside_by_priority_then_length() -> None:  # req I7
    wifi, password, long = keyword(1, "wifi", "无线网"), keyword(2, "密码", priority=1), keyword(3, "wifi密码")
    assert fits("店里有ＷＩＦＩ吗", wifi) == "K1"
    assert fits("wifi 密码多少", wifi, long) == "K3"
    assert fits("wifi 密码多少", wifi, long, password) == "K2"
    assert fits("wifi", keyword(4, "wifi", how="exact")) == "K4"
    assert fits("有wifi吗", keyword(4, "wifi", how="exact")) is None
    assert fits("hiwifix", wifi) is None
    assert fits("wifi", keyword(5, "wifi", on=False), keyword(6, "！！")) is None


def test_the_page_s_own_welcome_comes_before_the_one_for_any() -> None:  # req I7
    texts = [Welcome(page="any", zh="欢迎"), Welcome(page="order", zh="订单？"), Welcome(page="product", zh=" ")]
    assert [getattr(rules.welcome_for(page, texts), "zh", None) for page in ("order", "product", "shop")] == [
        "订单？", "欢迎", "欢迎",
    ]  # fmt: skip
    assert rules.welcome_for("order", []) is None


def test_variables_are_filled_and_what_is_unknown_is_told_or_left_out() -> None:  # req I7
    text = "{buyer}您好，您的订单 {order} 已发出"
    assert rules.filled(text, {"buyer": "小雨", "order": "O1"}) == ("小雨您好，您的订单 O1 已发出", [])
    assert rules.filled(text, {"buyer": "小雨"}) == ("小雨您好，您的订单 {order} 已发出", ["order"])
    assert rules.said_to_buyer("您好，{buyer}！欢迎来到{shop}", {"shop": "豆芽咖啡"}) == "您好！欢迎来到豆芽咖啡"
    with pytest.raises(UnknownVariable):
        rules.check_variables(["{price} 元"], rules.VARIABLES)


@given(st.text(max_size=50))
def test_a_value_with_braces_is_not_filled_again(value: str) -> None:
    assert rules.filled("{buyer}", {"buyer": value or "x", "shop": "秘密"})[0] == (value or "x")


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("退款到账", "tkdz"),
        ("请稍等", "qsd"),
        ("您好 wifi 密码 8 位", "nhwmm8w"),
        ("", ""),
        ("啊吧座", "abz"),
        ("😊", ""),
    ],
)
def test_letters_are_those_of_the_sound(text: str, letters: str) -> None:
    assert rules.letters(text) == letters


def quick(number: int, title: str, *, code: str = "", owner: str = "S1", used: int = 0) -> QuickReply:
    return QuickReply(
        id=f"Q{number}", shop_id="S1", owner=owner, request_id=f"r{number}", category="", title=title, text="正文",
        code=code, letters=rules.letters(f"{title} 正文"), used=used, at=0,
    )  # fmt: skip


def test_quick_replies_are_found_by_code_letters_and_text() -> None:  # req I7
    rows = [
        quick(1, "退款到账", code="tk"),
        quick(2, "退款政策", used=9),
        quick(3, "稍等", owner="U1"),
        quick(4, "谢谢", code="tkx"),
    ]

    def found(q: str) -> list[str]:
        return [one.id for one in rules.quick_matches(rows, q, "U1")]

    assert found("tk") == ["Q1", "Q4", "Q2"]
    assert found("TKDZ") == ["Q1"]
    assert found("退款") == ["Q2", "Q1"]
    assert found("zc") == ["Q2"]
    assert found("") == ["Q3", "Q2", "Q1", "Q4"]
    assert found("没有") == []


def test_a_greeting_asks_nothing_yet() -> None:
    assert all(map(phrases.is_greeting, ("你好！", "在吗？", "Hello", "您好，在吗")))
    assert not phrases.is_greeting("你好，请问运费")


def test_the_language_is_the_writer_s() -> None:
    assert [rules.language_of(text) for text in ("你好", "hello there", "👍", "wifi 密码")] == [
        "zh-CN",
        "en",
        "zh-CN",
        "zh-CN",
    ]
