"""Watches the commands a test run sends to MongoDB and asks, at the end, whether each query shape has an index."""

from __future__ import annotations

from typing import Any

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

WATCHED = {"find", "update", "findAndModify", "delete", "count"}


class QueryWatch(CommandListener):
    """Keeps one example per (collection, fields in the filter)."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str, tuple[str, ...]], dict[str, Any]] = {}

    def started(self, event: CommandStartedEvent) -> None:
        """Remember the filter of a read or a write."""
        if event.command_name not in WATCHED or "_" not in event.database_name:
            return
        command = event.command
        collection = str(command[event.command_name])
        for query in _filters(event.command_name, command):
            shape = tuple(sorted(query))
            self.seen.setdefault((event.database_name.split("_", 1)[1], collection, shape), dict(query))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Not needed."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Not needed."""


def _filters(name: str, command: Any) -> list[dict[str, Any]]:
    if name == "find":
        return [command.get("filter", {})]
    if name in {"findAndModify", "count"}:
        return [command.get("query", {})]
    return [one["q"] for one in command.get("updates" if name == "update" else "deletes", [])]
