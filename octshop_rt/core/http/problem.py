"""Error bodies (RFC 9457): stable code, the client's language and form. The only place where HTTP renders refusals."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from octshop_rt.core.errors import DomainError, Lang
from octshop_rt.core.http.media import MSGPACK, Form
from octshop_rt.core.http.refusals import words

PROBLEM_JSON = "application/problem+json"

_json = msgspec.json.Encoder(enc_hook=str)
_msgpack = msgspec.msgpack.Encoder(enc_hook=str)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong. Programs look at `code` and `retry`, people at `title` and `detail`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retry: bool
    data: dict[str, Any]
    request_id: str


def problem_of(refusal: DomainError, lang: Lang, request_id: str) -> Problem:
    """A refusal as a problem."""
    zh, en = words(refusal.status)
    return Problem(
        type=f"/api/docs#{refusal.code}",
        title=zh if lang == "zh-CN" else en,
        status=refusal.status,
        detail=refusal.text(lang),
        code=refusal.code,
        retry=refusal.retry,
        data=refusal.data,
        request_id=request_id,
    )


def bare_problem(status: int, lang: Lang, request_id: str) -> Problem:
    """A problem for an HTTP status without a refusal of ours."""
    zh, en = words(status)
    title = zh if lang == "zh-CN" else en
    return Problem(
        type="about:blank",
        title=title,
        status=status,
        detail=title,
        code=f"http.status_{status}",
        retry=status in {408, 429, 502, 503, 504},
        data={},
        request_id=request_id,
    )


def encode(problem: Problem) -> bytes:
    """As JSON."""
    return _json.encode(problem)


def response(problem: Problem, form: Form, lang: Lang) -> web.Response:
    """The answer to send."""
    answer = web.Response(
        status=problem.status,
        body=_msgpack.encode(problem) if form == "msgpack" else _json.encode(problem),
        content_type=MSGPACK if form == "msgpack" else PROBLEM_JSON,
        headers={"Content-Language": lang},
    )
    if problem.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    after_ms = problem.data.get("after_ms")
    if isinstance(after_ms, int):
        answer.headers["Retry-After"] = str(-(-after_ms // 1000))
    return answer
