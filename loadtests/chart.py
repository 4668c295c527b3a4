"""A picture of a comparison, drawn by the run that measured it: bars on a logarithmic scale, as one SVG file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from msgspec import Struct

_WIDTH, _LEFT, _RIGHT, _ROW, _HEAD = 860, 230, 150, 30, 54
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2933 } .title { font-size: 16px; font-weight: 600 }
.quiet { fill: #5f6b7a; font-size: 12px } .grid { stroke: #d9dee5 } .bar { fill: #9aa7b8 } .ours { fill: #0f766e }
.missing { fill: #5f6b7a; font-style: italic } .back { fill: #ffffff }
@media (prefers-color-scheme: dark) {
text { fill: #e6eaf0 } .quiet, .missing { fill: #9aa7b8 } .grid { stroke: #38424f } .bar { fill: #64748b }
.ours { fill: #2dd4bf } .back { fill: #11161d } }
"""


class Bar(Struct, frozen=True, kw_only=True):
    """One line: from `low` or the axis to `high`; without `high`, `missing` says why."""

    name: str
    high: float | None = None
    low: float | None = None
    words: str = ""
    missing: str = ""
    ours: bool = False


class Panel(Struct, frozen=True, kw_only=True):
    """Bars of one unit under one title; the scale is theirs together."""

    title: str
    note: str
    bars: Sequence[Bar]


def draw(panels: Sequence[Panel], foot: Sequence[str]) -> str:
    """The whole SVG document."""
    parts: list[str] = []
    y = 12
    for panel in panels:
        parts += _panel(panel, y)
        y += _HEAD + _ROW * len(panel.bars) + 34
    for line in foot:
        parts.append(_text(16, y, line, "quiet"))
        y += 18
    size = f'width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}"'
    label = escape("; ".join(panel.title for panel in panels), quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}"><style>{_STYLE}</style>'
        f'<rect class="back" width="{_WIDTH}" height="{y}"/>{"".join(parts)}</svg>\n'
    )


def write(file: Path, panels: Sequence[Panel], foot: Sequence[str]) -> None:
    """Draw it into `file`."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(draw(panels, foot))


def _panel(panel: Panel, top: int) -> list[str]:
    values = [value for bar in panel.bars for value in (bar.low, bar.high) if value]
    first = math.floor(math.log10(min(values, default=1)))
    if any(bar.high and not bar.low and math.log10(bar.high) - first < 0.2 for bar in panel.bars):
        first -= 1  # a bar that begins at the axis must have a length
    last = max(math.ceil(math.log10(max(values, default=10))), first + 1)
    bottom = top + _HEAD + _ROW * len(panel.bars)

    def at(value: float) -> float:
        return _LEFT + (math.log10(value) - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    parts = [_text(16, top + 16, panel.title, "title"), _text(16, top + 36, panel.note, "quiet")]
    for power in range(first, last + 1):
        x = at(10.0**power)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top + 46}" y2="{bottom}"/>')
        parts.append(_text(x, bottom + 16, f"{10.0**power:,g}", "quiet", "middle"))
    for number, bar in enumerate(panel.bars):
        parts += _bar(bar, top + _HEAD + _ROW * number, at)
    return parts


def _bar(bar: Bar, y: int, at: Callable[[float], float]) -> list[str]:
    parts = [_text(_LEFT - 10, y + 17, bar.name, "", "end")]
    if not bar.high:
        return [*parts, _text(_LEFT + 8, y + 17, bar.missing, "missing")]
    start = at(bar.low) if bar.low else float(_LEFT)
    wide = max(3.0, at(bar.high) - start)
    kind = "ours" if bar.ours else "bar"
    parts.append(f'<rect class="{kind}" x="{start:.1f}" y="{y + 3}" width="{wide:.1f}" height="{_ROW - 10}" rx="3"/>')
    parts.append(_text(start + wide + 8, y + 17, bar.words, ""))
    return parts


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
