"""The command itself: how it starts, what it says about mistakes, and how it ends."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from playground.scripts import run
from playground.stage import Stage
from tests.scenarios.conftest import on_stage
from tests.scenarios.processes import agents
from tests.scenarios.scripts import script
from tests.scenarios.thread import Thread, new_channel

pytestmark = pytest.mark.asyncio(loop_scope="module")

THREADLINE = Path(sys.executable).with_name("threadline")

COMPLETE = {
    "THREADLINE_SLACK__BOT_TOKEN": "xoxb-1",
    "THREADLINE_SLACK__SIGNING_SECRET": "s",
    "THREADLINE_LINEAR__TOKEN": "lin_oauth_1",
    "THREADLINE_CLAUDE__API_KEY": "sk-ant-1",
}

MISTAKES: Mapping[str, tuple[dict[str, str | None], str]] = {
    "THREADLINE_SLACK__BOT_TOKN": ({"THREADLINE_SLACK__BOT_TOKN": "xoxb-1"}, ""),
    "THREADLINE_SLACK__SIGNING_SECRET": ({"THREADLINE_SLACK__SIGNING_SECRET": None}, ""),
    "THREADLINE_CLAUDE__API_KEY": ({"THREADLINE_CLAUDE__API_KEY": None}, ""),
    "branch": ({}, '[[repositories]]\nname = "a/b"\nbranch = "main"\n'),
}
"""What is wrong with the environment or the file, by the key that has to be named."""


def threadline(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [THREADLINE, *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )


async def test_a_mistake_is_one_clear_message_that_names_the_key(tmp_path: Path) -> None:
    async def start(key: str) -> None:
        changes, config = MISTAKES[key]
        folder = tmp_path / key
        folder.mkdir()
        (folder / "threadline.toml").write_text(config)
        told = {**COMPLETE, **changes}
        environment = {name: value for name, value in told.items() if value is not None}
        ended = await asyncio.to_thread(threadline, folder, "serve", **environment)

        assert ended.returncode == 2
        assert key in ended.stderr
        assert "Traceback" not in ended.stderr
        assert not any(value in ended.stderr for value in ("xoxb-1", "lin_oauth_1", "sk-ant-1"))
        assert not (folder / "var").exists()

    await asyncio.gather(*map(start, MISTAKES))


async def test_it_says_the_two_ways_on_and_prints_a_manifest(tmp_path: Path) -> None:
    manifest = ("manifest", "slack", "--url", "https://bot.example.com")
    lost, printed = await asyncio.gather(
        asyncio.to_thread(threadline, tmp_path, "serve"), asyncio.to_thread(threadline, tmp_path, *manifest)
    )
    assert lost.returncode == 2
    assert "make demo" in lost.stderr
    assert "THREADLINE_SLACK__BOT_TOKEN" in lost.stderr
    assert printed.returncode == 0
    assert "https://bot.example.com/slack/events" in printed.stdout


async def test_it_says_what_is_on_and_its_health_can_be_asked(stage: Stage) -> None:
    said = stage.log.splitlines()
    assert said[0].startswith(f"Threadline is ready at {stage.url}")
    assert len(said) <= 10
    async with httpx.AsyncClient() as http:
        answers = [await http.get(f"{stage.url}/{name}") for name in ("healthz", "readyz")]
    assert [answer.status_code for answer in answers] == [200, 200]


async def test_a_termination_leaves_no_agent_and_the_turn_goes_on_at_the_next_start(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with on_stage(tmp_path_factory.mktemp("ending")) as stage:
        stage.model.play([script({"tools": [run("true")]}, {"text": "Measured.", "hold": "ending"})])
        await stage.serve()
        thread = Thread(stage, new_channel(stage))
        thread.mention("measure it")
        await thread.until_held("ending")
        assert agents(stage)

        assert await stage.terminate() == 0
        assert not agents(stage)
        stage.model.release("ending")
        await stage.serve()
        await thread.ended()
        assert thread.told("response")[0].startswith("Measured.")
        thread.same_story()
        assert await stage.terminate() == 0
