"""A turn as people see it: claimed, listened to while it runs, closed once."""

import asyncio
from dataclasses import replace
from pathlib import Path

from core.activities import Author, PlanStep, StepStatus
from core.admission import Admission
from core.events import (
    AgentThought,
    PlanChanged,
    PromptTaken,
    RunInterrupted,
    ThreadMessage,
    ToolFinished,
    ToolStarted,
)
from core.ids import EntryKey, TurnId
from core.session import Given, TurnOpened
from tests.core.turn.fakes import (
    ANN,
    BOB,
    EVE,
    ISSUE,
    SECRET,
    FakeRun,
    Scene,
    answering,
    doing,
    waiting_for_ever,
)

PREPARED = ["issue ENG-1 Search is broken", "in acme/shop, the only one there is", "clear queued"]


def edit_a_file(run: FakeRun) -> None:
    (Path(run.spec.workspace) / "search.py").write_text("def search():\n    return [1]\n")


async def test_a_whole_turn_is_told_in_order(scene: Scene) -> None:
    async def work(run: FakeRun) -> None:
        await run.until_prompts()
        run.emit(
            PromptTaken(run.prompts[0][0]),
            AgentThought(EntryKey("a"), "Looking around"),
            PlanChanged(EntryKey("b"), (PlanStep("Reproduce", StepStatus.IN_PROGRESS),)),
            ToolStarted(EntryKey("c"), "Running", "pytest"),
            ToolFinished(EntryKey("d"), "Ran", "pytest", "1 failed"),
            AgentThought(EntryKey("e"), "Found it.", lasting=True),
        )
        edit_a_file(run)
        run.succeed("Fixed the search.")

    scene.runner.lives = [work]
    scene.reader.said = [ThreadMessage("Bob", "Search is broken since Tuesday", "99.1")]
    await scene.say("search is broken, fix it")
    assert await scene.play() == "done"
    assert await scene.story() == [
        "started by Ann",
        "Ann: search is broken, fix it",
        *PREPARED,
        "thought: Looking around (passing)",
        "plan: Reproduce",
        "Running pytest",
        "Ran pytest -> 1 failed",
        "thought: Found it.",
        "response: Fixed the search.\n\nBranch `ann/eng-1` · 1 file +1 −1",
        "ended done",
    ]
    assert await scene.fates() == ["100.1 seen", "100.1 delivered", "100.1 done"]
    assert scene.runner.opened[0].texts == [
        "Work on Linear issue ENG-1.\n\n<issue>\nSearch is broken\n</issue>\n\n"
        "<thread>\nBob: Search is broken since Tuesday\n</thread>\n\n"
        "Ann in Slack:\n<message>\nsearch is broken, fix it\n</message>"
    ]
    record = await scene.record()
    assert (record.linear_session_id, record.cost_usd, record.session.turn) == ("as1", 0.25, None)
    assert scene.tracker.sessions == [("ENG-1", "https://slack.test/100.1")]
    assert scene.runner.opened[0].is_closed


async def test_quick_messages_are_one_prompt_and_their_turns_are_absorbed(scene: Scene) -> None:
    await scene.say("search is broken, fix it")
    await scene.say("and add a test", by=BOB)
    assert [await scene.play(1), await scene.play(2)] == ["done", "absorbed"]
    (run,) = scene.runner.opened
    (text,) = run.texts
    assert text.endswith(
        "Ann in Slack:\n<message>\nsearch is broken, fix it\n</message>\n\n"
        "Bob in Slack:\n<message>\nand add a test\n</message>"
    )
    assert (await scene.fates())[-2:] == ["100.1 done", "100.2 done"]


