"""What every payment channel can be asked, and the answers it may give. Three kinds: done, refused, unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from msgspec import Struct

from octshop_rt.core.clock import Millis
from octshop_rt.core.money import Fen


class Proof(Struct, frozen=True, kw_only=True):
    """The channel says, signed, that it has the money. `ours` is False when account or app are not this one's."""

    attempt_id: str
    transaction_id: str
    amount_fen: Fen
    currency: str
    paid_at: Millis
    ours: bool


class Paid(Struct, frozen=True, tag=True):
    """Definite: the money was taken."""

    proof: Proof


class Waiting(Struct, frozen=True, tag=True):
    """The trade exists and is open. `code_url` is set in the answer to an order."""

    code_url: str = ""


class Ended(Struct, frozen=True, tag=True):
    """Definite: not paid and never will be. `how` is the channel's word for it."""

    how: str


class Missing(Struct, frozen=True, tag=True):
    """The channel does not know the number (yet)."""


class Refused(Struct, frozen=True, tag=True):
    """Definite: the call had no effect. `reason` is our word (`code_expired`), `code` the channel's."""

    reason: str
    code: str


class Unknown(Struct, frozen=True, tag=True):
    """No answer, a broken one, or one that says so itself. Never to be read as failure.

    `answered`: the channel did answer the call, with a word that is neither yes nor no. Nothing is on its way.
    """

    why: str
    answered: bool = False


class Closed(Struct, frozen=True, tag=True):
    """Definite: the trade can no longer be paid."""


class PaidAlready(Struct, frozen=True, tag=True):
    """Too late to close: ask for the proof."""


class Reversed(Struct, frozen=True, tag=True):
    """Definite: the trade is void, and given back if it was paid."""


RefundWord = Literal["processing", "succeeded", "failed"]


class RefundAnswer(Struct, frozen=True, tag=True):
    """Where a refund stands; `trouble` says why it failed."""

    word: RefundWord
    channel_refund_id: str
    amount_fen: Fen
    refunded_at: Millis | None = None
    trouble: str = ""


class Ask(Struct, frozen=True, kw_only=True):
    """One attempt as the channel hears of it."""

    attempt_id: str
    amount_fen: Fen
    description: str
    expires_at: Millis
    till_id: str = ""
    shop_id: str = ""


class RefundAsk(Struct, frozen=True, kw_only=True):
    """One refund as the channel hears of it."""

    refund_id: str
    attempt_id: str
    refund_fen: Fen
    total_fen: Fen
    reason: str


class PaymentTold(Struct, frozen=True, tag=True):
    """A notice of a payment."""

    proof: Proof


class RefundTold(Struct, frozen=True, tag=True):
    """A notice of a refund: a reason to ask, not the answer itself."""

    refund_id: str


class NoticeRead(Struct, frozen=True, kw_only=True):
    """A proven notice, opened."""

    notice_id: str
    kind: str
    told: PaymentTold | RefundTold


class Channel(Protocol):
    """One account at one channel. No method raises for what the outside does; a notice that is not proven raises
    NoticeRefused.
    """

    account_id: str
    owner: str
    """Whose books: the merchant number, part of the clearing account's name."""

    async def order(self, ask: Ask) -> Waiting | Refused | Unknown:
        """Make a code to be scanned. The same ask again is the same trade with a fresh code."""
        ...

    async def pay_by_code(self, ask: Ask, auth_code: str) -> Paid | Waiting | Refused | Unknown:
        """Take the money behind a scanned code."""
        ...

    async def query(self, attempt_id: str) -> Paid | Waiting | Ended | Missing | Unknown:
        """What became of a trade."""
        ...

    async def close(self, attempt_id: str) -> Closed | PaidAlready | Unknown:
        """End an unpaid trade."""
        ...

    async def reverse(self, attempt_id: str) -> Reversed | Refused | Unknown:
        """Void a bar-code trade, paid or not."""
        ...

    async def refund(self, ask: RefundAsk) -> RefundAnswer | Refused | Unknown:
        """Give money back. The same number again is the same refund."""
        ...

    async def query_refund(self, refund_id: str) -> RefundAnswer | Missing | Unknown:
        """Where a refund stands."""
        ...

    async def read_notice(self, headers: Mapping[str, str], body: bytes) -> NoticeRead:
        """Prove and open a notice."""
        ...
