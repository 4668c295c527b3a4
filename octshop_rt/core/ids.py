"""Ids: a kind letter, 48 bits of time and 80 bits of chance in Crockford base32. They sort by birth."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from msgspec import Meta

from octshop_rt.core.clock import Clock

# person, session, merchant, shop, branch, till, product (goods), sku, order, order line, payment, attempt, refund,
# voucher, redemption, bill, event, journal, hold, notice, conversation, file, campaign,
# coupon, after-sale case, other
Kind = Literal[
    "U", "N", "M", "S", "B", "T", "G", "K", "O", "L", "Y", "A", "R", "V", "X", "I", "E", "J", "H", "W", "C", "F", "P",
    "Q", "D", "Z"
]  # fmt: skip

# 27 characters: fits a WeChat out_trade_no (6 to 32 letters and digits).
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_:-]+$(?!\n)")]
RequestId = Annotated[
    str,
    Meta(
        min_length=16,
        max_length=64,
        pattern=r"^[A-Za-z0-9_-]+$(?!\n)",
        description="made by the client, kept over retries",
    ),
]

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]  # every message has an id: two digits at a time
_TIME = range(40, -1, -10)
_CHANCE = range(70, -1, -10)
_BYTES = 10  # of chance in an id
_AT_ONCE = 256  # ids' chance asked of the system in one call: one for each took 3 % of a chat node


def _base32(number: int, shifts: range) -> str:
    return "".join([_PAIRS[number >> shift & 1023] for shift in shifts])


class Ids:
    """Makes ids. One per process, given the process's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._chances: list[int] = []

    def new(self, kind: Kind) -> str:
        """A new id of `kind`, 27 characters, never made before."""
        try:
            chance = self._chances.pop()  # one step: no two threads get the same
        except IndexError:
            drawn = os.urandom(_BYTES * _AT_ONCE)
            chance, *self._chances = [int.from_bytes(drawn[at : at + _BYTES]) for at in range(0, len(drawn), _BYTES)]
        return kind + _base32(self._clock.now(), _TIME) + _base32(chance, _CHANCE)
