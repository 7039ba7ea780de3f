"""REST of the GitHub stand-in: about thirty calls, refused where GitHub refuses them."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from playground import github_git as git
from playground import github_views as views
from playground.github_state import Account, Pull, Repository, stamp
from playground.github_tokens import INSTALLATION_S, Credential, Tokens
from playground.github_views import Json, shape
from playground.github_world import Forge, Refused

DOCS: Final = "https://docs.github.test/rest"


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: who, with which parts of the path, query and body."""

    who: Credential
    parts: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    json: Any = None
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[["Rest", Asked], Awaitable[Answer]]
ROUTES: list[tuple[str, re.Pattern[str], str, Handler]] = []


def on(method: str, template: str) -> Callable[[Handler], Handler]:
    """Answer calls of this kind; `{name}` stands for one part, `{name...}` for all that is left."""
    pattern = re.sub(r"\{(\w+)\.\.\.\}", r"(?P<\1>.+)", template)
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)

    def add(handler: Handler) -> Handler:
        ROUTES.append((method, re.compile(pattern), template, handler))
        return handler

    return add


def kind_of(method: str, path: str) -> tuple[str, Handler, Mapping[str, str]] | None:
    """The name of a call ("PUT /repos/{owner}/{repo}/pulls/{number}/merge"), its handler, and its parts."""
    for verb, pattern, template, handler in ROUTES:
        if verb == method and (found := pattern.fullmatch(path)):
            return f"{verb} {template}", handler, found.groupdict()
    return None


class Rest:
    """What the handlers below share: the state, and who may see and do what."""

    def __init__(self, forge: Forge, tokens: Tokens) -> None:
        self.forge = forge
        self.tokens = tokens
        self.world = forge.world
        self.url = forge.url
        self.has_merge_async = True

    def home(self, asked: Asked, right: str = "metadata", level: str = "read") -> Repository:
        """The repository of a call, if the caller may do that there."""
        full_name = f"{asked.parts['owner']}/{asked.parts['repo']}"
        home = self.world.repository(full_name)
        if home is None and (moved := self.world.moved(full_name)):
            place = f"{self.url}/repositories/{moved.id}"
            raise Refused(301, "Moved Permanently", url=place)
        if home is None or not self.sees(asked.who, home):
            raise Refused(404, "Not Found")
        self.demand(asked.who, home, right, level)
        return home

    def sees(self, who: Credential, home: Repository) -> bool:
        if who.kind == "app":
            return True
        if who.kind == "installation":
            return who.repositories is None or home.id in who.repositories
        return home.permission(who.account) != "none"

    def demand(self, who: Credential, home: Repository, right: str, level: str) -> None:
        """The rights of a token: those of the app, and for people also their own."""
        app = self.forge.app.rights if who.kind in ("app", "user") else who.rights
        if who.kind != "personal" and app is not None:
            lacks = app.get(right) != "write" if level == "write" else right not in app
            if lacks:
                raise Refused(403, "Resource not accessible by integration")
        needs_push = level == "write" and right in ("contents", "pull_requests.merge")
        if who.kind in ("user", "personal") and needs_push and not home.writes(who.account):
            raise Refused(403, "Must have push access to this repository")

    def pull(
        self, asked: Asked, right: str = "pull_requests", level: str = "read"
    ) -> tuple[Repository, Pull]:
        home = self.home(asked, right, level)
        number = asked.parts["number"]
        one = home.pulls.get(int(number)) if number.isdecimal() else None
        if one is None:
            raise Refused(404, "Not Found")
        return home, one

    def person(self, who: Credential) -> Account:
        if who.kind not in ("user", "personal"):
            raise Refused(403, "Resource not accessible by integration")
        return who.account

    async def shown(self, home: Repository, one: Pull) -> Json:
        """A pull request with what is computed of it."""
        state = await self.forge.state(home, one)
        change = await git.change_of(
            home.folder, f"{one.merge_sha}^" if one.is_merged else one.base, one.head_sha
        )
        computed = {
            "mergeable": {"MERGEABLE": True, "CONFLICTING": False}.get(state["mergeable"]),
            "mergeable_state": state["mergeStateStatus"].lower(),
            "additions": change.additions,
            "deletions": change.deletions,
            "changed_files": len(change.files),
        }
        return views.pull(one, home, self.url, whole=True, state=computed)


