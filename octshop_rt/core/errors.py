"""Refusals: one class per reason, with a stable code, an HTTP status, a retry flag and words in two languages."""

from __future__ import annotations

from typing import ClassVar, Literal

Lang = Literal["zh-CN", "en"]
DEFAULT_LANG: Lang = "zh-CN"


class DomainError(Exception):
    """A refusal that a person or a program can act on. Nothing has changed when it is raised.

    Subclasses live in their domain's `model.py` and set `code`, `status`, `zh` and `en`; the two texts are format
    strings over the keyword arguments, which also travel to the client as `data`.
    """

    code: ClassVar[str] = "core.error"
    status: ClassVar[int] = 400
    retry: ClassVar[bool] = False
    zh: ClassVar[str] = "请求未被接受"
    en: ClassVar[str] = "The request was not accepted"

    def __init__(self, **data: object) -> None:
        super().__init__(self.code)
        self.data = data

    def text(self, lang: Lang = DEFAULT_LANG) -> str:
        """The sentence for a person, in `lang`."""
        return (self.zh if lang == "zh-CN" else self.en).format(**self.data)

    def __str__(self) -> str:
        return f"{self.code}: {self.text('en')}"


class BadInput(DomainError):
    """The bytes or fields do not have the declared shape."""

    code = "core.bad_input"
    status = 400
    zh = "请求内容有误：{reason}"
    en = "The request is not well-formed: {reason}"

    def __init__(self, *, reason: str, **data: object) -> None:
        super().__init__(reason=reason, **data)


class NotFound(DomainError):
    """Missing, or not yours: the two look the same on purpose."""

    code = "core.not_found"
    status = 404
    zh = "没有找到，或您无权查看"
    en = "Not found, or not yours to see"


class Forbidden(DomainError):
    """Known person, known object, missing right."""

    code = "core.forbidden"
    status = 403
    zh = "您的账号没有这项权限，请联系店主开通"
    en = "Your account lacks this permission; ask the shop owner for it"


class RequestConflict(DomainError):
    """A `request_id` came back with other content than the first time."""

    code = "core.request_conflict"
    status = 409
    zh = "该请求编号已用于另一项内容，请刷新后重新提交"
    en = "This request id was already used for something else; reload and submit again"


class RateLimited(DomainError):
    """Too many requests; `after_ms` says when to come back."""

    code = "core.rate_limited"
    status = 429
    retry = True
    zh = "操作太频繁，请稍后再试"
    en = "Too many requests; try again shortly"

    def __init__(self, *, after_ms: int, **data: object) -> None:
        super().__init__(after_ms=after_ms, **data)


class Busy(DomainError):
    """The server sheds load or a part it needs is away. Nothing happened; retry with the same id."""

    code = "core.busy"
    status = 503
    retry = True
    zh = "系统繁忙，请稍后用同一请求重试"
    en = "The server is busy; retry the same request shortly"


class UnknownOutcome(DomainError):
    """The third answer: perhaps done, perhaps not. Retrying with the same id settles it."""

    code = "core.unknown_outcome"
    status = 503
    retry = True
    zh = "结果尚未确定，请用同一请求重试，不会重复生效"
    en = "The outcome is not known yet; retry the same request, it cannot take effect twice"
