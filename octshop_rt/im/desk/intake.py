"""Hears the log: a buyer's word opens a case or wakes one, a word of the staff answers it.

Words arrive at least once and in any order between nodes; what a case has heard is numbers that only grow, so hearing
again changes nothing. Words are taken in rounds: of each conversation the newest of each side, so that a lively
conversation costs the desk a few writes a second whatever is said in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import structlog
from msgspec import Struct, structs

from octshop_rt.core.clock import SECOND, Clock, Millis, monotonic_ms
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.core.tasks import TaskRegistry
from octshop_rt.im.conversation.hindsight import Spoken
from octshop_rt.im.conversation.model import Conversation, Entry, ShopFacts
from octshop_rt.im.desk import rules, store
from octshop_rt.im.desk.cases import Cases
from octshop_rt.im.desk.model import DESK, Agent, Card, Case, DeskChanged, DeskFull, NoSuchContext
from octshop_rt.im.desk.office import Office
from octshop_rt.im.desk.settings import DeskSettings
from octshop_rt.im.desk.telling import Telling
from octshop_rt.im.wire.fields import Body, Context

log = structlog.get_logger(__name__)

Opened = Callable[[Conversation, Case], None]
AnswersFirst = Callable[[str], Awaitable[bool]]

_FRESH_MS = 3_600 * SECOND  # a conversation's own context counts for a case opened this soon after it
_SAME_S = 5 * SECOND  # how stale the time of a waiting buyer's newest word may be on the row
_NEW_LASTS_MS = 1_800 * SECOND
_ROUND_S = 0.02
_AT_ONCE = 16
_READ_MS = 2 * SECOND  # so long a word must have stood there to have been read
_SHOWN_MS = 15 * SECOND  # so long a word may take to every screen if the node it was said at dies (the net, and a look)


class Around(Protocol):
    """What the desk asks of the wing that keeps shops, goods, orders and people."""

    async def shop(self, shop_id: str) -> ShopFacts | None:
        """A shop a buyer may talk to."""
        ...

    async def names(self, person_ids: Sequence[str]) -> Mapping[str, str]:
        """How people are called, buyers and staff alike."""
        ...

    async def card(self, buyer_id: str, shop_id: str, ctx: Context) -> Card | None:
        """What the buyer asks about, as the shop's pages show it now; None if it is not there or not this buyer's."""
        ...

    async def level(self, buyer_id: str, shop_id: str) -> int:
        """How good a customer the buyer is, 0…9."""
        ...


class Word(Struct, frozen=True, kw_only=True):
    """The newest words of a conversation in this round."""

    conversation: Conversation
    first_s: int = 0
    buyer_s: int = 0
    buyer_at: Millis = 0
    staff_s: int = 0
    staff_at: Millis = 0
    staff_id: str = ""


class Intake:
    """Opens cases and keeps them up with the log."""

    def __init__(
        self, db: Database, clock: Clock, ids: Ids, tasks: TaskRegistry, around: Around, office: Office, cases: Cases,
        telling: Telling,
    ) -> None:  # fmt: skip
        self._db = db
        self._clock = clock
        self._ids = ids
        self._tasks = tasks
        self._around = around
        self._office = office
        self._cases = cases
        self._telling = telling
        self._words: dict[str, Word] = {}
        self._round: asyncio.Task[None] | None = None
        self._opened: list[Opened] = []
        self.answers_first: AnswersFirst = _nobody

    def on_opened(self, hear: Opened) -> None:
        """`hear(conversation, case)` for each case opened in this process. It must not wait."""
        self._opened.append(hear)

    # --- hearing ------------------------------------------------------------------------------------------------------

    def hear(self, conversation: Conversation, entry: Entry) -> None:
        """Conversations.on_said."""
        if entry.fr not in {"buyer", "staff"} or entry.vis is not None or entry.k in {"event", "void"}:
            return
        word = self._words.get(entry.c) or Word(conversation=conversation)
        if entry.fr == "buyer" and entry.s > word.buyer_s:
            word = structs.replace(word, first_s=word.first_s or entry.s, buyer_s=entry.s, buyer_at=entry.ts)
        elif entry.fr == "staff" and entry.s > word.staff_s:
            word = structs.replace(word, staff_s=entry.s, staff_at=entry.ts, staff_id=entry.f)
        self._words[entry.c] = word
        if self._round is None or self._round.done():
            self._round = self._tasks.spawn(self._rounds(), name="desk intake")

    async def catch_up(self, spoken: Sequence[Spoken], conversations: Mapping[str, Conversation]) -> None:
        """Words found in the log that may not have been heard."""
        words = [
            Word(
                conversation=conversations[one.c], buyer_s=one.buyer_s, buyer_at=one.buyer_at, staff_s=one.staff_s,
                staff_at=one.staff_at, staff_id=one.staff_id,
            )
            for one in spoken
            if one.c in conversations
        ]  # fmt: skip
        await self._take(words)

    async def _rounds(self) -> None:
        """While there are words: a round, then a rest as long as the round, so that hearing never outruns saying."""
        while self._words:
            began = monotonic_ms()
            words, self._words = self._words, {}
            await self._take(list(words.values()))
            await asyncio.sleep(max(_ROUND_S, min(1.0, (monotonic_ms() - began) / 1_000)))

    async def _take(self, words: Sequence[Word]) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)
        newest = await store.newest_cases(self._db, [word.conversation.id for word in words]) if words else {}

        async def one(word: Word) -> None:
            async with gate:
                try:
                    await self._hear(word, newest.get(word.conversation.id))
                except DomainError as fault:
                    log.warning("a word was not heard, the sweep will", c=word.conversation.id, fault=str(fault))
                except Exception:  # of this word alone: the others of the round are heard
                    log.exception("a word was not heard", c=word.conversation.id)

        await asyncio.gather(*(one(word) for word in words))

    async def _hear(self, word: Word, case: Case | None) -> None:
        c = word.conversation.id
        if case is None or not case.open:
            if not word.buyer_s or (case is not None and _of_the_past(case, word)):
                return  # heard by a case that is over, or the shop speaks without being asked
            card = await self._card_of(word.conversation)
            case = await self.open(word.conversation, card)
        if _tells_nothing_new(case, word):
            return
        if word.buyer_s and case.state == "new":
            case = await self._first_word(case, word)
        settings = await self._office.settings(case.shop_id)
        now = self._clock.now()

        def decide(seen: Case) -> Case:
            if seen.c != c or not seen.open:
                return seen
            # In the order in which they were said, so that a word already answered does not count as waiting.
            sides = [("buyer", word.buyer_s, word.buyer_at), ("staff", word.staff_s, word.staff_at)]
            after = seen
            for side, s, at in sorted(sides, key=lambda one: one[1]):
                if s:
                    after = rules.heard(after, "buyer" if side == "buyer" else "staff", s, at) or after
            if after is not seen and after.state == "human":
                after = structs.replace(after, due_at=rules.next_look(after, settings, now))
            return after

        case = await self._cases.change(case.id, decide)
        if word.staff_s and case.state in {"bot", "queued", "new"} and case.staff_s == word.staff_s > case.buyer_s:
            await self._answered(case, word.staff_id, settings)

    async def _first_word(self, case: Case, word: Word) -> Case:
        """New → bot or queued: the buyer has said something."""
        bot = await self.answers_first(case.shop_id)
        settings = await self._office.settings(case.shop_id)
        level = await self._around.level(case.buyer_id, case.shop_id)
        now = self._clock.now()

        def decide(seen: Case) -> Case:
            if seen.state != "new":
                return seen
            said = structs.replace(
                seen, level=level, first_s=word.first_s or word.buyer_s,
                buyer_s=max(seen.buyer_s, word.buyer_s), buyer_at=word.buyer_at,
                waiting_since=seen.waiting_since or word.buyer_at,
            )  # fmt: skip
            if bot:
                due = now + settings.idle_end_s * SECOND if settings.idle_end_s else None
                said = structs.replace(said, due_at=due)
                return rules.moved(said, "bot", "bot", at=now, by=DESK)
            return rules.moved(self.placed(said, settings, now), "queued", "spoke", at=now, by=case.buyer_id)

        return await self._cases.change(case.id, decide)

    def placed(self, case: Case, settings: DeskSettings, now: Millis) -> Case:
        """The fields of a case that begins to wait: group, skills and priority by the desk's rules."""
        want = rules.wanted(settings, case.card, case.level)
        routed = structs.replace(
            case, group_id=want.group_id, skills=want.skills, priority=max(case.priority, want.priority),
            after_hours=not rules.is_open(settings, now),
        )  # fmt: skip
        return rules.enqueued(routed, settings, now)

    async def _answered(self, case: Case, person_id: str, settings: DeskSettings) -> None:
        """Whoever of the shop simply answers takes the case; at the cap the word stands and the buyer waits on."""
        names = await self._around.names([person_id])
        agent = await self._office.ensure(case.shop_id, person_id, names.get(person_id, ""))
        now = self._clock.now()

        def decide(seen: Case, by: Agent) -> Case:
            if seen.state not in {"bot", "queued", "new"}:
                return seen
            mine = rules.seated(seen, by, settings, now)
            return rules.moved(mine, "human", "answered", at=now, by=by.person_id, to=by.name)

        try:
            await self._cases.seat(case.id, agent, decide)
        except DeskFull:
            log.info("answered by somebody whose desk is full", case=case.id)

    # --- opening ------------------------------------------------------------------------------------------------------

    async def looked_at(self, buyer_id: str, shop_id: str, ctx: Context | None) -> Card | None:
        """The card of what a buyer comes from. NoSuchContext for what is not there or not theirs."""
        if ctx is None:
            return None
        card = await self._around.card(buyer_id, shop_id, ctx)
        if card is None:
            raise NoSuchContext
        return card

    async def arrive(self, conversation: Conversation, card: Card | None) -> Case:
        """The buyer stands at the door, having said nothing yet: the open case, or a new one. What is being looked at
        is shown to both sides as a card, once for each thing.
        """
        case = await store.open_case(self._db, conversation.id)
        if case is None:
            return await self.open(conversation, card)
        if card is None or (case.card is not None and (case.card.k, case.card.id) == (card.k, card.id)):
            return case
        now = self._clock.now()
        return await self._cases.change(case.id, lambda seen: _shown(seen, card, seen.rev + 1, now))

    async def open(self, conversation: Conversation, card: Card | None, *, before: Case | None = None) -> Case:
        """A new case in state new; the one that is open if somebody was faster."""
        now = self._clock.now()
        last = await store.newest_case(self._db, conversation.id)
        settings = await self._office.settings(conversation.shop_id)
        lately = (
            last is not None and last.ended_at is not None and now - last.ended_at <= settings.last_agent_s * SECOND
        )
        row = Case(
            id=self._ids.new("Z"), c=conversation.id, shop_id=conversation.shop_id,
            merchant_id=conversation.merchant_id, buyer_id=conversation.buyer_id, state="new", open=True, rev=1,
            opened_at=now, due_at=now + _NEW_LASTS_MS,
            buyer_s=last.buyer_s if last else 0, staff_s=last.staff_s if last else 0,
            last_agent_id=last.agent_id if last and lately else None, before_id=before.id if before else None,
        )  # fmt: skip
        if card is not None:
            row = _shown(row, card, row.rev, now)
        try:
            await store.add_case(self._db, row)
        except DuplicateKey:
            found = await store.open_case(self._db, conversation.id)
            if found is None:  # ended between the two questions
                raise DeskChanged from None
            return found
        if row.asides:
            self._telling.aside(row)
        for hear in self._opened:
            hear(conversation, row)
        return row

    async def _card_of(self, conversation: Conversation) -> Card | None:
        ctx = conversation.ctx
        if ctx is None or self._clock.now() - conversation.created_at > _FRESH_MS:
            return None
        return await self._around.card(conversation.buyer_id, conversation.shop_id, ctx)


