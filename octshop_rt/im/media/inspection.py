"""A small pool of limited processes that look into uploads (inspector.py). One that hangs or dies is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Final

import msgspec

import octshop_rt
from octshop_rt.core.errors import Busy
from octshop_rt.core.uploads import NotAPicture, TooManyPixels
from octshop_rt.im.media.inspector import Answer, Question
from octshop_rt.im.media.model import ALLOWED, MIB, BadMedia, Facts, FileTooLarge
from octshop_rt.im.media.rules import TAKES
from octshop_rt.im.wire.fields import MediaKind

PROCESSES: Final = 2
WAITING: Final = 16
SECONDS: Final = 20.0
JOBS: Final = 500  # then a fresh process: whatever leaked is given back
_ROOT: Final = str(Path(octshop_rt.__file__).parent.parent)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload is. `data` and `thumb` are set for pictures, which are kept as drawn anew."""

    facts: Facts
    data: bytes = b""
    thumb: bytes = b""


class _Inspector:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.jobs = 0

    @classmethod
    async def start(cls) -> _Inspector:
        """With nothing of ours in its environment."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "octshop_rt.im.media.inspector",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env={"PYTHONPATH": _ROOT, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}, cwd="/",
        )  # fmt: skip
        return cls(process)

    async def ask(self, question: Question) -> tuple[Answer, list[bytes]]:
        """EOFError when it died over the question."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # noqa: PT018  (both are pipes)
        self.jobs += 1
        stdin.write(msgspec.json.encode(question) + b"\n")
        await stdin.drain()
        line = await stdout.readline()
        if not line:
            raise EOFError
        answer = msgspec.json.decode(line, type=Answer)
        return answer, [await stdout.readexactly(size) for size in answer.sizes]

    async def end(self) -> None:
        """Kill it: it has nothing to lose."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


class Inspection:
    """Asks the pool. Starts processes when they are needed; `close` ends them."""

    def __init__(self, *, processes: int = PROCESSES, waiting: int = WAITING, seconds: float = SECONDS) -> None:
        self._free: list[_Inspector] = []
        self._busy: set[_Inspector] = set()
        self._room = asyncio.Semaphore(processes)
        self._most = processes + waiting
        self._inside = 0
        self._seconds = seconds
        self.killed = 0  # for the figures

    async def look(self, kind: MediaKind, path: Path, size: int) -> Seen:
        """What the bytes at `path` are. BadMedia, NotAPicture, TooManyPixels, FileTooLarge; Busy when the line is long.

        Bytes over which the process hangs or dies are refused like any that cannot be read.
        """
        assert kind != "file"
        if self._inside >= self._most:
            raise Busy
        question = Question(kind=kind, path=str(path), most_bytes=ALLOWED[kind].bytes)
        self._inside += 1
        try:
            async with self._room:
                answer, parts = await self._asked(question)
        finally:
            self._inside -= 1
        if answer.fault:
            raise _refusal(kind, answer)
        data, thumb = parts or (b"", b"")
        facts = Facts(
            mime=answer.mime, size=len(data) or size, w=answer.w or None, h=answer.h or None, ms=answer.ms or None
        )
        return Seen(facts=facts, data=data, thumb=thumb)

    async def close(self) -> None:
        """End the processes."""
        for one in [*self._free, *self._busy]:
            await one.end()
        self._free.clear()

    async def _asked(self, question: Question) -> tuple[Answer, list[bytes]]:
        inspector = self._free.pop() if self._free else await _Inspector.start()
        self._busy.add(inspector)
        whole = False
        try:
            async with asyncio.timeout(self._seconds):
                found = await inspector.ask(question)
            whole = True
        except (TimeoutError, EOFError, OSError, ValueError, msgspec.DecodeError):
            self.killed += 1
            return Answer(fault="not_a_picture" if question.kind == "image" else "broken"), []
        finally:
            self._busy.discard(inspector)
            if whole and inspector.jobs < JOBS:
                self._free.append(inspector)
            else:
                await asyncio.shield(inspector.end())
        return found


def _refusal(kind: MediaKind, answer: Answer) -> Exception:
    match answer.fault:
        case "too_many_pixels":
            return TooManyPixels()
        case "too_large":
            return FileTooLarge(most_mib=ALLOWED[kind].bytes // MIB)
        case "not_a_picture":
            return NotAPicture()
        case _:
            return BadMedia(takes=TAKES[kind])
