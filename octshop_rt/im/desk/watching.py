"""Who may be told that something changed at a desk: the same people who may fetch it."""

from __future__ import annotations

from octshop_rt.core.auth.model import Buyer, Right
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.model import Party
from octshop_rt.im.desk import store


class DeskWatching:
    """Asked for every SUB to topics case, desk and board."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def may_watch(self, who: Party, topic: str, thing_id: str) -> bool:
        """A buyer watches his own cases; staff those of shops they answer for; a desk is watched by its agent and the
        shop's managers; the board by managers alone.
        """
        if topic == "case":
            case = await store.case(self._db, thing_id)
            if case is None:
                return False
            if isinstance(who, Buyer):
                return case.buyer_id in who.ids
            return _holds(who, case.shop_id, Right.CHAT)
        if isinstance(who, Buyer):
            return False
        if topic == "desk":
            shop_id, _, person_id = thing_id.rpartition(":")
            mine = person_id == who.person_id and _holds(who, shop_id, Right.CHAT)
            return mine or _holds(who, shop_id, Right.MANAGE)
        return topic == "board" and _holds(who, thing_id, Right.MANAGE)


def _holds(who: Party, shop_id: str, right: Right) -> bool:
    if isinstance(who, Buyer):
        return False
    here = who.at(shop_id, right)
    return here is not None and right in here.rights
