"""Tokens that are used again: a session for every one of thousands of knocks took most of the matrix's time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from octshop_rt.core.auth import tokens
from octshop_rt.core.auth.model import Audience
from octshop_rt.core.auth.sessions import Sessions

SPOILED = ("expired", "revoked", "disabled")


class Keeping:
    """One token for each person and audience, made anew when the door has forgotten it: its session was ended.

    A spoiled one stays as it was spoiled; so does that of `disabled`, which no door ever comes to remember.
    """

    def __init__(self, sessions: Sessions, opened: Callable[[str, Audience], Awaitable[str]]) -> None:
        self._sessions = sessions
        self._opened = opened
        self._kept: dict[tuple[str, Audience], str] = {}

    async def token(self, name: str, audience: Audience) -> str:
        token = self._kept.get((name, audience))
        if token is None or (name not in SPOILED and not self._sessions.remembers(token)):
            token = self._kept[name, audience] = await self._opened(name, audience)
        return token

    async def alive(self, name: str, person_id: str) -> list[bool]:
        """Of the kept sessions of `name`, whether each still lives."""
        living = {row.token_hash for row in await self._sessions.of_person(person_id)}
        return [tokens.token_hash(token) in living for (whose, _), token in self._kept.items() if whose == name]
