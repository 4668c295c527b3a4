"""Three real mongod that vote, one of which can be made to hold what the others never get: a head that rolls back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from octshop_rt.embedded.binaries import find_mongod

SET = "rs"
Client = AsyncMongoClient[dict[str, Any]]


class Member:
    """One server on a port it keeps."""

    def __init__(self, folder: Path, program: Path, port: int) -> None:
        self.port = port
        self.name = f"127.0.0.1:{port}"
        self._folder = folder
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir()

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            self._program, "--dbpath", self._folder, "--port", str(self.port), "--bind_ip", "127.0.0.1",
            "--nounixsocket", "--replSet", SET, "--oplogSize", "50", "--wiredTigerCacheSizeGB", "0.25",
            "--setParameter", "enableTestCommands=1", "--setParameter", "diagnosticDataCollectionEnabled=false",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    async def kill(self) -> None:
        """No farewell."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def client(self) -> Client:
        """To this member alone, whatever it is."""
        return AsyncMongoClient(self.name, directConnection=True, serverSelectionTimeoutMS=20_000)

    async def state(self) -> str:
        """PRIMARY, SECONDARY, ROLLBACK…"""
        with contextlib.suppress(PyMongoError):
            async with self.client() as client:
                told = await client.admin.command("replSetGetStatus")
                return next(one["stateStr"] for one in told["members"] if one.get("self"))
        return "?"

    async def replicating(self, *, on: bool) -> None:
        """Whether it takes over what the primary writes."""
        async with self.client() as client:
            await client.admin.command("configureFailPoint", "stopReplProducer", mode="off" if on else "alwaysOn")


class Replicas:
    """The set of three."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members
        hosts = ",".join(member.name for member in members)
        self.uri = f"mongodb://{hosts}/?replicaSet={SET}"

    async def primary(self) -> Member:
        """The one that is, once there is one."""
        async with asyncio.timeout(40):
            while True:
                for member in self.members:
                    if await member.state() == "PRIMARY":
                        return member
                await asyncio.sleep(0.2)

    async def whole(self) -> None:
        """All of them are in, and one leads."""
        async with asyncio.timeout(60):
            while sorted([await member.state() for member in self.members]) != ["PRIMARY", "SECONDARY", "SECONDARY"]:
                await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def three(place: Path) -> AsyncGenerator[Replicas]:
    program = await asyncio.to_thread(find_mongod, place)
    members = [Member(place / f"mongod-{number}", program, port) for number, port in enumerate(_free_ports(3))]
    try:
        for member in members:
            await member.start()
        config = {
            "_id": SET,
            "members": [{"_id": number, "host": member.name} for number, member in enumerate(members)],
            "settings": {"electionTimeoutMillis": 1_500, "heartbeatIntervalMillis": 500},
        }
        for member in members:
            async with member.client() as client:
                await client.admin.command("ping")  # the others are asked at once whether they are there
        async with members[0].client() as client:
            await client.admin.command("replSetInitiate", config)
        replicas = Replicas(members)
        await replicas.whole()
        yield replicas
    finally:
        await asyncio.gather(*(member.kill() for member in members))


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]
