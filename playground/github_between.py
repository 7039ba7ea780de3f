"""What git says about two commits of the GitHub stand-in; it is asked once, for they never change."""

from dataclasses import dataclass

from playground import github_git as git
from playground.github_state import Repository


@dataclass(frozen=True, slots=True)
class Facts:
    """What a head changes since it left its base, whether the two merge, and whether it lacks anything."""

    change: git.Change
    conflicts: bool
    is_behind: bool


class Between:
    def __init__(self) -> None:
        self._known: dict[tuple[int, str, str], Facts] = {}

    async def of(self, home: Repository, base: str, head: str) -> Facts:
        known = self._known.get((home.id, base, head))
        if known is None:
            known = Facts(
                await git.change_of(home.folder, base, head),
                await git.conflicts(home.folder, base, head),
                await git.is_behind(home.folder, base, head),
            )
            self._known[home.id, base, head] = known
        return known
