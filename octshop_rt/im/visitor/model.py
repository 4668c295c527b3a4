"""Shapes of visitors: the trail of one visit, a shop's widget, a signed entry, and the refusals."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.money import Fen

Name = Annotated[str, Meta(max_length=120)]
Address = Annotated[str, Meta(max_length=500)]
Site = Annotated[str, Meta(max_length=200, pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$(?!\n)")]


class Cart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What lies in the visitor's cart, in short."""

    count: Annotated[int, Meta(ge=0, le=9_999)]
    amount_fen: Fen
    titles: Annotated[tuple[Name, ...], Meta(max_length=5)] = ()


class PageView(Struct, frozen=True, kw_only=True):
    """One page that was looked at: without query and fragment, numbers of phones masked."""

    path: str
    title: str
    at: Millis
    stayed_ms: int = 0


class Visit(Struct, frozen=True, kw_only=True):
    """The current visit in one conversation (`id`). A new visit takes the place of the last one."""

    id: str
    shop_id: str
    person_id: str
    started_at: Millis
    at: Millis
    referrer: str
    device: str
    pages: tuple[PageView, ...]  # newest last
    cart: Cart | None = None


class Widget(Struct, frozen=True, kw_only=True):
    """A shop's chat on other sites: `id` is the shop's. `key_no` counts the secrets; the old ones are void."""

    id: str
    on: bool
    sites: tuple[str, ...]
    key_no: int
    updated_at: Millis


class Entry(Struct, frozen=True, kw_only=True):
    """What the shop's own server says of its customer; good once, for five minutes. Times in seconds, as in JWT."""

    shop: Annotated[str, Meta(max_length=64)]
    sub: Annotated[str, Meta(min_length=1, max_length=128)]
    jti: Annotated[str, Meta(min_length=8, max_length=64)]
    iat: Annotated[int, Meta(ge=0, le=100_000_000_000)]
    name: Annotated[str, Meta(max_length=30)] = ""


class NoVisit(DomainError):
    """No conversation of this shop."""

    code = "visitor.no_visit"
    status = 404
    zh = "没有这个会话，或您无权查看"
    en = "There is no such conversation, or it is not yours to see"


class NotTalking(DomainError):
    """Only shops one talks to see what one looks at."""

    code = "visitor.not_talking"
    status = 404
    zh = "您还没有与该店铺对话"
    en = "You have no conversation with this shop"


class BadEntry(DomainError):
    """Forged, late, used, or for another shop: which of these is not told."""

    code = "visitor.bad_entry"
    status = 401
    zh = "身份凭证无效或已过期，请刷新页面"
    en = "This entry is not valid (any more); reload the page"
