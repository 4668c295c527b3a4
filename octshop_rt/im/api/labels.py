"""A shop's labels and its customers: profile, memo, notes."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.auth.model import Right, ShopStaff, at_shop
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import NotFound
from octshop_rt.core.http.routes import Call, Route
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.im.desk.model import Case, CaseState, NoSuchCase
from octshop_rt.im.insight.customers import Bought, CustomerBook, Profile
from octshop_rt.im.insight.labels import Labels
from octshop_rt.im.insight.model import (
    MOST_ON_ONE,
    Colour,
    Label,
    LabelName,
    LabelTaken,
    LabelUse,
    Memo,
    NoSuchLabel,
    Summary,
    TooManyLabels,
)


class LabelView(Struct, frozen=True, kw_only=True):
    """As shown."""

    id: Id
    use: LabelUse
    name: str
    colour: Colour


class LabelsView(Struct, frozen=True, kw_only=True):
    """Oldest first."""

    items: list[LabelView]


class NewLabel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For cases or for customers."""

    request_id: RequestId
    use: LabelUse
    name: LabelName
    colour: Colour


class LabelChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Its new name and colour."""

    name: LabelName
    colour: Colour


class LabelIds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly these from now on."""

    label_ids: Annotated[list[Id], Meta(max_length=MOST_ON_ONE)]


class MemoWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to call a customer here, and what to know."""

    alias: Annotated[str, Meta(max_length=30)] = ""
    text: Annotated[str, Meta(max_length=500)] = ""


class MemoView(Struct, frozen=True, kw_only=True):
    """As shown."""

    alias: str
    text: str
    by: str
    at: Millis


class PastCase(Struct, frozen=True, kw_only=True):
    """One case of a customer."""

    id: Id
    state: CaseState
    opened_at: Millis
    ended_at: Millis | None
    agent_id: str | None
    agent_name: str | None
    group_id: str | None
    labels: list[LabelView]
    stars: int | None
    summary: Summary | None


class ProfileView(Struct, frozen=True, kw_only=True):
    """A customer. No phone number but a masked one; orders only for staff who may read orders."""

    buyer_id: Id
    c: Id
    nickname: str
    phone_masked: str | None
    first_at: Millis
    memo: MemoView | None
    labels: list[LabelView]
    cases: list[PastCase]
    orders_count: int
    orders: list[Bought]


class NotesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the last page."""

    cursor: Id | None = None


class NoteView(Struct, frozen=True, kw_only=True):
    """What a colleague noted."""

    id: Id
    s: int
    by: str
    at: Millis
    text: str


class Notes(Struct, frozen=True, kw_only=True):
    """Newest first."""

    items: list[NoteView]
    next: str | None


