"""What an entry shows beyond its author's own words: quotes, cards, files. Each is proved before it is said."""

from __future__ import annotations

from typing import Protocol, cast

from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import rules, store
from octshop_rt.im.conversation.model import Conversation, NoSuchThing, NotQuotable, Party
from octshop_rt.im.media.model import NoFile, Owner, Place
from octshop_rt.im.media.service import Media
from octshop_rt.im.wire.fields import Body, CardKind, Context, MediaKind
from octshop_rt.im.wire.incoming import Send


class Cards(Protocol):
    """What chat asks of the wings that keep things cards can show."""

    async def card(self, who: Party, conversation: Conversation, kind: CardKind, thing_id: str) -> Body | None:
        """A snapshot of the thing as it is now; None unless `who` may show it to the other side of `conversation`."""
        ...

    async def about(self, buyer_id: str, shop_id: str, ctx: Context) -> Context | None:
        """What a buyer says to come from, by its own name; None if there is no such thing, or it is not this shop's or
        not this buyer's.
        """
        ...


class Contents:
    """Proves content. Without cards or media (a node of chat alone) their kinds are refused."""

    def __init__(self, db: Database, media: Media | None, cards: Cards | None) -> None:
        self._db = db
        self.media = media
        self._cards = cards

    async def about(self, buyer_id: str, shop_id: str, ctx: Context) -> Context | None:
        """What is true of where the buyer says to come from; what cannot be proved is not kept."""
        return None if self._cards is None else await self._cards.about(buyer_id, shop_id, ctx)

    async def proved(self, who: Party, conversation: Conversation, frame: Send, body: Body) -> Body:
        """The body as it will be stored. NotQuotable, NoSuchThing, NoFile, ShopIsFull.

        What was said before under this client id is not judged again: a quoted entry may be recalled meanwhile, a
        product be gone, and the answer must still be the first one's. The log gives it.
        """
        if await store.by_client_id(self._db, frame.c, who.person_id, frame.m) is not None:
            return body
        if frame.re is not None and not rules.quotable(await store.entry(self._db, frame.c, frame.re), frame.k):
            raise NotQuotable
        if frame.k in rules.CARDS:
            return await self._card(who, conversation, cast("CardKind", frame.k), body)
        if frame.k in rules.MEDIA:
            return await self._file(who, conversation, frame, body)
        return body

    async def _card(self, who: Party, conversation: Conversation, kind: CardKind, body: Body) -> Body:
        assert body.id is not None
        card = None if self._cards is None else await self._cards.card(who, conversation, kind, body.id)
        if card is None:
            raise NoSuchThing
        return card

    async def _file(self, who: Party, conversation: Conversation, frame: Send, body: Body) -> Body:
        assert body.file is not None
        if self.media is None:
            raise NoFile
        if isinstance(who, Buyer):
            owner = Owner(person_id=who.person_id, side="buyer", guest=who.guest, was=who.was)
        else:
            owner = Owner(person_id=who.person_id, side="staff", shop_id=conversation.shop_id)
        place = Place(
            c=conversation.id,
            f=who.person_id,
            m=frame.m,
            buyer_id=conversation.buyer_id,
            shop_id=conversation.shop_id,
        )
        return await self.media.hold(owner, cast("MediaKind", frame.k), body.file, place)


async def was_said(db: Database, c: str, f: str, m: str) -> bool:
    """Whether that entry stands in the log with its content."""
    try:
        entry = await store.by_client_id(db, c, f, m)
    except DomainError:
        return True  # the store is away: doubt keeps
    return entry is not None and entry.rc is None
