"""What has to be ready before the agent: repository, issue, agent session, a place, a clone."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.activities import Blocker, Elicitation
from core.admission import Admission
from core.errors import DeliveryError, Refused, TargetGone, Throttled, TryLater
from core.events import ThreadMessage
from core.ids import ElicitationId
from core.routing import Repository
from core.turn.desk import Limits
from tests.core.turn.fakes import BOB, EVE, ISSUE, SECRET, Scene, scene_in, waiting_for_ever

QUESTION = "question: Which repository is this about?"


@pytest.fixture
def docs(shop: Repository) -> Repository:
    return replace(shop, name="acme/docs", teams=("DOC",))


@pytest.fixture
async def two(tmp_path: Path, shop: Repository, docs: Repository) -> AsyncIterator[Scene]:
    """A scene with two repositories, neither of them the default."""
    async with scene_in(tmp_path, [shop, docs]) as scene:
        yield scene


async def asked(scene: Scene, times: int = 1) -> ElicitationId:
    """The question for the repository, once it is asked."""
    await scene.until_told("question", times)
    questions = [one.entry for one in await scene.log() if isinstance(one.entry, Elicitation)]
    return questions[-1].id


# Which repository.


async def test_who_asked_for_the_work_is_asked_for_the_repository(two: Scene) -> None:
    await two.say("rename it")
    turn = two.begin()
    await asked(two)
    (question,) = [one.entry for one in await two.log() if isinstance(one.entry, Elicitation)]
    assert [one.name for one in question.asked] == ["Ann"]
    await two.say("docs", by=BOB)
    assert await turn == "done"


@pytest.mark.parametrize(
    ("said", "answer"), [("docs", "docs"), ("It is acme/docs", "It is acme/docs"), ("2", "acme/docs")]
)
async def test_people_are_asked_for_the_repository_and_answer_in_words(
    two: Scene, said: str, answer: str
) -> None:
    await two.say("rename it")
    turn = two.begin()
    await asked(two)
    await two.say(said, by=BOB)
    assert await turn == "done"
    assert (await two.story())[:6] == [
        "started by Ann",
        "Ann: rename it",
        QUESTION,
        f"answered by Bob: {answer}",
        "issue ENG-1 Rename it",
        "in acme/docs, as you chose",
    ]
    assert "100.2 done" in await two.fates()
    assert two.runner.opened[0].texts[0].endswith("Ann in Slack:\n<message>\nrename it\n</message>")


async def test_people_answer_with_a_button(two: Scene) -> None:
    await two.say("fix it")
    turn = two.begin()
    await two.choose(await asked(two), "acme/shop", by=EVE)
    assert await turn == "done"
    assert "in acme/shop, as you chose" in await two.story()


async def test_an_answer_that_names_no_repository_is_asked_again(two: Scene) -> None:
    await two.say("fix it")
    turn = two.begin()
    await asked(two)
    await two.say("the big one")
    await asked(two, times=2)
    await two.say("shop")
    assert await turn == "done"
    assert [line for line in await two.story() if line.startswith("question")] == [
        QUESTION,
        "question: I don't know “the big one”. Which repository is this about?",
    ]


async def test_the_choice_is_remembered(two: Scene) -> None:
    await two.say("fix it")
    turn = two.begin()
    await asked(two)
    await two.say("docs")
    await turn
    await two.say("more")
    assert await two.play(3) == "done"
    assert (await two.story()).count(QUESTION) == 1
    assert (await two.record()).route_reason == "as you chose"


async def test_the_question_outlives_a_restart_and_is_asked_once(two: Scene) -> None:
    await two.say("fix it")
    turn = two.begin()
    await asked(two)
    await two.service.halt()
    await asyncio.gather(turn, return_exceptions=True)
    two.restart()
    again = two.begin()
    await two.until_told("blocked restart")
    await two.say("docs")
    assert await again == "done"
    assert (await two.story()).count(QUESTION) == 1
    assert "in acme/docs, as you chose" in await two.story()


async def test_an_answer_from_before_a_restart_counts(two: Scene) -> None:
    await two.say("fix it")
    turn = two.begin()
    question = await asked(two)
    two.tracker.errors = [TryLater("away")] * 1000
    await two.choose(question, "acme/docs")
    await two.until_told("answered")
    await two.service.halt()
    await asyncio.gather(turn, return_exceptions=True)
    two.tracker.errors = []
    two.restart()
    assert await two.play() == "done"
    assert (await two.story()).count(QUESTION) == 1
    assert "in acme/docs, as you chose" in await two.story()


async def test_a_stop_ends_the_wait_for_an_answer(two: Scene) -> None:
    await two.say("fix it")
    turn = two.begin()
    await asked(two)
    await two.say("stop")
    assert await turn == "stopped"
    assert (await two.state()).questions == ()


async def test_a_message_can_name_the_repository_the_branch_and_the_model(two: Scene) -> None:
    await two.say("fix it repo=docs branch=ann/quick model=opus")
    assert await two.play() == "done"
    (run,) = two.runner.opened
    assert run.spec.model == "opus"
    assert run.texts[0].endswith("<message>\nfix it\n</message>")
    assert "in acme/docs, as you asked" in await two.story()
    assert (await two.record()).branch == "ann/quick"


async def test_without_repositories_the_turn_says_who_can_help(scene: Scene) -> None:
    scene.restart(repositories=())
    await scene.say("fix it")
    assert await scene.play() == "failed"
    assert (await scene.story())[-2:] == [
        "error repo.unknown: No repository is set up here yet."
        " For admins: add a [[repositories]] entry to threadline.toml.",
        "ended failed",
    ]


async def test_the_team_of_a_delegated_issue_decides_the_repository(two: Scene) -> None:
    two.tracker.issues = {"i1": replace(ISSUE, team="DOC")}
    await two.delegate()
    assert await two.play() == "done"
    assert "in acme/docs, because team DOC maps to it" in await two.story()


async def test_the_team_of_a_named_issue_decides_the_repository(two: Scene) -> None:
    two.tracker.meant = replace(ISSUE, identifier="DOC-3", team="DOC")
    await two.say("work on DOC-3")
    assert await two.play() == "done"
    assert "in acme/docs, because team DOC maps to it" in await two.story()


# Which issue.


async def test_the_issue_that_is_meant_is_not_created_again(scene: Scene) -> None:
    scene.tracker.meant = replace(ISSUE, identifier="ENG-98", title="Known")
    await scene.say("fix ENG-98")
    await scene.play()
    assert scene.tracker.issues == {}
    assert "issue ENG-98 Known" in await scene.story()
    assert scene.tracker.sessions == [("ENG-98", "https://slack.test/100.1")]


async def test_the_issue_is_composed_from_the_thread_and_created_in_the_repositorys_team(
    scene: Scene,
) -> None:
    scene.reader.said = [ThreadMessage("Bob", f"The key is {SECRET}", "99.1")]
    await scene.say("search is broken, fix it")
    await scene.play()
    assert scene.tracker.teams == ["ENG"]
    assert scene.tracker.descriptions == [
        "search is broken, fix it\n\n### Said before\n\n> **Bob**: The key is [redacted]\n\n"
        "*From [a Slack thread](https://slack.test/100.1), by Ann*"
    ]


# Linear in trouble.


@pytest.mark.parametrize(
    ("error", "line", "again"),
    [
        (
            TryLater("timeout", maybe_done=True),
            "blocked linear.down: Linear does not answer; I keep this and catch up there.",
            True,
        ),
        (
            TryLater("no route", maybe_done=False),
            "blocked linear.down: Linear does not answer; I keep this and catch up there.",
            False,
        ),
        (
            Throttled("slow down", retry_after_s=0.0),
            "blocked linear.quota: Linear is throttling us; updates there are slower.",
            False,
        ),
        (
            TargetGone("revoked", code=Blocker.LINEAR_REVOKED),
            "blocked linear.revoked: Linear access was revoked; I keep this and catch up when it is back.",
            False,
        ),
    ],
    ids=["maybe done", "not done", "throttled", "revoked"],
)
async def test_a_session_is_opened_once_linear_is_back(
    error: DeliveryError, line: str, again: bool, scene: Scene
) -> None:
    scene.tracker.session_errors = [error, error]
    await scene.say("fix it")
    assert await scene.play() == "done"
    story = await scene.story()
    code = line.split()[1].rstrip(":")
    assert (story.count(line), story.count(f"clear {code}")) == (1, 1)
    assert story.index(line) < story.index(f"clear {code}") < story.index("clear queued")
    assert scene.tracker.again == [False, again, again]
    assert len(scene.tracker.sessions) == 1


async def test_one_trouble_after_the_other_leaves_none_in_the_way(scene: Scene) -> None:
    scene.tracker.errors = [TryLater("away"), Throttled("slow down", retry_after_s=0.0), TryLater("away")]
    await scene.say("fix it")
    assert await scene.play() == "done"
    assert [line.split(":")[0] for line in await scene.story() if line.startswith(("blocked", "clear"))] == [
        "blocked linear.down",
        "clear linear.down",
        "blocked linear.quota",
        "clear linear.quota",
        "blocked linear.down",
        "clear linear.down",
        "clear queued",
    ]


async def test_linear_can_be_waited_for_no_longer(scene: Scene) -> None:
    scene.restart(limits=Limits(retries_s=(30.0,)))
    scene.tracker.errors = [TryLater("away")]
    await scene.say("fix it")
    turn = scene.begin()
    await scene.until_told("blocked linear.down")
    await scene.press_stop()
    assert await turn == "stopped"
    assert (await scene.story())[-3:] == [
        "clear linear.down",
        "response: Stopped by Bob. Nothing was changed.",
        "ended stopped",
    ]


async def test_what_linear_refuses_ends_the_turn_with_its_reason(scene: Scene) -> None:
    scene.tracker.errors = [Refused("there is no team XYZ")]
    await scene.say("fix it")
    assert await scene.play() == "failed"
    assert (await scene.story())[-2:] == [
        "error linear.refused: Linear refused this: there is no team XYZ."
        " For admins: see the log of the service.",
        "ended failed",
    ]


async def test_after_a_refused_session_nobody_waits_for_its_echo(scene: Scene) -> None:
    scene.tracker.session_errors = [Refused("agents are switched off")]
    await scene.say("fix it")
    assert await scene.play() == "failed"
    assert (await scene.record()).linear_pending_at is None
    await scene.delegate(issue=(await scene.record()).issue_id)
    assert scene.queued[-1][0] != scene.session


async def test_a_crash_while_linear_was_asked_looks_for_the_session_first(scene: Scene) -> None:
    scene.restart(limits=Limits(retries_s=(30.0,)))
    scene.tracker.session_errors = [TryLater("away")]
    await scene.say("fix it")
    turn = scene.begin()
    await scene.until_told("blocked linear.down")
    await scene.service.halt()
    await asyncio.gather(turn, return_exceptions=True)
    scene.restart()
    assert await scene.play() == "done"
    assert scene.tracker.again == [False, True]


async def test_the_echo_of_our_own_call_saves_the_next_attempt(scene: Scene) -> None:
    scene.restart(limits=Limits(retries_s=(30.0,)))
    scene.tracker.session_errors = [TryLater("timeout", maybe_done=True)]
    await scene.say("fix it")
    turn = scene.begin()
    await scene.until_told("blocked linear.down")
    await scene.delegate(issue=(await scene.record()).issue_id)
    await scene.service.halt()
    await asyncio.gather(turn, return_exceptions=True)
    scene.restart()
    assert await scene.play() == "done"
    assert (scene.tracker.sessions, (await scene.record()).linear_session_id) == ([], "as0")


# A place, and a clone.


async def nobody(_: int) -> None:
    pass


async def test_a_turn_waits_for_its_place_and_says_so(scene: Scene) -> None:
    scene.restart(admission=Admission(1))
    scene.runner.lives = [waiting_for_ever]
    await scene.say("fix it")
    async with scene.crew.admission.place(nobody):
        turn = scene.begin()
        await scene.until_told("blocked queued: Queued: 1 ahead.")
        assert scene.runner.opened == []
    run = await scene.runner.run()
    await run.until_prompts()
    run.succeed()
    assert await turn == "done"
    assert "clear queued" in await scene.story()
    assert await scene.fates() == ["100.1 seen", "100.1 queued", "100.1 delivered", "100.1 done"]


async def test_a_place_comes_free_when_the_turn_ends(scene: Scene) -> None:
    scene.restart(admission=Admission(1))
    await scene.say("fix it")
    await scene.play()
    async with asyncio.timeout(10), scene.crew.admission.place(nobody):
        pass


async def test_a_clone_that_fails_is_named_without_secrets(scene: Scene, shop: Repository) -> None:
    scene.restart(repositories=[replace(shop, url=f"/no/such/{SECRET}/shop.git")])
    await scene.say("fix it")
    assert await scene.play() == "failed"
    assert (await scene.story())[-2:] == [
        "error repo.unreachable: I cannot clone acme/shop:"
        " `repository '/no/such/[redacted]/shop.git' does not exist` (git)."
        " For admins: check the repository's address in threadline.toml and its access.",
        "ended failed",
    ]


async def test_a_turn_that_failed_in_between_can_be_tried_again(scene: Scene, shop: Repository) -> None:
    scene.restart(repositories=[replace(shop, url="/no/such/shop.git")])
    await scene.say("fix it")
    await scene.play()
    scene.restart(repositories=[shop])
    await scene.say("retry")
    assert await scene.play(2) == "done"
    assert (len(scene.tracker.issues), len(scene.tracker.sessions)) == (1, 1)
