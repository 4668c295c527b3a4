"""Automatic answers and the guard, made by hand: what they ask of the desk, of shops and people; their routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from octshop_rt.app.commerce import Commerce
from octshop_rt.app.foundation import Foundation
from octshop_rt.core.auth.model import Audience
from octshop_rt.core.clock import SECOND, Clock
from octshop_rt.core.errors import NotFound
from octshop_rt.core.http.routes import Route
from octshop_rt.im.answer.assistant import Assistant
from octshop_rt.im.answer.bot import BOT, Bot
from octshop_rt.im.answer.knowledge import Knowledge
from octshop_rt.im.answer.model import Page, Stretch
from octshop_rt.im.answer.quick import QuickReplies
from octshop_rt.im.answer.review import Reviewer
from octshop_rt.im.answer.tending import Tending
from octshop_rt.im.api.answers import AnswersApi
from octshop_rt.im.api.buyer_answers import BuyerAnswers
from octshop_rt.im.api.guard import GuardApi
from octshop_rt.im.api.quick_replies import QuickRepliesApi
from octshop_rt.im.conversation.model import Conversation, NoConversation
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.desk.model import Case, CaseEnded
from octshop_rt.im.desk.service import Desk
from octshop_rt.im.guard import rules as guard_rules
from octshop_rt.im.guard.model import DEVICE_MS, Whereabouts
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.guard.staff import GuardDesk
from octshop_rt.im.insight.naming import Naming
from octshop_rt.im.ws.server import ImServer

MARKS = "guard.marks.1"  # the key of fingerprints of where blocked buyers came from
_UNTOUCHED_MS = 30 * SECOND


@dataclass(frozen=True, kw_only=True, slots=True)
class Answering:
    """Started after the desk, stopped before it; the guard itself lives as long as chat."""

    knowledge: Knowledge
    bot: Bot
    reviewer: Reviewer
    routes: list[Route]

    def start(self) -> None:
        """Answer from now on."""
        self.knowledge.start()
        self.bot.start()
        self.reviewer.start()

    async def stop(self) -> None:
        """Answer no more."""
        await self.reviewer.stop()
        await self.bot.stop()
        await self.knowledge.stop()


def raise_answering(on: Foundation, commerce: Commerce, im: ImServer, desk: Desk, guard: Guard) -> Answering:
    """Build it on the desk, and let both hear of each other."""
    assistant = _assistant(on)
    around = AroundAnswers(on.clock, commerce, desk, im.conversations, on.secrets.key(MARKS))
    knowledge = Knowledge(on.db, on.clock, on.ids, on.bus, assistant_there=assistant is not None)
    bot = Bot(
        on.db,
        on.clock,
        on.ids,
        im.conversations,
        CasesOfDesk(desk, on.clock),
        knowledge,
        guard,
        names=around.names,
        place=around.place,
        assistant=assistant,
    )
    reviewer = Reviewer(on.clock, im.conversations, guard)
    im.conversations.on_said(bot.hear)
    im.conversations.on_said(reviewer.hear)
    desk.intake.on_opened(lambda _, case: bot.opened(stretch(case)))
    desk.intake.answers_first = bot.answers_first
    guard_desk = GuardDesk(
        on.db,
        on.clock,
        on.ids,
        on.bus,
        on.secrets.key(MARKS),
        have_spoken=commerce.have_spoken,
        seen=around.seen,
    )
    quick = QuickReplies(on.db, on.clock, on.ids, around.values)
    return Answering(
        knowledge=knowledge,
        bot=bot,
        reviewer=reviewer,
        routes=[
            *AnswersApi(knowledge, Tending(on.db, on.ids, knowledge)).routes(),
            *QuickRepliesApi(quick).routes(),
            *BuyerAnswers(bot).routes(),
            *GuardApi(guard, guard_desk, Naming(on.db, around.buyer_names)).routes(),
        ],
    )


def _assistant(on: Foundation) -> Assistant | None:
    settings = on.settings.assistant
    if not settings.url:
        return None
    key = Path(settings.key_file).read_text(encoding="utf-8").strip() if settings.key_file else ""
    return Assistant(settings, key, on.http)


def stretch(case: Case) -> Stretch:
    """A case of the desk as answers know it."""
    page: Page = "any" if case.card is None else case.card.k
    return Stretch(
        id=case.id,
        c=case.c,
        shop_id=case.shop_id,
        buyer_id=case.buyer_id,
        state=case.state,
        page=page,
        title=case.card.title if case.card else "",
        heard_s=case.buyer_s,
    )


class CasesOfDesk:
    """The desk, as answers ask for it."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    async def case_of(self, c: str) -> Stretch | None:
        """The open case of a conversation."""
        case = await self._desk.case_of(c)
        return None if case is None else stretch(case)

    async def ask_person(self, case_id: str, *, unanswered: bool) -> None:
        """Bot → queued; over or waiting already: nothing."""
        with suppress(CaseEnded):
            await self._desk.ask_person(case_id, "unanswered" if unanswered else "asked", BOT)

    async def in_bot(self) -> list[Stretch]:
        """Cases in state bot whose buyer spoke a while ago."""
        held = await self._desk.held_by_bot(self._clock.now() - _UNTOUCHED_MS)
        return [stretch(case) for case in held]


