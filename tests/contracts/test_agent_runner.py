"""What every agent runner promises the turns: `core.ports.AgentRunner`."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from core.events import AgentEvent, RunInterrupted, RunSucceeded
from core.ids import ElicitationId
from core.ports import AgentRun, AgentRunner, RunSpec
from core.runner.claude import ClaudeRunner
from core.runner.options import ClaudeSettings
from playground.model import ModelPlayground
from tests.core.turn.fakes import FakeRun, FakeRunner, answering

PATIENCE_S = 40
HANGS = "python3 -c 'import time; time.sleep(300)'"


@dataclass
class Firm:
    """A runner with a place to work; `answers` and `hangs` are prompts after which its agent does so."""

    runner: AgentRunner
    spec: RunSpec
    answers: str
    hangs: str
    at_work: Callable[[], Awaitable[None]]


async def claude(folder: Path) -> AsyncIterator[Firm]:
    workspace = folder / "workspace"
    await asyncio.to_thread(subprocess.run, ["git", "init", "-q", "-b", "main", str(workspace)], check=True)
    async with ModelPlayground(api_key="sk-test") as model:
        settings = ClaudeSettings(run_dir=folder / "run", api_key="sk-test", base_url=model.url)
        hang = {"tools": [["Bash", {"command": HANGS}]], "hold": "hang"}

        async def at_work() -> None:
            await model.held("hang")
            model.release("hang")

        yield Firm(
            ClaudeRunner(settings),
            RunSpec(str(uuid4()), workspace, folder / "home", guidance="Be brief."),
            f"@@SCRIPT {json.dumps([{'text': 'Fixed.'}])}",
            f"@@SCRIPT {json.dumps([hang])}",
            at_work,
        )


async def fake(folder: Path) -> AsyncIterator[Firm]:
    async def live(run: FakeRun) -> None:
        await run.until_prompts()
        if run.texts == ["fix it"]:
            await answering(run)
        await run.until(lambda: run.interrupts > 0)
        run.emit(RunInterrupted())

    runner = FakeRunner([live])

    async def at_work() -> None:
        await (await runner.run()).until_prompts()

    spec = RunSpec(str(uuid4()), folder, folder / "home", guidance="Be brief.")
    yield Firm(runner, spec, "fix it", "hang", at_work)


@pytest.fixture(
    params=[pytest.param(claude, marks=pytest.mark.cli, id="claude"), pytest.param(fake, id="fake")]
)
async def firm(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Firm]:
    async for one in request.param(tmp_path):
        yield one


@pytest.fixture
async def run(firm: Firm) -> AsyncIterator[AgentRun]:
    """An open agent; closed for good afterwards."""
    run = await firm.runner.open(firm.spec)
    yield run
    await run.close()


async def until(events: AsyncIterator[AgentEvent], kind: type[AgentEvent]) -> AgentEvent:
    async with asyncio.timeout(PATIENCE_S):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"the events ended without {kind.__name__}")


async def test_an_answer_names_the_prompt_it_is_for(firm: Firm, run: AgentRun) -> None:
    uuid = str(uuid4())
    await run.prompt(uuid, firm.answers)
    answer = await until(run.events(), RunSucceeded)
    assert isinstance(answer, RunSucceeded)
    assert (answer.text, answer.prompts) == ("Fixed.", (uuid,))


async def test_the_same_prompt_twice_is_one(firm: Firm, run: AgentRun) -> None:
    uuid, events = str(uuid4()), run.events()
    for _ in range(2):
        await run.prompt(uuid, firm.answers)
    await until(events, RunSucceeded)
    await run.close()
    assert not [event async for event in events if isinstance(event, RunSucceeded)]


async def test_an_answer_to_nothing_is_ignored(firm: Firm, run: AgentRun) -> None:
    await run.answer(ElicitationId("unknown"), "yes")
    await run.prompt(str(uuid4()), firm.answers)
    assert isinstance(await until(run.events(), RunSucceeded), RunSucceeded)


async def test_an_interrupt_ends_the_turn(firm: Firm, run: AgentRun) -> None:
    await run.prompt(str(uuid4()), firm.hangs)
    await firm.at_work()
    await run.interrupt()
    assert isinstance(await until(run.events(), RunInterrupted), RunInterrupted)


async def test_a_new_agent_knows_no_prompts_and_continues_nothing(run: AgentRun) -> None:
    assert not run.known_prompts
    assert not run.continues


async def test_the_events_end_when_it_is_closed_and_closing_twice_is_fine(run: AgentRun) -> None:
    events = run.events()
    await run.close()
    await run.close()
    async with asyncio.timeout(PATIENCE_S):
        assert not [event async for event in events if isinstance(event, RunSucceeded)]
