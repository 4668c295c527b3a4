"""Logging: one JSON object a line to standard error, with phone numbers, codes, tokens and pay codes masked."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO, cast

import structlog

# Whatever stands under one of these names is never written, whoever logs it.
SECRET_NAMES = frozenset(
    {
        "auth_code",
        "authorization",
        "code_url",
        "cookie",
        "csrf_token",
        "digits",
        "password",
        "password_hash",
        "private_key",
        "scan_token",
        "secret",
        "set-cookie",
        "sms_code",
        "ticket",
        "tok",
        "token",
        "typed_code",
        "x-csrf-token",
    }
)
HIDDEN = "***"

# A mobile number keeps three digits at the front and four at the end; six-digit codes are hidden when named so.
_PHONE = re.compile(r"(?<!\d)(1\d{2})\d{4}(\d{4})(?!\d)")
# Pay codes (16 to 24 digits), QR digits (longer) and card numbers.
_DIGITS = re.compile(r"(?<![\dA-Za-z])\d{12}\d*(?![\dA-Za-z])")
# Session tokens are 43 URL-safe characters, sealed ones longer. Our ids have 27, hex digests are not secret.
_TOKEN = re.compile(r"(?<![A-Za-z0-9_-])(?![0-9a-f]+(?![A-Za-z0-9_-]))[A-Za-z0-9_-]{40,}(?![A-Za-z0-9_-])")
_CODE = re.compile(r"(?i)((?:code|验证码)\W{0,3})\d{4,8}(?!\d)")


def mask(text: str) -> str:
    """`text` with everything masked that looks like a phone number, a code, a pay code or a token."""
    text = _TOKEN.sub(HIDDEN, text)
    text = _PHONE.sub(r"\1****\2", text)
    text = _DIGITS.sub(HIDDEN, text)
    return _CODE.sub(rf"\1{HIDDEN}", text)


def mask_phone(phone: str) -> str:
    """`138****1234`, as pages show it."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 11 else "****"


def _masked(value: object) -> object:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value)
        return {str(key): _field(str(key), inner) for key, inner in pairs.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(inner) for inner in cast("list[object]", value)]
    if value is None or isinstance(value, bool | int | float):
        return value
    return mask(str(value))


def _field(name: str, value: object) -> object:
    # `code` is a refusal's dotted code everywhere but in sign-in, where it is all digits.
    if name.lower() in SECRET_NAMES or (name == "code" and isinstance(value, str) and value.isdigit()):
        return HIDDEN
    return _masked(value)


def mask_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor."""
    for name in list(event):
        # Milliseconds and error ids of our own look like numbers; the rest is judged by name and form.
        event[name] = event[name] if name in {"timestamp", "level"} else _field(name, event[name])
    return event


def configure(*, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send everything, the standard library's loggers included, through the same masking JSON lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # the edge writes its own line for each request
