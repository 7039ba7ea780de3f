"""The command `threadline`, as people and supervisors meet it."""

import asyncio
import base64
import json
import logging
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from bots.cli import USAGE_ERROR, main
from bots.git_version import need_git, trouble_with
from bots.linear_access import Misconfigured
from core.activities import Author
from core.store.accounts import AccountStore, LinkedAccount, Pair
from core.store.database import Database
from core.store.migrate import upgrade
from core.store.vault import KEY_BYTES
from tests.core.store.fakes import START, vault_of

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


GITHUB = {"THREADLINE_GITHUB__TOKEN": "ghp_secret", "THREADLINE_GITHUB__API_URL": "http://127.0.0.1:9"}


def key_of(letter: str) -> str:
    return base64.b64encode(letter.encode() * KEY_BYTES).decode()


async def stored_link(url: str) -> None:
    """A token that was sealed with another key than today's."""
    database = Database(url)
    person = Author("slack", "T1/UANN", "Ann")
    link = LinkedAccount(
        person="linear:ann", id=7, login="ann", by=person, evidence="oauth+linear", linked_at=START
    )
    await AccountStore(database, vault_of("a"), now=lambda: START).link(
        link, Pair("ghu_secret", None, None, None)
    )
    await database.close()


def test_a_key_that_is_missing_is_said_in_one_line(
    alone: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'threadline.db'}"
    upgrade(url)
    asyncio.run(stored_link(url))
    keys = {"THREADLINE_SECRET_KEYS": key_of("b"), "THREADLINE_DATABASE_URL": url}
    for name, value in (CONFIGURED | GITHUB | keys | {"THREADLINE_PORT": str(free_port())}).items():
        alone.setenv(name, value)
    assert main(["serve"]) == USAGE_ERROR
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("threadline: ")]
    assert len(told) == 1
    assert told[0].startswith(
        "threadline: THREADLINE_SECRET_KEYS, or secret.key in the data folder: code_accounts"
    )
    assert told[0].endswith("put the old key back, behind the new one")


@pytest.mark.parametrize(
    ("github", "code", "words"),
    [(GITHUB, USAGE_ERROR, "need git 2.38 or newer, and here is “git version 2.37.9”"), ({}, 1, "database")],
    ids=["with GitHub", "without"],
)
def test_an_old_git_is_said_where_github_is_set_up(
    github: dict[str, str],
    code: int,
    words: str,
    alone: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\necho git version 2.37.9\n")
    (tmp_path / "git").chmod(0o755)
    (tmp_path / "threadline.db").mkdir()  # Ends it right after.
    url = {"THREADLINE_DATABASE_URL": f"sqlite:///{tmp_path / 'threadline.db'}", "PATH": str(tmp_path)}
    for name, value in (CONFIGURED | github | url).items():
        alone.setenv(name, value)
    assert main(["serve"]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


@pytest.mark.parametrize(
    "said",
    ["git version 2.38.0", "git version 2.51.0.rc1", "git version 2.39.5 (Apple Git-154)", "git version 3.0"],
)
def test_a_newer_git_will_do(said: str) -> None:
    assert trouble_with(said) is None


@pytest.mark.parametrize("said", ["git version 2.37.9", "git version 1.99", "", "hello"])
def test_an_older_git_will_not(said: str) -> None:
    assert "git 2.38 or newer" in str(trouble_with(said))


def test_a_machine_without_git_is_told_so(alone: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alone.setenv("PATH", str(tmp_path))
    with pytest.raises(Misconfigured, match="need git on the PATH"):
        need_git()


def test_the_github_manifest_is_printed_alone_and_how_to_use_it_beside(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["manifest", "github", "--url", "https://bot.test"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["url"] == "https://bot.test"
    assert "--out app.html" in err


def test_the_page_that_registers_the_github_app_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "app.html"
    asked = ["manifest", "github", "--url", "https://bot.test", "--organization", "acme", "--out", str(page)]
    assert main(asked) == 0
    assert "https://github.com/organizations/acme/settings/apps/new" in page.read_text("utf-8")
    assert "docs/install.md" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("out", "problem"), [("nowhere/app.html", "there is no folder"), (".", "Is a directory")]
)
def test_a_page_that_cannot_be_written_is_said_in_words(
    out: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["manifest", "github", "--url", "https://bot.test", "--out", str(tmp_path / out)]
    assert main(asked) == USAGE_ERROR
    err = capsys.readouterr().err
    assert problem in err
    assert "Errno" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_database_is_one_line(
    alone: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "threadline.db"
    file.write_bytes(b"something else" * 100)
    alone.setenv("THREADLINE_DATABASE_URL", f"sqlite:///{file}")
    assert main(["audit", "--verify"]) == 1
    assert capsys.readouterr().err == f"threadline: {file}: file is not a database\n"


def audited(alone: pytest.MonkeyPatch, tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'threadline.db'}"
    alone.setenv("THREADLINE_DATABASE_URL", url)
    upgrade(url)
    asyncio.run(stored_link(url))
    return url


def test_the_audit_log_is_printed_and_verified(
    alone: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audited(alone, tmp_path)
    assert main(["audit"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["n"], told["who"], told["action"], told["result"]) == (
        1,
        "slack:T1/UANN",
        "link",
        "to confirm",
    )
    assert main(["audit", "--verify"]) == 0
    assert capsys.readouterr().out == f"1 rows, whole; the newest digest is {told['digest']}\n"


def test_a_log_whose_end_is_cut_off_does_not_verify(
    alone: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audited(alone, tmp_path)
    with closing(sqlite3.connect(tmp_path / "threadline.db")) as connection:
        connection.execute("DELETE FROM audit")
        connection.commit()
    assert main(["audit", "--verify"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "threadline: the audit log does not hold at row 1\n")
