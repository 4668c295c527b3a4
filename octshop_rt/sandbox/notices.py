"""Delivery of notices: signed, sealed, retried on the channel's schedule until the merchant answers 200 or 204."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable

import aiohttp
import msgspec
import structlog

from octshop_rt.core.clock import HOUR, MINUTE, SECOND, Clock
from octshop_rt.sandbox.bank import Bank
from octshop_rt.sandbox.keys import SigningKey
from octshop_rt.sandbox.model import Notice
from octshop_rt.sandbox.signing import seal, signed_headers
from octshop_rt.sandbox.wire import rfc3339

log = structlog.get_logger(__name__)

# The published schedule: fifteen retries within about a day.
RETRIES_MS = (
    *(15 * SECOND, 15 * SECOND, 30 * SECOND, 3 * MINUTE, 10 * MINUTE, 20 * MINUTE),
    *(30 * MINUTE, 30 * MINUTE, 30 * MINUTE, 60 * MINUTE),
    *(3 * HOUR, 3 * HOUR, 3 * HOUR, 6 * HOUR, 6 * HOUR),
)
ANSWER_SECONDS = 5
IDLE_SECONDS = 0.2


class Courier:
    """Owes notices to merchants. `speed` divides the retry schedule, so that a rehearsal need not last a day."""

    def __init__(
        self,
        bank: Bank,
        clock: Clock,
        *,
        signing_key: Callable[[str], SigningKey],
        apiv3_key: Callable[[str], bytes],
        speed: int = 1,
    ) -> None:
        self._bank = bank
        self._clock = clock
        self._signing_key = signing_key
        self._apiv3_key = apiv3_key
        self._speed = speed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Deliver in the background."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="sandbox notices")

    async def stop(self) -> None:
        """Stop; what is owed is delivered after the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            self._bank.age_refunds()
            try:
                await self.deliver_due()
            except Exception as fault:  # noqa: BLE001  a simulator that stops notifying would look like a fault of the shop
                log.warning("notice round failed", fault=repr(fault))
            await asyncio.sleep(IDLE_SECONDS)

    async def deliver_due(self) -> int:
        """Deliver all notices due now, side by side; how many were taken."""
        now = self._clock.now()
        due = [one for one in list(self._bank.owed.values()) if one.due_at <= now]
        if not due:
            return 0
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)) as http:
            return sum(await asyncio.gather(*(self._deliver(http, one) for one in due)))

    async def _deliver(self, http: aiohttp.ClientSession, notice: Notice) -> int:
        switches = self._bank.switches
        copies = 2 if switches.notice_double else 1
        answers = await asyncio.gather(*(self._post(http, notice) for _ in range(copies)))
        if any(answers):
            self._bank.keep_notice(notice, state="taken", tries=notice.tries + 1)
            return 1
        if notice.tries >= len(RETRIES_MS):
            self._bank.keep_notice(notice, state="given up")
            return 0
        due_at = self._clock.now() + RETRIES_MS[notice.tries] // self._speed
        self._bank.keep_notice(notice, tries=notice.tries + 1, due_at=due_at)
        return 0

    async def _post(self, http: aiohttp.ClientSession, notice: Notice) -> bool:
        headers, body = self.letter(notice)
        try:
            async with http.post(notice.url, data=body, headers=headers, allow_redirects=False) as answer:
                await answer.read()
                return answer.status in (200, 204)
        except (aiohttp.ClientError, TimeoutError):
            return False

    def letter(self, notice: Notice) -> tuple[dict[str, str], bytes]:
        """Headers and body of one delivery; sealed and signed anew each time, as seen at the real channel."""
        original = "refund" if notice.event_type.startswith("REFUND.") else "transaction"
        resource = seal(self._apiv3_key(notice.mchid), msgspec.json.encode(notice.resource), original)
        body = msgspec.json.encode(
            {
                "id": notice.id,
                "create_time": rfc3339(notice.created_at),
                "resource_type": "encrypt-resource",
                "event_type": notice.event_type,
                "summary": "支付成功" if original == "transaction" else "退款结果",
                "resource": {"original_type": original, **resource},
            }
        )
        switches = self._bank.switches
        headers = signed_headers(
            self._signing_key(notice.mchid),
            body,
            self._clock.now(),
            forged=switches.notice_forged,
            probe=switches.notice_probe,
        )
        headers["Content-Type"] = "application/json"
        headers["User-Agent"] = f"Mozilla/4.0 octshop-sandbox {secrets.token_hex(2)}"
        return headers, body
