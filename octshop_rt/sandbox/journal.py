"""The simulator's memory on disk: every changed row is appended as a line, the last line of a key wins at the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

Row = TypeVar("Row", bound=msgspec.Struct)


class Journal:
    """Append-only JSON lines below `folder`; rewritten compactly when opened. A torn last line is dropped."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / "journal.jsonl"
        self._rows: dict[tuple[str, str], Any] = {}
        if self._path.exists():
            self._read()
        compact = self._path.with_suffix(".new")
        with compact.open("wb") as out:
            out.writelines(_line(kind, key, row) for (kind, key), row in self._rows.items())
        compact.replace(self._path)
        self._file = self._path.open("ab", buffering=0)

    def _read(self) -> None:
        for line in self._path.read_bytes().splitlines():
            try:
                kind, key, row = msgspec.json.decode(line, type=tuple[str, str, Any])
            except msgspec.DecodeError:
                continue
            self._rows[(kind, key)] = row

    def rows(self, kind: str, shape: type[Row]) -> dict[str, Row]:
        """All rows of one kind by key, oldest first. A row of an older shape is forgotten, not guessed at."""
        found: dict[str, Row] = {}
        for (row_kind, key), row in self._rows.items():
            if row_kind != kind:
                continue
            try:
                found[key] = msgspec.convert(row, shape)
            except msgspec.ValidationError:
                continue
        return found

    def write(self, kind: str, key: str, row: msgspec.Struct) -> None:
        """Remember `row`. One unbuffered write: it survives the end of the process, not the end of the power."""
        self._file.write(_line(kind, key, row))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _line(kind: str, key: str, row: object) -> bytes:
    return msgspec.json.encode((kind, key, row)) + b"\n"
