"""A customer as the shop's staff know one: name, labels, memo, cases, orders; and the notes colleagues have left."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.errors import Lang, NotFound
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.model import Conversation, Entry
from octshop_rt.im.conversation.reading import Log
from octshop_rt.im.desk.model import Case
from octshop_rt.im.desk.reading import CaseBook
from octshop_rt.im.insight import store
from octshop_rt.im.insight.labels import Labels, marked_id
from octshop_rt.im.insight.model import Label, Memo, Rating, Summary

PAGE = 30
MOST_CASES = 20
MOST_ORDERS = 10


class BoughtLine(Struct, frozen=True, kw_only=True):
    """What was ordered, in a word."""

    title: str
    quantity: int


class Bought(Struct, frozen=True, kw_only=True):
    """An order of this customer at this shop, as chat shows it."""

    id: str
    label: str
    payable_fen: Fen
    created_at: Millis
    lines: tuple[BoughtLine, ...]


class Who(Struct, frozen=True, kw_only=True):
    """What the wing that keeps people tells of a customer: the phone number masked, or none (a visitor)."""

    nickname: str
    phone_masked: str | None


class Customers(Protocol):
    """What insight asks of the wing that keeps people and orders."""

    async def who(self, buyer_id: str) -> Who | None:
        """None if there is nobody of that id."""
        ...

    async def bought(self, staff: ShopStaff, buyer_id: str, limit: int, lang: Lang) -> tuple[int, list[Bought]]:
        """How many orders at this shop, and the newest. Nothing for staff without the right to read orders."""
        ...


class Profile(Struct, frozen=True, kw_only=True):
    """Everything about one customer at one shop."""

    buyer_id: str
    c: str
    who: Who | None
    first_at: Millis
    memo: Memo | None
    labels: list[Label]
    cases: list[Case]
    case_labels: dict[str, list[Label]]
    ratings: dict[str, Rating]
    summaries: dict[str, Summary]
    orders_count: int
    orders: list[Bought]


class CustomerBook:
    """For staff who answer at the shop; a shop sees those it has spoken with."""

    def __init__(self, db: Database, clock: Clock, labels: Labels, customers: Customers) -> None:
        self._db = db
        self._clock = clock
        self._labels = labels
        self._customers = customers
        self._log = Log(db)
        self._cases = CaseBook(db)

    async def profile(self, staff: ShopStaff, buyer_id: str, lang: Lang) -> Profile:
        """NotFound unless the two have spoken."""
        conversation = await self._conversation(staff, buyer_id)
        cases = await self._cases.of_conversation(conversation.id, MOST_CASES)
        case_ids = [case.id for case in cases]
        marked = await self._labels.on(staff.shop_id, [buyer_id, *case_ids])
        count, orders = await self._customers.bought(staff, buyer_id, MOST_ORDERS, lang)
        return Profile(
            buyer_id=buyer_id,
            c=conversation.id,
            who=await self._customers.who(buyer_id),
            first_at=conversation.created_at,
            memo=await store.memo(self._db, marked_id(staff.shop_id, buyer_id)),
            labels=marked.pop(buyer_id, []),
            cases=cases,
            case_labels=marked,
            ratings=await store.ratings(self._db, case_ids),
            summaries=await store.summaries(self._db, case_ids),
            orders_count=count,
            orders=orders,
        )

    async def remember(self, staff: ShopStaff, buyer_id: str, *, alias: str, text: str) -> Memo:
        """What to call the customer here, and what to know. NotFound unless the two have spoken."""
        await self._conversation(staff, buyer_id)
        row = Memo(
            id=marked_id(staff.shop_id, buyer_id), shop_id=staff.shop_id, buyer_id=buyer_id, alias=alias.strip(),
            text=text.strip(), by=staff.person_id, at=self._clock.now(),
        )  # fmt: skip
        await store.put_memo(self._db, row)
        return row

    async def notes(self, staff: ShopStaff, buyer_id: str, below: str | None) -> tuple[list[Entry], str | None]:
        """What colleagues have noted about a customer, newest first."""
        conversation = await self._conversation(staff, buyer_id)
        rows = await store.notes(self._db, conversation.id, below, PAGE + 1)
        entries = await self._log.by_ids([row.id for row in rows[:PAGE]])
        shown = [entry for row in rows[:PAGE] if (entry := entries.get(row.id)) is not None and entry.k == "note"]
        return [entry for entry in shown if entry.rc is None], rows[PAGE - 1].id if len(rows) > PAGE else None

    async def _conversation(self, staff: ShopStaff, buyer_id: str) -> Conversation:
        found = await self._log.between(buyer_id, staff.shop_id)
        if found is None:
            raise NotFound
        return found
