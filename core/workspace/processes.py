"""Processes of agents that outlived their owner: found by a mark in their environment, and killed."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MARK = "THREADLINE_AGENT"
"""Environment variable with the agent session's id; every process that an agent starts inherits it."""

_PROC = Path("/proc")
_ROUNDS = 100
_GRACE_ROUNDS = 50
_PAUSE_S = 0.02


def marked(*agent_sessions: str) -> list[int]:
    """Ids of the living processes that belong to these agent sessions. Empty where there is no /proc."""
    marks = {f"{MARK}={session}".encode() for session in agent_sessions}
    return [pid for pid in _pids() if pid != os.getpid() and marks & _environment(pid)]


def reap_strays(*agent_sessions: str) -> int:
    """Kill every process of these agent sessions, for good, and return how many there were.

    A supervisor that is our own child is told to end first: it also finds what hid its mark. Blocks for
    some milliseconds; for three seconds at most, if one of them cannot die.
    """
    found = set(marked(*agent_sessions))
    for round_ in range(_ROUNDS if found else 0):
        pids = marked(*agent_sessions)
        if not pids:
            break
        found.update(pids)
        for pid in pids:
            _end(pid, gently=round_ < _GRACE_ROUNDS)
        time.sleep(_PAUSE_S)  # They may have had children in the meantime: look again.
    return len(found)


def _end(pid: int, *, gently: bool) -> None:
    kill = signal.SIGTERM if gently and _parent(pid) == os.getpid() else signal.SIGKILL
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, kill)


def _parent(pid: int) -> int | None:
    with suppress(OSError):
        # The name in parentheses may hold spaces; state and parent follow it.
        return int((_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    return None


def _pids() -> Iterator[int]:
    if _PROC.is_dir():
        yield from (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())


def _environment(pid: int) -> set[bytes]:
    """Empty for a process that is gone, a zombie, or another user's."""
    with suppress(OSError):
        return set((_PROC / str(pid) / "environ").read_bytes().split(b"\0"))
    return set()
