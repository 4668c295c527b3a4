"""What the client speaks: JSON or msgpack, Chinese or English; judged from headers, pure."""

from __future__ import annotations

from typing import Literal

from octshop_rt.core.errors import DEFAULT_LANG, Lang

Form = Literal["json", "msgpack"]

JSON = "application/json"
MSGPACK = "application/msgpack"
_FORMS: dict[str, Form] = {
    JSON: "json",
    "application/problem+json": "json",
    MSGPACK: "msgpack",
    "application/x-msgpack": "msgpack",
    "application/vnd.msgpack": "msgpack",
}
_ANY: dict[str, Form] = {"*/*": "json", "application/*": "json"}


def body_form(content_type: str) -> Form | None:
    """The form of a body by its Content-Type; None for one we do not read."""
    kind, _, parameters = content_type.partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if charset not in {"", "charset=utf-8", "charset=utf8"}:
        return None
    form = _FORMS.get(kind.strip().lower())
    return None if kind.strip().lower() == "application/problem+json" else form


def answer_form(accept: str) -> Form | None:
    """The form the client wants by its Accept header, the more wanted one first; None if it wants neither."""
    if not accept.strip():
        return "json"
    best: tuple[float, Form] | None = None
    for part in accept.split(","):
        kind, quality = _quality(part)
        form = _FORMS.get(kind) or _ANY.get(kind)
        if form is not None and quality > 0 and (best is None or quality > best[0]):
            best = (quality, form)
    return None if best is None else best[1]


def language(wish: str | None, accept_language: str) -> Lang:
    """An explicit wish (query or cookie `lang`) first, then Accept-Language, then Chinese."""
    if wish is not None and (named := _lang(wish)) is not None:
        return named
    best: tuple[float, Lang] | None = None
    for part in accept_language.split(","):
        tag, quality = _quality(part)
        lang = _lang(tag)
        if lang is not None and quality > 0 and (best is None or quality > best[0]):
            best = (quality, lang)
    return DEFAULT_LANG if best is None else best[1]


def _lang(tag: str) -> Lang | None:
    primary = tag.strip().lower().partition("-")[0]
    if primary == "zh":
        return "zh-CN"
    return "en" if primary == "en" else None


def _quality(part: str) -> tuple[str, float]:
    kind, *parameters = part.split(";")
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 0.0
    return kind.strip().lower(), quality
