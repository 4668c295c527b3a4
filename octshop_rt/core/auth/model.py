"""Shapes of identity: audiences, rights, permissions, principals, the session row and every refusal of the door."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from msgspec import Struct

from octshop_rt.core.clock import DAY, HOUR, MINUTE, Millis
from octshop_rt.core.errors import DomainError, RateLimited


class Audience(StrEnum):
    """Whose door a route is. The first folder of a path names it."""

    PUBLIC = "public"
    BUYER = "buyer"
    STAFF = "staff"
    PLATFORM = "platform"


class Right(StrEnum):
    """What a grant lets a person do at a shop."""

    CHAT = "chat.answer"
    CHARGE = "till.charge"
    REDEEM = "voucher.redeem"
    ORDERS = "order.read"
    FINANCE = "finance.read"
    MANAGE = "shop.manage"


class Permission(Struct, frozen=True):
    """What a route asks of whoever knocks. `scoped` means: at the shop named by `{shop_id}` in the path."""

    audience: Audience
    right: Right | None = None
    scoped: bool = False
    guests: bool = False  # buyers only: also for visitors who have not signed in


PUBLIC = Permission(Audience.PUBLIC)
BUYER = Permission(Audience.BUYER)
VISITOR = Permission(Audience.BUYER, guests=True)
STAFF = Permission(Audience.STAFF)
PLATFORM = Permission(Audience.PLATFORM)


def at_shop(right: Right | None = None) -> Permission:
    """A staff person at the shop in the path; with `right`, one who also holds it there (None: any of its staff)."""
    return Permission(Audience.STAFF, right, scoped=True)


class Grant(Struct, frozen=True, kw_only=True):
    """One role of one person at one shop, or at one branch of it."""

    merchant_id: str
    shop_id: str
    branch_id: str | None = None  # None: every branch
    role: str
    rights: frozenset[Right]


class Anonymous(Struct, frozen=True):
    """Nobody we know. Public doors see everybody so."""


class Buyer(Struct, frozen=True, kw_only=True, tag="buyer"):
    """A signed-in buyer, or a guest: somebody who chats without having signed in."""

    session_id: str
    person_id: str
    device_id: str
    guest: bool = False
    was: tuple[str, ...] = ()  # the guests this person was before signing in, oldest first
    ip: str = ""  # of guests only: whence they came; members answer for themselves wherever they are

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id under which this person has spoken."""
        return (self.person_id, *self.was)


class Staff(Struct, frozen=True, kw_only=True, tag="staff"):
    """A signed-in person with grants, not yet at a particular shop."""

    session_id: str
    person_id: str
    name: str
    device_id: str
    grants: tuple[Grant, ...]

    def at(self, shop_id: str, right: Right | None = None) -> ShopStaff | None:
        """This person at `shop_id`, or None without a grant there.

        The rights are those of all grants there together. The branches are those of the grants that hold `right`
        (of any grant when `right` is None or held nowhere), so that a clerk of all branches who is cashier at one
        may cash at that one only.
        """
        here = [grant for grant in self.grants if grant.shop_id == shop_id]
        if not here:
            return None
        holding = [grant for grant in here if right in grant.rights] or here
        everywhere = any(grant.branch_id is None for grant in holding)
        branches = frozenset(grant.branch_id for grant in holding if grant.branch_id is not None)
        return ShopStaff(
            session_id=self.session_id,
            person_id=self.person_id,
            name=self.name,
            merchant_id=here[0].merchant_id,
            shop_id=shop_id,
            branch_id=None if everywhere else min(branches),
            branch_ids=None if everywhere else branches,
            rights=frozenset[Right]().union(*(grant.rights for grant in here)),
            grants=tuple(here),
        )


class ShopStaff(Struct, frozen=True, kw_only=True):
    """One person at one shop."""

    session_id: str
    person_id: str
    name: str
    merchant_id: str
    shop_id: str
    branch_id: str | None  # None: every branch; otherwise the (first) branch this person is bound to
    branch_ids: frozenset[str] | None = None  # None: every branch
    rights: frozenset[Right]
    grants: tuple[Grant, ...] = ()  # those at this shop

    def may_at(self, branch_id: str) -> bool:
        """Whether this person's grants reach `branch_id` of this shop."""
        return self.branch_ids is None or branch_id in self.branch_ids

    def holds_at(self, branch_id: str, right: Right) -> bool:
        """Whether one and the same grant reaches `branch_id` and gives `right`: for a second right inside a route."""
        return any(right in grant.rights and grant.branch_id in {None, branch_id} for grant in self.grants)


