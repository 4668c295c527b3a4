"""Declarations of indexes, as stores write them beside their collections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

Doc = Mapping[str, Any]


class Index(msgspec.Struct, frozen=True):
    """Fields in order; `-field` descends, `field:2dsphere` is a map point."""

    fields: tuple[str, ...]
    unique: bool = False
    partial: Doc | None = None
    expire_after_s: int | None = None

    def keys(self) -> list[tuple[str, int | str]]:
        """In the driver's form."""
        return [_key(field) for field in self.fields]


def index(*fields: str, unique: bool = False, partial: Doc | None = None, expire_after_s: int | None = None) -> Index:
    """Declare an index; see Index."""
    return Index(fields, unique, partial, expire_after_s)


def _key(field: str) -> tuple[str, int | str]:
    if field.startswith("-"):
        return field[1:], -1
    name, _, kind = field.partition(":")
    return name, kind or 1
