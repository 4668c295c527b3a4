"""What always holds of conversations: for fsck, fault tests and operators."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.core.clock import DAY, MINUTE
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import rules, store
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.media import checks as media_checks
from octshop_rt.im.wire.fields import Body

LATE_MS = 15 * MINUTE  # as the outbox has it: by then a promise is kept


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
    """F5: whoever said something was a member, on that side. Whether another buyer's id is the same person: F78."""
    members: set[tuple[str, str]] = set()
    last = ""
    for author in await store.authors(db):
        if author.c != last:
            last = author.c
            members = {(row.u, row.role) for row in await store.memberships(db, [author.c])}
        stranger = author.fr not in {"system", "bot"} and (author.f, author.fr) not in members
        if stranger:
            yield Finding(check="F5", object_id=author.c, expected="a member", found=f"{author.fr} {author.f}")


async def other_buyers(db: Database) -> AsyncIterator[tuple[str, str, str]]:
    """(conversation, its buyer, another who has spoken as the buyer): only a guest who became a member may have two."""
    for author in await store.authors(db):
        if author.fr != "buyer":
            continue
        conversation = await store.conversation(db, author.c)
        if conversation is not None and conversation.buyer_id != author.f:
            yield author.c, conversation.buyer_id, author.f


async def _true_hash(db: Database) -> AsyncIterator[Finding]:
    """F6: the hash that guards a repeated id is that of what is stored, unless that was edited or recalled since."""
    async for entry in store.ENTRIES.scan(db, {}, sort=[("c", 1), ("s", 1)]):
        changed = entry.k == "void" or entry.ed is not None or entry.rc is not None
        if not changed and entry.h != rules.fingerprint(entry.k, entry.b, entry.re):
            yield Finding(check="F6", object_id=entry.id, expected="its content's hash", found=entry.h)


async def _recalled_is_empty(db: Database) -> AsyncIterator[Finding]:
    """F7: nothing of a recalled entry is left, and all were told."""
    now = await db.time()
    async for entry in store.ENTRIES.scan(db, {}):
        if entry.rc is None:
            continue
        held = await media_checks.hold_of(db, entry.c, entry.f, entry.m)
        if entry.b != Body() or held is not None:
            yield Finding(check="F7", object_id=entry.id, expected="nothing", found="content or a held file")
        told = await store.by_client_id(db, entry.c, "system", f"recalled-{entry.s}-{entry.rc}")
        if told is None and now - (entry.rc or 0) > LATE_MS:
            yield Finding(check="F7", object_id=entry.id, expected="an event that tells of it", found="none")


async def _shown_files_are_held(db: Database) -> AsyncIterator[Finding]:
    """F8: what an entry shows is held by it and there."""
    async for entry in store.ENTRIES.scan(db, {}):
        if entry.b.file is None:
            continue
        held = await media_checks.hold_of(db, entry.c, entry.f, entry.m)
        if held is None or held.file_id != entry.b.file or not await media_checks.is_there(db, held.file_id):
            yield Finding(check="F8", object_id=entry.id, expected=f"file {entry.b.file}", found="none")


async def _holds_have_entries(db: Database) -> AsyncIterator[Finding]:
    """F9: what holds a file was said; a send that was never settled is cleared up within a day and a bit."""
    now = await db.time()
    async for held in media_checks.held(db):
        late = now - held.at > 2 * DAY
        if late and await store.by_client_id(db, held.c, held.f, held.m) is None:
            yield Finding(check="F9", object_id=held.id, expected="an entry", found=f"none for {held.m}")


CHECKS: tuple[Check, ...] = (
    Check(id="F1", text="numbers of a conversation are 1, 2, 3… without gaps or repeats", run=_contiguous),
    Check(id="F2", text="a sender's client id stands once in a conversation", run=_said_once),
    Check(id="F3", text="every entry belongs to an existing conversation", run=_known_conversation),
    Check(id="F4", text="read marks stay within the log", run=_read_within),
    Check(id="F5", text="every author was a member of the conversation, on that side", run=_members_speak),
    Check(id="F6", text="an entry's hash is that of its content", run=_true_hash),
    Check(id="F7", text="nothing is left of what was recalled, and everybody was told", run=_recalled_is_empty),
    Check(id="F8", text="every file an entry shows is held and there", run=_shown_files_are_held),
    Check(id="F9", text="every held file was really sent", run=_holds_have_entries),
)
