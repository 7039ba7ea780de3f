"""Reading from GitHub, and what the service does there as itself."""

from typing import Any

import httpx
import pytest

from github.client import COMPUTING_PAUSES_S, GitHubClient
from github.errors import BadName, Invalid, NotFound, Transient
from tests.github.fakes import (
    APP,
    EVE,
    HEAD,
    OP,
    OTHER_HEAD,
    PAT,
    REPO,
    Clock,
    Reply,
    ScriptedGitHub,
    data,
    graphql_error,
    ok,
    refused,
    state,
    wire_of,
)

BASE = "/repos/acme/shop"
ANN: dict[str, Any] = {"__typename": "User", "login": "ann", "databaseId": 41}
BOT: dict[str, Any] = {"__typename": "Bot", "login": "threadline", "databaseId": 90}
CHECK_RUN: dict[str, Any] = {
    "__typename": "CheckRun",
    "databaseId": 11,
    "name": "build",
    "status": "COMPLETED",
    "conclusion": "FAILURE",
    "detailsUrl": "https://ci.test/1",
    "startedAt": "2026-11-21T10:00:00Z",
    "isRequired": True,
    "checkSuite": {"app": {"databaseId": 15368, "slug": "github-actions"}},
}
STATUS: dict[str, Any] = {
    "__typename": "StatusContext",
    "context": "legacy/ci",
    "state": "PENDING",
    "targetUrl": None,
    "createdAt": "2026-11-21T10:00:00Z",
    "isRequired": False,
}
REVIEW: dict[str, Any] = {
    "fullDatabaseId": "9007199254740993",
    "state": "APPROVED",
    "submittedAt": "2026-11-21T10:00:00Z",
    "authorCanPushToRepository": True,
    "author": ANN,
    "commit": {"oid": HEAD},
}


NULLABLE = (
    "author",
    "autoMergeRequest",
    "closedAt",
    "files",
    "latestOpinionatedReviews",
    "latestReviews",
    "mergeCommit",
    "mergeQueueEntry",
    "mergedAt",
    "mergedBy",
    "reviewRequests",
    "statusCheckRollup",
)


def rollup(*contexts: dict[str, Any], before: str | None = None) -> dict[str, Any]:
    page = {"hasPreviousPage": before is not None, "startCursor": before}
    return {"state": "FAILURE", "contexts": {"pageInfo": page, "nodes": list(contexts)}}


def look(**changes: Any) -> dict[str, Any]:
    """The poorest pull request that GitHub could show."""
    short = state()
    del short["mergeQueueEntry"], short["autoMergeRequest"]
    nothing = dict.fromkeys(NULLABLE)
    return (
        short
        | nothing
        | {
            "url": "https://github.test/acme/shop/pull/7",
            "title": "Fix the search",
            "body": "",
            "isCrossRepository": False,
            "updatedAt": "2026-11-21T10:00:00Z",
            "headRefName": "eng-1",
            "baseRefName": "main",
            "baseRefOid": OTHER_HEAD,
            "additions": 41,
            "deletions": 6,
            "changedFiles": 3,
            "mergeable": "MERGEABLE",
            "timelineItems": {"nodes": []},
        }
        | changes
    )


def facts(**changes: Any) -> httpx.Response:
    return data(
        repository={
            "databaseId": 700,
            "nameWithOwner": "acme/shop",
            "isArchived": False,
            "autoMergeAllowed": True,
            "mergeCommitAllowed": False,
            "rebaseMergeAllowed": True,
            "squashMergeAllowed": True,
            "viewerDefaultMergeMethod": "SQUASH",
            "pullRequest": look(**changes),
        }
    )


def client_of(github: ScriptedGitHub, clock: Clock | None = None) -> GitHubClient:
    return GitHubClient(wire_of(github, clock))


async def test_a_repository_is_known_by_its_number() -> None:
    github = ScriptedGitHub(ok("GET", BASE, id=700, full_name="acme/shop", default_branch="main"))
    found = await client_of(github).repository(APP, REPO)
    assert (found.id, found.full_name, found.default_branch, found.archived) == (
        700,
        "acme/shop",
        "main",
        False,
    )


