"""The operator's commands on a real database: indexes, parked events, fsck with its three exit codes."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from octshop_rt.core import mongo, outbox
from octshop_rt.core.clock import Clock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import OutboxRow
from tests.house.source import ROOT

ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "200"}


@pytest.fixture
def config(db: Database, mongo_uri: str, tmp_path: Path) -> Path:
    """A settings file that names the test's own databases."""
    file = tmp_path / "s.toml"
    file.write_text(f'mode = "test"\n[mongo]\nuri = "{mongo_uri}"\nprefix = "t{os.getpid()}"\n')
    return file


async def command(*words: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "octshop_rt", *words],
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


async def one_event(db: Database) -> str:
    now = Clock().now()
    row = OutboxRow(id=Ids(Clock()).new("E"), type="Nothing", body={"type": "Nothing"}, due_at=now, created_at=now)
    await outbox.ROWS.insert(db, row)
    return row.id


async def state(db: Database, event_id: str) -> str:
    row = await outbox.ROWS.one(db, {"_id": event_id})
    assert row is not None
    return row.state


async def test_an_event_is_parked_seen_and_retried(db: Database, config: Path) -> None:  # req 6
    event_id = await one_event(db)
    seen = await command("outbox", "--config", str(config))
    assert (seen.returncode, seen.stdout.strip()) == (0, "1 due, 0 later, 0 parked")
    assert (await command("outbox", "--config", str(config), "park", event_id, "--reason", "it hurts")).returncode == 0
    assert await state(db, event_id) == "parked"
    seen = await command("outbox", "--config", str(config), "list")
    assert seen.returncode == 1
    assert event_id in seen.stdout
    assert "it hurts" in seen.stdout
    assert (await command("outbox", "--config", str(config), "retry", event_id)).returncode == 0
    assert await state(db, event_id) == "waiting"
    again = await command("outbox", "--config", str(config), "retry", event_id)
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1


async def test_fsck_is_clean_violated_or_unable(db: Database, config: Path, tmp_path: Path) -> None:  # req 14
    await command("indexes", "--config", str(config))
    clean = await command("fsck", "--config", str(config))
    assert clean.returncode == 0, clean.stdout + clean.stderr
    event_id = await one_event(db)
    await command("outbox", "--config", str(config), "park", event_id)
    nowhere = tmp_path / "nowhere.toml"
    nowhere.write_text('mode = "test"\n[mongo]\nuri = "mongodb://127.0.0.1:1"\n')
    violated, unable, unknown = await asyncio.gather(
        command("fsck", "--config", str(config)),
        command("fsck", "--config", str(nowhere)),
        command("fsck", "--config", str(config), "--only", "F999"),
    )
    assert violated.returncode == 1
    assert event_id in violated.stdout
    assert unable.returncode == 2, unable.stdout + unable.stderr
    assert unable.stderr.count("\n") == 1
    assert unknown.returncode == 2


SECRET = "s3cr3t-w0rd"


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("mongodb://127.0.0.1:1", ("127.0.0.1:1", "Connect call failed")),
        (
            f"mongodb://octshop:{SECRET}@127.0.0.1:1/?authSource=admin",
            ("MongoDB at 127.0.0.1:1", "Connect call failed"),
        ),
        (f"mongodb://octshop:{SECRET}@nowhere.invalid:27017/", ("nowhere.invalid:27017", "Name or service")),
        (f"mongodb://octshop:{SECRET}/x@127.0.0.1:1/", ("[mongo]", "not valid")),
        (f"mongodb://octshop:x@127.0.0.1:{SECRET}/", ("[mongo]", "not valid")),
        (f"http://octshop:{SECRET}@127.0.0.1:1/", ("[mongo]", "not valid")),
        ("AUTH", ("MongoDB at 127.0.0.1:", "uthentication failed")),
    ],
)  # req 14
async def test_a_mongodb_that_cannot_be_used_is_one_line_and_no_violation(
    mongo_uri: str, tmp_path: Path, uri: str, words: tuple[str, ...]
) -> None:
    if uri == "AUTH":
        uri = f"mongodb://octshop:{SECRET}@{mongo_uri.rpartition('://')[2].rpartition('@')[2].split('/')[0]}/?authSource=admin"
    file = tmp_path / "s.toml"
    file.write_text(f'mode = "test"\n[mongo]\nuri = "{uri}"\n[http]\nport = 1\nhost = "127.0.0.1"\n')
    names = ("fsck", "outbox", "indexes")
    # At once: each of them waits seconds for a server that is not there.
    *outcomes, told = await asyncio.gather(
        *(command(name, "--config", str(file)) for name in names),
        command("doctor", "--config", str(file), "--data", str(tmp_path)),
    )
    for name, unable in zip(names, outcomes, strict=True):
        assert unable.returncode == 2, (name, unable.stdout, unable.stderr)
        assert unable.stderr.count("\n") == 1, (name, unable.stderr)
        for word in words:
            assert word in unable.stderr, name
        assert SECRET not in unable.stdout + unable.stderr
    assert told.returncode == 1
    assert SECRET not in told.stdout + told.stderr
    assert "Traceback" not in told.stderr
    flat = "".join(told.stdout.split())
    for word in words:
        assert "".join(word.split()) in flat


async def test_a_server_that_finds_no_mongodb_says_so(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = tmp_path / "s.toml"
    uri = f"mongodb://octshop:{SECRET}@127.0.0.1:1/"
    place = f'data_dir = "{tmp_path}"\n'
    file.write_text(f'mode = "test"\n{place}[mongo]\nuri = "{uri}"\n[http]\nport = {port}\n')
    unable = await command("serve", "--config", str(file))
    assert unable.returncode == 2
    told = [line for line in unable.stderr.splitlines() if line.startswith("octshop-rt:")]
    assert len(told) == 1
    assert "MongoDB at 127.0.0.1:1 cannot be used" in told[0]
    assert SECRET not in unable.stdout + unable.stderr


async def test_a_mistake_of_our_own_is_no_violation(config: Path, tmp_path: Path) -> None:
    """Exit code 1 is fsck's word for "looked, and found something"."""
    script = (
        "import sys\n"
        "from octshop_rt.cli import commands, upkeep\n"
        "async def broken(*_): raise RuntimeError('a mistake of ours')\n"
        "upkeep.check_all = broken\n"
        f"sys.argv = ['octshop-rt', 'fsck', '--config', {str(config)!r}]\n"
        "commands.main()\n"
    )
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert "a mistake of ours" in ended.stderr
    assert "Traceback" in ended.stderr


async def test_indexes_makes_what_is_missing(db: Database, config: Path) -> None:
    (first, *_) = [one for one in mongo.declared if one.indexes]
    await db.raw(first).drop_indexes()
    assert len(await db.index_keys(first)) == 1
    assert (await command("indexes", "--config", str(config))).returncode == 0
    assert len(await db.index_keys(first)) == 1 + len(first.indexes)


async def test_a_mistyped_data_folder_is_named_and_not_made(tmp_path: Path) -> None:
    wrong = tmp_path / "nothere"
    outcome = await command("fsck", "--data", str(wrong))
    assert outcome.returncode == 2
    assert "no data in" in outcome.stderr.replace("\n", " ")
    assert not wrong.exists()
