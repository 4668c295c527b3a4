"""Delivers one owed push to one device (RFC 8030): read meanwhile, signed out or gone means nothing is sent."""

from __future__ import annotations

import asyncio

import aiohttp
import structlog

from octshop_rt.core.auth.model import Right, Staff
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.core.settings import PushSettings
from octshop_rt.events import PushDue
from octshop_rt.im.push import rules, sealing, store
from octshop_rt.im.push.facts import Facts
from octshop_rt.im.push.model import Spell, Subscription

log = structlog.get_logger(__name__)

_GONE = (404, 410)
_AGAIN = (408, 425, 429)


class Sender:
    """At least once: an answer that is lost is asked for again under the same topic, and shows as one notice."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        outbox: Outbox,
        facts: Facts,
        sessions: Sessions,
        http: aiohttp.ClientSession,
        settings: PushSettings,
        vapid: sealing.Vapid,
    ) -> None:
        self._db = db
        self._clock = clock
        self._outbox = outbox
        self._facts = facts
        self._sessions = sessions
        self._http = http
        self._settings = settings
        self._vapid = vapid

    async def on_push_due(self, event: PushDue) -> None:
        """Due: one device is told of one conversation."""
        to = await store.subscription(self._db, event.subscription_id)
        spell = await store.spell(self._db, event.spell_id)
        if to is None or spell is None or spell.told_s != event.s or to.side != spell.side:
            return
        if not await self._may_hear(to, spell):
            await store.drop(self._db, to.id)
            return
        audience = await self._facts.audience(spell)
        if audience.people is not None and to.person_id not in audience.people:
            return  # a colleague has it now, or it is over
        unread = (await self._facts.standing(spell, audience.people)).unread
        if not unread:
            return
        shop = (await self._facts.people.shop_names([spell.shop_id])).get(spell.shop_id, "")
        status, retry_after = await self._post(to, spell, rules.payload(spell, shop, unread, to))
        if status in _GONE:
            await store.drop(self._db, to.id)
        elif status in _AGAIN or status >= 500:
            await self._again(event, self._clock.now() + rules.retry_ms(event.round, retry_after))
        elif status >= 300:
            log.warning("a push was refused", subscription=to.id, status=status)

    async def _may_hear(self, to: Subscription, spell: Spell) -> bool:
        """Whoever has signed out on that device, or may no longer answer for the shop, hears nothing more."""
        if not rules.allowed(to.endpoint, self._settings.services, self._settings.sandbox_url):
            return False
        who = await self._sessions.by_session(to.session_id)
        if who is None or who.person_id != to.person_id:
            return False
        if spell.side == "buyer":
            return not isinstance(who, Staff)
        here = who.at(spell.shop_id, Right.CHAT) if isinstance(who, Staff) else None
        return here is not None and Right.CHAT in here.rights

    async def _post(self, to: Subscription, spell: Spell, text: bytes) -> tuple[int, str | None]:
        """Status and Retry-After; 599 where there was no answer."""
        headers = {
            "Authorization": self._vapid.authorization(to.endpoint, self._clock.now()),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(rules.TTL_S),
            "Topic": rules.topic(spell.c, spell.side),
            "Urgency": "high" if spell.side == "staff" else "normal",
        }
        try:
            async with (
                asyncio.timeout(self._settings.seconds),
                self._http.post(
                    to.endpoint, data=sealing.seal(text, to.p256dh, to.auth), headers=headers, allow_redirects=False
                ) as answer,
            ):
                return answer.status, answer.headers.get("Retry-After")
        except (aiohttp.ClientError, TimeoutError) as fault:
            log.info("a push service did not answer", subscription=to.id, fault=type(fault).__name__)
            return 599, None

    async def _again(self, event: PushDue, due_at: Millis) -> None:
        """One more try per round, however often its writer is repeated."""
        if event.round >= rules.LAST_ROUND:
            log.warning("a push was given up", subscription=event.subscription_id)
            return
        later = PushDue(
            spell_id=event.spell_id, subscription_id=event.subscription_id, s=event.s, round=event.round + 1
        )
        event_id = f"push:{event.spell_id}:{event.s}:{event.subscription_id}:{later.round}"

        async def work(tx: Transaction) -> None:
            await self._outbox.write(tx, later, due_at=due_at, event_id=event_id)

        try:
            await self._db.transact(work)
        except DuplicateKey:
            log.debug("that try is owed already", event=event_id)