class AroundAnswers:
    """Shops, people and what a conversation is about, as answers ask for them."""

    def __init__(self, clock: Clock, commerce: Commerce, desk: Desk, conversations: Conversations, key: bytes) -> None:
        self._clock = clock
        self._key = key
        self._commerce = commerce
        self._desk = desk
        self._conversations = conversations

    async def buyer_names(self, buyer_ids: Sequence[str]) -> Mapping[str, str]:
        """Nicknames by id."""
        cards = await self._commerce.gate.members.cards(buyer_ids)
        return {person_id: card.nickname for person_id, card in cards.items()}

    async def seen(self, buyer_id: str) -> list[Whereabouts]:
        """Where a buyer, or the member a guest has become, was of late, signed out since or not; newest first."""
        gate = self._commerce.gate
        person_id = (await gate.members.behind([buyer_id])).get(buyer_id, buyer_id)
        sessions = await gate.sessions.seen_since(person_id, self._clock.now() - DEVICE_MS, Audience.BUYER)
        return [Whereabouts(one.device_id, one.ip) for one in sessions]

    async def place(self, shop_id: str, person_id: str) -> str:
        """A fingerprint of the address a person was last seen at; empty where there is none."""
        found = await self.seen(person_id)
        return next(iter(guard_rules.marks(self._key, shop_id, found[0])[1:]), "") if found else ""

    async def names(self, shop_id: str, buyer_id: str) -> Mapping[str, str]:
        """What {shop} and {buyer} stand for."""
        try:
            shop = (await self._commerce.shops.shop(shop_id)).name
        except NotFound:
            shop = ""
        return {"shop": shop, "buyer": (await self.buyer_names([buyer_id])).get(buyer_id, "")}

    async def values(self, shop_id: str, c: str) -> Mapping[str, str] | None:
        """What the variables of a quick reply stand for; None for a conversation of another shop."""
        conversation = await self._of_shop(shop_id, c)
        if conversation is None:
            return None
        values = dict(await self.names(shop_id, conversation.buyer_id))
        case = await self._desk.case_of(c)
        if case is not None and case.card is not None:
            values["title"] = case.card.title
            if case.card.k in {"order", "aftersale"}:
                values["order"] = case.card.id
        return values

    async def _of_shop(self, shop_id: str, c: str) -> Conversation | None:
        try:
            conversation = await self._conversations.conversation(c)
        except NoConversation:
            return None
        return conversation if conversation.shop_id == shop_id else None
