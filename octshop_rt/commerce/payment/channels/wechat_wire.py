"""Bodies of WeChat Pay API v3 that we send and read. What we read is checked like a client's input."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.clock import SHANGHAI, Millis, as_datetime, from_datetime
from octshop_rt.core.codec import Codec
from octshop_rt.core.errors import BadInput
from octshop_rt.core.money import MOST_FEN

Total = Annotated[int, Meta(ge=0, le=MOST_FEN)]
Text = Annotated[str, Meta(max_length=512)]


class Amount(Struct, frozen=True):
    """Fen."""

    total: Total
    currency: str = "CNY"


class Transaction(Struct, frozen=True, kw_only=True):
    """A trade as query, bar-code answer and notice tell it. Unpaid: ids and state only."""

    appid: Text
    mchid: Text
    out_trade_no: Text
    trade_state: Text
    trade_state_desc: Text = ""
    transaction_id: Text = ""
    success_time: Text = ""
    amount: Amount | None = None


class CodeUrl(Struct, frozen=True):
    """The answer to a Native order."""

    code_url: Text


class Fault(Struct, frozen=True):
    """The body of a refusal."""

    code: Text = ""
    message: Text = ""


class RefundAmount(Struct, frozen=True):
    """Fen."""

    refund: Total
    total: Total


class RefundState(Struct, frozen=True, kw_only=True):
    """A refund as its order and query tell it."""

    refund_id: Text
    out_refund_no: Text
    status: Text
    success_time: Text = ""
    amount: RefundAmount


class RefundNotice(Struct, frozen=True):
    """The plaintext of a refund notice, as far as we use it."""

    mchid: Text
    out_refund_no: Text


class Resource(Struct, frozen=True, kw_only=True):
    """A sealed object."""

    algorithm: Text
    ciphertext: Annotated[str, Meta(max_length=64 * 1024)]
    nonce: Text
    associated_data: Text = ""
    original_type: Text = ""


class Letter(Struct, frozen=True, kw_only=True):
    """A notice."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    event_type: Text
    resource_type: Text
    resource: Resource


class SealedCertificate(Struct, frozen=True):
    """One of the channel's certificates."""

    serial_no: Text
    encrypt_certificate: Resource


class Certificates(Struct, frozen=True):
    """GET /v3/certificates"""

    data: tuple[SealedCertificate, ...]


transactions: Codec[Transaction] = Codec(Transaction)
code_urls: Codec[CodeUrl] = Codec(CodeUrl)
faults: Codec[Fault] = Codec(Fault)
refunds: Codec[RefundState] = Codec(RefundState)
refund_notices: Codec[RefundNotice] = Codec(RefundNotice)
letters: Codec[Letter] = Codec(Letter)
certificates: Codec[Certificates] = Codec(Certificates)


def rfc3339(ms: Millis) -> str:
    """As the channel wants times: Shanghai, to the second."""
    return as_datetime(ms).astimezone(SHANGHAI).isoformat(timespec="seconds")


def millis(text: str) -> Millis:
    """A time of the channel. BadInput if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(reason="time") from None
    if moment.tzinfo is None:
        raise BadInput(reason="time without zone")
    return from_datetime(moment)
