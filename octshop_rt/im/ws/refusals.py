"""How chat says no: DomainErrors as ERR frames, and the refusals of the connection itself."""

from __future__ import annotations

from octshop_rt.core.errors import DomainError, Lang
from octshop_rt.im.wire.outgoing import Err


class SignedOut(DomainError):
    """The session has ended, or the token never was one."""

    code = "im.signed_out"
    status = 401
    zh = "登录已失效，请重新登录"
    en = "Your sign-in has ended; sign in again"


class TokenExpiring(DomainError):
    """The session behind this connection is about to end: AUTH with a fresh ticket keeps it open."""

    code = "im.token_expiring"
    status = 401
    retry = True
    zh = "登录即将到期，正在续期"
    en = "Your sign-in is about to end and is being renewed"


class Replaced(DomainError):
    """The same device opened a newer connection."""

    code = "im.replaced"
    status = 409
    zh = "此设备已在新的连接上打开"
    en = "This device has opened a newer connection"


class TooManyLinks(DomainError):
    """The person has as many connections as allowed."""

    code = "im.too_many_connections"
    status = 429
    zh = "同时打开的窗口或设备太多，请先关闭一些"
    en = "Too many windows or devices are open; close some first"


class BadField(DomainError):
    """A frame with a missing, wrong or oversized field."""

    code = "im.bad_field"
    status = 400
    zh = "消息格式有误：{reason}"
    en = "The frame is not well-formed: {reason}"

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason=reason)


class NotYours(DomainError):
    """One of the things to watch is missing or not yours to watch."""

    code = "im.may_not_watch"
    status = 404
    zh = "没有找到，或您无权关注"
    en = "Not found, or not yours to watch"


class TooMuchWatched(DomainError):
    """The connection watches as much as it may."""

    code = "im.too_much_watched"
    status = 429
    zh = "关注的内容太多，请先取消一些"
    en = "Too much is being watched; stop watching some first"


class Draining(DomainError):
    """This node is being replaced."""

    code = "im.draining"
    status = 503
    retry = True
    zh = "服务正在更新，正在切换连接"
    en = "The service is being updated; moving your connection"


class InternalFault(DomainError):
    """Our mistake. The same ids may be sent again."""

    code = "im.internal"
    status = 500
    retry = True
    zh = "服务出错，请稍后重试"
    en = "Something went wrong on our side; try again shortly"


def language(wish: str | None) -> Lang:
    """Chinese unless something else was asked for."""
    return "zh-CN" if wish is None or wish.lower().startswith("zh") else "en"


def err(refusal: DomainError, lang: Lang, *, i: int | None = None, c: str | None = None, m: str | None = None) -> Err:
    """The ERR frame that tells of `refusal`."""
    after = refusal.data.get("after_ms")
    return Err(
        code=refusal.code,
        msg=refusal.text(lang),
        retry=refusal.retry,
        i=i,
        after=after if isinstance(after, int) else None,
        c=c,
        m=m,
    )
