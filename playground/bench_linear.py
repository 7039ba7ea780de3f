"""What `make bench` measures of a session that begins in Linear."""

import asyncio
import time
from collections import Counter
from typing import Any

from playground.bench_numbers import PATIENCE_S, spread
from playground.scripts import call, run, todo
from playground.shop import FAULT, REPAIR
from playground.stage import Stage

DELEGATIONS = 20
LATENCIES_S = (0.0, 0.15)
TERMINAL = ("response", "error")

THREE_TOOLS = [
    {"tools": [todo(0), call("Read", file_path="search/issue_search.py")]},
    {"tools": [call("Edit", file_path="search/issue_search.py", old_string=FAULT, new_string=REPAIR)]},
    {"tools": [run("python3 -m unittest -q")]},
    {"text": "Fixed."},
]
SCRIPTS = [
    {"match": "with three tools", "steps": THREE_TOOLS},
    {"match": "", "steps": [{"text": "Nothing to do."}]},
]


async def linear_side(stage: Stage) -> dict[str, Any]:
    """Webhook to first thought with a fast and a slow Linear, and the calls of one session by kind."""
    measured: dict[str, Any] = {"calls of a session with three tools": await _calls(stage)}
    for latency_s in LATENCIES_S:
        times, before = await _first_thoughts(stage, latency_s)
        name = f"webhook to first thought, Linear at {latency_s * 1000:.0f} ms"
        measured[f"{name} (ms)"] = spread(times)
        measured[f"{name}: calls before it, at most"] = before
    return measured


async def _calls(stage: Stage) -> dict[str, int]:
    before = Counter(stage.linear.endpoint.calls)
    await _delegated(stage, "Work with three tools")
    return dict(Counter(stage.linear.endpoint.calls) - before)


async def _first_thoughts(stage: Stage, latency_s: float) -> tuple[list[float], int]:
    """Milliseconds until each thought is shown, and the most calls that came before one."""
    stage.linear.faults.latency_s = latency_s
    times, calls = [], []
    for number in range(DELEGATIONS):
        shown = asyncio.get_running_loop().create_future()

        async def note(shown: asyncio.Future[float] = shown) -> None:
            shown.set_result(time.perf_counter())

        stage.linear.faults.at("CreateActivity", "executed", note)
        asked = len(stage.linear.endpoint.requests)
        began = time.perf_counter()
        await _delegated(stage, f"Look at number {number}")
        times.append((await shown - began) * 1000)
        names = [name for name, _ in stage.linear.endpoint.requests[asked:]]
        calls.append(names.index("CreateActivity"))
    stage.linear.faults.latency_s = 0.0
    return times, max(calls)


async def _delegated(stage: Stage, title: str) -> None:
    """One session from its delegation to its end."""
    issue = stage.linear.people.create_issue(title)
    session = stage.linear.people.delegate(issue.identifier)
    await stage.until(
        lambda: any(one.type in TERMINAL for one in session.history), PATIENCE_S, "the session ends"
    )