async def test_a_permission_says_whose_it_is() -> None:
    place = f"{BASE}/collaborators/ann/permission"
    owner = ok("GET", BASE).json()["owner"] | {"id": 41, "login": "ann"}
    collaborator = owner | {"role_name": "maintain"}
    github = ScriptedGitHub(ok("GET", place, permission="write", role_name="maintain", user=collaborator))
    told = await client_of(github).permission(PAT, REPO, "ann")
    assert (told.permission, told.role_name) == ("write", "maintain")
    assert told.user is not None
    assert told.user.id == 41


async def test_a_name_that_nobody_has_is_not_sent() -> None:
    github = ScriptedGitHub()
    with pytest.raises(BadName):
        await client_of(github).permission(APP, REPO, "ann/../eve")
    assert github.requests == []


async def test_an_account_is_found_by_number_and_by_name() -> None:
    github = ScriptedGitHub(
        ok("GET", "/user/41", id=41, login="ann"),
        ok("GET", "/users/x", id=90, login="threadline[bot]", type="Bot"),
    )
    client = client_of(github)
    assert (await client.account(APP, 41)).login == "ann"
    assert (await client.account_named(APP, "threadline[bot]")).is_bot
    assert github.asked == ["GET /user/41", "GET /users/threadline%5Bbot%5D"]


async def test_the_rules_of_a_branch_are_read() -> None:
    info = {"ruleset_source_type": "Repository", "ruleset_source": "acme/shop", "ruleset_id": 1}
    review = {
        "required_approving_review_count": 2,
        "dismiss_stale_reviews_on_push": True,
        "require_code_owner_review": False,
        "require_last_push_approval": True,
        "required_review_thread_resolution": False,
        "allowed_merge_methods": ["squash"],
    }
    checks = {
        "required_status_checks": [{"context": "build", "integration_id": 15368}, {"context": "lint"}],
        "strict_required_status_checks_policy": True,
    }
    rules = [
        {"type": "pull_request", "parameters": review, **info},
        {"type": "required_status_checks", "parameters": checks, **info},
        {"type": "required_linear_history", **info},
    ]
    github = ScriptedGitHub(httpx.Response(200, json=rules))
    found = await client_of(github).rules(APP, REPO, "release/1")
    assert [rule.type for rule in found] == [
        "pull_request",
        "required_status_checks",
        "required_linear_history",
    ]
    assert found[0].parameters.required_approving_review_count == 2
    assert found[0].parameters.allowed_merge_methods == ("squash",)
    assert [
        (check.context, check.integration_id) for check in found[1].parameters.required_status_checks
    ] == [
        ("build", 15368),
        ("lint", None),
    ]
    assert github.asked == ["GET /repos/acme/shop/rules/branches/release%2F1"]


async def test_a_new_pull_request_is_a_draft_that_only_we_push_to() -> None:
    github = ScriptedGitHub(ok("POST", f"{BASE}/pulls", 201, number=7, head__ref="eng-1"))
    made = await client_of(github).create_pull(APP, REPO, head="eng-1", base="main", title="T", body="B")
    assert (made.number, made.head_ref) == (7, "eng-1")
    assert github.bodies == [
        {
            "title": "T",
            "head": "eng-1",
            "base": "main",
            "body": "B",
            "draft": True,
            "maintainer_can_modify": False,
        }
    ]


async def test_the_pull_request_that_is_there_is_taken() -> None:
    github = ScriptedGitHub(
        refused(422, "Validation Failed"),
        ok("GET", f"{BASE}/pulls", items=1, number=5, head__ref="eng-1"),
    )
    made = await client_of(github).create_pull(EVE, REPO, head="eng-1", base="main", title="T", body="B")
    assert made.number == 5
    assert dict(github.requests[1].url.params) == {
        "state": "open",
        "head": "acme:eng-1",
        "base": "main",
        "per_page": "100",
        "page": "1",
    }


async def test_a_refusal_to_open_one_is_told_in_githubs_words() -> None:
    github = ScriptedGitHub(
        refused(422, "No commits between main and eng-1"),
        ok("GET", f"{BASE}/pulls", items=1, number=5, head__ref="another"),
    )
    with pytest.raises(Invalid, match="No commits between"):
        await client_of(github).create_pull(EVE, REPO, head="eng-1", base="main", title="T", body="B")


