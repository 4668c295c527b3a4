"""Shapes of staff: roles, the rights each carries, the grant row and what a signed-in person is shown of it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from octshop_rt.core.auth.model import Grant, Right
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError


class Role(StrEnum):
    """What a person is at a shop. One person may be several things, at several shops."""

    OWNER = "owner"
    MANAGER = "manager"
    CLERK = "clerk"
    CASHIER = "cashier"
    AGENT = "agent"
    FINANCE = "finance"


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.OWNER: frozenset(Right),
    Role.MANAGER: frozenset({Right.CHAT, Right.CHARGE, Right.REDEEM, Right.ORDERS, Right.MANAGE}),
    Role.CLERK: frozenset({Right.REDEEM, Right.ORDERS}),
    Role.CASHIER: frozenset({Right.CHARGE}),
    Role.AGENT: frozenset({Right.CHAT, Right.ORDERS}),
    Role.FINANCE: frozenset({Right.FINANCE, Right.ORDERS}),
}


class GrantRow(Struct, frozen=True, kw_only=True):
    """Person `person_id` is `role` at a shop, or (with `branch_id`) at one of its branches only."""

    id: str
    person_id: str
    merchant_id: str
    shop_id: str
    branch_id: str | None
    role: Role
    granted_by: str
    created_at: Millis


class TillView(Struct, frozen=True, kw_only=True):
    """A counter, to choose from."""

    id: str
    name: str
    branch_id: str


class GrantView(Struct, frozen=True, kw_only=True):
    """A grant as its holder sees it: with the shop's name and the counters within reach."""

    merchant_id: str
    shop_id: str
    shop_name: str
    branch_id: str | None
    role: Role
    rights: list[Right]
    tills: list[TillView]


def grant_of(row: GrantRow) -> Grant:
    """The row as the doors know it."""
    return Grant(
        merchant_id=row.merchant_id,
        shop_id=row.shop_id,
        branch_id=row.branch_id,
        role=row.role,
        rights=RIGHTS[row.role],
    )


class NoSuchPlace(DomainError):
    """A grant must name a shop, and a branch of that shop."""

    code = "shop.no_such_place"
    status = 404
    zh = "没有这家店铺或门店"
    en = "There is no such shop or branch"
