"""What a platform refuses for good: a plain line stands there instead, or Linear says so."""

import pytest

from playground.slack_faults import Fault as SlackFault
from playground.stage import Stage
from playground.teams_faults import Fault as TeamsFault
from tests.conformance.support import scenario
from tests.conformance.talk import Talk, held
from tests.scenarios.scripts import script

pytestmark = pytest.mark.asyncio(loop_scope="module")


def refuse_posts(stage: Stage, platform: str, times: int) -> None:
    """So many of the bot's next messages are refused for good."""
    if platform == "Slack":
        stage.slack.api.faults.fail_next("chat.postMessage", SlackFault(error="invalid_blocks"), times)
    else:
        stage.teams.api.faults.fail_next("send", TeamsFault(error="BadSyntax"), times)


async def until_ready(talk: Talk, name: str) -> None:
    """Until nothing but the answer is left to be posted."""
    await talk.until_held(name)
    await talk.until(lambda: "acme/shop" in str(talk.cards()), "the progress message is there")


@scenario("Trouble", "an answer that the platform refuses: a line in its place says where to read it")
async def test_an_answer_that_is_refused(talk: Talk, stage: Stage, platform: str) -> None:
    name = f"refusal in {platform}"
    stage.model.play([script(held(name), {"text": "Done as asked."})])
    talk.mention("fix the search")
    await until_ready(talk, name)
    refuse_posts(stage, platform, 1)
    stage.model.release(name)

    await talk.until_shown(f"{platform} did not take my answer. Read it in Linear: ")
    await talk.until_progress_ended()
    assert talk.told("response")[0].startswith("Done as asked.")
    assert not talk.shows("Done as asked.")
    assert sum("did not take" in text for text in talk.texts()) == 1
    assert "did not take" not in str(talk.lasting())
    assert "code=chat.refused" in stage.log


@scenario("Trouble", "a line that is refused as well: Linear says so, and the next answer is there")
async def test_a_line_that_is_refused_as_well(talk: Talk, stage: Stage, platform: str) -> None:
    name = f"refusals in {platform}"
    stage.model.play(
        [script({"text": "Once more."}, match="once more"), script(held(name), {"text": "Done as asked."})]
    )
    talk.mention("fix the search")
    await until_ready(talk, name)
    refuse_posts(stage, platform, 2)
    stage.model.release(name)
    told = f"{platform} did not take my answer; people there do not see it."
    await talk.until_told(told)
    talk.mention("once more")

    await talk.until_shown("Once more.")
    assert str(talk.lasting()).count(told) == 1
    assert not talk.shows("did not take")
