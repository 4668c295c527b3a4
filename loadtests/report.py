"""What every bench ends with: a table with the machine and the versions, and loadtests/out/<bench>.json."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console
from rich.table import Table

from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from octshop_rt.embedded.mongod import EmbeddedMongo

OUT = Path(__file__).parent / "out"


class Figure(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the result; `ok` is None where there is no aim."""

    name: str
    value: float
    unit: str
    aim: str = ""
    ok: bool | None = None


def at_least(name: str, value: float, unit: str, aim: float) -> Figure:
    """A figure that should not be lower than `aim`."""
    return Figure(name, value, unit, f">= {aim:g}", value >= aim)


def at_most(name: str, value: float, unit: str, aim: float) -> Figure:
    """A figure that should not be higher than `aim`."""
    return Figure(name, value, unit, f"<= {aim:g}", value <= aim)


def of_runs(
    name: str,
    values: Sequence[float],
    unit: str,
    *,
    least: float | None = None,
    most: float | None = None,
    stretch: float | None = None,
    bigger: bool = True,
) -> list[Figure]:
    """Median and worst of several runs, both held to the aim: at `least` or at `most`. `stretch` is told, not judged;
    `bigger` says which end is the worst where there is no aim.
    """
    bigger = bigger and most is None
    found = {"median": statistics.median(values), "worst": min(values) if bigger else max(values)}
    goal = least if least is not None else most
    aim = "" if goal is None else f"{'>=' if bigger else '<='} {goal:g}{'' if stretch is None else f' ({stretch:g})'}"
    return [
        Figure(
            f"{name}, {which} of {len(values)}", value, unit, aim,
            None if goal is None else value >= goal if bigger else value <= goal,
        ) for which, value in found.items()
    ]  # fmt: skip


def percentile(values: Sequence[float], part: int) -> float:
    """The value below which `part` per cent of `values` lie."""
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=100)[part - 1]


def tell(bench: str, figures: Sequence[Figure], *, about: str = "") -> None:
    """Print the table and write `out/<bench>.json`. `about` names what the machine does not: versions, load."""
    machine = f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}"
    table = Table("figure", "value", "unit", "aim", "ok", title=f"{machine}{about and ', '}{about}")
    for one in figures:
        table.add_row(one.name, f"{one.value:,.1f}", one.unit, one.aim, {True: "✓", False: "✗", None: ""}[one.ok])
    Console(width=140).print(table)
    OUT.mkdir(exist_ok=True)
    (OUT / f"{bench}.json").write_text(json.dumps([msgspec.to_builtins(one) for one in figures], indent=1) + "\n")


def measure(bench: str, run: Callable[[str], Awaitable[list[Figure]]]) -> None:
    """Run the bench on OCTSHOP_TEST_MONGO_URI, or on a private mongod that ends with it, and tell the result."""

    async def whole(uri: str) -> None:
        figures = await run(uri)
        db = Database.connect(MongoSettings(uri=uri))
        version = str((await db.server_info())["version"])
        await db.close()
        tell(bench, figures, about=f"mongod {version}")

    if uri := os.environ.get("OCTSHOP_TEST_MONGO_URI"):
        uvloop.run(whole(uri))
        return
    with tempfile.TemporaryDirectory(prefix="octshop-bench-") as place:
        mongod = EmbeddedMongo(Path(place))
        uri = asyncio.run(mongod.start())
        try:
            uvloop.run(whole(uri))
        finally:
            asyncio.run(mongod.stop())
