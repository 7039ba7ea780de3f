"""A real agent on the model stand-in."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from core.events import AgentDied, AgentEvent, Image, RunFailed, RunInterrupted, RunSucceeded
from core.ports import RunSpec
from core.runner.claude import ClaudeRun, ClaudeRunner
from core.runner.options import ClaudeSettings
from core.workspace.processes import marked, reap_strays
from playground.model import ModelPlayground

API_KEY = "sk-test-model-key"
FINAL = (RunSucceeded, RunFailed, RunInterrupted, AgentDied)


def script(*steps: object) -> str:
    """A prompt that brings its own model replies."""
    return f"@@SCRIPT {json.dumps(steps)}"


@dataclass
class Agent:
    """An open run; its events are read as a test asks for them."""

    run: ClaudeRun
    events: AsyncIterator[AgentEvent] = field(init=False)

    def __post_init__(self) -> None:
        self.events = self.run.events()

    async def prompt(self, text: str, uuid: str | None = None, images: Sequence[Image] = ()) -> str:
        uuid = uuid or str(uuid4())
        await self.run.prompt(uuid, text, images)
        return uuid

    async def until(self, *kinds: type[AgentEvent]) -> list[AgentEvent]:
        """Events up to and including the first of one of these kinds."""
        seen: list[AgentEvent] = []
        async with asyncio.timeout(40):
            async for event in self.events:
                seen.append(event)
                if isinstance(event, kinds):
                    return seen
        raise AssertionError(f"the events ended early: {seen}")

    async def finish(self) -> list[AgentEvent]:
        return await self.until(*FINAL)


def living(word: str) -> list[int]:
    """Ids of the processes that have `word` in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                if word.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


async def gone(word: str, within_s: float = 2) -> bool:
    """Whether no process with `word` in its command line is left, looked at until `within_s` seconds."""
    return await asyncio.to_thread(_becomes, lambda: not living(word), within_s)


async def exists(path: Path) -> None:
    assert await asyncio.to_thread(_becomes, path.exists, 20), f"{path} never appeared"


async def runs(spec: RunSpec) -> None:
    assert await asyncio.to_thread(_becomes, lambda: bool(marked(spec.agent_session)), 20), "nothing started"


def _becomes(holds: Callable[[], bool], within_s: float) -> bool:
    end = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def lingering(word: str) -> str:
    """A command that leaves a daemon without environment behind, makes the file `started`, and runs on."""
    nap = f"import time; time.sleep(300)  # {word}"
    return (
        f"(setsid env -i python3 -c '{nap}-daemon' >/dev/null 2>&1 &); touch started; python3 -c '{nap}-tool'"
    )


def environment(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes()
    return b""


def transcript_of(spec: RunSpec) -> str:
    """Everything that the agent's transcript holds at this moment."""
    return "".join(path.read_text() for path in spec.home.glob("projects/*/*.jsonl"))


def program(pid: int) -> str:
    """The name of what a process runs; empty if it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/exe").readlink().name
    return ""


@pytest.fixture
async def model() -> AsyncIterator[ModelPlayground]:
    async with ModelPlayground(api_key=API_KEY) as playground:
        yield playground


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "hello.py").write_text("def hello():\n    return 'hello'\n")
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=workspace, check=True)
    return workspace


@pytest.fixture
def spec(tmp_path: Path, workspace: Path) -> RunSpec:
    return RunSpec(str(uuid4()), workspace, tmp_path / "home", guidance="Keep a checklist.")


@pytest.fixture
def settings(tmp_path: Path, model: ModelPlayground) -> ClaudeSettings:
    return ClaudeSettings(
        run_dir=tmp_path / "run",
        api_key=API_KEY,
        base_url=model.url,
        environment={"NO_PROXY": "127.0.0.1", "PYTHONDONTWRITEBYTECODE": "1"},
    )


@dataclass
class Opener:
    runner: ClaudeRunner
    opened: list[ClaudeRun] = field(default_factory=list)

    async def __call__(self, spec: RunSpec) -> Agent:
        run = await self.runner.open(spec)
        self.opened.append(run)
        return Agent(run)


@pytest.fixture
async def open_agent(settings: ClaudeSettings, spec: RunSpec) -> AsyncIterator[Opener]:
    opener = Opener(ClaudeRunner(settings))
    yield opener
    for run in opener.opened:
        await run.close()
    reap_strays(spec.agent_session)
