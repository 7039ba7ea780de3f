"""Files that people put into issues and prompts in Linear reach the model."""

from base64 import b64decode, b64encode
from typing import Any

import pytest

from playground.stage import Stage
from tests.scenarios.scripts import script
from tests.scenarios.thread import WITHIN_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

PIXEL = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def blocks(stage: Stage, kind: str) -> list[dict[str, Any]]:
    """What the model was told last, of one kind."""
    messages = stage.model.bodies[-1]["messages"]
    told = [block for one in messages if isinstance(one["content"], list) for block in one["content"]]
    return [block for block in told if block["type"] == kind]


async def test_images_and_texts_in_a_description_and_a_follow_up_reach_the_model(stage: Stage) -> None:
    stage.model.play([script({"text": "Seen."})])
    shot = stage.linear.upload("shot.png", PIXEL, "image/png")
    log = stage.linear.upload("build.log", b"it broke in line 7", "text/plain")
    video = stage.linear.upload("clip.mp4", b"\x00\x00\x00\x18ftypmp42\xff", "video/mp4")
    text = f"See ![the dot]({shot}), [build.log]({log}) and [clip]({video})."
    issue = stage.linear.people.create_issue("The dot is red", description=text)
    session = stage.linear.people.delegate(issue.identifier, by="eve")
    await stage.until(lambda: session.inferred_status == "complete", WITHIN_S, "the first turn is over")

    (image,) = blocks(stage, "image")
    assert b64encode(PIXEL).decode() == image["source"]["data"]
    words = str(blocks(stage, "text"))
    assert "Attached images, in order: the dot." in words
    assert "<attached-file>\\nbuild.log\\n\\nit broke in line 7\\n</attached-file>" in words
    assert "(I could not see clip: it is neither an image nor text.)" in words
    assert all(is_known for _, is_known in stage.linear.uploads.asked)

    stage.linear.people.prompt(session.id, f"now like ![this]({shot}#2)", by="eve")
    await stage.until(
        lambda: [one.type for one in session.history].count("response") == 2, WITHIN_S, "and the second"
    )
    assert len(blocks(stage, "image")) == 2
