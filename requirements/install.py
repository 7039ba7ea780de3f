"""Fills the virtual environment it runs in from the hashed locks beside it; needs nothing but pip."""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

LOCKS = Path(__file__).parent
PROJECT = LOCKS.parent
BIN = Path(sys.prefix) / "bin"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]

# uv does not read pip's configuration. Where pip is pointed at a mirror, or kept offline, uv has to follow.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
}


def main() -> None:
    """Install uv, then every locked package, then the project itself, editable."""
    run([*PIP, "install", "-qq", "--require-hashes", "-r", str(LOCKS / "uv.txt")])
    locks = [str(LOCKS / "build.txt"), str(LOCKS / "dev.txt")]
    try:
        run([str(BIN / "uv"), "pip", "sync", "--quiet", "--require-hashes", *locks], uv_environment())
    except subprocess.CalledProcessError:
        # The same locks, only slower: pip knows proxies and configurations that uv does not.
        wanted = [word for lock in locks for word in ("-r", lock)]
        run([*PIP, "install", "-qq", "--require-hashes", *wanted])
    run([*PIP, "install", "-qq", "--no-deps", "--no-index", "--no-build-isolation", "-e", str(PROJECT)])


def run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    """Run one step; what it prints is the explanation when it fails."""
    inside = {"VIRTUAL_ENV": sys.prefix, "PYTHONNOUSERSITE": "1"}
    subprocess.run(command, check=True, cwd=PROJECT, env={**(environment or os.environ), **inside})


def uv_environment() -> dict[str, str]:
    """Our environment, with pip's configuration in uv's words where uv has none of its own."""
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=False).stdout
    return {**from_pip(listed), **os.environ}


def from_pip(listed: str) -> dict[str, str]:
    """Read `pip config list`, lines like `global.index-url='...'` and `:env:.index-url='...'`, for uv."""
    found: dict[str, str] = {}
    # What the environment says comes last, so that it wins.
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        key, _, value = line.partition("=")
        if name := UV_NAMES.get(key.rpartition(".")[2]):
            words = str(ast.literal_eval(value)).split()
            found[name] = ("," if name == "UV_FIND_LINKS" else " ").join(words)
    if "UV_INDEX" in found:
        # Every file is pinned by its hash, so it does not matter which index it comes from.
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return found


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"Installing failed at: {' '.join(map(str, error.cmd))}")
