"""Chinese and Latin text cut into words: for finding what was said and for matching questions. The only segmenter.

The dictionary (33 MiB, 0.14 s) is loaded at the first use or by `warm`, so a process that never searches never pays.
"""

from __future__ import annotations

import functools
import importlib
import re
import unicodedata
from typing import Protocol, cast

MOST_WORD = 64
_RUNS = re.compile(r"[a-z0-9]+|[\u3400-\u9fff]+")
_WORD = re.compile(r"[a-z0-9\u3400-\u9fff]+")
_HAN = re.compile(r"[\u3400-\u9fff]")


class _Segmenter(Protocol):
    def cut(self, text: str) -> list[str]: ...

    def cut_all(self, text: str) -> list[str]: ...

    def has_word(self, word: str) -> bool: ...


@functools.cache
def warm() -> _Segmenter:
    """Load the dictionary now. By name, because an import at the top would load it in every process."""
    return cast("_Segmenter", importlib.import_module("rjieba"))


def plain(text: str) -> str:
    """One spelling for comparing: full-width and compatibility forms folded, lower case, one blank between words."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def words(text: str) -> list[str]:
    """The words of `text` in order, with repeats, lower case, without punctuation."""
    return [word for piece in warm().cut(plain(text)) for word in _WORD.findall(piece)]


def index_tokens(text: str) -> frozenset[str]:
    """Under what a text is kept in an inverted index: every dictionary word in it, wherever it begins, every Chinese
    character, and every run of Latin letters and digits. How the sentence is cut does not matter, so nothing that
    `query_tokens` asks for is missed because a neighbour changed the cut.
    """
    found: set[str] = set()
    for run in _RUNS.findall(plain(text)):
        if _HAN.match(run):
            found.update(warm().cut_all(run))
            found.update(run)
        else:
            found.add(run[:MOST_WORD])
    return frozenset(found)


def query_tokens(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """What a search for `text` must find in an index: (whole tokens, beginnings of tokens).

    Necessary, not sufficient: a word that is in no dictionary is asked for by its characters, so `holds` decides.
    """
    whole: set[str] = set()
    beginnings: set[str] = set()
    for word in words(text):
        for run in _RUNS.findall(word):
            if not _HAN.match(run):
                beginnings.add(run[:MOST_WORD])
            elif warm().has_word(run):
                whole.add(run)
            else:
                whole.update(run)
    return frozenset(whole), frozenset(beginnings)


def holds(text: str, query: str) -> bool:
    """Whether every word of `query` stands in `text`."""
    inside = plain(text)
    return all(word in inside for word in words(query))


def marks(text: str, query: str) -> list[tuple[int, int]]:
    """Where the words of `query` stand in `text`: (start, end) in characters, ascending, apart from each other.

    Of the text as it is written; where folding it changes its length, the words are looked for as they are.
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    inside = folded if len(folded) == len(text) else text.lower() if len(text.lower()) == len(text) else text
    spans: list[tuple[int, int]] = []
    for word in set(words(query)):
        at = inside.find(word)
        while at >= 0:
            spans.append((at, at + len(word)))
            at = inside.find(word, at + len(word))
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