async def test_only_what_is_given_is_changed() -> None:
    github = ScriptedGitHub(*[ok("PATCH", f"{BASE}/pulls/7") for _ in range(2)])
    client = client_of(github)
    await client.edit_pull(APP, REPO, 7, body="")
    await client.edit_pull(APP, REPO, 7, title="T")
    assert github.bodies == [{"body": ""}, {"title": "T"}]


async def test_the_poorest_pull_request_is_read() -> None:
    found = await client_of(ScriptedGitHub(facts())).pull_facts(APP, REPO, 7)
    assert (found.head_ref_oid, found.additions, found.review_decision) == (HEAD, 41, "")
    assert (found.home.id, found.home.full_name, found.home.viewer_default_merge_method) == (
        700,
        "acme/shop",
        "SQUASH",
    )
    assert (found.checks, found.check_state, found.paths, found.author, found.closed_by) == (
        (),
        "",
        (),
        None,
        None,
    )


async def test_everything_about_a_pull_request_is_read() -> None:
    github = ScriptedGitHub(
        facts(
            author=BOT,
            mergedBy=ANN,
            mergeCommit={"oid": OTHER_HEAD},
            files={"nodes": [{"path": "a.py"}, None, {"path": "b.py"}]},
            autoMergeRequest={"mergeMethod": "SQUASH", "enabledBy": ANN},
            mergeQueueEntry={"position": 2, "state": "QUEUED", "estimatedTimeToMerge": 90},
            latestOpinionatedReviews={"nodes": [REVIEW]},
            latestReviews={"nodes": [REVIEW | {"author": None, "commit": None}]},
            reviewRequests={
                "nodes": [
                    {
                        "asCodeOwner": True,
                        "requestedReviewer": {"__typename": "Team", "combinedSlug": "acme/core"},
                    },
                    {"asCodeOwner": False, "requestedReviewer": ANN},
                    {"asCodeOwner": True, "requestedReviewer": None},
                ]
            },
            timelineItems={"nodes": [{"__typename": "ClosedEvent", "actor": ANN}]},
            statusCheckRollup=rollup(CHECK_RUN, STATUS),
        )
    )
    found = await client_of(github).pull_facts(APP, REPO, 7)
    assert found.paths == ("a.py", "b.py")
    assert found.author is not None
    assert found.author.is_bot
    assert found.closed_by == found.merged_by
    assert found.merged_by is not None
    assert (found.merged_by.login, found.merged_by.id, found.merged_by.is_bot) == ("ann", 41, False)
    opinion, latest = found.latest_opinionated_reviews[0], found.latest_reviews[0]
    assert (opinion.id, opinion.author_can_push_to_repository) == (9007199254740993, True)
    assert (latest.author, latest.commit) == (None, None)
    labels = [
        request.requested_reviewer.label if request.requested_reviewer else ""
        for request in found.review_requests
    ]
    assert labels == ["acme/core", "ann", ""]
    build, legacy = found.checks
    assert (build.name, build.conclusion, build.is_required, build.url) == (
        "build",
        "FAILURE",
        True,
        "https://ci.test/1",
    )
    assert build.app is not None
    assert (build.app.id, build.app.slug) == (15368, "github-actions")
    assert (legacy.name, legacy.state, legacy.status, legacy.app) == ("legacy/ci", "PENDING", "", None)


async def test_all_checks_are_read_oldest_first() -> None:
    def named(name: str) -> dict[str, Any]:
        return CHECK_RUN | {"name": name}

    github = ScriptedGitHub(
        facts(statusCheckRollup=rollup(named("c"), before="cursor1")),
        facts(statusCheckRollup=rollup(named("b"), before="cursor2")),
        facts(statusCheckRollup=rollup(named("a"))),
    )
    found = await client_of(github).pull_facts(APP, REPO, 7)
    assert [check.name for check in found.checks] == ["a", "b", "c"]
    assert [body["variables"].get("before") for body in github.bodies] == [None, "cursor1", "cursor2"]


async def test_checks_of_two_heads_are_never_mixed() -> None:
    github = ScriptedGitHub(
        facts(statusCheckRollup=rollup(CHECK_RUN, before="cursor1")),
        facts(statusCheckRollup=rollup(CHECK_RUN), headRefOid=OTHER_HEAD),
    )
    with pytest.raises(Transient, match="moved"):
        await client_of(github).pull_facts(APP, REPO, 7)


