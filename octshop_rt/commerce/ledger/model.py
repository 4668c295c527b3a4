"""What the books are made of: the chart of accounts, entries, journals, holds, and the refusals of the ledger."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Id
from octshop_rt.core.money import MOST_FEN, Fen, SignedFen
from octshop_rt.core.statemachine import Life

CNY = "CNY"

# Unique for the life of the books: names the cause and the step, e.g. "payment:A…", "writeoff:X…".
Ref = Annotated[str, Meta(min_length=3, max_length=160, pattern=r"^[a-z_]+:[A-Za-z0-9_:/.-]+$(?!\n)")]
AccountName = Annotated[str, Meta(min_length=5, max_length=120, pattern=r"^[a-z_]+:[A-Za-z0-9_/.-]+:[A-Z]{3}$(?!\n)")]
EntryFen = Annotated[
    int, Meta(ge=1, le=MOST_FEN, description="integer fen, never zero: an entry of nothing says nothing")
]


class Side(StrEnum):
    """Where an entry stands. Assets and costs grow by debit, duties and income by credit."""

    DEBIT = "debit"
    CREDIT = "credit"

    @property
    def other(self) -> Side:
        """The mirror side, for reversals."""
        return Side.CREDIT if self is Side.DEBIT else Side.DEBIT


class AccountKind(StrEnum):
    """The chart of accounts. The owner is written after it: `kind:owner:currency`."""

    # what others hold for us
    CHANNEL_CLEARING = "channel_clearing"
    BANK = "bank"
    RECON_SUSPENSE_ASSET = "recon_suspense_asset"
    SHOP_RECEIVABLE = "shop_receivable"
    PAYOUT_IN_TRANSIT = "payout_in_transit"
    # what we owe
    VOUCHER_UNREDEEMED = "voucher_unredeemed"
    SHOP_PENDING = "shop_pending"
    SHOP_AVAILABLE = "shop_available"
    SHOP_DEPOSIT = "shop_deposit"
    MEMBER_WALLET = "member_wallet"
    DISTRIBUTOR_PENDING = "distributor_pending"
    DISTRIBUTOR_AVAILABLE = "distributor_available"
    FREIGHT_PAYABLE = "freight_payable"
    WITHDRAWAL_IN_TRANSIT = "withdrawal_in_transit"
    REFUND_PAYABLE = "refund_payable"
    SUSPENSE = "suspense"
    # what we earn
    COMMISSION_INCOME = "commission_income"
    SERVICE_FEE = "service_fee"
    BREAKAGE = "breakage"
    # what it costs us
    CHANNEL_FEE = "channel_fee"
    COUPON_SUBSIDY = "coupon_subsidy"
    REFUND_LOSS = "refund_loss"


class AccountRule(Struct, frozen=True):
    """How accounts of one kind behave.

    `normal` is the side that makes the balance grow. `checked` accounts keep a running balance that a debit must not
    push below zero; all others are sums of their entries, because one shared balance document makes MongoDB abort
    its writers (docs/architecture.md, Measured). `never_negative` is what fsck holds against the sum.
    """

    normal: Side
    checked: bool = False
    never_negative: bool = True


CHART: dict[AccountKind, AccountRule] = {
    AccountKind.CHANNEL_CLEARING: AccountRule(Side.DEBIT, never_negative=False),
    AccountKind.BANK: AccountRule(Side.DEBIT, never_negative=False),
    AccountKind.RECON_SUSPENSE_ASSET: AccountRule(Side.DEBIT),
    AccountKind.SHOP_RECEIVABLE: AccountRule(Side.DEBIT),
    AccountKind.PAYOUT_IN_TRANSIT: AccountRule(Side.DEBIT),
    AccountKind.VOUCHER_UNREDEEMED: AccountRule(Side.CREDIT),
    AccountKind.SHOP_PENDING: AccountRule(Side.CREDIT),
    AccountKind.SHOP_AVAILABLE: AccountRule(Side.CREDIT, checked=True),
    AccountKind.SHOP_DEPOSIT: AccountRule(Side.CREDIT, checked=True),
    AccountKind.MEMBER_WALLET: AccountRule(Side.CREDIT, checked=True),
    AccountKind.DISTRIBUTOR_PENDING: AccountRule(Side.CREDIT),
    AccountKind.DISTRIBUTOR_AVAILABLE: AccountRule(Side.CREDIT, checked=True),
    AccountKind.FREIGHT_PAYABLE: AccountRule(Side.CREDIT),
    AccountKind.WITHDRAWAL_IN_TRANSIT: AccountRule(Side.CREDIT),
    AccountKind.REFUND_PAYABLE: AccountRule(Side.CREDIT),
    AccountKind.SUSPENSE: AccountRule(Side.CREDIT),
    AccountKind.COMMISSION_INCOME: AccountRule(Side.CREDIT, never_negative=False),
    AccountKind.SERVICE_FEE: AccountRule(Side.CREDIT, never_negative=False),
    AccountKind.BREAKAGE: AccountRule(Side.CREDIT, never_negative=False),
    AccountKind.CHANNEL_FEE: AccountRule(Side.DEBIT, never_negative=False),
    AccountKind.COUPON_SUBSIDY: AccountRule(Side.DEBIT, never_negative=False),
    AccountKind.REFUND_LOSS: AccountRule(Side.DEBIT, never_negative=False),
}


class Account(Struct, frozen=True, order=True):
    """One account. `owner` is a shop, person or distributor id, or `channel/merchant number`, or `platform`."""

    kind: AccountKind
    owner: str
    currency: str = CNY

    @property
    def name(self) -> str:
        """`kind:owner:currency`, as it stands in entries."""
        return f"{self.kind}:{self.owner}:{self.currency}"

    @property
    def rule(self) -> AccountRule:
        """How this account behaves."""
        return CHART[self.kind]


def account_of(name: AccountName) -> Account:
    """The account behind a name. ValueError if it is not one of the chart."""
    kind, owner, currency = name.split(":")
    return Account(AccountKind(kind), owner, currency)


class PostingKind(StrEnum):
    """Why money moved. Reports and fsck group by it."""

    PAYMENT = "payment"
    REFUND_ASKED = "refund_asked"
    REFUND_DONE = "refund_done"
    REFUND_FAILED = "refund_failed"
    SURPLUS = "surplus"
    SUSPENSE = "suspense"
    SUSPENSE_RESOLVED = "suspense_resolved"
    WRITE_OFF = "write_off"
    WRITE_OFF_UNDONE = "write_off_undone"
    RELEASE = "release"
    PAYOUT = "payout"
    WALLET = "wallet"
    CORRECTION = "correction"


class Scope(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whose business it was: platform → merchant → shop → branch → till. Empty levels are above or beside it."""

    merchant_id: Id | None = None
    shop_id: Id | None = None
    branch_id: Id | None = None
    till_id: Id | None = None


