"""`octshop-rt run` as a person meets it: the table, a fast second start, a clean stop, one line for each refusal."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from octshop_rt.core.settings import WechatSettings
from tests.house.source import ROOT
from tests.setup.product import ENVIRONMENT, PROGRAM, Product, fetch, free_ports, web_is_built
from tests.setup.rights import run_without_rights


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("product") / "var"
    yield place
    shutil.rmtree(place, ignore_errors=True)


def test_the_first_start_prints_what_to_open_and_ctrl_c_ends_it(data: Path) -> None:  # req 1
    web_is_built()
    product = Product(data)
    product.ready()
    addresses = re.findall(r"http://127\.0\.0\.1:\d+/\S*", product.words)
    pages = [address.split("/")[3] for address in addresses]
    assert pages[:5] == ["shop", "agent", "clerk", "pos", "phone"]
    for address in addresses:
        assert fetch(address)[0] == 200, address
    for word in ("13800000001", "password", "Ctrl-C", str(data)):
        assert word in product.words
    assert fetch(f"http://127.0.0.1:{product.port}/readyz")[0] == 200
    code, seconds = product.stop(signal.SIGINT)
    assert code == 0
    assert seconds <= 10
    assert "Traceback" not in product.words


def test_the_second_start_is_fast_and_refuses_a_third(data: Path) -> None:
    web_is_built()
    product = Product(data)
    seconds = product.ready()
    assert seconds <= 5 * slowness(), f"{seconds:.1f} s"
    refused = again("run", "--data", str(data), "--port", str(free_ports()[0]), "--sandbox-port", str(free_ports()[1]))
    assert_one_line(refused, "in use by another process")
    busy = again("run", "--data", str(data), "--port", str(product.port))
    assert_one_line(busy, f"Port {product.port} is in use")
    looked = again("fsck", "--data", str(data))
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert "0 violations" in looked.stdout
    assert product.stop(signal.SIGTERM)[0] == 0


def test_kill_9_leaves_nothing_and_the_next_start_heals(data: Path) -> None:
    web_is_built()
    product = Product(data)
    product.ready()
    assert product.stop(signal.SIGKILL)[0] == -9
    product = Product(data)
    product.ready()
    assert product.stop(signal.SIGHUP)[0] == 0


def test_two_processes_share_one_installation(data: Path) -> None:
    web_is_built()
    product = Product(data, "--processes", "2")
    product.ready()
    shops = set(re.findall(r"http://127\.0\.0\.1:\d+/shop/", product.words))
    assert len(shops) == 2
    for shop in shops:
        assert fetch(shop)[0] == 200
    code, seconds = product.stop(signal.SIGTERM)
    assert code == 0
    assert seconds <= 10


def slowness() -> float:
    """How much slower than an idle machine this one is now: other tests run beside us."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def again(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *words], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)


