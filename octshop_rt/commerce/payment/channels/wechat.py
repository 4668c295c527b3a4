"""WeChat Pay API v3, direct merchant: Native, bar code, query, close, reverse, refund, notices, certificates."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import structlog
from msgspec import Struct

from octshop_rt.commerce.payment.channel import (
    Ask,
    Closed,
    Ended,
    Missing,
    NoticeRead,
    Paid,
    PaidAlready,
    PaymentTold,
    Proof,
    RefundAnswer,
    RefundAsk,
    RefundTold,
    Refused,
    Reversed,
    Unknown,
    Waiting,
)
from octshop_rt.commerce.payment.channels import wechat_wire as wire
from octshop_rt.commerce.payment.channels.wechat_signature import (
    KeyFileError,
    NotProven,
    Prover,
    Signer,
    UnknownSerial,
    open_resource,
    private_key,
    public_key,
)
from octshop_rt.commerce.payment.model import NoticeRefused
from octshop_rt.core.clock import MINUTE, Clock, Millis
from octshop_rt.core.errors import BadInput
from octshop_rt.core.settings import WechatSettings

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 8
BODY_BYTES = 64 * 1024
CERTIFICATES_EVERY_MS = MINUTE
DESCRIPTION_MOST = 127

# The channel's codes that say: the call had no effect and never will under this number. Ours → theirs.
_DEFINITE: dict[str, str] = {
    "AUTHCODEEXPIRE": "code_expired",
    "AUTH_CODE_EXPIRED": "code_expired",
    "AUTH_CODE_INVALID": "code_invalid",
    "AUTH_CODE_ERROR": "code_invalid",
    "NOTENOUGH": "not_enough_money",
    "NOT_ENOUGH": "not_enough_money",
    "NOTSUPORTCARD": "card_not_supported",
    "BUYER_MISMATCH": "payer_mismatch",
    "TRADE_ERROR": "trade_refused",
    "RULE_LIMIT": "rule_limit",
    "ORDER_CLOSED": "order_closed",
    "NO_AUTH": "account_not_allowed",
    "APPID_MCHID_NOT_MATCH": "account_not_allowed",
    "MCH_NOT_EXISTS": "account_not_allowed",
    "PARAM_ERROR": "bad_request",
    "INVALID_REQUEST": "bad_request",
}
_MISSING = frozenset({"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"})
_PAID_CODES = frozenset({"ORDER_PAID", "ORDERPAID"})


class Answer(Struct, frozen=True):
    """A proven answer: the status, the channel's code if it refused, the body if not."""

    status: int
    code: str
    body: bytes


