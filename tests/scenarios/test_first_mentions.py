"""A first mention that somebody makes by editing what they said: it asks like any other."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from playground.slack_state import BOT_USER
from playground.stage import Stage
from playground.teams_delivery import DeliveryOptions
from tests.scenarios import teams_thread
from tests.scenarios.conftest import on_stage
from tests.scenarios.scripts import script
from tests.scenarios.teams_thread import MENTION, PATIENT, TeamsThread
from tests.scenarios.thread import Thread, new_channel

pytestmark = pytest.mark.asyncio(loop_scope="module")

DONE = script({"text": "Done as asked."})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with on_stage(tmp_path_factory.mktemp("edits"), teams=PATIENT) as stage:
        await stage.serve()
        yield stage


async def test_in_slack_the_edited_words_are_what_is_asked(stage: Stage) -> None:
    stage.model.play([DONE])
    thread = Thread(stage, new_channel(stage))
    said = thread.say("search is slow")
    stage.slack.people.edit("U0ANN", thread.channel, said, f"<@{BOT_USER}> search is slow, speed it up")

    await thread.ended()
    assert thread.issue()["title"] == "Search is slow, speed it up"
    assert thread.told("thought") == ["Ann in Slack: search is slow, speed it up"]
    await thread.all_marked_done()
    assert thread.reactions(said) == {"white_check_mark"}


async def test_in_teams_too(stage: Stage) -> None:
    stage.model.play([DONE])
    thread = TeamsThread(stage, teams_thread.new_channel(stage))
    said = thread.say("search is slow")
    thread.edit(said, f"{MENTION}search is slow, speed it up")

    await thread.ended()
    assert thread.issue()["title"] == "Search is slow, speed it up"
    assert thread.told("thought") == ["Ann in Teams: search is slow, speed it up"]
    await thread.all_marked_done()
    assert thread.reactions(said) == {"2705_whiteheavycheckmark"}


async def test_an_edit_that_overtakes_its_message_is_all_that_is_heard(stage: Stage) -> None:
    stage.model.play([DONE])
    thread = TeamsThread(stage, teams_thread.new_channel(stage))
    stage.teams.dispatcher.options = DeliveryOptions(reorder=True)
    said = thread.mention("search is slwo")
    thread.edit(said, f"{MENTION}search is slow, speed it up")
    stage.teams.dispatcher.options = DeliveryOptions()
    await stage.teams.settled()

    await thread.ended()
    assert thread.told("thought") == ["Ann in Teams: search is slow, speed it up"]