class Entry(Struct, frozen=True, omit_defaults=True):
    """One leg. `seq` and `after_fen` exist on checked accounts only: an auditor walks them like pages of a passbook."""

    account: AccountName
    side: Side
    amount_fen: EntryFen
    seq: int | None = None
    after_fen: SignedFen | None = None


class Posting(Struct, frozen=True, kw_only=True):
    """A wish: book these legs, once. The same `ref` with the same content is answered with the first journal."""

    ref: Ref
    kind: PostingKind
    cause: str
    entries: tuple[Entry, ...]
    at: Millis
    scope: Scope = Scope()


class Journal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact: never changed, never deleted. A correction is another journal that names this one in `reverses`."""

    id: Id
    ref: Ref
    kind: PostingKind
    cause: str
    entries: tuple[Entry, ...]
    effective_at: Millis
    created_at: Millis
    business_day: str
    scope: Scope = Scope()
    reverses: Id | None = None
    hold_id: Id | None = None


class Balance(Struct, frozen=True, kw_only=True):
    """The running balance of a checked account. `id` is the account's name; spendable is `balance_fen - held_fen`."""

    id: AccountName
    balance_fen: SignedFen
    held_fen: Fen
    seq: int
    changed_at: Millis

    @property
    def spendable_fen(self) -> SignedFen:
        """What a debit or a new hold may take."""
        return self.balance_fen - self.held_fen


class HoldState(StrEnum):
    """A hold is resolved once."""

    HELD = "held"
    POSTED = "posted"
    VOIDED = "voided"


HOLD_LIFE: Life[HoldState] = Life(
    "hold",
    {
        HoldState.HELD: {HoldState.POSTED, HoldState.VOIDED},
        HoldState.POSTED: set(),
        HoldState.VOIDED: set(),
    },
)


class Hold(Struct, frozen=True, kw_only=True):
    """Money set aside on a checked account until it is posted (whole or in part) or given back."""

    id: Id
    ref: Ref
    account: AccountName
    amount_fen: EntryFen
    captured_fen: Fen
    state: HoldState
    cause: str
    created_at: Millis
    expires_at: Millis | None = None
    resolved_at: Millis | None = None
    reason: str = ""


class Unbalanced(ValueError):
    """A posting that is wrong in itself. Our own mistake, never a person's: it must not reach the books."""


class InsufficientFunds(DomainError):
    """A debit or hold would take more than the account can spend."""

    code = "ledger.insufficient_funds"
    status = 409
    zh = "可用余额不足"
    en = "The available balance is not sufficient"


class PostingConflict(DomainError):
    """A posting reference came back with other content: two causes claim one number."""

    code = "ledger.posting_conflict"
    status = 409
    zh = "该笔账务编号已记有另一内容({ref})"
    en = "This posting reference already stands for something else ({ref})"


class HoldResolved(DomainError):
    """The hold was posted or voided before; it is resolved once."""

    code = "ledger.hold_resolved"
    status = 409
    zh = "该笔冻结已处理({state})"
    en = "This hold has already been resolved ({state})"


class AlreadyReversed(DomainError):
    """A journal is reversed once."""

    code = "ledger.already_reversed"
    status = 409
    zh = "该笔账务已冲正"
    en = "This journal has already been reversed"
