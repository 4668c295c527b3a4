"""What the guard finds in a text, however it is written, and what it must not find in honest ones."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from octshop_rt.im.guard import rules
from octshop_rt.im.guard.model import Action, Level, RuleBook, Sides, SpamRules, Word
from octshop_rt.im.guard.rules import HOT, WATCH, Book

ALL: frozenset[Action] = HOT | WATCH
HAN = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5)
WORDS = st.text(HAN, min_size=2, max_size=6) | st.text("abcdefgh", min_size=3, max_size=8)
HIDDEN = st.sampled_from(["\u200b", "\u200d", "\ufe0f", "\u00ad"])
APART = st.sampled_from([" ", "*", "-", "_", "~", "|", "·", "  ", "★"])
FREE = SpamRules()


def word(text: str, level: Level = "mask", sides: Sides = "both") -> Word:
    return Word(id=text, text=text, level=level, sides=sides, by="U1", at=0)


def book(*words: Word, spam: SpamRules = FREE, side: str = "buyer") -> Book:
    rows = RuleBook(id="S1", rev=1, words=words, buyer=spam, staff=spam)
    return Book([RuleBook(id="platform", rev=1, buyer=FREE, staff=FREE), rows], side, ALL)  # type: ignore[arg-type]


def masked(of: Book, text: str) -> str:
    return of.judge((text,))[0].texts[0]


# --- words, req I10 --------------------------------------------------------------------------------


@given(WORDS, st.text(HAN, max_size=5), st.text(HAN, max_size=5))
def test_a_word_is_found_where_it_stands_and_nothing_else_is_touched(secret: str, before: str, after: str) -> None:
    text = before + secret + after
    assume(text.count(secret) == 1)
    assert masked(book(word(secret)), text) == before + "*" * len(secret) + after


@given(WORDS, st.data())
def test_what_cannot_be_seen_hides_nothing(secret: str, data: st.DataObject) -> None:
    text = "".join(char + data.draw(HIDDEN) for char in secret)
    assert not any(char in masked(book(word(secret)), text) for char in secret)


@given(WORDS, APART)
def test_separators_in_every_gap_hide_nothing(secret: str, gap: str) -> None:
    assume(len(set(map(rules.plain, secret))) == len(secret))
    text = gap.join(secret)
    hits = book(word(secret)).find(text)
    assert [(hit.start, hit.end) for hit in hits] == [(0, len(text))]


@given(WORDS)
def test_full_width_and_capitals_hide_nothing(secret: str) -> None:
    wide = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in secret.upper())
    assert unicodedata.normalize("NFKC", wide).casefold() == secret
    assert masked(book(word(secret)), wide) == "*" * len(secret)


@given(st.lists(WORDS, min_size=1, max_size=20), st.text(max_size=80))
def test_masking_keeps_the_length_and_finds_nothing_more_the_second_time(secrets: list[str], text: str) -> None:
    rows = book(*(word(one) for one in secrets), spam=SpamRules(links="mask", phones="mask", contacts="mask"))
    once = masked(rows, text)
    assert len(once) == len(text)
    for hit in rows.find(text):
        assert set(once[hit.start : hit.end]) == {"*"}


@given(st.text(max_size=120))
def test_any_text_at_all_is_judged(text: str) -> None:
    rows = book(word("测试"), spam=SpamRules(links="refuse", phones="refuse", contacts="refuse"))
    judged, _ = rows.judge((text,))
    assert len(judged.texts) == 1


@pytest.mark.parametrize(
    ("secret", "honest"),
    [
        ("操你", "早操，你好"),
        ("操你", "早操 你好"),
        ("ass", "class passes"),
        ("ass", "as s"),
        ("shit", "this hit"),
        ("138", "13800"),
        ("法轮功", "法，轮功"),
    ],
)
def test_words_that_only_meet_are_no_hit(secret: str, honest: str) -> None:
    assert masked(book(word(secret)), honest) == honest


@pytest.mark.parametrize(
    ("secret", "hidden"),
    [
        ("操你", "操 你"),
        ("笨蛋", "你这个笨 蛋"),
        ("fuck", "f.u.c.k"),
        ("fuck", "FÜCK"),
        ("法轮功", "法.轮.功"),
        ("法轮功", "学法轮 功吧"),
    ],
)
def test_words_written_apart_are_found(secret: str, hidden: str) -> None:
    assert "*" in masked(book(word(secret)), hidden)


def test_the_stricter_level_of_two_books_holds_and_sides_are_apart() -> None:
    rows = [
        RuleBook(id="platform", rev=1, words=(word("坏话", "refuse"),), buyer=FREE, staff=FREE),
        RuleBook(
            id="S1", rev=1, words=(word("坏话", "flag"), word("内部价", "refuse", "staff")), buyer=FREE, staff=FREE
        ),
    ]
    buyer, staff = Book(rows, "buyer", HOT), Book(rows, "staff", HOT)
    assert [hit.action for hit in buyer.find("一句坏话")] == ["refuse"]
    assert not buyer.find("给个内部价")
    assert [hit.action for hit in staff.find("给个内部价")] == ["refuse"]


def test_a_refused_word_is_shown_with_stars() -> None:
    _, refused = book(word("法轮功", "refuse")).judge(("我练法轮功",))
    assert refused is not None
    assert rules.hinted(refused.text) == "法**"


# --- links, numbers, contacts, req I10 --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("看 https://evil.example/a?b=1 哦", "看 " + "*" * 26 + " 哦"),
        ("去taobao.com看", "去**********看"),
        ("去taobao点com看", "去**********看"),
        ("ｗｗｗ．ａｂ．ｃｏｍ", "*" * 10),
        ("一共12.5元，打3.2折", "一共12.5元，打3.2折"),
        ("文件叫 readme.md", "文件叫 readme.md"),
        ("我的邮箱 a@b.com", "我的邮箱 a@b.com"),
        ("店里 help.octshop.cn/x 有说明", "店里 help.octshop.cn/x 有说明"),
        ("notoctshop.cn", "*" * 13),
    ],
)
def test_links_are_found_and_the_shop_s_own_are_fine(text: str, left: str) -> None:
    assert masked(book(spam=SpamRules(links="mask", hosts=("octshop.cn",))), text) == left


@pytest.mark.parametrize(
    "text",
    [
        "13800138000",
        "138 0013 8000",
        "138-0013-8000",
        "+86 13800138000",
        "一三八零零一三八零零零",
        "１３８００１３８０００",
        "0571-85060101",
    ],
)
def test_phone_numbers_are_found_however_written(text: str) -> None:
    left = masked(book(spam=SpamRules(phones="mask")), f"打{text}。")
    assert left.startswith("打")
    assert left.endswith("。")
    assert "".join(char for char in left[1:-1] if char.isalnum()) == ""


@pytest.mark.parametrize(
    "text",
    [
        "订单 O13800138000123",
        "2026 年 12 月 11 日 10 点 30 分 5 人",
        "990100000000138001",
        "一二三四五",
        "138001380001",
    ],
)
def test_other_numbers_are_no_phone_numbers(text: str) -> None:
    assert masked(book(spam=SpamRules(phones="mask")), text) == text


@pytest.mark.parametrize(
    "text", ["加微信abc12345", "vx: hello_1", "QQ 123456789", "＋Ｖ：ｈｅｌｌｏ１２３", "微 信号 wx_shop88"]
)
def test_invitations_elsewhere_are_found(text: str) -> None:
    assert book(spam=SpamRules(contacts="refuse")).judge((text,))[1] is not None


@pytest.mark.parametrize("text", ["可以用微信付款吗", "微信支付 18 元", "qq 糖还有吗"])
def test_speaking_of_a_messenger_is_no_invitation(text: str) -> None:
    assert book(spam=SpamRules(contacts="refuse")).judge((text,))[1] is None
