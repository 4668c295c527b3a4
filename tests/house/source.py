"""The tree as the house rules see it: every Python file once, parsed."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "octshop_rt"
FOLDERS = (PROGRAM, "scripts", "tests", "loadtests")


class Source:
    """One file: its place in the project, its words, its syntax tree."""

    def __init__(self, place: str, text: str) -> None:
        self.place = place
        self.text = text

    @cached_property
    def tree(self) -> ast.Module:
        """Parsed once."""
        return ast.parse(self.text, self.place)

    @cached_property
    def by_kind(self) -> dict[type[ast.AST], list[ast.AST]]:
        """Its nodes by their class: walked once, asked by every rule."""
        found: dict[type[ast.AST], list[ast.AST]] = {}
        for node in ast.walk(self.tree):
            found.setdefault(type(node), []).append(node)
        return found

    @property
    def parts(self) -> tuple[str, ...]:
        """Folders and file name."""
        return PurePosixPath(self.place).parts

    @property
    def ours(self) -> bool:
        """Part of the product, not of its tests."""
        return self.parts[0] == PROGRAM

    @property
    def module(self) -> str:
        """Dotted name."""
        return ".".join(PurePosixPath(self.place).with_suffix("").parts).removesuffix(".__init__")

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Every node of these kinds."""
        return chain.from_iterable(self.by_kind.get(kind, ()) for kind in kinds)

    def at(self, node: ast.AST, words: str) -> str:
        """A complaint with its place."""
        return f"{self.place}:{getattr(node, 'lineno', 1)}: {words}"


def python_files() -> list[Source]:
    """Every Python file of the project."""
    return [
        Source(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8"))
        for folder in FOLDERS
        for file in sorted((ROOT / folder).rglob("*.py"))
        if "__pycache__" not in file.parts
    ]


def text_files() -> Iterable[tuple[str, str]]:
    """(place, text) of everything that is or may be committed, lock files and pictures left out."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for place in listed:
        file = ROOT / place
        if not file.is_file() or file.suffix in {".png", ".ico", ".woff2", ".wasm", ".wav", ".mp3"}:
            continue
        if file.stat().st_size < 2_000_000:
            yield place, file.read_text(encoding="utf-8", errors="replace")
