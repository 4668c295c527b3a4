"""Settings of a desk, pure: the product's defaults, the platform's values over them, the shop's over those.

Documents are versioned and only added, like the shop's other policies.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Id
from octshop_rt.im.desk.model import BadHours, Cap, Level, Skill

PLATFORM_SCOPE = "platform-wide"  # not a shop id: the platform's own shop has settings of its own

Strategy = Literal["least_loaded", "round_robin", "manual"]
Seconds = Annotated[int, Meta(ge=0, le=7 * 86_400)]
MinuteOfDay = Annotated[int, Meta(ge=0, le=1_440, description="minutes after midnight, Asia/Shanghai")]
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$(?!\n)", max_length=10)]
Weekday = Annotated[int, Meta(ge=1, le=7, description="ISO: 1 is Monday")]
Page = Literal["shop", "product", "order", "aftersale", "activity"]


class Span(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From `start` up to, not including, `end`, on these days of the week."""

    days: Annotated[tuple[Weekday, ...], Meta(min_length=1, max_length=7)]
    start: MinuteOfDay
    end: MinuteOfDay


class Holiday(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A day unlike others: closed, or (a working day moved) open for the hours of `as_weekday`."""

    day: Day
    as_weekday: Weekday | None = None


Hours = Annotated[tuple[Span, ...], Meta(max_length=20)]
Holidays = Annotated[tuple[Holiday, ...], Meta(max_length=200)]


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of what is set must be true of the case; the first rule that fits decides."""

    page: Page | None = None
    thing_id: Id | None = None  # this very product, order or activity
    level: Level | None = None  # buyers of this level and above
    group_id: Id | None = None
    skills: Annotated[tuple[Skill, ...], Meta(max_length=5)] = ()
    priority: Annotated[int, Meta(ge=0, le=9)] = 0


class DeskSettings(Struct, frozen=True, kw_only=True):
    """What holds at a desk. `versions` names the documents it was made from (platform, shop; 0 = none)."""

    strategy: Strategy = "least_loaded"
    cap: Cap = 5
    response_timeout_s: Seconds = 180  # a buyer who waits longer for a word is given to somebody else; 0: never
    drop_grace_s: Seconds = 60  # an agent may be gone this long before the unanswered are queued again
    idle_end_s: Seconds = 1_800  # an answered buyer who says nothing for so long has left
    abandon_s: Seconds = 86_400  # somebody in the queue who says nothing for so long has left
    last_agent_s: Seconds = 7 * 86_400  # who served a buyer within this time is asked first
    overflow_s: Seconds = 60  # after this wait anybody at the desk may serve, whatever group or skills were wanted
    reopen_s: Seconds = 86_400
    hours: tuple[Span, ...] = ()  # none: always
    holidays: tuple[Holiday, ...] = ()
    serve_online: bool = False  # outside hours, too, who is online is given buyers
    rules: tuple[Rule, ...] = ()
    versions: tuple[int, ...] = (0, 0)


class DeskPatch(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is given is set; null takes back what was set, so that what lies beneath holds again."""

    strategy: Strategy | UnsetType | None = UNSET
    cap: Cap | UnsetType | None = UNSET
    response_timeout_s: Seconds | UnsetType | None = UNSET
    drop_grace_s: Seconds | UnsetType | None = UNSET
    idle_end_s: Seconds | UnsetType | None = UNSET
    abandon_s: Seconds | UnsetType | None = UNSET
    last_agent_s: Seconds | UnsetType | None = UNSET
    overflow_s: Seconds | UnsetType | None = UNSET
    reopen_s: Seconds | UnsetType | None = UNSET
    hours: Hours | UnsetType | None = UNSET
    holidays: Holidays | UnsetType | None = UNSET
    serve_online: bool | UnsetType | None = UNSET
    rules: Annotated[tuple[Rule, ...], Meta(max_length=50)] | UnsetType | None = UNSET


class SettingsDocument(Struct, frozen=True, kw_only=True):
    """Version `version` of the desk settings of `scope` (the platform or a shop id)."""

    id: str
    scope: str
    version: int
    patch: DeskPatch
    by: str
    created_at: Millis


class Layers(Struct, frozen=True, kw_only=True):
    """What holds in a scope, and where it comes from: what it has set itself over what lies beneath. For a shop that is
    the platform's values (`above` names those that are) and the product's; for the platform the product's alone.
    """

    holds: DeskSettings
    own: DeskPatch
    beneath: DeskSettings
    above: tuple[str, ...]
    by: str | None  # who set the scope's newest version
    at: Millis | None


class Deviating(Struct, frozen=True, kw_only=True):
    """A shop that has set values of its own, and which."""

    shop_id: str
    fields: tuple[str, ...]
    at: Millis


class NoRoom(DomainError):
    """Agents who come new would be given nobody, ever."""

    code = "desk.no_room"
    status = 400
    zh = "新客服的接待上限至少为 1"
    en = "New agents must be able to serve at least one buyer"


class BadHoliday(DomainError):
    """There is no such day."""

    code = "desk.bad_holiday"
    status = 400
    zh = "日历上没有 {day} 这一天"
    en = "There is no {day} in the calendar"


class RuleWithoutGroup(DomainError):
    """A rule names a group that this desk does not have, or no longer. The platform has none for all shops."""

    code = "desk.rule_without_group"
    status = 400
    zh = "第 {number} 条分流规则指定的客服组不存在或已删除，请改选"
    en = "Rule {number} names a group that does not exist or was deleted; choose another"


SENSELESS: tuple[type[DomainError], ...] = (BadHours, BadHoliday, NoRoom, RuleWithoutGroup)


def check(patch: DeskPatch, groups: Collection[str]) -> None:
    """Refuse what makes no sense of what is newly set, with one of SENSELESS. The shapes admit it, since what was
    stored before must stay legible. `groups`: ids of those of this desk.
    """
    if patch.cap == 0:
        raise NoRoom
    if any(span.end <= span.start for span in patch.hours or ()):
        raise BadHours
    for holiday in patch.holidays or ():
        try:
            date.fromisoformat(holiday.day)
        except ValueError:
            raise BadHoliday(day=holiday.day) from None
    for number, rule in enumerate(patch.rules or (), 1):
        if rule.group_id is not None and rule.group_id not in groups:
            raise RuleWithoutGroup(number=number)


def over(patch: DeskPatch, beneath: DeskPatch | None) -> DeskPatch:
    """What a new version holds: what it sets, and what the version before had set and it does not take back."""
    kept = _set(beneath) if beneath is not None else {}
    taken_back = [name for name in patch.__struct_fields__ if getattr(patch, name) is None]
    return DeskPatch(**{name: value for name, value in (kept | _set(patch)).items() if name not in taken_back})


def resolve(platform: SettingsDocument | None, shop: SettingsDocument | None) -> DeskSettings:
    """Defaults, then the platform's values, then the shop's."""
    settings = DeskSettings()
    for document in (platform, shop):
        if document is not None:
            settings = structs.replace(settings, **_set(document.patch))
    return structs.replace(settings, versions=(platform.version if platform else 0, shop.version if shop else 0))


def layers(platform: SettingsDocument | None, shop: SettingsDocument | None) -> Layers:
    """Those of a shop."""
    return Layers(
        holds=resolve(platform, shop),
        own=shop.patch if shop else DeskPatch(),
        beneath=resolve(platform, None),
        above=fields_of(platform),
        by=shop.by if shop else None,
        at=shop.created_at if shop else None,
    )


def platform_layers(platform: SettingsDocument | None) -> Layers:
    """Those of the platform, which has the product's defaults beneath it and nothing else."""
    return Layers(
        holds=resolve(platform, None),
        own=platform.patch if platform else DeskPatch(),
        beneath=DeskSettings(),
        above=(),
        by=platform.by if platform else None,
        at=platform.created_at if platform else None,
    )


def fields_of(document: SettingsDocument | None) -> tuple[str, ...]:
    """What a document sets, in the order of the settings."""
    return tuple(_set(document.patch)) if document else ()


def _set(patch: DeskPatch) -> dict[str, Any]:
    # Not structs.asdict: the spans and rules inside must stay Structs.
    given = {name: getattr(patch, name) for name in patch.__struct_fields__}
    return {name: value for name, value in given.items() if value is not None and value is not UNSET}
