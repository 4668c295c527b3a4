"""fsck of identity: sessions make sense in themselves; what people and grants owe them is checked where they live."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.core.auth import store
from octshop_rt.core.auth.model import SPANS, Session
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database


async def living_sessions(db: Database) -> AsyncIterator[Session]:
    """Every session that would open a door now, streamed."""
    async for session in store.living(db, await db.time()):
        yield session


async def _spans(db: Database) -> AsyncIterator[Finding]:
    async for session in living_sessions(db):
        most = session.created_at + SPANS[session.audience].absolute
        if session.until > most or session.idle_until > session.until:
            yield Finding(
                check="F74",
                object_id=session.id,
                expected=f"ends by {most}",
                found=f"until {session.until}, idle until {session.idle_until}",
            )


CHECKS: tuple[Check, ...] = (Check(id="F74", text="No session outlives its audience's limit", run=_spans),)
