"""Reading the log: pages without holes, and what changed since a client looked last."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct

from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.clock import Clock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.im.conversation import rules, store
from octshop_rt.im.conversation.model import Conversation, Entry, Membership, Party
from octshop_rt.im.wire.fields import Body, Side
from octshop_rt.im.wire.incoming import Pull, Sync
from octshop_rt.im.wire.outgoing import Peer, Pulled, Synced, SyncedPage

Names = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]

_AT_ONCE = 16  # conversations read in one question for one SYNC
_MOST_FILLED = 200


class _Look(Struct, frozen=True, kw_only=True):
    """What one SYNC asks of one conversation: entries from `first` (0: none) to `head`."""

    conversation: Conversation
    mine: Side
    head: int
    read: int
    peer_read: int
    known: int
    first: int


class Reader:
    """Reads for people who were already let in."""

    def __init__(self, db: Database, clock: Clock, ids: Ids, shop_names: Names, buyer_names: Names) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._shop_names = shop_names
        self._buyer_names = buyer_names

    async def pull(self, frame: Pull, side: Side) -> Pulled:
        """Entries from…to as `side` may see them, ascending, without a hole: the newest `n` if `rev`, else the
        oldest. Fewer when they are long, and `more` says so.
        """
        head = await store.tail(self._db, frame.c)
        first = max(1, frame.from_)
        last = head if frame.to is None else min(frame.to, head)
        if frame.rev:
            first_of_page = max(first, last - frame.n + 1)
            last_of_page = last
        else:
            first_of_page = first
            last_of_page = min(last, first + frame.n - 1)
        entries = await self.whole(frame.c, first_of_page, last_of_page)
        ents = [entry.frame(side) for entry in entries]
        fit = rules.newest_within(ents, rules.PAGE_BYTES) if frame.rev else rules.oldest_within(ents, rules.PAGE_BYTES)
        more = len(fit) < len(ents) or (first_of_page > first if frame.rev else last_of_page < last)
        return Pulled(i=frame.i, c=frame.c, ents=fit, min=1, head=head, more=more)

    async def synced(
        self,
        who: Party,
        frame: Sync,
        page: Sequence[Conversation],
        gone: list[str],
        earlier: Mapping[str, list[str]],
    ) -> SyncedPage:
        """One page of SYNC from `page`, which holds one conversation more than asked if there is another page.

        A buyer is told of `earlier` ones only as what came before; staff have cases in each.
        """
        hidden = {c for cs in earlier.values() for c in cs} if isinstance(who, Buyer) else set[str]()
        listed = [conversation for conversation in page[: frame.lim] if conversation.id not in hidden]
        more = len(page) > frame.lim
        heads = await store.heads(self._db, [conversation.id for conversation in listed])
        members: dict[str, list[Membership]] = {}
        for row in await store.memberships(self._db, [conversation.id for conversation in listed]):
            members.setdefault(row.c, []).append(row)
        buyer = isinstance(who, Buyer)
        if buyer:
            names = await self._shop_names(sorted({conversation.shop_id for conversation in listed}))
        else:
            # An opened conversation in which nothing was said yet is no news to the shop.
            listed = [conversation for conversation in listed if heads.get(conversation.id)]
            names = await self._buyer_names(sorted({conversation.buyer_id for conversation in listed}))
        found: list[Synced] = []
        room = rules.PAGE_BYTES
        for at in range(0, len(listed), _AT_ONCE):
            looks = [
                self._look(who, frame, one, heads.get(one.id, 0), members.get(one.id, ()))
                for one in listed[at : at + _AT_ONCE]
            ]
            pages, unread = await self._read(looks)
            for look in looks:
                c = look.conversation.id
                synced = _synced(look, frame, pages.get(c, []), unread.get(c), names, earlier.get(c, []))
                room -= sum(rules.weight(ent) for ent in synced.ents)
                if found and room < 0:  # the rest comes with the next page
                    return SyncedPage(i=frame.i, convs=found, gone=gone, done=False, cur=found[-1].c)
                found.append(synced)
        cur = page[frame.lim - 1].id if more else None
        return SyncedPage(i=frame.i, convs=found, gone=gone, done=not more, cur=cur)

    async def whole(self, c: str, first: int, last: int) -> list[Entry]:
        """Entries first…last with every number present, or the part below a hole that may still be filled.

        A hole can only come from a failover that rolled back a write others had built on. Once nothing can arrive
        there any more it is filled with a `void`, under the same unique index, so that the order stays gapless.
        """
        if last < first:
            return []
        entries = await store.page(self._db, c, first, last, last - first + 1, newest=False)
        gone = rules.missing(entries, first)
        if not gone:
            return entries
        if not rules.ripe(entries, gone, self._clock.now()):
            return rules.before_hole(entries, gone)
        await self._fill(c, gone[:_MOST_FILLED])
        filled = await store.page(self._db, c, first, last, last - first + 1, newest=False)
        gone = rules.missing(filled, first)
        return rules.before_hole(filled, gone) if gone else filled

    def _look(
        self, who: Party, frame: Sync, conversation: Conversation, head: int, members: Sequence[Membership]
    ) -> _Look:
        """What has to be read of one conversation for one SYNC."""
        mine: Side = "buyer" if isinstance(who, Buyer) else "staff"
        ids = who.ids if isinstance(who, Buyer) else (who.person_id,)
        known = frame.heads.get(conversation.id, 0)
        first = 0
        if head != known and head and frame.per:
            above = known if known < head else 0  # a client that knows more than we do starts over
            first = max(above + 1, head - frame.per + 1)
        return _Look(
            conversation=conversation,
            mine=mine,
            head=head,
            read=max((row.read_seq for row in members if row.u in ids), default=0),
            peer_read=max((row.read_seq for row in members if row.role == rules.other(mine)), default=0),
            known=known,
            first=first,
        )

    async def _read(self, looks: Sequence[_Look]) -> tuple[dict[str, list[Entry]], dict[str, int]]:
        """The pages, and the unread of those whose page does not tell, each in one question for all of them: a storm
        of clients who come back is bound by the number of questions (loadtests/im_storm.py).
        """
        pages = await store.pages(self._db, {one.conversation.id: (one.first, one.head) for one in looks if one.first})
        since: dict[str, int] = {}
        for one in looks:
            c = one.conversation.id
            entries = pages.get(c, [])
            if one.first and rules.missing(entries, one.first):
                entries = pages[c] = await self.whole(c, one.first, one.head)
            tells = bool(entries) and entries[0].s <= one.read + 1
            if one.head > one.read and not tells:
                since[c] = max(one.read, one.head - rules.MOST_LOOKED)
        mine: Side = looks[0].mine if looks else "buyer"
        return pages, await store.said_after(self._db, since, rules.heard_by(mine))

    async def _fill(self, c: str, gone: Sequence[int]) -> None:
        for s in gone:
            void = Entry(
                id=self._ids.new("E"), c=c, s=s, f="system", fr="system", m=f"void-{s}", k="void", b=Body(),
                ts=self._clock.now(), h="",
            )  # fmt: skip
            try:
                await store.append(self._db, [void])
            except DuplicateKey:  # another reader filled it
                continue


def _synced(
    look: _Look,
    frame: Sync,
    entries: Sequence[Entry],
    unread: int | None,
    names: Mapping[str, str],
    earlier: list[str],
) -> Synced:
    """`unread` as it was counted, None if `entries` tell it."""
    conversation, mine = look.conversation, look.mine
    if unread is None:
        unread = rules.unread(entries, look.read, mine)
    ents = rules.newest_within([entry.frame(mine) for entry in entries], rules.PER_CONVERSATION_BYTES)
    peer = conversation.shop_id if mine == "buyer" else conversation.buyer_id
    return Synced(
        c=conversation.id,
        head=look.head,
        read=look.read,
        peer_read=look.peer_read,
        unread=min(unread, rules.MOST_UNREAD),
        shop_id=conversation.shop_id,
        peer=Peer(id=peer, name=names.get(peer, "")),
        ctx=conversation.ctx,
        earlier=earlier,
        ents=ents,
        more=bool(ents) and ents[0].s > look.known + 1,
    )
