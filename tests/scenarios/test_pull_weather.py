"""Clicks that come twice, people who are faster, a GitHub that is away: told in words, done once or not."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from playground.github import Fault
from playground.github_faults import secondary_limit, sso
from playground.github_git import run
from playground.github_state import Pull
from playground.github_tokens import INSTALLATION_S
from playground.slack_blocks import elements_of
from playground.slack_state import Message
from playground.stage import HOSTED, Stage
from tests.scenarios.pulls import Pulls, on_pull_stage, opened, writes
from tests.scenarios.thread import Thread, new_channel

pytestmark = pytest.mark.asyncio(loop_scope="module")

REVIEW = "POST /repos/{owner}/{repo}/pulls/{number}/reviews"
REVIEWS = "GET /repos/{owner}/{repo}/pulls/{number}/reviews"
MERGE = "PUT /repos/{owner}/{repo}/pulls/{number}/merge-async"
DIRECT_MERGE = "PUT /repos/{owner}/{repo}/pulls/{number}/merge"
BOB, EVE = "U0BOB", "U0EVE"

DONE_BEFORE = "You did that already."
AWAY = "GitHub does not answer; I keep trying for a few minutes."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with on_pull_stage(tmp_path_factory.mktemp("weather")) as stage:
        yield stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def common(stage: Stage) -> Pulls:
    """A pull request for all that leave it open; Bob and Eve are linked."""
    stage.model.play([writes("notes")])
    pulls, _ = await opened(Thread(stage, new_channel(stage)), asked="write the notes", links=(BOB, EVE))
    return pulls


@pytest_asyncio.fixture(loop_scope="module")
async def fresh(common: Pulls) -> Pulls:
    """The same at a commit that nobody has seen; everybody behaves again."""
    calm(common.stage)
    await moves(common)
    return common


@pytest_asyncio.fixture(loop_scope="module")
async def green(common: Pulls) -> Pulls:
    """One of its own that Eve approved, which may be merged."""
    stage = common.stage
    calm(stage)
    stage.model.play([writes("notes")])
    pulls, _ = await opened(Thread(stage, new_channel(stage)), asked="write the notes")
    await approved(pulls)
    return pulls


def calm(stage: Stage) -> None:
    stage.github.forgive()
    stage.github.moments.clear()
    stage.github.switches.has_merge_async = True
    stage.github.courier.release()


async def moves(pulls: Pulls) -> None:
    """Ann pushes, and the card shows it."""
    number = len(pulls.stage.github.calls)
    await pulls.stage.github.push(pulls.home, pulls.pull.branch, "ann", {"ANN.md": f"{number}\n"})
    await pulls.thread.until_shown(f"[{approve(pulls.pull)}]")


async def approved(pulls: Pulls) -> None:
    await press(pulls, approve(pulls.pull), EVE)
    await pulls.thread.until_shown("[Merge]")


def approve(pull: Pull) -> str:
    return f"Approve {pull.head_sha[:7]}"


def button(messages: list[Message], label: str) -> tuple[str, str, str | None]:
    """The newest with these words on it: its message, its action, its value."""
    for message in reversed(messages):
        for _, element in elements_of(message.blocks):
            if element.get("text", {}).get("text") == label:
                return message.ts, element["action_id"], element.get("value")
    raise AssertionError(f"no button {label}")


async def press(pulls: Pulls, label: str, *people: str, private: bool = False) -> None:
    """Everybody at once."""
    slack, channel = pulls.stage.slack.people, pulls.thread.channel
    shown = pulls.whispers(people[0]) if private else pulls.thread.ours()
    ts, action, value = button(shown, label)
    receipts = await asyncio.gather(*(slack.click(one, channel, ts, action, value=value) for one in people))
    assert all(one.status == 200 for one in receipts)


async def wants_to_merge(pulls: Pulls, user: str) -> None:
    """Up to the question whether they are sure."""
    before = len(pulls.told_to(user))
    await press(pulls, "Merge", user)
    await pulls.thread.until(lambda: len(pulls.told_to(user)) > before, "they are asked")


async def merge(pulls: Pulls, user: str) -> None:
    """And they are."""
    await wants_to_merge(pulls, user)
    await press(pulls, f"Merge {pulls.pull.head_sha[:7]} as squash", user, private=True)


async def settled(pulls: Pulls, login: str) -> None:
    """Until what this person asked for before is over, whatever came of it: wishes are seen to in turn."""
    before = len(pulls.reviews(login))
    pulls.thread.say("comment: bye", by=f"U0{login.upper()}")
    await pulls.thread.until(lambda: len(pulls.reviews(login)) > before, "the next thing is done")
    await pulls.stage.slack.settled()


class Since:
    """What a person is told, and what is done in their name, from here on."""

    def __init__(self, pulls: Pulls, login: str) -> None:
        self._pulls, self._login, self._user = pulls, login, f"U0{login.upper()}"
        self._told, self._said = len(pulls.told_to(self._user)), len(pulls.reviews(login))
        self._acts = len(pulls.stage.github.acts())

    def told(self) -> list[str]:
        return self._pulls.told_to(self._user)[self._told :]

    def reviews(self) -> list[str]:
        return self._pulls.reviews(self._login)[self._said :]

    def acts(self, kind: str) -> int:
        """How often GitHub was asked for it, by them."""
        return self._pulls.stage.github.acts()[self._acts :].count(f"user:{self._login} {kind}")


# Twice


async def test_approve_pressed_twice_is_one_review_and_the_second_press_is_answered(fresh: Pulls) -> None:
    since = Since(fresh, "eve")
    await press(fresh, approve(fresh.pull), EVE, EVE)
    await fresh.thread.until_shown("Approved by Eve")
    await fresh.told(EVE, DONE_BEFORE)
    await settled(fresh, "eve")
    assert since.told() == [DONE_BEFORE]
    assert since.reviews() == ["APPROVED", "COMMENTED"]


async def test_a_press_that_slack_delivers_three_times_is_one_review_and_says_nothing(fresh: Pulls) -> None:
    since, slack = Since(fresh, "eve"), fresh.stage.slack
    await press(fresh, approve(fresh.pull), EVE)
    [delivery] = [one for one in slack.dispatcher.log if one.kind == "interactive"][-1:]
    for _ in range(2):
        assert (await slack.dispatcher.interact(delivery.payload)).status == 200
    await fresh.thread.until_shown("Approved by Eve")
    await settled(fresh, "eve")
    assert since.reviews() == ["APPROVED", "COMMENTED"]
    assert since.told() == []


async def test_a_merge_confirmed_twice_by_two_people_at_once_is_one_merge_of_one_of_them(
    green: Pulls,
) -> None:
    pull = green.pull
    await wants_to_merge(green, EVE)
    await wants_to_merge(green, BOB)
    label = f"Merge {pull.head_sha[:7]} as squash"
    eve, bob = Since(green, "eve"), Since(green, "bob")
    await asyncio.gather(
        press(green, label, EVE, EVE, private=True), press(green, label, BOB, BOB, private=True)
    )
    await green.thread.until(lambda: pull.is_merged, "it is merged")
    assert pull.merged_by is not None
    first, second = (eve, bob) if pull.merged_by.login == "eve" else (bob, eve)
    name = pull.merged_by.login.title()
    await green.thread.until_shown(f"Merged by {name} as squash")
    late = f"It was merged by @{pull.merged_by.login} already."
    await green.thread.until(lambda: len(second.told()) == 2 and first.told(), "both are told")
    assert late in second.told()
    assert set(second.told()) <= {late, DONE_BEFORE}
    assert len(first.told()) == 1
    assert first.told()[0] in {late, DONE_BEFORE}
    merges = await run(green.home.folder, "log", "--format=%s", "main")
    assert merges.count(f"(#{pull.number})") == 1
    await green.thread.until(
        lambda: sum("Merged by" in text for text in green.thread.told("response")) == 1,
        "Linear tells it once",
    )


async def test_two_people_approve_at_once_and_both_reviews_count(fresh: Pulls) -> None:
    eve, bob = Since(fresh, "eve"), Since(fresh, "bob")
    await press(fresh, approve(fresh.pull), EVE, BOB)
    await fresh.thread.until(lambda: eve.reviews() == bob.reviews() == ["APPROVED"], "both approved")
    await fresh.thread.until(
        lambda: "Eve" in approvals(fresh) and "Bob" in approvals(fresh), "the card names both"
    )
    assert eve.told() == bob.told() == []


def approvals(pulls: Pulls) -> str:
    """The line of the card that says who approved."""
    return next((line for line in pulls.cards()[-1].splitlines() if "Approved by" in line), "")


# Lost answers


async def test_an_approval_whose_answer_is_lost_and_that_nobody_finds_at_once_is_given_once(
    fresh: Pulls,
) -> None:
    since, github = Since(fresh, "eve"), fresh.stage.github

    async def blind() -> None:
        github.fail(REVIEWS, Fault(status=502, text="<html>"), 3)

    github.fail(REVIEW, Fault(drop="after"))
    github.moments.at(REVIEW, "executed", blind)
    await press(fresh, approve(fresh.pull), EVE)
    await fresh.thread.until_shown("Approved by Eve")
    await settled(fresh, "eve")
    assert since.reviews() == ["APPROVED", "COMMENTED"]
    assert since.acts(REVIEW) == 2
    assert since.told() == []


async def test_a_merge_whose_answer_is_lost_is_told_as_merged_once(green: Pulls) -> None:
    pull, since = green.pull, Since(green, "eve")
    green.stage.github.fail(MERGE, Fault(drop="after"))
    await merge(green, EVE)
    await green.thread.until_shown("Merged by Eve as squash")
    await green.thread.until(
        lambda: sum("Merged by Eve" in text for text in green.thread.told("response")) == 1, "Linear tells it"
    )
    assert since.acts(MERGE) == 1
    assert len(since.told()) == 1  # Whether they are sure.
    merges = await run(green.home.folder, "log", "--format=%s", "main")
    assert merges.count(f"(#{pull.number})") == 1


# Somebody was faster


@pytest.mark.parametrize("is_new", [True, False], ids=["merge-async", "merge"])
async def test_a_push_or_a_draft_between_our_look_and_the_merge_stops_it(
    fresh: Pulls, *, is_new: bool
) -> None:
    github, pull = fresh.stage.github, fresh.pull
    github.switches.has_merge_async = is_new
    kind = MERGE if is_new else DIRECT_MERGE
    await approved(fresh)
    old = pull.head_sha[:7]

    async def draft() -> None:
        github.forge.ready(fresh.home, pull, github.world.account("ann"), is_draft=True)

    since = Since(fresh, "eve")
    github.moments.at(kind, "before", draft)
    await merge(fresh, EVE)
    await fresh.thread.until(lambda: len(since.told()) == 2, "they are asked and told")
    assert since.told()[1] == "GitHub refused: Pull Request is still a draft"
    github.forge.ready(fresh.home, pull, github.world.account("ann"), is_draft=False)
    await fresh.thread.until_shown("[Merge]")

    async def push() -> None:
        await github.push(fresh.home, pull.branch, "ann", {"ANN.md": f"{old}\n"})

    since = Since(fresh, "eve")
    github.moments.at(kind, "before", push)
    await merge(fresh, EVE)
    await fresh.thread.until(lambda: len(since.told()) == 2, "they are asked and told")
    assert pull.head_sha[:7] != old
    moved = f"The pull request moved to {pull.head_sha[:7]} since this card; nothing was done."
    assert since.told()[1] == moved
    assert not pull.is_merged
    await fresh.thread.until_shown(f"[{approve(pull)}]")


async def test_a_push_while_somebody_approves_takes_the_approval_back(fresh: Pulls) -> None:
    github, pull, since = fresh.stage.github, fresh.pull, Since(fresh, "eve")

    async def push() -> None:
        await github.push(fresh.home, pull.branch, "ann", {"ANN.md": "faster\n"})

    github.moments.at(REVIEW, "executed", push)
    await press(fresh, approve(pull), EVE)
    await fresh.thread.until(since.told, "they are told")
    new = pull.head_sha[:7]
    assert since.told() == [f"The pull request moved to {new} since this card; nothing was done."]
    assert since.reviews() == ["DISMISSED"]
    await fresh.thread.until_shown(f"[{approve(pull)}]")


# GitHub says no, or nothing


async def test_whose_organisation_wants_a_sign_in_is_shown_where(fresh: Pulls) -> None:
    since, address = Since(fresh, "eve"), "https://github.test/orgs/acme/sso?authorization_request=A1"
    fresh.stage.github.fail(REVIEW, sso(address))
    await press(fresh, approve(fresh.pull), EVE)
    await fresh.told(EVE, address)
    assert len(since.told()) == 1
    assert since.told()[0].startswith(f"Your organisation wants you to sign in at GitHub first: {address}")
    assert since.reviews() == []
    # They have, and ask again.
    await press(fresh, approve(fresh.pull), EVE)
    await fresh.thread.until_shown("Approved by Eve")
    assert since.reviews() == ["APPROVED"]


async def test_a_secondary_limit_is_waited_for_and_told_once(fresh: Pulls) -> None:
    since = Since(fresh, "eve")
    fresh.stage.github.fail(REVIEW, secondary_limit(1), 2)
    await press(fresh, approve(fresh.pull), EVE)
    await fresh.thread.until_shown("Approved by Eve")
    assert since.told() == [AWAY]
    assert since.reviews() == ["APPROVED"]


async def test_whose_link_ended_at_github_links_again_and_the_wish_goes_on(fresh: Pulls) -> None:
    github, since = fresh.stage.github, Since(fresh, "eve")
    github.courier.lose = 1  # Nobody tells us.
    github.revoke("eve")
    await press(fresh, approve(fresh.pull), EVE)
    await fresh.told(EVE, "GitHub does not let me act as you any more: the link has ended.")
    assert since.reviews() == []
    await fresh.link(EVE, "eve")
    await fresh.thread.until_shown("Approved by Eve")
    assert since.reviews() == ["APPROVED"]
    assert sum("does not let me act" in one for one in since.told()) == 1

    # Told of it, we ask before anything is tried.
    await moves(fresh)
    since = Since(fresh, "eve")
    github.revoke("eve")
    await github.courier.settled()
    await press(fresh, approve(fresh.pull), EVE)
    await fresh.told(EVE, "To approve as yourself, link GitHub first.")
    await fresh.link(EVE, "eve")
    await fresh.thread.until_shown("Approved by Eve")
    assert since.reviews() == ["APPROVED"]


async def test_in_a_renamed_repository_everything_goes_on(fresh: Pulls) -> None:
    github, since = fresh.stage.github, Since(fresh, "bob")
    github.forge.rename(fresh.home, "store")
    try:
        await fresh.thread.until_shown(f"acme/store #{fresh.pull.number}")
        github.tokens.ahead_s += INSTALLATION_S  # With those for its old name, nothing is shown any more.
        await press(fresh, approve(fresh.pull), BOB)
        await fresh.thread.until_shown("Approved by Bob")
        assert since.reviews() == ["APPROVED"]
        fresh.stage.model.play([writes("more")])
        before = fresh.pull.head_sha
        fresh.thread.say("write more")
        await fresh.thread.until(lambda: fresh.pull.head_sha != before, "the next turn is pushed")
        await fresh.thread.until_shown(f"[{approve(fresh.pull)}]")
        assert since.told() == []
    finally:
        github.forge.rename(fresh.home, HOSTED.partition("/")[2])


async def test_a_deleted_branch_closes_it_and_the_next_turn_opens_another(common: Pulls) -> None:
    stage, github = common.stage, common.stage.github
    calm(stage)
    stage.model.play([writes("notes")])
    pulls, pull = await opened(Thread(stage, new_channel(stage)), asked="write the notes")
    github.courier.hold = True  # What is pressed is pressed before anybody tells us.
    await github.delete_branch(pulls.home, pull.branch, "ann")
    since = Since(pulls, "bob")
    await press(pulls, approve(pull), BOB)
    await pulls.thread.until(since.told, "they are told")
    assert since.told() == ["It was closed without being merged. Reopen it at GitHub."]
    assert since.reviews() == []
    github.courier.release()
    await pulls.thread.until_shown("Closed")

    stage.model.play([writes("more")])
    pulls.thread.say("write more")
    await pulls.thread.ended(2)
    await pulls.thread.until(lambda: len(pulls.pulls()) == 2, "there is another")
    [_, new] = pulls.pulls()
    assert (new.branch, new.state, new.is_draft) == (pull.branch, "open", True)
    await pulls.thread.until_shown(f"{HOSTED} #{new.number}")
    files = await run(pulls.home.folder, "diff", "--name-only", f"main...{new.branch}")
    assert len(files.splitlines()) == 2
    assert [f"#{pull.number}" in one and "Closed" in one for one in pulls.cards()] == [True, False]
