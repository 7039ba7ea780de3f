"""A Slack to talk to."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bots.slack.client import build_client, open_session
from bots.slack.surface import SlackSurface
from playground.slack import BOT_TOKEN, SlackConfig, SlackPlayground
from playground.slack_clock import VirtualClock


@pytest.fixture
async def slack() -> AsyncIterator[SlackPlayground]:
    async with SlackPlayground(SlackConfig(), VirtualClock()) as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as connections:
        yield connections


@pytest.fixture
def surface(slack: SlackPlayground, session: aiohttp.ClientSession) -> SlackSurface:
    return SlackSurface(build_client(BOT_TOKEN, slack.api_url, session))
