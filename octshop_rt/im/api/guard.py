"""What may not be said at a shop: words, spam and flood rules, blocked buyers, and the list of flagged entries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from octshop_rt.core.auth.model import PLATFORM as ADMINS
from octshop_rt.core.auth.model import Admin, Right, ShopStaff, at_shop
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import NotFound
from octshop_rt.core.http.routes import Call, Route
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.im.guard.model import (
    PLATFORM,
    Action,
    Block,
    Earlier,
    EmptyWord,
    Flag,
    FlagChanged,
    FlagState,
    FloodRules,
    Hit,
    Judged,
    Kind,
    Level,
    NoSuchBuyerHere,
    RuleBook,
    Sides,
    SpamRules,
    TooManyBlocked,
    TooManyWords,
    WordText,
)
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.guard.staff import GuardDesk, Who
from octshop_rt.im.insight.naming import Naming
from octshop_rt.im.wire.fields import Side

Reason = Annotated[str, Meta(max_length=200)]
Cursor = Annotated[str, Meta(min_length=1, max_length=64)]


class WordView(Struct, frozen=True, kw_only=True):
    id: Id
    text: str
    level: Level
    sides: Sides
    at: Millis


class AboveView(Struct, frozen=True, kw_only=True):
    """What holds at every shop: nobody at a shop can change it. The words themselves are the platform's own."""

    words: dict[Level, int]
    buyer: SpamRules
    staff: SpamRules


class RulesView(Struct, frozen=True, kw_only=True):
    """The shop's own rules, and `above` what the platform's rules, which stand above them, ask for at least."""

    words: list[WordView]
    buyer: SpamRules
    staff: SpamRules
    flood: FloodRules
    above: AboveView | None = None


class WordsWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Words of one level; one that is there already gets the new level."""

    request_id: RequestId
    words: Annotated[list[WordText], Meta(min_length=1, max_length=500)]
    level: Level
    sides: Sides = "both"


class SpamWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it at once: the page saves what it shows."""

    buyer: SpamRules
    staff: SpamRules
    flood: FloodRules


class TryText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=2_000)]
    side: Side = "buyer"


class HitView(Struct, frozen=True, kw_only=True):
    """`above`: a rule of the platform says so (too)."""

    kind: Kind
    action: Action
    text: str
    above: bool


class TriedText(Struct, frozen=True, kw_only=True):
    """`text` as it would be stored; `refused` if it would not be."""

    text: str
    refused: bool
    hits: list[HitView]


class BlockWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without `hours`: until somebody lifts it. Blocking again replaces reason and end.

    New guests on the buyer's devices are not heard either, for 30 days at most. With `network`, nor are new guests from
    the same address, for a day at most: a household, an office or a Wi-Fi may share it. Members always are.
    """

    request_id: RequestId
    buyer_id: Id
    reason: Reason = ""
    hours: Annotated[int, Meta(ge=1, le=8_784)] | None = None
    network: bool = False


class BlockView(Struct, frozen=True, kw_only=True):
    buyer_id: Id
    name: str
    reason: str
    by_name: str
    at: Millis
    until: Millis | None
    devices_until: Millis  # 0: new guests on its devices are heard
    networks_until: Millis  # 0: new guests from its address are heard


class BlockQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them, or only whether this buyer is."""

    buyer_id: Id | None = None
    cursor: Cursor | None = None


class Blocks(Struct, frozen=True, kw_only=True):
    """Newest first; those whose time is over are not shown."""

    items: list[BlockView]
    next: str | None


class FlagQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    state: FlagState = "open"
    side: Side | None = None
    cursor: Cursor | None = None


class FlagView(Struct, frozen=True, kw_only=True):
    """One entry to look at: where it stands, what was found, and what was decided. `text` is what it says since the
    edit at `ed` (0: none), `was` what it said before.
    """

    id: Id
    c: Id
    s: int
    side: Side
    by_person: Id
    name: str  # of who said it
    text: str
    hits: list[str]
    at: Millis
    state: FlagState
    by_name: str
    note: str
    settled_at: Millis | None
    ed: Millis
    was: list[Earlier]


class Flags(Struct, frozen=True, kw_only=True):
    """Newest first. `open` counts those nobody has settled, up to a hundred."""

    items: list[FlagView]
    next: str | None
    open: int


class SettleWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`fine`: nothing wrong with it; `handled`: something was done. `ed`: the edit that was looked at, as the list
    showed it; with it, what was edited since is not settled unseen.
    """

    request_id: RequestId
    state: Literal["fine", "handled"]
    note: Reason = ""
    ed: Millis | None = None


class GuardApi:
    """Rules and the review list are the managers'; agents block and unblock."""

    def __init__(self, guard: Guard, desk: GuardDesk, naming: Naming) -> None:
        self._guard = guard
        self._desk = desk
        self._naming = naming

    def routes(self) -> list[Route]:
        """Below /shop/{shop_id}/desk and /platform/guard."""
        base = "/shop/{shop_id}/desk"
        may, agents = at_shop(Right.MANAGE), at_shop(Right.CHAT)
        words = (TooManyWords, EmptyWord)
        return [
            Route(
                "GET", f"{base}/guard", self.rules, permission=may, answer=RulesView,
                summary="Sensitive words, spam and flood rules of the shop",
            ),
            Route(
                "POST", f"{base}/guard/words", self.add_words, permission=may, body=WordsWish, answer=RulesView,
                errors=words, summary="Add sensitive words, or give them another level",
            ),
            Route(
                "DELETE", f"{base}/guard/words/{{word_id}}", self.drop_word, permission=may, errors=(NotFound,),
                summary="Remove a sensitive word",
            ),
            Route(
                "PUT", f"{base}/guard/spam", self.set_spam, permission=may, body=SpamWish, answer=RulesView,
                summary="Change what becomes of links, numbers and floods",
            ),
            Route(
                "POST", f"{base}/guard/try", self.attempt, permission=may, body=TryText, answer=TriedText,
                summary="What the rules would make of a text",
            ),
            Route(
                "GET", f"{base}/blocks", self.blocks, permission=agents, query=BlockQuery, answer=Blocks,
                summary="Blocked buyers",
            ),
            Route(
                "POST", f"{base}/blocks", self.block, permission=agents, body=BlockWish, answer=BlockView, status=201,
                errors=(NoSuchBuyerHere, TooManyBlocked), summary="Block a buyer, for a time or until lifted",
            ),
            Route(
                "DELETE", f"{base}/blocks/{{buyer_id}}", self.unblock, permission=agents, errors=(NotFound,),
                summary="Listen to a buyer again",
            ),
            Route(
                "GET", f"{base}/flags", self.flags, permission=may, query=FlagQuery, answer=Flags,
                summary="Entries somebody should look at",
            ),
            Route(
                "POST", f"{base}/flags/{{flag_id}}/settle", self.settle, permission=may, body=SettleWish,
                answer=FlagView, errors=(NotFound, FlagChanged), summary="Say what became of a flagged entry",
            ),
            Route(
                "GET", "/platform/guard", self.platform_rules, permission=ADMINS, answer=RulesView,
                summary="The rules above all shops",
            ),
            Route(
                "POST", "/platform/guard/words", self.add_platform_words, permission=ADMINS, body=WordsWish,
                answer=RulesView, errors=words, summary="Add words for all shops, or give them another level",
            ),
            Route(
                "DELETE", "/platform/guard/words/{word_id}", self.drop_platform_word, permission=ADMINS,
                errors=(NotFound,), summary="Remove a word for all shops",
            ),
            Route(
                "PUT", "/platform/guard/spam", self.set_platform_spam, permission=ADMINS, body=SpamWish,
                answer=RulesView, summary="Change what holds at every shop at least",
            ),
            Route(
                "POST", "/platform/guard/try", self.attempt_above, permission=ADMINS, body=TryText, answer=TriedText,
                summary="What the rules above all shops would make of a text",
            ),
        ]  # fmt: skip

    # --- words and rules ----------------------------------------------------------------------------------------------

    async def rules(self, call: Call[ShopStaff]) -> RulesView:
        return await self._shown(await self._desk.book(call.who.shop_id))

    async def platform_rules(self, call: Call[Admin]) -> RulesView:
        return _rules(await self._desk.book(PLATFORM))

    async def add_words(self, call: Call[ShopStaff], body: WordsWish) -> RulesView:
        return await self._shown(await self._add(call.who.shop_id, call.who, body))

    async def add_platform_words(self, call: Call[Admin], body: WordsWish) -> RulesView:
        return _rules(await self._add(PLATFORM, call.who, body))

    async def _add(self, scope: str, who: Who, body: WordsWish) -> RuleBook:
        return await self._desk.add_words(scope, who, body.words, body.level, body.sides)

    async def _shown(self, book: RuleBook) -> RulesView:
        above = await self._desk.book(PLATFORM)
        counted: dict[Level, int] = {"mask": 0, "refuse": 0, "flag": 0}
        for word in above.words:
            counted[word.level] += 1
        return structs.replace(_rules(book), above=AboveView(words=counted, buyer=above.buyer, staff=above.staff))

    async def drop_word(self, call: Call[ShopStaff]) -> None:
        await self._desk.drop_word(call.who.shop_id, call.path["word_id"])

    async def drop_platform_word(self, call: Call[Admin]) -> None:
        await self._desk.drop_word(PLATFORM, call.path["word_id"])

    async def set_spam(self, call: Call[ShopStaff], body: SpamWish) -> RulesView:
        return await self._shown(await self._desk.set_spam(call.who.shop_id, body.buyer, body.staff, body.flood))

    async def set_platform_spam(self, call: Call[Admin], body: SpamWish) -> RulesView:
        return _rules(await self._desk.set_spam(PLATFORM, body.buyer, body.staff, body.flood))

    async def attempt(self, call: Call[ShopStaff], body: TryText) -> TriedText:
        return _tried(await self._guard.attempt(call.who.shop_id, body.side, body.text))

    async def attempt_above(self, call: Call[Admin], body: TryText) -> TriedText:
        return _tried(await self._guard.attempt_above(body.side, body.text))

    # --- blocked buyers -----------------------------------------------------------------------------------------------

    async def blocks(self, call: Call[ShopStaff]) -> Blocks:
        asked: BlockQuery = call.query
        page, more = await self._desk.blocks(call.who.shop_id, asked.cursor, asked.buyer_id)
        names = await self._naming.of(call.who.shop_id, [row.buyer_id for row in page])
        items = [_block(row, names.get(row.buyer_id, "")) for row in page]
        return Blocks(items=items, next=page[-1].id if more else None)

    async def block(self, call: Call[ShopStaff], body: BlockWish) -> BlockView:
        row = await self._desk.block(call.who, body.buyer_id, body.reason, body.hours, network=body.network)
        names = await self._naming.of(call.who.shop_id, [row.buyer_id])
        return _block(row, names.get(row.buyer_id, ""))

    async def unblock(self, call: Call[ShopStaff]) -> None:
        await self._desk.unblock(call.who, call.path["buyer_id"])

    # --- the review list ----------------------------------------------------------------------------------------------

    async def flags(self, call: Call[ShopStaff]) -> Flags:
        asked: FlagQuery = call.query
        page, more = await self._desk.flags(call.who.shop_id, asked.state, asked.side, asked.cursor)
        names = await self._naming.of(call.who.shop_id, [row.f for row in page])
        return Flags(
            items=[_flag(row, names) for row in page],
            next=page[-1].id if more else None,
            open=await self._desk.open_flags(call.who.shop_id),
        )

    async def settle(self, call: Call[ShopStaff], body: SettleWish) -> FlagView:
        row = await self._desk.settle(call.who, call.path["flag_id"], body.state, body.note, body.ed)
        return _flag(row, await self._naming.of(call.who.shop_id, [row.f]))


