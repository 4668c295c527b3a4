"""One `octshop-rt run` as a child of a test: started on free ports, watched, stopped with its whole family."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.house.source import ROOT

PROGRAM = [sys.executable, "-m", "octshop_rt"]
ENVIRONMENT = {**os.environ, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "COLUMNS": "100", "PYTHONPATH": str(ROOT)}


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


class Product:
    """One `octshop-rt run` in a folder of its own."""

    def __init__(self, data: Path, *more: str) -> None:
        self.data = data
        self.port, self.sandbox_port = free_ports()
        self.began = time.monotonic()
        ports = ("--port", str(self.port), "--sandbox-port", str(self.sandbox_port))
        self.process = subprocess.Popen(
            [*PROGRAM, "run", "--data", str(data), *ports, *more],
            cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.words = ""

    def ready(self) -> float:
        """Seconds until it said so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.words += line
            if line.startswith("ready after"):
                return time.monotonic() - self.began
        pytest.fail(f"it ended by itself: {self.words}")

    def family(self) -> list[psutil.Process]:
        me = psutil.Process(self.process.pid)
        return [me, *me.children(recursive=True)]

    def stop(self, how: signal.Signals) -> tuple[int, float]:
        """Exit code and seconds; fails if a process of it is left."""
        family = self.family()
        began = time.monotonic()
        self.process.send_signal(how)
        if how == signal.SIGTERM:
            self.process.send_signal(how)  # make passes on what the process group got already
        code = self.process.wait(15)
        _, left = psutil.wait_procs(family, timeout=0 if how != signal.SIGKILL else 10)
        assert not left
        assert self.process.stdout is not None
        self.words += self.process.stdout.read()
        self.process.stdout.close()
        return code, time.monotonic() - began


def web_is_built() -> None:
    if not (ROOT / "static" / "dist" / "shop" / "index.html").is_file():
        pytest.fail("the web pages are not built; run: make ready-run")


def fetch(url: str) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.status, answer.read().decode()
