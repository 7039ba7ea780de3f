"""Secrets stay where they belong: not in the agent's hands, not on any surface, not in the log."""

import json

import pytest

from playground.scripts import run
from playground.slack import BOT_TOKEN
from playground.stage import MODEL_KEY, SIGNING_SECRET, WEBHOOK_SECRET, Stage
from tests.scenarios.scripts import script
from tests.scenarios.thread import Thread

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWN = "env; tr '\\0' '\\n' < /proc/$PPID/environ"


async def test_the_agent_has_the_models_key_and_no_other_secret_and_shows_none(
    thread: Thread, stage: Stage
) -> None:
    stage.model.play([script({"tools": [run(OWN)]}, {"text": f"The key is {MODEL_KEY}, I think."})])
    thread.mention("what do you know?")
    await thread.ended()

    others = [BOT_TOKEN, SIGNING_SECRET, WEBHOOK_SECRET, stage.linear.settings.app_token]
    heard = json.dumps(list(stage.model.bodies))
    assert "ANTHROPIC_BASE_URL" in heard  # The command did show the environment.
    assert [secret for secret in others if secret in heard] == []
    shown = json.dumps([thread.chat(), thread.issues()])
    assert [secret for secret in (*others, MODEL_KEY) if secret in shown + stage.log] == []
    assert "The key is [redacted], I think." in shown
