"""Notices on devices over HTTP: the key a browser subscribes with, and one's own subscriptions."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.core.auth.model import STAFF, VISITOR, Buyer, Staff
from octshop_rt.core.clock import MINUTE
from octshop_rt.core.errors import DEFAULT_LANG, Lang, NotFound
from octshop_rt.core.http.routes import Call, Limit, Route
from octshop_rt.im.push.model import AuthSecret, BadDevice, Endpoint, PublicKey
from octshop_rt.im.push.service import Devices

CHANGES = Limit(name="push.devices", burst=20, per_ms=10 * MINUTE)


class PushKey(Struct, frozen=True, kw_only=True):
    """`key` is the browser's `applicationServerKey`, base64url. `simulated`: the page subscribes at the sandbox phone
    instead, because the browser of a trial may reach no push service; never in production.
    """

    key: str
    simulated: bool = False


class PushDevice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A browser's PushSubscription. `preview`: the words themselves may stand on the lock screen; off unless asked."""

    endpoint: Endpoint
    p256dh: PublicKey
    auth: AuthSecret
    preview: bool = False
    lang: Lang = DEFAULT_LANG


class PushDeviceView(Struct, frozen=True, kw_only=True):
    """`id` is what DELETE names."""

    id: str
    preview: bool


class PushApi:
    """Below /buyer/push and /staff/push: the same three doors for both."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    def routes(self) -> list[Route]:
        """All of them."""
        key, put, drop = (
            "The key a browser subscribes to notices with",
            "Send notices of unread messages to this browser",
            "Send no more notices to this browser",
        )
        return [
            Route("GET", "/buyer/push", self.buyer_key, permission=VISITOR, answer=PushKey, summary=key),
            Route("PUT", "/buyer/push", self.buyer_put, permission=VISITOR, body=PushDevice, answer=PushDeviceView,
                  limit=CHANGES, errors=(BadDevice,), summary=put),
            Route("DELETE", "/buyer/push/{subscription_id}", self.buyer_drop, permission=VISITOR, limit=CHANGES,
                  errors=(NotFound,), summary=drop),
            Route("GET", "/staff/push", self.staff_key, permission=STAFF, answer=PushKey, summary=key),
            Route("PUT", "/staff/push", self.staff_put, permission=STAFF, body=PushDevice, answer=PushDeviceView,
                  limit=CHANGES, errors=(BadDevice,), summary=put),
            Route("DELETE", "/staff/push/{subscription_id}", self.staff_drop, permission=STAFF, limit=CHANGES,
                  errors=(NotFound,), summary=drop),
        ]  # fmt: skip

    async def buyer_key(self, call: Call[Buyer]) -> PushKey:
        return self._key()

    async def buyer_put(self, call: Call[Buyer], body: PushDevice) -> PushDeviceView:
        return await self._put(call.who, body)

    async def buyer_drop(self, call: Call[Buyer]) -> None:
        await self._devices.drop(call.who, call.path["subscription_id"])

    async def staff_key(self, call: Call[Staff]) -> PushKey:
        return self._key()

    async def staff_put(self, call: Call[Staff], body: PushDevice) -> PushDeviceView:
        return await self._put(call.who, body)

    async def staff_drop(self, call: Call[Staff]) -> None:
        await self._devices.drop(call.who, call.path["subscription_id"])

    def _key(self) -> PushKey:
        return PushKey(key=self._devices.key, simulated=self._devices.simulated)

    async def _put(self, who: Buyer | Staff, body: PushDevice) -> PushDeviceView:
        row = await self._devices.put(
            who,
            endpoint=body.endpoint,
            p256dh=body.p256dh,
            auth=body.auth,
            preview=body.preview,
            lang=body.lang,
        )
        return PushDeviceView(id=row.id, preview=row.preview)