@on("GET", "/app")
async def _app(rest: Rest, asked: Asked) -> Answer:
    if asked.who.kind != "app":
        raise Refused(401, "A JSON web token could not be decoded")
    app = rest.forge.app
    return Answer(
        200,
        shape(
            "app",
            id=app.id,
            slug=app.slug,
            name=app.slug,
            permissions=dict(app.rights),
            client_id=app.client_id,
        ),
    )


@on("GET", "/app/hook/deliveries")
async def _deliveries(rest: Rest, asked: Asked) -> Answer:
    if asked.who.kind != "app":
        raise Refused(401, "A JSON web token could not be decoded")
    listed = [
        shape(
            "delivery",
            id=one.id,
            guid=one.guid,
            delivered_at=stamp(one.at),
            redelivery=one.is_redelivery,
            status="OK" if one.status == 200 else "failed",
            status_code=one.status,
            event=one.event,
            action=one.action,
            installation_id=rest.forge.app.installation,
        )
        for one in reversed(rest.forge.courier.deliveries)
    ]
    return Answer(200, listed[: int(asked.query.get("per_page", "30"))])


@on("POST", "/app/hook/deliveries/{id}/attempts")
async def _redeliver(rest: Rest, asked: Asked) -> Answer:
    if not rest.forge.courier.redeliver(int(asked.parts["id"])):
        raise Refused(404, "Not Found")
    return Answer(202, {})


@on("POST", "/app/installations/{id}/access_tokens")
async def _access_token(rest: Rest, asked: Asked) -> Answer:
    if asked.who.kind != "app":
        raise Refused(401, "A JSON web token could not be decoded")
    if int(asked.parts["id"]) != rest.forge.app.installation:
        raise Refused(404, "Not Found")
    named = asked.body.get("repositories")
    homes = None
    if named is not None:
        homes = [one for one in rest.world.repositories if one.name in named]
        if len(homes) != len(named):
            raise Refused(422, "There is at least one repository that does not exist or is not accessible")
    rights = dict(asked.body.get("permissions") or rest.forge.app.rights)
    if excess := rest.tokens.excess(rights):
        raise Refused(422, f"The permissions requested are not granted to this installation: {excess}.")
    text = rest.tokens.install(homes, rights)
    ends = datetime.fromtimestamp(rest.tokens.now() + INSTALLATION_S, UTC)
    return Answer(201, shape("token", token=text, expires_at=stamp(ends), permissions=rights))


@on("POST", "/applications/{client}/token")
async def _check_token(rest: Rest, asked: Asked) -> Answer:
    text = str(asked.body.get("access_token", ""))
    known = rest.tokens.lives(text)
    if known is None or known.kind != "user":
        raise Refused(404, "Not Found")
    return Answer(200, shape("authorization", id=known.account.id, token=text))


@on("DELETE", "/applications/{client}/grant")
async def _end_grant(rest: Rest, asked: Asked) -> Answer:
    if rest.tokens.end(str(asked.body.get("access_token", ""))) is None:
        raise Refused(404, "Not Found")
    return Answer(204)


@on("GET", "/user")
async def _user(rest: Rest, asked: Asked) -> Answer:
    one = rest.person(asked.who)
    return Answer(200, shape("user", **views.whole_account(one)))


@on("GET", "/user/emails")
async def _emails(rest: Rest, asked: Asked) -> Answer:
    one = rest.person(asked.who)
    listed = [
        shape("email", email=address, verified=verified, primary=not n, visibility=None)
        for n, (address, verified) in enumerate(one.emails)
    ]
    return Answer(200, listed)


