"""Reads what git prints about changes: raw records and patches. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LINK, SUBMODULE, ABSENT = "120000", "160000", "000000"

_RAW = re.compile(rb":(\d{6}) (\d{6}) ([0-9a-f]+) ([0-9a-f]+) ([A-Z])\d*")
_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPED = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_ESCAPES = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13, b'"': 34, b"\\": 92}


@dataclass(frozen=True, slots=True)
class Change:
    """One file in one commit; modes and object ids as git writes them."""

    path: bytes
    old_mode: str
    mode: str
    id: str

    @property
    def is_new(self) -> bool:
        return self.old_mode == ABSENT

    @property
    def is_gone(self) -> bool:
        return self.mode == ABSENT


@dataclass(frozen=True, slots=True)
class Added:
    """Lines that a patch adds to one file, each with its number in the file."""

    path: bytes
    lines: tuple[tuple[int, str], ...]


def changes(raw: bytes) -> Iterator[Change]:
    """Read what `git log --raw -z --no-abbrev --no-renames --format=` prints."""
    fields = iter(raw.split(b"\0"))
    for record in fields:
        if found := _RAW.fullmatch(record.lstrip(b"\n")):
            old_mode, mode, _, id_, _ = found.groups()
            yield Change(next(fields), old_mode.decode(), mode.decode(), id_.decode())


def added(patch: bytes) -> Iterator[Added]:
    """Read what `git log --patch --unified=0` prints; a file comes once for each commit that adds to it."""
    path, lines = b"", list[tuple[int, str]]()
    number = old_left = new_left = 0
    for line in patch.split(b"\n"):
        if old_left or new_left:
            # Counted, because what is in a file may look like a header.
            if line.startswith(b"+"):
                lines.append((number, line[1:].decode(errors="replace")))
                number, new_left = number + 1, new_left - 1
            elif line.startswith(b"-"):
                old_left -= 1
        elif line.startswith(b"@@ "):
            old_left, number, new_left = _hunk(line)
        elif line.startswith((b"diff ", b"+++ ")):
            if lines:
                yield Added(path, tuple(lines))
            lines = []
            path = _path(line[4:]) if line.startswith(b"+++ ") else b""
    if lines:
        yield Added(path, tuple(lines))


def _hunk(line: bytes) -> tuple[int, int, int]:
    """Lines taken away, number of the first one added, and how many are."""
    found = _HUNK.match(line.decode(errors="replace"))
    if found is None:
        raise ValueError("git printed a patch that is none")
    old, start, new = found.groups()
    return int(old or 1), int(start), int(new or 1)


def _path(name: bytes) -> bytes:
    """The file that a patch's `+++` line names, without git's quotes."""
    name = name.removesuffix(b"\t")
    if name.startswith(b'"') and name.endswith(b'"'):
        name = _ESCAPED.sub(_unescape, name[1:-1])
    return name.removeprefix(b"b/")


def _unescape(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return bytes([_ESCAPES[code] if code in _ESCAPES else int(code, 8) & 0xFF])
