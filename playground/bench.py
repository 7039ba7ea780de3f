"""`make bench`: what the service costs, measured side by side with the barest handler in one run.

`make bench ARGS="pulls memory"` measures these parts alone.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from playground import bench_pulls, bench_teams
from playground.bench_linear import SCRIPTS, THREE_TOOLS, linear_side
from playground.bench_numbers import PATIENCE_S, spread
from playground.scripts import DEMO, EXPORT
from playground.shop import make_repository
from playground.slack_events import signed_headers
from playground.stage import HOST, SIGNING_SECRET, Stage, free_port

REQUESTS = 200
STARTS = 3
IDLE: dict[str, dict[str, Any]] = {
    "Slack alone": {},
    "with Teams": {"teams": {}},
    "with GitHub": {"github": {}},
    "with both": {"teams": {}, "github": {}},
}
CHANNEL = "C0001"


async def bare(port: int) -> None:
    """The least a signed webhook can cost: read, HMAC, answer; nothing is stored."""

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        base = b"v0:%b:%b" % (request.headers["X-Slack-Request-Timestamp"].encode(), body)
        digest = "v0=" + hmac.new(SIGNING_SECRET.encode(), base, hashlib.sha256).hexdigest()
        ok = hmac.compare_digest(digest, request.headers["X-Slack-Signature"])
        return web.Response(status=200 if ok else 401)

    application = web.Application()
    application.router.add_post("/slack/events", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    await asyncio.Event().wait()


def reply(root: str, number: int) -> bytes:
    """A person's un-mentioned reply in the thread `root`, as Slack sends it."""
    ts = f"{root.split('.')[0]}.{900000 + number:06d}"
    event = {"type": "message", "channel": CHANNEL, "channel_type": "channel", "user": "U0BOB"}
    event |= {"text": f"one more thing, number {number}", "ts": ts, "thread_ts": root, "event_ts": ts}
    authorization = {"team_id": "T0001", "user_id": "U0BOT", "is_bot": True, "is_enterprise_install": False}
    envelope: dict[str, Any] = {"type": "event_callback", "team_id": "T0001", "api_app_id": "A0001"}
    envelope["event"] = event
    envelope |= {"event_id": f"EvBench{number}", "authorizations": [authorization], "token": "t"}
    return json.dumps(envelope).encode()


def signed(body: bytes) -> dict[str, str]:
    """Slack's headers for this body, as of now."""
    return signed_headers(
        body, secret=SIGNING_SECRET, sent_at=int(time.time()), content_type="application/json"
    )


async def latencies(
    url: str, bodies: list[bytes], headers_of: Callable[[bytes], dict[str, str]] = signed
) -> list[float]:
    """Milliseconds from sending each body to its answer, one after the other on one connection."""
    took = []
    async with aiohttp.ClientSession() as http:
        for body in bodies:
            headers = headers_of(body)
            began = time.perf_counter()
            async with http.post(url, data=body, headers=headers) as answer:
                assert answer.status == 200, answer.status
            took.append((time.perf_counter() - began) * 1000)
    return took


def memory_mib(pid: int) -> float:
    """Resident memory of one process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return round(int(found[1]) / 1024, 1) if found else 0.0


async def answers(stage: Stage) -> dict[str, Any]:
    """Answer times of replies in threads with a session that waits, beside the bare handler."""
    people = stage.slack.people
    people.say("U0ANN", CHANNEL, "<@U0BOT> the nightly export takes an hour, make it faster")
    await stage.until(lambda: stage.model.log, PATIENCE_S, "one session works")
    root = people.say("U0EVE", CHANNEL, "<@U0BOT> the nightly export takes an hour, make it faster")
    await stage.until(lambda: _shows(stage, root, "Queued"), PATIENCE_S, "another one waits")
    there = stage.teams.people.mention("29:eve", bench_teams.CHANNEL, "the nightly export takes an hour")
    await stage.until(lambda: _queued(stage, there), PATIENCE_S, "a third one waits in Teams")
    bodies = [reply(root, number) for number in range(REQUESTS)]
    activities, told = bench_teams.replies(stage, there, REQUESTS), bench_teams.headers(stage)
    port = free_port()
    process = _start_bare(port)
    try:
        url = f"http://{HOST}:{port}/slack/events"
        await stage.until(lambda: _listens(port), PATIENCE_S, "the bare handler listens")
        slack, teams, theirs = [], [], []
        for start in range(0, REQUESTS, 50):  # In turns, so that all meet the same noise.
            part = bodies[start : start + 50]
            theirs += await latencies(url, part)
            slack += await latencies(f"{stage.url}/slack/events", part)
            part = activities[start : start + 50]
            teams += await latencies(f"{stage.url}/api/messages", part, lambda _: told)
    finally:
        process.terminate()
        process.wait()
    return {
        "from Slack, stored (ms)": spread(slack),
        "from Teams, stored (ms)": spread(teams),
        "bare aiohttp + HMAC (ms)": spread(theirs),
    }


def _start_bare(port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "playground.bench", "--bare", str(port)])


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


def _shows(stage: Stage, root: str, words: str) -> bool:
    return any(words in one["text"] for one in stage.chat(CHANNEL, root) if one["author"] == "linear")


def _queued(stage: Stage, root: str) -> bool:
    thread = stage.teams.transcript(bench_teams.CHANNEL, root)
    return any("Queued" in one["text"] for one in thread if one["author"] == "linear")


async def milestones(stage: Stage) -> dict[str, Any]:
    """Seconds from a mention to each thing that people see, and the calls it took."""
    before = sum(stage.linear.endpoint.calls.values())
    began, people = time.perf_counter(), stage.slack.people
    root = people.say("U0ANN", CHANNEL, "<@U0BOT> search ignores archived projects, fix it")
    stage.model.release("fix")
    seen: dict[str, float] = {}
    signs: dict[str, Callable[[], Any]] = {
        "reaction": lambda: stage.chat(CHANNEL, root)[0]["reactions"],
        "progress message": lambda: len(stage.chat(CHANNEL, root)) > 1,
        "agent's process": lambda: _agent_lives(stage.folder),
        "first activity in Linear": lambda: stage.linear.endpoint.calls["CreateActivity"],
        "first model call": lambda: stage.model.log,
        "answer in the thread": lambda: _shows(stage, root, "Fixed."),
    }

    async def watch(name: str, sign: Callable[[], Any]) -> None:
        await stage.until(sign, PATIENCE_S, name)
        seen[name] = round(time.perf_counter() - began, 2)

    await asyncio.gather(*(watch(name, sign) for name, sign in signs.items()))
    await stage.until(lambda: _shows(stage, root, " · done in "), PATIENCE_S, "the turn ends")
    calls = sum(stage.linear.endpoint.calls.values()) - before
    start = round(seen["first model call"] - seen["agent's process"], 2)
    return {
        "seconds after the mention": seen,
        "agent's start to its first model call (s)": start,
        "Linear calls, start-up included": calls,
    }


def _agent_lives(folder: Path) -> bool:
    """Whether a process of the agent's command line works somewhere below `folder`."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().strip() != "claude":
                continue
            if (process / "cwd").resolve().is_relative_to(folder.resolve()):
                return True
        except OSError:  # It ended while we looked.
            continue
    return False


