"""Stand-ins for GitHub's server and for the clock; both sides of every conversation are judged."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx

from github.acts import GitHubActs
from github.client import GitHubClient
from github.credentials import InstallationToken, PersonalToken, UserToken
from github.merging import GitHubMerging
from github.pace import Pace
from github.wire import Wire
from tests.github.contract import check_graphql_data, check_request, check_response, sample

API = "https://api.github.test"
REPO = "acme/shop"
HEAD = "a" * 40
OTHER_HEAD = "b" * 40
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
OP = "0d9c1f7e-5a55-4a3e-9f52-0a3f7f5b8c11"

APP = InstallationToken("ghs_111_" + "A-b." * 128, REPO, 5, NOW + timedelta(hours=1))
EVE = UserToken("ghu_" + "e" * 36, 42)
BOB = UserToken("ghu_" + "b" * 36, 43)
PAT = PersonalToken("github_pat_" + "p" * 40)

Handler = Callable[[httpx.Request], httpx.Response]
Reply = httpx.Response | Exception | Handler


class Clock:
    """Time that only passes when somebody sleeps; remembers for how long they did."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds - 1000.0)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def pace(self) -> Pace:
        return Pace(clock=self.monotonic, now=self.now, sleep=self.sleep)


class ScriptedGitHub:
    """Gives the scripted replies in order, to requests that GitHub describes and nothing else.

    Args:
        judged: Check the replies as well; off for what GitHub would never say.
    """

    def __init__(self, *replies: Reply, judged: bool = True) -> None:
        self._replies = [*replies]
        self._judged = judged
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = path_of(request)
        if request.url.host == httpx.URL(API).host:
            check_request(request.method, path, dict(parse_qsl(request.url.query.decode())), body_of(request))
        assert self._replies, f"nobody expected {request.method} {request.url}"
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        answer = reply(request) if callable(reply) else reply
        if self._judged:
            judge_answer(request, answer)
        return answer

    @property
    def is_done(self) -> bool:
        return not self._replies

    @property
    def asked(self) -> list[str]:
        """Method and path of each request, or the name of its GraphQL operation."""
        return [name_of(request) for request in self.requests]

    @property
    def bodies(self) -> list[Any]:
        return [body_of(request) for request in self.requests]


def judge_answer(request: httpx.Request, answer: httpx.Response) -> None:
    """Could GitHub have said that?"""
    told = answer_of(answer)
    check_response(request.method, path_of(request), answer.status_code, told)
    if path_of(request) == "/graphql" and answer.status_code == 200 and told.get("data"):
        check_graphql_data(body_of(request)["query"], told["data"])


def path_of(request: httpx.Request) -> str:
    return request.url.raw_path.decode("ascii").partition("?")[0]


def body_of(request: httpx.Request) -> Any:
    return json.loads(request.content) if request.content else None


def answer_of(answer: httpx.Response) -> Any:
    return json.loads(answer.content) if answer.content else None


def name_of(request: httpx.Request) -> str:
    if path_of(request) == "/graphql":
        name: str = body_of(request)["operationName"]
        return name
    return f"{request.method} {path_of(request)}"


def wire_of(handler: Handler, clock: Clock | None = None, *, api_url: str = API) -> Wire:
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return Wire(http, api_url, pace=(clock or Clock()).pace())


def acts_of(github: Handler, clock: Clock | None = None) -> GitHubActs:
    wire = wire_of(github, clock)
    return GitHubActs(wire, GitHubClient(wire))


def merging_of(github: Handler, clock: Clock | None = None) -> GitHubMerging:
    wire = wire_of(github, clock)
    client = GitHubClient(wire)
    return GitHubMerging(wire, client, GitHubActs(wire, client))


def ok(method: str, place: str, status: int = 200, /, *, items: int = 1, **fields: Any) -> httpx.Response:
    """An answer in GitHub's form, with these fields in it."""
    return httpx.Response(status, json=sample(method, place, status, items=items, **fields))


def refused(status: int, message: str = "Nope", **headers: str) -> httpx.Response:
    """A refusal in GitHub's form; underscores in header names become hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    return httpx.Response(status, json=body, headers=named)


def data(**fields: Any) -> httpx.Response:
    return httpx.Response(200, json={"data": fields})


def graphql_error(type_: str, message: str = "Nope", **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"data": None, "errors": [{"type": type_, "message": message, **more}]})


def state(**changes: Any) -> dict[str, Any]:
    """A pull request as `PullState` asks for it, open, ready and green."""
    return {
        "id": "PR_7",
        "number": 7,
        "state": "OPEN",
        "isDraft": False,
        "merged": False,
        "headRefOid": HEAD,
        "isInMergeQueue": False,
        "isMergeQueueEnabled": False,
        "mergeStateStatus": "CLEAN",
        "reviewDecision": None,
        "mergedBy": None,
        "mergeQueueEntry": None,
        "autoMergeRequest": None,
    } | changes


def pull_state(**changes: Any) -> httpx.Response:
    return data(repository={"pullRequest": state(**changes)})
