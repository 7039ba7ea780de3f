"""A turn that is cut short by a crash, and the attempt that goes on with it."""

import asyncio
from pathlib import Path

import pytest

from core.activities import Blocker
from core.events import AgentThought, AgentWaits, ToolFinished
from core.ids import EntryKey
from tests.core.turn.fakes import FakeRun, Scene, doing, waiting_for_ever

WORKED = ToolFinished(EntryKey("a"), "Ran", "pytest", "1 failed")


async def crash(scene: Scene, turn: "asyncio.Task[str]") -> None:
    """The process is gone; another one takes over."""
    await scene.service.halt()
    await asyncio.gather(turn, return_exceptions=True)
    scene.restart()


async def test_a_turn_goes_on_where_it_was_and_tells_nothing_twice(scene: Scene) -> None:
    scene.runner.lives = [doing(WORKED, answer=None), doing(WORKED, AgentThought(EntryKey("b"), "Back"))]
    await scene.say("fix it")
    turn = scene.begin()
    await scene.until_told("Ran pytest")
    await crash(scene, turn)
    assert await scene.play() == "done"
    first, second = scene.runner.opened
    assert first.is_closed
    assert first.prompts == second.prompts
    assert await scene.story() == [
        "started by Ann",
        "Ann: fix it",
        "issue ENG-1 Work requested in chat",
        "in acme/shop, the only one there is",
        "clear queued",
        "Ran pytest -> 1 failed",
        "blocked restart: I was restarted and continue.",
        "clear queued",
        "thought: Back (passing)",
        "response: Fixed.\n\nBranch `ann/eng-1` · no changes",
        "ended done",
    ]
    assert await scene.fates() == ["100.1 seen", "100.1 delivered", "100.1 done"]
    assert (len(scene.tracker.issues), len(scene.tracker.sessions)) == (1, 1)


async def test_messages_are_joined_for_the_resumed_agent_as_they_were_for_the_first(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    await scene.say("fix it")
    await scene.say("with tests")
    turn = scene.begin()
    run = await scene.runner.run()
    await run.until_prompts()
    await scene.say("and the docs")
    await run.until_prompts(2)
    await crash(scene, turn)
    scene.runner.lives = [waiting_for_ever]
    again = scene.begin()
    second = await scene.runner.run(2)
    await second.until_prompts(2)
    await scene.say("and the changelog")
    await second.until_prompts(3)
    assert [uuid for uuid, _ in second.prompts][:2] == [uuid for uuid, _ in run.prompts]
    second.succeed()
    assert await again == "done"


async def test_the_attempt_that_was_overtaken_ends_without_a_trace(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    await scene.say("fix it")
    overtaken = scene.begin()
    first = await scene.runner.run()
    await first.until_prompts()
    scene.restart()
    assert await scene.play() == "done"
    told = await scene.story()
    first.emit(WORKED)
    assert await overtaken == "fenced"
    assert await scene.story() == told
    assert first.is_closed


async def test_an_attempt_that_ends_after_it_was_overtaken_closes_nothing(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever, waiting_for_ever]
    await scene.say("fix it")
    overtaken = scene.begin()
    first = await scene.runner.run()
    await first.until_prompts()
    scene.restart()
    again = scene.begin()
    second = await scene.runner.run(2)
    await second.until_prompts()
    first.succeed("Mine.")
    assert await overtaken == "fenced"
    second.succeed("Ours.")
    assert await again == "done"
    assert [line for line in await scene.story() if line.startswith("response")] == [
        "response: Ours.\n\nBranch `ann/eng-1` · no changes"
    ]


async def test_a_stop_from_before_a_crash_still_counts(scene: Scene) -> None:
    async def hang(run: FakeRun) -> None:
        await run.until(lambda: run.interrupts > 0)
        crashed.set()
        await asyncio.Event().wait()

    crashed = asyncio.Event()
    scene.runner.lives = [hang]
    await scene.say("fix it")
    turn = scene.begin()
    run = await scene.runner.run()
    await run.until_prompts()
    (Path(run.spec.workspace) / "search.py").write_text("unfinished\n")
    await scene.press_stop()
    await crashed.wait()
    await crash(scene, turn)
    assert await scene.play() == "stopped"
    assert len(scene.runner.opened) == 1
    assert [line for line in await scene.story() if line.startswith(("response", "ended"))] == [
        "response: Stopped by Bob. The work so far is on branch `ann/eng-1` · 1 file +1 −2.",
        "ended stopped",
    ]


async def test_a_turn_that_was_closed_right_before_a_crash_is_not_played_again(scene: Scene) -> None:
    await scene.say("fix it")
    await scene.play()
    told = await scene.story()
    scene.restart()
    assert await scene.play() == "absorbed"
    assert await scene.story() == told


async def test_a_turn_that_ended_leaves_what_waits_to_its_own_turn(scene: Scene) -> None:
    await scene.say("fix it")
    await scene.play()
    await scene.say("more")
    assert await scene.play(1) == "absorbed"
    assert await scene.play(2) == "done"


async def test_what_was_in_the_way_before_a_crash_is_not_in_the_way_after_it(scene: Scene) -> None:
    busy = AgentWaits(Blocker.MODEL_BUSY, "The model is overloaded.")
    scene.runner.lives = [doing(busy, answer=None)]
    await scene.say("fix it")
    turn = scene.begin()
    await scene.until_told("blocked model.busy")
    await crash(scene, turn)
    assert await scene.play() == "done"
    story = await scene.story()
    assert story.index("clear model.busy") < story.index("blocked restart: I was restarted and continue.")


@pytest.mark.parametrize("crashes", [1, 2, 3])
async def test_any_number_of_restarts_leaves_one_story(crashes: int, scene: Scene) -> None:
    scene.runner.lives = [doing(WORKED, answer=None) for _ in range(crashes)]
    await scene.say("fix it")
    for number in range(1, crashes + 1):
        turn = scene.begin()
        await (await scene.runner.run(number)).until_prompts()
        await crash(scene, turn)
    assert await scene.play() == "done"
    lasting = [line for line in await scene.story() if not line.startswith(("blocked", "clear", "Ran"))]
    assert lasting == [
        "started by Ann",
        "Ann: fix it",
        "issue ENG-1 Work requested in chat",
        "in acme/shop, the only one there is",
        "response: Fixed.\n\nBranch `ann/eng-1` · no changes",
        "ended done",
    ]
    keys = [one.key for one in await scene.log()]
    assert len(keys) == len(set(keys))
