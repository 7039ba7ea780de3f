"""What became of a push, read from what git printed. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

WORDS_CHARS = 600

_STATUS = re.compile(r"^([ *+=!-])\t(\S+):(\S+)\t(.*)$", re.MULTILINE)
_REMOTE = re.compile(r"^remote: ?(.*)$", re.MULTILINE)
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
_CODE = re.compile(r"(?:error|code):? (40[0134])\b")
_NO_ENTRY = ("authentication failed", "could not read username", "could not read password", "not found")
_PROTECTED = ("protected branch", "gh006", "gh013", "repository rule", "not allowed to push", "protected")
_READ_ONLY = ("permission to", "write access", "read-only", "denied to", "archived", "not authorized")


class Refusal(StrEnum):
    """Why a host said no, as far as it can be told from its words."""

    PROTECTED = "protected"
    WORKFLOWS = "workflows"
    ACCESS = "access"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Pushed:
    """The branch is at `head` now. `was_there`: an earlier push had brought it there already."""

    head: str
    was_there: bool = False


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """Somebody else moved the branch; it is at `head`, None if it is gone. Nothing was pushed."""

    head: str | None


@dataclass(frozen=True, slots=True)
class RefusedByHost:
    """The host said no, and will again; `words` are its own, safe to show."""

    words: str
    why: Refusal = Refusal.OTHER


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Nobody answered, however often we asked. `maybe_done`: it may be there; pushing again finds out."""

    words: str
    maybe_done: bool = False


Outcome = Pushed | LeaseLost | RefusedByHost | Unreachable


@dataclass(frozen=True, slots=True)
class Stale:
    """The branch was not where it was expected; where it is has to be asked."""


def read_push(code: int, out: str, err: str, head: str) -> Pushed | Stale | RefusedByHost | Unreachable:
    """What `git push --porcelain` of one branch did.

    Args:
        code: Its exit code.
        out, err: What it printed.
        head: The commit that was pushed.
    """
    told = _STATUS.search(out)
    if told is None:
        return _without_answer(code, err)
    flag, summary = told[1], told[4]
    if flag == "=":
        return Pushed(head, was_there=True)
    if flag in " *+" and code == 0:
        return Pushed(head)
    if "(stale info)" in summary or "(fetch first)" in summary or "(non-fast-forward)" in summary:
        return Stale()
    reason = summary.partition("(")[2].rpartition(")")[0]
    # Somebody was faster by a moment: the host itself compared.
    if "cannot lock ref" in f"{reason} {err}".lower() or "reference already exists" in reason:
        return Stale()
    words = [line for line in (reason, *_REMOTE.findall(err)) if line.strip()]
    if flag == "!" and words:
        return RefusedByHost(plain(words), _why(" ".join(words)))
    return Unreachable(plain([summary]), maybe_done=True)


def plain(lines: Sequence[str]) -> str:
    """A host's words in one line, without control characters, at most 600 characters."""
    text = " ".join(_TERMINAL.sub("", line) for line in lines)
    shown = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(shown.split())[:WORDS_CHARS]


def _without_answer(code: int, err: str) -> RefusedByHost | Unreachable:
    """git did not come as far as the branch: it was not let in, or nobody was there."""
    lines = [line for line in err.splitlines() if line.strip()]
    remote = _REMOTE.findall(err)
    fatal = [line.removeprefix("fatal: ") for line in lines if line.startswith("fatal: ")]
    words = plain([*remote, *(fatal or lines[-1:])]) or f"git ended with {code}"
    lower = err.lower()
    if _CODE.search(lower) or any(sign in lower for sign in _NO_ENTRY):
        return RefusedByHost(words, Refusal.ACCESS)
    return Unreachable(words, maybe_done=True)


def _why(words: str) -> Refusal:
    lower = words.lower()
    if "workflow" in lower:
        return Refusal.WORKFLOWS
    if any(sign in lower for sign in _PROTECTED):
        return Refusal.PROTECTED
    return Refusal.ACCESS if any(sign in lower for sign in _READ_ONLY) else Refusal.OTHER
