"""REST of the GitHub stand-in: pull requests, their reviews and comments, and merging them."""

from playground import github_rights as rights
from playground import github_views as views
from playground.github_rest import Answer, Asked, Rest, on
from playground.github_rights import Refused, demand_permission, demand_person
from playground.github_state import Pull, Repository, Review
from playground.github_views import Json, shape

_EVENTS = frozenset({"", "APPROVE", "REQUEST_CHANGES", "COMMENT"})


@on("GET", "/repos/{owner}/{repo}/pulls")
async def _pulls(rest: Rest, asked: Asked) -> Answer:
    home = rest.home(asked, "pull_requests")
    state, head = asked.query.get("state", "open"), asked.query.get("head", "")
    found = [
        one
        for one in home.pulls.values()
        if state in ("all", one.state)
        and head in ("", f"{home.owner}:{one.branch}")
        and asked.query.get("base", one.base) == one.base
    ]
    listed = [views.pull(one, home, rest.url, whole=False) for one in reversed(found)]
    return Answer(200, asked.page(listed))


@on("POST", "/repos/{owner}/{repo}/pulls")
async def _open_pull(rest: Rest, asked: Asked) -> Answer:
    home = rest.home(asked, "pull_requests", "write")
    if asked.who.kind in rights.PEOPLE and not home.writes(asked.who.account):
        raise Refused(404, "Not Found")
    owner, _, branch = asked.text("head").rpartition(":")
    if owner not in ("", home.owner):
        raise Refused(422, "Validation Failed", errors=[{"resource": "PullRequest", "field": "head"}])
    one = await rest.forge.open(
        home,
        branch=branch,
        base=asked.text("base"),
        title=asked.text("title"),
        body=asked.maybe("body") or "",
        is_draft=bool(asked.body.get("draft")),
        by=asked.who.account,
    )
    return Answer(201, await rest.shown(home, one))


@on("GET", "/repos/{owner}/{repo}/pulls/{number}")
async def _pull(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked)
    return Answer(200, await rest.shown(home, one))


@on("PATCH", "/repos/{owner}/{repo}/pulls/{number}")
async def _edit_pull(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked, level="write")
    by = asked.who.account
    title, body, base, state = (asked.maybe(name) for name in ("title", "body", "base", "state"))
    if state not in (None, "open", "closed"):
        raise Refused(422, f"Invalid request.\n\n{state} is not a member of [open, closed].")
    if title is not None or body is not None:
        demand_permission(asked.who, home, "write", or_is=one.author)
    if base is not None:
        demand_permission(asked.who, home, "write", or_is=one.author)
        await rest.forge.retarget(home, one, by, base)
    if state is not None:
        demand_permission(asked.who, home, "triage", or_is=one.author)
        await (rest.forge.close if state == "closed" else rest.forge.reopen)(home, one, by)
    if title is not None or body is not None:
        rest.forge.edit(home, one, by, title=title, body=body)
    return Answer(200, await rest.shown(home, one))


@on("GET", "/repos/{owner}/{repo}/pulls/{number}/files")
async def _files(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked)
    change = await rest.forge.change(home, one)
    listed = [
        shape("file", filename=path, additions=plus, deletions=minus, changes=plus + minus, status="modified")
        for path, plus, minus in change.files
    ]
    return Answer(200, asked.page(listed))


@on("GET", "/repos/{owner}/{repo}/pulls/{number}/reviews")
async def _reviews(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked)
    seen = [each for each in one.reviews if each.state != "PENDING" or each.by is asked.who.account]
    return Answer(200, asked.page([views.review(each, one, home, rest.url) for each in seen]))


@on("POST", "/repos/{owner}/{repo}/pulls/{number}/reviews")
async def _review(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked, level="write")
    made = await rest.forge.review(
        home,
        one,
        asked.who.account,
        event=_event(asked),
        body=asked.maybe("body") or "",
        sha=asked.maybe("commit_id"),
    )
    return Answer(200, views.review(made, one, home, rest.url))


def _event(asked: Asked) -> str:
    event = asked.maybe("event") or ""
    if event not in _EVENTS:
        raise Refused(422, "Unprocessable Entity", errors=[f"{event} is not an event"])
    return event


@on("POST", "/repos/{owner}/{repo}/pulls/{number}/reviews/{review}/events")
async def _submit(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked, level="write")
    review = _review_of(one, asked)
    if review.by is not asked.who.account or review.state != "PENDING" or not (event := _event(asked)):
        raise Refused(422, "Unprocessable Entity", errors=["Could not submit review."])
    await rest.forge.submit(home, one, review, event=event, body=asked.maybe("body") or "")
    return Answer(200, views.review(review, one, home, rest.url))


