"""Runs inside the peer's own virtual environment: calls come and answers go as JSON lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from wechatpayv3 import WeChatPay, WeChatPayType  # pyright: ignore[reportMissingImports]


def make(setup: dict[str, Any]) -> WeChatPay:
    """The SDK's client. Its gateway is fixed in its constructor, which already fetches certificates: patched before."""
    from wechatpayv3.core import Core  # pyright: ignore[reportMissingImports]

    begin = Core._init_certificates

    def begin_there(core: Any) -> None:
        core._gate_way = setup["gateway"]
        begin(core)

    Core._init_certificates = begin_there
    public = {}
    if setup.get("public_key_file"):
        public = {"public_key": Path(setup["public_key_file"]).read_text(), "public_key_id": setup["public_key_id"]}
    client = WeChatPay(
        wechatpay_type=WeChatPayType.NATIVE,
        mchid=setup["mchid"],
        private_key=Path(setup["private_key_file"]).read_text(),
        cert_serial_no=setup["serial_no"],
        appid=setup["appid"],
        apiv3_key=Path(setup["apiv3_key_file"]).read_text(),
        notify_url=setup["notify_url"],
        timeout=(5, 10),
        **public,
    )
    client._core._gate_way = setup["gateway"]
    return client


def run(client: WeChatPay, call: dict[str, Any]) -> Any:
    """One call. `codepay` is `pay` with another type; `callback` verifies and opens a notice."""
    name, args = call["call"], call["args"]
    if name == "codepay":
        return client.pay(pay_type=WeChatPayType.CODEPAY, **args)
    if name == "callback":
        return client.callback(args["headers"], args["body"])
    return getattr(client, name)(**args)


def main() -> None:
    """First line: the account. Then one call a line."""
    client = make(json.loads(sys.stdin.readline()))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        try:
            answer: dict[str, Any] = {"result": run(client, json.loads(line))}
        except Exception as fault:
            answer = {"fault": f"{type(fault).__name__}: {fault}"}
        if isinstance(answer.get("result"), tuple):
            code, message = answer["result"]
            answer["result"] = [code, message.decode() if isinstance(message, bytes) else message]
        print(json.dumps(answer), flush=True)


main()
