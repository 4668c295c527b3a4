"""Which conversations there are, who is in them and on which side; what this node has asked once it keeps at hand."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence

from octshop_rt.core.clock import Clock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.im.conversation import rules, store
from octshop_rt.im.conversation.model import (
    Conversation,
    Directory,
    Membership,
    NoConversation,
    NoSuchShop,
    Party,
    ShopFacts,
)
from octshop_rt.im.wire.fields import Context, Side

MOST_KNOWN = 50_000

About = Callable[[str, str, Context], Awaitable[Context | None]]


class Members:
    """A conversation never changes sides, so what is at hand stays true. `about(buyer_id, shop_id, ctx)` says what is
    true of where a buyer says to come from: agents read it.
    """

    def __init__(self, db: Database, clock: Clock, ids: Ids, directory: Directory, about: About) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._directory = directory
        self._about = about
        self._known: dict[str, Conversation] = {}
        self._joined: set[tuple[str, str]] = set()

    async def standing(self, who: Party, c: str) -> tuple[Conversation, Side]:
        """The conversation and the side of `who`, asked for every frame. NoConversation for outsiders."""
        conversation = self._known.get(c) or await self.find(c)
        mine = None if conversation is None else rules.side(who, conversation)
        if conversation is None or mine is None:
            raise NoConversation
        return conversation, mine

    async def gone(self, who: Party, cs: Sequence[str]) -> list[str]:
        """Those of `cs` that `who` is not in (any more)."""
        await self.recall(cs)
        known = {c: self._known.get(c) for c in cs}
        return [c for c, found in known.items() if found is None or rules.side(who, found) is None]

    async def between(self, ids: Sequence[str], shop_id: str, ctx: Context | None) -> Conversation:
        """A buyer's conversation with a shop, made if there is none. `ids`: the buyer's own, then those of the guests
        they were. NoSuchShop.
        """
        buyer_id = ids[0]
        found = rules.goes_on(await store.of_people(self._db, ids, [shop_id]))
        if found is None:
            shop = await self._directory.shop(shop_id)
            if shop is None:
                raise NoSuchShop
            proved = None if ctx is None else await self._about(buyer_id, shop_id, ctx)
            found = await self._make(buyer_id, shop, proved)
        self.remember(found)
        await self._join(found.id, buyer_id, "buyer")
        return found

    async def joined(self, c: str, person_id: str, mine: Side) -> None:
        """A membership row before the first word, so that every author of the log was a member."""
        if (c, person_id) not in self._joined:
            await self._join(c, person_id, mine)

    # --- at hand ------------------------------------------------------------------------------------------------------

    def known(self, c: str) -> Conversation | None:
        """If it is at hand."""
        return self._known.get(c)

    async def find(self, c: str) -> Conversation | None:
        """At hand or asked for."""
        conversation = self._known.get(c) or await store.conversation(self._db, c)
        if conversation is not None:
            self.remember(conversation)
        return conversation

    async def recall(self, cs: Sequence[str]) -> None:
        """Read those that are not at hand, in one question."""
        for conversation in await store.conversations(self._db, [c for c in cs if c not in self._known]):
            self.remember(conversation)

    def remember(self, conversation: Conversation) -> None:
        """Keep it at hand; whichever has been there longest makes room."""
        if len(self._known) >= MOST_KNOWN and conversation.id not in self._known:
            del self._known[next(iter(self._known))]
        self._known[conversation.id] = conversation

    # --- inside -------------------------------------------------------------------------------------------------------

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
        row = Membership(id=self._ids.new("Z"), c=c, u=person_id, role=mine, read_seq=0, at=self._clock.now())
        with contextlib.suppress(DuplicateKey):  # another request of the same person was faster
            await store.join(self._db, row)
        if len(self._joined) >= MOST_KNOWN:
            self._joined.clear()
        self._joined.add((c, person_id))
