"""A Teams to talk to, and what our side of it needs."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bots.teams.connector import Connector
from bots.teams.http import open_session
from bots.teams.tokens import BotToken
from core.store.addresses import AddressStore
from playground.slack_clock import VirtualClock
from playground.teams import APP_ID, APP_SECRET, TeamsConfig, TeamsPlayground
from tests.core.store.fakes import UnluckyDatabase, opened

LOOPBACK = ("127.0.0.1",)


@pytest.fixture
async def teams() -> AsyncIterator[TeamsPlayground]:
    async with TeamsPlayground(TeamsConfig(), VirtualClock()) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as connections:
        yield connections


@pytest.fixture
def token(teams: TeamsPlayground, http: aiohttp.ClientSession) -> BotToken:
    return BotToken(http, teams.token_url, app_id=APP_ID, secret=APP_SECRET, now=teams.clock.now)


@pytest.fixture
def connector(http: aiohttp.ClientSession, token: BotToken) -> Connector:
    return Connector(http, token, service_hosts=LOOPBACK)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[UnluckyDatabase]:
    async with opened(tmp_path) as database:
        yield database


@pytest.fixture
def addresses(database: UnluckyDatabase) -> AddressStore:
    return AddressStore(database, "teams")
