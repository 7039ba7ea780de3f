"""The talk with the agent: its questions, its deaths, its silence, and its last word."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from core.activities import Blocker, Option
from core.errors import AgentError
from core.events import (
    AgentAsked,
    AgentDied,
    AgentThought,
    AgentWaits,
    RunFailed,
    RunInterrupted,
    RunSucceeded,
    ThreadMessage,
    ToolStarted,
)
from core.ids import ElicitationId, EntryKey
from core.turn.desk import Limits
from tests.core.turn.fakes import (
    BOB,
    EVE,
    SECRET,
    FakeRun,
    Scene,
    answering,
    doing,
    waiting_for_ever,
)

QUESTION = ElicitationId("q1")
WHICH = AgentAsked(QUESTION, "question", "Which wins?", (Option("1", "Archived"), Option("2", "Hidden")))
PLAN = AgentAsked(QUESTION, "plan", "1. Fix it", (Option("approve", "Approve"), Option("change", "Change")))


async def ask(run: FakeRun) -> None:
    """Asks one question, and answers when it is answered."""
    await run.until_prompts()
    run.emit(WHICH)
    await run.until(lambda: bool(run.answers))
    run.succeed(f"As you wish: {run.answers[0][1]}.")


async def die(run: FakeRun) -> None:
    await run.until_prompts()
    run.emit(AgentDied("segmentation fault"))


@pytest.mark.parametrize(
    ("said", "shown", "heard"),
    [("2", "Hidden", "2"), ("archived", "Archived", "1"), ("Neither.", "Neither.", "Neither.")],
)
async def test_people_answer_the_agent_in_words(said: str, shown: str, heard: str, scene: Scene) -> None:
    scene.runner.lives = [ask]
    await scene.say("fix it")
    turn = scene.begin()
    await scene.until_told("question: Which wins?")
    await scene.say(said, by=BOB)
    assert await turn == "done"
    assert scene.runner.opened[0].answers == [(QUESTION, heard)]
    assert f"answered by Bob: {shown}" in await scene.story()
    assert len(scene.runner.opened[0].prompts) == 1


async def test_people_answer_the_agent_with_a_button(scene: Scene) -> None:
    async def plan(run: FakeRun) -> None:
        await run.until_prompts()
        run.emit(PLAN)
        await run.until(lambda: bool(run.answers))
        run.succeed()

    scene.runner.lives = [plan]
    await scene.say("fix it")
    turn = scene.begin()
    await scene.until_told("question: 1. Fix it")
    await scene.choose(QUESTION, "approve", by=EVE)
    assert await turn == "done"
    assert scene.runner.opened[0].answers == [(QUESTION, "approve")]
    assert "answered by Eve: Approve" in await scene.story()


async def test_who_answers_second_tells_the_agent_something_new(scene: Scene) -> None:
    async def listen(run: FakeRun) -> None:
        await run.until_prompts()
        run.emit(WHICH)
        await run.until_prompts(2)
        run.succeed()

    scene.runner.lives = [listen]
    await scene.say("fix it")
    turn = scene.begin()
    await scene.until_told("question: Which wins?")
    await scene.choose(QUESTION, "1", by=BOB)
    await scene.choose(QUESTION, "2", by=EVE)
    assert await turn == "done"
    (run,) = scene.runner.opened
    assert run.answers == [(QUESTION, "1")]
    assert run.texts[1].startswith("Eve in Linear:")
    assert len([line for line in await scene.story() if line.startswith("answered")]) == 1


async def test_an_answer_from_before_a_restart_is_given_to_the_agent_that_asks_again(scene: Scene) -> None:
    async def answered_and_killed(run: FakeRun) -> None:
        await run.until_prompts()
        run.emit(WHICH)

    scene.runner.lives = [answered_and_killed, ask]
    await scene.say("fix it")
    turn = scene.begin()
    await scene.until_told("question: Which wins?")
    await scene.choose(QUESTION, "2")
    await scene.until_told("answered by Bob: Hidden")
    await scene.service.halt()
    await asyncio.gather(turn, return_exceptions=True)
    scene.restart()
    assert await scene.play() == "done"
    assert scene.runner.opened[1].answers == [(QUESTION, "2")]
    assert (await scene.story()).count("question: Which wins?") == 1


async def ask_and_die(run: FakeRun) -> None:
    await run.until_prompts()
    run.emit(WHICH, AgentDied("killed"))


async def test_what_a_dead_agent_asked_is_answered_to_the_next_one(scene: Scene) -> None:
    async def listen(run: FakeRun) -> None:
        await run.until_prompts(2)
        run.succeed()

    scene.runner.lives = [ask_and_die, listen]
    await scene.say("fix it")
    turn = scene.begin()
    await scene.until_told("question: Which wins?")
    await scene.say("leave ranking alone")
    assert await turn == "done"
    first, second = scene.runner.opened
    assert "The answer of Ann: leave ranking alone" in second.texts[1]
    assert (bool(first.spec.given), second.spec.given) == (False, frozenset())
    story = await scene.story()
    assert [line for line in story if line.startswith(("question", "answered"))] == [
        "question: Which wins?",
        "answered by Ann: leave ranking alone",
    ]


async def test_time_that_people_take_is_not_the_turns(scene: Scene) -> None:
    scene.restart(limits=Limits(turn_timeout_s=60))
    scene.runner.lives = [ask]
    await scene.say("fix it")
    turn = scene.begin()
    await scene.until_told("question: Which wins?")
    scene.clock.time += 86_400
    await scene.say("1")
    assert await turn == "done"


async def test_what_an_agent_asked_and_was_told_is_not_asked_again(scene: Scene) -> None:
    async def ask_again(run: FakeRun) -> None:
        await run.until_prompts(2)
        run.emit(replace(WHICH, question=ElicitationId("again")))
        await run.until(lambda: bool(run.answers))
        run.succeed()

    scene.runner.lives = [ask_and_die, ask_again]
    await scene.say("fix it")
    turn = scene.begin()
    await scene.until_told("question: Which wins?")
    await scene.say("2 model=tiny")
    assert await turn == "done"
    assert len([line for line in await scene.story() if line.startswith("question")]) == 1
    assert scene.runner.opened[1].spec.model is None


async def test_a_stop_ends_the_wait_for_an_answer_to_a_dead_agent(scene: Scene) -> None:
    scene.runner.lives = [ask_and_die]
    await scene.say("fix it")
    turn = scene.begin()
    await scene.until_told("question: Which wins?")
    await scene.say("stop")
    assert await turn == "stopped"
    assert len(scene.runner.opened) == 1


async def test_a_question_may_take_as_long_as_people_like(scene: Scene) -> None:
    scene.restart(limits=Limits(silence_timeout_s=0.05))
    scene.runner.lives = [ask]
    await scene.say("fix it")
    turn = scene.begin()
    await scene.until_told("question: Which wins?")
    run = await scene.runner.run()
    done, _ = await asyncio.wait({turn}, timeout=0.2)
    assert (done, len(scene.runner.opened), run.is_closed) == (set(), 1, False)
    await scene.say("1")
    assert await turn == "done"


# Deaths.


async def test_an_agent_that_died_is_resumed_where_it_was(scene: Scene) -> None:
    scene.runner.lives = [die]
    await scene.say("fix it")
    assert await scene.play() == "done"
    first, second = scene.runner.opened
    assert first.spec.agent_session == second.spec.agent_session
    assert (second.spec.resume, first.prompts) == (True, second.prompts)
    assert (await scene.story())[-4:] == [
        "blocked agent.crashed: The agent crashed; restarting it from where it was.",
        "clear agent.crashed",
        "response: Fixed.\n\nBranch `ann/eng-1` · no changes",
        "ended done",
    ]


async def test_an_agent_that_dies_three_times_is_given_up(scene: Scene) -> None:
    scene.runner.lives = [die, die, die]
    await scene.say("fix it")
    assert await scene.play() == "failed"
    assert len(scene.runner.opened) == 3
    assert (await scene.story())[-3:] == [
        "clear agent.crashed",
        "error agent.crashed: The agent crashed 3 times in a row: segmentation fault."
        " Say retry to try again.",
        "ended failed",
    ]


async def test_an_agent_that_dies_of_a_stop_is_not_resumed(scene: Scene) -> None:
    async def die_of_it(run: FakeRun) -> None:
        await run.until(lambda: run.interrupts > 0)
        run.emit(AgentDied())

    scene.runner.lives = [die_of_it]
    await scene.say("fix it")
    turn = scene.begin()
    await (await scene.runner.run()).until_prompts()
    await scene.press_stop()
    assert await turn == "stopped"
    assert len(scene.runner.opened) == 1


async def test_an_agent_that_cannot_start_is_named(scene: Scene) -> None:
    scene.runner.errors = [AgentError(f"bad key {SECRET}", code=Blocker.MODEL_KEY)]
    await scene.say("fix it")
    assert await scene.play() == "failed"
    assert (await scene.story())[-2:] == [
        "error model.key: bad key [redacted] For admins: check THREADLINE_CLAUDE__API_KEY.",
        "ended failed",
    ]


@pytest.mark.parametrize(
    ("code", "text", "line"),
    [
        (
            Blocker.MODEL_KEY,
            "The model refused our key.",
            "error model.key: The model refused our key. For admins: check THREADLINE_CLAUDE__API_KEY.",
        ),
        (Blocker.MODEL_BUSY, f"Overloaded {SECRET}.", "error model.busy: Overloaded [redacted]."),
    ],
)
async def test_a_failure_of_the_run_is_the_end_of_the_turn(
    code: Blocker, text: str, line: str, scene: Scene
) -> None:
    scene.runner.lives = [doing(RunFailed(code, text, cost_usd=0.1), answer=None)]
    await scene.say("fix it")
    assert await scene.play() == "failed"
    assert (await scene.story())[-2:] == [line, "ended failed"]
    assert (await scene.record()).cost_usd == 0.1


async def test_an_agent_that_gives_up_by_itself_has_failed(scene: Scene) -> None:
    scene.runner.lives = [doing(RunInterrupted(), answer=None)]
    await scene.say("fix it")
    assert await scene.play() == "failed"
    assert (await scene.story())[-2] == "error agent.failed: The agent stopped before it was done."


# Patience.


async def test_a_silent_agent_is_restarted_and_then_given_up(scene: Scene) -> None:
    scene.restart(limits=Limits(silence_timeout_s=0.02))
    scene.runner.lives = [waiting_for_ever, waiting_for_ever, waiting_for_ever]
    await scene.say("fix it")
    assert await scene.play() == "failed"
    assert len(scene.runner.opened) == 3
    assert (await scene.story())[-4:] == [
        "blocked agent.silent: No sign of life for a while; restarting it from where it was.",
        "clear agent.silent",
        "error agent.silent: The agent gave no sign of life 3 times in a row.",
        "ended failed",
    ]


async def test_a_silent_agent_may_come_back_to_life(scene: Scene) -> None:
    scene.restart(limits=Limits(silence_timeout_s=0.3))
    scene.runner.lives = [waiting_for_ever, answering]
    await scene.say("fix it")
    assert await scene.play() == "done"
    assert [line for line in await scene.story() if "agent." in line] == [
        "blocked agent.silent: No sign of life for a while; restarting it from where it was.",
        "clear agent.silent",
    ]


async def test_a_turn_that_takes_too_long_is_ended_and_keeps_its_work(scene: Scene) -> None:
    async def work_for_ever(run: FakeRun) -> None:
        await run.until_prompts()
        (Path(run.spec.workspace) / "search.py").write_text("unfinished\n")
        scene.clock.time += 7201
        run.emit(AgentThought(EntryKey("a"), "Still at it"))

    scene.runner.lives = [work_for_ever]
    await scene.say("fix it")
    assert await scene.play() == "failed"
    assert (await scene.story())[-2:] == [
        "error run.timeout: Stopped after 120 min as configured; the branch keeps the work."
        " Say continue to go on.",
        "ended failed",
    ]


async def test_a_slow_model_is_in_the_way_until_it_answers(scene: Scene) -> None:
    busy = AgentWaits(Blocker.MODEL_BUSY, "The model is overloaded.")
    again = AgentWaits(Blocker.MODEL_BUSY, "The model is overloaded; trying again until 10:20.")
    thought = AgentThought(EntryKey("a"), "Back")
    scene.runner.lives = [doing(busy, busy, again, thought, busy, answer=None)]
    await scene.say("fix it")
    turn = scene.begin()
    run = await scene.runner.run()
    await scene.until_told("blocked model.busy: The model is overloaded.", times=2)
    run.succeed()
    assert await turn == "done"
    assert [line for line in await scene.story() if "model.busy" in line or "Back" in line] == [
        "blocked model.busy: The model is overloaded.",
        "blocked model.busy: The model is overloaded; trying again until 10:20.",
        "clear model.busy",
        "thought: Back (passing)",
        "blocked model.busy: The model is overloaded.",
        "clear model.busy",
    ]


# The last word.


async def test_an_answer_that_does_not_know_the_follow_up_is_not_the_last_word(scene: Scene) -> None:
    async def race(run: FakeRun) -> None:
        await run.until_prompts()
        first = RunSucceeded("The first part is done.", (run.prompts[0][0],))
        await run.until_prompts(2)
        run.emit(first)
        run.succeed("All of it is done.")

    scene.runner.lives = [race]
    await scene.say("fix it")
    turn = scene.begin()
    await (await scene.runner.run()).until_prompts()
    await scene.say("and add a test")
    assert await turn == "done"
    assert (await scene.story())[-3:] == [
        "thought: The first part is done.",
        "response: All of it is done.\n\nBranch `ann/eng-1` · no changes",
        "ended done",
    ]


async def test_the_same_fact_is_told_once_however_often_the_agent_tells_it(scene: Scene) -> None:
    once = ToolStarted(EntryKey("a"), "Running", "pytest")
    scene.runner.lives = [doing(once, AgentDied(), answer=None), doing(once)]
    await scene.say("fix it")
    assert await scene.play() == "done"
    assert (await scene.story()).count("Running pytest") == 1


async def test_an_agent_that_goes_on_by_itself_is_not_told_again(scene: Scene) -> None:
    scene.runner.lives = [die, waiting_for_ever]
    await scene.say("fix it")
    turn = scene.begin()
    first = await scene.runner.run()
    await first.until_prompts()
    scene.runner.known_prompts = frozenset(uuid for uuid, _ in first.prompts)
    second = await scene.runner.run(2)
    await scene.say("and add a test")
    await second.until_prompts()
    assert "and add a test" in second.texts[0]
    assert "fix it" not in second.texts[0]
    second.succeed()
    assert await turn == "done"


async def test_work_that_cannot_be_committed_is_said(scene: Scene) -> None:
    async def break_it(run: FakeRun) -> None:
        await run.until_prompts()
        host = Path(run.spec.workspace).parent / "host.git"
        (host / "HEAD").unlink()
        run.succeed()

    scene.runner.lives = [break_it]
    await scene.say("fix it")
    assert await scene.play() == "done"
    assert "not committed: `" in (await scene.story())[-2]


async def test_a_later_turn_is_not_told_the_issue_and_the_thread_again(scene: Scene) -> None:
    scene.reader.said = [ThreadMessage("Bob", "Search is broken since Tuesday", "99.1")]
    await scene.say("search is broken, fix it")
    await scene.play()
    await scene.say("now document it")
    await scene.play(2)
    assert "since Tuesday" in scene.runner.opened[0].texts[0]
    assert scene.runner.opened[1].texts == ["Ann in Slack:\n<message>\nnow document it\n</message>"]
