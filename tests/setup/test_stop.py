"""Stopping in time whatever clients do, and parts that end by themselves: told in one line, not left unsaid."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.house.source import ROOT
from tests.setup.product import ENVIRONMENT, Product, fetch, web_is_built


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("stopping") / "var"
    yield place
    shutil.rmtree(place, ignore_errors=True)


def dial(port: int, data: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), timeout=5)
    line.sendall(data)
    return line


HEAD = "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"


@pytest.mark.parametrize("processes", [1, 2])
def test_stuck_clients_hold_up_no_stop(data: Path, processes: int) -> None:  # req 1
    web_is_built()
    product = Product(data, "--processes", str(processes))
    product.ready()
    ports = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)/shop/", product.words)}
    assert len(ports) == processes
    stuck = [
        dial(port, begun)
        for port in ports
        for begun in (
            HEAD.format(path="/api/v1/buyer/login").encode(),
            HEAD.format(path="/api/v1/channel/wechat/default/notify").encode(),
            HEAD.format(path="/sandbox/phone/api/pay").encode(),
            b"GET /shop/ HTTP/1.1\r\nX-Drip: ",
            b"",
            b"GET /api/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 25,  # and never reads the answers
        )
    ]
    for port in ports:
        assert fetch(f"http://127.0.0.1:{port}/readyz")[0] == 200
    code, seconds = product.stop(signal.SIGTERM)
    for line in stuck:
        line.close()
    assert code == 0  # in order to its end, not cut off by the clock
    assert seconds <= 10
    assert "Traceback" not in "".join(log.read_text() for log in data.glob("server*.log"))


def of(product: Product, words: str) -> psutil.Process:
    (found,) = [one for one in product.family()[1:] if words in " ".join(one.cmdline()[:4])]
    return found


@pytest.mark.parametrize(("part", "name", "processes"), [("mongod", "mongod", 1), ("octshop_rt serve", "server 2", 2)])
def test_a_part_that_ends_by_itself_is_told_and_ends_all(data: Path, part: str, name: str, processes: int) -> None:
    web_is_built()
    product = Product(data, "--processes", str(processes))
    product.ready()
    victim = of(product, part)
    family = product.family()
    victim.kill()
    code = product.process.wait(20)
    assert not psutil.wait_procs(family, timeout=0)[1]
    assert product.process.stdout is not None
    with product.process.stdout:
        said = product.process.stdout.read()
    assert code == 1
    told = [line for line in said.splitlines() if line.startswith("octshop-rt:")]
    assert len(told) == 1, said
    assert f"{name} (pid {victim.pid}, SIGKILL) has ended by itself" in told[0]
    assert Path(told[0].rsplit("Log: ", 1)[1]).is_file()
    assert "Traceback" not in said


def test_without_its_redis_it_goes_on_and_says_so(data: Path) -> None:
    web_is_built()
    product = Product(data, "--processes", "2")
    product.ready()
    of(product, "redis-server").kill()
    assert product.process.stdout is not None
    for line in product.process.stdout:
        if "redis-server" in line and "goes on" in line.replace("go on", "goes on"):
            break
    else:
        pytest.fail("it ended, and did not say why")
    assert fetch(f"http://127.0.0.1:{product.port}/readyz")[0] == 200
    assert product.stop(signal.SIGTERM)[0] == 0


def test_whatever_hangs_the_clock_ends_it() -> None:
    """Every command that waits for a signal has the same limit."""
    script = (
        "import asyncio, os, signal\n"
        "from octshop_rt.cli import stopping\n"
        "stopping.STOP_SECONDS = 0.2\n"
        "async def hang():\n"
        "    stop = stopping.Stop()\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    await stop.asked()\n"
        "    await asyncio.sleep(3600)\n"
        "    return 0\n"
        "stopping.run(hang)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=ENVIRONMENT, timeout=60, check=False)
    assert ended.returncode == 1