@on("GET", "/user/{id}")
async def _user_by_id(rest: Rest, asked: Asked) -> Answer:
    one = rest.world.accounts.get(int(asked.parts["id"]))
    if one is None:
        raise Refused(404, "Not Found")
    return Answer(200, views.whole_account(one))


@on("GET", "/users/{login}")
async def _user_by_login(rest: Rest, asked: Asked) -> Answer:
    login = asked.parts["login"].lower()
    found = [one for one in rest.world.accounts.values() if one.login.lower() == login]
    if not found:
        raise Refused(404, "Not Found")
    return Answer(200, views.whole_account(found[0]))


@on("GET", "/repositories/{id}")
async def _repository_by_id(rest: Rest, asked: Asked) -> Answer:
    found = [one for one in rest.world.repositories if str(one.id) == asked.parts["id"]]
    if not found or not rest.sees(asked.who, found[0]):
        raise Refused(404, "Not Found")
    return Answer(200, views.repository(found[0], rest.url))


@on("GET", "/repos/{owner}/{repo}")
async def _repository(rest: Rest, asked: Asked) -> Answer:
    return Answer(200, views.repository(rest.home(asked), rest.url))


@on("GET", "/repos/{owner}/{repo}/installation")
async def _installation(rest: Rest, asked: Asked) -> Answer:
    if asked.who.kind != "app":
        raise Refused(401, "A JSON web token could not be decoded")
    rest.home(asked)
    app = rest.forge.app
    made = shape(
        "installation",
        id=app.installation,
        app_id=app.id,
        app_slug=app.slug,
        target_type="Organization",
        repository_selection="all",
        permissions=dict(app.rights),
    )
    return Answer(200, made)


@on("GET", "/repos/{owner}/{repo}/collaborators/{login}/permission")
async def _permission(rest: Rest, asked: Asked) -> Answer:
    home = rest.home(asked)
    found = [one for one in rest.world.accounts.values() if one.login.lower() == asked.parts["login"].lower()]
    if not found:
        raise Refused(404, f"{asked.parts['login']} is not a user")
    return Answer(200, views.permission(home.permission(found[0]), found[0]))


@on("GET", "/repos/{owner}/{repo}/rules/branches/{branch...}")
async def _rules(rest: Rest, asked: Asked) -> Answer:
    home = rest.home(asked)
    rules, source = home.rules, {"ruleset_source_type": "Repository", "ruleset_source": home.full_name}
    source |= {"ruleset_id": 1}  # type: ignore[dict-item]
    listed: list[Json] = []
    if asked.parts["branch"] != home.base:
        return Answer(200, listed)
    listed.append(
        {
            "type": "pull_request",
            **source,
            "parameters": {
                "required_approving_review_count": rules.reviews,
                "dismiss_stale_reviews_on_push": rules.dismiss_stale,
                "require_code_owner_review": bool(rules.owners),
                "require_last_push_approval": rules.last_push,
                "required_review_thread_resolution": False,
                "allowed_merge_methods": list(home.methods),
            },
        }
    )
    if rules.checks:
        checks = [
            {"context": name, **({"integration_id": app} if app else {})}
            for name, app in rules.checks.items()
        ]
        more = {"strict_required_status_checks_policy": rules.is_strict}
        listed.append(
            {
                "type": "required_status_checks",
                **source,
                "parameters": {"required_status_checks": checks, **more},
            }
        )
    return Answer(200, listed)


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
    return Answer(200, [views.pull(one, home, rest.url, whole=False) for one in reversed(found)])


