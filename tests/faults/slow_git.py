"""A git that can be made to hang while it fetches."""

import os
import shutil
from pathlib import Path

_SCRIPT = """\
#!/bin/sh
case " $* " in
*" fetch "*|*" clone "*)
    test -e {slow} && touch {reached}
    while test -e {slow}; do sleep 0.05; done
esac
exec {git} "$@"
"""


def slow_git(folder: Path) -> dict[str, str | None]:
    """Settings for a service whose git waits while `slow` is in `folder`, and makes `reached` meanwhile."""
    git = shutil.which("git")
    assert git, "git is needed"
    programs = folder / "programs"
    programs.mkdir()
    script = programs / "git"
    script.write_text(_SCRIPT.format(slow=folder / "slow", reached=folder / "reached", git=git))
    script.chmod(0o755)
    return {"PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}"}
