"""State of the GitHub stand-in -> the JSON that GitHub's REST API answers with."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playground.github_state import Account, CheckRun, Comment, Pull, Repository, Review, stamp
from playground.github_tokens import AppIdentity

Json = dict[str, Any]

OTHER_APP = 15_368
"""The app of GitHub Actions."""
ACTIONS = "github-actions"

SHAPES: Mapping[str, Json] = json.loads(Path(__file__).with_name("github_shapes.json").read_text("utf-8"))
"""Every answer with all the fields that GitHub's have; made from its own description."""


def shape(kind: str, /, **values: Any) -> Json:
    """The least answer of that kind, with these values in it."""
    return {**copy.deepcopy(SHAPES[kind]), **values}


def account(one: Account) -> Json:
    """As it is shown inside of other things."""
    base = copy.deepcopy(SHAPES["pull"]["base"]["repo"]["owner"])
    return {**base, "id": one.id, "login": one.login, "type": one.type, "node_id": f"U_{one.id}"}


def whole_account(one: Account) -> Json:
    return shape("account", id=one.id, login=one.login, type=one.type, node_id=f"U_{one.id}", name=one.name)


def repository(one: Repository, url: str) -> Json:
    return shape("repository", **_named(one, url), clone_url=f"{url}/{one.full_name}.git")


def _named(one: Repository, url: str) -> Json:
    return {
        "id": one.id,
        "node_id": f"R_{one.id}",
        "name": one.name,
        "full_name": one.full_name,
        "private": one.is_private,
        "html_url": f"{url}/{one.full_name}",
        "url": f"{url}/repos/{one.full_name}",
        "default_branch": one.base,
    }


def _side(name: str, one: Repository, ref: str, sha: str, url: str) -> Json:
    base = copy.deepcopy(SHAPES["pull"][name])
    repo = {**(base.get("repo") or copy.deepcopy(SHAPES["pull"]["base"]["repo"])), **_named(one, url)}
    return {**base, "label": f"{one.owner}:{ref}", "ref": ref, "sha": sha, "repo": repo}


def pull(one: Pull, home: Repository, url: str, *, whole: bool, state: Mapping[str, Any] = {}) -> Json:
    """A pull request; `whole` with what only `GET .../pulls/{number}` tells, taken from `state`."""
    values: Json = {
        "id": one.id,
        "node_id": one.node_id,
        "number": one.number,
        "url": f"{url}/repos/{home.full_name}/pulls/{one.number}",
        "html_url": f"{url}/{home.full_name}/pull/{one.number}",
        "state": one.state,
        "title": one.title,
        "body": one.body or None,
        "draft": one.is_draft,
        "user": account(one.author),
        "created_at": stamp(one.at),
        "updated_at": stamp(one.updated_at),
        "closed_at": stamp(one.closed_at) if one.closed_at else None,
        "merged_at": stamp(one.merged_at) if one.merged_at else None,
        "merge_commit_sha": one.merge_sha,
        "head": _side("head", home, one.branch, one.head_sha, url),
        "base": _side("base", home, one.base, one.base_sha, url),
        "author_association": "CONTRIBUTOR",
        "auto_merge": _auto_merge(one),
    }
    if not whole:
        return shape("pull_simple", **values)
    values |= {
        "merged": one.is_merged,
        "merged_by": account(one.merged_by) if one.merged_by else None,
        **state,
    }
    return shape("pull", **values)


def _auto_merge(one: Pull) -> Json | None:
    if one.auto_merge is None:
        return None
    by, method = one.auto_merge
    words = {"commit_title": one.title, "commit_message": one.body}
    return {"enabled_by": account(by), "merge_method": method.lower(), **words}


def review(one: Review, pull_request: Pull, home: Repository, url: str) -> Json:
    place = f"{url}/repos/{home.full_name}/pulls/{pull_request.number}"
    at = {} if one.state == "PENDING" else {"submitted_at": stamp(one.at)}
    return shape(
        "review",
        id=one.id,
        node_id=f"PRR_{one.id}",
        user=account(one.by),
        body=one.body,
        state=one.state,
        commit_id=one.sha,
        **at,
        html_url=f"{url}/{home.full_name}/pull/{pull_request.number}#pullrequestreview-{one.id}",
        pull_request_url=place,
    )


def slug_of(id: int, app: AppIdentity) -> str:
    return app.slug if id == app.id else ACTIONS if id == OTHER_APP else f"app-{id}"


def check_run(one: CheckRun, app: AppIdentity) -> Json:
    output = copy.deepcopy(SHAPES["check_run"]["output"])
    output |= {"title": one.title or None, "summary": one.summary or None}
    output["annotations_count"] = len(one.annotations)
    owner = copy.deepcopy(SHAPES["app"])
    slug = slug_of(one.app_id, app)
    return shape(
        "check_run",
        id=one.id,
        node_id=f"CR_{one.id}",
        head_sha=one.sha,
        name=one.name,
        status=one.status,
        conclusion=one.conclusion,
        external_id=one.external_id,
        started_at=stamp(one.at),
        completed_at=stamp(one.at) if one.status == "completed" else None,
        output=output,
        app={**owner, "id": one.app_id, "slug": slug, "name": slug},
        check_suite={"id": suite_of(one.sha, one.app_id)},
    )


def suite_of(sha: str, app_id: int) -> int:
    """The number of all checks of an app on a commit together, and of the workflow that ran them."""
    return int(sha[:8], 16) * 100_000 + app_id


def job(one: CheckRun, branch: str | None, url: str) -> Json:
    """A check of GitHub Actions as the job that it is."""
    run = suite_of(one.sha, one.app_id)
    return {
        "id": one.id,
        "run_id": run,
        "run_url": f"{url}/actions/runs/{run}",
        "node_id": f"CR_{one.id}",
        "head_sha": one.sha,
        "head_branch": branch,
        "url": f"{url}/actions/jobs/{one.id}",
        "html_url": None,
        "status": one.status,
        "conclusion": one.conclusion,
        "created_at": stamp(one.at),
        "started_at": stamp(one.at),
        "completed_at": stamp(one.at) if one.status == "completed" else None,
        "name": one.name,
        "check_run_url": f"{url}/check-runs/{one.id}",
        "labels": [],
        "runner_id": None,
        "runner_name": None,
        "runner_group_id": None,
        "runner_group_name": None,
        "workflow_name": "CI",
    }


def comment(one: Comment, pull_request: Pull, home: Repository, url: str) -> Json:
    place = f"{url}/repos/{home.full_name}/issues/{pull_request.number}"
    return shape(
        "comment",
        id=one.id,
        node_id=f"IC_{one.id}",
        user=account(one.by),
        body=one.body,
        created_at=stamp(one.at),
        updated_at=stamp(one.at),
        issue_url=place,
        url=f"{place}/comments/{one.id}",
    )


def line_comment(one: Comment, pull_request: Pull) -> Json:
    return shape(
        "line_comment",
        id=one.id,
        node_id=f"PRRC_{one.id}",
        user=account(one.by),
        body=one.body,
        path=one.path,
        commit_id=pull_request.head_sha,
        original_commit_id=pull_request.head_sha,
        created_at=stamp(one.at),
        updated_at=stamp(one.at),
    )


def permission(one: str, who: Account) -> Json:
    folded = {"maintain": "write", "triage": "read"}.get(one, one)
    user = {**account(who), "permissions": None, "role_name": one}
    user.pop("permissions")
    return shape("permission", permission=folded, role_name=one, user=user)
