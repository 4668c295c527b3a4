"""The import contracts hold for the real tree, and each of them is seen red after one wrong import in a copy of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.source import PROGRAM, ROOT

CONTRACTS = {
    contract["id"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}

# contract -> (module that sins, its sin). A module that is not there is made, which an exhaustive contract must notice.
BROKEN: dict[str, list[tuple[str, str]]] = {
    "house": [
        ("core/clock.py", "import octshop_rt.commerce"),
        ("im/wire/__init__.py", "import octshop_rt.commerce.pricing"),
        ("commerce/pricing/__init__.py", "import octshop_rt.verify"),
        ("events.py", "import octshop_rt.commerce.order"),
        ("newroom.py", ""),
    ],
    "commerce": [
        ("commerce/pricing/__init__.py", "import octshop_rt.commerce.order"),
        ("commerce/payment/__init__.py", "import octshop_rt.commerce.order"),
        ("commerce/catalog/__init__.py", "import octshop_rt.commerce.inventory"),
        ("commerce/newdomain.py", ""),
    ],
    "im": [
        ("im/wire/__init__.py", "import octshop_rt.im.conversation"),
        ("im/newpart.py", ""),
    ],
    "verify": [
        ("verify/token.py", "import octshop_rt.verify.service"),
        ("verify/newpart.py", ""),
    ],
    "domain": [
        ("commerce/order/model.py", "import octshop_rt.commerce.order.store"),
        ("commerce/order/rules.py", "import octshop_rt.commerce.order.service"),
        ("commerce/order/store.py", "import octshop_rt.commerce.order.rules"),
    ],
    "pure": [
        ("commerce/order/model.py", "import asyncio"),
        ("commerce/order/rules.py", "import octshop_rt.core.mongo"),
        ("commerce/catalog/model.py", "import aiohttp"),
        ("im/session.py", "import asyncio"),
        ("im/wire/codec.py", "import time"),
        ("verify/token.py", "from octshop_rt.core.mongo import Database"),
    ],
    "mongo": [
        ("commerce/order/service.py", "import pymongo"),
        ("verify/service.py", "from pymongo import errors"),
    ],
    "drivers": [
        ("commerce/order/store.py", "import bson"),
        ("core/outbox.py", "import motor"),
    ],
    "redis": [
        ("im/hub.py", "import redis"),
        ("commerce/order/service.py", "from redis import asyncio"),
    ],
    "simulators": [
        ("commerce/payment/__init__.py", "import octshop_rt.sandbox"),
        ("verify/__init__.py", "import octshop_rt.embedded"),
    ],
    "cycles": [
        ("core/errors.py", "import octshop_rt.core.mongo"),
    ],
}


def lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [program, "--no-cache", *arguments], cwd=folder, capture_output=True, text=True, env={"COLUMNS": "120"}
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The program and its contracts, to be spoiled."""
    shutil.copytree(ROOT / PROGRAM, tmp_path / PROGRAM, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_tree_keeps_every_contract() -> None:
    outcome = lint(ROOT)
    assert outcome.returncode == 0, outcome.stdout[-4000:] + outcome.stderr


@pytest.mark.parametrize(
    ("contract", "place", "sin"), [(one, *case) for one, cases in BROKEN.items() for case in cases]
)
def test_the_contract_is_red_when_broken(copy: Path, contract: str, place: str, sin: str) -> None:
    module = copy / PROGRAM / place
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text((module.read_text() if module.exists() else '"""New."""\n') + f"\n{sin}\n")
    outcome = lint(copy, "--contract", contract)
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    assert "0 kept, 1 broken" in outcome.stdout, outcome.stdout + outcome.stderr


def test_every_contract_has_been_broken_on_purpose() -> None:
    assert set(BROKEN) == CONTRACTS
