"""Pure decisions of automatic answers: who asks for a person, which keyword fits, what stands in braces, letters."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from octshop_rt.im.answer.model import BadThresholds, Keyword, QuickReply, UnknownVariable, Welcome

VARIABLES: Final = ("shop", "buyer", "title", "order", "agent")
# A text to buyers at large knows no agent.
ANSWER_VARIABLES: Final = ("shop", "buyer", "title")
_BRACES = re.compile(r"\{([a-zA-Z_]{1,20})\}")

_PERSON_ZH = re.compile(
    r"(?:转|找|接|要|叫|换|联系|呼叫)?(?:个|一?下|一个|到)?(?:人工|真人|活人)(?:客服|服务|坐席|座席|回复|解答)?"
)
_NOT_A_PERSON = re.compile(r"人工(?:智能|费|湖|色素|成本|授粉|草坪|栽培|养殖|合成|呼吸|操作|制作|打磨|降雨)")
_PERSON_EN = re.compile(
    r"\b(?:human|real person|live (?:agent|person|chat|support)|representative|operator|"
    r"(?:talk|speak|chat) (?:to|with) (?:an? )?(?:person|agent|someone|somebody|staff|human)|"
    r"(?:an? )?(?:agent|person),? please|customer service agent)\b"
)
_PERSON_ALONE = frozenset(
    {"人工", "客服", "真人", "转客服", "找客服", "人工客服", "human", "agent", "person", "operator"}
)


def normal(text: str) -> str:
    """One spelling of what reads the same: NFKC, lower case, without emoji, signs and spaces between Chinese."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(char if char.isalnum() else " " for char in folded)
    return re.sub(r"(?<=[\u3400-\u9fff]) +| +(?=[\u3400-\u9fff])", "", " ".join(kept.split()))


def wants_person(text: str) -> bool:
    """Whether a person is asked for in so many words. Always obeyed, so a long text that only mentions one is not."""
    said = normal(text)
    if said in _PERSON_ALONE:
        return True
    if _PERSON_EN.search(said):
        return True
    found = _PERSON_ZH.search(said)
    if found is None or _NOT_A_PERSON.search(said):
        return False
    return len(said) <= 12 or len(found.group()) >= 3


def keyword(text: str, keywords: Iterable[Keyword]) -> Keyword | None:
    """The keyword reply for `text`: highest priority first, among equals the longest word that fits."""
    said = normal(text)
    best: tuple[int, int, Keyword] | None = None
    for one in keywords:
        fit = max((len(word) for word in map(normal, one.words) if _fits(said, word, one)), default=0)
        if fit and one.on and (best is None or (one.priority, fit) > best[:2]):
            best = (one.priority, fit, one)
    return None if best is None else best[2]


def _fits(said: str, word: str, one: Keyword) -> bool:
    if not word:
        return False
    if one.how == "exact":
        return said == word
    if word.isascii():
        return re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", said) is not None
    return word in said


def in_language(zh: str, en: str, lang: str) -> str:
    """The English words for who reads English, if there are any."""
    return en if lang == "en" and en.strip() else zh


def language_of(text: str) -> str:
    """How the writer of `text` reads: a text without one Chinese character but with Latin letters is English."""
    if re.search(r"[\u3400-\u9fff]", text):
        return "zh-CN"
    return "en" if re.search(r"[a-zA-Z]{2}", text) else "zh-CN"


def welcome_for(page: str, welcomes: Sequence[Welcome]) -> Welcome | None:
    """The page's own words, else those for any page."""
    by_page = {one.page: one for one in welcomes if one.zh.strip()}
    return by_page.get("any") if page not in by_page else next(one for one in by_page.values() if one.page == page)


# --- variables --------------------------------------------------------------------------------------------------------


def check_variables(texts: Iterable[str], known: Sequence[str]) -> None:
    """UnknownVariable for a name in braces that nobody will fill in."""
    for text in texts:
        for name in _BRACES.findall(text):
            if name not in known:
                raise UnknownVariable(name="{" + name + "}", known=" ".join("{" + one + "}" for one in known))