def _rules(book: RuleBook) -> RulesView:
    words = [WordView(id=one.id, text=one.text, level=one.level, sides=one.sides, at=one.at) for one in book.words]
    return RulesView(words=words, buyer=book.buyer, staff=book.staff, flood=book.flood)


def _tried(attempt: tuple[Judged, bool, list[tuple[Hit, bool]]]) -> TriedText:
    judged, refused, hits = attempt
    found = [HitView(kind=hit.kind, action=hit.action, text=hit.text, above=above) for hit, above in hits]
    return TriedText(text=judged.texts[0], refused=refused, hits=found)


def _block(row: Block, name: str) -> BlockView:
    return BlockView(
        buyer_id=row.buyer_id, name=name, reason=row.reason, by_name=row.by_name, at=row.at, until=row.until,
        devices_until=row.devices_until, networks_until=row.networks_until,
    )  # fmt: skip


def _flag(row: Flag, names: Mapping[str, str]) -> FlagView:
    return FlagView(
        id=row.id,
        c=row.c,
        s=row.s,
        side=row.side,
        by_person=row.f,
        name=names.get(row.f, ""),
        text=row.text,
        hits=list(row.hits),
        at=row.at,
        state=row.state,
        by_name=row.by_name,
        note=row.note,
        settled_at=row.settled_at,
        ed=row.ed,
        was=list(row.was),
    )
