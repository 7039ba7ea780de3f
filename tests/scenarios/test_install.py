"""The app is installed in Linear through the browser, while work already waits for it."""

import re
from pathlib import Path

import httpx
import pytest

from playground.scripts import DEMO
from playground.stage import Stage
from tests.scenarios.conftest import on_stage
from tests.scenarios.thread import Thread

WITHIN_S = 30.0

pytestmark = pytest.mark.asyncio(loop_scope="function")


def without_install(stage: Stage) -> None:
    """Settings of a service that was never connected to Linear."""
    stage.settings |= {
        "THREADLINE_LINEAR__TOKEN": None,
        "THREADLINE_LINEAR__GRANT": "installed",
        "THREADLINE_LINEAR__CLIENT_ID": stage.linear.settings.client_id,
        "THREADLINE_LINEAR__CLIENT_SECRET": stage.linear.settings.client_secret,
        "THREADLINE_LINEAR__AUTHORIZE_URL": stage.linear.authorize_url,
        "THREADLINE_PUBLIC_URL": stage.url,
    }
    stage.linear.tokens.redirect_uris.add(f"{stage.url}/oauth/linear/callback")


async def approve(link: str) -> httpx.Response:
    """Open the link and follow it through Linear and back, as an administrator's browser does."""
    async with httpx.AsyncClient() as browser:
        to_linear = await browser.get(link)
        cookie = to_linear.headers["set-cookie"].split(";")[0]
        back = await browser.get(to_linear.headers["location"])
        return await browser.get(back.headers["location"], headers={"cookie": cookie})


async def test_request_made_before_the_install_runs_by_itself_afterwards(tmp_path: Path) -> None:
    async with on_stage(tmp_path, scripts=DEMO) as stage:
        without_install(stage)
        await stage.serve()
        thread = Thread(stage, "C0001")
        thread.mention("search ignores archived projects, fix it")
        await stage.until(
            lambda: "Linear access was revoked" in "".join(thread.texts()), WITHIN_S, "it waits"
        )
        link = re.search(r"http\S+/oauth/linear/install\S+", stage.log)
        assert link, stage.log

        page = await approve(link[0])
        assert page.status_code == 200, page.text
        stage.model.release("fix")
        await stage.until(lambda: any("Fixed." in text for text in thread.texts()), 60, "the answer")

        assert len(stage.issues()) == 1
        again = await approve_refused(link[0])
        assert again == 403


async def approve_refused(link: str) -> int:
    """The status of a link that does not count any more."""
    async with httpx.AsyncClient() as browser:
        return (await browser.get(link)).status_code