@on("PUT", "/repos/{owner}/{repo}/pulls/{number}/reviews/{review}/dismissals")
async def _dismiss(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked, level="write")
    demand_permission(asked.who, home, "write")
    review = _review_of(one, asked)
    asked.text("message")
    rest.forge.dismiss(home, one, review, asked.who.account)
    await rest.forge.settle(home, one)
    return Answer(200, views.review(review, one, home, rest.url))


def _review_of(one: Pull, asked: Asked) -> Review:
    found = next((each for each in one.reviews if str(each.id) == asked.parts["review"]), None)
    if found is None or (found.state == "PENDING" and found.by is not asked.who.account):
        raise Refused(404, "Not Found")
    return found


@on("GET", "/repos/{owner}/{repo}/pulls/{number}/comments")
async def _line_comments(rest: Rest, asked: Asked) -> Answer:
    _, one = rest.pull(asked)
    return Answer(200, asked.page([views.line_comment(each, one) for each in one.line_comments]))


@on("GET", "/repos/{owner}/{repo}/issues/{number}/comments")
async def _comments(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked)
    return Answer(200, asked.page([views.comment(each, one, home, rest.url) for each in one.comments]))


@on("POST", "/repos/{owner}/{repo}/issues/{number}/comments")
async def _comment(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked, level="write")
    made = rest.forge.comment(home, one, asked.who.account, asked.text("body"))
    return Answer(201, views.comment(made, one, home, rest.url))


@on("PUT", "/repos/{owner}/{repo}/pulls/{number}/merge")
async def _merge(rest: Rest, asked: Asked) -> Answer:
    home, one = _merging(rest, asked)
    by = asked.who.account
    if home.rules_of(one).has_queue and home.permission(by) != "admin":
        raise Refused(405, "Changes must be made through the merge queue")
    new = await rest.forge.merge(home, one, by, sha=asked.maybe("sha"), method=_method(asked))
    return Answer(200, shape("merged", merged=True, message="Pull Request successfully merged", sha=new))


def _merging(rest: Rest, asked: Asked) -> tuple[Repository, Pull]:
    home, one = rest.pull(asked, "contents", "write")
    demand_permission(asked.who, home, "write")
    return home, one


def _method(asked: Asked) -> str:
    method = asked.maybe("merge_method") or "merge"
    if method not in ("merge", "squash", "rebase"):
        raise Refused(422, f"Invalid request.\n\n{method} is not a member of [merge, squash, rebase].")
    return method


@on("PUT", "/repos/{owner}/{repo}/pulls/{number}/merge-async")
async def _merge_async(rest: Rest, asked: Asked) -> Answer:
    if not rest.world.switches.has_merge_async:
        raise Refused(404, "Not Found")
    home, one = _merging(rest, asked)
    by, method, sha = asked.who.account, _method(asked), asked.maybe("sha")
    if one.is_merged:
        return Answer(400, _outcome("failed", "Pull Request is already merged"))
    if one.merging is not None and one.merging.outcome is None:
        return Answer(409, _pending(one))
    try:
        if home.rules_of(one).has_queue:
            await rest.forge.enqueue(home, one, by, sha=sha)
            return Answer(200, _outcome("enqueued", "Pull Request was added to the merge queue"))
        if rest.world.switches.merges_later:
            await rest.forge.begin_merge(home, one, by, sha=sha, method=method)
            return Answer(202, _pending(one))
        new = await rest.forge.merge(home, one, by, sha=sha, method=method)
    except Refused as refused:
        return Answer(400, _outcome("failed", str(refused)))
    return Answer(200, {"status": "merged", "details": {"message": "merged", "sha": new}})


@on("GET", "/repos/{owner}/{repo}/pulls/{number}/merge-async/{uuid}")
async def _merge_outcome(rest: Rest, asked: Asked) -> Answer:
    """Under way at the first look, over at the second."""
    home, one = rest.pull(asked)
    if one.merging is None or one.merging.uuid != asked.parts["uuid"]:
        raise Refused(404, "Not Found")
    if one.merging.was_asked_for:
        await rest.forge.finish_merge(home, one)
    one.merging.was_asked_for = True
    return Answer(200, one.merging.outcome or _pending(one))


def _outcome(word: str, message: str) -> Json:
    return {"status": word, "details": {"message": message}}


def _pending(one: Pull) -> Json:
    assert one.merging is not None
    details = {
        "message": "Pull Request merge is in progress",
        "uuid": one.merging.uuid,
        "merge_method": one.merging.method,
        "merge_action": "default",
        "expected_head_sha": one.merging.sha,
    }
    return {"status": "pending", "details": details}


@on("PUT", "/repos/{owner}/{repo}/pulls/{number}/update-branch")
async def _update_branch(rest: Rest, asked: Asked) -> Answer:
    home, one = _merging(rest, asked)
    by = demand_person(asked.who)
    await rest.forge.update_branch(home, one, by, sha=asked.maybe("expected_head_sha"))
    return Answer(202, {"message": "Updating pull request branch.", "url": f"{rest.url}/pulls/{one.number}"})
