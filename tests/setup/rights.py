"""Run a program without root's power to write everywhere and to listen anywhere, whoever runs the tests.

As an unprivileged user where that user may reach the project; in a place closed to others (a checkout below a private
folder) as root stripped of the powers in question, because nobody could not even read the program there.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NOBODY = 65534
_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_NET_BIND_SERVICE = 1, 2, 10
_libc = ctypes.CDLL(None, use_errno=True)


def run_without_rights(
    command: Sequence[str], *, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Its output and exit code."""
    needed = (cwd, *cwd.parents, *Path(sys.executable).resolve().parents)
    reachable = all(place.stat().st_mode & 0o001 for place in needed)
    drop = None if os.geteuid() != 0 else _become_nobody if reachable else _lose_powers
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False, preexec_fn=drop
    )


def _become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def _lose_powers() -> None:
    for power in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_NET_BIND_SERVICE):
        if _libc.prctl(_PR_CAPBSET_DROP, power, 0, 0, 0):
            os._exit(97)
