"""Words: a search finds every text that holds its words, however either is cut; excerpts mark the right places."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from octshop_rt.core import words

SAID = (
    "请问这款纯棉T恤有没有大码的，什么时候可以发货？我的订单号是202611220001，麻烦查一下物流，谢谢。",
    "王小花说退换货要自己付运费吗",
    "研究生命起源的书到了没有 iPhone15 Pro 256G ＡＢＣ",
    "下单后多久能到，能开发票么？地址：杭州市西湖区文三路90号东部软件园",
)
PIECES = sorted({text[i : i + size] for text in SAID for size in (1, 2, 3, 4, 6) for i in range(len(text) - size)})


def asked_for(text: str, query: str) -> bool:
    """As the index is asked: every whole token is there, every beginning begins one."""
    kept = words.index_tokens(text)
    whole, beginnings = words.query_tokens(query)
    return whole <= kept and all(any(token.startswith(one) for token in kept) for one in beginnings)


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8), st.lists(st.sampled_from(PIECES), max_size=3))
def test_the_index_never_hides_a_text_that_holds_the_words(said: list[str], sought: list[str]) -> None:  # req I10
    text, query = "".join(said), "".join(sought)
    runs = words._RUNS.findall(words.plain(text))
    whole_latin = all(
        any(run.startswith(one) for run in runs) for one in words._RUNS.findall(words.plain(query)) if one.isascii()
    )
    if words.holds(text, query) and whole_latin:
        assert asked_for(text, query)


def test_words_are_lower_case_and_without_punctuation() -> None:
    assert words.words("订单号，是 ＡＢＣ-12！") == ["订单号", "是", "abc", "12"]
    assert words.words("？！…") == []


def test_a_word_of_no_dictionary_is_found_by_its_characters_and_confirmed_in_the_text() -> None:
    text, other = "王小花说好的", "花了小王的钱"
    assert asked_for(text, "王小花") and words.holds(text, "王小花")
    assert not words.holds(other, "王小花")


def test_the_beginning_of_a_number_finds_it() -> None:
    assert asked_for("单号 202611220001 请查", "2026112")
    assert not asked_for("单号 202611220001 请查", "0001")


def test_marks_name_the_places_once_in_order() -> None:
    text = "退款多久到账？退款要运费吗"
    assert [text[a:b] for a, b in words.marks(text, "运费 退款")] == ["退款", "退款", "运费"]
    assert words.marks("什么都没有", "退款") == []
    assert [("ﬁt Ⅷ 订单")[a:b] for a, b in words.marks("ﬁt Ⅷ 订单", "订单")] == ["订单"]


def test_importing_the_module_does_not_load_the_dictionary() -> None:
    code = "import sys, octshop_rt.core.words; sys.exit('rjieba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
