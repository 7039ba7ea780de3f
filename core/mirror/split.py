"""Long Markdown -> parts that each stand alone. Pure.

A part ends at a paragraph or at least at a line; a code fence that it cuts is closed, and opened again in
the next.
"""

import re
from dataclasses import dataclass
from typing import Final

_FENCE: Final = re.compile(r"\s*(`{3,16}(?!`)|~{3,16}(?!~))(.*)")
_NOT_LANGUAGE: Final = re.compile(r"[^\w.+#-]")
_WHOLE: Final = re.compile(
    r"!?\[[^\[\]\n]{0,500}\]\([^()\s]{0,2000}\)"  # A link.
    r"|<[^<>\s]{1,2000}>"
    r"|(?<!`)(?P<ticks>`{1,3})(?!`)[^`\n]{1,2000}(?P=ticks)(?!`)"
    r"|https?://\S{1,2000}"
)
_WHOLE_CHARS: Final = 2_600
"""The longest match of `_WHOLE`."""

_FENCE_CHARS: Final = 24
"""How much of a fence's first line is repeated, of its mark and its language."""


@dataclass(frozen=True, slots=True)
class _Fence:
    mark: str
    language: str

    @property
    def opening(self) -> str:
        return (self.mark + self.language)[:_FENCE_CHARS]


def split_markdown(text: str, limit_chars: int) -> list[str]:
    """Cut `text` into parts of at most `limit_chars` (200 at least), never inside a link or inline code.

    Each part has its fences balanced. Lost are only blank space and line ends at the cuts, and fence lines
    come in addition; a single word, link or code span longer than a part is cut all the same.
    """
    fence_line = _FENCE_CHARS + 1
    builder = _Builder(limit_chars - fence_line)
    for line in text.split("\n"):
        for piece in _pieces(line, limit_chars - 3 * fence_line):
            builder.add(piece)
    return builder.finish()


class _Builder:
    """Collects lines; starts a new part before one would grow beyond `room`."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._parts: list[str] = []
        self._lines: list[str] = []
        self._chars = 0
        self._fence: _Fence | None = None
        self._paragraph: int | None = None  # Index of the newest blank line outside of a fence.

    def add(self, line: str) -> None:
        while self._lines and self._chars + len(line) + 1 > self._room:
            self._cut()
        if not line.strip() and self._fence is None:
            self._paragraph = len(self._lines)
        self._lines.append(line)
        self._chars += len(line) + 1
        self._fence = _fence_after(line, self._fence)

    def finish(self) -> list[str]:
        self._close(self._lines, self._fence)
        return self._parts

    def _cut(self) -> None:
        """End the part at its last paragraph if that leaves it half full, else here."""
        at = self._paragraph
        if at is not None and sum(map(len, self._lines[:at])) * 2 > self._room:
            done, rest = self._lines[:at], self._lines[at + 1 :]
            self._close(done, None)
        else:
            self._close(self._lines, self._fence)
            rest = [self._fence.opening] if self._fence else []
        self._lines, self._chars, self._paragraph = rest, sum(len(line) + 1 for line in rest), None

    def _close(self, lines: list[str], fence: _Fence | None) -> None:
        closing = [fence.mark] if fence else []
        part = "\n".join([*lines, *closing]).strip("\n")
        if part.strip():
            self._parts.append(part)


def _fence_after(line: str, fence: _Fence | None) -> _Fence | None:
    """The fence that is open behind `line`."""
    found = _FENCE.fullmatch(line)
    if found is None:
        return fence
    mark, info = found[1], found[2].strip()
    if fence is None:
        # CommonMark: a backtick fence has no backticks in its info line, else it is inline code.
        return (
            None if mark[0] == "`" and "`" in info else _Fence(mark, _NOT_LANGUAGE.split(info, maxsplit=1)[0])
        )
    closes = mark[0] == fence.mark[0] and len(mark) >= len(fence.mark) and not info
    return None if closes else fence


def _pieces(line: str, room: int) -> list[str]:
    """`line` in pieces of at most `room` characters."""
    pieces: list[str] = []
    while len(line) > room:
        at = _safe_cut(line, room)
        pieces.append(line[:at].rstrip())
        line = line[at:].lstrip()
    return [*pieces, line]


def _safe_cut(line: str, room: int) -> int:
    """The last place to cut `line` at or before `room`: behind a blank, outside of links and code."""
    spans = [found.span() for found in _WHOLE.finditer(line, 0, room + _WHOLE_CHARS)]
    end = next((start for start, stop in spans if 0 < start < room < stop), room)
    blank = end
    while (blank := line.rfind(" ", 1, blank)) > 0:
        if not any(start < blank < stop for start, stop in spans):
            return blank + 1
    return end
