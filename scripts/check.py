"""`make check`: style, types, import contracts and house rules side by side; prints what failed and the seconds.

With `--all`, as `make test` calls it, the types of the tests too; they cost as much as those of the product.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
# pytest without what these tests do not use: half of its start is plugins.
UNUSED = ("cacheprovider", "hypothesispytest", "schemathesis", "xdist")
PLAIN = [word for name in UNUSED for word in ("-p", f"no:{name}")]
CHECKS: dict[str, list[str]] = {
    "types": [str(BIN / "basedpyright"), "--warnings", *([] if "--all" in sys.argv else ["octshop_rt", "scripts"])],
    "style": [str(BIN / "ruff"), "check", "--quiet"],
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet"],
    "imports": [str(BIN / "lint-imports")],
    # That each fence can be red is proved in `make test`; here the tree itself is looked at.
    "house": [sys.executable, "-m", "pytest", "-q", *PLAIN, "-k", "not red", "tests/house"],
}


def run(name: str) -> tuple[str, int, float, str]:
    """One check: its name, exit code, seconds and words."""
    started = time.monotonic()
    outcome = subprocess.run(CHECKS[name], cwd=ROOT, capture_output=True, text=True, check=False)
    return name, outcome.returncode, time.monotonic() - started, outcome.stdout + outcome.stderr


def main() -> int:
    """0 when all are green."""
    bad = 0
    with ThreadPoolExecutor(2) as pool:  # the types take one core, the rest another
        for name, code, seconds, words in pool.map(run, CHECKS):
            if code:
                bad += 1
                print(f"--- {name} ---\n{words.strip()}\n")
            print(f"{'ok ' if code == 0 else 'BAD'} {name:8} {seconds:5.1f} s", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
