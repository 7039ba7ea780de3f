"""A merge as a person: once, of the commit that they saw, or not at all."""

import httpx
import pytest

from github.errors import Forbidden, HeadMoved, NotMergeable, Transient
from github.merging import OUTCOME_PAUSES_S, Merge
from tests.github.fakes import (
    EVE,
    HEAD,
    OTHER_HEAD,
    REPO,
    Reply,
    ScriptedGitHub,
    merging_of,
    pull_state,
    refused,
)
from tests.github.forge import Forge


def outcome(status: int, word: str, **details: str) -> httpx.Response:
    told = {"message": "m"} | details
    if "uuid" in told:
        told = {"merge_method": "squash", "merge_action": "default", "expected_head_sha": HEAD} | told
    return httpx.Response(status, json={"status": word, "details": told})


PENDING = outcome(202, "pending", uuid="u-1234567")
STILL = outcome(200, "pending", uuid="u-1234567")
DONE = outcome(200, "merged", sha=OTHER_HEAD)
MERGED_STATE = {"merged": True, "state": "MERGED"}
EVES = MERGED_STATE | {"mergedBy": {"__typename": "User", "login": "eve", "databaseId": EVE.user_id}}
BOBS = MERGED_STATE | {"mergedBy": {"__typename": "User", "login": "bob", "databaseId": 43}}
MERGED = Merge(is_merged=True)
QUEUED = Merge(is_merged=False, is_queued=True)


@pytest.mark.parametrize(
    ("replies", "merge"),
    [
        ([DONE, pull_state(**MERGED_STATE)], MERGED),
        ([outcome(200, "enqueued"), pull_state(isInMergeQueue=True)], QUEUED),
        ([PENDING, DONE, pull_state(**MERGED_STATE)], MERGED),
        ([PENDING, STILL, outcome(200, "enqueued"), pull_state(isInMergeQueue=True)], QUEUED),
        ([outcome(409, "pending", uuid="u-7654321"), DONE, pull_state(**MERGED_STATE)], MERGED),
        ([PENDING, refused(404), pull_state(**MERGED_STATE), pull_state(**MERGED_STATE)], MERGED),
        ([outcome(400, "failed"), pull_state(**MERGED_STATE)], MERGED),
        ([outcome(400, "failed"), pull_state(**EVES)], MERGED),
    ],
    ids=["at once", "queue", "background", "slowly", "under way", "forgotten", "by nobody", "already"],
)
async def test_a_merge_ends_as_github_says(replies: list[Reply], merge: Merge) -> None:
    github = ScriptedGitHub(*replies)
    assert await merging_of(github).merge(EVE, REPO, 7, sha=HEAD, method="squash") == merge
    assert github.is_done
    assert github.bodies[0] == {"sha": HEAD, "merge_method": "squash", "merge_action": "default"}


@pytest.mark.parametrize(
    ("replies", "error", "words"),
    [
        ([outcome(400, "failed", message="is a draft"), pull_state()], NotMergeable, "is a draft"),
        ([PENDING, outcome(200, "failed", message="red"), pull_state()], NotMergeable, "red"),
        ([outcome(400, "failed"), pull_state(headRefOid=OTHER_HEAD)], HeadMoved, None),
        ([DONE, pull_state(headRefOid=OTHER_HEAD, **MERGED_STATE)], HeadMoved, None),
        ([outcome(409, "pending", uuid="u-7654321", expected_head_sha=OTHER_HEAD)], HeadMoved, None),
        ([refused(403, "Must have push access")], Forbidden, "push access"),
        ([PENDING, *[STILL] * len(OUTCOME_PAUSES_S)], Transient, "under way"),
        ([outcome(400, "failed"), pull_state(**BOBS)], Transient, "somebody else"),
    ],
    ids=["draft", "red", "moved", "merged at another head", "another", "no rights", "slow", "too late"],
)
async def test_what_is_not_merged_is_told(
    replies: list[Reply], error: type[Exception], words: str | None
) -> None:
    github = ScriptedGitHub(*replies)
    with pytest.raises(error, match=words):
        await merging_of(github).merge(EVE, REPO, 7, sha=HEAD, method="squash")
    assert github.is_done


async def test_a_refusal_in_another_form_is_a_refusal() -> None:
    body = {"message": "Base branch was modified", "status": "409"}
    github = ScriptedGitHub(httpx.Response(409, json=body), judged=False)
    with pytest.raises(NotMergeable, match="Base branch was modified"):
        await merging_of(github).merge(EVE, REPO, 7, sha=HEAD, method="squash")


async def test_an_older_server_merges_directly() -> None:
    forge = Forge(has_async_merge=False)
    assert await merging_of(forge).merge(EVE, REPO, 7, sha=HEAD, method="squash") == MERGED
    assert forge.operations == ["pulls/merge-async", "PullState", "pulls/merge"]


async def test_an_older_server_with_a_queue_queues() -> None:
    forge = Forge(has_async_merge=False)
    forge.state["isMergeQueueEnabled"] = True
    assert await merging_of(forge).merge(EVE, REPO, 7, sha=HEAD, method="squash") == QUEUED
    assert (forge.effects["queued"], forge.effects["merge"]) == (1, 0)


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ([pull_state(), refused(409, "Head branch was modified"), pull_state()], HeadMoved),
        ([pull_state(), refused(405, "Pull Request is not mergeable"), pull_state()], NotMergeable),
        ([pull_state(), refused(405, "Reviews are missing"), pull_state(headRefOid=OTHER_HEAD)], HeadMoved),
        ([pull_state(headRefOid=OTHER_HEAD)], HeadMoved),
        ([pull_state(**BOBS)], Transient),
    ],
)
async def test_an_older_server_says_no(replies: list[Reply], error: type[Exception]) -> None:
    github = ScriptedGitHub(refused(404), *replies)
    with pytest.raises(error):
        await merging_of(github).merge(EVE, REPO, 7, sha=HEAD, method="squash")
