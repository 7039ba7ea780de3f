"""What pull requests cost at GitHub: calls counted, not timed. The limits are what was measured."""

import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bots.github_access import REDELIVER_EVERY_S
from core.review.watch import CALM_LOOK_S
from playground.github_state import Pull
from playground.scripts import call
from playground.stage import Stage
from tests.scenarios.conftest import on_stage
from tests.scenarios.pulls import Pulls, connect, opened
from tests.scenarios.scripts import script
from tests.scenarios.thread import WITHIN_S, Thread, new_channel

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEASE_S = 100.0
"""What is looked at now is due again sooner than this, what was looked at and is calm is not."""

LOOK = {"GraphQL": 1, "REST": 2}
"""Facts; rules of the base; who asked for the work and has not linked an account."""

DECIDE = {"GraphQL": 1, "REST": 5}
"""Facts and rules anew; the person's account and permission; who asked, as for a look."""

APPROVE = {"GraphQL": 2, "REST": 2}
"""The head before and after; the reviews, in case it is there; the review."""

MERGE = {"GraphQL": 1, "REST": 1}
"""The merge; what became of it."""

REPORT = {"REST": 2}
"""Our check: the one that is there, and what it says now."""

GIT = """\
#!/bin/sh
echo "$@" >> {log}
exec {git} "$@"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("calls")
    rules = {"reviews": 1, "checks": {"independent-review": 4242}}
    async with on_stage(folder, github=rules, environment=counted_git(folder)) as stage:
        for login in ("ann", "bob", "eve"):
            connect(stage, login, stage.github.person(login, emails=[f"{login}@acme.test"]))
        await stage.serve()
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def thread(stage: Stage) -> AsyncIterator[Thread]:
    """In a channel of its own, with work that no other has merged; afterwards webhooks come again."""
    channel = new_channel(stage)
    writes = {"tools": [call("Write", file_path="CHANGELOG.md", content=f"# Of {channel}\n")]}
    stage.model.play([script(writes, {"text": "The changelog is there."}, match="changelog")])
    yield Thread(stage, channel)
    stage.github.courier.release()


def counted_git(folder: Path) -> dict[str, str | None]:
    """Settings for a service whose every git leaves a line in `git.log`."""
    git = shutil.which("git")
    assert git, "git is needed"
    programs = folder / "programs"
    programs.mkdir()
    (programs / "git").write_text(GIT.format(log=folder / "git.log", git=git))
    (programs / "git").chmod(0o755)
    return {"PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}"}


def gits(stage: Stage) -> int:
    """How often the service has started git."""
    return len((stage.folder / "git.log").read_text().splitlines())


async def settled(stage: Stage) -> None:
    """Until everything that happened is told, looked at and done."""

    async def is_calm() -> bool:
        await stage.github.courier.settled()
        wishes = rows(stage, "SELECT 1 FROM acts WHERE state = 'due'")
        return not wishes and not rows(stage, "SELECT 1 FROM pulls WHERE look_at < ?", time.time() + LEASE_S)

    await stage.until(is_calm, WITHIN_S, "nothing is left to do")


def rows(stage: Stage, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What the service has stored."""
    path = f"file:{stage.folder}/var/threadline.db?mode=ro"
    with closing(sqlite3.connect(path, uri=True)) as database:
        return database.execute(query, values).fetchall()


