"""Whether commits may leave: what speaks against it, and what deserves a second look. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.workspace.names import Care, Flag, care_for, leads_out, path_problem, shown
from core.workspace.patches import LINK, SUBMODULE, Added, Change
from core.workspace.secrets import Found

_NAMED = 3
_POINTER = "version https://git-lfs.github.com/spec/"
_MARKERS = ("<<<<<<< ", ">>>>>>> ")


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverLimits:
    """How much may leave at once: what the new commits hold, not the repository."""

    total_bytes: int = 100_000_000
    blob_bytes: int = 10_000_000
    files: int = 3_000
    commits: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is about to leave.

    Attributes:
        commits: The new ones, newest first: neither on the base nor made by people at the code host.
        foreign: Those of them that we did not make.
        descends: The newest one stands on the base.
        changes: What the new commits change, file by file; a file comes once for each commit.
        sizes: Bytes of each new file, by the id of its contents.
        until: Where what is new begins: the base, and what people made.
        added: Lines that the new commits add.
        merged: Those that our own merges add to what git makes of them by itself.
        found: Secrets in the added lines, and in the names of new files.
    """

    commits: tuple[str, ...]
    foreign: tuple[str, ...]
    descends: bool
    changes: tuple[Change, ...]
    sizes: Mapping[str, int]
    until: tuple[str, ...] = ()
    added: tuple[Added, ...] = ()
    merged: tuple[Added, ...] = ()
    found: tuple[Found, ...] = ()


def too_big(contents: Contents, limits: HandoverLimits) -> tuple[str, ...]:
    """What speaks against looking any closer; sentences for people."""
    return tuple(_too_big(contents, limits))


def problems(contents: Contents) -> tuple[str, ...]:
    """What speaks against letting it leave; sentences for people, which name no secret."""
    return tuple(_problems(contents))


def flags(contents: Contents) -> tuple[Flag, ...]:
    """What deserves a second look, in order of paths."""
    return tuple(sorted(dict.fromkeys(_flags(contents)), key=lambda flag: flag.path))


def _too_big(contents: Contents, limits: HandoverLimits) -> Iterator[str]:
    files = {change.path for change in contents.changes}
    if not contents.descends:
        yield "The branch no longer stands on the commit it started from."
    if contents.foreign:
        yield f"{_count(contents.foreign, 'commit')} on the branch came from somewhere else."
    if len(contents.commits) > limits.commits:
        yield f"{len(contents.commits):,} commits are more than the {limits.commits:,} allowed at once."
    if len(files) > limits.files:
        yield f"{len(files):,} changed files are more than the {limits.files:,} allowed at once."
    total = sum(contents.sizes.values())
    if total > limits.total_bytes:
        yield f"{_megabytes(total)} of changes are more than the {_megabytes(limits.total_bytes)} allowed."
    big = [one.path for one in contents.changes if contents.sizes.get(one.id, 0) > limits.blob_bytes]
    if big:
        yield f"{_names(big)}: larger than the {_megabytes(limits.blob_bytes)} that a file may have."


def _problems(contents: Contents) -> Iterator[str]:
    odd = {one.path: path_problem(one.path) for one in contents.changes if one.is_new}
    for sentence in dict.fromkeys(filter(None, odd.values())):
        yield f"{_names([path for path, said in odd.items() if said == sentence])}: {sentence}."
    if pointers := list(_pointers(contents)):
        yield f"{_names(pointers)}: large files (Git LFS) cannot be handed over yet."
    if unresolved := [file.path for file in contents.merged if _has_markers(file)]:
        yield f"{_names(unresolved)}: the conflict is not resolved, its markers are still there."
    by_kind: dict[str, list[Found]] = {}
    for one in contents.found:
        by_kind.setdefault(one.kind, []).append(one)
    for kind, found in by_kind.items():
        places = dict.fromkeys(one.place for one in found)
        yield f"{_listed(list(places))}: this looks like a secret ({kind})."


def _flags(contents: Contents) -> Iterator[Flag]:
    for change in contents.changes:
        path = shown(change.path)
        if SUBMODULE in (change.mode, change.old_mode):
            yield Flag(path, Care.SUBMODULE)
            continue
        care = care_for(change.path.decode(errors="replace"))
        if care is not None and (care is not Care.SUBMODULE or change.is_gone):
            yield Flag(path, care)
    links = {change.path for change in contents.changes if change.mode == LINK}
    for file in contents.added:
        name = file.path.decode(errors="replace")
        if file.path in links and any(leads_out(name, target) for _, target in file.lines):
            yield Flag(shown(file.path), Care.LINK)
        if care_for(name) is Care.SUBMODULE:
            yield Flag(shown(file.path), Care.SUBMODULE, ", ".join(_addresses(file)))


def _addresses(file: Added) -> Iterator[str]:
    for _, line in file.lines:
        key, _, value = line.partition("=")
        if key.strip().lower() == "url":
            yield shown(value.strip())


def _pointers(contents: Contents) -> Iterator[bytes]:
    """Files that only name a large one, which is not at the code host yet; a renamed one is."""
    fresh = {change.path for change in contents.changes if change.id in contents.sizes}
    for file in contents.added:
        if file.path in fresh and file.lines[0][1].startswith(_POINTER):
            yield file.path


def _has_markers(file: Added) -> bool:
    return all(any(line.startswith(marker) for _, line in file.lines) for marker in _MARKERS)


def _names(paths: Sequence[bytes]) -> str:
    return _listed([f"`{shown(path)}`" for path in dict.fromkeys(paths)])


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _count(things: Collection[object], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:,.0f} MB"
