"""Shapes and refusals of automatic answers: a shop's knowledge, what was answered by it, agents' quick replies."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError

MOST_FAQS = 2_000
MOST_KEYWORDS = 500
MOST_QUICK = 500  # of a shop, and of each agent there
PERSON = "person"  # the option that brings a person

Page = Literal["any", "shop", "product", "order", "aftersale", "activity"]
How = Literal["exact", "contains"]
Sureness = Literal["sure", "unsure", "unknown"]
By = Literal["welcome", "faq", "keyword", "assistant", "offer", "greeting", "none", "person"]
Question = Annotated[str, Meta(min_length=1, max_length=200)]
AnswerText = Annotated[str, Meta(min_length=1, max_length=2_000)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Synonyms = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=30)], ...], Meta(min_length=2, max_length=20)]


class Welcome(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said first to a buyer who comes from `page`; `any` is for pages without words of their own.

    {shop}, {buyer} and {title} (of the product or order) are filled in. `questions` are offered as buttons.
    """

    page: Page
    zh: Annotated[str, Meta(max_length=500)]
    en: Annotated[str, Meta(max_length=500)] = ""
    questions: Annotated[tuple[str, ...], Meta(max_length=5, description="ids of questions")] = ()


class AnswerSettings(Struct, frozen=True, kw_only=True):
    """How a shop answers by itself. `rev` grows with every change of anything a node keeps in memory of the shop."""

    id: str  # the shop's
    rev: int = 0
    on: bool = True
    sure: Percent = 70
    unsure: Percent = 35
    unknown_to_person: Annotated[int, Meta(ge=1, le=10)] = 2  # unanswered in a row, then a person without asking
    assistant: bool = False
    welcomes: tuple[Welcome, ...] = (
        Welcome(
            page="any",
            zh="您好，欢迎光临{shop}，请问有什么可以帮您？",
            en="Hello and welcome to {shop}. How can we help?",
        ),
    )
    synonyms: tuple[Synonyms, ...] = ()


class Faq(Struct, frozen=True, kw_only=True):
    """A question with its other wordings and the answer."""

    id: str
    shop_id: str
    request_id: str
    category: str
    question: str
    similar: tuple[str, ...]
    zh: str
    en: str
    on: bool
    at: Millis
    asked: int = 0
    helpful: int = 0
    unhelpful: int = 0
    question_en: str = ""


class Lesson(Struct, frozen=True, kw_only=True):
    """What members taught: whether an answer was the right one for a wording. Voices are written and counted by the
    rules of `voicing`.
    """

    id: str
    shop_id: str
    faq_id: str
    text: str  # normalised
    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    at: Millis


class Keyword(Struct, frozen=True, kw_only=True):
    """A reply to a word. Higher `priority` first; among equals the longer word."""

    id: str
    shop_id: str
    request_id: str
    words: tuple[str, ...]
    how: How
    zh: str
    en: str
    priority: int
    on: bool
    at: Millis


class QuickReply(Struct, frozen=True, kw_only=True):
    """Words an agent keeps at hand; `owner` is the agent's person id, or the shop's id for everyone's."""

    id: str
    shop_id: str
    owner: str
    request_id: str
    category: str
    title: str
    text: str
    code: str  # typed after a slash
    letters: str  # first letters of title and text, Chinese by its sound: "tkdz" for 退款到账
    used: int
    at: Millis


class Given(Struct, frozen=True, kw_only=True):
    """One automatic answer: the claim that this node gives it, what it was made of, and what the buyer thought.

    Unique by (c, m), `m` being the client id of the bot's entry: two nodes that hear the same words make one answer.
    `until` is when a claim without a result may be taken over; None: done.
    """

    id: str
    shop_id: str
    case_id: str
    c: str
    m: str
    s: int  # the entry that is answered; 0 for a welcome
    buyer_id: str
    text: str
    at: Millis
    until: Millis | None = None
    by: By | None = None
    faq_ids: tuple[str, ...] = ()
    confidence: int = 0
    helpful: bool | None = None
    picked: str = ""


class Stretch(Struct, frozen=True, kw_only=True):
    """One stretch of service as answers need to know it; the desk's case."""

    id: str
    c: str
    shop_id: str
    buyer_id: str
    state: Literal["new", "bot", "queued", "human", "ended"]
    page: Page = "any"
    title: str = ""  # of what the buyer came from
    heard_s: int = 0  # the buyer's newest entry that was heard


class Candidate(Struct, frozen=True, kw_only=True):
    """A question that may be meant, and how sure that is: percent, as people are shown it."""

    faq_id: str
    question: str
    confidence: Percent


class Verdict(Struct, frozen=True, kw_only=True):
    """What the knowledge says to a text. `sure`: the first candidate's answer; `unsure`: at most three to choose."""

    sureness: Sureness
    candidates: tuple[Candidate, ...] = ()


class TooManyFaqs(DomainError):
    """The shop's knowledge is full."""

    code = "answer.too_many_faqs"
    status = 409
    zh = "问答最多 {most} 条，请先整理"
    en = "At most {most} questions; tidy up first"


class TooManyKeywords(DomainError):
    """No more keyword replies fit."""

    code = "answer.too_many_keywords"
    status = 409
    zh = "关键词回复最多 {most} 条，请先删除一些"
    en = "At most {most} keyword replies; delete some first"


class TooManyQuickReplies(DomainError):
    """No more quick replies fit."""

    code = "answer.too_many_quick_replies"
    status = 409
    zh = "快捷回复最多 {most} 条，请先删除一些"
    en = "At most {most} quick replies; delete some first"


class BadThresholds(DomainError):
    """Unsure lies below sure."""

    code = "answer.bad_thresholds"
    status = 422
    zh = "“直接回答”的置信度必须高于“给出选项”的置信度"
    en = "The confidence for answering must lie above the one for offering a choice"


class UnknownVariable(DomainError):
    """A text with a variable nobody fills in would reach buyers as it stands."""

    code = "answer.unknown_variable"
    status = 422
    zh = "不认识变量 {name}，可用：{known}"
    en = "There is no variable {name}; there are: {known}"


class NotYourReply(DomainError):
    """Replies for everyone are changed by whoever manages the shop."""

    code = "answer.not_your_reply"
    status = 403
    zh = "公共快捷回复只能由店铺管理员修改"
    en = "Quick replies for everyone are changed by the shop's managers"


class NotAnOption(DomainError):
    """The choice was not among those offered."""

    code = "answer.not_an_option"
    status = 422
    zh = "该选项已不可用，请直接输入您的问题"
    en = "This choice is no longer there; please type your question"