@on("POST", "/repos/{owner}/{repo}/pulls")
async def _open_pull(rest: Rest, asked: Asked) -> Answer:
    home, body = rest.home(asked, "pull_requests", "write"), asked.body
    if asked.who.kind == "user" and not home.writes(asked.who.account):
        raise Refused(404, "Not Found")
    one = await rest.forge.open(
        home,
        branch=str(body["head"]).rpartition(":")[2],
        base=str(body["base"]),
        title=str(body["title"]),
        body=str(body.get("body") or ""),
        is_draft=bool(body.get("draft")),
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
    is_mine = asked.who.account.id == one.author.id
    if asked.who.kind == "user" and not (is_mine or home.writes(asked.who.account)):
        raise Refused(403, "Resource not accessible by integration")
    if asked.body.get("state") == "closed":
        rest.person(asked.who)
        await rest.forge.close(home, one, asked.who.account)
    if "title" in asked.body or "body" in asked.body:
        title, text = asked.body.get("title"), asked.body.get("body")
        rest.forge.edit(home, one, asked.who.account, title=title, body=text)
    return Answer(200, await rest.shown(home, one))


@on("GET", "/repos/{owner}/{repo}/pulls/{number}/files")
async def _files(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked)
    change = await git.change_of(home.folder, one.base, one.head_sha)
    listed = [
        shape("file", filename=path, additions=plus, deletions=minus, changes=plus + minus, status="modified")
        for path, plus, minus in change.files
    ]
    return Answer(200, listed)


@on("GET", "/repos/{owner}/{repo}/pulls/{number}/reviews")
async def _reviews(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked)
    return Answer(200, [views.review(each, one, home, rest.url) for each in one.reviews])


@on("POST", "/repos/{owner}/{repo}/pulls/{number}/reviews")
async def _review(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked, level="write")
    body = asked.body
    made = await rest.forge.review(
        home,
        one,
        asked.who.account,
        event=str(body.get("event") or "COMMENT"),
        body=str(body.get("body") or ""),
        sha=body.get("commit_id"),
    )
    return Answer(200, views.review(made, one, home, rest.url))


@on("PUT", "/repos/{owner}/{repo}/pulls/{number}/reviews/{review}/dismissals")
async def _dismiss(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked, level="write")
    found = [each for each in one.reviews if str(each.id) == asked.parts["review"]]
    if not found:
        raise Refused(404, "Not Found")
    rest.forge.dismiss(home, one, found[0], asked.who.account)
    return Answer(200, views.review(found[0], one, home, rest.url))


@on("GET", "/repos/{owner}/{repo}/pulls/{number}/comments")
async def _line_comments(rest: Rest, asked: Asked) -> Answer:
    _, one = rest.pull(asked)
    return Answer(200, [views.line_comment(each, one) for each in one.line_comments])


@on("GET", "/repos/{owner}/{repo}/issues/{number}/comments")
async def _comments(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked)
    return Answer(200, [views.comment(each, one, home, rest.url) for each in one.comments])


@on("POST", "/repos/{owner}/{repo}/issues/{number}/comments")
async def _comment(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked, level="write")
    made = rest.forge.comment(home, one, asked.who.account, str(asked.body.get("body") or ""))
    return Answer(201, views.comment(made, one, home, rest.url))


@on("PUT", "/repos/{owner}/{repo}/pulls/{number}/merge")
async def _merge(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked, "contents", "write")
    method = str(asked.body.get("merge_method") or "merge")
    new = await rest.forge.merge(home, one, asked.who.account, sha=asked.body.get("sha"), method=method)
    return Answer(200, shape("merged", merged=True, message="Pull Request successfully merged", sha=new))


@on("PUT", "/repos/{owner}/{repo}/pulls/{number}/merge-async")
async def _merge_async(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked, "contents", "write")
    if not rest.has_merge_async:
        raise Refused(404, "Not Found")
    method, sha = str(asked.body.get("merge_method") or "merge"), asked.body.get("sha")
    if one.is_merged:
        return _outcome(400, "failed", "Pull Request is already merged")
    try:
        if home.rules.has_queue:
            await rest.forge.enqueue(home, one, asked.who.account, sha=sha)
            return _outcome(200, "enqueued", "Pull Request was added to the merge queue")
        new = await rest.forge.merge(home, one, asked.who.account, sha=sha, method=method)
    except Refused as refused:
        return _outcome(400, "failed", str(refused))
    return Answer(200, {"status": "merged", "details": {"message": "merged", "sha": new}})


def _outcome(status: int, word: str, message: str) -> Answer:
    return Answer(status, {"status": word, "details": {"message": message}})


@on("PUT", "/repos/{owner}/{repo}/pulls/{number}/update-branch")
async def _update_branch(rest: Rest, asked: Asked) -> Answer:
    home, one = rest.pull(asked, "contents", "write")
    sha = asked.body.get("expected_head_sha")
    await rest.forge.update_branch(home, one, rest.person(asked.who), sha=sha)
    return Answer(202, {"message": "Updating pull request branch.", "url": f"{rest.url}/pulls/{one.number}"})


@on("POST", "/repos/{owner}/{repo}/check-runs")
async def _create_check(rest: Rest, asked: Asked) -> Answer:
    home = rest.home(asked, "checks", "write")
    if asked.who.kind != "installation":
        raise Refused(403, "You must authenticate via a GitHub App.")
    body = asked.body
    made = await rest.forge.check(
        home,
        name=str(body["name"]),
        sha=str(body["head_sha"]),
        app_id=rest.forge.app.id,
        **_check_fields(body),
    )
    return Answer(201, views.check_run(made, rest.forge.app))


@on("PATCH", "/repos/{owner}/{repo}/check-runs/{check}")
async def _change_check(rest: Rest, asked: Asked) -> Answer:
    home = rest.home(asked, "checks", "write")
    found = [one for one in home.checks if str(one.id) == asked.parts["check"]]
    if not found:
        raise Refused(404, "Not Found")
    await rest.forge.change_check(home, found[0], **_check_fields(asked.body))
    return Answer(200, views.check_run(found[0], rest.forge.app))


def _check_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    output = body.get("output") or {}
    told = {
        "conclusion": body.get("conclusion"),
        "status": body.get("status") or "queued",
        "title": str(output.get("title") or ""),
        "summary": str(output.get("summary") or ""),
    }
    return told | ({"external_id": str(body["external_id"])} if body.get("external_id") else {})


@on("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs")
async def _check_runs(rest: Rest, asked: Asked) -> Answer:
    home = rest.home(asked, "checks")
    name = asked.query.get("check_name")
    found = [one for one in home.checks if one.sha == asked.parts["ref"] and name in (None, one.name)]
    listed = [views.check_run(one, rest.forge.app) for one in found]
    return Answer(200, {"total_count": len(listed), "check_runs": listed})


@on("GET", "/repos/{owner}/{repo}/check-runs/{check}/annotations")
async def _annotations(rest: Rest, asked: Asked) -> Answer:
    rest.home(asked, "checks")
    return Answer(200, [])


@on("GET", "/repos/{owner}/{repo}/actions/runs/{run}/jobs")
async def _jobs(rest: Rest, asked: Asked) -> Answer:
    rest.home(asked, "actions")
    return Answer(200, {"total_count": 0, "jobs": []})


@on("GET", "/repos/{owner}/{repo}/actions/jobs/{job}/logs")
async def _job_log(rest: Rest, asked: Asked) -> Answer:
    home = rest.home(asked, "actions")
    found = [one for one in home.checks if str(one.id) == asked.parts["job"]]
    if not found:
        raise Refused(404, "Not Found")
    return Answer(200, text=found[0].summary)


@on("GET", "/rate_limit")
async def _rate_limit(rest: Rest, _: Asked) -> Answer:
    rate = {"limit": 5000, "used": 0, "remaining": 5000, "reset": int(rest.tokens.now()) + 3600}
    return Answer(200, {"resources": {"core": rate, "search": rate}, "rate": rate})
