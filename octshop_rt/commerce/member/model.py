"""Shapes of people: the row, what others may see of it, phone numbers and passwords, and the refusals."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError

Phone = Annotated[str, Meta(pattern=r"^1[3-9][0-9]{9}$(?!\n)", description="a mobile number of mainland China")]
Password = Annotated[str, Meta(min_length=8, max_length=128)]
Nickname = Annotated[str, Meta(min_length=1, max_length=30)]


class PersonRow(Struct, frozen=True, kw_only=True):
    """One human being, known by a phone number, whatever roles it has. `password_hash` never leaves the domain.

    A guest is somebody nobody knows yet: no phone, no password, only a name to call it by. Once it has signed in,
    `member_id` says who it was, and that person's `guests` name it; what it said stays under its own id.
    """

    id: str
    phone: str
    nickname: str
    password_hash: str | None
    admin: bool
    disabled_at: Millis | None
    created_at: Millis
    guest: bool = False
    vouched: bool = False  # a guest whom another site knows
    member_id: str | None = None
    guests: tuple[str, ...] = ()

    @property
    def disabled(self) -> bool:
        """Shut out of every door."""
        return self.disabled_at is not None


class PhoneRow(Struct, frozen=True, kw_only=True):
    """Keeps phone numbers unique when persons are sharded by id: `id` is the number."""

    id: str
    person_id: str


class StrangerRow(Struct, frozen=True, kw_only=True):
    """A customer of another site who is a guest here: `id` is the shop's id and a hash of that site's name for it."""

    id: str
    person_id: str


class UsedEntry(Struct, frozen=True, kw_only=True):
    """A signed entry that has been used; kept until it could not be used anyway."""

    id: str
    until: Millis


class PersonCard(Struct, frozen=True, kw_only=True):
    """What a page may show of a person."""

    id: str
    nickname: str
    phone_masked: str
    guest: bool = False


def masked(phone: str) -> str:
    """`138****1234`; nothing of a guest."""
    return "" if not phone else f"{phone[:3]}****{phone[-4:]}"


def card(row: PersonRow) -> PersonCard:
    """The card of `row`."""
    return PersonCard(id=row.id, nickname=row.nickname, phone_masked=masked(row.phone), guest=row.guest)


def guest_nickname(person_id: str) -> str:
    """Until it says who it is."""
    return f"访客{person_id[-4:]}"


def default_nickname(phone: str) -> str:
    """Until the person chooses one."""
    return f"用户{phone[-4:]}"


class WeakPassword(DomainError):
    """Too easily guessed to be worth hashing."""

    code = "member.weak_password"
    status = 400
    zh = "密码过于简单：不能是手机号，也不能只用一两种字符；建议 15 位以上"
    en = "Too easy to guess: not the phone number, not one or two characters repeated; 15 characters and more are best"


def check_password(password: str, phone: str) -> None:
    """WeakPassword for the phone number itself and for repetitions. Length is checked by the type."""
    if phone in password or len(set(password)) < 3:
        raise WeakPassword
