"""Sessions that people and automations open in Linear, and issues that are taken away from them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from core.errors import TryLater
from core.events import File, Image, Incoming, StopAsked, UnseenFile
from core.ids import IssueRef
from core.ports import Receipt
from core.turn.desk import Limits
from tests.core.turn.fakes import EVE, ISSUE, PATIENCE_S, Scene, waiting_for_ever

SHOT = Image("shot.png", "image/png", b"pixels")
MOVED = "Eve moved ENG-1 to Done"


async def change_issue(scene: Scene, *, at: float, issue: str = "i1", key: str = "linear/issue/1") -> Receipt:
    """Eve moves the issue to Done at that time."""
    stop = StopAsked(MOVED, at)
    return await scene.service.accept(Incoming(key=key, place=IssueRef(issue), event=stop, author=EVE))


@pytest.fixture
def scene(scene: Scene) -> Scene:
    scene.tracker.issues = {"i1": ISSUE}
    return scene


@pytest.mark.parametrize(
    ("by_person", "delegated", "taken_on"),
    [(True, True, ["i1"]), (True, False, []), (False, True, [])],
    ids=["delegated by a person", "mentioned by a person", "delegated by an automation"],
)
async def test_only_what_a_person_delegates_is_taken_on(
    scene: Scene, by_person: bool, delegated: bool, taken_on: list[str]
) -> None:
    await scene.delegate(by_person=by_person, delegated=delegated)
    assert await scene.play() == "done"
    assert scene.tracker.taken_on == taken_on
    assert "issue ENG-1 Search is broken" in await scene.story()


async def test_a_follow_up_takes_nothing_on_again(scene: Scene) -> None:
    await scene.delegate(by_person=True)
    await scene.play()
    await scene.say_in_linear("with tests")
    assert await scene.play(2) == "done"
    assert scene.tracker.taken_on == ["i1"]


async def test_a_session_without_an_issue_is_answered_each_time_and_nothing_runs(scene: Scene) -> None:
    await scene.delegate(issue=None, text="fix the search")
    assert await scene.play() == "done"
    await scene.say_in_linear("please")
    assert await scene.play(2) == "done"
    answer = "response: I work on issues: mention or delegate me on one."
    assert await scene.story() == [
        "started by Eve",
        "Eve: fix the search",
        answer,
        "ended done",
        "started by Eve",
        "Eve: please",
        answer,
        "ended done",
    ]
    assert scene.runner.opened == []


async def test_what_linear_told_is_in_the_first_prompt_only(scene: Scene) -> None:
    await scene.delegate(by_person=True, text="fix the search")
    await scene.play()
    await scene.say_in_linear("with tests")
    await scene.play(2)
    first, second = (run.texts[0] for run in scene.runner.opened)
    assert first.endswith("Eve in Linear:\n<message>\nfix the search\n</message>")
    assert second.endswith("Eve in Linear:\n<message>\nwith tests\n</message>")


async def test_no_call_to_linear_goes_before_the_first_sign_there(scene: Scene) -> None:
    scene.restart(limits=Limits(first_sign_s=20.0))
    await scene.delegate()
    turn = scene.begin()
    await scene.until_told("Eve: Search")
    assert not await scene.store.is_shown(scene.session, "linear", (await scene.log())[0].key)
    assert (await scene.record()).issue is None
    await scene.show_in_linear()
    assert await turn == "done"


async def test_a_chat_thread_waits_for_no_sign_in_linear(scene: Scene) -> None:
    scene.restart(limits=Limits(first_sign_s=20.0))
    await scene.say("fix it")
    assert await scene.play() == "done"


# What people attach.


@dataclass
class FakeFiles:
    """Finds the same files in all texts; holds them back until `ready`."""

    found: list[File]
    texts: list[str] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, texts: Sequence[str]) -> Sequence[File]:
        self.texts += texts
        self.asked.set()
        await self.ready.wait()
        return self.found


async def test_files_in_linear_reach_the_agent_with_the_words(scene: Scene) -> None:
    files = FakeFiles([SHOT, UnseenFile("a.pdf", "it is too large")])
    files.ready.set()
    scene.restart(files=files)
    await scene.delegate(text="as in the screenshot")
    assert await scene.play() == "done"
    (run,) = scene.runner.opened
    assert run.images == [SHOT]
    assert run.texts[0].endswith(
        "</message>\n\nAttached images, in order: shot.png.\n\n(I could not see a.pdf: it is too large.)"
    )
    assert files.texts[0] == "as in the screenshot"


async def test_what_is_said_in_chat_names_no_files_of_linear(scene: Scene) -> None:
    files = FakeFiles([SHOT])
    scene.restart(files=files)
    await scene.say("fix it")
    assert await scene.play() == "done"
    assert files.texts == []


async def test_nobody_who_asks_to_stop_waits_for_files(scene: Scene) -> None:
    files = FakeFiles([SHOT])
    scene.restart(files=files)
    await scene.delegate()
    turn = scene.begin()
    await files.asked.wait()
    await change_issue(scene, at=scene.clock())
    async with asyncio.timeout(PATIENCE_S):
        assert await turn == "stopped"
    assert scene.runner.opened[0].prompts == []


# What a session opened from chat shows of itself in Linear.


async def test_a_session_from_chat_is_presented_with_its_thread_once(scene: Scene) -> None:
    await scene.say("fix it")
    await scene.play()
    await scene.say("with tests")
    await scene.play(2)
    assert scene.tracker.presented == [("as1", "ENG-2", "https://slack.test/100.1")]


async def test_work_does_not_hang_on_how_a_session_is_presented(scene: Scene) -> None:
    scene.tracker.present_errors = [TryLater("away")]
    await scene.say("fix it")
    assert await scene.play() == "done"


async def test_a_session_from_linear_is_left_as_linear_presents_it(scene: Scene) -> None:
    await scene.delegate()
    await scene.play()
    assert scene.tracker.presented == []


# The issue is moved, removed, or taken away.


async def test_work_on_an_issue_that_is_closed_stops_and_says_why(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    await scene.delegate()
    turn = scene.begin()
    await (await scene.runner.run()).until_prompts()
    assert await change_issue(scene, at=scene.clock()) is Receipt.ACCEPTED
    assert await turn == "stopped"
    assert (await scene.story())[-2:] == [
        f"response: Stopped: {MOVED}. Nothing was changed.",
        "ended stopped",
    ]


async def test_the_work_of_a_chat_thread_on_that_issue_stops_as_well(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    scene.tracker.meant = replace(ISSUE, id="i7")
    await scene.say("fix it")
    turn = scene.begin()
    await (await scene.runner.run()).until_prompts()
    await change_issue(scene, at=scene.clock(), issue="i7")
    assert await turn == "stopped"


async def test_work_that_waits_for_its_turn_is_called_off(scene: Scene) -> None:
    await scene.delegate()
    await change_issue(scene, at=scene.clock())
    assert [await scene.play(1), await scene.play(2)] == ["stopped", "absorbed"]
    assert f"response: Stopped: {MOVED}. Nothing was changed." in await scene.story()
    assert scene.runner.opened == []


async def test_nothing_is_said_where_nothing_runs(scene: Scene) -> None:
    await scene.delegate()
    await scene.play()
    told = await scene.log()
    assert await change_issue(scene, at=scene.clock()) is Receipt.IGNORED
    assert await scene.log() == told


async def test_a_stop_that_comes_as_the_turn_ends_says_nothing(scene: Scene) -> None:
    await scene.delegate()
    turn = scene.begin()
    await scene.until_told("ended done")
    own = Incoming(key="late", place="as0", event=StopAsked(MOVED), author=EVE)
    await scene.service.accept(own)
    await turn
    told = await scene.log()
    assert await scene.play(2) == "absorbed"
    assert await scene.log() == told


async def test_a_change_from_before_the_work_began_stops_nothing(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    await scene.delegate()
    turn = scene.begin()
    await (await scene.runner.run()).until_prompts()
    assert await change_issue(scene, at=scene.clock() - 3600) is Receipt.IGNORED
    assert not turn.done()


async def test_the_same_change_told_again_is_a_duplicate(scene: Scene) -> None:
    await scene.delegate()
    first = await change_issue(scene, at=scene.clock())
    assert [first, await change_issue(scene, at=scene.clock())] == [Receipt.ACCEPTED, Receipt.DUPLICATE]


async def test_an_issue_nobody_works_on_concerns_nobody(scene: Scene) -> None:
    assert await change_issue(scene, at=scene.clock(), issue="i9") is Receipt.IGNORED