@pytest.mark.parametrize(
    ("answers", "slept", "mergeable"),
    [
        (["MERGEABLE"], [], "MERGEABLE"),
        (["UNKNOWN", "UNKNOWN", "CONFLICTING"], [1.0, 2.0], "CONFLICTING"),
        (["UNKNOWN"] * 4, [*COMPUTING_PAUSES_S], "UNKNOWN"),
    ],
)
async def test_github_is_given_time_to_compute(
    answers: list[str], slept: list[float], mergeable: str
) -> None:
    clock = Clock()
    github = ScriptedGitHub(*[facts(mergeable=answer) for answer in answers])
    found = await client_of(github, clock).pull_facts(APP, REPO, 7, patient=True)
    assert (found.mergeable, clock.slept) == (mergeable, slept)
    assert github.is_done


async def test_nobody_waits_for_a_card() -> None:
    clock = Clock()
    await client_of(ScriptedGitHub(facts(mergeable="UNKNOWN")), clock).pull_facts(APP, REPO, 7)
    assert clock.slept == []


async def test_what_is_hidden_is_told() -> None:
    answer = facts().json()
    place = ["repository", "pullRequest", "reviewRequests", "nodes", 0, "requestedReviewer"]
    answer["errors"] = [{"type": "FORBIDDEN", "message": "Resource not accessible", "path": place}]
    found = await client_of(ScriptedGitHub(httpx.Response(200, json=answer))).pull_facts(APP, REPO, 7)
    assert found.hidden == ("repository.pullRequest.reviewRequests.nodes.0.requestedReviewer",)


@pytest.mark.parametrize(
    "reply",
    [
        graphql_error("NOT_FOUND", path=["repository"]),
        data(repository=None),
        data(repository=facts().json()["data"]["repository"] | {"pullRequest": None}),
    ],
)
async def test_a_pull_request_that_is_not_there_is_not_found(reply: Reply) -> None:
    with pytest.raises(NotFound):
        await client_of(ScriptedGitHub(reply)).pull_facts(APP, REPO, 7)


@pytest.mark.parametrize("odd", [{"headRefOid": None}, {"number": "x"}, {"home": 1}])
async def test_a_strange_answer_is_asked_for_again_later_and_not_repeated(odd: dict[str, Any]) -> None:
    answer = facts().json()
    answer["data"]["repository"]["pullRequest"] |= odd | {"title": "secret"}
    if "home" in odd:
        answer["data"]["repository"]["nameWithOwner"] = None
    github = ScriptedGitHub(httpx.Response(200, json=answer), judged=False)
    with pytest.raises(Transient) as failure:
        await client_of(github).pull_facts(APP, REPO, 7)
    assert "secret" not in str(failure.value)


async def test_files_reviews_and_comments_are_listed() -> None:
    place = f"{BASE}/pulls/7"
    github = ScriptedGitHub(
        ok("GET", f"{place}/files", filename=".github/workflows/x.yml", previous_filename="x.yml"),
        ok("GET", f"{place}/reviews", state="APPROVED", body="", user=None),
        ok("GET", f"{place}/comments", path="a.py", body="Why?"),
        ok("GET", f"{BASE}/issues/7/comments", body="Hello"),
    )
    client = client_of(github)
    assert (await client.changed_files(APP, REPO, 7))[0].previous_filename == "x.yml"
    assert (await client.reviews(APP, REPO, 7))[0].user is None
    assert (await client.review_comments(APP, REPO, 7))[0].path == "a.py"
    assert (await client.comments(APP, REPO, 7))[0].body == "Hello"


async def test_a_comment_is_found_by_its_marker() -> None:
    said = f"Hello\n\n<!-- op:{OP} -->"
    place = f"{BASE}/issues/7/comments"
    github = ScriptedGitHub(
        ok("GET", place, items=0), ok("POST", place, 201, body=said), ok("GET", place, body=said)
    )
    client = client_of(github)
    await client.comment(APP, REPO, 7, body="Hello", op=OP)
    await client.comment(APP, REPO, 7, body="Hello", op=OP)
    assert github.bodies[1] == {"body": said}
    assert github.is_done