async def run(measure: Callable[[Stage], Awaitable[dict[str, Any]]], **settings: Any) -> dict[str, Any]:
    """A fresh stage for one measurement, with what starting it cost."""
    with tempfile.TemporaryDirectory(prefix="threadline-bench-") as folder:
        repository = make_repository(Path(folder) / "shop.git")
        async with Stage(Path(folder) / "run", repository=repository, **settings) as stage:
            ready = await stage.serve()
            assert stage.process is not None
            idle = memory_mib(stage.process.pid)
            measured = await measure(stage)
            await stage.terminate()
    return {"time to ready (s)": round(ready, 2), "idle memory (MiB)": idle, **measured}


async def idle_memory() -> dict[str, Any]:
    """MiB when ready and nobody has said anything, by what is configured; a fresh start each time."""
    measured = {}
    for name, settings in IDLE.items():
        starts = [(await run(_nothing, **settings))["idle memory (MiB)"] for _ in range(STARTS)]
        measured[f"{name} (MiB)"] = spread(starts)
    return measured


async def _nothing(_: Stage) -> dict[str, Any]:
    return {}


async def with_git() -> dict[str, Any]:
    """What git costs around a session: in a process of its own, as it calls the product's parts directly."""
    command = [sys.executable, "-m", "tests.bench_git"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {process.returncode}")
    measured: dict[str, Any] = json.loads(printed)
    return measured


UNLIMITED = {"rate_factor": None}
PARTS: dict[str, tuple[str, Callable[[], Awaitable[dict[str, Any]]]]] = {
    "session": (
        "one session",
        lambda: run(
            milestones, scripts=[{"match": "archived projects", "steps": THREE_TOOLS}], slack=UNLIMITED
        ),
    ),
    "answers": (
        "answer to an event",
        lambda: run(
            answers,
            scripts=[{"match": "nightly export", "steps": EXPORT}, *DEMO],
            environment={"THREADLINE_RUN__MAX_ACTIVE": "1"},
            slack=UNLIMITED,
            teams=UNLIMITED,
        ),
    ),
    "linear": ("from Linear", lambda: run(linear_side, scripts=SCRIPTS)),
    "teams": (
        "a busy session in Teams",
        lambda: run(bench_teams.busy, scripts=bench_teams.BUSY, teams={}),
    ),
    "pulls": (
        "pull requests",
        lambda: run(
            bench_pulls.pulls,
            scripts=bench_pulls.PULLS,
            slack=UNLIMITED,
            teams=UNLIMITED,
            github=bench_pulls.RULES,
        ),
    ),
    "memory": ("idle memory", idle_memory),
    "git": ("git", with_git),
}
"""What can be measured, by the word that asks for it: its title, and how."""


async def measure_all(parts: Sequence[str]) -> dict[str, Any]:
    """These, one after the other."""
    return {title: await measure() for title, measure in (PARTS[part] for part in parts)}


def main() -> int:
    """Print what was measured, as JSON."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--bare", type=int, metavar="PORT", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.bare:
        asyncio.run(bare(asked.bare))
    if unknown := set(asked.parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    print(json.dumps(asyncio.run(measure_all(asked.parts or list(PARTS))), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
