"""People whom Linear does not know, guests, and people from elsewhere."""

from itertools import count

import pytest

from playground.stage import Stage
from tests.conformance.room import DONE, QUEUED
from tests.conformance.support import scenario
from tests.conformance.talk import Talk
from tests.scenarios.scripts import CHANGELOG, script
from tests.scenarios.test_people import sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBERS = count(1)


@scenario("People", "somebody unknown links an account by a private link, then the request runs by itself")
async def test_somebody_unknown(talk: Talk, stage: Stage) -> None:
    stage.model.play([script(*CHANGELOG)])
    number = next(NUMBERS)
    una = talk.room.stranger(f"una{number}", f"una{number}@else.test")
    in_linear = stage.linear.workspace.add_person(f"Una {number}", f"una{number}@acme.test")
    asked = talk.mention("add a line to the changelog", by=una)
    await talk.until(lambda: talk.room.links(una), "they were sent a link")
    await talk.until_marked(asked, QUEUED)
    assert talk.room.private(una)[0].startswith(f"I don't know you in Linear yet, {una}.")
    waiting = (
        f"Waiting for {una} to link an account at Linear; the link is in a message that only they can see."
    )
    assert talk.texts() == [waiting]
    assert talk.issues() == []

    page = await sign_in(talk.room.links(una)[0], as_user=in_linear.id, stage=stage)
    assert page.status_code == 200
    await talk.ended()
    await talk.until_marked(asked, DONE)
    assert talk.issue()["assignee"] == f"Una {number}"


@scenario("People", "a guest reads, and may stop; nothing else")
async def test_a_guest(talk: Talk, stage: Stage, platform: str) -> None:
    await _may_only_stop(talk, stage, "gus", "Guests can read along", f"guest in {platform}")


@scenario("People", "so does somebody from another organisation")
async def test_somebody_from_elsewhere(talk: Talk, stage: Stage, platform: str) -> None:
    talk.room.join_outsider()
    await _may_only_stop(talk, stage, "xenia", "People from other organisations", f"outsider in {platform}")


async def _may_only_stop(talk: Talk, stage: Stage, who: str, sentence: str, name: str) -> None:
    step = {"text": "Looking.", "tools": [["Bash", {"command": "true"}]], "hold": name}
    stage.model.play([script(step, {"text": "Done."})])
    outside = Talk(talk.room)
    asked = outside.mention("fix the search", by=who)
    await outside.until(lambda: talk.room.private(who), "they are told privately")
    assert sentence in talk.room.private(who)[0]
    await outside.until_marked(asked)
    assert (outside.texts(), outside.issues()) == ([], [])

    talk.mention("fix the search")
    await talk.until_held(name)
    talk.say("and the ranking", by=who)
    await talk.until(lambda: len(talk.room.private(who)) == 2, "they are told again")
    talk.say("stop", by=who)
    await talk.ended()
    assert not any("ranking" in body for body in talk.told("thought"))
    assert talk.told("response")[0].startswith("Stopped by ")
