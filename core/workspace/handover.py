"""Takes a session's commits over into a clean repository of ours, and checks whether they may leave."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import WorkspaceError
from core.redact import Redactor
from core.workspace.clone import Workspace
from core.workspace.git import git, git_bytes, is_ancestor
from core.workspace.host import ACCEPTED, REFUSED, Marks, marks, set_refs
from core.workspace.message import OURS
from core.workspace.names import Flag, shown
from core.workspace.patches import added, changes
from core.workspace.rules import Contents, HandoverLimits, flags, problems, too_big
from core.workspace.secrets import secrets_in, secrets_in_names

_LIMITS = HandoverLimits()
_REDACT = Redactor()
# What old repositories are full of, and what harms nobody.
_HARMLESS = ("zeroPaddedFilemode", "badTimezone", "missingSpaceBeforeDate", "missingNameBeforeEmail")
_CHECKS = ("transfer.fsckObjects=true", *(f"fetch.fsck.{flaw}=ignore" for flaw in _HARMLESS))
_STRICT = tuple(part for check in _CHECKS for part in ("-c", check))
# No program that a repository names looks at what is compared.
_PLAIN = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames")


class HandoverRefused(WorkspaceError):
    """The commits may not leave; `problems` and `last_line` are sentences for people, and name no secret."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("the commits may not leave", last_line=" ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Commits that may leave, in a repository that holds nothing else.

    Attributes:
        repository: Bare and ours; the agent never had a hand in it.
        branch: The session's branch, which is there under its own name.
        head, base: Its newest commit, and the one that its change is counted from.
        commits: How many of them are new: not on the base, and not at the code host as far as we know.
        files, insertions, deletions: What the branch changes since its base.
        paths: Of the changed files, as people may read them.
        flags: What of it deserves a second look.
    """

    repository: Path
    branch: str
    head: str
    base: str
    commits: int
    files: int
    insertions: int
    deletions: int
    paths: tuple[str, ...]
    flags: tuple[Flag, ...]


async def take_over(
    workspace: Workspace,
    into: Path,
    *,
    redact: Callable[[str], str] = _REDACT,
    limits: HandoverLimits = _LIMITS,
) -> Handover:
    """Copy the session's branch from our own git folder into a new repository at `into`, and check it.

    What an earlier attempt left at `into` is deleted. The next `commit` replaces what may not leave.

    Args:
        redact: Takes the exact values of secrets out of a text; what it finds in the commits may not leave.

    Raises:
        HandoverRefused: They may not leave, and why.
        WorkspaceError: git could not do it; one of the objects may be malformed.
    """
    known = await marks(workspace)
    await _copy(workspace, into)
    contents = await _contents(into, known)
    found = too_big(contents, limits)
    if not found:
        contents = await _read(into, contents, redact)
        found = problems(contents)
    if found:
        await set_refs(workspace, {REFUSED: known.head})
        raise HandoverRefused(found)
    await set_refs(workspace, {ACCEPTED: known.head, REFUSED: ""})
    return await _handover(workspace, into, known, contents)


async def _copy(workspace: Workspace, into: Path) -> None:
    """Only what the repository's cache has not got is copied, and every object of it is checked."""
    await asyncio.to_thread(shutil.rmtree, into, ignore_errors=True)
    await git("init", "--quiet", "--bare", "--template=", into)
    alternates = Path("objects") / "info" / "alternates"
    await asyncio.to_thread(shutil.copyfile, workspace.host_git / alternates, into / alternates)
    branch = f"refs/heads/{workspace.branch}"
    quiet = ("--quiet", "--no-tags", "--no-write-fetch-head", "--end-of-options")
    await git("--git-dir", into, *_STRICT, "fetch", *quiet, workspace.host_git, f"{branch}:{branch}")


async def _contents(into: Path, known: Marks) -> Contents:
    """What is new, by names and sizes only."""
    new = (known.head, "--not", known.base, *known.known)
    clean = ("--git-dir", into)
    made = (await git(*clean, "log", "--ignore-missing", "-z", "--format=%H%x00%ce", *new)).split("\0")
    commits = list(zip(made[::2], made[1::2], strict=False))
    how = ("--ignore-missing", "--remerge-diff", "--format=", "--raw", "-z", "--no-abbrev", *_PLAIN)
    raw = await git_bytes(*clean, "log", *how, *new)
    ids = await git_bytes(*clean, "rev-list", "--ignore-missing", "--objects", "--no-object-names", *new)
    asked = "--batch-check=%(objecttype) %(objectname) %(objectsize)"
    objects = [line.split() for line in (await git(*clean, "cat-file", asked, stdin=ids)).splitlines()]
    return Contents(
        commits=tuple(sha for sha, _ in commits),
        foreign=tuple(sha for sha, email in commits if sha not in known.made and email != OURS.email),
        descends=await is_ancestor(into, known.base, known.head),
        changes=tuple(changes(raw)),
        sizes={id_: int(size) for kind, id_, size in objects if kind == "blob"},
        until=(known.base, *known.known),
    )


async def _read(into: Path, contents: Contents, redact: Callable[[str], str]) -> Contents:
    """Line by line, commit by commit: what one adds and the next takes away would leave, too."""
    if not contents.commits:
        return contents
    new = (contents.commits[0], "--not", *contents.until)
    how = ("--ignore-missing", "--remerge-diff", "--format=", "--patch", "--unified=0", "--text", *_PLAIN)
    patch = await git_bytes("--git-dir", into, "log", *how, *new)
    merges = await git_bytes("--git-dir", into, "log", "--merges", *how, *new)

    def scan() -> Contents:
        lines = tuple(added(patch))
        names = [one.path for one in contents.changes if one.is_new]
        found = (*secrets_in_names(names, redact), *secrets_in(lines, redact))
        return replace(contents, added=lines, merged=tuple(added(merges)), found=found)

    return await asyncio.to_thread(scan)


async def _handover(workspace: Workspace, into: Path, known: Marks, contents: Contents) -> Handover:
    compared = (*_PLAIN, "--numstat", "-z", known.base, known.head)
    lines = (await git_bytes("--git-dir", into, "diff", *compared)).split(b"\0")
    files = [line.split(b"\t", 2) for line in lines if line]
    return Handover(
        repository=into,
        branch=workspace.branch,
        head=known.head,
        base=known.base,
        commits=len(contents.commits),
        files=len(files),
        insertions=sum(int(more) for more, _, _ in files if more != b"-"),
        deletions=sum(int(less) for _, less, _ in files if less != b"-"),
        paths=tuple(shown(path) for _, _, path in files),
        flags=flags(contents),
    )
