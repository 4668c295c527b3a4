"""Use cases of a conversation: open, say, pull, sync. Every one asks first whether the person is in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal

from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.bus import Bus
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import rules, store
from octshop_rt.im.conversation.appender import Appender
from octshop_rt.im.conversation.contents import Cards, Contents
from octshop_rt.im.conversation.guarding import saying, vetted
from octshop_rt.im.conversation.marks import Marks
from octshop_rt.im.conversation.members import Members
from octshop_rt.im.conversation.model import (
    Appended,
    BuyersOpen,
    Conversation,
    Directory,
    Draft,
    Entry,
    NoConversation,
    Party,
    PrevMissing,
    StaffNote,
)
from octshop_rt.im.conversation.net import Mesh, Net
from octshop_rt.im.conversation.reader import Reader
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.media.service import Media
from octshop_rt.im.routing import Arrival, Hint, Routed, Router
from octshop_rt.im.wire.fields import Body, Context, EntryKind, Side, Visibility
from octshop_rt.im.wire.incoming import Pull, Send, Sync
from octshop_rt.im.wire.outgoing import Pulled, SignalOut, SyncedPage

Said = Callable[[Conversation, Entry], None]


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
        self._router = router
        self._directory = directory
        self._said: list[Said] = []
        self._contents = Contents(db, media, cards)
        self.members = Members(db, clock, ids, directory, self._contents.about)
        self.appender = Appender(db, clock, ids, self._committed)
        self.marks = Marks(db, bus, router, self.members, self.appender.tail)
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
        return await self.members.between(who.ids, shop_id, ctx)

    async def conversation(self, c: str) -> Conversation:
        """NoConversation if there is none. For the house itself: nobody is asked who they are."""
        found = await self.members.find(c)
        if found is None:
            raise NoConversation
        return found

    async def of_pair(self, buyer_id: str, shop_id: str) -> Conversation:
        """The buyer's conversation with that shop, made if there is none: for the house itself. NoSuchShop."""
        return await self.members.between((buyer_id,), shop_id, None)

    async def submit(self, who: Party, frame: Send, origin: str) -> asyncio.Future[Appended | DomainError]:
        """Queue what `who` says and return the outcome to come. Refusals that need no write are raised.

        Calls made one after another keep their order. Appended means: a majority has it on disk.
        """
        conversation, mine = await self.members.standing(who, frame.c)
        if frame.k == "note" and mine != "staff":
            raise StaffNote
        body = rules.content(frame.k, frame.b)
        if frame.re is not None or frame.k in rules.PROVED:
            body = await self._contents.proved(who, conversation, frame, body)
        wish = body
        if self._guard is not None and frame.k != "note":
            body = await vetted(self._db, self._guard, conversation, who, mine, frame, wish)
        await self.members.joined(frame.c, who.person_id, mine)
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
        if await self.members.find(c) is None:
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
            conversation = await self.members.find(one.c)
            if conversation is not None:
                for entry in await store.page(self._db, one.c, one.first, one.last, 1_000, newest=False):
                    yield conversation, entry

    async def signal(self, who: Party, c: str, kind: str, origin: str, text: str | None = None) -> None:
        """Typing: to everyone else in the conversation, now or never. What a buyer is writing (`preview`) is for the
        shop's side alone, as far as it might be said; what staff is writing is for nobody.
        """
        conversation, mine = await self.members.standing(who, c)
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
        _, mine = await self.members.standing(who, frame.c)
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
            self.members.remember(conversation)
        gone = [] if frame.cur else await self.members.gone(who, list(frame.heads))
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
            (entry, origin, where)
            for entry, origin in fresh
            if (where := self.members.known(entry.c)) is not None  # else forgotten meanwhile: the net delivers it
        ]
        self._router.entries([one for entry, origin, where in known for one in _routed(entry, where, origin)])
        for hear in self._said:
            for entry, _, where in known:
                hear(where, entry)

    async def _caught(self, missed: list[Entry]) -> None:
        for entry in missed:
            self.appender.heard(entry.c, entry.s)
            conversation = await self.members.find(entry.c)
            if conversation is not None:
                for one in _routed(entry, conversation):
                    self._router.here(one)
                for hear in self._said:
                    hear(conversation, entry)

    async def _heard_here(self, cs: Sequence[str]) -> set[str]:
        """Those of `cs` in which somebody connected to this node takes part."""
        await self.members.recall(cs)
        known = {c: self.members.known(c) for c in cs}
        return {c for c, found in known.items() if found is not None and self._router.holds(rules.rooms(found))}

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _said_as_guest(self, who: Buyer, frame: Send) -> asyncio.Future[Appended | DomainError] | None:
        """What was stored before the sign-in and not acked is not stored again under the member's id."""
        for guest_id in who.was:
            before = await store.by_client_id(self._db, frame.c, guest_id, frame.m)
            if before is not None:
                done: asyncio.Future[Appended | DomainError] = asyncio.get_running_loop().create_future()
                done.set_result(Appended(before, dup=True))
                return done
        return None


def _routed(entry: Entry, conversation: Conversation, origin: str = "") -> list[Routed]:
    """Where an entry goes. What is the shop's alone is told to each side in its own shape."""
    if entry.vis is None:
        return [Routed(entry.frame("staff"), rules.rooms(conversation), origin)]
    buyer, shop = rules.rooms(conversation)
    return [Routed(entry.frame("staff"), (shop,), origin), Routed(entry.frame("buyer"), (buyer,), origin)]
