r"""A conversation as a file for disputes: every line carries the hash of the line before it. Pure.

Whoever holds the file can check it with any SHA-256: the hash of line n is that of the text
`<hash of line n-1>\n<the line without its hash, as compact JSON with sorted keys>`. A line that was changed, left out,
added or moved breaks the chain; a chain made anew from the first line on ends in another hash than the one the audit
of the shop keeps.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import msgspec

from octshop_rt.core.clock import SHANGHAI, Millis, as_datetime
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.insight.wording import said

FORMAT = "octshop.chat.1"
_STYLE = (
    "body{font:14px/1.6 system-ui,'PingFang SC','Microsoft YaHei',sans-serif;max-width:60rem;margin:2rem auto}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ddd;padding:.35rem .6rem;text-align:left;"
    "vertical-align:top}td.h{font:11px monospace;color:#667;word-break:break-all;width:16rem}.n{background:#fff7e0}"
    "pre{white-space:pre-wrap;font:inherit;margin:0}"
)


def lines(head: Mapping[str, Any], entries: Sequence[Entry], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The file's lines, each with its hash: a head, one for each entry, an end that counts them."""
    found: list[dict[str, Any]] = []
    before = ""
    bodies: list[dict[str, Any]] = [{"type": "head", "format": FORMAT, **head}]
    bodies += [_line(entry, names) for entry in entries]
    bodies.append({"type": "end", "entries": len(entries)})
    for body in bodies:
        before = link(before, body)
        found.append({**body, "hash": before})
    return found


def link(before: str, body: Mapping[str, Any]) -> str:
    """The hash of a line."""
    return hashlib.sha256(f"{before}\n{_compact(body)}".encode()).hexdigest()


def first_wrong(text: str) -> int | None:
    """Number (from 0) of the first line of a JSON-lines file that does not follow; None when it is whole."""
    before, number, last = "", -1, ""
    # Not splitlines: a chat may hold other line ends, which JSON leaves as they are.
    for number, raw in enumerate(text.removesuffix("\n").split("\n")):
        try:
            line = json.loads(raw)
            told = line.pop("hash")
        except (ValueError, KeyError, AttributeError):
            return number
        before = link(before, line)
        last = line.get("type", "")
        if told != before or (last == "end" and line.get("entries") != number - 1):
            return number
    return None if last == "end" else number + 1


def as_jsonl(found: Sequence[Mapping[str, Any]]) -> bytes:
    """One line of JSON each."""
    return b"".join(_compact(line).encode() + b"\n" for line in found)


def as_html(found: Sequence[Mapping[str, Any]], title: str) -> bytes:
    """The same lines for reading, without script or foreign file. The JSON form is the one to be checked."""
    return "".join(_page(found, title)).encode()


def _page(found: Sequence[Mapping[str, Any]], title: str) -> Iterator[str]:
    head = found[0]
    yield (
        f"<!doctype html><html lang=zh-CN><meta charset=utf-8><title>{escape(title)}</title><style>{_STYLE}</style>"
        f"<h1>{escape(title)}</h1><p>{escape(str(head['c']))} · {escape(_moment(head['exported_at']))} · "
        f"SHA-256 {escape(str(found[-1]['hash']))}</p><table>"
    )
    for line in found:
        if line["type"] != "entry":
            continue
        mark = " class=n" if line.get("vis") == "staff" else ""
        yield (
            f"<tr{mark}><td>{line['s']}<td>{escape(_moment(line['ts']))}<td>{escape(str(line['name']))}"
            f" <small>({escape(str(line['fr']))})</small><td>{escape(str(line['k']))}"
            f"<td><pre>{escape(str(line['said']))}</pre><td class=h>{escape(str(line['hash']))}"
        )
    yield "</table>"


def _line(entry: Entry, names: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "entry", "s": entry.s, "id": entry.id, "ts": entry.ts, "fr": entry.fr, "by": entry.f,
        "name": names.get(entry.f, ""), "k": entry.k, "said": said(entry), "body": msgspec.to_builtins(entry.b),
    }  # fmt: skip
    optional = {"re": entry.re, "vis": entry.vis, "edited_at": entry.ed, "recalled_at": entry.rc}
    if entry.rc is not None:
        found["body"] = {}
    return found | {name: value for name, value in optional.items() if value is not None}


def _compact(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _moment(ms: Millis) -> str:
    return as_datetime(ms).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
