"""Use cases of visitors: what is being looked at, where a shop's chat may stand, and whom its own site vouches for."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol

from octshop_rt.core.auth.model import Buyer, Device
from octshop_rt.core.clock import HOUR, Clock, Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.im.conversation.acquaintance import Acquaintance
from octshop_rt.im.guard import rules as guard_rules
from octshop_rt.im.guard.model import Blocked, GuestsBlocked
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.visitor import rules, store
from octshop_rt.im.visitor.model import BadEntry, Cart, NotTalking, NoVisit, PageView, Visit, Widget

_TRIES = 3
# So long an entry's number is remembered after it could not be used any more.
_REMEMBERED_MS = 2 * rules.ENTRY_S * 1000

Moved = Callable[[str], Awaitable[None]]
Named = Callable[[str, str], Awaitable[str | None]]


class Vouched(Protocol):
    """Whoever keeps people lets in another site's customer: (name, token), or None at the second use of `once`."""

    async def __call__(
        self, shop_id: str, name_there: str, nickname: str, once: str, until: Millis, device: Device
    ) -> tuple[str, str, str] | None:
        """(person, nickname, token)."""
        ...


class Visitors:
    """Visitors of one node. `moved(conversation)` is told when one has gone on to another page; `named(shop_id, path)`
    is the name of one of our own pages of that shop, None for all others.
    """

    def __init__(
        self, db: Database, clock: Clock, root: bytes, vouched: Vouched, moved: Moved, guard: Guard, named: Named
    ) -> None:
        self._db = db
        self._clock = clock
        self._root = root
        self._vouched = vouched
        self._moved = moved
        self._guard = guard
        self._named = named
        self._met = Acquaintance(db)
        self._swept_at = clock.now()

    # --- the trail ----------------------------------------------------------------------------------------------------

    async def look(
        self, who: Buyer, shop_id: str, *, path: str, title: str, referrer: str, device: str, cart: Cart | None
    ) -> None:
        """The visitor looks at this now. NotTalking: no shop sees the way of somebody who does not talk to it. Of whom
        the shop does not listen to, it sees nothing more either.
        """
        talk = await self._met.talk(who.ids, shop_id)
        if talk is None:
            raise NotTalking
        try:
            await self._guard.hears(shop_id, who.ids, guard_rules.guest(who))
        except (Blocked, GuestsBlocked):
            return
        now = self._clock.now()
        path, title, device, cart = await self._claimed(shop_id, rules.page(path), title, device, cart)
        looked = Visit(
            id=talk,
            shop_id=shop_id,
            person_id=who.person_id,
            started_at=now,
            at=now,
            referrer=rules.site(referrer),
            device=device,
            pages=(PageView(path=path, title=title, at=now),),
            cart=cart,
        )
        for _ in range(_TRIES):
            before = await store.visit(self._db, talk)
            after = rules.seen(before, looked)
            with contextlib.suppress(DuplicateKey):
                if await store.put_visit(self._db, before, after):
                    if rules.moved_on(before, after):
                        await self._moved(talk)
                    break
        await self._sweep(now)

    async def _claimed(
        self, shop_id: str, path: str, title: str, device: str, cart: Cart | None
    ) -> tuple[str, str, str, Cart | None]:
        """What the visitor's page says, as agents may read it: our own pages by their own names, the rest past the
        guard and without numbers of phones.
        """
        titles = cart.titles if cart is not None else ()
        fair = await self._guard.shown(shop_id, [rules.masked(text) for text in (path, title, device, *titles)])
        path, title, device, *inside = fair
        if cart is not None:
            cart = Cart(count=cart.count, amount_fen=cart.amount_fen, titles=tuple(one for one in inside if one))
        return path or "/", await self._named(shop_id, path) or title, device, cart

    async def visit(self, shop_id: str, c: str) -> Visit | None:
        """What the visitor of that conversation looks at, if it is known. NoVisit: no conversation of this shop."""
        if await self._met.shop_of(c) != shop_id:
            raise NoVisit
        return await store.visit(self._db, c)

    # --- the widget ---------------------------------------------------------------------------------------------------

    async def widget(self, shop_id: str) -> Widget:
        """As it is set, or as it is before anybody has set it: off."""
        found = await store.widget(self._db, shop_id)
        return found or Widget(id=shop_id, on=False, sites=(), key_no=0, updated_at=0)

    async def set_widget(self, shop_id: str, *, on: bool, sites: tuple[str, ...]) -> Widget:
        """On which sites the shop's chat may stand."""
        row = Widget(id=shop_id, on=on, sites=sites, key_no=0, updated_at=self._clock.now())
        await store.set_widget(self._db, row)
        return await self.widget(shop_id)

    async def new_secret(self, shop_id: str) -> tuple[Widget, str]:
        """A new secret for the shop's server, shown this once; the one before it is void."""
        row = await store.next_key(self._db, shop_id, self._clock.now())
        assert row is not None
        return row, rules.secret(self._root, shop_id, row.key_no)

    async def frame_sites(self, shop_id: str) -> tuple[str, ...]:
        """Who may show the shop's chat in a frame; nobody while it is off."""
        row = await self.widget(shop_id)
        return row.sites if row.on else ()

    async def enter(self, shop_id: str, text: str, device: Device) -> tuple[str, str, str]:
        """(person, nickname, token) of a customer of the shop's own site. BadEntry for everything that is not right."""
        row = await self.widget(shop_id)
        if not row.on or not row.key_no:
            raise BadEntry
        now = self._clock.now()
        entry = rules.read(text, rules.secret(self._root, shop_id, row.key_no), shop_id, now)
        until = entry.iat * 1000 + _REMEMBERED_MS
        nickname = rules.masked(entry.name.strip())
        entered = await self._vouched(shop_id, entry.sub, nickname, f"{shop_id}:{entry.jti}", until, device)
        if entered is None:
            raise BadEntry
        return entered

    async def _sweep(self, now: Millis) -> None:
        if now - self._swept_at < HOUR:
            return
        self._swept_at = now
        with contextlib.suppress(DomainError):  # tidying must not fail what it comes with
            await store.forget_before(self._db, now - rules.KEPT_MS)
