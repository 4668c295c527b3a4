"""Push, made by hand: who is away is found by chat's router and the desk, who is who by commerce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from octshop_rt.app.between import ChatDirectory
from octshop_rt.app.commerce import Commerce
from octshop_rt.app.foundation import Foundation
from octshop_rt.core.auth.model import Right
from octshop_rt.core.clock import SECOND
from octshop_rt.core.http.routes import Route
from octshop_rt.im.api.push import PushApi
from octshop_rt.im.push.facts import Facts
from octshop_rt.im.push.sealing import Vapid
from octshop_rt.im.push.sender import Sender
from octshop_rt.im.push.service import Devices
from octshop_rt.im.push.watch import Watch
from octshop_rt.im.ws.server import ImServer

KEY = "push.vapid.1"  # browsers are bound to it: another number makes every subscription void


@dataclass(frozen=True, kw_only=True, slots=True)
class Pushing:
    """The watch runs in every node; the sender hears the outbox."""

    watch: Watch
    sender: Sender
    routes: list[Route]


def raise_pushing(on: Foundation, commerce: Commerce, im: ImServer) -> Pushing:
    """Build it."""
    settings = on.settings.push
    vapid = Vapid(on.secrets.key(KEY, length=48), settings.contact or on.settings.http.origin)
    facts = Facts(on.db, on.clock, ChatDirectory(commerce.shops, commerce.gate.members), im.router.anywhere)

    async def answering(shop_id: str) -> Sequence[str]:
        return await commerce.gate.staff.holders(shop_id, Right.CHAT)

    return Pushing(
        watch=Watch(on.db, on.clock, on.outbox, facts, answering, int(settings.grace_s * SECOND)),
        sender=Sender(on.db, on.clock, on.outbox, facts, commerce.gate.sessions, on.http, settings, vapid),
        routes=PushApi(Devices(on.db, on.clock, settings, vapid)).routes(),
    )
