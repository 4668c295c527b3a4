"""Style, types and warnings are fences too: each tool, with this project's settings, is seen red on a bad file."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.source import ROOT

BIN = Path(sys.executable).parent


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty project with our settings."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "octshop_rt").mkdir()
    (tmp_path / "tests").mkdir()
    return tmp_path


def run(place: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=place, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("F401", '"""Imports too much."""\n\nimport os\n'),
        ("ANN201", '"""No types."""\n\n\ndef f():\n    return 1\n'),
        ("T201", '"""Talks to nobody."""\n\nprint("here")\n'),
        ("S608", '"""Builds a query."""\n\n\ndef f(x: str) -> str:\n    return f"SELECT * FROM t WHERE a = {x}"\n'),
        ("ASYNC251", '"""Blocks the loop."""\n\nimport time\n\n\nasync def f() -> None:\n    time.sleep(1)\n'),
        ("E501", '"""Too wide."""\n\nx = "' + "a" * 120 + '"\n'),
    ],
)
def test_style_is_red(place: Path, code: str, text: str) -> None:
    (place / "octshop_rt" / "bad.py").write_text(text)
    outcome = run(place, BIN / "ruff", "check", "--output-format", "concise", "--no-cache")
    assert outcome.returncode == 1
    assert code in outcome.stdout


def test_format_is_red(place: Path) -> None:
    (place / "octshop_rt" / "bad.py").write_text('"""Not formatted."""\nx={ "a":1 }\n')
    assert run(place, BIN / "ruff", "format", "--check", "--no-cache").returncode == 1


def test_types_are_red(place: Path) -> None:
    (place / "octshop_rt" / "bad.py").write_text(
        '"""Wrong."""\n\n\ndef wrong() -> int:\n    return "1"\n\n\ndef leak(rows: list):\n    return rows[0].price\n'
    )
    (place / ".venv").symlink_to(BIN.parent)
    outcome = run(place, BIN / "basedpyright", "octshop_rt")
    assert outcome.returncode == 1
    assert "reportReturnType" in outcome.stdout
    assert "reportUnknownMemberType" in outcome.stdout


def test_a_warning_is_red(place: Path) -> None:
    (place / "tests" / "test_warns.py").write_text(
        '"""Warns."""\n\nimport warnings\n\n\ndef test_warns() -> None:\n    warnings.warn("old", DeprecationWarning)\n'
    )
    outcome = run(place, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert outcome.returncode == 1
    assert "DeprecationWarning: old" in outcome.stdout


def test_a_forgotten_coroutine_is_red(place: Path) -> None:
    (place / "tests" / "test_forgets.py").write_text(
        '"""Forgets."""\n\nimport asyncio\n\n\nasync def test_forgets() -> None:\n    asyncio.sleep(0)\n'
    )
    outcome = run(place, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert outcome.returncode == 1
    assert "never awaited" in outcome.stdout


def test_every_exception_to_a_rule_has_a_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(("ignore = [", '"tests/**" = [', '"octshop_rt/', '"loadtests/**" = [', '"scripts/**" = [')):
            inside = True
        elif line.startswith("]"):
            inside = False
        elif inside and line.strip() and not line.strip().startswith("#"):
            assert "#" in line, f"pyproject.toml:{number}: an exception without a reason"
    settings = tomllib.loads(text)["tool"]
    assert settings["ruff"]["lint"]["select"] == ["ALL"]
    assert settings["basedpyright"]["typeCheckingMode"] == "strict"
    assert settings["pytest"]["ini_options"]["filterwarnings"][0] == "error"
