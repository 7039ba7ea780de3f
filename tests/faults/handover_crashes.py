"""Hands a session's work over, killed after every call of git that changes something, and then once more.

Run as a program of its own: python -m tests.faults.handover_crashes FOLDER URL TOKEN
It prints a line of JSON for each death: which call it was, how it began, and how the second life ended.
"""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

from core.activities import Author
from core.ids import SessionId
from core.ports import GitAccess
from core.workspace.clone import Workspaces
from core.workspace.commit import commit
from core.workspace.handover import take_over
from core.workspace.humans import Conflict, bring_in
from core.workspace.message import by
from core.workspace.outcomes import LeaseLost, Pushed
from core.workspace.push import push

ROUNDS = 4
# What follows anything else finds things as the call before it did.
_CHANGES = {"add", "clone", "commit-tree", "fetch", "init", "merge-tree", "push", "read-tree", "update-ref"}
# The number of this call of git; whoever made the one that is meant dies of it.
_KILLER = """\
#!/bin/sh
echo "$*" >> {calls}
test -e {deadly} && test "$(wc -l < {calls})" -ge "$(cat {deadly})" && {{ kill -9 $PPID; exit 1; }}
exec {git} "$@"
"""


class Play:
    """One session after the other; each has a branch that a person pushed to before."""

    def __init__(self, folder: Path, access: GitAccess) -> None:
        self._folder = folder
        self._access = access
        self._calls, self._deadly = folder / "calls", folder / "deadly"
        programs = folder / "programs"
        programs.mkdir()
        git = shutil.which("git")
        script = _KILLER.format(calls=self._calls, deadly=self._deadly, git=git)
        (programs / "git").write_text(script)
        (programs / "git").chmod(0o755)
        os.environ["PATH"] = f"{programs}:{os.environ['PATH']}"

    def life(self, number: int, *, dies_at: int | None) -> int:
        """Run the whole thing in a process of its own; its exit code, -9 if it was killed."""
        child = os.fork()
        if child == 0:
            try:
                asyncio.run(self._hand_over(number, dies_at))
            except BaseException as error:
                sys.stderr.write(f"{number}: {error!r}\n")
                os._exit(1)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def calls(self) -> list[str]:
        """Of the last life, with what they were given."""
        return self._calls.read_text().splitlines()

    async def _hand_over(self, number: int, dies_at: int | None) -> None:
        """What the service does at the end of a turn, as often as it takes."""
        self._deadly.unlink(missing_ok=True)
        branch = f"fix-{number}"

        async def access() -> GitAccess:
            return self._access

        workspaces = Workspaces(self._folder / "data")
        workspace = await workspaces.prepare(SessionId(branch), "acme/shop", "main", branch, access=access)
        if not (workspace.path / "ours.py").exists():
            (workspace.path / "ours.py").write_text("ours\n")
        self._calls.write_text("")
        if dies_at is not None:
            self._deadly.write_text(str(dies_at))
        await commit(workspace, "Ours", by(Author("slack", "U1", "Ann", "ann@acme.test")))
        expect = None
        for _ in range(ROUNDS):
            handover = await take_over(workspace, workspace.host_git.parent / "handover.git")
            outcome = await push(
                handover, access=self._access, branch=branch, expect=expect, forbidden=["main"]
            )
            match outcome:
                case Pushed():
                    return
                case LeaseLost(head=str(head)):
                    united = await bring_in(workspace, head, access=self._access)
                    assert not isinstance(united, Conflict)
                    expect = head
                case other:
                    raise AssertionError(other)
        raise AssertionError("it goes round in circles")


def main() -> None:
    folder, url, token = sys.argv[1:]
    play = Play(Path(folder), GitAccess(url, "x-access-token", token))
    assert play.life(1, dies_at=None) == 0
    changed = [_CHANGES & set(call.split()) for call in play.calls()]
    deaths = [number + 1 for number, verbs in enumerate(changed, 1) if verbs]
    for session, dies_at in enumerate(deaths, 2):
        first = play.life(session, dies_at=dies_at)
        died_after = sorted(changed[dies_at - 2])
        second = play.life(session, dies_at=None)
        life = {"session": session, "died_after": died_after, "first": first, "second": second}
        sys.stdout.write(f"{json.dumps(life)}\n")


if __name__ == "__main__":
    main()
