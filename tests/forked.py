"""Starts `threadline serve` as a process of its own without importing everything anew.

A fork server has the command imported and forks it: the process, its signals and its death are as real as
those of the script, which `test_cli` and `test_serve` start. The suite starts it some hundreds of times.
"""

import gc
import multiprocessing
import os
import random
import sys
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path

HASTE = 20.0
"""How much faster the service talks than platforms allow and people read; the stand-ins are told to allow it.

What one scenario had used up of a workspace's quota, the next ones would wait for. The pace itself is tested
with clocks that tests turn, and in `make bench` on stand-ins that do refuse.
"""

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.forked_imports"])


class Forked:
    """Implements `playground.stage.Service`."""

    def __init__(self, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self._process: ForkServerProcess = _CONTEXT.Process(
            target=_serve, args=(str(folder), dict(environment), str(log)), daemon=True
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        """The exit code once it is over; a signal that ended it as a negative number."""
        return self._process.exitcode

    def send_signal(self, sign: int) -> None:
        if self._process.exitcode is None:
            os.kill(self.pid, sign)

    def wait(self) -> int:
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode


def _serve(folder: str, environment: dict[str, str], log: str) -> None:
    from bots.__main__ import main

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    nothing = os.open(os.devnull, os.O_RDONLY)
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for fd, new in ((0, nothing), (1, said), (2, said)):
        os.dup2(new, fd)
    _hasten()
    sys.argv = ["threadline", "serve"]
    random.seed()
    gc.enable()
    sys.exit(main())


def _hasten() -> None:
    from bots import chats
    from bots.teams import limits
    from core.mirror import chat_sink
    from core.mirror.budget import Limit
    from github import pace

    def faster(limit: Limit) -> Limit:
        longer = faster(limit.longer) if limit.longer else None
        return replace(limit, capacity=HASTE * limit.capacity, per_s=HASTE * limit.per_s, longer=longer)

    for module, name in ((chats, "SLACK_LIMITS"), (limits, "TEAMS_LIMITS")):
        setattr(module, name, {cost: faster(limit) for cost, limit in getattr(module, name).items()})
    pace.WRITE_GAP_S /= HASTE
    chat_sink.CARD_INTERVAL_S /= HASTE
