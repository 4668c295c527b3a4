"""Synapse as it comes (one process, SQLite), from PyPI in an environment of its own; clients that send and /sync."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path
from typing import Any

import aiohttp

from loadtests.peers.parts import answering, cpu_seconds, free_port, output, python
from loadtests.talk import TEXT
from octshop_rt.embedded.process import Child, start

PACKAGE = "matrix-synapse==1.163.2"
_HOST = "bench.invalid"
_AT_ONCE = 4
_SYNC_MS = 900_000  # longer than the bench: who is silent asks for nothing meanwhile
# Defaults but for the limits, which an operator would raise for load clients, and cheap passwords (set-up only).
_CONFIG = """
server_name: {host}
pid_file: {place}/synapse.pid
signing_key_path: {place}/signing.key
log_config: {place}/log.yaml
media_store_path: {place}/media
listeners: [{{port: {port}, type: http, bind_addresses: [127.0.0.1], resources: [{{names: [client]}}]}}]
database: {{name: sqlite3, args: {{database: {place}/homeserver.db}}}}
macaroon_secret_key: bench
form_secret: bench
report_stats: false
trusted_key_servers: []
enable_registration: true
enable_registration_without_verification: true
bcrypt_rounds: 4
presence: {{enabled: false}}
rc_message: {many}
rc_registration: {many}
rc_joins: {{local: {many}, remote: {many}}}
rc_joins_per_room: {many}
rc_invites: {{per_room: {many}, per_user: {many}, per_issuer: {many}}}
rc_login: {{address: {many}, account: {many}, failed_attempts: {many}}}
rc_room_creation: {many}
"""
_MANY = "{per_second: 100000, burst_count: 100000}"
_LOG = """
version: 1
handlers: {file: {class: logging.StreamHandler}}
root: {level: WARNING, handlers: [file]}
disable_existing_loggers: false
"""


class MatrixSide:
    """A talk.Speaker: `acked` at the answer to the PUT, `got` when /sync tells the other's message."""

    def __init__(self, http: aiohttp.ClientSession, base: str, name: str) -> None:
        self.name = name
        self.acked: dict[str, Any] = {}
        self.got: dict[str, float] = {}
        self.events: dict[str, asyncio.Event] = {}
        self._http = http
        self._base = base
        self._token = ""
        self._since = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def register(self) -> None:
        words = {"username": self.name, "password": "secret-of-bench", "auth": {"type": "m.login.dummy"}}
        self._token = (await self.ask("POST", "register", words))["access_token"]

    async def room_with(self, other: MatrixSide) -> str:
        """A direct room, joined by both."""
        wanted = {"preset": "trusted_private_chat", "is_direct": True, "invite": [f"@{other.name}:{_HOST}"]}
        room = (await self.ask("POST", "createRoom", wanted))["room_id"]
        await other.ask("POST", f"join/{room}", {})
        return room

    def say(self, c: str, m: str) -> None:
        self._spawn(self._send(c, m))

    async def listen(self) -> None:
        """Hear from now on."""
        self._since = (await self.ask("GET", "sync?timeout=0"))["next_batch"]
        self._spawn(self._listen())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def ask(self, method: str, path: str, words: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        url = f"{self._base}/_matrix/client/v3/{path}"
        async with self._http.request(method, url, json=words, headers=headers) as answer:
            if answer.status != 200:
                raise ConnectionError(f"{method} {path}: {answer.status} {(await answer.text())[:200]}")
            return await answer.json()

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, c: str, m: str) -> None:
        await self.ask("PUT", f"rooms/{c}/send/m.room.message/{m}", {"msgtype": "m.text", "body": TEXT, "bench.m": m})
        self.acked[m] = time.perf_counter()
        self._tell(m)

    async def _listen(self) -> None:
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):  # the server stops at the end
            while True:
                news = await self.ask("GET", f"sync?timeout={_SYNC_MS}&since={self._since}")
                self._since = news["next_batch"]
                for room in news.get("rooms", {}).get("join", {}).values():
                    for event in room.get("timeline", {}).get("events", ()):
                        m = event["content"].get("bench.m")
                        if m is not None and not event["sender"].startswith(f"@{self.name}:"):
                            self.got[m] = time.perf_counter()
                            self._tell(m)

    def _tell(self, m: str) -> None:
        if event := self.events.get(m):
            event.set()


class Synapse:
    """`await start(place)`, `await pairs(n)`, `await stop()`."""

    name = "Synapse"
    stores = "SQLite"

    def __init__(self) -> None:
        self.version = ""
        self._port = free_port()
        self._child: Child | None = None
        self._http: aiohttp.ClientSession | None = None
        self._sides: list[MatrixSide] = []

    async def start(self, place: Path) -> None:
        interpreter = await python("synapse", PACKAGE)
        place.mkdir()
        config = place / "homeserver.yaml"
        config.write_text(_CONFIG.format(host=_HOST, place=place, port=self._port, many=_MANY))
        (place / "log.yaml").write_text(_LOG)
        await output(interpreter, "-m", "synapse.app.homeserver", "-c", config, "--generate-keys")
        self._child = start(
            [interpreter, "-m", "synapse.app.homeserver", "-c", config], place / "out", place / "pid",
            marker=str(config), environment={**os.environ, "SYNAPSE_CACHE_FACTOR": "1.0"},
        )  # fmt: skip
        await answering(self._port, self._child, "Synapse")
        self.version = PACKAGE.replace("==", " ")

    async def pairs(self, count: int) -> list[tuple[MatrixSide, MatrixSide, str]]:
        """`count` pairs in direct rooms, all of them listening."""
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
        )
        base = f"http://127.0.0.1:{self._port}"
        gate = asyncio.Semaphore(_AT_ONCE)

        async def meet(n: int) -> tuple[MatrixSide, MatrixSide, str]:
            async with gate:
                assert self._http is not None
                one, two = (MatrixSide(self._http, base, f"{which}{n:05d}") for which in "ab")
                self._sides += [one, two]
                await one.register()
                await two.register()
                room = await one.room_with(two)
                await one.listen()
                await two.listen()
                return one, two, room

        return list(await asyncio.gather(*(meet(n) for n in range(count))))

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        assert self._child is not None
        return cpu_seconds([self._child.pid])

    async def stop(self) -> None:
        for side in self._sides:
            await side.close()
        if self._http is not None:
            await self._http.close()
        if self._child is not None:
            await self._child.stop(10)
