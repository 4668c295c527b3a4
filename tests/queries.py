"""Watches the commands a test run sends to MongoDB and asks, at the end, whether each query shape has an index."""

from __future__ import annotations

from typing import Any

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from octshop_rt.core import mongo

WATCHED = {"find", "update", "findAndModify", "delete", "count"}


class QueryWatch(CommandListener):
    """Keeps one example per (collection, fields in the filter and in its branches)."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str, str], dict[str, Any]] = {}

    def started(self, event: CommandStartedEvent) -> None:
        """Remember the filter of a read or a write."""
        if event.command_name not in WATCHED or "_" not in event.database_name:
            return
        command = event.command
        collection = str(command[event.command_name])
        for query in _filters(event.command_name, command):
            shape = repr([sorted(fields) for fields in _ways(query)]) if query else ""
            self.seen.setdefault((event.database_name.split("_", 1)[1], collection, shape), dict(query))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Not needed."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Not needed."""


def unindexed(watch: QueryWatch) -> list[str]:
    """Query shapes no declared index serves: neither `_id` nor the first field of an index is asked for.

    An empty filter is a whole scan on purpose (fsck, wiping a test database) and is left out; so are collections the
    house does not declare.
    """
    declared = {(one.database, one.name): one for one in mongo.declared}
    missing: list[str] = []
    for (database, name, shape), example in watch.seen.items():
        collection = declared.get((database, name))
        if collection is None or not shape:
            continue
        leading = {"_id"} | {one.fields[0].lstrip("-").partition(":")[0] for one in collection.indexes}
        if not all(leading & fields for fields in _ways(example)):
            missing.append(f"{database}.{name}: {example}")
    return missing


def _ways(query: dict[str, Any]) -> list[set[str]]:
    """The fields of a filter; one set per branch where it branches with `$or` alone."""
    fields = {name for name in query if not name.startswith("$")}
    for part in query.get("$and", []):
        fields |= set(part)
    branches: list[dict[str, Any]] = query.get("$or", [])
    return [fields | set(branch) for branch in branches] or [fields]


def _filters(name: str, command: Any) -> list[dict[str, Any]]:
    if name == "find":
        return [command.get("filter", {})]
    if name in {"findAndModify", "count"}:
        return [command.get("query", {})]
    return [one["q"] for one in command.get("updates" if name == "update" else "deletes", [])]
