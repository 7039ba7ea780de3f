"""Keeps one agent's command line and ends its whole process tree; a program with the standard library only.

Started as `python -I -S supervisor.py ARGUMENTS...`. Its environment says what to do:

- `THREADLINE_PASS`: names of the variables to keep, comma-separated. It restarts itself with these alone,
  so that not even /proc shows what its parent's environment held.
- `THREADLINE_CLI`: the program to run with the arguments.
- `THREADLINE_OWNER`: process id of the owner; when it is gone, so is everything here.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

PASS = "THREADLINE_PASS"
CLI = "THREADLINE_CLI"
OWNER = "THREADLINE_OWNER"

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOOK_S = 1.0
_PAUSE_S = 0.005
_WAKE = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_PROC = Path("/proc")


def main(arguments: list[str]) -> int:
    if PASS in os.environ:
        _restart_clean(arguments)
    owner, cli = int(os.environ.pop(OWNER)), os.environ.pop(CLI)
    # Blocked, so that none of them is lost between two looks.
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAKE)
    linux = _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # Death of the thread that started us looks the same; the loop asks whether the owner really died.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGHUP)
    # Elsewhere a group of its own is the best there is to find what it started.
    child = subprocess.Popen([cli, *arguments], preexec_fn=_die_with_parent, start_new_session=not linux)
    _wait(child, owner)
    return _end(child)


def _restart_clean(arguments: list[str]) -> None:
    names = os.environ[PASS].split(",")
    kept = {name: os.environ[name] for name in [*names, CLI, OWNER] if name in os.environ}
    os.execve(sys.executable, [sys.executable, "-I", "-S", __file__, *arguments], kept)


def _prctl(option: int, value: int) -> bool:
    """False on platforms without it."""
    with suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
    return False


def _die_with_parent() -> None:
    """Runs in the new child: should the supervisor itself be killed, the agent goes with it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAKE)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(child: subprocess.Popen[bytes], owner: int) -> None:
    """Until the child ended, the owner is gone, or we are told to end."""
    while child.poll() is None and os.getppid() == owner:
        woken = _next_signal()
        if woken in (signal.SIGTERM, signal.SIGINT):
            return


def _next_signal() -> int | None:
    if not hasattr(signal, "sigtimedwait"):
        time.sleep(_PAUSE_S * 20)  # Without it (macOS) a pending SIGTERM is looked up instead.
        pending = signal.sigpending() & {signal.SIGTERM, signal.SIGINT}
        return next(iter(pending), None)
    info = signal.sigtimedwait(_WAKE, _LOOK_S)
    return info.si_signo if info is not None else None


def _end(child: subprocess.Popen[bytes]) -> int:
    """Kill everything below us, until nothing is left; the child's exit code, as a shell would say it."""
    while True:
        _kill_below(child)
        child.poll()
        if _none_left(child):
            break
        time.sleep(_PAUSE_S)
    code = child.wait()
    return 128 - code if code < 0 else code


def _none_left(child: subprocess.Popen[bytes]) -> bool:
    """Collect orphans that became ours; true when there is no child of any kind."""
    if child.returncode is None:
        return False
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            return False


def _kill_below(child: subprocess.Popen[bytes]) -> None:
    if not _PROC.is_dir():
        with suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        return
    children = _children()
    below, unseen = set[int](), [os.getpid()]
    while unseen:
        found = children[unseen.pop()]
        unseen += found
        below.update(found)
    for pid in below:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _children() -> defaultdict[int, list[int]]:
    """Parent -> children, of all processes there are."""
    children = defaultdict[int, list[int]](list)
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                # The name in parentheses may hold spaces; state and parent follow it.
                parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
                children[int(parent)].append(int(entry.name))
    return children


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
