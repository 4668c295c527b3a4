"""Those on the other side of a staff page: a buyer who orders and pays, and his phone. They come by HTTP."""

from __future__ import annotations

import json
import secrets
import time
import urllib.request
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import segno
from playwright.sync_api import Page

from octshop_rt.demo.people import PASSWORD
from tests.web.conftest import Product

COFFEE = "S000000DEM00000000000000001"
FLOWERS = "S000000DEM00000000000000005"
LATTE = "云南日晒拿铁"
CARD_OF_TEN = "美式咖啡 10 次卡"
NOODLES = "虾爆鳝面"

OWNER, CLERK, CASHIER, AGENT, NOODLE_CLERK = (f"1390000000{number}" for number in (1, 3, 4, 5, 7))


def ask(method: str, url: str, body: object = None, token: str = "") -> Any:
    """One JSON request."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, method=method, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read()
    return json.loads(text) if text else None


@dataclass
class Wallet:
    """The buyer's phone with WeChat on it: the sandbox."""

    product: Product

    def _at(self, path: str) -> str:
        return f"http://127.0.0.1:{self.product.sandbox_port}/phone/api/{path}"

    def payment_code(self) -> str:
        return str(ask("POST", self._at("payment-codes"))["auth_code"])

    def scan(self, code_url: str, decision: str = "pay") -> None:
        ask("POST", self._at("confirm"), {"code_url": code_url, "decision": decision})

    def answer_password(self, decision: str = "pay") -> None:
        """The oldest payment that waits for the password."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            if items := ask("GET", self._at("pending"))["items"]:
                ask("POST", self._at("confirm"), {"out_trade_no": items[0]["out_trade_no"], "decision": decision})
                return
            time.sleep(0.1)
        raise AssertionError("no payment waits for a password")

    def switch(self, **switches: object) -> None:
        now = ask("GET", self._at("switches"))
        ask("PUT", self._at("switches"), now | switches)


@dataclass
class BuyerByWire:
    """A buyer without a browser."""

    product: Product
    token: str

    @classmethod
    def sign_in(cls, product: Product, phone: str = "13800000001") -> BuyerByWire:
        device = {"id": secrets.token_hex(8), "name": "test"}
        body = {"phone": phone, "password": PASSWORD, "device": device, "bearer": True}
        answer = ask("POST", f"{product.base}/api/v1/buyer/login", body)
        return cls(product, answer["token"])

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        return ask(method, f"{self.product.base}/api/v1{path}", body, self.token)

    def buy(self, title: str, *, quantity: int = 1) -> dict[str, Any]:
        """Order, pay, and the voucher that comes of it."""
        order_id = self.order(title, quantity=quantity)
        payment: dict[str, Any] = {"request_id": secrets.token_hex(10), "order_ids": [order_id]}
        payment |= {"channel": "wechat", "method": "native"}
        Wallet(self.product).scan(self("POST", "/buyer/payments", payment)["code_url"])
        until = time.monotonic() + 10
        while time.monotonic() < until:
            if found := self("GET", f"/buyer/vouchers?order_id={order_id}")["items"]:
                return dict(found[0])
            time.sleep(0.1)
        raise AssertionError("paid, and no voucher came")

    def order(self, title: str, *, quantity: int = 1) -> str:
        """What is to be paid; its id."""
        goods = {one["title"]: one["id"] for one in self("GET", "/buyer/products")["items"]}
        sku = self("GET", f"/buyer/products/{goods[title]}")["skus"][0]["id"]
        wish: dict[str, Any] = {"lines": [{"sku_id": sku, "quantity": quantity}], "fulfilment": "in_store"}
        quote = self("POST", "/buyer/quotes", wish)
        order = wish | {"request_id": secrets.token_hex(10), "expected_payable_fen": quote["payable_fen"]}
        return str(self("POST", "/buyer/orders", order)["orders"][0]["id"])

    def code(self, voucher: dict[str, Any]) -> str:
        """The QR of this moment, as digits."""
        return str(self("GET", f"/buyer/vouchers/{voucher['id']}/code")["digits"])

    def left(self, voucher: dict[str, Any]) -> int:
        return int(self("GET", f"/buyer/vouchers/{voucher['id']}")["uses_left"])


_BURST = """text => {
  const press = key => !document.body.dispatchEvent(
    new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
  for (const key of text) press(key)
  return press('Enter')
}"""


def gun(page: Page, code: str) -> None:
    """A scanner gun with no field focused: all keys in one burst, Enter at the end, which must press nothing.

    In one task of the page, because on a loaded machine single key strokes come as slowly as a person's.
    """
    assert page.evaluate(_BURST, code), "the page let the gun's Enter through"


def qr_png(text: str, scale: int = 8) -> bytes:
    """A picture of a code."""
    picture = BytesIO()
    segno.make(text, micro=False, error="m").save(picture, kind="png", scale=scale, border=4)
    return picture.getvalue()
