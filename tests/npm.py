"""Programs of others from npm: what a lock pins, installed once below `build/` for all tests that need it."""

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, NoReturn

import pytest

CACHE: Final = Path(__file__).parents[1] / "build" / "npm"
INSTALL_WITHIN_S: Final = 100.0

_DESCRIBED: Final = ("package.json", "package-lock.json")
_INSTALL: Final = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def installed(package: Path, *, within_s: float = INSTALL_WITHIN_S) -> Path:
    """A folder with the packages that the lock in `package` names, and our scripts beside them.

    Without node, npm or a registry the test is skipped; see `missing`.
    """
    if not (shutil.which("node") and shutil.which("npm")):
        missing("node and npm are needed")
    lock = (package / "package-lock.json").read_bytes()
    folder = CACHE / f"{package.name}-{sha256(lock).hexdigest()[:16]}"
    if not folder.exists():
        _install(package, folder, within_s)
    for script in (*package.glob("*.mjs"), *package.glob("*.cjs")):
        _replace(script, folder / script.name)
    return folder


def missing(what: str) -> NoReturn:
    """Skip the test; where the environment variable CI is set, fail it: there nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def settle(fresh: Path, folder: Path) -> None:
    """Give a folder its final name, unless another process of tests was quicker with the same."""
    try:
        fresh.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        shutil.rmtree(fresh)


def _install(package: Path, folder: Path, within_s: float) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = Path(mkdtemp(dir=CACHE))
    for name in _DESCRIBED:
        shutil.copy(package / name, fresh)
    try:
        subprocess.run(_INSTALL, cwd=fresh, check=True, capture_output=True, timeout=within_s)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        shutil.rmtree(fresh)
        missing(f"npm could not install what {package.name} names: {error}\n{(error.stderr or b'').decode()}")
    settle(fresh, folder)


def _replace(script: Path, installed: Path) -> None:
    """Whole at any moment: another process of tests may run it now."""
    fresh = installed.with_suffix(f".{os.getpid()}")
    shutil.copy(script, fresh)
    fresh.replace(installed)
