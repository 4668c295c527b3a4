"""How a person sees an after-sale case, in their language. Pure."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.commerce.aftersale.model import SYSTEM, AftersaleLine, Case, CaseState, Reason, Step
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import Lang
from octshop_rt.core.money import Fen

LABELS: dict[CaseState, tuple[str, str]] = {
    CaseState.ASKED: ("待商家处理", "Waiting for the shop"),
    CaseState.AGREED: ("商家已同意", "Agreed"),
    CaseState.REFUNDING: ("退款处理中", "Refund on its way"),
    CaseState.REFUNDED: ("退款成功", "Refunded"),
    CaseState.FAILED: ("退款受阻，商家处理中", "Refund held up; the shop is on it"),
    CaseState.REFUSED: ("商家已拒绝", "Refused by the shop"),
    CaseState.WITHDRAWN: ("已撤销", "Withdrawn"),
}
REASONS: dict[Reason, tuple[str, str]] = {
    Reason.CHANGED_MIND: ("不想要了", "I changed my mind"),
    Reason.NO_TIME: ("没时间去了", "I have no time to go"),
    Reason.BOUGHT_WRONG: ("买错了或买多了", "I bought the wrong thing or too many"),
    Reason.NOT_AS_DESCRIBED: ("与描述不符", "It is not as described"),
    Reason.SHOP_UNAVAILABLE: ("商家停业或无法预约", "The shop is closed or takes no bookings"),
    Reason.OTHER: ("其他原因", "Another reason"),
}
_STORY: dict[tuple[str, bool], tuple[str, str]] = {
    ("asked", False): ("买家申请退款", "Refund requested"),
    ("agreed", False): ("商家同意退款", "The shop agreed"),
    ("agreed", True): ("商家超时未处理，系统自动同意", "Agreed by itself: the shop did not answer in time"),
    ("refunding", False): ("退款已提交，原路退回", "Refund sent, by the way it was paid"),
    ("refunding", True): ("退款已提交，原路退回", "Refund sent, by the way it was paid"),
    ("refunded", True): ("退款成功", "Refunded"),
    ("failed", True): ("退款受阻，等待商家处理", "The refund was held up; the shop has to see to it"),
    ("refused", False): ("商家拒绝退款", "The shop refused"),
    ("withdrawn", False): ("买家撤销申请", "Withdrawn by the buyer"),
}


class AftersaleMoment(Struct, frozen=True, kw_only=True):
    """One entry of the case's story; `words` are a person's own."""

    at: Millis
    state: CaseState
    text: str
    words: str = ""


class AftersaleView(Struct, frozen=True, kw_only=True):
    """A case as shown to its buyer and its shop."""

    id: str
    order_id: str
    shop_id: str
    shop_name: str
    buyer_id: str
    buyer_masked: str
    state: CaseState
    label: str
    open: bool
    reason: Reason
    reason_text: str
    words: str
    lines: tuple[AftersaleLine, ...]
    amount_fen: Fen
    asked_at: Millis
    decide_until: Millis
    refusal: str
    refunded_at: Millis | None
    timeline: tuple[AftersaleMoment, ...]


def _in(lang: Lang, words: tuple[str, str]) -> str:
    return words[0] if lang == "zh-CN" else words[1]


def label_data(case: Case) -> dict[str, object]:
    """The label in both languages, for refusals that quote it."""
    zh, en = LABELS[case.state]
    return {"label_zh": zh, "label_en": en, "state": str(case.state)}


def view(case: Case, lang: Lang) -> AftersaleView:
    """A case in a person's language."""
    return AftersaleView(
        id=case.id,
        order_id=case.order_id,
        shop_id=case.shop_id,
        shop_name=case.shop_name,
        buyer_id=case.buyer_id,
        buyer_masked=case.buyer_masked,
        state=case.state,
        label=_in(lang, LABELS[case.state]),
        open=case.open,
        reason=case.reason,
        reason_text=_in(lang, REASONS[case.reason]),
        words=case.words,
        lines=case.lines,
        amount_fen=case.amount_fen,
        asked_at=case.asked_at,
        decide_until=case.decide_until,
        refusal=case.refusal,
        refunded_at=case.refunded_at,
        timeline=tuple(_moment(step, lang) for step in case.history),
    )


def _moment(step: Step, lang: Lang) -> AftersaleMoment:
    words = step.reason if step.after == CaseState.REFUSED else ""
    text = _in(lang, _STORY[step.after, step.by == SYSTEM])
    return AftersaleMoment(at=step.at, state=CaseState(step.after), text=text, words=words)
