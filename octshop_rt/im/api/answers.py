"""A shop's automatic answers: settings with welcome texts and synonyms, questions and answers, keywords, trying out."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.auth.model import Right, ShopStaff, at_shop
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.core.http.routes import Call, Route
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.im.answer.knowledge import FaqText, KeywordText, Knowledge, SettingsText
from octshop_rt.im.answer.model import (
    AnswerSettings,
    AnswerText,
    BadThresholds,
    Candidate,
    Faq,
    How,
    Keyword,
    Percent,
    Question,
    Sureness,
    Synonyms,
    TooManyFaqs,
    TooManyKeywords,
    UnknownVariable,
    Welcome,
)
from octshop_rt.im.answer.tending import Taught, Tending

Category = Annotated[str, Meta(max_length=40)]
QuestionEn = Annotated[str, Meta(max_length=200)]
English = Annotated[str, Meta(max_length=2_000)]


class SettingsView(Struct, frozen=True, kw_only=True):
    """As the settings page shows it. `assistant_there`: the installation has a connector that could be switched on."""

    on: bool
    sure: Percent
    unsure: Percent
    unknown_to_person: int
    assistant: bool
    assistant_there: bool
    welcomes: list[Welcome]
    synonyms: list[Synonyms]
    variables: list[str]


class SettingsWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it at once: the page saves what it shows."""

    on: bool
    sure: Percent
    unsure: Percent
    unknown_to_person: Annotated[int, Meta(ge=1, le=10)]
    assistant: bool
    welcomes: Annotated[list[Welcome], Meta(max_length=6)]
    synonyms: Annotated[list[Synonyms], Meta(max_length=200)]


class FaqView(Struct, frozen=True, kw_only=True):
    """One question with its answer and what buyers made of it: wordings they taught, and wordings for which they doubt
    the answer (it is offered there, no longer given).
    """

    id: Id
    category: str
    question: str
    question_en: str
    similar: list[str]
    zh: str
    en: str
    on: bool
    asked: int
    helpful: int
    unhelpful: int
    taught: list[str]
    doubted: list[str]
    changed_at: int


class FaqWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`en`, `question_en` empty: English readers get the Chinese answer, and the Chinese question on buttons."""

    request_id: RequestId
    category: Category = ""
    question: Question
    question_en: QuestionEn = ""
    similar: Annotated[list[Question], Meta(max_length=30)] = []
    zh: AnswerText
    en: English = ""
    on: bool = True


class FaqLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of many questions that come at once."""

    category: Category = ""
    question: Question
    question_en: QuestionEn = ""
    similar: Annotated[list[Question], Meta(max_length=30)] = []
    zh: AnswerText
    en: English = ""
    on: bool = True


class FaqImport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them or none."""

    items: Annotated[list[FaqLine], Meta(min_length=1, max_length=200)]


class FaqsImported(Struct, frozen=True, kw_only=True):
    """`known`: left as they were, because the shop has a question in these words."""

    added: int
    known: int


class Wording(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As `taught` or `doubted` names it."""

    text: Annotated[str, Meta(min_length=1, max_length=200)]


class FaqQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`q` is looked for in questions, other wordings and answers."""

    q: Annotated[str, Meta(max_length=100)] = ""
    category: Category | None = None


class Faqs(Struct, frozen=True, kw_only=True):
    """Those that fit, by category and question, and every category there is."""

    items: list[FaqView]
    categories: list[str]


class KeywordView(Struct, frozen=True, kw_only=True):
    id: Id
    words: list[str]
    how: How
    zh: str
    en: str
    priority: int
    on: bool


class KeywordWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The reply is sent when a text is (`exact`) or holds (`contains`) one of the words."""

    request_id: RequestId
    words: Annotated[list[Annotated[str, Meta(min_length=1, max_length=40)]], Meta(min_length=1, max_length=20)]
    how: How = "contains"
    zh: AnswerText
    en: English = ""
    priority: Annotated[int, Meta(ge=0, le=1_000)] = 0
    on: bool = True


class Keywords(Struct, frozen=True, kw_only=True):
    """In the order in which they are tried."""

    items: list[KeywordView]


class TryWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a buyer might ask."""

    text: Annotated[str, Meta(min_length=1, max_length=500)]


class Tried(Struct, frozen=True, kw_only=True):
    """What would be answered, by what, how sure; nothing is sent, counted or learned."""

    by: str
    sureness: Sureness
    answer: str
    candidates: list[Candidate]
    words: list[str]


class AnswersApi:
    """For the managers of a shop; agents may read and try."""

    def __init__(self, knowledge: Knowledge, tending: Tending) -> None:
        self._knowledge = knowledge
        self._tending = tending

    def routes(self) -> list[Route]:
        """Below /shop/{shop_id}/desk."""
        base = "/shop/{shop_id}/desk"
        may, see = at_shop(Right.MANAGE), at_shop(Right.CHAT)
        faq, keyword = f"{base}/faqs/{{faq_id}}", f"{base}/keywords/{{keyword_id}}"
        return [
            Route(
                "GET", f"{base}/answers", self.settings, permission=see, answer=SettingsView,
                summary="How the shop answers by itself",
            ),
            Route(
                "PUT", f"{base}/answers", self.set_settings, permission=may, body=SettingsWish, answer=SettingsView,
                errors=(BadThresholds, UnknownVariable, NotFound),
                summary="Change welcome texts, synonyms, thresholds and what is on",
            ),
            Route(
                "GET", f"{base}/faqs", self.faqs, permission=see, query=FaqQuery, answer=Faqs,
                summary="The shop's questions and answers",
            ),
            Route(
                "POST", f"{base}/faqs", self.add_faq, permission=may, body=FaqWish, answer=FaqView, status=201,
                errors=(TooManyFaqs, UnknownVariable, RequestConflict), summary="Add a question with its answer",
            ),
            Route(
                "PUT", faq, self.set_faq, permission=may, body=FaqWish, answer=FaqView,
                errors=(NotFound, UnknownVariable), summary="Change a question or its answer",
            ),
            Route("DELETE", faq, self.drop_faq, permission=may, errors=(NotFound,), summary="Remove a question"),
            Route(
                "POST", f"{base}/faq-import", self.add_faqs, permission=may, body=FaqImport, answer=FaqsImported,
                errors=(TooManyFaqs, UnknownVariable), summary="Add many questions at once; those there already stay",
            ),
            Route(
                "POST", f"{faq}/forget", self.forget, permission=may, body=Wording, answer=FaqView,
                errors=(NotFound,), summary="Forget what buyers taught of a wording",
            ),
            Route(
                "GET", f"{base}/keywords", self.keywords, permission=see, answer=Keywords,
                summary="Replies to keywords, in the order in which they are tried",
            ),
            Route(
                "POST", f"{base}/keywords", self.add_keyword, permission=may, body=KeywordWish, answer=KeywordView,
                status=201, errors=(TooManyKeywords, UnknownVariable, RequestConflict), summary="Add a keyword reply",
            ),
            Route(
                "PUT", keyword, self.set_keyword, permission=may, body=KeywordWish, answer=KeywordView,
                errors=(NotFound, UnknownVariable), summary="Change a keyword reply",
            ),
            Route(
                "DELETE", keyword, self.drop_keyword, permission=may, errors=(NotFound,),
                summary="Remove a keyword reply",
            ),
            Route(
                "POST", f"{base}/answers/try", self.attempt, permission=see, body=TryWish, answer=Tried,
                summary="What would be answered to a text, and how sure that is",
            ),
        ]  # fmt: skip

    async def settings(self, call: Call[ShopStaff]) -> SettingsView:
        return self._view(await self._knowledge.settings(call.who.shop_id))

    async def set_settings(self, call: Call[ShopStaff], body: SettingsWish) -> SettingsView:
        text = SettingsText(
            on=body.on,
            sure=body.sure,
            unsure=body.unsure,
            unknown_to_person=body.unknown_to_person,
            assistant=body.assistant,
            welcomes=tuple(body.welcomes),
            synonyms=tuple(body.synonyms),
        )
        return self._view(await self._knowledge.set_settings(call.who, text))

    def _view(self, row: AnswerSettings) -> SettingsView:
        return SettingsView(
            on=row.on,
            sure=row.sure,
            unsure=row.unsure,
            unknown_to_person=row.unknown_to_person,
            assistant=row.assistant,
            assistant_there=self._knowledge.assistant_there,
            welcomes=list(row.welcomes),
            synonyms=list(row.synonyms),
            variables=list(self._knowledge.variables),
        )

    # --- questions ----------------------------------------------------------------------------------------------------

    async def faqs(self, call: Call[ShopStaff]) -> Faqs:
        asked: FaqQuery = call.query
        every = await self._knowledge.faqs(call.who.shop_id)
        taught = await self._tending.taught(call.who.shop_id)
        return Faqs(
            items=[_faq(one, taught.get(one.id)) for one in self._knowledge.fitting(every, asked.q, asked.category)],
            categories=sorted({one.category for one in every if one.category}),
        )

    async def add_faq(self, call: Call[ShopStaff], body: FaqWish) -> FaqView:
        return _faq(await self._knowledge.add_faq(call.who, body.request_id, _faq_text(body)))

    async def set_faq(self, call: Call[ShopStaff], body: FaqWish) -> FaqView:
        return await self._taught(await self._knowledge.set_faq(call.who, call.path["faq_id"], _faq_text(body)))

    async def add_faqs(self, call: Call[ShopStaff], body: FaqImport) -> FaqsImported:
        added = await self._tending.add(call.who, [_faq_text(one) for one in body.items])
        return FaqsImported(added=added, known=len(body.items) - added)

    async def forget(self, call: Call[ShopStaff], body: Wording) -> FaqView:
        return await self._taught(await self._tending.forget(call.who, call.path["faq_id"], body.text))

    async def _taught(self, row: Faq) -> FaqView:
        return _faq(row, (await self._tending.taught(row.shop_id)).get(row.id))

    async def drop_faq(self, call: Call[ShopStaff]) -> None:
        await self._knowledge.drop_faq(call.who, call.path["faq_id"])

    # --- keywords -----------------------------------------------------------------------------------------------------

    async def keywords(self, call: Call[ShopStaff]) -> Keywords:
        return Keywords(items=[_keyword(one) for one in await self._knowledge.keywords(call.who.shop_id)])

    async def add_keyword(self, call: Call[ShopStaff], body: KeywordWish) -> KeywordView:
        return _keyword(await self._knowledge.add_keyword(call.who, body.request_id, _keyword_text(body)))

    async def set_keyword(self, call: Call[ShopStaff], body: KeywordWish) -> KeywordView:
        return _keyword(await self._knowledge.set_keyword(call.who, call.path["keyword_id"], _keyword_text(body)))

    async def drop_keyword(self, call: Call[ShopStaff]) -> None:
        await self._knowledge.drop_keyword(call.who, call.path["keyword_id"])

    async def attempt(self, call: Call[ShopStaff], body: TryWish) -> Tried:
        found = await self._knowledge.attempt(call.who.shop_id, body.text, call.lang)
        return Tried(
            by=found.by,
            sureness=found.verdict.sureness,
            answer=found.answer,
            candidates=list(found.verdict.candidates),
            words=found.words,
        )


def _faq_text(body: FaqWish | FaqLine) -> FaqText:
    return FaqText(
        category=body.category.strip(),
        question=body.question.strip(),
        question_en=body.question_en.strip(),
        similar=tuple(dict.fromkeys(one.strip() for one in body.similar if one.strip())),
        zh=body.zh,
        en=body.en,
        on=body.on,
    )


def _keyword_text(body: KeywordWish) -> KeywordText:
    return KeywordText(
        words=tuple(dict.fromkeys(body.words)), how=body.how, zh=body.zh, en=body.en, priority=body.priority, on=body.on
    )


def _faq(row: Faq, taught: Taught | None = None) -> FaqView:
    return FaqView(
        id=row.id,
        category=row.category,
        question=row.question,
        question_en=row.question_en,
        similar=list(row.similar),
        zh=row.zh,
        en=row.en,
        on=row.on,
        asked=row.asked,
        helpful=row.helpful,
        unhelpful=row.unhelpful,
        taught=taught.added if taught else [],
        doubted=taught.doubted if taught else [],
        changed_at=row.at,
    )


def _keyword(row: Keyword) -> KeywordView:
    return KeywordView(
        id=row.id, words=list(row.words), how=row.how, zh=row.zh, en=row.en, priority=row.priority, on=row.on
    )
