"""What always holds of conversations: for fsck, fault tests and operators."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import rules, store
from octshop_rt.im.conversation.model import Entry


async def _contiguous(db: Database) -> AsyncIterator[Finding]:
    """F1: counted by the server; only a conversation that is wrong is read, to name its first wrong number."""
    for log in await store.logs(db):
        if (log.first, log.last) == (1, log.count):
            continue
        expected = 1
        async for entry in store.ENTRIES.scan(db, {"c": log.c}, sort=[("s", 1)]):
            if entry.s != expected:
                yield Finding(check="F1", object_id=log.c, expected=f"seq {expected}", found=f"seq {entry.s}")
                break
            expected += 1


async def _said_once(db: Database) -> AsyncIterator[Finding]:
    """F2: through the index that forbids it, in case the index itself is missing."""
    before: Entry | None = None
    async for entry in store.ENTRIES.scan(db, {}, sort=[("c", 1), ("f", 1), ("m", 1)]):
        if before is not None and (before.c, before.f, before.m) == (entry.c, entry.f, entry.m):
            yield Finding(
                check="F2", object_id=entry.c, expected=f"one {entry.m}", found=f"seq {before.s} and {entry.s}"
            )
        before = entry


async def _known_conversation(db: Database) -> AsyncIterator[Finding]:
    """F3: an entry belongs to a conversation that exists."""
    for log in await store.logs(db):
        if await store.conversation(db, log.c) is None:
            yield Finding(check="F3", object_id=log.c, expected="a conversation", found=f"{log.count} entries without")


async def _read_within(db: Database) -> AsyncIterator[Finding]:
    """F4: nobody has read beyond the log."""
    async for row in store.MEMBERSHIPS.scan(db, {}):
        if row.read_seq and row.read_seq > (head := await store.tail(db, row.c)):
            yield Finding(check="F4", object_id=row.id, expected=f"read <= {head}", found=str(row.read_seq))


async def _members_speak(db: Database) -> AsyncIterator[Finding]:
    """F5: whoever said something was a member, on that side; the buyer is the conversation's buyer."""
    members: set[tuple[str, str]] = set()
    buyer = last = ""
    for author in await store.authors(db):
        if author.c != last:
            last = author.c
            members = {(row.u, row.role) for row in await store.memberships(db, [author.c])}
            conversation = await store.conversation(db, author.c)
            buyer = "" if conversation is None else conversation.buyer_id
        stranger = author.fr not in {"system", "bot"} and (author.f, author.fr) not in members
        if stranger or (author.fr == "buyer" and author.f != buyer):
            yield Finding(check="F5", object_id=author.c, expected="a member", found=f"{author.fr} {author.f}")


async def _true_hash(db: Database) -> AsyncIterator[Finding]:
    """F6: the hash that guards a repeated id is that of what is stored."""
    async for entry in store.ENTRIES.scan(db, {}, sort=[("c", 1), ("s", 1)]):
        if entry.k != "void" and entry.h != rules.fingerprint(entry.k, entry.b, entry.re):
            yield Finding(check="F6", object_id=entry.id, expected="its content's hash", found=entry.h)


CHECKS: tuple[Check, ...] = (
    Check(id="F1", text="numbers of a conversation are 1, 2, 3… without gaps or repeats", run=_contiguous),
    Check(id="F2", text="a sender's client id stands once in a conversation", run=_said_once),
    Check(id="F3", text="every entry belongs to an existing conversation", run=_known_conversation),
    Check(id="F4", text="read marks stay within the log", run=_read_within),
    Check(id="F5", text="every author was a member of the conversation, on that side", run=_members_speak),
    Check(id="F6", text="an entry's hash is that of its content", run=_true_hash),
)
