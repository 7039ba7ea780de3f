"""Merging at GitHub's stand-in: by itself, in a queue, in the background, and past no rule."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from playground.github_git import head_of, run
from playground.github_state import Pull
from tests.playground.github_town import Town, town

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENABLE = """mutation EnableAutoMerge($input: EnablePullRequestAutoMergeInput!) {
  enablePullRequestAutoMerge(input: $input) { pullRequest { autoMergeRequest { mergeMethod } } } }"""
ENQUEUE = """mutation Enqueue($input: EnqueuePullRequestInput!) {
  enqueuePullRequest(input: $input) { mergeQueueEntry { position } } }"""
READY = """mutation Ready($input: MarkPullRequestReadyForReviewInput!) {
  markPullRequestReadyForReview(input: $input) { pullRequest { isDraft } } }"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town(tmp_path_factory.mktemp("github")) as made:
        yield made


async def enabled(place: Town, who: str, one: Pull, **more: str) -> Any:
    return await place.graphql(who, ENABLE, input={"pullRequestId": one.node_id, **more})


async def test_auto_merge_waits_for_the_rules_and_merges(place: Town) -> None:
    home = await place.use(checks={"build": None})
    one = await place.open()
    told = await enabled(place, "user:eve", one, mergeMethod="SQUASH", expectedHeadOid=one.head_sha)
    assert told["data"]["enablePullRequestAutoMerge"]["pullRequest"]["autoMergeRequest"] is not None
    await place.there.check(home, one.head_sha, "build", "failure")
    assert one.auto_merge is not None
    await place.there.check(home, one.head_sha, "build", "success")
    assert one.merged_by is place.there.world.account("eve")
    assert await run(home.folder, "log", "-1", "--format=%s", "main") == "ENG-1: Search (#87)"


async def test_auto_merge_goes_on_when_the_review_that_is_against_it_is_dismissed(place: Town) -> None:
    await place.use(reviews=1)
    one = await place.open()
    against = (await place.review("user:bob", one, "REQUEST_CHANGES")).json()
    await enabled(place, "user:eve", one)
    await place.review("user:eve", one)
    assert one.auto_merge is not None
    place_of = f"pulls/{one.number}/reviews/{against['id']}/dismissals"
    assert (await place.call("user:ann", "PUT", place_of, {"message": "done"})).status_code == 200
    assert one.is_merged


async def test_auto_merge_is_refused_where_nothing_is_to_wait_for_and_to_those_who_may_not(
    place: Town,
) -> None:
    await place.use()
    one = await place.open()
    told = await enabled(place, "user:eve", one)
    assert "clean status" in told["errors"][0]["message"]
    place.home.rules.reviews = 1
    for who in ("user:guest", "personal:guest", "user:tim", "installation"):
        told = await enabled(place, who, one)
        assert told["errors"][0]["type"] == "FORBIDDEN", who
    moved = await enabled(place, "user:eve", one, expectedHeadOid="1" * 40)
    assert "errors" in moved
    assert one.auto_merge is None


async def test_auto_merge_ends_when_somebody_pushes_who_may_not_write(place: Town) -> None:
    home = await place.use(reviews=1)
    one = await place.open()
    await enabled(place, "user:eve", one)
    await place.there.push(home, "work", "bob", {"work.py": "x = 2\n"})
    assert one.auto_merge is not None
    await place.there.push(home, "work", "guest", {"work.py": "x = 3\n"})
    assert one.auto_merge is None
    assert "pull_request.auto_merge_disabled" in place.events


async def test_only_the_protected_branch_has_rules(place: Town) -> None:
    home = await place.use(reviews=1, checks={"build": None}, has_queue=True)
    await place.there.push(home, "release", "ann", {"release.py": "1\n"})
    one = await place.open(base="release")
    assert (await place.merge("user:eve", one)).status_code == 200
    two = await place.open("two")
    assert (await place.merge("user:eve", two)).status_code == 405
    retargeted = await place.call("user:ann", "PATCH", f"pulls/{two.number}", {"base": "release"})
    assert retargeted.json()["base"]["ref"] == "release"
    assert (await place.merge("user:eve", two)).status_code == 200


