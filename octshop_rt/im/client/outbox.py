"""What a client has promised to send: kept on disk before the first try, removed when the server has numbered it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
from msgspec import Struct

from octshop_rt.im.wire.fields import Body, SayKind


class Unsent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message without a number. `m` is its id for every try."""

    m: str
    c: str
    k: SayKind
    b: Body
    re: int | None = None


class Outbox:
    """One SQLite file (or memory, without a path), written through before `put` returns. One client at a time."""

    def __init__(self, path: Path | None = None) -> None:
        self._file = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=FULL")
        self._file.execute("CREATE TABLE IF NOT EXISTS unsent (n INTEGER PRIMARY KEY, m TEXT UNIQUE, body BLOB)")

    def put(self, unsent: Unsent) -> None:
        """Keep it. The same `m` again changes nothing."""
        row = (unsent.m, msgspec.msgpack.encode(unsent))
        self._file.execute("INSERT OR IGNORE INTO unsent (m, body) VALUES (?, ?)", row)

    def remove(self, m: str) -> None:
        """It has its number, or was refused for good."""
        self._file.execute("DELETE FROM unsent WHERE m = ?", (m,))

    def all(self) -> list[Unsent]:
        """What is left, oldest first."""
        rows = self._file.execute("SELECT body FROM unsent ORDER BY n").fetchall()
        return [msgspec.msgpack.decode(body, type=Unsent) for (body,) in rows]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
