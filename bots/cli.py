"""The command `threadline`: says what to do, decides nothing."""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from bots.app import NotConfigured, Threadline, audit_log, install_link, prepare
from bots.git_version import need_git
from bots.linear_access import Misconfigured
from bots.logs import set_up_logging
from bots.settings import Settings, SettingsError, load
from bots.slack.manifest import render_manifest as slack_manifest
from bots.teams.address import PATH as TEAMS_PATH
from bots.teams.manifest import VERSION as TEAMS_VERSION
from bots.teams.manifest import render_package as teams_package
from core.errors import StoreUnavailable
from core.redact import Redactor
from core.store.audit import broken
from core.store.vault import KEY_FILE, VaultError
from core.turns import SlotTaken
from github.manifest import WEB_URL, github_manifest, registration_form
from linear.manifest import creation_link
from linear.manifest import render_manifest as linear_manifest

USAGE_ERROR = 2

WELCOME = """\
Threadline is not connected to anything yet. Two ways on:
  make demo                  watch the whole loop on this machine, without any account
  or set these, then `threadline serve` again:
    THREADLINE_SLACK__BOT_TOKEN        from your Slack app (threadline manifest slack --url https://...)
    THREADLINE_SLACK__SIGNING_SECRET   or THREADLINE_SLACK__APP_TOKEN for Socket Mode
    (or for Microsoft Teams: THREADLINE_TEAMS__APP_ID, APP_PASSWORD and TENANT_ID)
    THREADLINE_LINEAR__TOKEN           or THREADLINE_LINEAR__CLIENT_ID and CLIENT_SECRET
    THREADLINE_LINEAR__WEBHOOK_SECRET  for what people do in Linear
    THREADLINE_CLAUDE__API_KEY         for the coding agent
Missing now: """

