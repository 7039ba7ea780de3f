"""Words that are for us: answered where they were said, and never given to the agent."""

import asyncio

from core.activities import Author, Notice
from core.ids import SessionId, ThreadRef
from core.intake import command_in
from core.reports import HELP, UNHEARD, Shown
from tests.core.turn.fakes import BOB, THREAD, FakeRun, Scene, waiting_for_ever


async def notices(scene: Scene) -> list[Notice]:
    return [one.entry for one in await scene.log() if isinstance(one.entry, Notice)]


async def while_it_works(scene: Scene, word: str, *, until: str) -> FakeRun:
    """A turn at work, to which Bob says this word; its agent, once the word's message shows `until`."""
    scene.runner.lives = [waiting_for_ever]
    await scene.say("search is broken, fix it")
    turn = scene.begin()
    run = await scene.runner.run()
    await run.until_prompts()
    await scene.say(word, by=BOB)
    async with asyncio.timeout(10):
        while f"100.2 {until}" not in await scene.fates():
            await scene.stirred.wait()
            scene.stirred.clear()
    run.succeed("Done.")
    await turn
    return run


async def test_status_is_answered_while_the_agent_works(scene: Scene) -> None:
    run = await while_it_works(scene, "status", until="done")
    assert [one.body for one in await notices(scene)] == ["ENG-1 · Starting · 0 s."]
    assert len(run.texts) == 1


async def test_why_names_what_was_mirrored(scene: Scene) -> None:
    async def progress(_: SessionId) -> list[Shown]:
        return [Shown("linear", 3, 4)]

    scene.restart(progress=progress)
    await while_it_works(scene, "why?", until="done")
    [answer] = await notices(scene)
    assert "Accepted from Slack, Ann" in answer.body
    assert "Mirrored: Linear 3 of 4" in answer.body


async def test_aside_is_not_for_the_agent_and_leaves_no_mark(scene: Scene) -> None:
    run = await while_it_works(scene, "aside: Ann, is this yours?", until="withdrawn")
    assert len(run.texts) == 1
    assert await notices(scene) == []


async def test_help_between_turns_starts_none(scene: Scene) -> None:
    await scene.say("help")
    assert await scene.play() == "absorbed"
    assert await notices(scene) == [Notice(body=HELP, surface="slack")]
    assert await scene.fates() == ["100.1 seen", "100.1 done"]


async def test_help_in_teams_says_what_to_do_where_we_cannot_read_along(scene: Scene) -> None:
    await scene.say("help", by=Author("teams", "t/29:tia", "Tia"))
    assert await scene.play() == "absorbed"
    assert await notices(scene) == [Notice(body=HELP + UNHEARD, surface="teams")]


async def test_command_beside_a_request_is_answered_and_the_request_runs(scene: Scene) -> None:
    await scene.say("help")
    await scene.say("search is broken, fix it")
    assert await scene.play() == "done"
    assert [one.body for one in await notices(scene)] == [HELP]
    assert "help" not in scene.runner.opened[0].texts[0]


async def test_following_an_issue_nobody_works_on_says_so(scene: Scene) -> None:
    await scene.say("follow ENG-7")
    await scene.play()
    assert [one.body for one in await notices(scene)] == [
        "I have no session on ENG-7. Mention me with what to do there."
    ]


async def test_thread_that_follows_reaches_the_session_it_follows(scene: Scene) -> None:
    await scene.say("search is broken, fix it")
    await scene.play()
    other = ThreadRef("slack", "T1", "C2", "200.1")
    assert await scene.store.follow(other, "ENG-1") == scene.session
    bound = await scene.store.load(scene.session)
    assert bound.thread == THREAD


async def test_new_gives_the_thread_another_session(scene: Scene) -> None:
    await scene.say("search is broken, fix it")
    await scene.play()
    first = scene.session
    scene.restart(enqueue=scene._enqueue)
    await scene.say("new: make the export faster")
    await scene.play(2)
    session, _ = scene.queued[2]
    assert session != first
    [waiting] = await scene.store.waiting(session)
    assert command_in(waiting.incoming) is None
    assert waiting.incoming.key == "m2/new"
