"""A private redis-server without persistence: for tests and for more than one server process on one machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

from octshop_rt.embedded.binaries import find_redis
from octshop_rt.embedded.faults import ServerFailed, ServerSlow
from octshop_rt.embedded.folder import DataFolder
from octshop_rt.embedded.process import Child, end_left_over, start

NEED_FREE_MB = 10
READY_SECONDS = 15
STOP_SECONDS = 3.0


class EmbeddedRedis:
    """The Redis of one data folder. `await start()` gives the URL with its password. It may be lost at any moment."""

    def __init__(self, data_dir: Path, *, memory_mb: int = 128) -> None:
        self._folder = DataFolder(data_dir, need_free_mb=NEED_FREE_MB)
        self._memory_mb = memory_mb
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
        """Start it and return its URL. Raises the refusals of `faults`."""
        self._folder.take()
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """SIGTERM, wait, SIGKILL. Harmless when it does not run."""
        if self._child is not None:
            await self._child.stop(STOP_SECONDS)
            self._child = None
        self._folder.release()

    async def _start(self) -> str:
        path = self._folder.path
        program = await asyncio.to_thread(find_redis, path)
        await end_left_over(path / "redis.pid", STOP_SECONDS)
        password = self._folder.secret("redis-password")
        port = self._folder.port("redis-port")
        # The password stands in a file in a 0700 folder, because a command line is everybody's to read.
        settings = path / "redis.conf"
        with self._folder.writing():
            settings.touch(mode=0o600)
            settings.write_text(
                f"bind 127.0.0.1\nport {port}\nrequirepass {password}\nprotected-mode yes\ndir {path}\n"
                f'save ""\nappendonly no\nmaxmemory {self._memory_mb}mb\nmaxmemory-policy volatile-ttl\n'
            )
        self._child = start([program, settings], path / "redis.out", path / "redis.pid", marker=f"127.0.0.1:{port}")
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._answering(port, password)
        except TimeoutError:
            raise ServerSlow(program="redis-server", seconds=READY_SECONDS, log=str(path / "redis.out")) from None
        return f"redis://:{password}@127.0.0.1:{port}/0"

    async def _answering(self, port: int, password: str) -> None:
        log = self._folder.path / "redis.out"
        while True:
            if self._child is not None and (exit_code := self._child.exit_code) is not None:
                lines = log.read_text(errors="replace").splitlines()
                raise ServerFailed(
                    program="redis-server", exit_code=exit_code, last_line=lines[-1] if lines else "", log=str(log)
                )
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.write(f"AUTH {password}\r\nPING\r\n".encode())
            answer = await reader.readline() + await reader.readline()
            writer.close()
            if answer == b"+OK\r\n+PONG\r\n":
                return
            await asyncio.sleep(0.05)
