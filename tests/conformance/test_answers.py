"""What is shown: all of it, as it is meant, and waking up nobody who was not asked."""

import pytest

from playground.stage import Stage
from tests.conformance.platforms import ROOMS
from tests.conformance.support import Difference, scenario
from tests.conformance.talk import Talk, held
from tests.scenarios.scripts import script

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINES = [f"Line {number:04d} of a long report." for number in range(1200)]
HOSTILE = "<!channel> <!here> <@U0BOB> @here @channel @everyone @team <at>Bob</at>"


@scenario("Answers", "long answers: every line, once and in order")
async def test_a_long_answer(talk: Talk, stage: Stage) -> None:
    stage.model.play([script({"text": "\n\n".join(LINES)})])
    talk.mention("write a long report")

    await talk.ended()
    shown = "\n".join(talk.answers()).split("\n")
    assert [line for line in shown if line.startswith("Line ")] == LINES
    assert len(talk.answers()) > 1
    assert [line for line in talk.told("response")[0].split("\n") if line.startswith("Line ")] == LINES


@scenario("Answers", "code fences stay whole, also over several messages")
async def test_code_fences(talk: Talk, stage: Stage) -> None:
    code = [f"    if found[{number}] and '@here' in names:  # **not bold**" for number in range(600)]
    fenced = "\n".join(["Look at this:", "```python", *code, "```", "That is all."])
    stage.model.play([script({"text": fenced})])
    talk.mention("show the code")

    await talk.ended()
    parts = [one.text for one in talk.ours() if "found[" in one.text]
    assert len(parts) > 1
    assert all(sum(line.startswith("```") for line in part.split("\n")) == 2 for part in parts)
    assert [line for part in parts for line in part.split("\n") if "found[" in line] == code


@scenario("Answers", "mentions in what the model or people write notify nobody")
async def test_hostile_mentions(talk: Talk, stage: Stage, platform: str) -> None:
    name = f"mentions in {platform}"
    stage.model.play([script(held(name), {"text": f"{HOSTILE} are done."})])
    talk.mention(f"tell {HOSTILE} that it is fixed")
    await talk.until_held(name)
    await talk.until_told("that it is fixed")
    stage.linear.people.prompt(talk.session()["id"], f"and {HOSTILE}", by="eve")
    await talk.until_shown("Eve in Linear: and ")
    stage.model.release(name)

    await talk.ended()
    card, quote, answer = talk.ours()
    assert answer.words.startswith("@Ann\n")
    woken = [talk.room.woken(one.id) for one in (card, quote, answer)]
    assert woken == [set(), set(), {"Ann"}]


@scenario("Answers", "an answer notifies the person who asked")
async def test_who_is_notified(talk: Talk, stage: Stage) -> None:
    stage.model.play([script({"text": "Done."})])
    talk.mention("fix it", by="bob")

    await talk.ended()
    card, answer = talk.ours()
    assert (talk.room.woken(card.id), talk.room.woken(answer.id)) == (set(), {"Bob"})


@scenario("Files", "in a channel: people and the agent are told of a file that it does not get")
async def test_a_file(talk: Talk, stage: Stage, limit: Difference | None) -> None:
    stage.model.play([script({"text": "Done."})])
    talk.mention("fix what the log says", files={"error.log": "boom"})

    await talk.ended()
    name = "file" if limit else "error.log"
    assert talk.shows(f"I can't see {name} here: ")
    assert talk.shows(". Paste it.")
    assert f"I could not see {name}: " in str(stage.model.bodies[-1])
    assert "boom" not in str(stage.model.bodies[-1])


@scenario("Files", "in a direct message: the agent gets it")
async def test_a_file_in_a_direct_message(stage: Stage, platform: str, limit: Difference | None) -> None:
    stage.model.play([script({"text": "Done."})])
    talk = Talk(ROOMS[platform](stage, alone_with="ann"))
    talk.say("fix what the log says", files={"error.log": "boom"})

    await talk.ended()
    assert talk.shows("I can't see error.log here: ") is bool(limit)
    assert ("I could not see error.log: " in str(stage.model.bodies[-1])) is bool(limit)
    assert ("boom" in str(stage.model.bodies[-1])) is not bool(limit)
