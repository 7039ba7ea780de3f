"""What people do as themselves, on the commit that they saw."""

import httpx
import pytest

from github.errors import HeadMoved, Invalid
from tests.github.fakes import (
    BOB,
    EVE,
    HEAD,
    OP,
    OTHER_HEAD,
    REPO,
    ScriptedGitHub,
    acts_of,
    graphql_error,
    ok,
    pull_state,
    refused,
)
from tests.github.forge import Forge

BASE = "/repos/acme/shop/pulls/7"


async def test_a_review_names_the_commit_and_carries_a_marker() -> None:
    place = f"{BASE}/reviews"
    github = ScriptedGitHub(ok("GET", place, items=0), ok("POST", place, state="APPROVED", id=5))
    given = await acts_of(github).review(EVE, REPO, 7, sha=HEAD, event="APPROVE", body="Fine", op=OP)
    assert given.id == 5
    assert github.bodies[1] == {
        "commit_id": HEAD,
        "event": "APPROVE",
        "body": f"Fine\n\n<!-- op:{OP} -->",
    }
    assert {request.headers["Authorization"] for request in github.requests} == {EVE.authorization}


async def test_somebody_elses_review_with_our_marker_is_not_ours() -> None:
    forge = Forge()
    acts = acts_of(forge)
    await acts.review(BOB, REPO, 7, sha=HEAD, event="APPROVE", body="", op=OP)
    assert await acts.find_review(EVE, REPO, 7, op=OP) is None
    await acts.review(EVE, REPO, 7, sha=HEAD, event="APPROVE", body="", op=OP)
    assert forge.effects["review"] == 2


async def test_ones_own_pull_request_is_refused_in_githubs_words() -> None:
    body = {
        "message": "Unprocessable Entity",
        "errors": ["Can not approve your own pull request"],
        "documentation_url": "https://docs.github.com",
    }
    github = ScriptedGitHub(ok("GET", f"{BASE}/reviews", items=0), httpx.Response(422, json=body))
    with pytest.raises(Invalid, match="Can not approve your own pull request"):
        await acts_of(github).review(EVE, REPO, 7, sha=HEAD, event="APPROVE", body="", op=OP)


async def test_a_review_is_withdrawn_once() -> None:
    place = f"{BASE}/reviews/1/dismissals"
    github = ScriptedGitHub(
        ok("PUT", place, state="DISMISSED"),
        httpx.Response(422, json={"message": "Can not dismiss", "documentation_url": "https://d.test"}),
        ok("GET", f"{BASE}/reviews", id=1, state="DISMISSED"),
    )
    acts = acts_of(github)
    for _ in range(2):
        await acts.withdraw(EVE, REPO, 7, review=1, reason="The head moved")
    assert github.bodies[0] == {"message": "The head moved", "event": "DISMISS"}


async def test_a_review_that_stays_is_told() -> None:
    github = ScriptedGitHub(
        httpx.Response(422, json={"message": "Can not dismiss", "documentation_url": "https://d.test"}),
        ok("GET", f"{BASE}/reviews", id=1, state="APPROVED"),
    )
    with pytest.raises(Invalid):
        await acts_of(github).withdraw(EVE, REPO, 7, review=1, reason="The head moved")


async def test_what_is_ready_is_not_made_ready() -> None:
    github = ScriptedGitHub(pull_state(isDraft=False))
    assert not (await acts_of(github).mark_ready(EVE, REPO, 7)).is_draft


@pytest.mark.parametrize("act", ["enable_auto_merge", "enqueue"])
async def test_another_head_is_never_merged_later(act: str) -> None:
    github = ScriptedGitHub(pull_state(headRefOid=OTHER_HEAD))
    method = getattr(acts_of(github), act)
    more = {"method": "squash"} if act == "enable_auto_merge" else {}
    with pytest.raises(HeadMoved):
        await method(EVE, REPO, 7, sha=HEAD, **more)
    assert github.asked == ["PullState"]


async def test_a_head_that_moves_just_then_is_told_as_such() -> None:
    github = ScriptedGitHub(
        pull_state(), graphql_error("UNPROCESSABLE", "Head sha mismatch"), pull_state(headRefOid=OTHER_HEAD)
    )
    with pytest.raises(HeadMoved):
        await acts_of(github).enable_auto_merge(EVE, REPO, 7, sha=HEAD, method="rebase")
    assert github.bodies[1]["variables"]["input"] == {
        "pullRequestId": "PR_7",
        "expectedHeadOid": HEAD,
        "mergeMethod": "REBASE",
    }


async def test_what_github_does_not_want_is_told_in_its_words() -> None:
    github = ScriptedGitHub(
        pull_state(), graphql_error("UNPROCESSABLE", "Pull request is in clean status"), pull_state()
    )
    with pytest.raises(Invalid, match="clean status"):
        await acts_of(github).enable_auto_merge(EVE, REPO, 7, sha=HEAD, method="merge")


async def test_a_branch_is_updated_from_the_head_that_was_seen() -> None:
    github = ScriptedGitHub(refused(422, "expected head sha"), pull_state(headRefOid=OTHER_HEAD))
    with pytest.raises(HeadMoved):
        await acts_of(github).update_branch(EVE, REPO, 7, sha=HEAD)
    assert github.bodies[0] == {"expected_head_sha": HEAD}


async def test_a_branch_that_cannot_be_updated_is_told() -> None:
    github = ScriptedGitHub(refused(422, "merge conflict"), pull_state())
    with pytest.raises(Invalid, match="merge conflict"):
        await acts_of(github).update_branch(EVE, REPO, 7, sha=HEAD)


async def test_closing_says_only_that() -> None:
    github = ScriptedGitHub(ok("PATCH", BASE, state="closed"))
    assert (await acts_of(github).close(EVE, REPO, 7)).state == "closed"
    assert github.bodies == [{"state": "closed"}]
