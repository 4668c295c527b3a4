"""Tokens and typed codes: only ours are accepted, only while fresh; every common typing error is found."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octshop_rt.core.crypto import Secrets
from octshop_rt.verify import token
from octshop_rt.verify.model import BadCode, CodeExpired

KEYS = token.Keys.derive(Secrets(b"s" * 32), current=2, accepted=(1,))
NOW = 1_790_000_000_000
numbers = st.from_regex(r"[0-9]{16}", fullmatch=True)
revisions = st.integers(0, 10_000)
moments = st.integers(1_700_000_000_000, 2_500_000_000_000)


@given(numbers, revisions, moments)
def test_what_is_shown_reads_back(number: str, rev: int, now: int):
    # req 12.1
    shown = token.show(KEYS, number=number, code_rev=rev, now=now)
    genuine = token.read(KEYS, shown.digits, now=now)
    assert (genuine.number, genuine.rev, genuine.key_id) == (number, rev % 100, 2)
    assert shown.digits.isdigit()
    assert len(shown.digits) > 24  # no payment code is longer than 24 digits
    assert now < shown.next_at <= now + 30_000 < shown.expires_at <= now + 60_000


@given(numbers, revisions, moments, st.integers(0, token.DIGITS - 1), st.integers(1, 9))
def test_one_wrong_digit_anywhere_is_refused(number: str, rev: int, now: int, place: int, off: int):
    digits = token.show(KEYS, number=number, code_rev=rev, now=now).digits
    forged = digits[:place] + str((int(digits[place]) + off) % 10) + digits[place + 1 :]
    with pytest.raises(BadCode):
        token.read(KEYS, forged, now=now)


def test_made_up_tokens_are_refused():
    # req WO4: chance alone does not open a voucher
    dice = random.Random(4)
    number = "1234567890123456"
    for _ in range(100_000):
        made_up = f"72{number}{dice.randrange(100):02d}{NOW // 30_000 % 100_000:05d}{dice.randrange(10**20):020d}"
        with pytest.raises(BadCode):
            token.read(KEYS, made_up, now=NOW)


@given(numbers, st.integers(-5 * 60_000, 5 * 60_000))
def test_a_token_lives_for_its_step_and_its_neighbours(number: str, later: int):
    digits = token.show(KEYS, number=number, code_rev=0, now=NOW).digits
    steps = (NOW + later) // token.STEP_MS - NOW // token.STEP_MS
    if abs(steps) <= 1:
        assert token.read(KEYS, digits, now=NOW + later).number == number
    else:
        with pytest.raises(CodeExpired):
            token.read(KEYS, digits, now=NOW + later)


def test_a_token_of_another_month_with_the_same_step_digits_is_not_genuine():
    digits = token.show(KEYS, number="1" * 16, code_rev=0, now=NOW).digits
    with pytest.raises(BadCode):
        token.read(KEYS, digits, now=NOW + 100_000 * token.STEP_MS)
    with pytest.raises(CodeExpired):
        token.read(KEYS, digits, now=NOW + 30 * 24 * 3_600_000)


def test_keys_rotate_without_voiding_what_is_on_a_screen():
    old = token.Keys.derive(Secrets(b"s" * 32), current=1)
    shown = token.show(old, number="1" * 16, code_rev=0, now=NOW)
    assert token.read(KEYS, shown.digits, now=NOW).key_id == 1
    only_new = token.Keys.derive(Secrets(b"s" * 32), current=2, accepted=())
    with pytest.raises(BadCode):
        token.read(only_new, shown.digits, now=NOW)
    with pytest.raises(BadCode):
        token.read(token.Keys.derive(Secrets(b"x" * 32), current=1), shown.digits, now=NOW)


def test_keys_are_not_printed():
    assert "s" * 4 not in repr(KEYS)
    assert not any(key.hex() in repr(KEYS) or repr(key) in repr(KEYS) for key in KEYS.by_id.values())


@pytest.mark.parametrize("text", ["", "7", "8" * 45, "7" * 44, "7" * 46, "7" + "a" * 44, "7" + "\uff11" * 44])
def test_other_shapes_are_refused(text: str):
    with pytest.raises(BadCode):
        token.read(KEYS, text, now=NOW)


codes = st.integers(0, 10**11 - 1).map(token.typed_code)


@given(codes)
def test_a_typed_code_fits_its_check_digit(code: str):
    assert len(code) == 12
    assert token.check_digit_fits(code)


@given(codes)
def test_every_single_wrong_digit_is_found(code: str):
    for place in range(12):
        for digit in "0123456789":
            if digit != code[place]:
                assert not token.check_digit_fits(code[:place] + digit + code[place + 1 :])


@given(codes)
def test_every_swap_of_neighbours_is_found(code: str):
    for place in range(11):
        if code[place] != code[place + 1]:
            swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
            assert not token.check_digit_fits(swapped)


def test_damm_agrees_with_the_published_example():
    assert token.damm("572") == 4
    assert token.damm("5724") == 0
