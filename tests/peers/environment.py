"""Gives each foreign SDK a virtual environment of its own below var/peers, made once and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "var" / "peers"


def python_with(package: str, version: str) -> Path:
    """The interpreter of an environment that holds `package==version`; fails with the command to type.

    Made without ensurepip, which Debian splits off: the pip of the running environment installs into it.
    """
    home = PEERS / f"{package}-{version}"
    python = home / "bin" / "python"
    if (home / "complete").exists():
        return python
    PEERS.mkdir(parents=True, exist_ok=True)
    build = Path(tempfile.mkdtemp(prefix=f".{package}-", dir=PEERS))
    made = subprocess.run([sys.executable, "-m", "venv", "--without-pip", build], capture_output=True, text=True)
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        build / "bin" / "python",
        "install",
        "-q",
        f"{package}=={version}",
    ]
    done = made if made.returncode else subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(build, ignore_errors=True)
        wanted = f"python3 -m venv {home} && {python} -m pip install {package}=={version} && touch {home}/complete"
        pytest.fail(f"the peer {package} could not be installed; type: {wanted}\n{done.stderr[-2000:]}")
    (build / "complete").touch()
    try:
        build.rename(home)
    except OSError:  # another run was faster
        shutil.rmtree(build, ignore_errors=True)
    return python


def clean_environment() -> dict[str, str]:
    """Nothing of this process's Python reaches the peer, and no proxy stands between it and the loopback."""
    dropped = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped and "proxy" not in name.lower()}
    return kept | {"NO_PROXY": "127.0.0.1"}