async def test_approvals_are_dismissed_by_a_push_and_the_last_pusher_counts_for_nothing(place: Town) -> None:
    home = await place.use(reviews=1, last_push=True)
    one = await place.open()
    await place.review("user:eve", one)
    await place.there.push(home, "work", "bob", {"work.py": "x = 2\n"})
    assert [each.state for each in one.reviews] == ["DISMISSED"]
    await place.review("user:bob", one)
    assert (await place.merge("user:eve", one)).status_code == 405
    await place.review("user:eve", one)
    assert (await place.merge("user:bob", one)).status_code == 200


async def test_a_queue_takes_in_order_and_lets_fall_what_is_not_allowed_any_more(place: Town) -> None:
    home = await place.use(has_queue=True, checks={"build": None})
    one, two = await place.open("one"), await place.open("two")
    for position, each in ((1, one), (2, two)):
        await place.there.check(home, each.head_sha, "build", "success")
        told = await place.graphql("user:eve", ENQUEUE, input={"pullRequestId": each.node_id})
        assert told["data"]["enqueuePullRequest"]["mergeQueueEntry"]["position"] == position
    await place.there.check(home, two.head_sha, "build", "failure")
    await place.there.forge.merge_queue(home)
    assert (one.is_merged, two.is_merged, two.is_queued) == (True, False, False)
    assert "pull_request.dequeued" in place.events


async def test_a_merge_in_the_background_is_asked_for_by_its_number(place: Town) -> None:
    home = await place.use()
    one = await place.open()
    background, sent = f"pulls/{one.number}/merge-async", {"sha": one.head_sha, "merge_method": "merge"}
    place.there.switches.merges_later = True
    try:
        begun = await place.call("user:eve", "PUT", background, sent)
        assert (begun.status_code, one.is_merged) == (202, False)
        again = await place.call("user:eve", "PUT", background, sent)
        assert again.status_code == 409
        look = f"{background}/{begun.json()['details']['uuid']}"
        seen = [(await place.told("user:eve", look))["status"] for _ in range(3)]
    finally:
        place.there.switches.merges_later = False
    assert seen == ["pending", "merged", "merged"]
    assert one.merge_sha == await head_of(home.folder, "main")
    assert (await place.call("user:eve", "GET", f"{background}/none")).status_code == 404


async def test_a_merge_in_the_background_fails_when_the_head_moves(place: Town) -> None:
    home = await place.use()
    one = await place.open()
    background = f"pulls/{one.number}/merge-async"
    place.there.switches.merges_later = True
    try:
        begun = await place.call("user:eve", "PUT", background, {"sha": one.head_sha})
        await place.there.push(home, "work", "ann", {"work.py": "x = 2\n"})
        look = f"{background}/{begun.json()['details']['uuid']}"
        seen = [(await place.told("user:eve", look))["status"] for _ in range(2)]
    finally:
        place.there.switches.merges_later = False
    assert seen == ["pending", "failed"]
    assert one.state == "open"


async def test_old_servers_have_no_merge_in_the_background(place: Town) -> None:
    await place.use()
    one = await place.open()
    place.there.switches.has_merge_async = False
    try:
        answer = await place.call("user:eve", "PUT", f"pulls/{one.number}/merge-async", {})
    finally:
        place.there.switches.has_merge_async = True
    assert (answer.status_code, one.is_merged) == (404, False)


async def test_what_acts_is_told_with_who_did_it(place: Town) -> None:
    await place.use(reviews=1)
    await place.there.push(place.home, "work", "ann", {"work.py": "1\n"})
    sent = {"head": "work", "base": "main", "title": "t", "draft": True}
    opened = await place.call("installation", "POST", "pulls", sent)
    one = place.home.pulls[opened.json()["number"]]
    assert (await place.merge("user:root", one)).status_code == 405
    await place.graphql("user:ann", READY, input={"pullRequestId": one.node_id})
    await enabled(place, "user:ann", one)
    await place.review("user:eve", one)
    assert one.merged_by is place.there.world.account("ann")
    assert place.there.acts() == [
        "user:root PUT /repos/{owner}/{repo}/pulls/{number}/merge",
        "user:ann markPullRequestReadyForReview",
        "user:ann enablePullRequestAutoMerge",
        "user:eve POST /repos/{owner}/{repo}/pulls/{number}/reviews",
    ]
