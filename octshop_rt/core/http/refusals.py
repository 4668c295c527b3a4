"""Refusals of the edge itself: wrong media, too large, too slow, and the words for bare HTTP statuses."""

from __future__ import annotations

from typing import NamedTuple

from octshop_rt.core.errors import DomainError


class NotAcceptable(DomainError):
    """The client accepts neither JSON nor msgpack."""

    code = "http.not_acceptable"
    status = 406
    zh = "本接口只提供 JSON 和 msgpack"
    en = "This API answers in JSON or msgpack only"


class UnsupportedMedia(DomainError):
    """The body's content type or encoding is not one this route reads."""

    code = "http.unsupported_media"
    status = 415
    zh = "不支持的内容类型，可用：{takes}"
    en = "Unsupported content type; use one of: {takes}"


class TooLarge(DomainError):
    """The body is longer than this route reads."""

    code = "http.too_large"
    status = 413
    zh = "内容过大，上限 {limit} 字节"
    en = "The body is too large; the limit is {limit} bytes"


class TooSlow(DomainError):
    """The body did not arrive in time."""

    code = "http.too_slow"
    status = 408
    retry = True
    zh = "网络太慢，内容未能及时收全，请重试"
    en = "The body did not arrive in time; try again"


class Internal(DomainError):
    """Our own mistake. The id finds the stack in the log; nothing else leaves the house."""

    code = "http.internal"
    status = 500
    retry = True
    zh = "系统出错，请稍后重试；反馈时请提供编号 {error_id}"
    en = "Something went wrong on our side; try again, and quote id {error_id} if you report it"


class Words(NamedTuple):
    """A status in both languages."""

    zh: str
    en: str


WORDS: dict[int, Words] = {
    400: Words("请求有误", "Bad request"),
    401: Words("需要登录", "Sign-in required"),
    402: Words("需要付款", "Payment required"),
    403: Words("没有权限", "Forbidden"),
    404: Words("没有找到", "Not found"),
    405: Words("不支持的操作", "Method not allowed"),
    406: Words("无法提供所需格式", "Not acceptable"),
    408: Words("请求超时", "Request timed out"),
    409: Words("状态已变化", "Conflict"),
    410: Words("已失效", "Gone"),
    413: Words("内容过大", "Content too large"),
    415: Words("不支持的内容类型", "Unsupported media type"),
    422: Words("无法处理", "Unprocessable"),
    426: Words("需要升级协议", "Upgrade required"),
    429: Words("操作太频繁", "Too many requests"),
    500: Words("系统出错", "Internal error"),
    501: Words("未提供", "Not implemented"),
    502: Words("上游出错", "Bad gateway"),
    503: Words("系统繁忙", "Busy"),
    504: Words("上游超时", "Gateway timeout"),
}


def words(status: int) -> Words:
    """Title of a status."""
    return WORDS.get(status) or (WORDS[500] if status >= 500 else WORDS[400])
