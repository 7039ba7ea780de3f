"""What the GitHub stand-in shows of itself: a page per pull request, and its state as JSON. Pure."""

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from playground import github_rules as rules
from playground.github_faults import Call
from playground.github_git import Change
from playground.github_hooks import Delivery
from playground.github_state import Account, CheckRun, Pull, Repository, Review, World, stamp

Json = dict[str, Any]

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<title>{title}</title>
<style>body{{font:15px/1.5 system-ui;margin:2rem auto;max-width:52rem;padding:0 1rem}}
section{{border:1px solid #ccd;border-radius:8px;padding:.2rem 1rem 1rem;margin:1rem 0}}
small{{color:#667}} pre{{white-space:pre-wrap}}
.status{{background:#eef;border-radius:4px;padding:0 .4rem}}</style>
</head><body>{body}</body></html>"""


def home_page(world: World) -> str:
    """The repositories with their pull requests, newest first; everything people wrote is escaped."""
    body = "".join(_repository(home) for home in world.repositories) or "<p>No repositories yet.</p>"
    return PAGE.format(title="GitHub playground", body=f"<h1>GitHub playground</h1>{body}")


def _repository(home: Repository) -> str:
    pulls = "".join(
        f'<li><a href="/{escape(home.full_name)}/pull/{one.number}">#{one.number} {escape(one.title)}</a>'
        f' <span class="status">{_state(one)}</span></li>'
        for one in sorted(home.pulls.values(), key=lambda one: -one.number)
    )
    return f"<section><h2>{escape(home.full_name)}</h2><ul>{pulls}</ul></section>"


def pull_page(home: Repository, one: Pull, merge_state: str, change: Change) -> str:
    """A pull request as somebody sees it who may see everything."""
    title = f"{one.title} #{one.number}"
    branches = f"{one.author.login} wants to merge {one.branch} at {one.head_sha[:7]} into {one.base}"
    files = [f"{path} +{added} −{deleted}" for path, added, deleted in change.files]
    counted = f"{len(files)} files, +{change.additions} −{change.deletions}"
    body = (
        f'<p><a href="/">All</a> · {escape(home.full_name)}</p><h1>{escape(title)}</h1>'
        f'<p><span class="status">{_state(one)}</span> <small>{escape(branches)}</small></p>'
        f"<pre>{escape(one.body)}</pre>"
        f"<h2>Merging</h2>{_list(_merging(home, one, merge_state))}"
        f"<h2>Checks</h2>{_list(map(_check, rules.newest_checks(home, one.head_sha)))}"
        f"<h2>Reviews</h2>{_list(_review(each) for each in one.reviews if each.state != 'PENDING')}"
        f"<h2>Comments</h2>{_list(f'{each.by.login}: {each.body}' for each in one.comments)}"
        f"{_list(f'{each.by.login} on {each.path}: {each.body}' for each in one.line_comments)}"
        f"<h2>Files</h2><p>{counted}</p>{_list(files)}"
    )
    return PAGE.format(title=escape(title), body=body)


def _state(one: Pull) -> str:
    if one.is_merged:
        return "merged"
    return "draft" if one.is_draft and one.state == "open" else one.state


def _merging(home: Repository, one: Pull, merge_state: str) -> Iterator[str]:
    if one.merged_by is not None:
        yield f"Merged by {one.merged_by.login} as {(one.merge_sha or '')[:7]}"
    if one.state != "open":
        return
    yield merge_state
    yield from rules.blocked(home, one)
    if one.auto_merge is not None:
        yield f"{one.auto_merge[0].login} has it merged by itself ({one.auto_merge[1].lower()})"
    if one.queued_by is not None:
        yield f"{one.queued_by.login} put it into the merge queue"


def _check(run: CheckRun) -> str:
    return f"{run.name}: {run.conclusion or run.status} {run.title}".rstrip()


def _review(one: Review) -> str:
    return f"{one.by.login}: {one.state} at {one.sha[:7]} {one.body}".rstrip()


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else "<p>None.</p>"


def snapshot(world: World, calls: Iterable[Call], deliveries: Iterable[Delivery]) -> Json:
    """Everything there is, what was asked, and what the app was told."""
    return {
        "people": [_person(world, one) for one in world.accounts.values()],
        "repositories": [repository_view(home) for home in world.repositories],
        "calls": [{"kind": one.kind, "who": one.who, "status": one.status} for one in calls],
        "deliveries": [
            {"id": one.id, "event": one.event, "action": one.action, "status": one.status}
            for one in deliveries
        ],
    }


def _person(world: World, one: Account) -> Json:
    may = {home.full_name: home.permission(one) for home in world.repositories}
    return {"id": one.id, "login": one.login, "type": one.type, "may": may}


def repository_view(home: Repository) -> Json:
    return {
        "name": home.full_name,
        "base": home.base,
        "pulls": [pull_view(home, one) for one in home.pulls.values()],
    }


def pull_view(home: Repository, one: Pull) -> Json:
    return {
        "repository": home.full_name,
        "number": one.number,
        "title": one.title,
        "state": _state(one),
        "head": one.head_sha,
        "branch": one.branch,
        "base": one.base,
        "author": one.author.login,
        "decision": rules.decision(home, one),
        "blocked": list(rules.blocked(home, one)),
        "reviews": [{"by": each.by.login, "state": each.state, "sha": each.sha} for each in one.reviews],
        "checks": [_check(run) for run in rules.newest_checks(home, one.head_sha)],
        "mergedBy": one.merged_by.login if one.merged_by else None,
        "updatedAt": stamp(one.updated_at),
    }
