"""A life as a table: which state may follow which. The store's filter is made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

State = TypeVar("State", bound=str)


class Life(Generic[State]):
    """Transitions of one kind of thing. `sources(target)` becomes the filter of the store's `move`."""

    def __init__(self, name: str, table: Mapping[State, Iterable[State]]) -> None:
        self.name = name
        self._next: dict[State, frozenset[State]] = {state: frozenset(after) for state, after in table.items()}
        for state, after in self._next.items():
            if unknown := after - self._next.keys():
                message = f"{name}: {state} leads to undeclared {sorted(unknown)}"
                raise ValueError(message)

    @property
    def states(self) -> frozenset[State]:
        """All declared states."""
        return frozenset(self._next)

    def may(self, now: State, target: State) -> bool:
        """Whether `target` may directly follow `now`."""
        return target in self._next[now]

    def sources(self, target: State) -> list[State]:
        """States that `target` may directly follow, sorted; empty for a birth state."""
        return sorted(state for state, after in self._next.items() if target in after)

    def final(self, state: State) -> bool:
        """Whether nothing follows `state`."""
        return not self._next[state]