def assert_one_line(outcome: subprocess.CompletedProcess[str], words: str) -> None:
    assert outcome.returncode == 2, outcome.stdout + outcome.stderr
    assert words in outcome.stderr
    assert outcome.stderr.count("\n") == 1, outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_refusals_speak_chinese_to_a_chinese_terminal(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        words = ["run", "--data", str(tmp_path), "--port", str(holder.getsockname()[1])]
        outcome = subprocess.run(
            [*PROGRAM, *words], cwd=ROOT, env={**ENVIRONMENT, "LC_ALL": "zh_CN.UTF-8"}, capture_output=True, text=True
        )
    assert_one_line(outcome, "已被占用")


def test_a_bad_settings_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[http]\nprot = 1\n")
    assert_one_line(again("serve", "--config", str(tmp_path / "a.toml")), "prot")
    (tmp_path / "b.toml").write_text("[http\n")
    assert_one_line(again("serve", "--config", str(tmp_path / "b.toml")), "not TOML")
    (tmp_path / "c.toml").write_text('[sandbox]\nurl = "http://127.0.0.1:1"\n[mongo]\nuri = "mongodb://127.0.0.1:1"\n')
    assert_one_line(again("serve", "--config", str(tmp_path / "c.toml")), "refused in production")
    assert_one_line(again("serve"), "mongo.uri")


def as_nobody(*words: str) -> subprocess.CompletedProcess[str]:
    """The command line as a user without rights."""
    return run_without_rights([*PROGRAM, *words], cwd=ROOT, env=ENVIRONMENT)


def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
    web_is_built()
    port, sandbox_port = free_ports()
    place = tmp_path / "locked"
    place.mkdir(mode=0o555)
    where = ("--data", str(place / "var"), "--port", str(port), "--sandbox-port", str(sandbox_port))
    assert_one_line(as_nobody("run", *where), "Cannot write the data folder")


def test_a_reserved_port_is_one_line(tmp_path: Path) -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if lowest <= 1:
        outcome = as_nobody("serve", "--config", str(settings_for(tmp_path, "203.0.113.7", 8480)))
        assert_one_line(outcome, "Cannot listen on")
        return
    assert_one_line(as_nobody("run", "--data", str(tmp_path), "--port", "1"), "Cannot listen on")


def settings_for(folder: Path, host: str, port: int) -> Path:
    file = folder / "s.toml"
    file.write_text(f'[mongo]\nuri = "mongodb://127.0.0.1:1"\n[http]\nhost = "{host}"\nport = {port}\n')
    file.chmod(0o644)
    folder.chmod(0o755)
    return file


def test_a_really_full_disk_is_one_line(tmp_path: Path) -> None:
    """A small file system of our own; where that needs a right we lack, a user name space gives it."""
    port, sandbox_port = free_ports()
    where = f"--data {tmp_path}/small/var --port {port} --sandbox-port {sandbox_port}"
    script = f"mkdir {tmp_path}/small && mount -t tmpfs -o size=2m none {tmp_path}/small && exec $PROGRAM run {where}"
    outcome = subprocess.run(
        ["unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")), "sh", "-ec", script],
        cwd=ROOT, env={**ENVIRONMENT, "PROGRAM": " ".join(PROGRAM)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert_one_line(outcome, "nearly full")


def test_the_doctor_tells_what_is_unsafe(tmp_path: Path) -> None:
    (tmp_path / "mongo").mkdir()
    secret = tmp_path / "mongo" / "password"
    secret.write_text("x")
    secret.chmod(0o644)
    outcome = again("doctor", "--data", str(tmp_path))
    assert outcome.returncode == 1
    assert "chmod 600" in " ".join(outcome.stdout.split())
    secret.chmod(0o600)
    assert "chmod" not in again("doctor", "--data", str(tmp_path)).stdout
    file = tmp_path / "s.toml"
    file.write_text('[mongo]\nuri = "mongodb://127.0.0.1:1"\n[sandbox]\nurl = "http://x"\n')
    words = " ".join(again("doctor", "--data", str(tmp_path), "--config", str(file)).stdout.split())
    for worry in ("[sandbox] must not be set", "must be an https", "sms.url is not set", "carries no credentials"):
        assert worry in words
    assert "wechat.default is not set" in words  # no account at all: no money
    account = {field.name: "x" for field in msgspec.structs.fields(WechatSettings) if field.required}
    keys = "".join(f'{name} = "{value}"\n' for name, value in account.items())
    for name, bad in (("main", True), ("default", False)):
        file.write_text(f'mode = "test"\n[mongo]\nuri = "mongodb://127.0.0.1:1"\n[wechat.{name}]\n{keys}')
        words = " ".join(again("doctor", "--data", str(tmp_path), "--config", str(file)).stdout.split())
        assert ("wechat.default is not set" in words) is bad, name


def test_the_description_of_the_routes_is_the_committed_one(tmp_path: Path) -> None:
    """The web's types come from static/openapi.json. `make openapi` writes it anew."""
    assert again("openapi", "--to", str(tmp_path / "openapi.json")).returncode == 0
    assert (tmp_path / "openapi.json").read_text() == (ROOT / "static" / "openapi.json").read_text()


def test_a_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    place = tmp_path / "root-secret"
    assert again("secrets", str(place)).returncode == 0
    assert place.stat().st_mode & 0o777 == 0o600
    before = place.read_text()
    assert_one_line(again("secrets", str(place)), "exists already")
    assert place.read_text() == before
