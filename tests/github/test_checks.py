"""Our own check, and what those of others say."""

from typing import Any

import httpx
import pytest

from github.checks import GitHubChecks
from github.errors import BadName, Forbidden
from tests.github.fakes import APP, HEAD, REPO, ScriptedGitHub, ok, refused, wire_of
from tests.github.forge import Forge

BASE = "/repos/acme/shop"
RUNS = f"{BASE}/commits/{HEAD}/check-runs"
OURS: dict[str, Any] = {
    "name": "independent-review",
    "external_id": "acme/shop#7",
    "title": "Needs a review",
    "summary": "By somebody else than Ann.",
}


def run(**fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = ok("POST", f"{BASE}/check-runs", 201, **fields).json()
    return made


def runs(*found: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json={"total_count": len(found), "check_runs": list(found)})


async def test_a_check_that_is_not_there_is_made() -> None:
    github = ScriptedGitHub(runs(run(external_id="another")), ok("POST", f"{BASE}/check-runs", 201, id=5))
    checks = GitHubChecks(wire_of(github))
    made = await checks.put_check(APP, REPO, HEAD, **OURS, conclusion="failure", details_url="https://b.test")
    assert made.id == 5
    assert dict(github.requests[0].url.params)["check_name"] == "independent-review"
    assert github.bodies[1] == {
        "name": "independent-review",
        "head_sha": HEAD,
        "external_id": "acme/shop#7",
        "status": "completed",
        "conclusion": "failure",
        "details_url": "https://b.test",
        "output": {"title": "Needs a review", "summary": "By somebody else than Ann."},
    }


async def test_a_check_that_is_there_is_changed() -> None:
    forge = Forge()
    checks = GitHubChecks(wire_of(forge))
    await checks.put_check(APP, REPO, HEAD, **OURS, conclusion=None)
    changed = await checks.put_check(APP, REPO, HEAD, **OURS, conclusion="success")
    assert (changed.status, changed.conclusion) == ("completed", "success")
    assert forge.effects == {"check": 1, "check updated": 1}


async def test_a_long_summary_is_cut() -> None:
    github = ScriptedGitHub(runs(), ok("POST", f"{BASE}/check-runs", 201))
    long = OURS | {"summary": "x" * 100_000}
    await GitHubChecks(wire_of(github)).put_check(APP, REPO, HEAD, **long, conclusion="success")
    assert len(github.bodies[1]["output"]["summary"]) <= 65_535


async def test_only_a_whole_commit_id_is_checked() -> None:
    github = ScriptedGitHub()
    with pytest.raises(BadName):
        await GitHubChecks(wire_of(github)).put_check(APP, REPO, "HEAD", **OURS, conclusion=None)
    assert github.requests == []


async def test_remarks_are_read() -> None:
    place = f"{BASE}/check-runs/5/annotations"
    github = ScriptedGitHub(ok("GET", place, path="a.py", start_line=3, message="E501", title=None))
    remarks = await GitHubChecks(wire_of(github)).annotations(APP, REPO, 5)
    assert [(one.path, one.start_line, one.message, one.title) for one in remarks] == [
        ("a.py", 3, "E501", "")
    ]


async def test_the_end_of_a_log_is_read() -> None:
    found = httpx.Response(302, headers={"Location": "https://store.test/log"})
    text = httpx.Response(200, content=b"\xff...\n" + b"2 failed\n")
    github = ScriptedGitHub(found, text, judged=False)
    assert await GitHubChecks(wire_of(github)).job_log(APP, REPO, 5, last_bytes=10) == "\n2 failed\n"
    assert github.asked[0] == f"GET {BASE}/actions/jobs/5/logs"


@pytest.mark.parametrize("status", [404, 410])
async def test_a_log_that_is_gone_is_empty(status: int) -> None:
    github = ScriptedGitHub(refused(status), judged=False)
    assert await GitHubChecks(wire_of(github)).job_log(APP, REPO, 5) == ""


async def test_a_log_that_we_may_not_read_is_told() -> None:
    github = ScriptedGitHub(refused(403, "Resource not accessible by integration"), judged=False)
    with pytest.raises(Forbidden):
        await GitHubChecks(wire_of(github)).job_log(APP, REPO, 5)
