"""A readable page of the API at /api/docs: our own HTML, no script, no foreign file, a policy that allows no more."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from typing import Any, get_origin

import msgspec

from octshop_rt.core.errors import Lang
from octshop_rt.core.http.openapi import refusals_of
from octshop_rt.core.http.routes import API, Raw, Route
from octshop_rt.core.http.streams import Flow, Stream

_STYLE = (
    ":root{color-scheme:light dark;--ink:#1d2129;--dim:#5b6472;--line:#d9dde4;--back:#fff;--chip:#eef1f6}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e8eaee;--dim:#a3abb8;--line:#3a404b;--back:#16181d;--chip:#262a33}}"
    "body{font:16px/1.6 system-ui,'PingFang SC','Microsoft YaHei',sans-serif;color:var(--ink);background:var(--back);"
    "max-width:60rem;margin:0 auto;padding:1.5rem}"
    "h1{margin:0}h2{margin:2.5rem 0 .5rem;border-bottom:1px solid var(--line)}p,small{color:var(--dim)}"
    "details{border-bottom:1px solid var(--line);padding:.5rem 0}summary{cursor:pointer;overflow-wrap:anywhere}"
    "code{background:var(--chip);border-radius:4px;padding:.1em .4em;font-size:.9em}"
    ".m{display:inline-block;min-width:4.2rem;font-weight:600}table{border-collapse:collapse;width:100%}"
    "td,th{border-bottom:1px solid var(--line);padding:.3rem .6rem .3rem 0;text-align:left;vertical-align:top}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_WORDS: dict[Lang, dict[str, str]] = {
    "zh-CN": {
        "title": "octshop-rt 接口文档",
        "lead": "金额为整数分，时间为 UTC 毫秒，编号为字符串。内容可用 JSON 或 msgpack；"
        "错误遵循 RFC 9457，code 稳定不变。每次修改都带由客户端生成、重试时不变的 request_id。",
        "machine": "机器可读版本",
        "other": "English",
        "body": "请求",
        "query": "查询参数",
        "answer": "返回",
        "errors": "可能的错误",
        "needs": "权限",
        "codes": "错误代码",
        "meaning": "说明",
        "retry": "可重试",
        "anyone": "任何人",
    },
    "en": {
        "title": "octshop-rt API",
        "lead": "Money is integer fen, time is UTC milliseconds, ids are strings. Bodies are JSON or msgpack; errors "
        "are RFC 9457 problems with a stable code. Every change carries a request_id that the client makes and keeps.",
        "machine": "machine-readable",
        "other": "中文",
        "body": "Body",
        "query": "Query",
        "answer": "Answer",
        "errors": "May refuse with",
        "needs": "Needs",
        "codes": "Error codes",
        "meaning": "Meaning",
        "retry": "retry",
        "anyone": "anybody",
    },
}


def page(routes: Sequence[Route], lang: Lang) -> str:
    """The page in `lang`."""
    say = _WORDS[lang]
    other = "en" if lang == "zh-CN" else "zh-CN"
    groups: dict[str, list[Route]] = {}
    for route in routes:
        groups.setdefault(route.path.strip("/").split("/")[0], []).append(route)
    head = (
        f"<!doctype html><html lang={lang}><meta charset=utf-8>"
        f'<meta name=viewport content="width=device-width,initial-scale=1"><title>{say["title"]}</title>'
        f"<style>{_STYLE}</style><h1>{say['title']}</h1><p>{say['lead']}</p>"
        f"<p><a href=/api/openapi.json>OpenAPI 3.1 ({say['machine']})</a> · "
        f'<a href="?lang={other}">{say["other"]}</a> · <a href=#codes>{say["codes"]}</a></p>'
    )
    parts = [head]
    for name, members in groups.items():
        parts.append(f"<h2>{escape(name)}</h2>")
        parts += [_route(route, say) for route in members]
    parts.append(_codes(routes, lang, say))
    return "".join(parts)


def _route(route: Route, say: dict[str, str]) -> str:
    permission = route.permission
    needs = " · ".join(str(part) for part in (permission.audience.value, permission.right) if part is not None)
    codes = " ".join(f'<a href="#{one.code}"><code>{one.code}</code></a>' for one in refusals_of(route))
    rows = [
        (say["needs"], say["anyone"] if needs == "public" else f"<code>{escape(needs)}</code>"),
        (say["query"], _fields(route.query)),
        (say["body"], _fields(route.body)),
        (say["answer"], f"{route.status} {_fields(route.answer)}"),
        (say["errors"], codes),
    ]
    table = "".join(f"<tr><th>{name}<td>{value}" for name, value in rows if value)
    return (
        f"<details id={route.operation_id}><summary><span class=m>{route.method}</span> "
        f"<code>{escape(API + route.path)}</code> {escape(route.summary)}</summary><table>{table}</table></details>"
    )


def _fields(shape: Any) -> str:
    if shape is None:
        return ""
    if shape in {bytes, Raw, Stream, Flow}:
        return "<code>bytes</code>"
    struct = get_origin(shape) or shape
    if isinstance(struct, type) and issubclass(struct, msgspec.Struct):
        # Names alone: to work out the types of every field took a good part of each start.
        names = " ".join(f"<code>{escape(name)}</code>" for name in struct.__struct_encode_fields__)
        return f"{escape(struct.__name__)}: {names}"
    return f"<code>{escape(str(shape))}</code>"


def _codes(routes: Sequence[Route], lang: Lang, say: dict[str, str]) -> str:
    found = {one.code: one for route in routes for one in refusals_of(route)}
    rows: list[str] = []
    for code, one in sorted(found.items()):
        again = f" <small>({say['retry']})</small>" if one.retry else ""
        text = escape(one.zh if lang == "zh-CN" else one.en)
        rows.append(f'<tr id="{code}"><td><code>{code}</code><td>{one.status}{again}<td>{text}')
    head = f"<tr><th>code<th>HTTP<th>{say['meaning']}"
    return f"<h2 id=codes>{say['codes']}</h2><table>{head}{''.join(rows)}</table>"
