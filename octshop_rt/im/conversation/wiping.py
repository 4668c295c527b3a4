"""Wiping old words: the number, the sender and the client id stay, what was said goes. The log stays gapless."""

from __future__ import annotations

from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.model import Entry


class Wiper:
    """Changes the log itself; asked by retention alone. Who may is decided there."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def older(self, c: str, before: Millis, limit: int) -> list[Entry]:
        """What a conversation still says from before that moment, at most `limit`."""
        return await store.unwiped(self._db, c, before, limit)

    async def wipe(self, c: str, numbers: list[int]) -> int:
        """Make these entries void. The sender's client id is kept, so that a very late retry still makes no second;
        the hash goes too, because a short text could be guessed from it.
        """
        return await store.wipe(self._db, c, numbers)
