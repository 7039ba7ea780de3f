"""The page of Microsoft's client in a real browser: our cards as Microsoft's renderer shows them."""

import pytest

from playground.stage import Stage
from tests.clients.agents_playground import AgentsPlayground
from tests.clients.browser import Page
from tests.clients.conftest import PICTURES
from tests.scenarios.scripts import FIXED, SEARCH, question, script

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

ASKED = "When both toggles are on, which wins?"


async def test_a_person_reads_the_progress_and_answers_with_a_click(
    stage: Stage, client: AgentsPlayground, page: Page
) -> None:
    asks = {"tools": [question(ASKED, "Archived wins", "Hidden wins")]}
    stage.model.play([script(*SEARCH[:3], asks, *SEARCH[3:])])
    stage.model.release("fix")
    PICTURES.mkdir(parents=True, exist_ok=True)
    await page.open(client.url)
    await page.until_shown("What I understand besides:\nstatus where it stands")
    await page.press("button[title='Hide log panel']")
    await page.write("[role=textbox]", "search ignores archived projects")
    await page.press("aria/Send Message")

    await page.until_shown(ASKED)
    await page.until_shown("◐ Respect include_archived in search")
    await page.picture(PICTURES / "teams-question.png")
    shown = await page.text()
    assert "ENG-142 · Search ignores archived projects" in shown
    assert "✓ Reproduce with a failing test" in shown
    await page.press("aria/Archived wins")

    await page.until_shown("Answered by Ann in Teams: Archived wins")
    await page.until_gone("aria/Hidden wins")
    await page.until_shown(FIXED)
    await page.until_shown("done in")
    await page.until_gone("aria/Stop")
    await page.picture(PICTURES / "teams-answer.png")
    (issue,) = stage.issues()
    thoughts = [one["body"] for one in issue["sessions"][0]["history"] if one["type"] == "thought"]
    assert "Answered by Ann in Teams: Archived wins" in thoughts
