"""The channels' door: notices of payments and refunds. No login, no cookie; the signature is the only proof."""

from __future__ import annotations

from collections.abc import Mapping

from octshop_rt.commerce.payment.inbox import Inbox
from octshop_rt.commerce.payment.model import NoChannelAccount, NoticeNotOurs, NoticeRefused
from octshop_rt.commerce.payment.settle import Accounts
from octshop_rt.core.auth.model import PUBLIC, Anonymous
from octshop_rt.core.http.routes import Call, Limit, Route

MOST_NOTICE_BYTES = 64 * 1024

# All of them come from a few addresses, a day's rush within minutes: far more than strangers are given.
NOTICES = Limit(name="notices", burst=2_000, per_ms=2_000, alone=True)


def notice_path(account_id: str) -> str:
    """Where an account's notices go, below the API; what the shop writes into `notify_url`."""
    return f"/channel/wechat/{account_id}/notify"


class ChannelApi:
    """One route per channel."""

    def __init__(self, inbox: Inbox, accounts: Accounts) -> None:
        self._inbox = inbox
        self._accounts = accounts

    def routes(self) -> list[Route]:
        """The table."""
        return [
            Route(
                "POST",
                notice_path("{account_id}"),
                self._notified,
                permission=PUBLIC,
                body=bytes,
                status=204,
                errors=(NoticeRefused, NoticeNotOurs, NoChannelAccount),
                summary="A notice from WeChat Pay: answered 204 only once it is stored and applied",
                max_body=MOST_NOTICE_BYTES,
                limit=NOTICES,
                admits=self._known,
            )
        ]

    def _known(self, path: Mapping[str, str]) -> None:
        self._accounts.of(path["account_id"])

    async def _notified(self, call: Call[Anonymous], body: bytes) -> None:
        await self._inbox.take(call.path["account_id"], call.raw.headers, body)
