"""Brings peers into build/peers without touching the system: Debian packages are unpacked there, never installed, so
that no service starts and no root is needed; Python packages go into a virtual environment of their own.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import venv
from collections.abc import Sequence
from pathlib import Path

import psutil

from octshop_rt.embedded.process import Child

HOME = Path(__file__).parents[2] / "build" / "peers"
_SECONDS = 300
_READY_S = 60


class NotRunError(Exception):
    """This peer could not be brought or started here; the words say why."""


async def output(*command: str | Path, seconds: float = _SECONDS) -> str:
    """What a command prints; NotRunError with its last words when it fails or takes too long."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    name = Path(command[0]).name
    try:
        told, complaint = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise NotRunError(f"{name} took more than {seconds:g} s") from None
    if process.returncode:
        words = (complaint or told).decode(errors="replace").strip().splitlines()
        raise NotRunError(f"{name} failed: {words[-1] if words else process.returncode}")
    return told.decode(errors="replace")


async def debian(*packages: str) -> Path:
    """A folder with these packages, and those they need and the system lacks, unpacked."""
    if any(shutil.which(tool) is None for tool in ("apt-get", "dpkg")):
        raise NotRunError("this system has no apt-get")
    root = HOME / "debian"
    done = root / f".{'+'.join(packages)}"
    if done.exists():
        return root
    place = HOME / "apt"
    for folder in ("lists/partial", "archives/partial", "debs"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    # Lists and packages of its own: the system's stay as they are, and nobody need be root.
    apt = ("apt-get", "--quiet", "-o", f"Dir::State={place}", "-o", "Dir::State::status=/var/lib/dpkg/status",
           "-o", f"Dir::Cache={place}", "-o", "APT::Sandbox::User=")  # fmt: skip
    await output(*apt, "update")
    planned = await output(*apt, "--simulate", "--no-install-recommends", "install", *packages)
    wanted = [line.split()[1] for line in planned.splitlines() if line.startswith("Inst ")]
    if wanted:
        await output("env", "-C", place / "debs", *apt, "download", *wanted)
    for deb in sorted((place / "debs").glob("*.deb")):
        await output("dpkg", "--extract", deb, root)
    root.mkdir(exist_ok=True)
    done.touch()
    shutil.rmtree(place)
    return root


async def python(name: str, *packages: str) -> Path:
    """The interpreter of an environment that holds these packages."""
    place = HOME / name
    done = place / f".{'+'.join(packages)}"
    if not done.exists():
        await asyncio.to_thread(venv.create, place, with_pip=True, clear=True)
        await output(place / "bin" / "python", "-m", "pip", "install", "--quiet", *packages)
        done.touch()
    return place / "bin" / "python"


def as_nobody(folder: Path) -> Sequence[str]:
    """Before a command that refuses to be root: run it as somebody without rights, who is given `folder`."""
    if os.geteuid() != 0:
        return ()
    if (tool := shutil.which("setpriv")) is None:
        raise NotRunError("this is root, PostgreSQL will not be, and there is no setpriv")
    nobody = 65_534
    os.chown(folder, nobody, nobody)
    return (tool, f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups", "--pdeathsig=INT")


def cpu_seconds(pids: Sequence[int]) -> float:
    """What these processes and their children have used so far; of children that have ended, too."""
    used = 0.0
    for pid in pids:
        try:
            first = psutil.Process(pid)
            family = [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        for one in family:
            try:
                times = one.cpu_times()
            except psutil.NoSuchProcess:
                continue
            used += times.user + times.system + times.children_user + times.children_system
    return used


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


async def answering(port: int, child: Child, name: str) -> None:
    """Until somebody listens there; NotRunError when the child has ended instead."""
    for _ in range(_READY_S * 10):
        if child.exit_code is not None:
            words = child.log.read_text(errors="replace").strip().splitlines()
            raise NotRunError(f"{name} ended: {words[-1] if words else child.exit_code}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        return
    raise NotRunError(f"{name} did not answer within {_READY_S} s")
