"""Use cases of a conversation: open, say, read, pull, sync. Every one asks first whether the person is in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Literal

from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.bus import Bus
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.im.conversation import rules, store
from octshop_rt.im.conversation.appender import Appender
from octshop_rt.im.conversation.contents import Cards, Contents
from octshop_rt.im.conversation.guarding import saying, vetted
from octshop_rt.im.conversation.model import (
    Appended,
    BuyersOpen,
    Conversation,
    Directory,
    Draft,
    Entry,
    Membership,
    NoConversation,
    NoSuchShop,
    Party,
    PrevMissing,
    ShopFacts,
    StaffNote,
)
from octshop_rt.im.conversation.net import Mesh, Net
from octshop_rt.im.conversation.reader import Reader
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.media.service import Media
from octshop_rt.im.routing import Arrival, Hint, Routed, Router
from octshop_rt.im.wire.fields import Body, Context, EntryKind, Side, Visibility
from octshop_rt.im.wire.incoming import Pull, Send, Sync
from octshop_rt.im.wire.outgoing import Cur, Pulled, SignalOut, SyncedPage

Said = Callable[[Conversation, Entry], None]

_MOST_KNOWN = 50_000
_MOST_TOLD = 20  # delivery marks passed on from one ACK


class Conversations:
    """The conversation domain of one node. `start` before use, `stop` flushes what was accepted."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        ids: Ids,
        bus: Bus,
        router: Router,
        directory: Directory,
        *,
        mesh: Mesh | None = None,
        media: Media | None = None,
        cards: Cards | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._db = db
        self._guard = guard
        self._clock = clock
        self._ids = ids
        self._router = router
        self._directory = directory
        self._known: dict[str, Conversation] = {}
        self._joined: set[tuple[str, str]] = set()
        self._reached: dict[tuple[str, Side], int] = {}  # received by somebody of that side, as this node has told
        bus.on_gap(self._reached.clear)  # what was told may not have come
        self._said: list[Said] = []
        self._contents = Contents(db, media, cards)
        self.appender = Appender(db, clock, ids, self._committed)
        self.net = Net(db, clock, bus, router.delivered, self._caught, self._heard_here, mesh or Mesh())
        self._reader = Reader(db, clock, ids, directory.shop_names, directory.buyer_names)

    def on_said(self, hear: Said) -> None:
        """`hear(conversation, entry)` is called for every entry this node appends, and for those the net finds: at
        least once in the house while nodes live, perhaps on several of them. It must not wait.
        """
        self._said.append(hear)

    def start(self, on_arrival: Callable[[Arrival], None]) -> None:
        """Listen to the other nodes and let down the net."""
        if self._guard is not None:
            self._guard.start()
        self._router.start(self.appender.heard, on_arrival)
        self.net.start()

    async def stop(self) -> None:
        """Settle what was accepted (at most ten seconds), then stop listening."""
        await self.appender.drain(10)
        await self.net.stop()
        await self._router.stop()
        if self._guard is not None:
            await self._guard.stop()

    # --- use cases ----------------------------------------------------------------------------------------------------

    async def open(self, who: Party, shop_id: str, ctx: Context | None) -> Conversation:
        """The buyer's conversation with that shop; made at the first time, found ever after."""
        if not isinstance(who, Buyer):
            raise BuyersOpen
        return await self._between(who.ids, shop_id, ctx)

    async def conversation(self, c: str) -> Conversation:
        """NoConversation if there is none. For the house itself: nobody is asked who they are."""
        found = await self._find(c)
        if found is None:
            raise NoConversation
        return found

    async def of_pair(self, buyer_id: str, shop_id: str) -> Conversation:
        """The buyer's conversation with that shop, made if there is none: for the house itself. NoSuchShop."""
        return await self._between((buyer_id,), shop_id, None)

    async def submit(self, who: Party, frame: Send, origin: str) -> asyncio.Future[Appended | DomainError]:
        """Queue what `who` says and return the outcome to come. Refusals that need no write are raised.

        Calls made one after another keep their order. Appended means: a majority has it on disk.
        """
        conversation, mine = await self.standing(who, frame.c)
        if frame.k == "note" and mine != "staff":
            raise StaffNote
        body = rules.content(frame.k, frame.b)
        if frame.re is not None or frame.k in rules.PROVED:
            body = await self._contents.proved(who, conversation, frame, body)
        wish = body
        if self._guard is not None and frame.k != "note":
            body = await vetted(self._db, self._guard, conversation, who, mine, frame, wish)
        if (frame.c, who.person_id) not in self._joined:
            await self._join(frame.c, who.person_id, mine)
        if frame.p is not None and not self.appender.knows((frame.c, who.person_id, frame.p)):
            before = await store.by_client_id(self._db, frame.c, who.person_id, frame.p)
            if before is None:
                raise PrevMissing
        if isinstance(who, Buyer) and (said := await self._said_as_guest(who, frame)) is not None:
            return said
        return self.appender.submit(
            Draft(
                c=conversation.id,
                f=who.person_id,
                fr=mine,
                m=frame.m,
                k=frame.k,
                b=body,
                h=rules.fingerprint(frame.k, body, frame.re),
                re=frame.re,
                vis=rules.visibility(frame.k),
                origin=origin if body is wish else "",  # with stars in it, the sender must see it as it was stored
            )
        )

    async def worded(self, conversation: Conversation, who: Party, mine: Side, text: str) -> str:
        """A text that is to take the place of another, as it may be stored. The guard's refusals fly out."""
        if self._guard is None:
            return text
        judged = await self._guard.judge(saying(conversation, who.person_id, mine, Body(text=text), who))
        return judged.texts[0]

    async def say(
        self,
        c: str,
        *,
        fr: Literal["bot", "system"],
        f: str,
        m: str,
        k: EntryKind,
        b: Body,
        vis: Visibility | None = None,
    ) -> Appended:
        """Append what the house itself says: an automatic answer, an event. `m` makes a repetition the same entry.

        NoConversation; Busy or UnknownOutcome are raised: say it again with the same `m`.
        """
        if await self._find(c) is None:
            raise NoConversation
        draft = Draft(c=c, f=f, fr=fr, m=m, k=k, b=b, h=rules.fingerprint(k, b, None), vis=vis)
        outcome = await self.appender.submit(draft)
        if isinstance(outcome, DomainError):
            raise outcome
        return outcome

    async def entry(self, c: str, s: int) -> Entry | None:
        """One entry as it is stored. For the house itself: nobody is asked who they are."""
        found = await store.page(self._db, c, s, s, 1, newest=False)
        return found[0] if found else None

    async def written_since(self, moment: Millis) -> AsyncIterator[tuple[Conversation, Entry]]:
        """Every entry written since, in no order of conversations; for the house itself, after a crash."""
        for one in await store.written_since(self._db, moment):
            conversation = await self._find(one.c)
            if conversation is not None:
                for entry in await store.page(self._db, one.c, one.first, one.last, 1_000, newest=False):
                    yield conversation, entry

    async def read(self, who: Party, c: str, s: int, origin: str) -> None:
        """Move the reader's mark, never back and never beyond the log, and tell everyone in the conversation."""
        conversation, mine = await self.standing(who, c)
        known = self.appender.tail(c)
        if s > known:
            s = min(s, await store.tail(self._db, c))
        if s < 1:
            return
        if (c, who.person_id) not in self._joined:
            await self._join(c, who.person_id, mine)
        if await store.mark_read(self._db, c, who.person_id, s):
            cursor = Cur(c=c, u=who.person_id, fr=mine, r=s)
            self._router.hint(Hint(cursor, rules.rooms(conversation), origin))

    async def received(self, who: Party, heads: Mapping[str, int], origin: str) -> None:
        """Tell the other side, once, that somebody of this one has received so much. Passing, not stored.

        Not each by each and not one's own side: a line to a thousand agents would make a million of these.
        """
        for c, head in list(heads.items())[:_MOST_TOLD]:
            conversation, mine = await self.standing(who, c)
            s = head
            if s > self._reached.get((c, mine), 0) and self._router.delivered.lacks(c, s, s):
                s = min(s, await store.tail(self._db, c))  # not from here: perhaps beyond the log
            if s <= self._reached.get((c, mine), 0):
                continue
            if len(self._reached) >= _MOST_KNOWN:
                self._reached.clear()
            self._reached[c, mine] = s
            buyer, shop = rules.rooms(conversation)
            cursor = Cur(c=c, u=who.person_id, fr=mine, d=s)
            self._router.hint(Hint(cursor, (shop if mine == "buyer" else buyer,), origin))

    async def signal(self, who: Party, c: str, kind: str, origin: str, text: str | None = None) -> None:
        """Typing: to everyone else in the conversation, now or never. What a buyer is writing (`preview`) is for the
        shop's side alone, as far as it might be said; what staff is writing is for nobody.
        """
        conversation, mine = await self.standing(who, c)
        if mine == "buyer":
            try:
                text = await self.worded(conversation, who, mine, text or "")
            except DomainError:  # nobody listens, or not to this
                return
        buyer, shop = rules.rooms(conversation)
        if kind == "typing":
            self._router.hint(Hint(SignalOut(c=c, u=who.person_id, fr=mine, k=kind), (buyer, shop), origin))
        elif mine == "buyer":
            frame = SignalOut(c=c, u=who.person_id, fr=mine, k=kind, d=rules.preview(text or ""))
            self._router.hint(Hint(frame, (shop,), origin))

    async def pull(self, who: Party, frame: Pull) -> Pulled:
        """A page of the log without holes."""
        _, mine = await self.standing(who, frame.c)
        return await self._reader.pull(frame, mine)

    async def page(self, frame: Pull, mine: Side) -> Pulled:
        """The same for the house itself, which has asked who may see it."""
        return await self._reader.pull(frame, mine)

    async def sync(self, who: Party, frame: Sync) -> SyncedPage:
        """A page of everything `who` is in, with what is newer than the client's heads."""
        if isinstance(who, Buyer):
            page = await store.of_buyer(self._db, who.ids, frame.cur, frame.lim + 1)
        else:
            page = await store.of_shops(self._db, rules.chat_shops(who), frame.cur, frame.lim + 1)
        for conversation in page:
            self._remember(conversation)
        gone = [] if frame.cur else await self._gone(who, list(frame.heads))
        return await self._reader.synced(who, frame, page, gone, await self._earlier(who, page))

    async def _earlier(self, who: Party, page: Sequence[Conversation]) -> dict[str, list[str]]:
        """What came before, of those on this page: a person's talk as a guest and as a member is one history."""
        if isinstance(who, Buyer):
            same = dict.fromkeys(who.ids, who.ids) if who.was else {}
        else:
            same = dict(await self._directory.known_as(sorted({one.buyer_id for one in page}))) if page else {}
            same |= {one: ids for ids in list(same.values()) for one in ids}
        if not same:
            return {}
        shops = sorted({one.shop_id for one in page})
        return rules.one_history(await store.of_people(self._db, sorted(same), shops), same)

    # --- delivery -----------------------------------------------------------------------------------------------------

    def _committed(self, fresh: Sequence[tuple[Entry, str]]) -> None:
        known = [
            (entry, origin, self._known[entry.c])
            for entry, origin in fresh
            if entry.c in self._known  # else forgotten between queue and commit: the net delivers it
        ]
        self._router.entries([one for entry, origin, where in known for one in _routed(entry, where, origin)])
        for hear in self._said:
            for entry, _, where in known:
                hear(where, entry)

    async def _caught(self, missed: list[Entry]) -> None:
        for entry in missed:
            self.appender.heard(entry.c, entry.s)
            conversation = await self._find(entry.c)
            if conversation is not None:
                for one in _routed(entry, conversation):
                    self._router.here(one)
                for hear in self._said:
                    hear(conversation, entry)

    async def _heard_here(self, cs: Sequence[str]) -> set[str]:
        """Those of `cs` in which somebody connected to this node takes part."""
        await self._recall(cs)
        return {c for c in cs if c in self._known and self._router.holds(rules.rooms(self._known[c]))}

    # --- inside -------------------------------------------------------------------------------------------------------

    async def standing(self, who: Party, c: str) -> tuple[Conversation, Side]:
        """The conversation and the side of `who`, asked for every frame. NoConversation for outsiders."""
        conversation = self._known.get(c) or await self._find(c)
        mine = None if conversation is None else rules.side(who, conversation)
        if conversation is None or mine is None:
            raise NoConversation
        return conversation, mine

    async def _said_as_guest(self, who: Buyer, frame: Send) -> asyncio.Future[Appended | DomainError] | None:
        """What was stored before the sign-in and not acked is not stored again under the member's id."""
        for guest_id in who.was:
            before = await store.by_client_id(self._db, frame.c, guest_id, frame.m)
            if before is not None:
                done: asyncio.Future[Appended | DomainError] = asyncio.get_running_loop().create_future()
                done.set_result(Appended(before, dup=True))
                return done
        return None

    async def _gone(self, who: Party, cs: Sequence[str]) -> list[str]:
        """Conversations the client has and `who` is not in (any more)."""
        await self._recall(cs)
        known = {c: self._known.get(c) for c in cs}
        return [c for c, found in known.items() if found is None or rules.side(who, found) is None]

    async def _find(self, c: str) -> Conversation | None:
        conversation = self._known.get(c) or await store.conversation(self._db, c)
        if conversation is not None:
            self._remember(conversation)
        return conversation

    async def _recall(self, cs: Sequence[str]) -> None:
        """Read those that this node does not know."""
        for conversation in await store.conversations(self._db, [c for c in cs if c not in self._known]):
            self._remember(conversation)

    def _remember(self, conversation: Conversation) -> None:
        if len(self._known) >= _MOST_KNOWN and conversation.id not in self._known:
            del self._known[next(iter(self._known))]
        self._known[conversation.id] = conversation

    async def _between(self, ids: Sequence[str], shop_id: str, ctx: Context | None) -> Conversation:
        """`ids`: the buyer's own, then those of the guests they were."""
        buyer_id = ids[0]
        found = rules.goes_on(await store.of_people(self._db, ids, [shop_id]))
        if found is None:
            shop = await self._directory.shop(shop_id)
            if shop is None:
                raise NoSuchShop
            found = await self._make(buyer_id, shop, ctx)
        self._remember(found)
        await self._join(found.id, buyer_id, "buyer")
        return found

    async def _make(self, buyer_id: str, shop: ShopFacts, ctx: Context | None) -> Conversation:
        row = Conversation(
            id=self._ids.new("C"),
            merchant_id=shop.merchant_id,
            shop_id=shop.id,
            buyer_id=buyer_id,
            created_at=self._clock.now(),
            ctx=ctx,
        )
        try:
            await store.add_conversation(self._db, row)
        except DuplicateKey:
            found = await store.between(self._db, buyer_id, shop.id)
            assert found is not None, "conversations are never deleted"
            return found
        return row

    async def _join(self, c: str, person_id: str, mine: Side) -> None:
        """A membership row before the first word, so that every author of the log was a member."""
        row = Membership(id=self._ids.new("Z"), c=c, u=person_id, role=mine, read_seq=0, at=self._clock.now())
        with contextlib.suppress(DuplicateKey):  # another request of the same person was faster
            await store.join(self._db, row)
        if len(self._joined) >= _MOST_KNOWN:
            self._joined.clear()
        self._joined.add((c, person_id))


def _routed(entry: Entry, conversation: Conversation, origin: str = "") -> list[Routed]:
    """Where an entry goes. What is the shop's alone is told to each side in its own shape."""
    if entry.vis is None:
        return [Routed(entry.frame("staff"), rules.rooms(conversation), origin)]
    buyer, shop = rules.rooms(conversation)
    return [Routed(entry.frame("staff"), (shop,), origin), Routed(entry.frame("buyer"), (buyer,), origin)]
