"""The digits a buyer shows, pure: the QR token that changes every 30 s, and the typed code with its check digit.

QR token, 45 digits: version 1 · key id 1 · voucher number 16 · code revision 2 · time step 5 · seal 20. Digits alone,
because keyboard-wedge scanners behind a Chinese input method garble letters; longer than 24, because no payment code
is (WeChat 18, Alipay 16 to 24, UnionPay 19). The seal is HMAC-SHA256 cut to 64 bits under a key of this voucher alone,
over every other digit and the full time step, so a token of another month with the same five step digits is not
genuine. Names no person and no value.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from octshop_rt.core.clock import SECOND, Millis
from octshop_rt.core.crypto import Secrets, mac, same
from octshop_rt.verify.model import BadCode, CodeExpired, Number, TypedCode

VERSION = "7"
STEP_MS = 30 * SECOND
DIGITS = 45
REVISIONS = 100
_STEPS = 100_000
_MOST_AHEAD = 1_000
_SEAL_BYTES = 8
_SEAL_DIGITS = 20


class Keys(Struct, frozen=True):
    """Signing keys by id 0…9. `current` signs; all verify, so a rotation does not void what is on a screen."""

    current: int
    by_id: Mapping[int, bytes]

    def __repr__(self) -> str:
        return f"Keys(current={self.current})"

    @classmethod
    def derive(cls, secrets: Secrets, *, current: int = 1, accepted: tuple[int, ...] = (1,)) -> Keys:
        """Keys of this installation."""
        wanted = {current, *accepted}
        if not all(0 <= key_id <= 9 for key_id in wanted):
            message = "voucher key ids are 0 to 9"
            raise ValueError(message)
        return cls(current, {key_id: secrets.key(f"voucher.token.{key_id}") for key_id in sorted(wanted)})


class Shown(Struct, frozen=True, kw_only=True):
    """A token to show: fresh until `next_at`, accepted until `expires_at`."""

    digits: str
    next_at: Millis
    expires_at: Millis


class Genuine(Struct, frozen=True, kw_only=True):
    """What a genuine, fresh token says. `rev` is the voucher's code revision modulo 100."""

    number: Number
    rev: int
    key_id: int


def show(keys: Keys, *, number: Number, code_rev: int, now: Millis) -> Shown:
    """The token of this moment for the voucher `number`."""
    step = now // STEP_MS
    open_part = f"{VERSION}{keys.current}{number}{code_rev % REVISIONS:02d}{step % _STEPS:05d}"
    return Shown(
        digits=open_part + _seal(keys.by_id[keys.current], open_part, step),
        next_at=(step + 1) * STEP_MS,
        expires_at=(step + 2) * STEP_MS,
    )


def looks_like_token(digits: str) -> bool:
    """Whether a normalised text has the shape of a QR token, genuine or not."""
    return len(digits) == DIGITS and digits.isascii() and digits.isdigit() and digits.startswith(VERSION)


def read(keys: Keys, digits: str, *, now: Millis) -> Genuine:
    """What a token says. BadCode if we did not make it; CodeExpired if it is genuine but not of the current step or
    a neighbour (a clock may be off, a scan may take its time).
    """
    if not looks_like_token(digits):
        raise BadCode
    open_part, seal = digits[:-_SEAL_DIGITS], digits[-_SEAL_DIGITS:]
    key_id, number = int(digits[1]), digits[2:18]
    rev, short_step = int(digits[18:20]), int(digits[20:25])
    key = keys.by_id.get(key_id)
    if key is None:
        raise BadCode
    step = _nearest_step(short_step, now // STEP_MS)
    if not same(seal, _seal(key, open_part, step)):
        raise BadCode
    if abs(step - now // STEP_MS) > 1:
        raise CodeExpired
    return Genuine(number=number, rev=rev, key_id=key_id)


def typed_code(chance: int) -> TypedCode:
    """A typed code from a random number below 10^11."""
    body = f"{chance:011d}"
    if len(body) != 11:
        message = "the chance of a typed code lies below 10^11"
        raise ValueError(message)
    return body + str(damm(body))


def check_digit_fits(code: str) -> bool:
    """Whether 12 digits end with their check digit. Finds every single wrong digit and every swap of neighbours."""
    return damm(code) == 0


def damm(digits: str) -> int:
    """The Damm check digit of a string of digits; 0 over digits that end with theirs.

    Source: H. M. Damm, Total anti-symmetrische Quasigruppen, 2004; the table is the order-10 one in common use.
    """
    interim = 0
    for digit in digits:
        interim = _DAMM[interim][int(digit)]
    return interim


_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)


def _seal(key: bytes, open_part: str, step: int) -> str:
    voucher_key = mac(key, b"voucher:" + open_part[2:18].encode())
    sealed = mac(voucher_key, f"{open_part}:{step}".encode())
    return f"{int.from_bytes(sealed[:_SEAL_BYTES], 'big'):0{_SEAL_DIGITS}d}"


def _nearest_step(short_step: int, now_step: int) -> int:
    """The full step whose last five digits are `short_step`, in the last 34 days or the next 8 hours."""
    ahead = (short_step - now_step) % _STEPS
    return now_step + ahead - (_STEPS if ahead > _MOST_AHEAD else 0)
