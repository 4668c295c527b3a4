"""Whether one more message may wait for the store. No clock and no I/O: times are given.

A client sends again after five seconds, so a message that would wait longer is better refused at once, with a word of
when to come back, than kept: it stays in the client's outbox and nothing is lost. How long it would wait is told by
two figures: writes that must go first, and how long a write takes now.
"""

from __future__ import annotations

_FALL = 0.1  # of the way down at each quicker write; up it goes at once
_PATIENCE_MS = 3_000
_LEAST_AFTER_MS = 500
_MOST_AFTER_MS = 5_000


class Admission:
    """`writes` are on their way at a time, of `most` messages each; so many may always wait, or nobody would find out
    that the store is quick again.
    """

    def __init__(self, writes: int, most: int) -> None:
        self._room = writes * most
        self._slow_ms = 0.0
        self.refused = 0  # for the figures

    def wrote(self, ms: float) -> None:
        """A write has taken so long. The peak counts and is forgotten slowly: that follows the slowest hundredth."""
        self._slow_ms = ms if ms > self._slow_ms else self._slow_ms + (ms - self._slow_ms) * _FALL

    def slow_ms(self, oldest_ms: float) -> float:
        """How long a write takes now, the oldest of those on their way having taken `oldest_ms` so far."""
        return max(self._slow_ms, oldest_ms)

    def after_ms(self, waiting: int, oldest_ms: float) -> int:
        """0 if one more may wait behind `waiting`, else when to come back."""
        if waiting < self._room:
            return 0
        wait = waiting / self._room * self.slow_ms(oldest_ms)
        if wait <= _PATIENCE_MS:
            return 0
        self.refused += 1
        return int(min(_MOST_AFTER_MS, max(_LEAST_AFTER_MS, wait)))
