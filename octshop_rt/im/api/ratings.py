"""What buyers think of their cases: given by the buyer, read by the shop; and the agent's summary of a case."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.auth.model import VISITOR, Buyer, Right, ShopStaff, at_shop
from octshop_rt.core.clock import MINUTE, Millis
from octshop_rt.core.errors import RequestConflict
from octshop_rt.core.http.routes import Call, Limit, Route
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.im.desk.model import CaseState, NoSuchCase
from octshop_rt.im.guard.model import REFUSALS
from octshop_rt.im.insight.model import CaseNotEnded, Rating, Stars, Summary, TooLateToRate, Topic
from octshop_rt.im.insight.naming import Naming
from octshop_rt.im.insight.ratings import Ratings, Summaries

Tag = Annotated[str, Meta(min_length=1, max_length=20)]
Words = Annotated[str, Meta(max_length=500)]


class RatingWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`solved`: was the question answered? None: not said."""

    request_id: RequestId
    stars: Stars
    solved: bool | None = None
    tags: Annotated[list[Tag], Meta(max_length=8)] = []
    text: Words = ""


class RatingView(Struct, frozen=True, kw_only=True):
    """As its buyer sees it."""

    stars: int
    solved: bool | None
    tags: tuple[str, ...]
    text: str
    changed_at: Millis


class RatingOf(Struct, frozen=True, kw_only=True):
    """`until`: it may be given or changed before; null: not (any more)."""

    case_id: Id
    state: CaseState
    rating: RatingView | None
    until: Millis | None


class RatingsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one agent, of so many stars, given at `since` or later; `before`: earlier than that, or the `next` of the last
    page.
    """

    agent_id: Id | None = None
    stars: Stars | None = None
    since: Millis | None = None
    before: Millis | None = None


class RatingsPage(Struct, frozen=True, kw_only=True):
    """Newest first. `names`: of buyers and agents."""

    items: list[Rating]
    next: Millis | None
    names: dict[str, str]


class SummaryWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Writing the same again changes nothing."""

    topic: Topic
    solved: bool
    text: Words = ""


class SummaryOf(Struct, frozen=True, kw_only=True):
    """Null until somebody has written one."""

    summary: Summary | None


class RatingApi:
    """The buyer's and the shop's doors to ratings; summaries beside them."""

    def __init__(self, ratings: Ratings, summaries: Summaries, naming: Naming) -> None:
        self._ratings = ratings
        self._summaries = summaries
        self._naming = naming

    def routes(self) -> list[Route]:
        """The table."""
        mine = "/buyer/cases/{case_id}/rating"
        summary = "/shop/{shop_id}/desk/cases/{case_id}/summary"
        return [
            Route(
                "GET",
                mine,
                self._mine,
                permission=VISITOR,
                answer=RatingOf,
                errors=(NoSuchCase,),
                summary="The buyer's rating of a case, and whether it may still be given or changed",
            ),
            Route(
                "POST",
                mine,
                self._rate,
                permission=VISITOR,
                body=RatingWish,
                answer=RatingOf,
                errors=(NoSuchCase, CaseNotEnded, TooLateToRate, RequestConflict, *REFUSALS),
                limit=Limit(name="ratings", burst=20, per_ms=MINUTE),
                summary="Rate an ended case; within a day the rating may be changed",
            ),
            Route(
                "GET",
                "/shop/{shop_id}/desk/ratings",
                self._of_shop,
                permission=at_shop(Right.MANAGE),
                query=RatingsQuery,
                answer=RatingsPage,
                summary="Ratings of the shop's service, newest first",
            ),
            Route(
                "GET",
                summary,
                self._summary,
                permission=at_shop(Right.CHAT),
                answer=SummaryOf,
                errors=(NoSuchCase,),
                summary="What a case was about",
            ),
            Route(
                "PUT",
                summary,
                self._summarise,
                permission=at_shop(Right.CHAT),
                body=SummaryWish,
                answer=SummaryOf,
                errors=(NoSuchCase,),
                summary="Say what a case was about and whether it was solved",
            ),
        ]

    async def _mine(self, call: Call[Buyer]) -> RatingOf:
        return await self._shown(call.who, call.path["case_id"])

    async def _rate(self, call: Call[Buyer], body: RatingWish) -> RatingOf:
        await self._ratings.rate(
            call.who,
            call.path["case_id"],
            request_id=body.request_id,
            stars=body.stars,
            solved=body.solved,
            tags=tuple(body.tags),
            text=body.text,
        )
        return await self._shown(call.who, call.path["case_id"])

    async def _shown(self, buyer: Buyer, case_id: str) -> RatingOf:
        case, rating = await self._ratings.of_buyer(buyer, case_id)
        until = self._ratings.open_until(case, rating)
        shown = None
        if rating is not None:
            shown = RatingView(
                stars=rating.stars,
                solved=rating.solved,
                tags=rating.tags,
                text=rating.text,
                changed_at=rating.changed_at,
            )
        return RatingOf(case_id=case.id, state=case.state, rating=shown, until=until)

    async def _of_shop(self, call: Call[ShopStaff]) -> RatingsPage:
        asked: RatingsQuery = call.query
        rows, following = await self._ratings.of_shop(
            call.who, agent_id=asked.agent_id, stars=asked.stars, below=asked.before, since=asked.since
        )
        people = [person for one in rows for person in (one.buyer_id, one.agent_id)]
        return RatingsPage(items=rows, next=following, names=await self._naming.of(call.who.shop_id, people))

    async def _summary(self, call: Call[ShopStaff]) -> SummaryOf:
        return SummaryOf(summary=await self._summaries.of(call.who, call.path["case_id"]))

    async def _summarise(self, call: Call[ShopStaff], body: SummaryWish) -> SummaryOf:
        row = await self._summaries.put(
            call.who, call.path["case_id"], topic=body.topic, solved=body.solved, text=body.text
        )
        return SummaryOf(summary=row)
