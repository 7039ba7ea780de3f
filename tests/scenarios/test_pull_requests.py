"""From a mention to a merged pull request, in chat, as the people themselves."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from playground.github import Fault
from playground.github_git import run
from playground.scripts import call
from playground.scripts import run as run_
from playground.stage import HOSTED, Stage
from tests.scenarios.pulls import Pulls, home_of, on_pull_stage, opened
from tests.scenarios.scripts import CHANGELOG, SEARCH, script
from tests.scenarios.thread import Thread, new_channel

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCRIPTS = [
    script(*[{**step, "hold": None} if "hold" in step else step for step in SEARCH], match="toggle"),
    script(*CHANGELOG, match="changelog"),
    script({"text": "Looked at it."}, match="look"),
]

WRITE_BOTH = "sed -i '/^[<=>]\\{7\\}/d' CHANGELOG.md && cat CHANGELOG.md"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with on_pull_stage(tmp_path_factory.mktemp("pulls")) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def thread(stage: Stage) -> Thread:
    stage.model.play(SCRIPTS)
    return Thread(stage, new_channel(stage))


async def test_work_ends_in_a_draft_pull_request_that_everybody_sees(thread: Thread) -> None:
    thread.mention("search ignores archived projects even with the toggle on, fix it")
    await thread.ended()
    pulls = Pulls(thread)
    pull = await pulls.opened()
    assert pull.is_draft
    assert pull.author.login == "threadline[bot]"
    assert pull.body.count("Fixes ENG-") == 1
    assert "Asked for by Ann in Slack" in pull.body
    card = thread.texts()[-1]
    assert f"{HOSTED} #{pull.number}" in card
    assert f"{pull.head_sha[:7]}" in card
    assert card.endswith("[View diff] [Ready for review] [Request changes]")
    await thread.until(
        lambda: any(f"#{pull.number}" in text for text in thread.told("response")), "Linear tells of it"
    )
    assert pulls.stage.github.acts() == []
    # GitHub knows its bots by the numbers of their accounts, not by those of their apps.
    written = await run(pulls.home.folder, "log", "-1", "--format=%an %ae", pull.branch)
    bot = pull.author
    assert written.startswith(f"{bot.login} {bot.id}+{bot.login}@users.noreply.")


async def test_the_whole_way_from_a_mention_to_a_merge(thread: Thread) -> None:
    thread.mention("search ignores archived projects even with the toggle on, fix it")
    await thread.ended()
    pulls = Pulls(thread)
    pull, github = await pulls.opened(), thread.stage.github

    # Nobody is linked yet: the wish waits, and goes on by itself.
    await thread.press("Ready for review", by="U0ANN")
    await pulls.link("U0ANN", "ann")
    await thread.until(lambda: not pull.is_draft, "it is ready")
    await thread.until_shown(f"[Approve {pull.head_sha[:7]}]")

    # A stranger to the repository, then who asked for the work.
    github.world.repositories[0].may[github.world.account("bob").id] = "read"
    await thread.press(f"Approve {pull.head_sha[:7]}", by="U0BOB")
    await pulls.link("U0BOB", "bob")
    await pulls.told("U0BOB", "needs write access")
    thread.say("approve", by="U0ANN")
    await pulls.told("U0ANN", "your approval does not count")
    assert [one.by.login for one in pull.reviews] == ["ann"]
    await thread.until(
        lambda: [run for run in pulls.home.checks if run.sha == pull.head_sha][-1].conclusion == "failure",
        "our check is red",
    )

    # A reviewer; then somebody pushes, and the approval counts no more.
    await thread.press(f"Approve {pull.head_sha[:7]}", by="U0EVE")
    await pulls.link("U0EVE", "eve")
    await thread.until_shown("Approved by Eve")
    old = pull.head_sha[:7]
    await github.push(pulls.home, pull.branch, "eve", {"NOTES.md": "hello\n"})
    await thread.until_shown(f"[Approve {pull.head_sha[:7]}]")
    assert not thread.shows(f"[Approve {old}]")
    await thread.press(f"Approve {pull.head_sha[:7]}", by="U0EVE")
    await thread.until_shown("[Merge]")

    # To merge is confirmed, by a word that names the commit.
    thread.say("merge", by="U0EVE")
    await pulls.told("U0EVE", f"merge {pull.head_sha[:7]}")
    assert not pull.is_merged
    thread.say(f"merge {pull.head_sha[:7]}", by="U0EVE")
    await thread.until(lambda: pull.is_merged, "it is merged")
    assert pull.merged_by is not None
    assert pull.merged_by.login == "eve"
    await thread.until_shown("Merged by Eve")
    await thread.until(
        lambda: any("Merged by Eve" in text for text in thread.told("response")), "Linear tells who merged"
    )
    assert all(one.startswith("user:") for one in github.acts())


async def test_what_the_rules_lack_is_named_before_a_merge(thread: Thread) -> None:
    pulls, pull = await opened(thread, links=("U0EVE",))
    thread.say("merge", by="U0EVE")
    await pulls.told("U0EVE", "main needs ")
    thread.say("approve 0123456", by="U0EVE")
    await pulls.told("U0EVE", f"The pull request moved to {pull.head_sha[:7]}")
    github = thread.stage.github
    await github.push(pulls.home, "main", "ann", {"CHANGELOG.md": "# Another one\n"})
    thread.say("approve", by="U0EVE")
    await thread.until_shown("Approved by Eve")
    thread.say("merge", by="U0EVE")
    await pulls.told("U0EVE", "main moved and")
    assert not pull.is_merged
    await github.forge.close(pulls.home, pull, github.world.account("ann"))
    thread.say("merge", by="U0EVE")
    await pulls.told("U0EVE", "It was closed")


async def test_what_github_refuses_or_does_not_answer_is_told_to_who_asked(thread: Thread) -> None:
    pulls, pull = await opened(thread, links=("U0EVE",))
    github, reviews = thread.stage.github, "POST /repos/{owner}/{repo}/pulls/{number}/reviews"
    github.fail(reviews, Fault(status=422, message="Reviews are locked here"))
    thread.say("approve", by="U0EVE")
    await pulls.told("U0EVE", "GitHub refused: Reviews are locked here")
    before = len(pull.reviews)
    github.fail(reviews, Fault(drop="after"), 1)
    thread.say("comment: fine", by="U0EVE")
    await thread.until(lambda: len(pull.reviews) > before, "it is there after all")
    github.fail("graphql", Fault(status=502, text="<html>"), 20)
    thread.say("comment: again", by="U0EVE")
    await pulls.told("U0EVE", "GitHub does not answer")
    github.forgive()
    await thread.until(lambda: any(one.body.startswith("again") for one in pull.reviews), "it got through")
    assert sum(one.body.startswith("fine") for one in pull.reviews) == 1


async def test_who_may_not_write_starts_nothing(thread: Thread) -> None:
    github = thread.stage.github
    account = github.world.account("bob")
    home = github.world.repositories[0]
    home.may[account.id] = "read"
    try:
        thread.mention("write the changelog", by="U0BOB")
        await thread.until_shown("Starting work in acme/shop needs write access")
    finally:
        home.may[account.id] = "write"


async def test_a_push_that_is_refused_is_told_in_the_answer_and_nothing_is_lost(thread: Thread) -> None:
    workflow = call("Write", file_path=".github/workflows/ci.yml", content="on: push\n")
    steps = script({"tools": [workflow]}, {"text": "There is a workflow."}, match="workflow")
    thread.stage.model.play([steps])
    thread.mention("add a workflow")
    await thread.ended()
    await thread.until_shown("not pushed")
    assert thread.shows("the app may not change workflows")
    prefix = f"{thread.issue()['identifier']}:"
    assert not any(one.title.startswith(prefix) for one in home_of(thread).pulls.values())


async def test_people_push_to_the_branch_and_nobody_loses_anything(thread: Thread) -> None:
    pulls, pull = await opened(thread)
    github = thread.stage.github
    await github.push(pulls.home, pull.branch, "eve", {"NOTES.md": "from Eve\n"})
    thread.stage.model.play(
        [
            script(
                {"tools": [call("Write", file_path="MORE.md", content="more\n")]},
                {"text": "More."},
                match="more",
            )
        ]
    )
    thread.say("write more")
    await thread.ended(2)
    await thread.until(lambda: thread.shows(pull.head_sha[:7]), "the card shows the union")
    files = await run(pulls.home.folder, "ls-tree", "-r", "--name-only", pull.branch)
    assert {"NOTES.md", "MORE.md", "CHANGELOG.md"} <= set(files.splitlines())


async def test_a_failed_check_is_offered_and_fixed_in_the_same_session(thread: Thread) -> None:
    pulls, pull = await opened(thread)
    github = thread.stage.github
    rules = pulls.home.rules
    pulls.home.rules = replace(rules, checks={**rules.checks, "build": None})
    try:
        await github.check(pulls.home, pull.head_sha, "build", "failure", "1 test failed: test_changelog")
        await thread.until_shown("build failed")
        steps = {"tools": [call("Write", file_path="FIXED.md", content="fixed\n")]}
        thread.stage.model.play([script(steps, {"text": "Fixed the build."}, match="test_changelog")])
        await thread.press("Fix it", by="U0ANN")
        await thread.ended(2)
        assert thread.shows("Fixed the build.")
    finally:
        pulls.home.rules = rules


async def test_a_conflict_with_the_base_is_resolved_by_the_agent(thread: Thread) -> None:
    pulls, pull = await opened(thread, links=("U0EVE",))
    github = thread.stage.github
    await github.push(pulls.home, "main", "ann", {"CHANGELOG.md": "# Changes of somebody else\n"})
    github.forge.comment(pulls.home, pull, github.world.account("ann"), "main has moved")
    await thread.until_shown("[Update branch]")
    resolved = {"tools": [run_(WRITE_BOTH)]}
    thread.stage.model.play([script(resolved, {"text": "Both kept."}, match="conflict markers")])
    before = pull.head_sha
    await thread.press("Update branch", by="U0EVE")
    await thread.ended(2)
    await thread.until(lambda: pull.head_sha != before, "the branch moved")
    assert (await github.forge.state(pulls.home, pull))["mergeable"] == "MERGEABLE"
    text = await run(pulls.home.folder, "show", f"{pull.branch}:CHANGELOG.md")
    assert "somebody else" in text
    assert "Search finds more" in text
    assert "<<<<" not in text


async def test_what_waits_for_green_is_not_merged_with_something_pushed_later(thread: Thread) -> None:
    pulls, pull = await opened(thread, links=("U0EVE",))
    thread.say("merge when green", by="U0EVE")
    await pulls.told("U0EVE", f"merge when green {pull.head_sha[:7]}")
    thread.say(f"merge when green {pull.head_sha[:7]}", by="U0EVE")
    await thread.until(lambda: pull.auto_merge is not None, "GitHub waits for green")
    await thread.until_shown("once everything is green")
    writes = {"tools": [call("Write", file_path="LATER.md", content="later\n")]}
    thread.stage.model.play([script(writes, {"text": "Later."}, match="later")])
    before = pull.head_sha
    thread.say("write it later")
    await thread.ended(2)
    await thread.until(lambda: pull.head_sha != before, "it is pushed")
    assert pull.auto_merge is None
    assert not pull.is_merged
