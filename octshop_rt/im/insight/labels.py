"""A shop's own labels, and what carries them: cases and customers."""

from __future__ import annotations

from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import NotFound
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.core.words import plain
from octshop_rt.im.conversation.reading import Log
from octshop_rt.im.desk.model import NoSuchCase
from octshop_rt.im.desk.reading import CaseBook
from octshop_rt.im.insight import store
from octshop_rt.im.insight.model import (
    MOST_LABELS,
    MOST_ON_ONE,
    Colour,
    Label,
    LabelTaken,
    LabelUse,
    Marked,
    NoSuchLabel,
    TooManyLabels,
)


def marked_id(shop_id: str, object_id: str) -> str:
    """Of a case or customer at a shop."""
    return f"{shop_id}:{object_id}"


class Labels:
    """Managers make labels, agents put them on."""

    def __init__(self, db: Database, clock: Clock, ids: Ids) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._cases = CaseBook(db)
        self._log = Log(db)

    async def all(self, staff: ShopStaff) -> list[Label]:
        """Those in use, oldest first."""
        return [one for one in await store.labels(self._db, staff.shop_id) if not one.gone]

    async def add(self, staff: ShopStaff, *, use: LabelUse, name: str, colour: Colour) -> Label:
        """Making the same label twice makes one. LabelTaken for another colour, TooManyLabels."""
        existing = await self.all(staff)
        if len(existing) >= MOST_LABELS:
            raise TooManyLabels(most=MOST_LABELS)
        row = Label(
            id=self._ids.new("Z"), shop_id=staff.shop_id, use=use, name=name.strip(), colour=colour, key=plain(name),
            created_at=self._clock.now(),
        )  # fmt: skip
        try:
            await store.add_label(self._db, row)
        except DuplicateKey:
            same = [one for one in await self.all(staff) if (one.use, one.key) == (use, row.key)]
            if same and same[0].colour == colour:
                return same[0]
            raise LabelTaken from None
        return row

    async def change(self, staff: ShopStaff, label_id: str, *, name: str, colour: Colour) -> Label:
        """NoSuchLabel, LabelTaken."""
        put = {"name": name.strip(), "colour": colour, "key": plain(name)}
        try:
            row = await store.change_label(self._db, staff.shop_id, label_id, put)
        except DuplicateKey:
            raise LabelTaken from None
        if row is None:
            raise NoSuchLabel
        return row

    async def remove(self, staff: ShopStaff, label_id: str) -> None:
        """What carries it keeps it out of sight; the name is free again. Removing twice is removing."""
        await store.change_label(self._db, staff.shop_id, label_id, {"gone": True, "key": label_id})

    async def put_on_case(self, staff: ShopStaff, case_id: str, label_ids: list[str]) -> list[Label]:
        """Exactly these from now on. NoSuchCase, NoSuchLabel, TooManyLabels."""
        case = await self._cases.one(case_id)
        if case is None or case.shop_id != staff.shop_id:
            raise NoSuchCase
        return await self._put(staff, "case", case_id, case.c, label_ids)

    async def put_on_buyer(self, staff: ShopStaff, buyer_id: str, label_ids: list[str]) -> list[Label]:
        """Exactly these from now on. NotFound unless the two have spoken."""
        conversation = await self._log.between(buyer_id, staff.shop_id)
        if conversation is None:
            raise NotFound
        return await self._put(staff, "buyer", buyer_id, conversation.id, label_ids)

    async def on(self, shop_id: str, object_ids: list[str]) -> dict[str, list[Label]]:
        """What each of these cases or customers carries."""
        known = {one.id: one for one in await store.labels(self._db, shop_id) if not one.gone}
        rows = await store.marked(self._db, [marked_id(shop_id, one) for one in object_ids])
        return {
            one: [known[label] for label in row.labels if label in known]
            for one in object_ids
            if (row := rows.get(marked_id(shop_id, one))) is not None
        }

    async def _put(self, staff: ShopStaff, use: LabelUse, object_id: str, c: str, label_ids: list[str]) -> list[Label]:
        wanted = list(dict.fromkeys(label_ids))
        if len(wanted) > MOST_ON_ONE:
            raise TooManyLabels(most=MOST_ON_ONE)
        known = {one.id: one for one in await self.all(staff) if one.use == use}
        if any(one not in known for one in wanted):
            raise NoSuchLabel
        row = Marked(
            id=marked_id(staff.shop_id, object_id), shop_id=staff.shop_id, use=use, object_id=object_id, c=c,
            labels=tuple(wanted), by=staff.person_id, at=self._clock.now(),
        )  # fmt: skip
        await store.mark(self._db, row)
        return [known[one] for one in wanted]
