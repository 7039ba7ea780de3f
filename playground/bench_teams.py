"""What `make bench` measures of the Teams adapter."""

import json
from typing import Any

from playground.bench_numbers import PATIENCE_S
from playground.scripts import todo
from playground.stage import Stage
from playground.teams_activities import said
from playground.teams_state import Draft

CHANNEL = "19:eng@thread.tacv2"
TOOLS = 40
TOOL_EVERY_S = 0.5

WORK = [{"tools": [todo(number % 3)], "delay": TOOL_EVERY_S} for number in range(TOOLS)]
BUSY = [{"match": "busy", "steps": [*WORK, {"text": "Done."}]}]


def replies(stage: Stage, root: str, count: int) -> list[bytes]:
    """People's un-mentioned replies in the thread `root`, as Teams would send them."""
    workspace, now = stage.teams.workspace, stage.teams.clock.now()
    bob = workspace.person("29:bob")
    bodies = []
    for number in range(count):
        draft = Draft(f"one more thing, number {number}", markup="<p>one more thing</p>", root=root)
        bodies.append(json.dumps(said(workspace, workspace.post(bob, CHANNEL, draft, now))).encode())
    return bodies


def headers(stage: Stage) -> dict[str, str]:
    """What accompanies an activity."""
    token = stage.teams.keys.mint(stage.teams.service_url)
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


async def busy(stage: Stage) -> dict[str, Any]:
    """Calls of a session that does something all the time."""
    teams = stage.teams
    began = teams.clock.now()
    root = teams.people.mention("29:ann", CHANNEL, "keep busy")
    await stage.until(
        lambda: any(" · done in " in one["text"] for one in teams.transcript(CHANNEL, root)),
        PATIENCE_S + TOOLS * TOOL_EVERY_S,
        "the turn ends",
    )
    minutes = (teams.clock.now() - began) / 60
    return {
        "tools in a minute": round(TOOLS / minutes),
        "PUTs in a minute": round(teams.api.calls["update"] / minutes),
        "POSTs": teams.api.calls["send"],
        "refused by Teams": sum(teams.api.refusals.values()),
    }