class WechatChannel:
    """One merchant account. Keys are read once, when it is made."""

    def __init__(self, account_id: str, settings: WechatSettings, http: aiohttp.ClientSession, clock: Clock) -> None:
        self.account_id = account_id
        self.owner = settings.mchid
        self._settings = settings
        self._http = http
        self._clock = clock
        key = private_key(Path(settings.private_key_file).read_bytes())
        self._signer = Signer(settings.mchid, settings.serial_no, key)
        self._api_v3_key = Path(settings.api_v3_key_file).read_bytes().strip()
        platform = public_key(Path(settings.platform_key_file).read_bytes())
        self._prover = Prover({settings.platform_key_id: platform})
        self._certificates_at: Millis = 0

    # --- the protocol -------------------------------------------------------------------------------------------------

    async def order(self, ask: Ask) -> Waiting | Refused | Unknown:
        """POST native. See Channel."""
        body = {
            **self._names(ask),
            "notify_url": self._settings.notify_url,
            "time_expire": wire.rfc3339(ask.expires_at),
            "amount": {"total": ask.amount_fen, "currency": "CNY"},
        }
        answer = await self._call("POST", "/v3/pay/transactions/native", body)
        if isinstance(answer, Unknown):
            return answer
        if answer.status == 200:
            try:
                return Waiting(wire.code_urls.from_json(answer.body).code_url)
            except BadInput:
                return Unknown("answer without a code")
        return _refused(answer)

    async def pay_by_code(self, ask: Ask, auth_code: str) -> Paid | Waiting | Refused | Unknown:
        """POST codepay. USERPAYING means waiting, whatever its HTTP status. See Channel."""
        if self._settings.barcode == "off":
            return Refused("barcode_off", "")
        body = {
            **self._names(ask),
            "payer": {"auth_code": auth_code},
            "amount": {"total": ask.amount_fen, "currency": "CNY"},
            "scene_info": {"device_id": ask.till_id[:32], "store_info": {"out_id": ask.shop_id[:32]}},
        }
        answer = await self._call("POST", "/v3/pay/transactions/codepay", body)
        if isinstance(answer, Unknown):
            return answer
        if answer.code == "USERPAYING" or answer.status == 202:
            return Waiting()
        if answer.status != 200:
            return _refused(answer)
        told = self._transaction(answer.body, ask.attempt_id)
        return told if isinstance(told, Paid | Waiting | Unknown) else Refused("trade_refused", "")

    async def query(self, attempt_id: str) -> Paid | Waiting | Ended | Missing | Unknown:
        """GET by our number. See Channel."""
        path = f"/v3/pay/transactions/out-trade-no/{quote(attempt_id)}?mchid={self._settings.mchid}"
        answer = await self._call("GET", path)
        if isinstance(answer, Unknown):
            return answer
        if answer.code in _MISSING:
            return Missing()
        if answer.status != 200:
            return Unknown(answer.code)
        return self._transaction(answer.body, attempt_id)

    async def close(self, attempt_id: str) -> Closed | PaidAlready | Unknown:
        """POST close; a trade the channel never heard of is closed too: we will not order it again."""
        path = f"/v3/pay/transactions/out-trade-no/{quote(attempt_id)}/close"
        answer = await self._call("POST", path, {"mchid": self._settings.mchid})
        if isinstance(answer, Unknown):
            return answer
        if answer.status in (200, 204) or answer.code in _MISSING or answer.code == "ORDER_CLOSED":
            return Closed()
        return PaidAlready() if answer.code in _PAID_CODES else Unknown(answer.code)

    async def reverse(self, attempt_id: str) -> Reversed | Refused | Unknown:
        """POST reverse. See Channel."""
        path = f"/v3/pay/transactions/out-trade-no/{quote(attempt_id)}/reverse"
        answer = await self._call("POST", path, {"appid": self._settings.appid, "mchid": self._settings.mchid})
        if isinstance(answer, Unknown):
            return answer
        if answer.status in (200, 204) or answer.code in _MISSING:
            return Reversed()
        if answer.code == "INVALID_REQUEST":
            return Refused("bad_request", answer.code)
        return Unknown(answer.code, answered=True)

    async def refund(self, ask: RefundAsk) -> RefundAnswer | Refused | Unknown:
        """POST refund. A balance too small is not final: the same number is tried again later. See Channel."""
        body = {
            "out_trade_no": ask.attempt_id,
            "out_refund_no": ask.refund_id,
            "reason": ask.reason[:80],
            "notify_url": self._settings.notify_url,
            "amount": {"refund": ask.refund_fen, "total": ask.total_fen, "currency": "CNY"},
        }
        answer = await self._call("POST", "/v3/refund/domestic/refunds", body)
        if isinstance(answer, Unknown):
            return answer
        if answer.status == 200:
            return _refund_answer(answer.body, ask.refund_id)
        return Unknown(answer.code) if answer.code in {"NOT_ENOUGH", "NOTENOUGH"} else _refused(answer)

    async def query_refund(self, refund_id: str) -> RefundAnswer | Missing | Unknown:
        """GET refund by our number. See Channel."""
        answer = await self._call("GET", f"/v3/refund/domestic/refunds/{quote(refund_id)}")
        if isinstance(answer, Unknown):
            return answer
        if answer.code in _MISSING:
            return Missing()
        return _refund_answer(answer.body, refund_id) if answer.status == 200 else Unknown(answer.code)

    async def read_notice(self, headers: Mapping[str, str], body: bytes) -> NoticeRead:
        """Prove, open and read a notice; NoticeRefused for anything that is not wholly right."""
        try:
            await self._prove(headers, body)
            letter = wire.letters.from_json(body)
            if letter.resource_type != "encrypt-resource" or letter.resource.algorithm != "AEAD_AES_256_GCM":
                raise NotProven("algorithm")
            plain = self._open(letter.resource)
            return NoticeRead(notice_id=letter.id, kind=letter.event_type, told=self._told(letter, plain))
        except (NotProven, BadInput) as fault:
            log.warning("notice refused", account_id=self.account_id, why=str(fault))
            raise NoticeRefused from None

    def _told(self, letter: wire.Letter, plain: bytes) -> PaymentTold | RefundTold:
        if letter.event_type.startswith("REFUND."):
            notice = wire.refund_notices.from_json(plain)
            if notice.mchid != self._settings.mchid:
                raise NotProven("account")
            return RefundTold(notice.out_refund_no)
        if letter.event_type != "TRANSACTION.SUCCESS":
            raise NotProven("kind")
        trade = wire.transactions.from_json(plain)
        told = self._paid(trade)
        if told is None:
            raise NotProven("not a success")
        return PaymentTold(told.proof)

    # --- reading ------------------------------------------------------------------------------------------------------

    def _names(self, ask: Ask) -> dict[str, Any]:
        return {
            "appid": self._settings.appid,
            "mchid": self._settings.mchid,
            "description": ask.description[:DESCRIPTION_MOST],
            "out_trade_no": ask.attempt_id,
        }

    def _paid(self, trade: wire.Transaction) -> Paid | None:
        if trade.trade_state not in ("SUCCESS", "REFUND") or trade.amount is None or not trade.transaction_id:
            return None
        return Paid(
            Proof(
                attempt_id=trade.out_trade_no,
                transaction_id=trade.transaction_id,
                amount_fen=trade.amount.total,  # not payer_total: that is after the payer's own coupons
                currency=trade.amount.currency,
                paid_at=wire.millis(trade.success_time),
                ours=(trade.mchid, trade.appid) == (self._settings.mchid, self._settings.appid),
            )
        )

    def _transaction(self, body: bytes, attempt_id: str) -> Paid | Waiting | Ended | Unknown:
        try:
            trade = wire.transactions.from_json(body)
            if trade.out_trade_no != attempt_id:
                return Unknown("answer for another trade")
            if (paid := self._paid(trade)) is not None:
                return paid
        except BadInput as fault:
            return Unknown(str(fault))
        if trade.trade_state in ("NOTPAY", "USERPAYING"):
            return Waiting()
        if trade.trade_state in ("CLOSED", "REVOKED", "PAYERROR"):
            return Ended(trade.trade_state)
        return Unknown(trade.trade_state)

    # --- the wire -----------------------------------------------------------------------------------------------------

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer | Unknown:
        """One signed request. Only a proven answer is an answer; everything else is Unknown. Bodies are never logged:
        a bar code is money for a minute.
        """
        try:
            status, headers, data = await self._send(method, path, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            log.info("channel did not answer", account_id=self.account_id, path=path, fault=type(fault).__name__)
            return Unknown(type(fault).__name__)
        code = "" if status in (200, 204) else _code(data)
        if status >= 500 or status == 429:
            return Unknown(code or str(status))
        try:
            await self._prove(headers, data)
        except NotProven as fault:
            log.error(  # noqa: TRY400  the fault's own message is all there is to say
                "answer not proven", account_id=self.account_id, path=path, status=status, code=code, why=str(fault)
            )
            return Unknown(code or "not proven")
        if code:
            log.info("channel refused", account_id=self.account_id, path=path, status=status, code=code)
        return Answer(status, code, data)

    async def _send(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Mapping[str, str], bytes]:
        data = b"" if body is None else msgspec.json.encode(body)
        nonce = secrets.token_hex(16)
        headers = {
            "Authorization": self._signer.authorization(method, path, data, now=self._clock.now(), nonce=nonce),
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": "octshop-rt",
        }
        if self._settings.platform_key_id.startswith("PUB_KEY_ID_"):
            headers["Wechatpay-Serial"] = self._settings.platform_key_id
        async with (
            asyncio.timeout(ANSWER_SECONDS),
            self._http.request(
                method, self._settings.gateway_url + path, data=data or None, headers=headers, allow_redirects=False
            ) as answer,
        ):
            content = await answer.content.read(BODY_BYTES + 1)
            while not answer.content.at_eof() and len(content) <= BODY_BYTES:
                content += await answer.content.read(BODY_BYTES)
            if len(content) > BODY_BYTES:
                raise aiohttp.ClientPayloadError("answer too long")
            return answer.status, answer.headers, content

    async def _prove(self, headers: Mapping[str, str], body: bytes) -> None:
        now = self._clock.now()
        try:
            self._prover.check(headers, body, now=now)
        except UnknownSerial:
            if not await self._fetch_certificates(now):
                raise
            self._prover.check(headers, body, now=now)

    async def _fetch_certificates(self, now: Millis) -> bool:
        """Learn the channel's certificates, at most once a minute. The answer proves itself: only the channel and we
        have the key it is sealed with, and its signature must fit one of the certificates inside.
        """
        if now < self._certificates_at + CERTIFICATES_EVERY_MS:
            return False
        self._certificates_at = now
        try:
            status, headers, body = await self._send("GET", "/v3/certificates", None)
            if status != 200:
                return False
            found = {
                one.serial_no: public_key(self._open(one.encrypt_certificate))
                for one in wire.certificates.from_json(body).data
            }
            more = self._prover.joined(found)
            more.check(headers, body, now=now)
        except (aiohttp.ClientError, TimeoutError, OSError, NotProven, BadInput, KeyFileError) as fault:
            log.warning("no certificates", account_id=self.account_id, fault=repr(fault))
            return False
        self._prover = more
        return True

    def _open(self, resource: wire.Resource) -> bytes:
        return open_resource(
            self._api_v3_key,
            nonce=resource.nonce,
            associated_data=resource.associated_data,
            ciphertext=resource.ciphertext,
        )


def _code(body: bytes) -> str:
    try:
        return wire.faults.from_json(body).code
    except BadInput:
        return ""


def _refused(answer: Answer) -> Refused | Unknown:
    reason = _DEFINITE.get(answer.code)
    return Unknown(answer.code or str(answer.status)) if reason is None else Refused(reason, answer.code)


def _refund_answer(body: bytes, refund_id: str) -> RefundAnswer | Unknown:
    try:
        told = wire.refunds.from_json(body)
        if told.out_refund_no != refund_id:
            return Unknown("answer for another refund")
        refunded_at = wire.millis(told.success_time) if told.success_time else None
    except BadInput as fault:
        return Unknown(str(fault))
    if told.status == "SUCCESS":
        return RefundAnswer("succeeded", told.refund_id, told.amount.refund, refunded_at)
    if told.status == "PROCESSING":
        return RefundAnswer("processing", told.refund_id, told.amount.refund)
    return RefundAnswer("failed", told.refund_id, told.amount.refund, None, told.status)
