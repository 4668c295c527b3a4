"""Which question is meant by a text, and how sure that is stated to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octshop_rt.im.answer.matching import Matcher, Words
from octshop_rt.im.answer.model import AnswerSettings, Faq, Lesson, Synonyms

CAFE = (
    ("送货", "外卖配送费怎么收？", ("配送费多少", "满多少免配送费")),
    ("送货", "外卖多久能送到？", ("送到要多长时间", "配送时间")),
    ("饮品", "可以换燕麦奶吗？", ("有没有燕麦奶", "换植物奶")),
    ("饮品", "可以少冰或去冰吗？", ("不要冰", "少放点冰")),
    ("饮品", "有无咖啡因的饮料吗？", ("低因咖啡", "孕妇能喝什么")),
    ("门店", "几点开门，几点关门？", ("营业时间", "周末营业吗")),
    ("门店", "店里可以停车吗？", ("停车收费吗",)),
    ("售后", "怎么申请退款？", ("不想要了怎么退", "退钱多久到账")),
    ("售后", "可以开发票吗？", ("怎么开票",)),
    ("会员", "会员积分怎么用？", ("积分能抵钱吗",)),
)


def faq(number: int, question: str, similar: tuple[str, ...] = (), *, on: bool = True) -> Faq:
    return Faq(
        id=f"F{number}", shop_id="S1", request_id=f"r{number}", category="", question=question, similar=similar,
        zh=f"答案{number}", en="", on=on, at=0,
    )  # fmt: skip


FAQS = [faq(number, question, similar) for number, (_, question, similar) in enumerate(CAFE)]


def settings(*synonyms: Synonyms) -> AnswerSettings:
    return AnswerSettings(id="S1", synonyms=synonyms)


CAFES = Matcher(FAQS, [], settings())


def lesson(text: str, faq_id: str, good: int = 0, bad: int = 0) -> Lesson:
    return Lesson(
        id=f"L{text}{faq_id}", shop_id="S1", faq_id=faq_id, text=text, at=0,
        good=tuple(f"U{n}" for n in range(good)), bad=tuple(f"V{n}" for n in range(bad)),
    )  # fmt: skip


# --- sure, unsure, unknown, req I7 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "text"), [(n, text) for n, (_, q, more) in enumerate(CAFE) for text in (q, *more)])
def test_the_shop_s_own_wordings_are_sure(number: int, text: str) -> None:
    found = CAFES.judge(text)
    assert (found.sureness, found.candidates[0].faq_id, found.candidates[0].confidence) == ("sure", f"F{number}", 100)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("请问一下，营业时间是？", 5),
        ("你们几点开门呀", 5),
        ("可以换成燕麦奶吗亲", 2),
        ("我想申请退款", 7),
        ("能开发票么", 8),
        ("邮费怎么收", 0),
        ("可以停车么😊", 6),
        ("外卖 多久 能 送到", 1),
        ("what are your opening hours", 5),
    ],
)
def test_other_words_for_the_same_are_understood(text: str, number: int) -> None:
    found = CAFES.judge(text)
    assert found.candidates[0].faq_id == f"F{number}", found
    assert found.sureness in {"sure", "unsure"}


@pytest.mark.parametrize("text", ["你们支持比特币付款吗", "今天天气真好", "asdf qwer", "😊😊", "", "？？？", "的"])
def test_what_is_not_known_is_said_to_be_unknown(text: str) -> None:
    assert CAFES.judge(text).sureness == "unknown"


def test_two_questions_that_fit_alike_are_offered_and_not_answered() -> None:
    both = Matcher([faq(1, "拿铁多少钱"), faq(2, "美式多少钱"), faq(3, "摩卡多少钱"), faq(4, "退款")], [], settings())
    found = both.judge("多少钱")
    assert found.sureness == "unsure"
    assert {one.faq_id for one in found.candidates} == {"F1", "F2", "F3"}


def test_at_most_three_are_offered_and_the_likeliest_first() -> None:
    many = Matcher([faq(n, f"第{n}种咖啡豆的产地") for n in range(9)], [], settings())
    found = many.judge("咖啡豆产地")
    assert len(found.candidates) == 3
    assert [one.confidence for one in found.candidates] == sorted(
        (c.confidence for c in found.candidates), reverse=True
    )


def test_what_is_switched_off_is_not_known() -> None:
    assert Matcher([faq(1, "可以停车吗", on=False)], [], settings()).judge("可以停车吗").sureness == "unknown"


def test_a_shop_names_its_own_synonyms() -> None:
    rows = [faq(1, "燕麦拿铁有大杯吗"), faq(2, "美式有大杯吗"), faq(3, "退款")]
    assert Matcher(rows, [], settings()).judge("小燕有大杯吗").sureness != "sure"
    found = Matcher(rows, [], settings(("燕麦拿铁", "小燕"))).judge("小燕有大杯吗")
    assert (found.sureness, found.candidates[0].faq_id) == ("sure", "F1")


@given(st.sampled_from(FAQS), st.sampled_from(["，", " ", "！", "～", "😊", "…"]), st.booleans())
def test_signs_emoji_width_and_case_change_nothing(one: Faq, sign: str, wide: bool) -> None:
    text = sign + one.question.upper() + sign
    if wide:
        text = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)
    assert CAFES.judge(text).candidates[0] == CAFES.judge(one.question).candidates[0]


@given(st.text(max_size=200))
def test_any_text_gets_a_verdict_that_is_what_it_says(text: str) -> None:
    found = CAFES.judge(text)
    first = found.candidates[0].confidence if found.candidates else 0
    assert all(0 < one.confidence <= 100 for one in found.candidates)
    assert len({one.faq_id for one in found.candidates}) == len(found.candidates) <= 3
    assert {"sure": first >= 70, "unsure": first >= 35, "unknown": first < 35}[found.sureness]


@given(
    st.lists(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=4, max_size=12), max_size=8)
)
def test_more_questions_never_make_the_shop_s_own_wording_unsure(others: list[str]) -> None:
    rows = [*FAQS, *(faq(100 + n, text) for n, text in enumerate(others))]
    assert Matcher(rows, [], settings()).judge("怎么申请退款？").sureness == "sure"


# --- learning, req I7 -----------------------------------------------------------------------------------------------


def test_three_buyers_teach_a_wording_and_two_do_not() -> None:
    text = "失眠的人适合点啥"
    assert CAFES.judge(text).sureness == "unknown"
    assert Matcher(FAQS, [lesson(text, "F4", good=2)], settings()).judge(text).sureness == "unknown"
    found = Matcher(FAQS, [lesson(text, "F4", good=3)], settings()).judge(text)
    assert (found.sureness, found.candidates[0].faq_id) == ("sure", "F4")


def test_buyers_who_were_not_helped_make_it_doubt() -> None:
    text = "配送费多少"
    assert CAFES.judge(text).sureness == "sure"
    doubting = Matcher(FAQS, [lesson(text, "F0", good=1, bad=4)], settings()).judge(text)
    assert doubting.sureness != "sure"
    assert Matcher(FAQS, [lesson(text, "F0", good=1, bad=3)], settings()).judge(text).sureness == "sure"


# --- words ----------------------------------------------------------------------------------------------------------


def test_a_latin_synonym_inside_a_longer_word_is_no_synonym() -> None:
    words = Words([("book", "订位")])
    assert words.of("book") == words.of("订位")
    assert words.of("notebook") != words.of("订位")


def test_a_text_of_little_words_alone_keeps_them() -> None:
    assert Words([]).of("你是谁")
