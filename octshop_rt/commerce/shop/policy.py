"""Business settings, pure: platform values, a shop's own over them, and the policy they make together.

Documents are versioned and only added; what binds an order is copied into the order.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, structs

from octshop_rt.core.clock import Millis
from octshop_rt.core.money import Bp

PLATFORM_SCOPE = "platform"

TimeoutSeconds = Annotated[int, Meta(ge=60, le=7 * 86_400)]
SilenceSeconds = Annotated[int, Meta(ge=60, le=30 * 86_400)]
Days = Annotated[int, Meta(ge=1, le=3_650)]
Count = Annotated[int, Meta(ge=1, le=1_000)]


class Policy(Struct, frozen=True, kw_only=True):
    """What holds at a shop. The defaults are the product's; `versions` names the documents it was made from."""

    unpaid_timeout_s: TimeoutSeconds = 1_800
    voucher_valid_days: Days = 90
    unpaid_orders_max: Count = 20  # of one buyer at a time: nobody locks up the stock with orders never paid
    commission_bp: Bp = 500
    aftersale_silence_s: SilenceSeconds = 172_800  # a shop that does not answer for so long has agreed
    versions: tuple[int, ...] = (0, 0)  # platform, shop; 0 = no document


class PolicyPatch(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The settings a document sets; None leaves what lies beneath."""

    unpaid_timeout_s: TimeoutSeconds | None = None
    voucher_valid_days: Days | None = None
    unpaid_orders_max: Count | None = None
    commission_bp: Bp | None = None
    aftersale_silence_s: SilenceSeconds | None = None


class PolicyDocument(Struct, frozen=True, kw_only=True):
    """Version `version` of the settings of `scope` (the platform or a shop id)."""

    id: str
    scope: str
    version: int
    patch: PolicyPatch
    by: str
    created_at: Millis


def over(patch: PolicyPatch, beneath: PolicyPatch | None) -> PolicyPatch:
    """What a new version holds: what it sets, and what the version before had set."""
    if beneath is None:
        return patch
    changes = {name: value for name, value in structs.asdict(patch).items() if value is not None}
    return structs.replace(beneath, **changes)


def resolve(platform: PolicyDocument | None, shop: PolicyDocument | None) -> Policy:
    """Defaults, then the platform's values, then the shop's."""
    policy = Policy()
    for document in (platform, shop):
        if document is not None:
            changes = {name: value for name, value in structs.asdict(document.patch).items() if value is not None}
            policy = structs.replace(policy, **changes)
    return structs.replace(policy, versions=(platform.version if platform else 0, shop.version if shop else 0))
