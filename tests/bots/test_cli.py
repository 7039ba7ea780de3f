"""The command `threadline`, as people and supervisors meet it."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from bots.cli import USAGE_ERROR, main

PATIENCE_S = 30
CONFIGURED = {
    "THREADLINE_SLACK__BOT_TOKEN": "xoxb-secret-bot-token",
    "THREADLINE_SLACK__SIGNING_SECRET": "slack-signing-secret",
    # Nobody listens there: what the start itself does must not depend on it.
    "THREADLINE_SLACK__API_URL": "http://127.0.0.1:9/api/",
    "THREADLINE_LINEAR__TOKEN": "lin_oauth_secret",
    "THREADLINE_LINEAR__WEBHOOK_SECRET": "linear-webhook-secret",
    "THREADLINE_LINEAR__API_URL": "http://127.0.0.1:9/graphql",
    "THREADLINE_CLAUDE__API_KEY": "sk-ant-secret-key",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Command:
    """`threadline ARGUMENTS...` in a folder of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def run(cls, folder: Path, *arguments: str, **environ: str) -> "Command":
        ours = {name: value for name, value in os.environ.items() if not name.startswith("THREADLINE_")}
        root = str(Path(__file__).parents[2])
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bots",
            *arguments,
            cwd=folder,
            env=ours | {"PYTHONPATH": root} | environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def end(self) -> tuple[int | None, str, str]:
        """Exit code, standard output, standard error."""
        async with asyncio.timeout(PATIENCE_S):
            out, err = await self.process.communicate()
        return self.process.returncode, out.decode(), err.decode()

    async def ready(self) -> str:
        """The first line it prints."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            return (await self.process.stdout.readline()).decode()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[Command, str]]:
    """A running service, and its address."""
    port = free_port()
    command = await Command.run(tmp_path, "serve", THREADLINE_PORT=str(port), **CONFIGURED)
    yield command, f"http://127.0.0.1:{port}"
    if command.process.returncode is None:
        command.process.kill()
        await command.process.communicate()


async def test_a_service_is_ready_answers_and_ends_on_request(served: tuple[Command, str]) -> None:
    command, address = served
    assert await command.ready() == f"Threadline is ready at {address} (health: /healthz, /readyz)\n"
    async with httpx.AsyncClient(base_url=address) as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        assert (await http.get("/readyz")).json() == {"ready": True}
        assert (await http.post("/slack/events", content=b"{}")).status_code == 401
        assert (await http.post("/api/webhooks/linear", content=b"{}")).status_code == 401
    command.process.send_signal(signal.SIGTERM)
    code, out, err = await command.end()
    assert (code, "Traceback" in err) == (0, False)
    assert len(out.splitlines()) <= 9
    assert not [secret for secret in CONFIGURED.values() if secret in err and "127.0.0.1" not in secret]


async def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = await Command.run(tmp_path, "serve", THREADLINE_PORT=port, **CONFIGURED)
        code, out, err = await command.end()
    assert (code, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith("threadline: ")
    assert port in line


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """In a folder of its own, nothing set; what the command does to logging is undone."""
    for name in os.environ:
        if name.startswith("THREADLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield monkeypatch
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_database_that_cannot_be_used_is_said_in_one_line(
    alone: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "threadline.db").mkdir()
    for name, value in CONFIGURED.items():
        alone.setenv(name, value)
    alone.setenv("THREADLINE_DATABASE_URL", f"sqlite:///{tmp_path / 'threadline.db'}")
    assert main(["serve"]) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith("threadline: ")


@pytest.mark.usefixtures("alone")
def test_a_first_run_shows_the_two_ways_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve"]) == USAGE_ERROR
    out, err = capsys.readouterr()
    assert out == ""
    assert "make demo" in err
    assert err.splitlines()[-1].startswith("Missing now: THREADLINE_SLACK__BOT_TOKEN, ")
    assert list(tmp_path.iterdir()) == []


def test_mistakes_in_the_settings_are_listed_and_end_it(
    alone: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone.setenv("THREADLINE_PORT", "eighty")
    alone.setenv("THREADLINE_LOG_LEVEL", "loud")
    assert main(["serve"]) == USAGE_ERROR
    err = capsys.readouterr().err
    assert "THREADLINE_PORT" in err
    assert "THREADLINE_LOG_LEVEL" in err


@pytest.mark.parametrize(
    ("arguments", "word"), [(["--url", "https://bot.test"], "bot.test"), (["--socket"], "")]
)
def test_the_slack_manifest_is_printed_alone(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["manifest", "slack", *arguments, "--name", "Ada's bot"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert word in out
    assert "Ada's bot" in out


@pytest.mark.parametrize("arguments", [[], ["--url", "not an address"]])
def test_a_manifest_that_cannot_work_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["manifest", "slack", *arguments]) == USAGE_ERROR
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("threadline: ")


def test_no_command_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == USAGE_ERROR
    assert "serve" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["fly"], ["manifest"], ["manifest", "irc"], ["serve", "--fast"]])
def test_what_is_no_command_ends_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == USAGE_ERROR
    assert "usage: threadline" in capsys.readouterr().err