def filled(text: str, values: Mapping[str, str]) -> tuple[str, list[str]]:
    """`text` with its variables, and the names nothing was known for: those stand as they were."""
    missing: list[str] = []

    def put(found: re.Match[str]) -> str:
        value = values.get(found.group(1), "")
        if not value and found.group(1) in VARIABLES:
            missing.append(found.group(1))
        return value or found.group()

    return _BRACES.sub(put, text), list(dict.fromkeys(missing))


def said_to_buyer(text: str, values: Mapping[str, str]) -> str:
    """As `filled`, for a buyer: what is not known is left out together with the space or comma before it."""
    done, _ = filled(text, values)
    return re.sub(r"[ ，,]?\{(?:" + "|".join(VARIABLES) + r")\}", "", done).strip()


def check_thresholds(sure: int, unsure: int) -> None:
    if unsure >= sure:
        raise BadThresholds


# --- letters ----------------------------------------------------------------------------------------------------------

# The 3,755 common characters of GB 2312 stand in order of their sound: where each first letter begins. Costs nothing;
# a library of all sounds (pypinyin) costs 58 MiB. The 3,008 rare ones stand by radical and have no letter here.
_SOUNDS: Final = (
    (0xB0A1, "a"), (0xB0C5, "b"), (0xB2C1, "c"), (0xB4EE, "d"), (0xB6EA, "e"), (0xB7A2, "f"), (0xB8C1, "g"),
    (0xB9FE, "h"), (0xBBF7, "j"), (0xBFA6, "k"), (0xC0AC, "l"), (0xC2E8, "m"), (0xC4C3, "n"), (0xC5B6, "o"),
    (0xC5BE, "p"), (0xC6DA, "q"), (0xC8BB, "r"), (0xC8F6, "s"), (0xCBFA, "t"), (0xCDDA, "w"), (0xCEF4, "x"),
    (0xD1B9, "y"), (0xD4D1, "z"),
)  # fmt: skip
_STARTS: Final = [start for start, _ in _SOUNDS]
_LAST_COMMON: Final = 0xD7F9


def letters(text: str) -> str:
    """First letters of a text: of Chinese by sound, of Latin words and numbers the first of each."""
    found: list[str] = []
    inside = False
    for char in unicodedata.normalize("NFKC", text).lower():
        if char.isascii() and char.isalnum():
            if not inside:
                found.append(char)
            inside = True
            continue
        inside = False
        code = char.encode("gb2312", "ignore")
        number = int.from_bytes(code)
        if len(code) == 2 and _STARTS[0] <= number <= _LAST_COMMON:
            found.append(_SOUNDS[bisect_right(_STARTS, number) - 1][1])
    return "".join(found)


def quick_matches(rows: Iterable[QuickReply], q: str, me: str) -> list[QuickReply]:
    """Those that fit what was typed: the code, then letters or title from the start, then anywhere. One's own first
    among equals, then the most used.
    """
    typed = normal(q).replace(" ", "")
    ranked: list[tuple[int, int, int, str, QuickReply]] = []
    for row in rows:
        rank = _quick_rank(row, typed)
        if rank is not None:
            ranked.append((rank, 0 if row.owner == me else 1, -row.used, row.id, row))
    return [row for *_, row in sorted(ranked, key=lambda one: one[:4])]


def _quick_rank(row: QuickReply, typed: str) -> int | None:
    title = normal(row.title).replace(" ", "")
    ways = (
        not typed or row.code == typed,
        bool(row.code) and row.code.startswith(typed),
        title.startswith(typed) or row.letters.startswith(typed),
        typed in title or typed in row.letters,
        typed in normal(row.text).replace(" ", "") or typed in normal(row.category).replace(" ", ""),
    )
    return next((rank for rank, way in enumerate(ways) if way), None)
