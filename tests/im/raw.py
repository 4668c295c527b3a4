"""A person with a client made of `websockets` and `msgpack`: reconnects, heals holes, minds the heartbeat's count."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import websockets

from tests.im.history import Person
from tests.im.kit import Client, Closed, client_id

_GONE = (Closed, OSError, TimeoutError, AssertionError, websockets.WebSocketException)
_TEND_S = 0.3  # a hole may close by itself for so long


class _Ears(Client):
    """Everything that arrives goes to its person."""

    def __init__(self, person: Raw) -> None:
        super().__init__()
        self.person = person
        self.behind = False

    async def _take(self, frame: dict[str, Any]) -> None:
        await super()._take(frame)
        match frame["t"]:
            case 21 if "r" in frame:
                self.person.told(frame["c"], frame["u"], frame["r"])
            case 23:
                self.person.hear(frame["heads"])
            case 28 if "i" not in frame:
                self.person.unsure()
            case 29 if frame["uh"] > self.ents_received:
                self.ents_received, self.behind = frame["uh"], True
            case _:
                pass

    def _enter(self, ent: dict[str, Any]) -> None:
        super()._enter(ent)
        self.person.take(ent)


class Raw(Person):
    """Shows a conversation from its first line on."""

    def __init__(self, name: str, **more: Any) -> None:
        super().__init__(name, **more)
        self._client: _Ears | None = None
        self._connecting = asyncio.Lock()
        self._device = client_id()
        self._heads: dict[str, int] = {}
        self._waiting: dict[str, dict[int, str]] = {}
        self._stored: dict[str, int] = {}  # marks that the server is known to have, or that were told on this socket
        self._tending: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._tending = asyncio.create_task(self._tend())

    async def stop(self) -> None:
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.wait({self._tending})
        self._drop()

    async def online(self) -> None:
        await self._alive()

    @property
    def transport(self) -> Any:
        return None if self._client is None or self._client.ws is None else self._client.ws.transport

    # --- what it says -------------------------------------------------------------------------------------------------

    async def open(self, shop_id: str) -> str:
        while True:
            with contextlib.suppress(*_GONE):
                return await (await self._alive()).open(shop_id)
            self._drop()

    async def say(self, c: str, text: str, m: str | None = None) -> None:
        m = m or client_id()
        self.intents[c, m] = text
        while (c, m) not in self.sent:
            self.tries += 1
            client = await self._alive()
            try:
                answer = await client.ask({"t": 5, "c": c, "m": m, "k": "text", "b": {"text": text}}, seconds=3)
            except _GONE:
                self._drop(client)
                continue
            if answer["t"] == 4:
                self.sent[c, m] = answer["s"]
                self.take(answer)
            else:
                assert answer["retry"], answer
                await asyncio.sleep(0.05)

    def tell_read(self, c: str, s: int) -> None:
        """At the next turn: it may have to be told again."""

    # --- what it is shown ---------------------------------------------------------------------------------------------

    def take(self, ent: dict[str, Any]) -> None:
        """An entry, or SENT for one of its own."""
        c = ent["c"]
        self.hear({c: ent["s"]})
        if ent["s"] > self.last(c):
            self._waiting.setdefault(c, {})[ent["s"]] = ent["m"]
        waiting = self._waiting.get(c, {})
        while (m := waiting.pop(self.last(c) + 1, None)) is not None:
            self.show(c, self.last(c) + 1, m)

    def hear(self, heads: dict[str, int]) -> None:
        """The log has come so far."""
        for c, s in heads.items():
            self._heads[c] = max(s, self._heads.get(c, 0))

    def unsure(self) -> None:
        """A frame without a number was refused: it may have been a mark."""
        self._stored.clear()

    # --- its socket ---------------------------------------------------------------------------------------------------

    async def _alive(self) -> _Ears:
        async with self._connecting:
            while True:
                client = self._client
                if client is not None and client.closed is None:
                    return client
                try:
                    async with asyncio.timeout(15):
                        await self._connect()
                except _GONE:
                    self._drop()
                    await asyncio.sleep(self.chance.random() * 0.3)

    async def _connect(self) -> None:
        client = self._client = _Ears(self)
        await client.connect(self.chance.choice(self.ports))
        await client.hello(await self.ticket(self.name, self.staff), self._device)
        self.reconnects += 1
        await self._sync(client)

    async def _sync(self, client: _Ears) -> None:
        client.behind = False
        for one in await client.sync({c: self.last(c) for c in self.shown}, per=50):
            self.hear({one["c"]: one["head"]})
            self._stored[one["c"]] = one["read"]

    def _drop(self, client: _Ears | None = None) -> None:
        """Unless somebody else has come back meanwhile."""
        if self._client is not None and client in {None, self._client}:
            if self._client.ws is not None:
                self._client.cut()
            self._client = None

    async def _tend(self) -> None:
        while True:
            client = await self._alive()
            try:
                if client.behind:
                    await self._sync(client)
                for c, head in list(self._heads.items()):
                    if self.last(c) < head:
                        await client.pull(c, **{"from": self.last(c) + 1, "n": 200})
                for c, s in self.marked.items():
                    if s > self._stored.get(c, 0):
                        await client.raw({"t": 9, "c": c, "s": s})
                        self._stored[c] = s
            except _GONE:
                self._drop(client)
            await asyncio.sleep(_TEND_S)
