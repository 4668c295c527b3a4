"""What the channel does with orders, codes and refunds: one object, no network, all state in memory and journal."""

from __future__ import annotations

import secrets
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from octshop_rt.core.clock import MINUTE, SECOND, Clock
from octshop_rt.core.ids import Ids
from octshop_rt.sandbox import refusals, wire
from octshop_rt.sandbox.journal import Journal
from octshop_rt.sandbox.model import Decision, Merchant, Notice, PaymentCode, RefundRow, Switches, Trade, TradeKind

NATIVE_LIFE_MS = 120 * MINUTE
CODE_LIFE_MS = 60 * SECOND
PASSWORD_WAIT_MS = 45 * SECOND
MOST_REFUNDS = 50

Row = TypeVar("Row", Trade, RefundRow, PaymentCode, Notice, Switches)


class Bank:
    """The channel's books. Methods answer what the real one would, or raise a Refusal."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self._clock = clock
        self._ids = Ids(clock)
        self._journal = journal
        self.trades = journal.rows("trade", Trade)
        self.refunds = journal.rows("refund", RefundRow)
        self.codes = journal.rows("code", PaymentCode)
        self.notices = journal.rows("notice", Notice)
        self.switches = journal.rows("switches", Switches).get("", Switches())
        self.owed = {one.id: one for one in self.notices.values() if one.state == "owed"}
        self._key_of_code = {one.code_url: one.key for one in self.trades.values() if one.code_url}
        self._key_of_number = {one.out_trade_no: one.key for one in self.trades.values()}

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    # --- memory -------------------------------------------------------------------------------------------------------

    def _keep(self, trade: Trade, **changes: Any) -> Trade:
        after = structs.replace(trade, **changes)
        self.trades[after.key] = after
        self._key_of_number[after.out_trade_no] = after.key
        if after.code_url:
            self._key_of_code[after.code_url] = after.key
        self._journal.write("trade", after.key, after)
        return after

    def _keep_refund(self, row: RefundRow, **changes: Any) -> RefundRow:
        after = structs.replace(row, **changes)
        self.refunds[after.key] = after
        self._journal.write("refund", after.key, after)
        return after

    def keep_notice(self, notice: Notice, **changes: Any) -> Notice:
        """Store a new or changed notice."""
        after = structs.replace(notice, **changes)
        self.notices[after.id] = after
        if after.state == "owed":
            self.owed[after.id] = after
        else:
            self.owed.pop(after.id, None)
        self._journal.write("notice", after.id, after)
        return after

    def switch(self, switches: Switches) -> None:
        """Set all switches."""
        self.switches = switches
        self._journal.write("switches", "", switches)

    def use_up(self, name: str) -> bool:
        """Take one from a counting switch; False when it stands at zero."""
        left = int(getattr(self.switches, name))
        if left == 0:
            return False
        self.switch(structs.replace(self.switches, **{name: left - 1}))
        return True

    def trade(self, mchid: str, out_trade_no: str) -> Trade:
        """The trade as it stands now (time may have closed it), or ORDER_NOT_EXIST."""
        trade = self.trades.get(f"{mchid}/{out_trade_no}")
        if trade is None:
            raise refusals.order_not_exist()
        return self._aged(trade)

    def _aged(self, trade: Trade) -> Trade:
        now = self._clock.now()
        if trade.state == "NOTPAY" and now >= trade.expires_at:
            return self._keep(trade, state="CLOSED")
        if trade.state == "USERPAYING" and now >= trade.created_at + PASSWORD_WAIT_MS:
            return self._keep(trade, state="REVOKED")
        return trade

    # --- orders -------------------------------------------------------------------------------------------------------

    def order_native(self, merchant: Merchant, body: bytes) -> dict[str, Any]:
        """A new code; the same number with the same content gets a fresh code and the older one dies."""
        order = wire.parse(body, wire.NativeOrder)
        _same_merchant(merchant, order.mchid, order.appid)
        expires_at = wire.expiry(order.time_expire, self._clock.now() + NATIVE_LIFE_MS)
        trade = self._known_or_new(order, "NATIVE", order.notify_url, expires_at)
        if trade.state == "CLOSED":
            raise refusals.order_closed()
        if trade.state != "NOTPAY":
            raise refusals.order_paid()
        trade = self._keep(trade, code_url=f"weixin://wxpay/bizpayurl?pr={secrets.token_urlsafe(6)}")
        return {"code_url": trade.code_url}

    def _known_or_new(
        self, order: wire.NativeOrder | wire.CodePayment, kind: TradeKind, notify_url: str, expires_at: int
    ) -> Trade:
        asked = msgspec.json.encode(order, order="sorted").decode()
        known = self.trades.get(f"{order.mchid}/{order.out_trade_no}")
        if known is not None:
            if known.asked != asked:
                raise refusals.out_trade_no_used()
            return self._aged(known)
        if order.amount.currency != "CNY":
            raise refusals.param_error("amount.currency")
        now = self._clock.now()
        return self._keep(
            Trade(
                mchid=order.mchid,
                appid=order.appid,
                out_trade_no=order.out_trade_no,
                transaction_id=f"42{now}{secrets.randbelow(10**13):013d}",
                kind=kind,
                state="NOTPAY",
                total_fen=order.amount.total,
                description=order.description,
                attach=order.attach,
                notify_url=notify_url,
                asked=asked,
                created_at=now,
                expires_at=expires_at,
            )
        )

    def pay_by_code(self, merchant: Merchant, body: bytes) -> dict[str, Any]:
        """Take money from the scanned code: at once, after a password, or not at all. There is no notice."""
        payment = wire.parse(body, wire.CodePayment)
        _same_merchant(merchant, payment.mchid, payment.appid)
        fresh = f"{payment.mchid}/{payment.out_trade_no}" not in self.trades
        code = self._code_for(payment.payer.auth_code) if fresh else None
        trade = self._known_or_new(payment, "MICROPAY", "", self._clock.now() + PASSWORD_WAIT_MS)
        if code is not None:
            code = structs.replace(code, used_by=trade.key)
            self.codes[code.auth_code] = code
            self._journal.write("code", code.auth_code, code)
            if trade.total_fen > self.switches.userpaying_over_fen:
                trade = self._keep(trade, state="USERPAYING")
            else:
                trade = self._paid(trade)
        if self.switches.system_error_but_paid:
            if trade.state == "USERPAYING":
                self._paid(trade)
            raise refusals.system_error()
        if trade.state == "USERPAYING":
            raise refusals.user_paying()
        if not trade.paid:
            raise refusals.order_closed()
        return wire.transaction(trade)

    def _code_for(self, text: str) -> PaymentCode:
        code = self.codes.get(text)
        if code is None or code.used_by:
            raise refusals.code_invalid()
        if self._clock.now() >= code.expires_at:
            raise refusals.code_expired()
        return code

    def _paid(self, trade: Trade) -> Trade:
        trade = self._keep(trade, state="SUCCESS", paid_at=self._clock.now(), openid=f"oSandbox{secrets.token_hex(8)}")
        if trade.notify_url:
            told = wire.transaction(trade, extra_fen=1 if self.switches.notice_wrong_amount else 0)
            self._owe(trade.mchid, trade.notify_url, "TRANSACTION.SUCCESS", told)
        return trade

    def query(
        self, merchant: Merchant, mchid: str, *, out_trade_no: str = "", transaction_id: str = ""
    ) -> dict[str, Any]:
        """By our number or by theirs; theirs is known only once paid."""
        if mchid != merchant.mchid:
            raise refusals.no_auth()
        if out_trade_no:
            return wire.transaction(self.trade(mchid, out_trade_no))
        return wire.transaction(self._by_transaction(mchid, transaction_id))

    def _by_transaction(self, mchid: str, transaction_id: str) -> Trade:
        for trade in self.trades.values():
            if trade.mchid == mchid and trade.transaction_id == transaction_id and trade.paid_at is not None:
                return self._aged(trade)
        raise refusals.order_not_exist()

    def close_order(self, merchant: Merchant, out_trade_no: str, body: bytes) -> None:
        """Close an unpaid order; again is fine."""
        if wire.parse(body, wire.CloseBody).mchid != merchant.mchid:
            raise refusals.no_auth()
        trade = self.trade(merchant.mchid, out_trade_no)
        if trade.kind == "MICROPAY":
            raise refusals.use_reverse()
        if trade.paid:
            raise refusals.order_paid()
        self._keep(trade, state="CLOSED")

    def reverse(self, merchant: Merchant, out_trade_no: str, body: bytes) -> dict[str, Any]:
        """End a bar-code trade: unpaid is closed, paid is given back. Again is fine."""
        asked = wire.parse(body, wire.ReverseBody)
        _same_merchant(merchant, asked.mchid, asked.appid)
        trade = self.trade(merchant.mchid, out_trade_no)
        if trade.kind != "MICROPAY":
            raise refusals.not_a_barcode_order()
        if self.use_up("reverse_again"):
            raise refusals.system_error()
        self._keep(trade, state="REVOKED")
        return {"appid": trade.appid, "mchid": trade.mchid, "out_trade_no": trade.out_trade_no}

    # --- refunds ------------------------------------------------------------------------------------------------------

    def refund(self, merchant: Merchant, body: bytes) -> dict[str, Any]:
        """Accept a refund; the same number with the same content is the same refund."""
        asked = wire.parse(body, wire.RefundOrder)
        if asked.out_trade_no:
            trade = self.trade(merchant.mchid, asked.out_trade_no)
        else:
            trade = self._by_transaction(merchant.mchid, asked.transaction_id or "")
        known = self.refunds.get(f"{merchant.mchid}/{asked.out_refund_no}")
        if known is not None:
            if (known.out_trade_no, known.refund_fen) != (trade.out_trade_no, asked.amount.refund):
                raise refusals.refund_repeated()
            return wire.refund(self._aged_refund(known))
        self._may_refund(trade, asked)
        now = self._clock.now()
        row = RefundRow(
            mchid=merchant.mchid,
            out_refund_no=asked.out_refund_no,
            refund_id=f"503{now}{secrets.randbelow(10**12):012d}",
            out_trade_no=trade.out_trade_no,
            transaction_id=trade.transaction_id,
            refund_fen=asked.amount.refund,
            total_fen=trade.total_fen,
            reason=asked.reason,
            notify_url=asked.notify_url,
            state="PROCESSING",
            becomes=self.switches.refund_outcome,
            created_at=now,
            final_at=now + self.switches.refund_slow_ms,
        )
        self._keep_refund(row)
        self._keep(trade, state="REFUND")
        return wire.refund(row)

    def _may_refund(self, trade: Trade, asked: wire.RefundOrder) -> None:
        if not trade.paid:
            raise refusals.trade_not_paid()
        if asked.amount.total != trade.total_fen or asked.amount.currency != "CNY":
            raise refusals.param_error("amount.total")
        same = (trade.mchid, trade.out_trade_no)
        earlier = [row for row in self.refunds.values() if (row.mchid, row.out_trade_no) == same]
        given = sum(row.refund_fen for row in earlier if row.state != "CLOSED")
        if given + asked.amount.refund > trade.total_fen:
            raise refusals.refund_too_much()
        if len(earlier) >= MOST_REFUNDS:
            raise refusals.refund_too_often()
        if self.switches.refund_not_enough:
            raise refusals.not_enough()

    def _aged_refund(self, row: RefundRow) -> RefundRow:
        if row.state != "PROCESSING" or self._clock.now() < row.final_at:
            return row
        row = self._keep_refund(row, state=row.becomes)
        if row.notify_url:
            self._owe(row.mchid, row.notify_url, f"REFUND.{row.state}", wire.refund_notice(row))
        return row

    def age_refunds(self) -> None:
        """Let time pass over refunds under way, so that their notices go out unasked."""
        for row in [row for row in self.refunds.values() if row.state == "PROCESSING"]:
            self._aged_refund(row)

    def query_refund(self, merchant: Merchant, out_refund_no: str) -> dict[str, Any]:
        """Where a refund stands."""
        row = self.refunds.get(f"{merchant.mchid}/{out_refund_no}")
        if row is None:
            raise refusals.refund_not_exist()
        return wire.refund(self._aged_refund(row))

    # --- notices ------------------------------------------------------------------------------------------------------

    def _owe(self, mchid: str, url: str, event: str, resource: dict[str, Any]) -> None:
        now = self._clock.now()
        self.keep_notice(
            Notice(
                id=self._ids.new("W"),
                mchid=mchid,
                url=url,
                event_type=event,
                resource=resource,
                created_at=now,
                due_at=now + self.switches.notice_late_ms,
                state="lost" if self.switches.notice_lost else "owed",
            )
        )

    # --- the payer's phone --------------------------------------------------------------------------------------------

    def new_code(self) -> PaymentCode:
        """A fresh payment code."""
        digits = f"{10 + secrets.randbelow(6)}{secrets.randbelow(10**16):016d}"
        code = PaymentCode(auth_code=digits, expires_at=self._clock.now() + CODE_LIFE_MS)
        self.codes[digits] = code
        self._journal.write("code", digits, code)
        return code

    def scanned(self, code_url: str) -> Trade | None:
        """The order behind a Native code, or None for a code that is unknown or was replaced."""
        trade = self.trades.get(self._key_of_code.get(code_url, ""))
        return self._aged(trade) if trade is not None and trade.code_url == code_url else None

    def by_number(self, out_trade_no: str) -> Trade | None:
        """The order with this number at any merchant."""
        trade = self.trades.get(self._key_of_number.get(out_trade_no, ""))
        return None if trade is None else self._aged(trade)

    def pending(self) -> list[Trade]:
        """Bar-code payments waiting for the payer's password, newest first."""
        waiting = [self._aged(trade) for trade in list(self.trades.values()) if trade.state == "USERPAYING"]
        return [trade for trade in reversed(waiting) if trade.state == "USERPAYING"]

    def decide(self, trade: Trade, decision: Decision) -> Trade:
        """The payer pays, refuses, or looks away. A refused Native order stays open, as at the real channel."""
        if trade.state not in ("NOTPAY", "USERPAYING"):
            return trade
        if decision == "pay":
            return self._paid(trade)
        if decision == "refuse" and trade.kind == "MICROPAY":
            return self._keep(trade, state="PAYERROR")
        return self._keep(trade, seen_at=self._clock.now())


def _same_merchant(merchant: Merchant, mchid: str, appid: str) -> None:
    if mchid != merchant.mchid:
        raise refusals.no_auth()
    if appid != merchant.appid:
        raise refusals.appid_mchid_not_match()
