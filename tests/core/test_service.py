"""The service around the turns: what it accepts, how it ends, and what it says about its surfaces."""

import asyncio
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from core.activities import Blocker, Notice
from core.errors import StoreUnavailable
from core.events import Incoming, Said
from core.ids import MessageRef
from core.ports import Inbox, Receipt
from core.routing import Repository
from core.turn.desk import Limits
from core.workspace.processes import MARK
from tests.core.turn.fakes import ANN, ISSUE, THREAD, FakeRun, Scene, scene_in, waiting_for_ever


@pytest.fixture
async def scene(tmp_path: Path, shop: Repository) -> AsyncIterator[Scene]:
    async with scene_in(tmp_path, [shop]) as scene:
        yield scene


@pytest.fixture
async def hasty(tmp_path: Path, shop: Repository) -> AsyncIterator[Scene]:
    """A scene that soon takes a locked database for one that is away."""
    async with scene_in(tmp_path, [shop], patience_s=0.2) as scene:
        yield scene


@pytest.fixture
def shop(tmp_path: Path) -> Repository:
    folder = tmp_path / "upstream"
    folder.mkdir()
    (folder / "search.py").write_text("def search():\n    return []\n")
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@acme.test")
    for command in (("init", "-q", "-b", "main"), ("add", "."), (*identity, "commit", "-qm", "Begin")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return Repository(name="acme/shop", url=str(folder))


def mention(key: str = "m1") -> Incoming:
    return Incoming(
        key=key,
        place=THREAD,
        event=Said("fix it"),
        author=ANN,
        opens=True,
        message=MessageRef(THREAD, "100.1"),
    )


async def running(scene: Scene, number: int = 1) -> FakeRun:
    """The agent of the first turn, once it has its prompt."""
    run = await scene.runner.run(number)
    await run.until_prompts()
    return run


async def test_the_service_is_an_inbox(scene: Scene) -> None:
    inbox: Inbox = scene.service
    assert await inbox.accept(mention()) is Receipt.ACCEPTED
    assert await inbox.accept(mention()) is Receipt.DUPLICATE
    assert len(scene.queued) == 1


async def test_an_accepted_message_is_shown_at_once(scene: Scene) -> None:
    scene.stirred.clear()
    await scene.service.accept(mention())
    assert scene.stirred.is_set()


async def test_what_concerns_nobody_is_ignored(scene: Scene) -> None:
    talk = Incoming(key="m9", place=THREAD, event=Said("lunch?"), author=ANN)
    assert await scene.service.accept(talk) is Receipt.IGNORED


async def test_a_store_that_cannot_be_written_accepts_nothing(hasty: Scene, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "app.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await hasty.service.accept(mention())
        other.execute("ROLLBACK")
    assert await hasty.service.accept(mention()) is Receipt.ACCEPTED


async def test_a_message_reaches_a_running_turn_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.turn.live.POLL_S", 3600.0)  # No turn looks into its inbox by itself.
    scene.runner.lives = [waiting_for_ever]
    await scene.say("fix it")
    turn = scene.begin()
    run = await running(scene)
    await scene.say("with tests")
    await run.until_prompts(2)
    run.succeed()
    assert await turn == "done"


async def test_a_halt_ends_the_agents_and_leaves_the_turns_open(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    await scene.say("fix it")
    turn = scene.begin()
    run = await running(scene)
    await scene.service.halt()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert run.is_closed
    assert (await scene.state()).turn == "turn:1"
    assert "ended" not in "".join(await scene.story())
    assert await scene.store.open_sessions() == [scene.session]


async def test_after_a_halt_no_turn_begins(scene: Scene) -> None:
    await scene.say("fix it")
    await scene.service.halt()
    with pytest.raises(asyncio.CancelledError):
        await scene.play()
    assert (await scene.story(), scene.runner.opened) == ([], [])
    scene.restart()
    assert await scene.play() == "done"


async def test_a_turn_waits_for_a_database_that_went_away(hasty: Scene, tmp_path: Path) -> None:
    hasty.restart(limits=Limits(retries_s=(0.01,)))
    hasty.runner.lives = [waiting_for_ever]
    await hasty.say("fix it")
    turn = hasty.begin()
    run = await running(hasty)
    with closing(sqlite3.connect(tmp_path / "app.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        run.succeed()
        done, _ = await asyncio.wait({turn}, timeout=0.5)
        assert not done
        other.execute("ROLLBACK")
    assert await turn == "done"
    assert (await hasty.story()).count("ended done") == 1
    assert len(hasty.runner.opened) == 2


async def test_agents_that_outlived_their_process_are_ended_at_the_start(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    await scene.say("fix it")
    turn = scene.begin()
    await running(scene)
    mark = {MARK: (await scene.record()).agent_session}
    stray = await asyncio.create_subprocess_exec("sleep", "300", env=mark)
    await scene.service.halt()
    await asyncio.gather(turn, return_exceptions=True)
    scene.restart()
    assert await scene.service.recover() == 1
    assert await stray.wait() != 0
    assert await scene.service.recover() == 0


async def test_trouble_of_a_surface_is_told_while_it_lasts(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    await scene.say("fix it")
    turn = scene.begin()
    run = await running(scene)
    for code in (Blocker.LINEAR_DOWN, None, None, Blocker.LINEAR_DOWN, None):
        await scene.service.sink_in_trouble("linear", scene.session, code)
    await scene.service.sink_gone(scene.session, "slack", Blocker.CHAT_GONE)
    run.succeed()
    assert await turn == "done"
    troubles = [line.split(":")[0] for line in await scene.story() if line.startswith(("blocked", "clear"))]
    assert troubles == [
        "clear queued",
        "blocked linear.down",
        "clear linear.down",
        "blocked linear.down",
        "clear linear.down",
        "blocked chat.gone",
        "clear chat.gone",
    ]


async def test_a_chat_that_is_gone_is_named_in_linear_and_in_the_other_chats(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever]
    await scene.say("fix it")
    turn = scene.begin()
    run = await running(scene)
    for _ in range(2):  # Once more after a crash in between.
        await scene.service.sink_gone(scene.session, "slack", Blocker.CHAT_GONE)
    assert await notices(scene) == [("", "Slack")]
    run.succeed()
    assert await turn == "done"
    await scene.service.sink_gone(scene.session, "teams", Blocker.CHAT_GONE)
    assert await notices(scene) == [("", "Slack"), ("", "Teams"), ("linear", "Teams")]


async def test_a_session_that_is_gone_in_linear_after_its_turn_is_named_in_chat(scene: Scene) -> None:
    await scene.say("fix it")
    await scene.play()
    await scene.service.sink_gone(scene.session, "linear", Blocker.LINEAR_GONE)
    (notice,) = [one.entry for one in await scene.log() if isinstance(one.entry, Notice)]
    assert notice == Notice(body="The session was removed in Linear; I go on here.")


async def test_what_a_surface_refused_is_told_on_the_others_once(scene: Scene) -> None:
    await scene.say("fix it")
    await scene.play()
    for _ in range(2):  # Once more after a crash in between.
        await scene.service.sink_refused(scene.session, "refused/slack/e5", "Slack …", ["linear", "teams"])
    await scene.service.sink_refused(scene.session, "refused/slack/e9", "Slack …", ["linear"])
    assert await notices(scene) == [("linear", "Slack"), ("teams", "Slack"), ("linear", "Slack")]


async def notices(scene: Scene) -> list[tuple[str, str]]:
    """Where something was said outside of any turn, and of which chat."""
    said = [one.entry for one in await scene.log() if isinstance(one.entry, Notice)]
    return [(one.surface, next(name for name in ("Slack", "Teams") if name in one.body)) for one in said]


async def test_trouble_between_turns_is_not_told(scene: Scene) -> None:
    await scene.say("fix it")
    await scene.play()
    told = await scene.story()
    await scene.service.sink_in_trouble("linear", scene.session, Blocker.LINEAR_DOWN)
    assert await scene.story() == told


async def test_sessions_work_beside_each_other(scene: Scene) -> None:
    scene.runner.lives = [waiting_for_ever, waiting_for_ever]
    await scene.say("fix it")
    scene.tracker.issues = {ISSUE.id: ISSUE}
    await scene.delegate(ISSUE.id)
    assert scene.queued[0][0] != scene.queued[1][0]
    first, second = scene.begin(1), scene.begin(2)
    for number in (2, 1):
        (await running(scene, number)).succeed()
    assert [await first, await second] == ["done", "done"]
