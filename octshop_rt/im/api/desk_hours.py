"""What hours would mean, by the rules the desk serves by: asked by shops and by the platform."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.core.clock import DAY, Millis, business_day
from octshop_rt.im.desk import rules
from octshop_rt.im.desk.settings import DeskPatch, DeskSettings, Holidays, Hours, check

_DAYS_SHOWN = 14


class HoursWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours and days unlike others, as they might be set."""

    hours: Hours
    holidays: Holidays


class DayHours(Struct, frozen=True, kw_only=True):
    """A day's spans, in minutes after midnight; `unlike`: a holiday or a moved working day."""

    day: str
    spans: list[tuple[int, int]]
    unlike: bool


class HoursView(Struct, frozen=True, kw_only=True):
    """What those hours would mean. `changes_at`: when it opens or closes next; none for weeks: null."""

    open_now: bool
    changes_at: Millis | None
    days: list[DayHours]
    at: Millis


def meant(wish: HoursWish, now: Millis) -> HoursView:
    """BadHours, BadHoliday."""
    check(DeskPatch(hours=wish.hours, holidays=wish.holidays), ())
    settings = DeskSettings(hours=wish.hours, holidays=wish.holidays)
    unlike = {one.day for one in wish.holidays}
    days = [business_day(now + ahead * DAY) for ahead in range(_DAYS_SHOWN)]
    return HoursView(
        open_now=rules.is_open(settings, now),
        changes_at=rules.changes_at(settings, now),
        days=[DayHours(day=day, spans=rules.spans_of(settings, day), unlike=day in unlike) for day in days],
        at=now,
    )
