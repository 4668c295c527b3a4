"""The payer's phone and the switches, as a JSON API for the sandbox page and for tests. No signature: it is a toy."""

from __future__ import annotations

import msgspec
from aiohttp import web
from msgspec import Struct

from octshop_rt.core.clock import Millis
from octshop_rt.core.money import Fen
from octshop_rt.sandbox.bank import PASSWORD_WAIT_MS, Bank
from octshop_rt.sandbox.model import Decision, Merchant, Switches, Trade, TradeState


class Confirm(Struct, frozen=True, forbid_unknown_fields=True):
    """One of the two names the order."""

    decision: Decision
    code_url: str = ""
    out_trade_no: str = ""


class PhoneOrder(Struct, frozen=True):
    """What the payer sees before the password."""

    out_trade_no: str
    merchant: str
    description: str
    amount_fen: Fen
    kind: str
    state: TradeState
    code_url: str
    created_at: Millis
    expires_at: Millis
    paid_at: Millis | None


class PhoneError(Struct, frozen=True):
    """`code` is stable; `message` is for a person."""

    code: str
    message: str
    status: int = 400


class Phone:
    """Handlers below /phone/api."""

    def __init__(self, bank: Bank, merchants: dict[str, Merchant]) -> None:
        self._bank = bank
        self._merchants = merchants

    def routes(self) -> list[web.RouteDef]:
        """For the application's router."""
        return [
            web.get("/phone/api/orders", self._orders),
            web.post("/phone/api/confirm", self._confirm),
            web.post("/phone/api/payment-codes", self._payment_code),
            web.get("/phone/api/pending", self._pending),
            web.get("/phone/api/switches", self._get_switches),
            web.put("/phone/api/switches", self._put_switches),
        ]

    def _seen(self, trade: Trade) -> PhoneOrder:
        waits_for_password = trade.kind == "MICROPAY"
        return PhoneOrder(
            out_trade_no=trade.out_trade_no,
            merchant=self._merchants[trade.mchid].name,
            description=trade.description,
            amount_fen=trade.total_fen,
            kind="barcode" if waits_for_password else "native",
            state=trade.state,
            code_url=trade.code_url,
            created_at=trade.created_at,
            expires_at=trade.created_at + PASSWORD_WAIT_MS if waits_for_password else trade.expires_at,
            paid_at=trade.paid_at,
        )

    async def _orders(self, request: web.Request) -> web.Response:
        trade = self._bank.scanned(request.query.get("code_url", ""))
        if trade is None:
            return _no(PhoneError("sandbox.no_such_code", "没有这个订单，二维码可能已更新", 404))
        return _yes(self._seen(trade))

    async def _confirm(self, request: web.Request) -> web.Response:
        try:
            asked = msgspec.json.decode(await request.read(), type=Confirm)
        except msgspec.MsgspecError as fault:
            return _no(PhoneError("sandbox.bad_input", str(fault)))
        found = self._bank.by_number(asked.out_trade_no) if asked.out_trade_no else self._bank.scanned(asked.code_url)
        if found is None:
            return _no(PhoneError("sandbox.no_such_code", "没有这个订单，二维码可能已更新", 404))
        if found.state not in ("NOTPAY", "USERPAYING"):
            return _no(PhoneError("sandbox.order_ended", f"订单状态:{found.state}", 409))
        return _yes(self._seen(self._bank.decide(found, asked.decision)))

    async def _payment_code(self, request: web.Request) -> web.Response:
        code = self._bank.new_code()
        return _yes({"auth_code": code.auth_code, "expires_at": code.expires_at}, status=201)

    async def _pending(self, request: web.Request) -> web.Response:
        return _yes({"items": [self._seen(trade) for trade in self._bank.pending()]})

    async def _get_switches(self, request: web.Request) -> web.Response:
        return _yes(self._bank.switches)

    async def _put_switches(self, request: web.Request) -> web.Response:
        """Fields that are given change, the others stay."""
        try:
            given = msgspec.json.decode(await request.read(), type=dict[str, object])
            switches = msgspec.convert({**msgspec.to_builtins(self._bank.switches), **given}, Switches)
        except msgspec.MsgspecError as fault:
            return _no(PhoneError("sandbox.bad_input", str(fault)))
        self._bank.switch(switches)
        return _yes(switches)


def _yes(answer: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")


def _no(fault: PhoneError) -> web.Response:
    return _yes(fault, fault.status)
