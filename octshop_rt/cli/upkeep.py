"""Commands that look after an installation: indexes, outbox, fsck, secrets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from octshop_rt.cli.place import database
from octshop_rt.cli.words import FileTrouble, err, out, say
from octshop_rt.core import fsck, mongo, outbox
from octshop_rt.core.clock import as_datetime
from octshop_rt.core.crypto import Secrets
from octshop_rt.core.errors import NotFound
from octshop_rt.core.fsck import Check

CLEAN, VIOLATED, UNABLE = 0, 1, 2


async def make_indexes(config: Path | None, data: Path) -> int:
    """Create what is missing. The only command that does."""
    async with database(config, data) as db:
        declared = await db.create_indexes(mongo.declared)
    out.print(say(f"{declared} 个索引已就绪", f"{declared} indexes are in place"))
    return 0


async def list_outbox(config: Path | None, data: Path) -> int:
    """How many events wait, and each parked one with its reason. 1 if any is parked."""
    async with database(config, data) as db:
        counts = await outbox.counts(db, now=await db.time())
        parked = await outbox.parked(db)
    words = say("到期 {due}，未到期 {later}，搁置 {parked}", "{due} due, {later} later, {parked} parked")
    out.print(words.format(**counts))
    if parked:
        table = Table("id", say("事件", "event"), say("尝试", "tries"), say("到期", "due"), say("原因", "reason"))
        for row in parked:
            due = as_datetime(row.due_at).isoformat(timespec="seconds")
            table.add_row(row.id, row.type, str(row.tries), due, escape(row.error))
        out.print(table)
    return 1 if parked else 0


async def retry_event(config: Path | None, data: Path, event_id: str) -> int:
    """Put a parked event back to work."""
    async with database(config, data) as db:
        if not await outbox.retry(db, event_id, now=await db.time()):
            raise NotFound
    out.print(say(f"{event_id} 将重新投递", f"{event_id} will be delivered again"))
    return 0


async def park_event(config: Path | None, data: Path, event_id: str, reason: str) -> int:
    """Take a waiting event out of the way until somebody retries it."""
    async with database(config, data) as db:
        row = await outbox.ROWS.one(db, {"_id": event_id, "state": "waiting"})
        if row is None:
            raise NotFound
        await outbox.park(db, row, error=reason)
    out.print(say(f"{event_id} 已搁置", f"{event_id} is parked"))
    return 0


async def check_all(config: Path | None, data: Path, checks: Sequence[Check], only: Sequence[str]) -> int:
    """0 clean, 1 violations (each printed), 2 could not look."""
    chosen = [check for check in checks if not only or check.id in only]
    if not chosen:
        err.print(say(f"没有这样的检查:{', '.join(only)}", f"no such check: {', '.join(only)}"))
        return UNABLE
    async with database(config, data) as db:
        report = await fsck.examine(db, chosen)
    for finding in report.findings:
        words = say("应为 {expected}，实为 {found}", "expected {expected}, found {found}")
        text = words.format(expected=finding.expected, found=finding.found)
        out.print(f"{finding.check}  {finding.object_id}: {text}", markup=False)
    words = say("{checks} 项检查，{bad} 处不符", "{checks} checks, {bad} violations")
    out.print(words.format(checks=report.checks, bad=len(report.findings)))
    return CLEAN if report.clean else VIOLATED


def make_secret(path: Path) -> int:
    """A new root secret in a 0600 file; an existing one is never touched."""
    if path.exists():
        raise FileTrouble(path=str(path), why=say("文件已存在", "it exists already"))
    Secrets.load(path, create=True)
    out.print(say(f"已写入 {path}", f"wrote {path}"))
    return 0
