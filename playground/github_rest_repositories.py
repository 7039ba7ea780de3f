"""REST of the GitHub stand-in: repositories, who may do what there, rules of branches, and checks."""

from collections.abc import Iterator, Mapping
from typing import Any

from playground import github_views as views
from playground.github_rest import Answer, Asked, Rest, on
from playground.github_rights import Refused
from playground.github_state import CheckRun, Repository, Rules
from playground.github_views import Json, shape


@on("GET", "/repositories/{id}")
@on("GET", "/repos/{owner}/{repo}")
async def _repository(rest: Rest, asked: Asked) -> Answer:
    return Answer(200, views.repository(rest.home(asked), rest.url))


@on("GET", "/repos/{owner}/{repo}/collaborators/{login}/permission")
async def _permission(rest: Rest, asked: Asked) -> Answer:
    home = rest.home(asked)
    one = rest.world.named(asked.parts["login"])
    if one is None:
        raise Refused(404, f"{asked.parts['login']} is not a user")
    return Answer(200, views.permission(home.permission(one), one))


@on("GET", "/repos/{owner}/{repo}/rules/branches/{branch...}")
async def _rules(rest: Rest, asked: Asked) -> Answer:
    home = rest.home(asked)
    if asked.parts["branch"] != home.base:
        return Answer(200, [])
    source = {"ruleset_source_type": "Repository", "ruleset_source": home.full_name, "ruleset_id": 1}
    listed = [{"type": kind, **source, "parameters": told} for kind, told in _rules_of(home)]
    return Answer(200, listed)


def _rules_of(home: Repository) -> Iterator[tuple[str, Json]]:
    rules: Rules = home.rules
    yield (
        "pull_request",
        {
            "required_approving_review_count": rules.reviews,
            "dismiss_stale_reviews_on_push": rules.dismiss_stale,
            "require_code_owner_review": bool(rules.owners),
            "require_last_push_approval": rules.last_push,
            "required_review_thread_resolution": False,
            "allowed_merge_methods": list(home.methods),
        },
    )
    if rules.checks:
        checks = [
            {"context": name, **({"integration_id": app} if app else {})}
            for name, app in rules.checks.items()
        ]
        more = {"strict_required_status_checks_policy": rules.is_strict}
        yield "required_status_checks", {"required_status_checks": checks, **more}
    if rules.has_queue:
        yield (
            "merge_queue",
            {
                "check_response_timeout_minutes": 60,
                "grouping_strategy": "ALLGREEN",
                "max_entries_to_build": 5,
                "max_entries_to_merge": 5,
                "merge_method": home.methods[0].upper(),
                "min_entries_to_merge": 1,
                "min_entries_to_merge_wait_minutes": 5,
            },
        )


@on("POST", "/repos/{owner}/{repo}/check-runs")
async def _create_check(rest: Rest, asked: Asked) -> Answer:
    home = rest.home(asked, "checks", "write")
    _demand_app(asked)
    name, sha = asked.text("name"), asked.text("head_sha")
    made = await rest.forge.check(
        home, name=name, sha=sha, app_id=rest.forge.app.id, **_check_fields(asked.body)
    )
    return Answer(201, views.check_run(made, rest.forge.app))


@on("PATCH", "/repos/{owner}/{repo}/check-runs/{check}")
async def _change_check(rest: Rest, asked: Asked) -> Answer:
    home = rest.home(asked, "checks", "write")
    _demand_app(asked)
    run = _run(home, asked.parts["check"])
    if run.app_id != rest.forge.app.id:
        raise Refused(
            403, "Invalid app_id `4242` - check run can only be modified by the app that created it."
        )
    await rest.forge.change_check(home, run, **_check_fields(asked.body))
    return Answer(200, views.check_run(run, rest.forge.app))


def _demand_app(asked: Asked) -> None:
    if asked.who.kind != "installation":
        raise Refused(403, "You must authenticate via a GitHub App.")


def _run(home: Repository, id: str) -> CheckRun:
    found = next((one for one in home.checks if str(one.id) == id), None)
    if found is None:
        raise Refused(404, "Not Found")
    return found


def _check_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"conclusion": body.get("conclusion"), "status": body.get("status") or "queued"}
    if isinstance(output := body.get("output"), dict):
        told |= {name: str(output.get(name) or "") for name in ("title", "summary")}
    return told | ({"external_id": str(body["external_id"])} if body.get("external_id") else {})


@on("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs")
async def _check_runs(rest: Rest, asked: Asked) -> Answer:
    home = rest.home(asked, "checks")
    name = asked.query.get("check_name")
    found = [one for one in home.checks if one.sha == asked.parts["ref"] and name in (None, one.name)]
    listed = [views.check_run(one, rest.forge.app) for one in found]
    return Answer(200, {"total_count": len(listed), "check_runs": asked.page(listed)})


@on("GET", "/repos/{owner}/{repo}/check-runs/{check}/annotations")
async def _annotations(rest: Rest, asked: Asked) -> Answer:
    run = _run(rest.home(asked, "checks"), asked.parts["check"])
    return Answer(200, asked.page([shape("annotation", **one) for one in run.annotations]))


@on("GET", "/repos/{owner}/{repo}/actions/runs/{run}/jobs")
async def _jobs(rest: Rest, asked: Asked) -> Answer:
    home = rest.home(asked, "actions")
    found = [one for one in _jobs_of(home) if str(views.suite_of(one.sha, one.app_id)) == asked.parts["run"]]
    branches = {sha: one.branch for one in home.pulls.values() for sha in one.heads}
    place = f"{rest.url}/repos/{home.full_name}"
    listed = [views.job(one, branches.get(one.sha), place) for one in found]
    return Answer(200, {"total_count": len(listed), "jobs": asked.page(listed)})


def _jobs_of(home: Repository) -> list[CheckRun]:
    return [one for one in home.checks if one.app_id == views.OTHER_APP]


@on("GET", "/repos/{owner}/{repo}/actions/jobs/{job}/logs")
async def _job_log(rest: Rest, asked: Asked) -> Answer:
    """Logs are kept elsewhere; the address of one is good for whoever has it."""
    run = _run(rest.home(asked, "actions"), asked.parts["job"])
    if run.app_id != views.OTHER_APP:
        raise Refused(404, "Not Found")
    if not run.log:
        raise Refused(410, "Gone")
    return Answer(302, headers={"Location": f"{rest.url}/_files/logs/{run.id}"})
