"""Proves the log: JSON lines, and no phone number, code, token or pay code in them, however they got there."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from octshop_rt.core import logging as house_logging
from octshop_rt.core.auth.tokens import new_token
from octshop_rt.core.clock import Clock
from octshop_rt.core.ids import Ids

CANARIES = {
    "phone": "13812345678",
    "token": new_token(),
    "pay code": "134567890123456789",
    "qr digits": "7" * 30,
    "typed code": "493817204815",
}


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    config = structlog.get_config()
    house_logging.configure(stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


def test_canaries_never_reach_the_log(lines: io.StringIO) -> None:
    log = structlog.get_logger("test")
    for name, canary in CANARIES.items():
        event = f"seen {canary}"
        log.info(event, value=canary, nested={"a": [canary, {"b": canary}]}, text=f"x={canary};")
        try:
            raise RuntimeError(f"bad {name} {canary}")
        except RuntimeError:
            log.exception("failed", data=canary.encode())
            logging.getLogger("aiohttp.server").exception("Error handling %s", canary)
        log.warning("object", thing=ValueError(canary))
    log.info("login", password="hunter22", code="493817", sms_code="493817", auth_code="1", cookie="a=b")
    log.info("text", message="您的验证码:493817", english="code: 493817")
    text = lines.getvalue()
    for canary in (*CANARIES.values(), "hunter22", "493817", "a=b"):
        assert canary not in text
    assert "138****5678" in text


def test_every_line_is_json_and_keeps_what_is_no_secret(lines: io.StringIO) -> None:
    order_id = Ids(Clock()).new("O")
    structlog.get_logger("test").info("paid", order_id=order_id, amount_fen=123456, at=1_790_000_000_000, line="a\nb")
    logging.getLogger("somebody").warning("plain %s", order_id)
    entries = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert entries[0]["order_id"] == order_id
    assert (entries[0]["amount_fen"], entries[0]["at"]) == (123456, 1_790_000_000_000)
    assert entries[0]["level"] == "info"
    assert order_id in entries[1]["event"]
    assert len(entries) == 2  # a newline inside does not make a second line


def test_mask_phone() -> None:
    assert house_logging.mask_phone("13812345678") == "138****5678"
    assert house_logging.mask_phone("123") == "****"
