"""What a buyer does with an automatic answer: choose a question, say whether it helped."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.core.auth.model import VISITOR, Buyer
from octshop_rt.core.clock import MINUTE
from octshop_rt.core.errors import NotFound
from octshop_rt.core.http.routes import Call, Limit, Route
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.im.answer.bot import Bot
from octshop_rt.im.answer.model import NotAnOption
from octshop_rt.im.guard.model import Blocked, GuestsBlocked

CHOICES = Limit(name="answer-choice", burst=60, per_ms=MINUTE)


class Choice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`option` is the id of one of the buttons of the answer; `person` asks for a person."""

    request_id: RequestId
    option: Id


class Vote(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Was this helpful? It may be changed; the last word counts."""

    helpful: bool


class BuyerAnswers:
    """For the buyer the answer was given to. `answer_id` is `b.id` of the bot's entry in the log."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot

    def routes(self) -> list[Route]:
        """Below /buyer/answers."""
        one = "/buyer/answers/{answer_id}"
        return [
            Route(
                "POST", f"{one}/choice", self.choose, permission=VISITOR, body=Choice,
                errors=(NotFound, NotAnOption, Blocked, GuestsBlocked),
                summary="Tap a button of an automatic answer; what follows comes in the conversation", limit=CHOICES,
            ),
            Route(
                "PUT", f"{one}/vote", self.vote, permission=VISITOR, body=Vote, errors=(NotFound,),
                summary="Say whether an automatic answer helped", limit=CHOICES,
            ),
        ]  # fmt: skip

    async def choose(self, call: Call[Buyer], body: Choice) -> None:
        await self._bot.choose(call.who, call.path["answer_id"], body.option, call.lang)

    async def vote(self, call: Call[Buyer], body: Vote) -> None:
        await self._bot.vote(call.who, call.path["answer_id"], helpful=body.helpful)
