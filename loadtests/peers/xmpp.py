"""An XMPP client as light as Python allows: in-band registration, PLAIN, one resource, stream management (XEP-0198)."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections import deque
from typing import cast

from loadtests.talk import TEXT

HOST = "bench.invalid"
_SM = "urn:xmpp:sm:3"
_STANZA = re.compile(
    rb"<message .*?</message>|<presence [^>]*/>|<presence .*?</presence>|<iq [^>]*/>|<iq .*?</iq>"
    rb"|<a [^>]*/>|<r [^>]*/>|<enabled [^>]*/>|<success[^>]*/>"
    rb"|<stream:features>.*?</stream:features>|<failure.*?</failure>",
    re.DOTALL,
)
_MINE = re.compile(rb"""id=['"]m([0-9a-f]{16})['"]""")
_COUNT = re.compile(rb"""h=['"](\d+)['"]""")


class XmppSide(asyncio.Protocol):
    """A talk.Speaker: `acked` when the server counts the stanza as handled, `got` when the other's message is here."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.acked: dict[str, float] = {}
        self.got: dict[str, float] = {}
        self.events: dict[str, asyncio.Event] = {}
        self._transport: asyncio.WriteTransport | None = None
        self._data = b""
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()
        self._counting = False
        self._handled = 0  # stanzas of ours that the server has counted
        self._heard = 0  # stanzas of the server's
        self._unacked: deque[str] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._answers.put_nowait(b"<failure>connection lost</failure>")

    def data_received(self, data: bytes) -> None:
        data = self._data + data if self._data else data
        end = 0
        for found in _STANZA.finditer(data):
            end = found.end()
            self._stanza(found.group())
        self._data = data[end:]

    def say(self, c: str, m: str) -> None:
        self._unacked.append(m)
        other = c.replace(self.name, "", 1)
        self._write(
            f"<message to='{other}@{HOST}' type='chat' id='m{m}'><body>{TEXT}</body></message><r xmlns='{_SM}'/>"
        )

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def register(self, password: str) -> None:
        """Make the account; needs a stream that has not signed in."""
        await self._stream()
        await self._ask(
            f"<iq type='set' id='reg'><query xmlns='jabber:iq:register'><username>{self.name}</username>"
            f"<password>{password}</password></query></iq>"
        )

    async def sign_in(self, password: str) -> None:
        """Up to being online with stream management."""
        await self._stream()
        secret = base64.b64encode(f"\0{self.name}\0{password}".encode()).decode()
        await self._ask(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
        await self._stream()
        bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>b</resource></bind>"
        await self._ask(f"<iq type='set' id='bind'>{bind}</iq>")
        await self._ask(f"<enable xmlns='{_SM}'/>")
        self._counting = True
        self._unacked.append("")  # the presence is a stanza, too
        self._write("<presence/>")

    async def _stream(self) -> None:
        await self._ask(
            f"<?xml version='1.0'?><stream:stream to='{HOST}' version='1.0' xmlns='jabber:client' "
            "xmlns:stream='http://etherx.jabber.org/streams'>"
        )

    async def _ask(self, words: str) -> bytes:
        self._write(words)
        answer = await asyncio.wait_for(self._answers.get(), 60)
        if answer.startswith(b"<failure") or b"type='error'" in answer[:200]:
            raise ConnectionError(answer.decode(errors="replace")[:300])
        return answer

    def _write(self, words: str) -> None:
        assert self._transport is not None
        self._transport.write(words.encode())

    def _stanza(self, stanza: bytes) -> None:
        if stanza.startswith(b"<message "):
            self._heard += 1
            if found := _MINE.search(stanza):
                m = found.group(1).decode()
                self.got[m] = time.perf_counter()
                self._tell(m)
        elif stanza.startswith(b"<a "):
            self._counted(stanza)
        elif stanza.startswith(b"<r "):
            self._write(f"<a xmlns='{_SM}' h='{self._heard}'/>")
        elif self._counting:
            self._heard += 1
        else:
            self._answers.put_nowait(stanza)

    def _counted(self, stanza: bytes) -> None:
        found = _COUNT.search(stanza)
        assert found is not None, stanza
        while self._handled < int(found.group(1)):
            self._handled += 1
            m = self._unacked.popleft()
            self.acked[m] = time.perf_counter()
            self._tell(m)

    def _tell(self, m: str) -> None:
        if event := self.events.get(m):
            event.set()


async def connect(name: str, port: int) -> XmppSide:
    _, side = await asyncio.get_running_loop().create_connection(lambda: XmppSide(name), "127.0.0.1", port)
    return side
