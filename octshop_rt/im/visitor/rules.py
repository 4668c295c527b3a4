"""Pure decisions about visitors: what is kept of an address, when a visit is a new one, whether an entry is true."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import Final
from urllib.parse import urlsplit

import msgspec

from octshop_rt.core.clock import DAY, MINUTE, Millis
from octshop_rt.im.visitor.model import BadEntry, Entry, PageView, Visit

MOST_PAGES: Final = 30
NEW_VISIT_MS: Final = 30 * MINUTE
KEPT_MS: Final = 30 * DAY
ENTRY_S: Final = 300
_MOST_STAY_MS: Final = DAY
_PHONE = re.compile(r"(?<![0-9])(1[3-9][0-9])[0-9]{4}([0-9]{4})(?![0-9])")
_decode = msgspec.json.Decoder(Entry).decode


def masked(text: str) -> str:
    """Mobile numbers as 138****1234."""
    return _PHONE.sub(r"\1****\2", text)


def page(address: str) -> str:
    """Where it is, without what people put behind `?` and `#`."""
    return masked(address.partition("?")[0].partition("#")[0])


def site(address: str) -> str:
    """The site one came from: its origin alone."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.scheme in {"http", "https"} else ""


def seen(before: Visit | None, now: Visit) -> Visit:
    """The visit after `now` (one page) was looked at: goes on within half an hour, else begins anew."""
    if before is None or now.at - before.at > NEW_VISIT_MS or before.person_id != now.person_id:
        return now
    *earlier, last = before.pages
    looked = now.pages[-1]
    if last.path == looked.path:
        pages = (*earlier, PageView(path=last.path, title=looked.title, at=last.at, stayed_ms=stay(now.at - last.at)))
    else:
        left = PageView(path=last.path, title=last.title, at=last.at, stayed_ms=stay(now.at - last.at))
        pages = (*earlier, left, looked)
    return Visit(
        id=before.id,
        shop_id=before.shop_id,
        person_id=before.person_id,
        started_at=before.started_at,
        at=now.at,
        referrer=before.referrer or now.referrer,
        device=now.device or before.device,
        pages=pages[-MOST_PAGES:],
        cart=now.cart if now.cart is not None else before.cart,
    )


def moved_on(before: Visit | None, now: Visit) -> bool:
    """Whether this is another page, or another cart: what an agent wants to know at once."""
    return before is None or before.pages[-1].path != now.pages[-1].path or before.cart != now.cart


def stay(span_ms: int) -> int:
    """A time on a page that can be believed."""
    return max(0, min(span_ms, _MOST_STAY_MS))


def secret(root: bytes, shop_id: str, key_no: int) -> str:
    """The shop's secret: made of ours, so that none is stored."""
    return hmac.new(root, f"{shop_id}.{key_no}".encode(), hashlib.sha256).hexdigest()


def sign(key: str, entry: Entry) -> str:
    """As the shop's server does it: base64url of the JSON, a dot, HMAC-SHA256 of that text in hex."""
    payload = base64.urlsafe_b64encode(msgspec.json.encode(entry)).decode().rstrip("=")
    return f"{payload}.{hmac.new(key.encode(), payload.encode(), hashlib.sha256).hexdigest()}"


def read(text: str, key: str, shop_id: str, now: Millis) -> Entry:
    """The entry, if this shop has signed it within five minutes. BadEntry."""
    payload, _, signature = text.partition(".")
    true = hmac.new(key.encode(), payload.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(true.encode(), signature.encode()):
        raise BadEntry
    try:
        entry = _decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (msgspec.DecodeError, binascii.Error, ValueError):
        raise BadEntry from None
    if entry.shop != shop_id or abs(now // 1000 - entry.iat) > ENTRY_S:
        raise BadEntry
    return entry
