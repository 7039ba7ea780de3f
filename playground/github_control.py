"""The control API: what people do at github.com, faults and switches as JSON under POST /_control/<name>.

Every action takes the fields of its model below and answers with what it made or changed; `repository` may be
left out where there is only one. GET /_state tells everything.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from playground import github_rules as rules
from playground.github_faults import Fault
from playground.github_page import pull_view, repository_view, snapshot
from playground.github_rights import Refused
from playground.github_state import Pull, Repository, Rules, Switches

if TYPE_CHECKING:
    from playground.github import GitHubPlayground

Json = dict[str, Any]
Event = Literal["APPROVE", "REQUEST_CHANGES", "COMMENT"]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Somebody(Body):
    login: str
    may: Literal["none", "read", "triage", "write", "maintain", "admin"] = "write"
    emails: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()


class Who(Body):
    login: str


class At(Body):
    repository: str | None = None
    by: str = "ann"


class SetRules(At):
    reviews: int = Field(default=0, ge=0)
    checks: dict[str, int | None] = {}
    dismiss_stale: bool = True
    last_push: bool = False
    is_strict: bool = False
    has_queue: bool = False
    owners: tuple[str, ...] = ()


class OnBranch(At):
    branch: str


class Push(OnBranch):
    files: dict[str, str]


class Open(OnBranch):
    title: str
    body: str = ""
    base: str = "main"
    draft: bool = False


class OnPull(At):
    pull: int


class Ready(OnPull):
    draft: bool = False


class GiveReview(OnPull):
    event: Event
    body: str = ""


class Say(OnPull):
    text: str
    path: str = ""


class MergeNow(OnPull):
    method: Literal["merge", "squash", "rebase"] = "merge"


class RunCheck(OnPull):
    name: str
    conclusion: str | None = "success"
    summary: str = ""
    annotations: tuple[dict[str, Any], ...] = ()
    log: str = ""


class Rename(At):
    name: str


class Install(Body):
    action: Literal["created", "deleted", "suspend", "unsuspend"]
    by: str = "ann"


class FaultPlan(Body):
    kind: str
    times: int = Field(default=1, ge=1)
    status: int = 0
    message: str = "fault"
    drop: Literal["", "before", "after"] = ""
    executes: bool = False
    headers: dict[str, str] = {}
    text: str | None = None


class Switch(Body):
    computes: bool | None = None
    has_merge_async: bool | None = None
    merges_later: bool | None = None
    short_tokens: bool | None = None


class Advance(Body):
    seconds: float = Field(ge=0)


class Webhooks(Body):
    lose: int = 0
    twice: bool = False
    hold: bool = False


class Release(Body):
    backwards: bool = False


class Redeliver(Body):
    id: int


class Nothing(Body):
    pass


class Unknown(Exception):
    """There is nothing of that name."""


Action = tuple[type[Body], Callable[["GitHubPlayground", Any], Awaitable[Json]]]


def add_control_routes(app: web.Application, there: "GitHubPlayground") -> None:
    """Add POST /_control/<name> for every action, and GET /_state."""

    async def handle(request: web.Request) -> web.Response:
        if (action := ACTIONS.get(request.match_info["name"])) is None:
            return web.json_response({"error": f"actions: {', '.join(ACTIONS)}"}, status=404)
        model, perform = action
        try:
            body = model.model_validate_json(await request.read() or b"{}")
            return web.json_response(await perform(there, body))
        except ValidationError as error:
            return web.json_response({"error": error.errors(include_url=False)}, status=400)
        except Unknown as unknown:
            return web.json_response({"error": f"unknown: {unknown}"}, status=404)
        except Refused as refused:
            return web.json_response({"error": str(refused), **refused.more}, status=refused.status)

    async def state(_request: web.Request) -> web.Response:
        return web.json_response(snapshot(there.world, there.calls, there.courier.deliveries))

    app.router.add_post("/_control/{name}", handle)
    app.router.add_get("/_state", state)


def _home(there: "GitHubPlayground", body: At) -> Repository:
    """The repository that is meant; whoever acts there has to be known."""
    if there.world.named(body.by) is None:
        raise Unknown(body.by)
    every = there.world.repositories
    home = there.world.repository(body.repository) if body.repository else next(iter(every), None)
    if home is None:
        raise Unknown(body.repository or "repository")
    return home


def _pull(there: "GitHubPlayground", body: OnPull) -> tuple[Repository, Pull]:
    home = _home(there, body)
    if body.pull not in home.pulls:
        raise Unknown(f"#{body.pull}")
    return home, home.pulls[body.pull]


async def _person(there: "GitHubPlayground", body: Somebody) -> Json:
    known = there.world.named(body.login)
    if known is None:
        known = there.person(body.login, emails=body.emails, may=body.may, unverified=body.unverified)
    for home in there.world.repositories:
        home.may[known.id] = body.may
    return {"id": known.id, "login": known.login, "may": body.may}


async def _token(there: "GitHubPlayground", body: Who) -> Json:
    if there.world.named(body.login) is None:
        raise Unknown(body.login)
    return {"token": there.personal_token(body.login, f"ghp_{body.login:0<36}")}


async def _rules(there: "GitHubPlayground", body: SetRules) -> Json:
    home = _home(there, body)
    home.rules = Rules(**body.model_dump(exclude={"repository", "by"}))
    return body.model_dump()


async def _push(there: "GitHubPlayground", body: Push) -> Json:
    home = _home(there, body)
    return {"head": await there.push(home, body.branch, body.by, body.files)}


async def _delete_branch(there: "GitHubPlayground", body: OnBranch) -> Json:
    home = _home(there, body)
    await there.delete_branch(home, body.branch, body.by)
    return repository_view(home)


async def _open(there: "GitHubPlayground", body: Open) -> Json:
    home = _home(there, body)
    made = await there.forge.open(
        home,
        branch=body.branch,
        base=body.base,
        title=body.title,
        body=body.body,
        is_draft=body.draft,
        by=there.world.account(body.by),
    )
    return pull_view(home, made)


async def _ready(there: "GitHubPlayground", body: Ready) -> Json:
    home, one = _pull(there, body)
    there.forge.ready(home, one, there.world.account(body.by), is_draft=body.draft)
    await there.forge.settle(home, one)
    return pull_view(home, one)


async def _review(there: "GitHubPlayground", body: GiveReview) -> Json:
    home, one = _pull(there, body)
    by = there.world.account(body.by)
    if (begun := rules.pending(one, by)) is not None:
        await there.forge.submit(home, one, begun, event=body.event, body=body.body)
    else:
        await there.review(home, one, body.by, body.event, body.body)
    return pull_view(home, one)


async def _comment(there: "GitHubPlayground", body: Say) -> Json:
    home, one = _pull(there, body)
    made = there.forge.comment(home, one, there.world.account(body.by), body.text, path=body.path)
    return {"id": made.id, "path": made.path, "body": made.body}


async def _check(there: "GitHubPlayground", body: RunCheck) -> Json:
    home, one = _pull(there, body)
    await there.check(
        home,
        one.head_sha,
        body.name,
        body.conclusion,
        body.summary,
        annotations=body.annotations,
        log=body.log,
    )
    return pull_view(home, one)


async def _merge(there: "GitHubPlayground", body: MergeNow) -> Json:
    home, one = _pull(there, body)
    await there.forge.merge(home, one, there.world.account(body.by), sha=None, method=body.method)
    return pull_view(home, one)


async def _close(there: "GitHubPlayground", body: OnPull) -> Json:
    home, one = _pull(there, body)
    await there.forge.close(home, one, there.world.account(body.by))
    return pull_view(home, one)


async def _reopen(there: "GitHubPlayground", body: OnPull) -> Json:
    home, one = _pull(there, body)
    await there.forge.reopen(home, one, there.world.account(body.by))
    return pull_view(home, one)


async def _merge_queue(there: "GitHubPlayground", body: At) -> Json:
    home = _home(there, body)
    await there.forge.merge_queue(home)
    return repository_view(home)


async def _rename(there: "GitHubPlayground", body: Rename) -> Json:
    home = _home(there, body)
    there.forge.rename(home, body.name)
    return repository_view(home)


async def _revoke(there: "GitHubPlayground", body: Who) -> Json:
    if there.world.named(body.login) is None:
        raise Unknown(body.login)
    there.revoke(body.login)
    return {"login": body.login}


async def _install(there: "GitHubPlayground", body: Install) -> Json:
    if there.world.named(body.by) is None:
        raise Unknown(body.by)
    there.installs(body.action, body.by)
    return {"installed": there.app.is_installed, "suspended": there.app.is_suspended}


async def _fault(there: "GitHubPlayground", body: FaultPlan) -> Json:
    there.fail(body.kind, Fault(**body.model_dump(exclude={"kind", "times"})), body.times)
    return body.model_dump()


async def _forgive(there: "GitHubPlayground", _body: Nothing) -> Json:
    there.forgive()
    return {}


async def _switch(there: "GitHubPlayground", body: Switch) -> Json:
    for name, value in body.model_dump(exclude_none=True).items():
        setattr(there.switches, name, value)
    return {name: getattr(there.switches, name) for name in Switches.__slots__}


async def _advance(there: "GitHubPlayground", body: Advance) -> Json:
    there.tokens.ahead_s += body.seconds
    return {"ahead": there.tokens.ahead_s}


async def _webhooks(there: "GitHubPlayground", body: Webhooks) -> Json:
    there.courier.lose, there.courier.twice, there.courier.hold = body.lose, body.twice, body.hold
    return body.model_dump()


async def _release(there: "GitHubPlayground", body: Release) -> Json:
    there.courier.release(backwards=body.backwards)
    return {}


async def _redeliver(there: "GitHubPlayground", body: Redeliver) -> Json:
    if not there.courier.redeliver(body.id):
        raise Unknown(str(body.id))
    return {"id": body.id}


ACTIONS: dict[str, Action] = {
    "person": (Somebody, _person),
    "token": (Who, _token),
    "rules": (SetRules, _rules),
    "push": (Push, _push),
    "delete_branch": (OnBranch, _delete_branch),
    "open": (Open, _open),
    "ready": (Ready, _ready),
    "review": (GiveReview, _review),
    "comment": (Say, _comment),
    "check": (RunCheck, _check),
    "merge": (MergeNow, _merge),
    "close": (OnPull, _close),
    "reopen": (OnPull, _reopen),
    "merge_queue": (At, _merge_queue),
    "rename": (Rename, _rename),
    "revoke": (Who, _revoke),
    "install": (Install, _install),
    "fault": (FaultPlan, _fault),
    "forgive": (Nothing, _forgive),
    "switch": (Switch, _switch),
    "advance": (Advance, _advance),
    "webhooks": (Webhooks, _webhooks),
    "release": (Release, _release),
    "redeliver": (Redeliver, _redeliver),
}