def _shown(case: Case, card: Card, rev: int, at: Millis) -> Case:
    """The case with what is being looked at, which this change owes the log."""
    body = Body(
        id=card.id, title=card.title, price_fen=card.price_fen, picture=card.picture, text=card.k, name=card.state
    )
    return rules.owing(structs.replace(case, card=card), rev, "context", body, at)


def _tells_nothing_new(case: Case, word: Word) -> bool:
    """Whether the row need not be written: heard before, or one more word of a buyer who is known to wait."""
    heard = word.buyer_s <= case.buyer_s and word.staff_s <= case.staff_s
    waits_on = (
        word.staff_s <= case.staff_s
        and case.waiting_since is not None
        and case.state != "new"
        and word.buyer_at - (case.buyer_at or 0) < _SAME_S
    )
    return heard or waits_on


def _of_the_past(case: Case, word: Word) -> bool:
    """Whether a buyer's newest word, heard after the end, needs no new case: it was heard or answered before, the buyer
    left after it, or a person who ended the case had it on the screen. A timer has seen nothing. Whoever may have been
    overlooked gets a new case: rather one too many than a buyer left in silence.
    """
    if word.buyer_s <= max(case.buyer_s, case.staff_s):
        return True
    last = case.history[-1]
    before_the_end = (case.ended_at or 0) - word.buyer_at
    if last.why == "left":
        return before_the_end >= 0
    if word.buyer_at - (case.buyer_at or 0) < _SAME_S:  # one more word of a buyer who waited: the row may lack it
        return before_the_end >= _READ_MS
    return last.by != DESK and before_the_end >= _SHOWN_MS


async def _nobody(_shop_id: str) -> bool:
    return False
