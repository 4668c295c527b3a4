"""A server program as our child: started in its own session, ended with us even when we are killed."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 0.2
_libc = ctypes.CDLL(None, use_errno=True)


class Child:
    """One running program; what it says goes to the file `log`. `stop` asks, waits, and only then kills."""

    def __init__(self, popen: subprocess.Popen[bytes], pid_file: Path, log: Path) -> None:
        self._popen = popen
        self._pid_file = pid_file
        self._asked = False
        self.log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._popen.poll()

    async def ended(self) -> int:
        """Its exit code, when it has ended; negative: the signal that ended it."""
        while (code := self._popen.poll()) is None:
            await asyncio.sleep(_LOOK_SECONDS)
        return code

    def ask(self) -> None:
        """SIGTERM, once: a second one would mean "at once"."""
        if not self._asked:
            self._asked = True
            with contextlib.suppress(ProcessLookupError):
                self._popen.terminate()

    async def stop(self, seconds: float) -> None:
        """Ask unless asked before, wait up to `seconds`, SIGKILL."""
        self.ask()
        if not await _gone(self._popen, seconds):
            self._popen.kill()
            await _gone(self._popen, 5)
        self._pid_file.unlink(missing_ok=True)


def start(
    command: Sequence[str | Path],
    output: Path,
    pid_file: Path,
    *,
    marker: str,
    environment: Mapping[str, str] | None = None,
    own_log: Path | None = None,
) -> Child:
    """Start `command` with its output in `output`, unless it keeps `own_log`.

    `marker`, a part of its command line, proves later whose pid it is.
    Call it on the main thread: the kernel ends the child when the thread that started it ends.
    """
    with output.open("wb") as log:
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C goes to us; we stop our children in order
            preexec_fn=end_with_parent,  # noqa: PLW1509  one system call, no locks, before any thread of the child
        )
    pid_file.write_text(f"{popen.pid}\n{marker}\n")
    return Child(popen, pid_file, own_log or output)


async def end_left_over(pid_file: Path, seconds: float) -> None:
    """End a child of an earlier run that was killed before it could stop it, if that pid is still the same program."""
    with contextlib.suppress(OSError, ValueError):
        pid_text, marker = pid_file.read_text().splitlines()[:2]
        pid = int(pid_text)
        if marker not in _command_line(pid):
            return
        os.kill(pid, signal.SIGTERM)
        async with asyncio.timeout(seconds):
            while marker in _command_line(pid):
                await asyncio.sleep(0.05)


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def end_with_parent() -> None:
    """SIGTERM for this process when the one that started it ends, however that ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def _gone(popen: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            while popen.poll() is None:
                await asyncio.sleep(0.02)
    except TimeoutError:
        return popen.poll() is not None
    return True
