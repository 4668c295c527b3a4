"""A private mongod as a one-member replica set, so that transactions and change streams are real from the first start.

Guards (the bundled 6.0.5 is past its end of life and affected by MongoBleed): loopback only, keyfile and a generated
password in 0600 files, wire compression off, no server-side scripts, transactions end after five seconds.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from octshop_rt.embedded.binaries import find_mongod
from octshop_rt.embedded.faults import DiskFull, ServerFailed, ServerSlow
from octshop_rt.embedded.folder import DataFolder
from octshop_rt.embedded.process import Child, end_left_over, start

USER = "octshop"
REPLICA_SET = "rs0"
NEED_FREE_MB = 400  # journal files of 100 MB each, and room to notice before it is too late
READY_SECONDS = 75
STOP_SECONDS = 7.0
_ROLES = ["readWriteAnyDatabase", "dbAdminAnyDatabase", "clusterMonitor", "clusterManager"]
_NOT_AUTHENTICATED = {13, 18}
_ALREADY_INITIALIZED = 23


class EmbeddedMongo:
    """The mongod of one data folder. `await start()` gives the URI with its credentials; `await stop()` ends it."""

    def __init__(
        self,
        data_dir: Path,
        *,
        cache_gb: float = 0.5,
        need_free_mb: int = NEED_FREE_MB,
        fail_points: bool = False,  # for tests of faults only: lets a client make the server misbehave
    ) -> None:
        self._folder = DataFolder(data_dir, need_free_mb=need_free_mb)
        self._cache_gb = cache_gb
        self._fail_points = fail_points
        self._need_free_mb = need_free_mb
        self._child: Child | None = None

    @property
    def child(self) -> Child | None:
        """The server while we hold it: running, or ended by itself."""
        return self._child

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._child.pid if self._child else None

    async def start(self) -> str:
        """Start it, make it a primary, and return its URI. Raises the refusals of `faults`, each one clear line."""
        self._folder.take()
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """SIGTERM, wait, SIGKILL as the last resort. Harmless when it does not run."""
        if self._child is not None:
            await self._child.stop(STOP_SECONDS)
            self._child = None
        self._folder.release()

    async def _start(self) -> str:
        path = self._folder.path
        program = await asyncio.to_thread(find_mongod, path)
        await end_left_over(path / "mongod.pid", STOP_SECONDS)
        password = self._folder.secret("password")
        self._folder.secret("keyfile", 48)
        port = self._folder.port("port")
        with self._folder.writing():
            (path / "db").mkdir(exist_ok=True, mode=0o700)
            _cut_log(path / "mongod.log")
        self._child = start(
            self._command(program, port),
            path / "mongod.out",
            path / "mongod.pid",
            marker=f"{path}/db",
            own_log=path / "mongod.log",
        )
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._become_primary(port, password)
        except TimeoutError:
            raise ServerSlow(program="mongod", seconds=READY_SECONDS, log=str(path / "mongod.log")) from None
        return _uri(password, port)

    def _command(self, program: Path, port: int) -> list[str | Path]:
        path = self._folder.path
        return [
            program,
            *("--dbpath", path / "db", "--logpath", path / "mongod.log", "--logappend", "--quiet"),
            *(
                "--bind_ip",
                "127.0.0.1",
                "--port",
                str(port),
                "--nounixsocket",
                "--networkMessageCompressors",
                "disabled",
            ),
            *("--replSet", REPLICA_SET, "--oplogSize", "256", "--keyFile", path / "keyfile", "--noscripting"),
            *("--wiredTigerCacheSizeGB", str(self._cache_gb)),
            *("--setParameter", "transactionLifetimeLimitSeconds=5"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # A lone member has nobody to hand over to: do not wait the default 15 s for a successor on SIGTERM.
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
            *(("--setParameter", "enableTestCommands=1") if self._fail_points else ()),
        ]

    async def _become_primary(self, port: int, password: str) -> None:
        """Until it is one, or has ended. A mongod that has just started answers late, on a busy machine much later: it
        is given twice the time at each try.
        """
        for attempt in itertools.count():
            try:
                await self._agree(port, password, min(5_000, 300 * 2**attempt))
            except ConnectionFailure:
                if self._child is not None and (exit_code := self._child.exit_code) is not None:
                    raise self._reason(exit_code) from None
                await asyncio.sleep(0.05)
            else:
                return

    async def _agree(self, port: int, password: str, patience_ms: int) -> None:
        """First start: initiate the set, create the user. Later: make the set agree with the port. Any crash heals."""
        async with _client(port, patience_ms, password) as client:
            try:
                await self._agree_on_host(client, port)
            except OperationFailure as refused:
                if refused.code not in _NOT_AUTHENTICATED:
                    raise
                async with _client(port, patience_ms) as open_door:
                    await _initiate(open_door, port)
                    await _writable(open_door)
                    await open_door.admin.command("createUser", USER, pwd=password, roles=_ROLES)
            await _writable(client)

    def _reason(self, exit_code: int) -> DiskFull | ServerFailed:
        path = self._folder.path
        words = _last_words(path / "mongod.log") or _last_words(path / "mongod.out")
        if re.search(r"No space left|ENOSPC", words):
            return DiskFull(path=str(path), free_mb=0, need_mb=self._need_free_mb)
        return ServerFailed(program="mongod", exit_code=exit_code, last_line=words, log=str(path / "mongod.log"))

    @staticmethod
    async def _agree_on_host(client: AsyncMongoClient[dict[str, Any]], port: int) -> None:
        """The set's only member carries host and port; a new port leaves it outside its own set until told."""
        host = f"127.0.0.1:{port}"
        try:
            config = (await client.admin.command("replSetGetConfig"))["config"]
        except OperationFailure as refused:
            if refused.code in _NOT_AUTHENTICATED:
                raise
            await _initiate(client, port)
            return
        if config["members"][0]["host"] != host:
            config["members"][0]["host"] = host
            config["version"] += 1
            await client.admin.command("replSetReconfig", config, force=True)


