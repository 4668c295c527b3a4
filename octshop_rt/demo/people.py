"""Who can sign in to the demo, as what, with which password."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from octshop_rt.commerce.shop.staff_model import Role

PASSWORD = "bazhuayu-2026"  # noqa: S105  (printed on the screen that offers the demo)

As = Literal["buyer", "staff", "admin"]


class Account(Struct, frozen=True, kw_only=True):
    """A person of the demo. `roles` are held at the shops of `shops` (numbers of shops.py; empty: all of them;
    0: the platform's own service).
    """

    name: str
    phone: str
    zh: str
    en: str
    kind: As
    roles: tuple[Role, ...] = ()
    shops: tuple[int, ...] = ()


def _staff(phone: str, name: str, zh: str, en: str, role: Role, *shops: int) -> Account:
    return Account(name=name, phone=phone, zh=zh, en=en, kind="staff", roles=(role,), shops=shops)


ACCOUNTS: tuple[Account, ...] = (
    Account(name="小满", phone="13800000001", zh="顾客", en="buyer", kind="buyer"),
    Account(name="阿澄", phone="13800000002", zh="顾客", en="buyer", kind="buyer"),
    _staff("13900000001", "章予", "店主", "owner", Role.OWNER),
    _staff("13900000002", "沈知遥", "店长", "manager", Role.MANAGER),
    _staff("13900000003", "陆小雨", "核销员", "clerk", Role.CLERK),
    _staff("13900000004", "周一鸣", "收银员", "cashier", Role.CASHIER),
    _staff("13900000005", "林可", "客服", "agent", Role.AGENT),
    _staff("13900000006", "许清和", "财务", "finance", Role.FINANCE),
    _staff("13900000007", "方圆", "核销员(仅巷口面馆)", "clerk of the noodle shop only", Role.CLERK, 2),
    _staff("13900000008", "江晚", "客服", "agent", Role.AGENT),
    Account(name="平台管理员", phone="13700000001", zh="平台管理员", en="platform administrator", kind="admin"),
    _staff("13900000009", "苏禾", "平台客服", "agent of the platform", Role.AGENT, 0),
    _staff("13900000010", "温言", "平台客服主管", "manager of the platform's service", Role.MANAGER, 0),
)
