"""The whole loop on loopback: a real `threadline serve` among stand-ins for chat, Linear and the model."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self, TypeVar
from urllib.parse import urlsplit

import httpx

from playground.github import GitHubPlayground
from playground.linear import LinearPlayground, LinearSettings
from playground.linear_page import snapshot
from playground.model import ModelPlayground
from playground.slack import BOT_TOKEN, SlackConfig, SlackPlayground
from playground.slack_clock import Clock
from playground.teams import APP_ID, TENANT, TeamsConfig, TeamsPlayground

HOST = "127.0.0.1"
SIGNING_SECRET = "slack-signing-secret"
WEBHOOK_SECRET = "linear-webhook-secret"
MODEL_KEY = "sk-ant-playground-key"
HOSTED = "acme/shop"
READY_WITHIN_S = 60
LOOK_EVERY_S = 0.05

T = TypeVar("T")


class NeverHappened(AssertionError):
    """What was waited for did not come."""


class Service(Protocol):
    """The running service; `subprocess.Popen` is one."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | Any: ...

    def poll(self) -> int | None: ...

    def send_signal(self, sig: int, /) -> None: ...

    def wait(self) -> int: ...


def serve_command(folder: Path, environment: Mapping[str, str], log: Path) -> Service:
    """Start `threadline serve` in `folder`, with nothing in its environment but this."""
    command = [str(Path(sys.executable).with_name("threadline")), "serve"]
    with log.open("ab") as said:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)