def kept_uri(data_dir: Path) -> str:
    """The URI of the mongod that another process runs in `data_dir`."""
    return _uri((data_dir / "password").read_text().strip(), int((data_dir / "port").read_text()))


def _uri(password: str, port: int) -> str:
    return f"mongodb://{USER}:{password}@127.0.0.1:{port}/?replicaSet={REPLICA_SET}&authSource=admin"


def _client(port: int, patience_ms: int, password: str | None = None) -> AsyncMongoClient[dict[str, Any]]:
    return AsyncMongoClient(
        "127.0.0.1",
        port,
        directConnection=True,
        username=USER if password else None,
        password=password,
        serverSelectionTimeoutMS=patience_ms,
        connectTimeoutMS=2000,
        socketTimeoutMS=50_000,  # a mongod whose old port was taken by a silent server asks it for 30 s who it is
    )


async def _initiate(client: AsyncMongoClient[dict[str, Any]], port: int) -> None:
    config = {
        "_id": REPLICA_SET,
        "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}],
        "settings": {"electionTimeoutMillis": 1000},
    }
    try:
        await client.admin.command("replSetInitiate", config)
    except OperationFailure as refused:
        if refused.code != _ALREADY_INITIALIZED:
            raise


async def _writable(client: AsyncMongoClient[dict[str, Any]]) -> None:
    while True:
        try:
            if (await client.admin.command("hello")).get("isWritablePrimary"):
                return
        except PyMongoError:  # an election closes connections; the outer time limit judges
            pass
        await asyncio.sleep(0.02)


def _last_words(log: Path) -> str:
    """The last error that mongod wrote, in plain words; empty when it wrote nothing."""
    if not log.is_file():
        return ""
    lines = log.read_text(errors="replace").splitlines()[-200:]
    for line in reversed(lines):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry.get("s") in {"E", "F"}:
            return f"{entry.get('msg')} {json.dumps(entry.get('attr', {}))[:300]}"
    return lines[-1][:300] if lines else ""


def _cut_log(log: Path) -> None:
    """Keep the log of this start and the one before."""
    if log.exists() and log.stat().st_size > 0:
        log.replace(log.with_suffix(".log.1"))
