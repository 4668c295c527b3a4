"""A data folder that one process at a time may use: lock, secrets in 0600 files, a kept port, room on the disk."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import socket
from collections.abc import Generator
from pathlib import Path

from octshop_rt.embedded.faults import DataInUse, DataReadOnly, DiskFull

MEBIBYTE = 1 << 20


class DataFolder:
    """Owns `path` from `take()` to `release()`. The lock is the kernel's: it ends with the process, none goes stale."""

    def __init__(self, path: Path, *, need_free_mb: int) -> None:
        self.path = path.absolute()
        self._need_free_mb = need_free_mb
        self._lock: int | None = None

    def take(self) -> None:
        """Create the folder, lock it, look for room. Raises DataReadOnly, DataInUse, DiskFull."""
        with self.writing():
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(lock, 20).decode(errors="replace").strip() or "?"
            os.close(lock)
            raise DataInUse(path=str(self.path), pid=holder) from None
        self._lock = lock
        try:
            self._look_for_room()
            with self.writing():
                os.ftruncate(lock, 0)
                os.pwrite(lock, str(os.getpid()).encode(), 0)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let the next process in. Harmless when not taken."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def secret(self, name: str, length: int = 24) -> str:
        """The secret kept in the 0600 file `name`, made of `length` random bytes on first use."""
        place = self.path / name
        if not place.exists():
            # Written aside and renamed, so that a crash leaves no half secret behind.
            fresh = place.with_suffix(".new")
            with self.writing(), os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(secrets.token_hex(length))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(place)
        return place.read_text().strip()

    def port(self, name: str) -> int:
        """A free loopback port; the one kept in the file `name` as long as nobody else has it."""
        place = self.path / name
        if place.exists():
            kept = place.read_text().strip()
            if kept.isdigit() and _free(int(kept)):
                return int(kept)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        with self.writing():
            place.write_text(str(port))
        return port

    @contextlib.contextmanager
    def writing(self) -> Generator[None]:
        """Turn the system's refusals to write into DataReadOnly and DiskFull."""
        try:
            yield
        except OSError as fault:
            if fault.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
                raise DataReadOnly(path=str(self.path), why=fault.strerror) from None
            if fault.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise DiskFull(path=str(self.path), free_mb=0, need_mb=self._need_free_mb) from None
            raise

    def _look_for_room(self) -> None:
        free_mb = shutil.disk_usage(self.path).free // MEBIBYTE
        if free_mb < self._need_free_mb:
            raise DiskFull(path=str(self.path), free_mb=free_mb, need_mb=self._need_free_mb)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # A port in TIME_WAIT from our own last run is free for a server that sets the same option.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
        return True