class Stage:
    """Stand-ins and the service between them; `async with` starts the stand-ins, `serve` the service.

    `settings` are what `environment` was; they count from the next `serve` on.

    Args:
        folder: Holds everything: the service's data, its log, the repository.
        scripts: For the model; see `ModelPlayground`.
        repository: Address of the repository to work in.
        environment: More settings for the service, or others; None takes one away.
        config: Text of `threadline.toml`; the default routes everything to `acme/shop`.
        slack: How the Slack stand-in is set up, if not as usual.
        slack_clock: Time for its retries and limits; the machine's own by default.
        teams: How the Teams stand-in is set up beside it; None for no Teams.
        teams_clock: As `slack_clock`.
        github: Rules of the repository at a GitHub stand-in, where it is copied to; None for no GitHub.
    """

    launch: ClassVar[Callable[[Path, Mapping[str, str], Path], Service]] = staticmethod(serve_command)

    def __init__(
        self,
        folder: Path,
        *,
        scripts: Iterable[object] = (),
        repository: str,
        environment: Mapping[str, str | None] | None = None,
        config: str | None = None,
        slack: Mapping[str, Any] | None = None,
        slack_clock: Clock | None = None,
        teams: Mapping[str, Any] | None = None,
        teams_clock: Clock | None = None,
        github: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.settings = dict(environment or {})
        address = repository if github is None else ""
        self._config = config if config is not None else _routes(address)
        self._repository = repository
        self._hosted = github
        self.github = GitHubPlayground(folder, webhook_url=f"{self.url}/api/webhooks/github")
        self.slack = SlackPlayground(
            SlackConfig(
                events_url=f"{self.url}/slack/events", signing_secret=SIGNING_SECRET, **(slack or {})
            ),
            slack_clock,
        )
        messages = TeamsConfig(messaging_url=f"{self.url}/api/messages", **(teams or {}))
        self.teams = TeamsPlayground(messages, teams_clock)
        self._has_teams = teams is not None
        self.linear = LinearPlayground(
            LinearSettings(webhook_url=f"{self.url}/api/webhooks/linear", webhook_secret=WEBHOOK_SECRET)
        )
        self.model = ModelPlayground(scripts, api_key=MODEL_KEY)
        self.process: Service | None = None
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> str:
        """What the service has said so far."""
        return (self.folder / "serve.log").read_text(errors="replace")

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "threadline.toml").write_text(self._config)
        for stand_in in (self.slack, self.linear, self.model):
            await self._stack.enter_async_context(stand_in)
        if self._has_teams:
            await self._stack.enter_async_context(self.teams)
        if self._hosted is not None:
            await self._stack.enter_async_context(self.github)
            source = Path(urlsplit(self._repository).path)
            await self.github.repository(HOSTED, source, **self._hosted)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None:
            await self.kill()
        await self._stack.aclose()

    async def serve(self) -> float:
        """Start the service and wait until it is ready; seconds from start to ready."""
        began = time.monotonic()
        log = self.folder / "serve.log"
        self.process = await asyncio.to_thread(Stage.launch, self.folder, self.environment(), log)
        async with httpx.AsyncClient() as http:
            await self.until(lambda: self._ready(http), READY_WITHIN_S, "the service is ready")
        return time.monotonic() - began

    async def _ready(self, http: httpx.AsyncClient) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise NeverHappened(f"the service ended with {self.process.returncode}:\n{self.log}")
        try:
            return (await http.get(f"{self.url}/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    def environment(self) -> dict[str, str]:
        """What the service is told; nothing of the machine's own settings but the way to programs."""
        told: dict[str, str | None] = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "THREADLINE_PORT": str(self.port),
            "THREADLINE_SLACK__BOT_TOKEN": BOT_TOKEN,
            "THREADLINE_SLACK__SIGNING_SECRET": SIGNING_SECRET,
            "THREADLINE_SLACK__API_URL": self.slack.api_url,
            "THREADLINE_LINEAR__TOKEN": self.linear.settings.app_token,
            "THREADLINE_LINEAR__WEBHOOK_SECRET": WEBHOOK_SECRET,
            "THREADLINE_LINEAR__API_URL": f"{self.linear.url}/graphql",
            "THREADLINE_CLAUDE__API_KEY": MODEL_KEY,
            "THREADLINE_CLAUDE__BASE_URL": self.model.url,
        }
        if self._has_teams:
            told |= {
                "THREADLINE_TEAMS__APP_ID": APP_ID,
                "THREADLINE_TEAMS__APP_PASSWORD": self.teams.config.app_secret,
                "THREADLINE_TEAMS__TENANT_ID": TENANT,
                "THREADLINE_TEAMS__OPENID_METADATA_URL": self.teams.metadata_url,
                "THREADLINE_TEAMS__TOKEN_URL": self.teams.token_url,
                "THREADLINE_TEAMS__SERVICE_HOSTS": HOST,
            }
        if self._hosted is not None:
            app = self.github.app
            told |= {
                "THREADLINE_PUBLIC_URL": self.url,
                "THREADLINE_GITHUB__APP_ID": str(app.id),
                "THREADLINE_GITHUB__PRIVATE_KEY": app.private_key.replace("\n", "\\n"),
                "THREADLINE_GITHUB__CLIENT_ID": app.client_id,
                "THREADLINE_GITHUB__CLIENT_SECRET": app.client_secret,
                "THREADLINE_GITHUB__WEBHOOK_SECRET": app.webhook_secret,
                "THREADLINE_GITHUB__API_URL": self.github.url,
                "THREADLINE_GITHUB__GIT_URL": self.github.url,
                "THREADLINE_GITHUB__WEB_URL": self.github.url,
            }
        told |= self.settings
        return {name: value for name, value in told.items() if value is not None}

    async def kill(self) -> None:
        """End the service without a warning."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> int:
        """Ask the service to end, and wait; its exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, sign: signal.Signals) -> int:
        assert self.process is not None
        process, self.process = self.process, None
        process.send_signal(sign)
        return await asyncio.to_thread(process.wait)

    async def until(self, happened: Callable[[], Any], within_s: float, what: str) -> Any:
        """Wait until `happened` (a function, perhaps async) returns something true, and return that.

        Raises:
            NeverHappened: It did not, with the end of the service's log.
        """
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            seen = happened()
            if asyncio.iscoroutine(seen):
                seen = await seen
            if seen:
                return seen
            await asyncio.sleep(LOOK_EVERY_S)
        raise NeverHappened(f"not within {within_s:g} s: {what}\n{self.log[-4000:]}")

    def chat(self, channel: str, thread_ts: str) -> list[dict[str, Any]]:
        """The thread as people see it now."""
        return self.slack.transcript(channel, thread_ts)

    def issues(self) -> list[dict[str, Any]]:
        """The issues of Linear with their sessions, as people see them now."""
        issues: list[dict[str, Any]] = snapshot(self.linear.workspace)["issues"]
        return issues


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _routes(repository: str) -> str:
    url = f'url = "{repository}"\n' if repository else ""
    return f"""\
[[repositories]]
name = "{HOSTED}"
{url}base = "main"
teams = ["ENG"]
channels = ["slack:T0001/C0001"]
default = true
"""
