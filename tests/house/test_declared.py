"""Errors, indexes and events of the whole program keep the house rules; each rule is seen red."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from octshop_rt.commerce.member.model import Phone
from octshop_rt.core import mongo
from octshop_rt.core.dispatcher import Subscription
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.core.mongo import Collection, index
from octshop_rt.core.outbox import Event
from octshop_rt.im.wire.fields import ClientId, Device
from octshop_rt.subscriptions import UNHEARD, Handlers, subscriptions
from tests.house import declared


@pytest.fixture(scope="module", autouse=True)
def everything() -> None:
    declared.import_everything()


def test_every_refusal_has_a_code_and_two_languages() -> None:
    complaints = declared.error_complaints(declared.of_the_product(declared.below(DomainError)))
    assert not complaints, "\n".join(complaints)


def test_bad_refusals_are_seen() -> None:
    class Plain(DomainError):
        code = "order.gone"
        zh = "没有了"
        en = "Gone"

    def variant(**changes: str) -> type[DomainError]:
        return type("Variant", (DomainError,), {"code": "order.other", "zh": "没有了", "en": "Gone", **changes})

    assert declared.error_complaints([Plain]) == []
    assert declared.error_complaints([Plain, variant(code="order.gone")])
    assert declared.error_complaints([variant(code="gone")])
    assert declared.error_complaints([variant(zh="Gone")])
    assert declared.error_complaints([variant(en="没有了")])
    assert declared.error_complaints([variant(zh="只剩{left}件")])


def test_unique_indexes_lead_with_the_shard_key() -> None:
    assert mongo.declared
    ours = [one for one in mongo.declared if one.shape.__module__.startswith("octshop_rt.")]
    assert not (complaints := declared.index_complaints(ours)), "\n".join(complaints)
    assert not (complaints := declared.name_complaints(ours)), "\n".join(complaints)


def test_a_bad_index_is_seen() -> None:
    class Row(msgspec.Struct):
        id: str

    before = len(mongo.declared)
    good = Collection(
        "trading", "x", Row, indexes=[index("buyer_id", "request_id", unique=True)], shard_key=("buyer_id",)
    )
    bad = Collection("trading", "y", Row, indexes=[index("request_id", unique=True)], shard_key=("buyer_id",))
    del mongo.declared[before:]
    assert not declared.index_complaints([good])
    assert declared.index_complaints([bad])
    assert declared.name_complaints([good, good])


def test_no_text_ends_in_a_line_feed_that_its_pattern_does_not_name() -> None:
    patterns = declared.text_patterns(declared.of_the_product(declared.below(msgspec.Struct)))
    assert len(patterns) >= 12, "the walk finds them"
    assert not (complaints := declared.pattern_complaints(patterns)), "\n".join(complaints)


@pytest.mark.parametrize(
    ("shape", "good"),
    [(Phone, "13800000001"), (Id, "U1"), (RequestId, "r" * 16), (ClientId, "c" * 16), (Device, "web")],
)
def test_a_line_feed_makes_no_other_name(shape: Any, good: str) -> None:
    assert msgspec.convert(good, shape) == good
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(f"{good}\n", shape)


def test_a_bare_end_is_seen() -> None:
    class Bare(msgspec.Struct):
        words: tuple[Annotated[str, msgspec.Meta(pattern="^[a-z]+$")], ...] | None = None

    patterns = declared.text_patterns([Bare])
    assert patterns == {"^[a-z]+$": "Bare.words"}
    assert declared.pattern_complaints(patterns)
    assert declared.pattern_complaints({r"[a-z]+$(?!\n)": "x"})
    assert not declared.pattern_complaints({r"^[a-z]+$(?!\n)": "x"})


class Anything:
    """Stands for every handler: only the table is looked at."""

    def __getattr__(self, name: str) -> str:
        return name


def table() -> list[Subscription]:
    made = {field.name: Anything() for field in msgspec.structs.fields(Handlers)}
    return subscriptions(Handlers(**made))  # pyright: ignore[reportArgumentType]  (nobody is called)


def test_every_event_is_heard_or_says_why_not() -> None:
    events = declared.of_the_product(declared.below(Event))
    heard = [one.event for one in table()]
    assert not (complaints := declared.event_complaints(events, heard, UNHEARD)), "\n".join(complaints)
    assert not (complaints := declared.subscription_complaints(table())), "\n".join(complaints)


def test_a_lost_event_is_seen() -> None:
    class Lost(Event, frozen=True):
        pass

    whole = [one.event for one in table()]
    assert declared.event_complaints([Lost], whole, UNHEARD)
    assert not declared.event_complaints([Lost], [Lost], {})
    assert declared.event_complaints([Lost], [Lost], {Lost: "it is heard, so this is stale"})
    assert declared.event_complaints([Lost], [], {Lost: ""})
    assert declared.subscription_complaints([*table(), table()[0]])