HOW_TO_REGISTER = """\
GitHub has no field for this. Write a page that brings it there, and open it in a browser:
  threadline manifest github --url https://... --organization ACME --out app.html"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 2 when it was asked for wrongly."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.command == "manifest":
        return _manifest(asked)
    if asked.command == "audit":
        return _with_settings(lambda settings: _audit(settings, verify=asked.verify), offline=True)
    if asked.command in ("serve", "install"):
        return _with_settings(_run if asked.command == "serve" else _install)
    parser.print_help()
    return USAGE_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("threadline", description="Linear coding sessions in your chat threads.")
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("serve", help="run the bot")
    manifest = commands.add_parser("manifest", help="print the manifest of an app to create")
    platforms = manifest.add_subparsers(dest="platform", required=True)
    slack = platforms.add_parser("slack", help="for https://api.slack.com/apps")
    slack.add_argument("--url", help="public address of this server, like https://bot.example.com")
    slack.add_argument("--socket", action="store_true", help="use Socket Mode: no public address is needed")
    slack.add_argument("--name", default="Threadline", help="name of the bot (default: %(default)s)")
    teams = platforms.add_parser("teams", help="an app package to upload to Microsoft Teams")
    teams.add_argument("--url", required=True, help="public address of this server")
    teams.add_argument("--app-id", required=True, help="app id of the bot's registration, a GUID")
    teams.add_argument("--out", type=Path, required=True, metavar="FILE.zip", help="where to write it")
    teams.add_argument("--name", default="Threadline", help="name of the app (default: %(default)s)")
    teams.add_argument(
        "--version",
        default=TEAMS_VERSION,
        help="of the package; Teams takes a changed one under a higher one only (default: %(default)s)",
    )
    linear = platforms.add_parser("linear", help="for an OAuth app in Linear's settings")
    linear.add_argument("--url", required=True, help="public address of this server")
    linear.add_argument("--name", default="Threadline", help="name of the app (default: %(default)s)")
    github = platforms.add_parser("github", help="for a GitHub App of your organization")
    github.add_argument("--url", required=True, help="public address of this server")
    github.add_argument("--name", default="Threadline", help="name of the app (default: %(default)s)")
    github.add_argument(
        "--out", type=Path, metavar="FILE.html", help="write a page that registers it instead"
    )
    github.add_argument("--organization", default="", help="with --out: whose app it becomes")
    github.add_argument(
        "--web-url", default=WEB_URL, help="with --out: of an enterprise server (default: %(default)s)"
    )
    audit = commands.add_parser("audit", help="print what people had done at the code host, as JSON lines")
    audit.add_argument("--verify", action="store_true", help="only say whether the log is whole")
    install = commands.add_parser("install", help="print a link that connects a workspace")
    install.add_argument("platform", choices=["linear"])
    return parser


def _manifest(asked: argparse.Namespace) -> int:
    if asked.platform == "slack" and not asked.url and not asked.socket:
        return _wrong("either --url or --socket is needed")
    try:
        if asked.platform == "slack":
            print(slack_manifest(asked.url, asked.socket, asked.name), end="")
        elif asked.platform == "teams":
            _teams_manifest(asked)
        elif asked.platform == "github":
            _github_manifest(asked)
        else:
            manifest = linear_manifest(asked.url, asked.name)
            print(f"{manifest}\nCreate the app with one click:\n{creation_link(manifest)}")
    except (ValueError, OSError) as error:
        return _wrong(str(error))
    return 0


def _teams_manifest(asked: argparse.Namespace) -> None:
    package = teams_package(asked.url, asked.app_id, asked.name, asked.version)
    _write(asked.out, package)
    print(f"{asked.out} is written: upload it in Teams under Apps, Manage your apps.")
    print(f"It has version {asked.version}; a package that is to replace it needs a higher --version.")
    print(f"The bot's messaging endpoint is {asked.url.rstrip('/')}{TEAMS_PATH}")


def _github_manifest(asked: argparse.Namespace) -> None:
    manifest = github_manifest(asked.url, asked.name)
    if asked.out is None:
        print(json.dumps(manifest, indent=2))
        print(HOW_TO_REGISTER, file=sys.stderr)
        return
    form = registration_form(manifest, asked.organization, web_url=asked.web_url)
    _write(asked.out, form.encode())
    print(
        f"{asked.out} is written: open it in a browser, and press the button. Then, within an hour, take the"
    )
    print("code from the address that GitHub leads to, and go on as docs/install.md says.")


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except FileNotFoundError:
        raise ValueError(f"there is no folder {path.parent}: make it first") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from None


def _with_settings(work: Callable[[Settings], Coroutine[Any, Any, int]], *, offline: bool = False) -> int:
    """Run `work` with the settings; `offline`: it needs the database and nothing else."""
    try:
        settings = load(os.environ, Path.cwd())
    except SettingsError as error:
        return _wrong(str(error))
    set_up_logging(settings.log_level, Redactor(settings.secrets()))
    try:
        if settings.github.on and not offline:
            need_git()
        prepare(settings, offline=offline)
        return asyncio.run(work(settings))
    except NotConfigured as error:
        print(WELCOME + str(error), file=sys.stderr)
        return USAGE_ERROR
    except VaultError as error:
        return _wrong(f"THREADLINE_SECRET_KEYS, or {KEY_FILE} in the data folder: {error}")
    except Misconfigured as error:
        return _wrong(str(error))
    except (OSError, SlotTaken, StoreUnavailable) as error:
        print(f"threadline: {error}", file=sys.stderr)
        return 1


async def _run(settings: Settings) -> int:
    threadline = Threadline(settings)
    stopping = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stopping.set)
    runner = web.AppRunner(threadline.application(), access_log=None)
    try:
        await runner.setup()
        await web.TCPSite(runner, settings.host, settings.port).start()
        link = await threadline.start()
        print(_on(settings, threadline.troubles()), flush=True)
        if link:
            print(f"  Install       open this once, within an hour: {link}", flush=True)
        await stopping.wait()
    finally:
        await runner.cleanup()
        await threadline.stop()
    return 0


async def _install(settings: Settings) -> int:
    if settings.linear.grant != "installed":
        return _wrong("THREADLINE_LINEAR__GRANT=installed is needed for an install in the browser")
    print(await install_link(settings))
    return 0


async def _audit(settings: Settings, *, verify: bool) -> int:
    """Exit code 1 if the log was tampered with."""
    trail = await audit_log(settings)
    if not verify:
        for one in trail.records:
            print(json.dumps({"n": one.n, "at": one.at, **one.body, "digest": one.digest}))
    damaged = list(broken(trail))
    for n in damaged:
        print(f"threadline: the audit log does not hold at row {n}", file=sys.stderr)
    if verify and not damaged:
        print(f"{trail.rows} rows, whole; the newest digest is {trail.digest or 'none'}")
    return 1 if damaged else 0


def _on(settings: Settings, troubles: Mapping[str, str]) -> str:
    """What is on, where, and what is missing."""
    address = f"http://{settings.host}:{settings.port}"
    linear = "webhooks at POST /api/webhooks/linear"
    if not settings.linear.webhook_secret:
        linear = "no webhooks: THREADLINE_LINEAR__WEBHOOK_SECRET is not set, so Linear cannot reach us"
    names = ", ".join(one.name for one in settings.repositories) or "none: add them to threadline.toml"
    lines = [
        f"Threadline is ready at {address} (health: /healthz, /readyz)",
        *_chats_on(settings, troubles),
        *_code_host_on(settings),
        f"  Linear        {linear}",
        f"  Repositories  {names}",
        f"  Data          {settings.data_dir}",
        "  Sandbox       off: agents run as this user; use a machine or account made for it",
    ]
    return "\n".join(lines)


def _chats_on(settings: Settings, troubles: Mapping[str, str]) -> Iterator[str]:
    if settings.slack.on:
        slack = "events at POST /slack/events" if settings.slack.signing_secret else "over Socket Mode"
        yield f"  Slack         {slack}"
    if settings.teams.on:
        yield "  Teams         activities at POST /api/messages"
        if trouble := troubles.get("teams"):
            yield f"                NO ANSWERS: {trouble}; check THREADLINE_TEAMS__APP_ID and APP_PASSWORD"


def _code_host_on(settings: Settings) -> Iterator[str]:
    github = settings.github
    if not github.on:
        return
    if github.token and not github.app_id:
        yield "  GitHub        with a personal token, to try it out: nobody acts as themselves"
        return
    linked = "people act as themselves" if github.is_linkable else "no linking: CLIENT_ID is not set"
    hooks = "webhooks at POST /api/webhooks/github" if github.webhook_secret else "no webhooks"
    yield f"  GitHub        as the app; {linked}; {hooks}"


def _wrong(problem: str) -> int:
    print(problem if "\n" in problem else f"threadline: {problem}", file=sys.stderr)
    return USAGE_ERROR
