"""What always holds of insight, for fsck and operators."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.core.clock import DAY, MINUTE, Clock
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.reading import Log, earliest_id
from octshop_rt.im.conversation.wiping import Wiper
from octshop_rt.im.desk.reading import CaseBook
from octshop_rt.im.insight import quality_store, rules, store, wording
from octshop_rt.im.insight.reports import Reports
from octshop_rt.im.insight.words import HOLDERS

_PAGE = 500


async def _findable(db: Database) -> AsyncIterator[Finding]:
    """F105: every word of the log older than two minutes is in the index, under exactly its tokens."""
    log = Log(db)
    at, end = "", earliest_id(await db.time() - 2 * MINUTE)
    while page := [entry for entry in await log.after(at, _PAGE) if entry.id < end]:
        at = page[-1].id
        conversations = await log.conversations(sorted({entry.c for entry in page}))
        have = {row.id: row for row in await store.found(db, [entry.id for entry in page])}
        for entry in page:
            conversation = conversations.get(entry.c)
            wanted = None if conversation is None else wording.row(conversation, entry)
            row = have.get(entry.id)
            if (row.tokens if row else ()) != (wanted.tokens if wanted else ()):
                yield Finding(
                    check="F105",
                    object_id=entry.id,
                    expected=f"{len(wanted.tokens) if wanted else 0} words in the index",
                    found=f"{len(row.tokens) if row else 0} words",
                )


async def _rated_cases(db: Database) -> AsyncIterator[Finding]:
    """F106: a rating is of a case that has ended, by its buyer."""
    cases = CaseBook(db)
    async for row in store.RATINGS.scan(db, {}):
        case = await cases.one(row.id)
        if case is None or case.ended_at is None or case.buyer_id != row.buyer_id:
            yield Finding(check="F106", object_id=row.id, expected="an ended case of this buyer", found="none")


async def _true_facts(db: Database) -> AsyncIterator[Finding]:
    """F107: kept facts are those that the log tells, where nothing of it was wiped."""
    cases, reports, log = CaseBook(db), Reports(db, Clock()), Log(db)
    async for row in store.KEPT.scan(db, {}):
        case = await cases.one(row.id)
        if case is None or case.ended_at is None:
            yield Finding(check="F107", object_id=row.id, expected="an ended case", found="none")
            continue
        keeping = await store.keeping(db, row.shop_id)
        if keeping is not None and keeping.wiped_until > case.opened_at:
            continue
        told = tuple(rules.happened(await reports.stretch(case), case.ended_at))
        if told != row.facts and await log.head(row.c):
            yield Finding(check="F107", object_id=row.id, expected=f"{len(told)} facts of the log", found="others")


async def _scored(db: Database) -> AsyncIterator[Finding]:
    """F108: a sheet's points are 100 and every score fits the sheet it was given by."""
    async for row in quality_store.CHECKS.scan(db, {}):
        if row.score is None:
            continue
        sheet = await quality_store.sheet(db, row.shop_id, row.sheet_version)
        most = sum(item.points for item in sheet.items) if sheet else 0
        if sheet is None or most != 100 or not 0 <= row.score <= most or len(row.marks) != len(sheet.items):
            yield Finding(check="F108", object_id=row.id, expected="a score of its sheet", found=str(row.score))


async def _forgotten(db: Database) -> AsyncIterator[Finding]:
    """F109: what a night has wiped lies nowhere any more, unless its conversation was in dispute that night."""
    log, wiper = Log(db), Wiper(db)
    for keeping in [one for one in await store.all_keeping(db) if one.wiped_until]:
        wanted = f"no words from before {keeping.wiped_until}"
        spared = await store.held_of(db, keeping.id, keeping.wiped_until + keeping.days * DAY)
        for holder in HOLDERS:
            for object_id in await holder.found(db, keeping.id, keeping.wiped_until, spared):
                yield Finding(check="F109", object_id=object_id, expected=wanted, found=f"words in {holder.name}")
        below: str | None = None
        while page := await log.of_shop(keeping.id, below, _PAGE):
            below = page[-1].id
            for c in [one.id for one in page if one.id not in spared]:
                for entry in await wiper.older(c, keeping.wiped_until, 1):
                    yield Finding(check="F109", object_id=entry.id, expected=wanted, found="words in the log")


CHECKS: tuple[Check, ...] = (
    Check(id="F105", text="what was said can be found, and nothing else", run=_findable),
    Check(id="F106", text="ratings are of ended cases, by their buyers", run=_rated_cases),
    Check(id="F107", text="kept facts of service are those the log tells", run=_true_facts),
    Check(id="F108", text="quality scores fit their sheets", run=_scored),
    Check(id="F109", text="what retention has wiped lies nowhere any more", run=_forgotten),
)