class Count:
    """Calls to GitHub, and starts of git, since it was made."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._from, self._gits = len(stage.github.calls), gits(stage)

    def calls(self) -> Counter[str]:
        """By who makes them and what they are: "installation graphql"."""
        return Counter(f"{one.who} {one.kind}" for one in self._stage.github.calls[self._from :])

    def sums(self) -> dict[str, int]:
        every = self.calls()
        graphql = sum(n for name, n in every.items() if name.endswith(" graphql"))
        return {
            "GraphQL": graphql,
            "REST": every.total() - graphql,
            "git": gits(self._stage) - self._gits,
        }


def within(count: Count, *limits: Mapping[str, int]) -> bool:
    """Whether nothing is more than these allow together."""
    allowed: Counter[str] = Counter()
    for each in limits:
        allowed.update(each)
    return all(number <= allowed[kind] for kind, number in count.sums().items())


@asynccontextmanager
async def before_webhooks(stage: Stage) -> AsyncIterator[Count]:
    """What is done inside costs until nothing is left to do; what GitHub tells of it comes later."""
    stage.github.courier.hold = True
    count = Count(stage)
    yield count
    await settled(stage)


async def of_webhooks(stage: Stage, before: int) -> tuple[Count, int]:
    """What the webhooks cost that were held back, and how many there are since `before`."""
    count, courier = Count(stage), stage.github.courier
    courier.release()
    await settled(stage)
    return count, len(courier.deliveries) - before


async def ready(thread: Thread) -> tuple[Pulls, Pull]:
    """A pull request that Eve may approve and merge, who has linked her account; nothing is left to do."""
    pulls, pull = await opened(thread, links=("U0EVE",))
    await settled(thread.stage)
    return pulls, pull


async def test_a_look_at_what_did_not_change(thread: Thread) -> None:
    pulls, pull = await ready(thread)
    stage = thread.stage
    shown, count = thread.texts(), Count(stage)
    stage.github.forge.comment(pulls.home, pull, stage.github.world.account("bob"), "hello")
    await settled(stage)
    assert count.calls()["installation graphql"] == 1
    assert within(count, LOOK), count.calls()
    assert thread.texts() == shown


async def test_an_approval_and_a_merge(thread: Thread) -> None:
    pulls, pull = await ready(thread)
    stage, told = thread.stage, thread.stage.github.courier.deliveries

    before = len(told)
    async with before_webhooks(stage) as count:
        await thread.press(f"Approve {pull.head_sha[:7]}", by="U0EVE")
        await thread.until_shown("Approved by Eve")
    assert [one.state for one in pull.reviews][-1] == "APPROVED"
    assert within(count, DECIDE, APPROVE, LOOK, REPORT), count.calls()
    count, number = await of_webhooks(stage, before)
    assert number > 0
    assert within(count, *[LOOK] * number), count.calls()

    before = len(told)
    async with before_webhooks(stage) as count:
        thread.say("merge", by="U0EVE")
        await pulls.told("U0EVE", f"merge {pull.head_sha[:7]}")
    assert len(told) == before
    assert within(count, DECIDE, LOOK), count.calls()

    async with before_webhooks(stage) as count:
        thread.say(f"merge {pull.head_sha[:7]}", by="U0EVE")
        await thread.until_shown("Merged by Eve")
    assert pull.is_merged
    assert within(count, DECIDE, MERGE, LOOK), count.calls()
    count, number = await of_webhooks(stage, before)
    assert number > 0
    assert within(count, *[LOOK] * number), count.calls()


async def test_a_push_of_somebody(thread: Thread) -> None:
    pulls, pull = await ready(thread)
    stage, told = thread.stage, thread.stage.github.courier.deliveries
    before, old = len(told), pull.head_sha
    async with before_webhooks(stage):
        await stage.github.push(pulls.home, pull.branch, "ann", {"NOTES.md": "hello\n"})
    assert pull.head_sha != old
    count, number = await of_webhooks(stage, before)
    await thread.until_shown(f"[Approve {pull.head_sha[:7]}]")
    assert within(count, *[LOOK] * number, REPORT), count.calls()


async def test_nothing_is_asked_while_nobody_does_anything(thread: Thread) -> None:
    stage = thread.stage
    began = time.time()
    pulls, pull = await ready(thread)
    count = Count(stage)
    thread.mention("status")
    thread.mention("why")
    await thread.until_shown("Routed to")
    await settled(stage)
    assert count.sums() == {"GraphQL": 0, "REST": 0, "git": 0}

    next_look = looks_at(stage, pull)
    assert next_look is not None
    assert next_look >= began + CALM_LOOK_S
    await stage.github.forge.close(pulls.home, pull, stage.github.world.account("ann"))
    await thread.until(lambda: looks_at(stage, pull) is None, "it is looked at no more")


async def test_an_hour_of_nothing(stage: Stage) -> None:
    """Looks at each open pull request, and once in a while a look for webhooks that went astray."""
    hunt = "app GET /app/hook/deliveries"
    await stage.until(lambda: asked_of(stage, hunt), WITHIN_S, "lost webhooks are looked for")
    assert asked_of(stage, hunt) == 1
    assert asked_of(stage, "app GET /app") == 1
    assert 3600 / CALM_LOOK_S * sum(LOOK.values()) <= 36
    assert 3600 / REDELIVER_EVERY_S <= 12


def asked_of(stage: Stage, name: str) -> int:
    """How often that was called since the start."""
    return sum(f"{one.who} {one.kind}" == name for one in stage.github.calls)


def looks_at(stage: Stage, pull: Pull) -> float | None:
    """When a pull request is looked at next, seconds since the epoch."""
    [(at,)] = rows(stage, "SELECT look_at FROM pulls WHERE number = ?", pull.number)
    return None if at is None else float(at)