async def test_a_follow_up_is_steered_into_the_running_agent(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    await scene.say("search is broken, fix it")
    turn = scene.begin()
    run = await scene.runner.run()
    await run.until_prompts()
    await scene.say("leave ranking alone", by=BOB)
    await run.until_prompts(2)
    run.succeed("Both done.")
    assert await turn == "done"
    assert run.texts[1] == "Bob in Slack:\n<message>\nleave ranking alone\n</message>"
    assert "Bob: leave ranking alone" in await scene.story()
    assert [one for one in await scene.fates() if one.startswith("100.2")] == [
        "100.2 seen",
        "100.2 delivered",
        "100.2 done",
    ]
    assert await scene.play(2) == "absorbed"


async def test_what_is_said_while_things_are_prepared_is_in_the_first_prompt(scene: Scene) -> None:
    scene.restart(admission=Admission(1))
    async with scene.crew.admission.place(_nobody):
        await scene.say("search is broken, fix it")
        turn = scene.begin()
        await scene.until_told("blocked queued")
        await scene.say("and add a test")
        await scene.until_told("Ann: and add a test")
    assert await turn == "done"
    (run,) = scene.runner.opened
    assert len(run.texts) == 1
    assert "and add a test" in run.texts[0]


async def _nobody(_: int) -> None:
    pass


async def test_a_message_can_be_edited_and_taken_back_while_it_waits(scene: Scene) -> None:
    first = await scene.say("serch is broken")
    second = await scene.say("and rewrite it in Rust")
    await scene.edit(first, "search is broken, fix it")
    await scene.delete(second)
    assert await scene.play() == "done"
    assert [line for line in await scene.story() if line.startswith("Ann:")] == [
        "Ann: search is broken, fix it"
    ]
    assert await scene.store.waiting(scene.session) == []


async def test_everything_taken_back_leaves_nothing_to_do(scene: Scene) -> None:
    await scene.delete(await scene.say("oops"))
    assert await scene.play() == "absorbed"
    assert await scene.story() == []
    assert await scene.store.waiting(scene.session) == []


async def test_an_edit_of_what_the_agent_has_is_steered_as_a_correction(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    message = await scene.say("fix serch")
    turn = scene.begin()
    run = await scene.runner.run()
    await run.until_prompts()
    await scene.edit(message, "fix search")
    await run.until_prompts(2)
    assert "Correction of my earlier message, it now reads: fix search" in run.texts[1]
    run.succeed()
    assert await turn == "done"


async def test_a_deletion_of_what_the_agent_has_changes_nothing(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    message = await scene.say("fix search")
    turn = scene.begin()
    run = await scene.runner.run()
    await run.until_prompts()
    await scene.delete(message)
    await scene.say("more")
    await run.until_prompts(2)
    run.succeed()
    assert await turn == "done"
    assert await scene.store.waiting(scene.session) == []


# Stops.


async def interruptible(run: FakeRun) -> None:
    await run.until(lambda: run.interrupts > 0)
    run.emit(AgentThought(EntryKey("late"), "Too late"), RunInterrupted(cost_usd=0.5))


async def test_a_stop_interrupts_the_agent_and_says_what_is_left(scene: Scene) -> None:
    scene.runner.lives = [interruptible]
    await scene.say("search is broken, fix it")
    turn = scene.begin()
    run = await scene.runner.run()
    await run.until_prompts()
    edit_a_file(run)
    await scene.say("stop", by=BOB)
    assert await turn == "stopped"
    assert (await scene.story())[-3:] == [
        "clear queued",
        "response: Stopped by Bob. The work so far is on branch `ann/eng-1` · 1 file +1 −1.",
        "ended stopped",
    ]
    assert (await scene.fates())[-1] == "100.1 done"
    assert "100.2 done" in await scene.fates()
    assert (await scene.record()).cost_usd == 0.5
    assert run.interrupts == 1
    assert await scene.play(2) == "absorbed"


async def test_an_agent_that_does_not_stop_by_itself_is_closed(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    await scene.say("fix it")
    turn = scene.begin()
    run = await scene.runner.run()
    await run.until_prompts()
    await scene.press_stop()
    assert await turn == "stopped"
    assert (run.interrupts, run.is_closed) == (1, True)
    assert (await scene.story())[-2:] == ["response: Stopped by Bob. Nothing was changed.", "ended stopped"]


async def test_stopping_twice_stops_once(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    await scene.say("fix it")
    turn = scene.begin()
    run = await scene.runner.run()
    await run.until_prompts()
    await asyncio.gather(scene.press_stop(by=BOB), scene.say("stop", by=ANN))
    assert await turn == "stopped"
    assert [line for line in await scene.story() if line.startswith(("response", "error"))] == [
        line for line in await scene.story() if line.startswith("response: Stopped by")
    ]
    assert (await scene.story()).count("ended stopped") == 1
    assert [await scene.play(2), await scene.play(3)] == ["absorbed", "absorbed"]


async def test_a_stop_before_there_is_an_agent_ends_the_turn_without_one(scene: Scene) -> None:
    scene.restart(admission=Admission(1))
    async with scene.crew.admission.place(_nobody):
        await scene.say("fix it")
        turn = scene.begin()
        await scene.until_told("blocked queued")
        await scene.press_stop()
        assert await turn == "stopped"
    assert (await scene.story())[-4:] == [
        "blocked queued: Queued: 1 ahead.",
        "clear queued",
        "response: Stopped by Bob. Nothing was changed.",
        "ended stopped",
    ]
    assert scene.runner.opened == []


async def test_what_was_called_off_before_its_turn_began_is_closed_at_once(scene: Scene) -> None:
    await scene.say("fix it")
    await scene.say("stop")
    assert [await scene.play(1), await scene.play(2)] == ["stopped", "absorbed"]
    assert await scene.story() == [
        "started by Ann",
        "Ann: fix it",
        "response: Stopped by Ann. Nothing was changed.",
        "ended stopped",
    ]
    assert scene.tracker.sessions == []
    assert {"100.1 done", "100.2 done"} <= set(await scene.fates())


async def test_what_is_asked_after_a_stop_is_not_called_off_with_it(scene: Scene) -> None:
    for text in ("fix it", "stop", "fix that"):
        await scene.say(text)
    assert [await scene.play(n) for n in (1, 2, 3)] == ["stopped", "done", "absorbed"]
    assert scene.runner.opened[0].texts[0].endswith("Ann in Slack:\n<message>\nfix that\n</message>")


async def test_what_is_said_while_stopping_is_the_next_turn(scene: Scene) -> None:
    async def stubborn(run: FakeRun) -> None:
        await run.until(lambda: run.interrupts > 0)
        message = await scene.say("try it another way")
        await scene.edit(message, "try it the other way")
        run.emit(RunInterrupted())

    scene.runner.lives = [stubborn]
    await scene.say("fix it")
    turn = scene.begin()
    run = await scene.runner.run()
    await run.until_prompts()
    await scene.press_stop()
    assert await turn == "stopped"
    assert [await scene.play(n) for n in (2, 3, 4)] == ["done", "absorbed", "absorbed"]
    assert [line for line in await scene.story() if line.startswith(("Ann", "ended"))] == [
        "Ann: fix it",
        "ended stopped",
        "Ann: try it the other way",
        "ended done",
    ]


async def test_a_stop_with_nothing_to_stop_says_so(scene: Scene) -> None:
    await scene.say("stop")
    assert await scene.play() == "absorbed"
    assert await scene.story() == ["notice: Nothing is running here."]
    assert await scene.fates() == ["100.1 seen", "100.1 done"]


# The end.


async def test_what_is_said_when_the_agent_has_just_ended_reaches_it_in_the_same_turn(scene: Scene) -> None:
    async def at_the_last_moment() -> None:
        await scene.say("and add a test")
        await scene.until_told("Ann: and add a test")

    scene.runner.on_close = at_the_last_moment
    await scene.say("fix it")
    assert await scene.play() == "done"
    first, second = scene.runner.opened
    assert ("and add a test" in first.texts[0], "and add a test" in second.texts[-1]) == (False, True)
    assert [line for line in await scene.story() if line.startswith(("response", "ended"))] == [
        "response: Fixed.\n\nBranch `ann/eng-1` · no changes",
        "ended done",
    ]
    assert await scene.play(2) == "absorbed"


async def test_a_second_turn_goes_on_with_issue_workspace_and_agent_of_the_first(scene: Scene) -> None:
    await scene.say("fix it")
    await scene.play(1)
    await scene.say("and the docs")
    assert await scene.play(2) == "done"
    first, second = scene.runner.opened
    assert (first.spec.agent_session, first.spec.workspace, first.spec.home) == (
        second.spec.agent_session,
        second.spec.workspace,
        second.spec.home,
    )
    assert second.texts[-1].endswith("Ann in Slack:\n<message>\nand the docs\n</message>")
    assert (len(scene.tracker.issues), len(scene.tracker.sessions)) == (1, 1)
    assert (await scene.story()).count("ended done") == 2


async def test_a_turn_that_was_given_up_is_closed_by_the_next(scene: Scene) -> None:
    """The engine stops trying after too many crashes; nobody would close what it left open."""
    await scene.say("fix it")
    lost = TurnOpened(turn=TurnId("turn:0"), given=(Given("m0", ANN, "before"),), at=scene.clock())
    await scene.store.apply(scene.session, lost, epoch=None)
    assert await scene.play() == "done"
    assert [line for line in await scene.story() if line.startswith(("error", "ended", "Ann"))] == [
        "Ann: before",
        "error agent.crashed: This turn was restarted 50 times and did not end. Say retry to try again.",
        "ended failed",
        "Ann: fix it",
        "ended done",
    ]


async def test_something_nobody_foresaw_is_one_error_and_the_next_message_works(scene: Scene) -> None:
    scene.runner.errors = [RuntimeError("a bug")]
    await scene.say("fix it")
    assert await scene.play() == "broken"
    await scene.say("again")
    assert await scene.play(2) == "done"
    assert [line for line in await scene.story() if line.startswith(("error", "ended"))] == [
        "error agent.failed: Something broke on our side; the log of the service says what.",
        "ended failed",
        "ended done",
    ]


async def test_a_long_turn_gives_a_sign_of_life_a_minute(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    await scene.say("fix it")
    turn = scene.begin()
    run = await scene.runner.run()
    await run.until_prompts()
    scene.clock.time += 61
    await scene.until_told("beat 60")
    scene.clock.time += 120
    await scene.until_told("beat 180")
    run.succeed()
    assert await turn == "done"
    assert [line for line in await scene.story() if line.startswith("beat")] == ["beat 60", "beat 180"]


async def test_no_secret_is_told(scene: Scene) -> None:
    scene.runner.lives = [doing(ToolStarted(EntryKey("a"), "Running", f"login {SECRET}"), answer=SECRET)]
    await scene.say(f"the password is {SECRET}")
    await scene.play()
    assert SECRET not in "".join([*await scene.story(), *scene.tracker.descriptions])


async def test_people_have_names_where_the_surface_tells_only_ids(scene: Scene) -> None:
    scene.runner.lives = [answering]
    await scene.say("fix it", by=Author("slack", "T1/UANN", "UANN"))
    await scene.play()
    assert (await scene.story())[:2] == ["started by Ann", "Ann: fix it"]


async def test_a_surface_that_does_not_answer_holds_nobody_up(scene: Scene) -> None:
    scene.reader.is_away = True
    await scene.say("fix it", by=Author("slack", "T1/UANN", "UANN"))
    assert await scene.play() == "done"
    assert scene.tracker.sessions == [("ENG-1", None)]


async def test_a_session_from_linear_needs_no_chat(scene: Scene) -> None:
    scene.tracker.issues = {"i1": replace(ISSUE, identifier="ENG-7", title="Search")}
    scene.runner.lives = [waiting_for_ever]
    await scene.delegate()
    turn = scene.begin()
    run = await scene.runner.run()
    await run.until_prompts()
    await scene.say_in_linear("with tests")
    await run.until_prompts(2)
    run.succeed()
    assert await turn == "done"
    assert (await scene.story())[:3] == [
        "started by Eve",
        "Eve: Search",
        "issue ENG-7 Search",
    ]
    assert scene.tracker.sessions == []
    assert EVE.name in run.texts[1]
