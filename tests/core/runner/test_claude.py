"""The runner on a transport without a process."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, CLIConnectionError, ProcessError, Transport

from core.activities import Blocker
from core.errors import AgentError
from core.events import AgentDied, AgentReady, RunFailed, RunInterrupted, RunSucceeded
from core.ports import RunSpec
from core.redact import Redactor
from core.runner.claude import ClaudeRun, ClaudeRunner
from core.runner.options import ClaudeSettings

Frame = dict[str, Any]


class FakeTransport(Transport):
    """Stands for the command line: `say` what it tells, look at `told` for what it was told."""

    def __init__(self, options: ClaudeAgentOptions) -> None:
        self.options = options
        self.told: list[Frame] = []
        self.cancelled: list[str] = []
        self.refusal: Exception | None = None
        self._frames: asyncio.Queue[Frame | Exception | None] = asyncio.Queue()

    def say(self, frame: Frame | Exception | None) -> None:
        self._frames.put_nowait(frame)

    async def connect(self) -> None:
        if self.refusal:
            raise self.refusal

    async def write(self, data: str) -> None:
        frame = json.loads(data)
        self.told.append(frame)
        if frame["type"] == "control_request":
            answer = {"commands": [], "cancelled": self.cancelled}
            response = {"subtype": "success", "request_id": frame["request_id"], "response": answer}
            self.say({"type": "control_response", "response": response})

    async def _read(self) -> AsyncIterator[Frame]:
        while (frame := await self._frames.get()) is not None:
            if isinstance(frame, Exception):
                raise frame
            yield frame

    def read_messages(self) -> AsyncIterator[Frame]:
        return self._read()

    async def close(self) -> None:
        self.say(None)

    def is_ready(self) -> bool:
        return True

    async def end_input(self) -> None:
        return

    @property
    def prompts(self) -> list[str]:
        return [frame["uuid"] for frame in self.told if frame["type"] == "user"]


class Bench:
    """A runner whose agents are `transports`."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.transports: list[FakeTransport] = []
        self.refusal: Exception | None = None
        self.spec = RunSpec(str(uuid4()), folder / "workspace", folder / "home", guidance="Be brief.")
        self.spec.workspace.mkdir()
        values = ClaudeSettings(run_dir=folder / "run", api_key="sk-test-model-key", **settings)
        self.runner = ClaudeRunner(values, self._connect)

    def _connect(self, options: ClaudeAgentOptions) -> ClaudeSDKClient:
        transport = FakeTransport(options)
        transport.refusal = self.refusal
        self.transports.append(transport)
        return ClaudeSDKClient(options, transport)

    async def open(self) -> tuple[ClaudeRun, FakeTransport]:
        run = await self.runner.open(self.spec)
        return run, self.transports[-1]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, redact=Redactor(["hunter22"]))


def result(*prompts: str, **facts: Any) -> Frame:
    standard: Frame = {
        "type": "result",
        "subtype": "success",
        "duration_ms": 1,
        "duration_api_ms": 1,
        "is_error": False,
        "num_turns": 1,
        "session_id": "s",
        "result": "Done.",
        "terminal_reason": "completed",
        "user_message_uuids": list(prompts),
    }
    return {**standard, **facts}


async def test_a_prompt_is_given_once_and_its_answer_comes_back(bench: Bench) -> None:
    run, agent = await bench.open()
    await run.prompt("u1", "hello")
    await run.prompt("u1", "hello")
    assert agent.prompts == ["u1"]
    agent.say({"type": "system", "subtype": "init", "uuid": "i", "session_id": "s", "model": "opus"})
    agent.say(result("u1"))
    events = run.events()
    assert [await anext(events), await anext(events)] == [AgentReady("opus"), RunSucceeded("Done.", ("u1",))]
    await run.close()
    assert [event async for event in events] == []


async def test_a_stop_drops_prompts_that_were_never_read(bench: Bench) -> None:
    run, agent = await bench.open()
    await run.prompt("u1", "hello")
    agent.cancelled = ["u1"]
    await run.interrupt()
    assert await anext(run.events()) == RunInterrupted()
    (asked,) = [f["request"] for f in agent.told if f.get("request", {}).get("subtype") == "interrupt"]
    assert asked["cancel_queued"] is True
    await run.close()


async def test_a_refused_key_makes_the_agent_give_up(bench: Bench) -> None:
    run, agent = await bench.open()
    await run.prompt("u1", "hello")
    retry: Frame = {"subtype": "api_retry", "uuid": "r", "session_id": "s", "attempt": 1, "max_retries": 10}
    agent.say({"type": "system", **retry, "error": "authentication_failed", "error_status": 401})
    events = run.events()
    assert await anext(events) == RunFailed(Blocker.MODEL_KEY, "The model refused our key.", ("u1",))
    await run.prompt("u2", "again")
    agent.say(result("u1", is_error=True, terminal_reason="aborted_streaming"))
    agent.say(result("u2"))
    assert await anext(events) == RunSucceeded("Done.", ("u2",))
    assert "interrupt" in [frame.get("request", {}).get("subtype") for frame in agent.told]
    await run.close()


async def test_a_death_says_the_last_line_without_secrets_and_ends_the_events(bench: Bench) -> None:
    run, agent = await bench.open()
    assert agent.options.stderr is not None
    agent.options.stderr("first")
    agent.options.stderr("out of memory, token hunter22")
    agent.say(ProcessError("gone", exit_code=-9))
    assert [event async for event in run.events()] == [AgentDied("out of memory, token [redacted]")]
    await run.prompt("u1", "nobody hears this")
    await run.close()


async def test_an_agent_that_ends_by_itself_has_died(bench: Bench) -> None:
    run, agent = await bench.open()
    agent.say(None)
    assert [event async for event in run.events()] == [AgentDied()]
    await run.close()


async def test_a_start_that_fails_says_why(bench: Bench) -> None:
    bench.refusal = CLIConnectionError("no such program hunter22")
    with pytest.raises(AgentError) as failed:
        await bench.open()
    assert failed.value.code is Blocker.AGENT_FAILED
    assert "hunter22" not in str(failed.value)


async def test_the_agent_is_started_with_its_own_rules_only(bench: Bench) -> None:
    run, agent = await bench.open()
    options = agent.options
    assert (options.setting_sources, options.strict_mcp_config, options.verbatim_prompts) == ([], True, True)
    assert (options.permission_mode, options.session_id) == ("acceptEdits", bench.spec.agent_session)
    assert json.loads(str(options.settings))["disableAllHooks"] is True
    assert "TodoWrite" in (options.tools or [])
    assert "CLAUDE_CODE_RESUME_INTERRUPTED_TURN" not in options.env
    await run.close()
