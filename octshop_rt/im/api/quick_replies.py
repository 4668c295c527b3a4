"""Agents' quick replies: everyone's and one's own, found by letters, filled in for a conversation."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.core.auth.model import Right, ShopStaff, at_shop
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.core.http.routes import Call, Route
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.im.answer.model import NotYourReply, QuickReply, TooManyQuickReplies, UnknownVariable
from octshop_rt.im.answer.quick import QuickReplies, QuickText

Code = Annotated[str, Meta(max_length=20, pattern=r"^[A-Za-z0-9_-]*$(?!\n)")]
Whose = Literal["shop", "mine"]


class QuickView(Struct, frozen=True, kw_only=True):
    """`letters` are the first letters of title and text (Chinese by sound), for finding while typing."""

    id: Id
    whose: Whose
    category: str
    title: str
    text: str
    code: str
    letters: str
    used: int


class QuickWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`mine`: seen by this agent alone. Variables in braces are filled in when it is used."""

    request_id: RequestId
    whose: Whose = "mine"
    category: Annotated[str, Meta(max_length=40)] = ""
    title: Annotated[str, Meta(min_length=1, max_length=60)]
    text: Annotated[str, Meta(min_length=1, max_length=2_000)]
    code: Code = ""


class QuickQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Letters, the code, or a piece of the text."""

    q: Annotated[str, Meta(max_length=60)] = ""


class QuickList(Struct, frozen=True, kw_only=True):
    """Best match first; without `q` the most used first. `variables` are those that may stand in a text."""

    items: list[QuickView]
    variables: list[str]


class FillWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For which conversation."""

    c: Id


class Filled(Struct, frozen=True, kw_only=True):
    """The text for the composer; `missing` are variables this conversation has nothing for: they stand as they were."""

    text: str
    missing: list[str]


class QuickRepliesApi:
    """For agents; everyone's replies are changed by managers."""

    def __init__(self, quick: QuickReplies) -> None:
        self._quick = quick

    def routes(self) -> list[Route]:
        """Below /shop/{shop_id}/desk/quick-replies."""
        base = "/shop/{shop_id}/desk/quick-replies"
        one = f"{base}/{{reply_id}}"
        may = at_shop(Right.CHAT)
        return [
            Route(
                "GET", base, self.replies, permission=may, query=QuickQuery, answer=QuickList,
                summary="Quick replies: the shop's and one's own",
            ),
            Route(
                "POST", base, self.add, permission=may, body=QuickWish, answer=QuickView, status=201,
                errors=(TooManyQuickReplies, UnknownVariable, NotYourReply, RequestConflict),
                summary="Keep a quick reply",
            ),
            Route(
                "PUT", one, self.change, permission=may, body=QuickWish, answer=QuickView,
                errors=(NotFound, UnknownVariable, NotYourReply), summary="Change a quick reply",
            ),
            Route(
                "DELETE", one, self.drop, permission=may, errors=(NotFound, NotYourReply),
                summary="Remove a quick reply",
            ),
            Route(
                "POST", f"{one}/filled", self.fill, permission=may, body=FillWish, answer=Filled, errors=(NotFound,),
                summary="A quick reply with its variables filled in for a conversation",
            ),
        ]  # fmt: skip

    async def replies(self, call: Call[ShopStaff]) -> QuickList:
        asked: QuickQuery = call.query
        found = await self._quick.replies(call.who, asked.q)
        return QuickList(items=[_view(one) for one in found], variables=list(self._quick.variables))

    async def add(self, call: Call[ShopStaff], body: QuickWish) -> QuickView:
        return _view(await self._quick.add(call.who, body.request_id, _text(body), mine=body.whose == "mine"))

    async def change(self, call: Call[ShopStaff], body: QuickWish) -> QuickView:
        return _view(await self._quick.change(call.who, call.path["reply_id"], _text(body)))

    async def drop(self, call: Call[ShopStaff]) -> None:
        await self._quick.drop(call.who, call.path["reply_id"])

    async def fill(self, call: Call[ShopStaff], body: FillWish) -> Filled:
        text, missing = await self._quick.fill(call.who, call.path["reply_id"], body.c)
        return Filled(text=text, missing=missing)


def _text(body: QuickWish) -> QuickText:
    return QuickText(category=body.category.strip(), title=body.title.strip(), text=body.text, code=body.code.lower())


def _view(row: QuickReply) -> QuickView:
    return QuickView(
        id=row.id,
        whose="shop" if row.owner == row.shop_id else "mine",
        category=row.category,
        title=row.title,
        text=row.text,
        code=row.code,
        letters=row.letters,
        used=row.used,
    )