class Admin(Struct, frozen=True, kw_only=True, tag="admin"):
    """A platform administrator."""

    session_id: str
    person_id: str
    name: str


Principal = Anonymous | Buyer | Staff | ShopStaff | Admin
SignedIn = Buyer | Staff | Admin  # what a session can resolve to


class Device(Struct, frozen=True, kw_only=True):
    """The program that asks for a session, as it names itself, and how it will carry the token."""

    id: str
    name: str
    ip: str = ""
    bearer: bool = False  # False: a cookie of the web pages; True: the Authorization header of a device


class Person(Struct, frozen=True, kw_only=True):
    """What sessions need to know of a person: told by the wing that keeps people. Disabled ones are not told at all."""

    id: str
    name: str
    grants: tuple[Grant, ...] = ()
    admin: bool = False
    guest: bool = False
    was: tuple[str, ...] = ()


class Session(Struct, frozen=True, kw_only=True):
    """One sign-in on one device. `token_hash` is SHA-256 of the token, which itself is stored nowhere."""

    id: str
    token_hash: str
    audience: Audience
    person_id: str
    device_id: str
    device_name: str
    ip: str
    bearer: bool
    created_at: Millis
    seen_at: Millis
    idle_until: Millis  # moves on with use
    until: Millis  # never moves
    revoked_at: Millis | None = None
    # Everything handed out for this session before this moment (resume tokens) is void: set by revocation and by a
    # change of the person's rights.
    barred_at: Millis = 0


class Span(Struct, frozen=True):
    """How long a session lives: without use, and at most."""

    idle: int
    absolute: int


SPANS: dict[Audience, Span] = {
    Audience.BUYER: Span(30 * DAY, 180 * DAY),
    Audience.STAFF: Span(7 * DAY, 30 * DAY),
    Audience.PLATFORM: Span(2 * HOUR, 12 * HOUR),
}
SEEN_EVERY = MINUTE  # `seen_at` is written at most this often


class NotSignedIn(DomainError):
    """No session, or one that has ended: expired, revoked, its person disabled. Which of these is not told."""

    code = "auth.not_signed_in"
    status = 401
    zh = "请先登录"
    en = "Sign in first"


class WrongCredentials(DomainError):
    """Uniform: unknown phone, wrong password, wrong or used code, disabled person."""

    code = "auth.wrong_credentials"
    status = 401
    zh = "手机号、密码或验证码不正确"
    en = "The phone number, password or code is not right"


class CsrfRefused(DomainError):
    """A cookie came without the header that proves our own page sent it."""

    code = "auth.csrf"
    status = 403
    zh = "页面已过期，请刷新后重试"
    en = "This page is out of date; reload it and try again"


class ForeignOrigin(DomainError):
    """The request was started by a page of another site."""

    code = "auth.foreign_origin"
    status = 403
    zh = "该请求来自其他网站，已被拒绝"
    en = "The request came from another site and was refused"


class TooManyTries(RateLimited):
    """Sign-in is slowed down for this account, network or everybody."""

    code: ClassVar[str] = "auth.too_many_tries"
    zh = "尝试次数过多，请稍后再试"
    en = "Too many tries; wait a moment"


class CodeTooSoon(RateLimited):
    """The next text message to this phone is not due yet."""

    code: ClassVar[str] = "auth.code_too_soon"
    zh = "验证码发送太频繁，请稍后再试"
    en = "Codes are being asked for too often; try again later"


class SignInBusy(RateLimited):
    """More passwords are waiting to be checked than the pool will take."""

    code: ClassVar[str] = "auth.busy"
    zh = "登录人数较多，请稍后再试"
    en = "Many people are signing in; try again shortly"


class CodeNotSent(DomainError):
    """The provider of text messages did not take the code. Asking again is safe."""

    code = "auth.code_not_sent"
    status = 503
    retry = True
    zh = "验证码发送失败，请稍后再试"
    en = "The code could not be sent; try again shortly"


class NeedPasswordOrCode(DomainError):
    """Exactly one proof belongs in a sign-in."""

    code = "auth.need_proof"
    status = 400
    zh = "请填写密码或验证码(二选一)"
    en = "Give either the password or the code, not both"
