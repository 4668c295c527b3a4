"""Pure rules of whose voice teaches the bot: members alone, one voice a person, an address and a day.

Anybody is a guest again by closing a window, so a guest's vote is a figure for the shop and teaches nothing. People
behind one address may be one person with many telephones: together they are one voice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import structs

from octshop_rt.im.answer.model import Lesson

TAUGHT = 3  # voices by which one side must be ahead before it changes what everybody is answered
MOST_VOICES = 50  # kept of each side


def voice(person_id: str, place: str, day: str) -> str:
    """As a lesson keeps it. `place` is a fingerprint of the address, empty where none is known."""
    return f"{person_id} {place or '-'} {day}"


def counted(voices: Sequence[str]) -> int:
    """How many voices these are: no more than there are people, and no more than there are addresses."""
    parts = [_parts(one) for one in voices]
    people = {person for person, _, _ in parts}
    return min(len(people), len({place or person for person, place, _ in parts}))


def balance(lesson: Lesson | None) -> int:
    """For less against."""
    return 0 if lesson is None else counted(lesson.good) - counted(lesson.bad)


def says(voices: int) -> int:
    """What voices for and against a wording come to: 1 it is the question's, -1 it is not, 0 nothing yet."""
    return 1 if voices >= TAUGHT else -1 if voices <= -TAUGHT else 0


def heard(lesson: Lesson, said: str, *, good: bool) -> Lesson:
    """The lesson after this voice: a person's last word counts, on the side it was given to."""
    person = _parts(said)[0]
    sides = {True: list[str](), False: list[str]()}
    for side, voices in ((True, lesson.good), (False, lesson.bad)):
        sides[side] = [one for one in voices if _parts(one)[0] != person]
    sides[good].append(said)
    return structs.replace(lesson, good=tuple(sides[True][-MOST_VOICES:]), bad=tuple(sides[False][-MOST_VOICES:]))


def has_spoken(lessons: Iterable[Lesson], said: str) -> bool:
    """Whether this person has spoken about one of these wordings on the same day."""
    person, _, day = _parts(said)
    return any(
        (who, when) == (person, day) for lesson in lessons for who, _, when in map(_parts, (*lesson.good, *lesson.bad))
    )


def _parts(said: str) -> tuple[str, str, str]:
    """Person, place, day; voices from before these rules are a person alone."""
    person, place, day = (*said.split(" "), "", "")[:3]
    return person, "" if place == "-" else place, day
