"""Devices that may be woken: a person adds and removes the browsers they use."""

from __future__ import annotations

from octshop_rt.core.auth.model import Buyer, Staff
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import Lang, NotFound
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import PushSettings
from octshop_rt.im.conversation.model import Party
from octshop_rt.im.push import rules, sealing, store
from octshop_rt.im.push.model import BadDevice, Subscription


class Devices:
    """Of buyers, guests among them, and of staff."""

    def __init__(self, db: Database, clock: Clock, settings: PushSettings, vapid: sealing.Vapid) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._vapid = vapid

    @property
    def key(self) -> str:
        """What a browser needs as `applicationServerKey`."""
        return self._vapid.public

    @property
    def simulated(self) -> bool:
        """Whether a simulator stands in for the push services of browsers."""
        return bool(self._settings.sandbox_url)

    async def put(
        self, who: Party, *, endpoint: str, p256dh: str, auth: str, preview: bool, lang: Lang
    ) -> Subscription:
        """Wake this browser for whoever is signed in there. BadDevice. The oldest goes when there are too many."""
        if not rules.allowed(endpoint, self._settings.services, self._settings.sandbox_url):
            raise BadDevice
        if not sealing.is_key(p256dh, auth):
            raise BadDevice
        row = Subscription(
            id=rules.fingerprint(endpoint),
            side="staff" if isinstance(who, Staff) else "buyer",
            person_id=who.person_id,
            session_id=who.session_id,
            endpoint=endpoint,
            p256dh=p256dh,
            auth=auth,
            preview=preview,
            lang=lang,
            at=self._clock.now(),
        )
        await store.put(self._db, row)
        mine = await store.of_people(self._db, [who.person_id], row.side)
        for old in mine[: -rules.MOST_DEVICES]:
            await store.drop(self._db, old.id)
        return row

    async def drop(self, who: Party, subscription_id: str) -> None:
        """Wake it no more. NotFound if there is none of theirs."""
        mine = who.ids if isinstance(who, Buyer) else [who.person_id]
        if not await store.drop(self._db, subscription_id, mine):
            raise NotFound
