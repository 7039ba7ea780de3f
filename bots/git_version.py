"""Whether the git of this machine can do what pull requests need of it."""

import re
import subprocess
from typing import Final

from bots.linear_access import Misconfigured

NEEDED: Final = (2, 38)
"""The first with `merge-tree --write-tree`."""

_VERSION: Final = re.compile(r"git version (\d{1,6})\.(\d{1,6})", re.ASCII)
_WITHIN_S: Final = 30.0


def need_git() -> None:
    """Blocks for the time that git takes to say its version.

    Raises:
        Misconfigured: It is too old, or there is none.
    """
    try:
        said = subprocess.run(["git", "--version"], capture_output=True, timeout=_WITHIN_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Misconfigured(f"pull requests need git on the PATH: {error}") from error
    if (trouble := trouble_with(said.stdout.decode("utf-8", "replace"))) is not None:
        raise Misconfigured(trouble)


def trouble_with(said: str) -> str | None:
    """Why the git that says this about itself will not do; None if it will."""
    found = _VERSION.match(said)
    if found and (int(found[1]), int(found[2])) >= NEEDED:
        return None
    needed = ".".join(map(str, NEEDED))
    return f"pull requests need git {needed} or newer, and here is “{said.strip()[:60]}”: install a newer git"
