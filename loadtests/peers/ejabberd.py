"""ejabberd with its archive (mod_mam) in PostgreSQL, both unpacked from Debian's packages, both on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from pathlib import Path

from loadtests.peers.parts import NotRunError, answering, as_nobody, cpu_seconds, debian, free_port, output
from loadtests.peers.xmpp import HOST, XmppSide, connect
from octshop_rt.embedded.process import Child, start

_AT_ONCE = 20
# What Debian switches on, without rooms, publishing, other servers and the shaper; the archive keeps everything.
_CONFIG = """
hosts: [{host}]
loglevel: warning
default_db: sql
auth_method: sql
auth_password_format: scram
sql_type: pgsql
sql_server: 127.0.0.1
sql_port: {pg}
sql_database: postgres
sql_username: bench
sql_password: bench
sql_pool_size: 10
registration_timeout: infinity
listen:
  - {{port: {port}, ip: "127.0.0.1", module: ejabberd_c2s, max_stanza_size: 262144, access: c2s, starttls: false}}
acl: {{local: {{user_regexp: ""}}}}
access_rules: {{local: {{allow: local}}, c2s: {{allow: all}}}}
modules:
  mod_carboncopy: {{}}
  mod_client_state: {{}}
  mod_disco: {{}}
  mod_mam: {{db_type: sql, default: always}}
  mod_offline: {{}}
  mod_privacy: {{}}
  mod_push: {{}}
  mod_register: {{ip_access: all, access: all}}
  mod_roster: {{}}
  mod_stream_mgmt: {{}}
"""


def system_postgres() -> list[Path]:
    """Folders of the PostgreSQL servers that Debian has installed here, the newest last."""
    return sorted(one.parent for one in Path("/usr/lib/postgresql").glob("*/bin/postgres"))


class Postgres:
    """A cluster of its own in a folder of its own, given to whoever runs it; durable commits, as it comes."""

    def __init__(self, root: Path) -> None:
        self._place = Path(tempfile.mkdtemp(prefix="octshop-bench-"))
        self._root = root
        self.port = free_port()
        self.version = ""
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    async def start(self) -> None:
        found = system_postgres() or sorted(self._root.glob("usr/lib/postgresql/*/bin"))
        if not found:
            raise NotRunError("PostgreSQL is not here")
        tools = found[-1]
        person = as_nobody(self._place)
        data, secret = self._place / "data", self._place / "secret"
        secret.write_text("bench\n")
        self.version = (await output(tools / "postgres", "--version")).split()[2]
        await output(
            *person, tools / "initdb", "--pgdata", data, "--username=bench", f"--pwfile={secret}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip
        self._child = start(
            [*person, tools / "postgres", "-D", data, "-p", str(self.port), "-h", "127.0.0.1", "-k", "",
             "-c", "shared_buffers=512MB"],
            self._place / "out", self._place / "pid", marker=str(data),
        )  # fmt: skip
        await answering(self.port, self._child, "PostgreSQL")
        self._psql = tools / "psql"

    async def run(self, script: Path) -> None:
        await output(
            "env", "PGPASSWORD=bench", self._psql, "--quiet", "-h", "127.0.0.1", "-p", str(self.port), "-U", "bench",
            "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-f", script,
        )  # fmt: skip

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop(10)
        shutil.rmtree(self._place, ignore_errors=True)


class Ejabberd:
    """`await start(place)`, `await pairs(n)`, `await stop()`."""

    name = "ejabberd"
    stores = "PostgreSQL"

    def __init__(self) -> None:
        self.version = ""
        self._postgres: Postgres | None = None
        self._child: Child | None = None
        self._sides: list[XmppSide] = []
        self._port = free_port()

    async def start(self, place: Path) -> None:
        place.mkdir()
        wanted = ["ejabberd", "erlang-p1-pgsql"]
        if not system_postgres():
            wanted.append("postgresql")
        root = await debian(*wanted)
        self._postgres = Postgres(root)
        await self._postgres.start()
        await self._postgres.run(root / "usr/share/ejabberd/sql/pg.sql")
        config = place / "ejabberd.yml"
        config.write_text(_CONFIG.format(host=HOST, pg=self._postgres.port, port=self._port))
        self._child = start(
            self._command(root, place), place / "ejabberd.out", place / "ejabberd.pid",
            marker=str(place), environment=self._environment(root, place, config),
        )  # fmt: skip
        await answering(self._port, self._child, "ejabberd")
        release = next(root.glob("usr/lib/*/ejabberd-*")).name.removeprefix("ejabberd-")
        self.version = f"ejabberd {release}, PostgreSQL {self._postgres.version}"

    def _command(self, root: Path, place: Path) -> list[str | Path]:
        erlang = root / "usr/lib/erlang"
        run = next(erlang.glob("erts-*/bin/erlexec"))
        return [
            run, "+K", "true", "+P", "250000", "-noinput", "-mnesia", "dir", json.dumps(str(place / "mnesia")),
            "-s", "ejabberd",
        ]  # fmt: skip

    def _environment(self, root: Path, place: Path, config: Path) -> dict[str, str]:
        erlang = root / "usr/lib/erlang"
        libraries = next(root.glob("usr/lib/*-linux-gnu*"))
        return {
            **os.environ,
            "ROOTDIR": str(erlang),
            "BINDIR": str(next(erlang.glob("erts-*/bin"))),
            "EMU": "beam",
            "PROGNAME": "erl",
            "HOME": str(place),
            "ERL_LIBS": str(libraries),
            "LD_LIBRARY_PATH": str(libraries),
            "ERL_CRASH_DUMP_SECONDS": "0",
            "EJABBERD_CONFIG_PATH": str(config),
            "EJABBERD_LOG_PATH": str(place / "ejabberd.log"),
            "SPOOL_DIR": str(place / "mnesia"),
        }

    async def pairs(self, count: int) -> list[tuple[XmppSide, XmppSide, str]]:
        """`count` pairs of users who are online. The conversation's name is both names in one."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def enter(name: str) -> XmppSide:
            async with gate:
                fresh = await connect(name, self._port)
                await fresh.register("secret-of-bench")
                fresh.close()
                side = await connect(name, self._port)
                await side.sign_in("secret-of-bench")
                return side

        names = [f"{which}{n:05d}" for n in range(count) for which in "ab"]
        self._sides = list(await asyncio.gather(*(enter(name) for name in names)))
        return [(one, two, one.name + two.name) for one, two in zip(self._sides[::2], self._sides[1::2], strict=True)]

    def cpu(self) -> float:
        """Seconds of CPU so far, the database's included."""
        assert self._child is not None
        assert self._postgres is not None
        return cpu_seconds([self._child.pid, self._postgres.pid])

    async def stop(self) -> None:
        for side in self._sides:
            side.close()
        if self._child is not None:
            await self._child.stop(10)
        if self._postgres is not None:
            await self._postgres.stop()
