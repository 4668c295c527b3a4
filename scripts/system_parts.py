"""Brings the system parts that tests need and pip cannot give: Chromium, a Chinese font, libzbar0; by apt-get as root.

Without root it changes nothing: the test that needs a missing part fails and says the command.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys


def missing() -> list[str]:
    """Debian packages of the parts that are not here."""
    packages: list[str] = []
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        packages.append("chromium")
    if ctypes.util.find_library("zbar") is None:
        packages.append("libzbar0")
    fonts = shutil.which("fc-list")
    if fonts is None or not subprocess.run([fonts, ":lang=zh"], capture_output=True, check=False).stdout.strip():
        packages += ["fontconfig", "fonts-wqy-microhei"]
    return packages


def main() -> int:
    """Install what is missing where that is allowed; never an obstacle by itself."""
    packages = missing()
    if not packages:
        return 0
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"octshop-rt: tests need parts that are not here. Run as root: {' '.join(command)}", file=sys.stderr)
        return 0
    print(f"octshop-rt: installing {', '.join(packages)} …", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "--quiet"], env=environment, capture_output=True, check=False)
    outcome = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if outcome.returncode:
        print(f"octshop-rt: {' '.join(command)} failed: {outcome.stderr[-800:]}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
