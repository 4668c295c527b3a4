"""Where requests come from: exact origins for changes and CORS; the client's address behind trusted proxies only."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Literal

from aiohttp import web
from aiohttp.typedefs import LooseHeaders

from octshop_rt.core.http.routes import MUTATING
from octshop_rt.core.settings import HttpSettings

Verdict = Literal["own", "listed", "unknown", "foreign"]
_LOOPBACK = ("http://127.0.0.1", "http://localhost")


class Origins:
    """Our own pages' origin, and others listed exactly that may call with a bearer token (CORS without cookies)."""

    def __init__(self, own: str, listed: Sequence[str] = (), *, loopback_twin: bool = False) -> None:
        self._own = {own}
        if loopback_twin:  # on a developer's machine 127.0.0.1 and localhost are the same page
            for one, other in (_LOOPBACK, _LOOPBACK[::-1]):
                if own == one or own.startswith(f"{one}:"):
                    self._own.add(other + own.removeprefix(one))
        self._listed = frozenset(listed)

    @property
    def own(self) -> frozenset[str]:
        """Our own pages' origins."""
        return frozenset(self._own)

    def of(self, request: web.BaseRequest) -> Verdict:
        """`unknown`: no browser said where it comes from, so it is a program or an old one."""
        origin = request.headers.get("Origin")
        if origin is not None:
            if origin in self._own:
                return "own"
            return "listed" if origin in self._listed else "foreign"
        site = request.headers.get("Sec-Fetch-Site")
        if site is None:
            return "unknown"
        return "own" if site in {"same-origin", "none"} else "foreign"

    def may(self, request: web.BaseRequest) -> bool:
        """Whether this request may change something or open a socket: never when another site started it."""
        return self.of(request) != "foreign"

    def cors(self, request: web.BaseRequest) -> LooseHeaders:
        """Headers that let a listed origin read the answer; empty for everybody else. Never with credentials."""
        if self.of(request) != "listed":
            return {}
        headers = {"Access-Control-Allow-Origin": request.headers["Origin"], "Vary": "Origin"}
        if request.method == "OPTIONS":
            headers |= {
                "Access-Control-Allow-Methods": ", ".join(sorted({"GET", *MUTATING})),
                "Access-Control-Allow-Headers": "Authorization, Content-Type, Accept, Accept-Language",
                "Access-Control-Max-Age": "600",
            }
        return headers

    @classmethod
    def of_settings(cls, settings: HttpSettings, *, production: bool) -> Origins:
        """As configured."""
        return cls(settings.origin, settings.origins, loopback_twin=not production)


class ClientAddress:
    """The client's address: the peer's, or what a configured proxy says of it."""

    def __init__(self, proxies: Sequence[str]) -> None:
        self._proxies = tuple(ipaddress.ip_network(proxy, strict=False) for proxy in proxies)

    def of(self, request: web.BaseRequest) -> str:
        """Walk X-Forwarded-For from the right through proxies of ours; the first other address is the client."""
        address = request.remote or ""
        if not self.trusts(address):
            return address
        told = [part.strip() for part in ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")]
        for teller in reversed([part for part in told if part]):
            if _parse(teller) is None:
                return address
            address = teller
            if not self.trusts(address):
                break
        return address

    def trusts(self, address: str) -> bool:
        """Whether it is a proxy of ours."""
        parsed = _parse(address)
        return parsed is not None and any(parsed in proxy for proxy in self._proxies)


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None
