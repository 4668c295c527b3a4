"""Finds the question that is meant: BM25 over segmented text to rank, coverage to say how sure. Built once a revision.

BM25 scores grow with the number and rarity of words and say nothing by themselves. What is stated as confidence is how
much of the meaning the two texts share: the weight (rarity) of the words they have in common, as a share of the text's
and of the question's. 100 is the same wording; words the knowledge has never seen count as the rarest.

Measured (CPython 3.11, 2 shared cores, other work beside): 300 questions with 3 wordings each, made of the demo's and
so much alike: 18 ms to build, 0.75 KiB a wording, 0.6 ms a text.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from octshop_rt.core.words import words
from octshop_rt.im.answer.model import AnswerSettings, Candidate, Faq, Lesson, Verdict
from octshop_rt.im.answer.rules import normal
from octshop_rt.im.answer.voicing import balance, says

_K1 = 1.2
_B = 0.5  # questions are short: length says little
_LEAST = 30
_LEAD = 8  # percent that the best must be ahead of the next question to be sure
_MOST = 3
_DOUBTED = 60  # percent left of a confidence that buyers have contradicted
# Words that say that something is asked, not what.
_LITTLE_ZH = (
    "的了吗呢吧啊呀哦嗯么是有我你您请想问这那就都也还很在和跟与可能会要亲几哪 "
    "我们 你们 您们 请问 想问 一下 问下 这个 那个 可以 能不能 可不可以 想要 需要 怎么 怎样 如何 什么 哪里 哪个 哪些 "
    "多少 为什么 是否 有没有 是不是 么样 您好 你好 谢谢 麻烦 告诉 知道"
)
_LITTLE_EN = (
    "a an the is are am do does did can could will would i you we it to of for in on at my your please what how where "
    "when which who why there and or if be me tell know want like have has any"
)
_SINGLE, _, _LONGER = _LITTLE_ZH.partition(" ")
_STOP = frozenset((*_SINGLE, *_LONGER.split(), *_LITTLE_EN.split()))
# Different words for one thing in every shop; a shop adds its own.
HOUSE_SYNONYMS: tuple[tuple[str, ...], ...] = (
    ("运费", "邮费", "快递费", "配送费", "shipping fee", "delivery fee"),
    ("退款", "退钱", "退费", "refund", "money back"),
    ("发票", "开票", "invoice", "receipt"),
    ("营业时间", "几点开门", "几点关门", "什么时候开门", "几点营业", "开门时间", "opening hours"),
    ("地址", "在哪里", "在哪儿", "怎么走", "位置", "address", "location"),
    ("优惠", "打折", "折扣", "便宜", "discount"),
    ("预约", "预定", "预订", "订位", "booking", "book", "reserve", "reservation"),
    ("停车", "停车场", "车位", "parking"),
    ("核销", "用券", "验券"),
    ("会员", "vip", "member"),
)


class Wording(Struct, frozen=True):
    """One way to ask one question, as counted words."""

    faq_id: str
    terms: Counter[str]
    length: int


class Words:
    """Cuts texts the shop's way: what its synonyms name is one word, questions' little words are none."""

    def __init__(self, synonyms: Iterable[Sequence[str]]) -> None:
        self._name: dict[str, str] = {}
        for group in (*HOUSE_SYNONYMS, *synonyms):
            cleaned = [normal(one) for one in group if normal(one)]
            known = next((self._name[one] for one in cleaned if one in self._name), None)
            for one in cleaned:
                self._name.setdefault(one, known or f"={cleaned[0]}")
        self._longest = max(map(len, self._name), default=0)
        self._first = frozenset(name[0] for name in self._name)

    def of(self, text: str) -> list[str]:
        """The words that carry meaning, in order; a text of little words alone keeps them."""
        found: list[str] = []
        rest: list[str] = []
        said = normal(text).removesuffix("不")  # “能停车不” asks what “能停车吗” asks
        at = 0
        while at < len(said):
            name = self._here(said, at) if said[at] in self._first else ""
            if name:
                found += words("".join(rest))
                rest = []
                found.append(self._name[name])
                at += len(name)
            else:
                rest.append(said[at])
                at += 1
        found += words("".join(rest))
        return [word for word in found if word not in _STOP] or found

    def _here(self, said: str, at: int) -> str:
        for length in range(min(self._longest, len(said) - at), 0, -1):
            piece = said[at : at + length]
            if piece in self._name and _stands_alone(said, at, at + length):
                return piece
        return ""


def _stands_alone(said: str, start: int, end: int) -> bool:
    """A Latin word is not part of a longer one."""
    before = start > 0 and said[start - 1].isascii() and said[start - 1].isalnum() and said[start].isascii()
    after = end < len(said) and said[end].isascii() and said[end].isalnum() and said[end - 1].isascii()
    return not before and not after


class Matcher:
    """A shop's questions, ready to be asked. Immutable."""

    def __init__(self, faqs: Sequence[Faq], lessons: Sequence[Lesson], settings: AnswerSettings) -> None:
        self._sure, self._unsure = settings.sure, settings.unsure
        self.words = Words(settings.synonyms)
        self._questions = {one.id: one.question for one in faqs if one.on}
        self._exact: dict[str, str] = {}
        self._doubted: set[tuple[str, str]] = set()
        self._wordings: list[Wording] = []
        for faq in faqs:
            if faq.on:
                for text in (faq.question, *faq.similar, *filter(None, (faq.question_en,))):
                    self._add(faq.id, text)
        for lesson in lessons:
            if lesson.faq_id in self._questions:
                self._learn(lesson)
        self._having: dict[str, list[int]] = defaultdict(list)
        for number, wording in enumerate(self._wordings):
            for term in wording.terms:
                self._having[term].append(number)
        # A shop with three questions has no rare words yet: as if there were thirty.
        count = max(len(self._wordings), _LEAST)
        self._average = sum(one.length for one in self._wordings) / max(1, len(self._wordings))
        self._weight: Mapping[str, float] = {
            term: math.log(1 + (count - len(having) + 0.5) / (len(having) + 0.5))
            for term, having in self._having.items()
        }
        self._rarest = math.log(1 + (count + 0.5) / 0.5)

    def __len__(self) -> int:
        return len(self._wordings)

    def _add(self, faq_id: str, text: str) -> None:
        terms = Counter(self.words.of(text))
        if terms:
            self._exact.setdefault(normal(text), faq_id)
            self._wordings.append(Wording(faq_id, terms, terms.total()))

    def _learn(self, lesson: Lesson) -> None:
        said = says(balance(lesson))
        if said > 0:
            self._add(lesson.faq_id, lesson.text)
        elif said < 0:
            self._doubted.add((lesson.text, lesson.faq_id))

    def judge(self, text: str) -> Verdict:
        """What is meant by `text`, most likely first."""
        said = normal(text)
        ranked = self._ranked(said)
        likely = [one for one in ranked if one.confidence >= self._unsure]
        if not likely:
            return Verdict(sureness="unknown", candidates=tuple(ranked[:_MOST]))
        lead = likely[0].confidence - (likely[1].confidence if len(likely) > 1 else 0)
        exact = self._exact.get(said) == likely[0].faq_id and (said, likely[0].faq_id) not in self._doubted
        if exact or (likely[0].confidence >= self._sure and lead >= _LEAD):
            return Verdict(sureness="sure", candidates=tuple(likely[:_MOST]))
        return Verdict(sureness="unsure", candidates=tuple(likely[:_MOST]))

    def _ranked(self, said: str) -> list[Candidate]:
        asked = Counter(self.words.of(said))
        best: dict[str, tuple[int, float]] = {}
        for number in {number for term in asked for number in self._having.get(term, ())}:
            wording = self._wordings[number]
            found = (self._confidence(asked, wording), self._bm25(asked, wording))
            if found > best.get(wording.faq_id, (0, 0.0)):
                best[wording.faq_id] = found
        if said in self._exact:
            best[self._exact[said]] = (100, math.inf)
        for faq_id, (confidence, score) in best.items():
            if (said, faq_id) in self._doubted:
                best[faq_id] = (confidence * _DOUBTED // 100, score)
        order = sorted(best, key=lambda faq_id: (*(-one for one in best[faq_id]), faq_id))
        return [
            Candidate(faq_id=faq_id, question=self._questions[faq_id], confidence=best[faq_id][0])
            for faq_id in order
            if best[faq_id][0] > 0
        ]

    def _bm25(self, asked: Counter[str], wording: Wording) -> float:
        norm = _K1 * (1 - _B + _B * wording.length / self._average)
        return sum(
            self._weight[term] * wording.terms[term] * (_K1 + 1) / (wording.terms[term] + norm)
            for term in asked
            if term in wording.terms
        )

    def _confidence(self, asked: Counter[str], wording: Wording) -> int:
        """Geometric mean of how much of the text and how much of the question the shared words are."""
        shared = sum(self._weight[term] for term in asked if term in wording.terms)
        of_text = sum(self._weight.get(term, self._rarest) for term in asked)
        of_question = sum(self._weight[term] for term in wording.terms)
        if not shared:
            return 0
        return min(99, round(100 * math.sqrt((shared / of_text) * (shared / of_question))))
