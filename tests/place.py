"""Where databases of tests lie: in memory if this machine has room there, else on the disk.

Every answer waits for a journal on stable storage; what a test proves by it, kill -9 included, is the same in both.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
GIB = 1 << 30
ROOM_BYTES = 4 * GIB
FREE_BYTES = 8 * GIB


def new_folder(prefix: str) -> Path:
    """A new empty folder, 0700; whoever asked for it removes it."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if _has_room() else None))


def _has_room() -> bool:
    try:
        return (
            "OCTSHOP_TEST_ON_DISK" not in os.environ
            and os.access(MEMORY, os.W_OK)
            and shutil.disk_usage(MEMORY).free >= ROOM_BYTES
            and _free_bytes() >= FREE_BYTES
        )
    except OSError:
        return False


def _free_bytes() -> int:
    """What the kernel could give without taking it from anybody."""
    told = Path("/proc/meminfo").read_text(encoding="ascii")
    return next((int(line.split()[1]) << 10 for line in told.splitlines() if line.startswith("MemAvailable:")), 0)