class CustomerApi:
    """Below /shop/{shop_id}/desk. Managers make labels; agents put them on and know the customers."""

    def __init__(self, labels: Labels, book: CustomerBook) -> None:
        self._labels = labels
        self._book = book

    def routes(self) -> list[Route]:
        """The table."""
        desk = "/shop/{shop_id}/desk"
        answers, manages = at_shop(Right.CHAT), at_shop(Right.MANAGE)
        no_label = (NoSuchLabel, TooManyLabels)
        return [
            Route("GET", f"{desk}/labels", self._all, permission=answers, answer=LabelsView, summary="Labels in use"),
            Route(
                "POST", f"{desk}/labels", self._add, permission=manages, body=NewLabel, answer=LabelView, status=201,
                errors=(LabelTaken, TooManyLabels), summary="A new label",
            ),
            Route(
                "PUT", f"{desk}/labels/{{label_id}}", self._change, permission=manages, body=LabelChange,
                answer=LabelView, errors=(NoSuchLabel, LabelTaken), summary="Rename or recolour a label",
            ),
            Route(
                "DELETE", f"{desk}/labels/{{label_id}}", self._remove, permission=manages,
                summary="Take a label out of use",
            ),
            Route(
                "PUT", f"{desk}/cases/{{case_id}}/labels", self._on_case, permission=answers, body=LabelIds,
                answer=LabelsView, errors=(NoSuchCase, *no_label), summary="Put labels on a case",
            ),
            Route(
                "PUT", f"{desk}/buyers/{{buyer_id}}/labels", self._on_buyer, permission=answers, body=LabelIds,
                answer=LabelsView, errors=(NotFound, *no_label), summary="Put labels on a customer",
            ),
            Route(
                "GET", f"{desk}/buyers/{{buyer_id}}", self._profile, permission=answers, answer=ProfileView,
                errors=(NotFound,), summary="A customer: labels, memo, cases, orders",
            ),
            Route(
                "PUT", f"{desk}/buyers/{{buyer_id}}/memo", self._memo, permission=answers, body=MemoWish,
                answer=MemoView, errors=(NotFound,), summary="What to call a customer, and what to know",
            ),
            Route(
                "GET", f"{desk}/buyers/{{buyer_id}}/notes", self._notes, permission=answers, query=NotesQuery,
                answer=Notes, errors=(NotFound,), summary="What colleagues have noted about a customer",
            ),
        ]  # fmt: skip

    async def _all(self, call: Call[ShopStaff]) -> LabelsView:
        return _labels(await self._labels.all(call.who))

    async def _add(self, call: Call[ShopStaff], body: NewLabel) -> LabelView:
        return _label(await self._labels.add(call.who, use=body.use, name=body.name, colour=body.colour))

    async def _change(self, call: Call[ShopStaff], body: LabelChange) -> LabelView:
        label_id = call.path["label_id"]
        return _label(await self._labels.change(call.who, label_id, name=body.name, colour=body.colour))

    async def _remove(self, call: Call[ShopStaff]) -> None:
        await self._labels.remove(call.who, call.path["label_id"])

    async def _on_case(self, call: Call[ShopStaff], body: LabelIds) -> LabelsView:
        return _labels(await self._labels.put_on_case(call.who, call.path["case_id"], body.label_ids))

    async def _on_buyer(self, call: Call[ShopStaff], body: LabelIds) -> LabelsView:
        return _labels(await self._labels.put_on_buyer(call.who, call.path["buyer_id"], body.label_ids))

    async def _profile(self, call: Call[ShopStaff]) -> ProfileView:
        return _profile(await self._book.profile(call.who, call.path["buyer_id"], call.lang))

    async def _memo(self, call: Call[ShopStaff], body: MemoWish) -> MemoView:
        buyer_id = call.path["buyer_id"]
        return _memo(await self._book.remember(call.who, buyer_id, alias=body.alias, text=body.text))

    async def _notes(self, call: Call[ShopStaff]) -> Notes:
        asked: NotesQuery = call.query
        entries, following = await self._book.notes(call.who, call.path["buyer_id"], asked.cursor)
        items = [NoteView(id=one.id, s=one.s, by=one.f, at=one.ts, text=one.b.text or "") for one in entries]
        return Notes(items=items, next=following)


def _label(row: Label) -> LabelView:
    return LabelView(id=row.id, use=row.use, name=row.name, colour=row.colour)


def _labels(rows: list[Label]) -> LabelsView:
    return LabelsView(items=[_label(row) for row in rows])


def _memo(row: Memo) -> MemoView:
    return MemoView(alias=row.alias, text=row.text, by=row.by, at=row.at)


def _profile(found: Profile) -> ProfileView:
    return ProfileView(
        buyer_id=found.buyer_id,
        c=found.c,
        nickname=found.who.nickname if found.who else "",
        phone_masked=found.who.phone_masked if found.who else None,
        first_at=found.first_at,
        memo=_memo(found.memo) if found.memo else None,
        labels=[_label(row) for row in found.labels],
        cases=[_past(case, found) for case in found.cases],
        orders_count=found.orders_count,
        orders=found.orders,
    )


def _past(case: Case, found: Profile) -> PastCase:
    rating = found.ratings.get(case.id)
    return PastCase(
        id=case.id,
        state=case.state,
        opened_at=case.opened_at,
        ended_at=case.ended_at,
        agent_id=case.person_id,
        agent_name=case.agent_name,
        group_id=case.group_id,
        labels=[_label(row) for row in found.case_labels.get(case.id, [])],
        stars=rating.stars if rating else None,
        summary=found.summaries.get(case.id),
    )
