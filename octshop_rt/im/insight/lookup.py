"""A conversation read at any place, without a trace: around a line that was found, from the start of a case on."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import NotFound
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.reading import Log
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.insight import store
from octshop_rt.im.wire.incoming import Pull
from octshop_rt.im.wire.outgoing import Ent

PAGE = 50
_CONTEXT = 15  # lines before the one that was asked for


class Place(Struct, frozen=True, kw_only=True):
    """Where in the log: below a number, above one, around one, or from a moment on; without any, the newest."""

    before: int | None = None
    after: int | None = None
    around: int | None = None
    at: Millis | None = None


class Read(Struct, frozen=True, kw_only=True):
    """A page of a conversation, ascending."""

    c: str
    buyer_id: str
    ents: list[Ent]
    head: int
    held: bool


class Lookup:
    """For staff who may read the shop's conversations. No mark moves and nobody is told."""

    def __init__(self, db: Database, conversations: Conversations) -> None:
        self._db = db
        self._log = Log(db)
        self._conversations = conversations

    async def read(self, staff: ShopStaff, c: str, place: Place) -> Read:
        """NotFound for a conversation that is not this shop's."""
        conversation = await self._log.conversation(c)
        if conversation is None or conversation.shop_id != staff.shop_id:
            raise NotFound
        page = await self._conversations.page(await self._pull(c, place), "staff")
        held = await store.hold(self._db, c) is not None
        return Read(c=c, buyer_id=conversation.buyer_id, ents=page.ents, head=page.head, held=held)

    async def _pull(self, c: str, place: Place) -> Pull:
        if place.before is not None:
            return Pull(i=0, c=c, to=max(0, place.before - 1), n=PAGE, rev=True)
        if place.after is not None:
            return Pull(i=0, c=c, from_=place.after + 1, n=PAGE)
        if place.around is not None:
            return Pull(i=0, c=c, from_=max(1, place.around - _CONTEXT), n=PAGE)
        if place.at is not None:
            return Pull(i=0, c=c, from_=await self._log.first_since(c, place.at), n=PAGE)
        return Pull(i=0, c=c, n=PAGE, rev=True)
