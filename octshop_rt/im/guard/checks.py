"""What always holds of the guard: for fsck and operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database
from octshop_rt.im.guard import rules, store
from octshop_rt.im.guard.model import MOST_PLATFORM_WORDS, MOST_WORDS, PLATFORM


async def _words(db: Database) -> AsyncIterator[Finding]:
    """F103: a book holds each word once, reads something in it, and is not over its limit."""
    async for book in store.BOOKS.scan(db, {}):
        counted = Counter(rules.plain(word.text) for word in book.words)
        for word, times in counted.items():
            if times > 1 or not word:
                yield Finding(check="F103", object_id=book.id, expected="each word once", found=f"{times} × “{word}”")
        most = MOST_PLATFORM_WORDS if book.id == PLATFORM else MOST_WORDS
        if len(book.words) > most:
            yield Finding(check="F103", object_id=book.id, expected=f"at most {most} words", found=str(len(book.words)))


async def _settled(db: Database) -> AsyncIterator[Finding]:
    """F104: a flag is settled by somebody at some time, or open."""
    async for flag in store.FLAGS.scan(db, {}):
        if (flag.state == "open") != (flag.settled_at is None) or (flag.state == "open") != (not flag.by):
            yield Finding(check="F104", object_id=flag.id, expected="settled by somebody, or open", found=flag.state)


CHECKS: tuple[Check, ...] = (
    Check(id="F103", text="a rule book holds each word once", run=_words),
    Check(id="F104", text="flagged entries are open or settled by somebody", run=_settled),
)
