"""The composition root: what it needs, what it answers, and the order in which it lives and ends."""

import hmac
import json
import time
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bots.app import NotConfigured, Threadline, prepare
from bots.settings import Settings, load
from core.activities import Author
from core.events import Incoming, Said
from core.ids import ThreadRef
from core.ports import Inbox, Receipt
from core.turns import SlotTaken
from playground.slack_events import signed_headers
from tests.linear.fakes import payload

SIGNING_SECRET, WEBHOOK_SECRET = "slack-signing-secret", "linear-webhook-secret"
CONFIGURED = {
    "THREADLINE_SLACK__BOT_TOKEN": "xoxb-1",
    "THREADLINE_SLACK__SIGNING_SECRET": SIGNING_SECRET,
    # Nobody listens there: nothing that these tests do may depend on it.
    "THREADLINE_SLACK__API_URL": "http://127.0.0.1:9/api/",
    "THREADLINE_LINEAR__TOKEN": "lin_oauth_1",
    "THREADLINE_LINEAR__WEBHOOK_SECRET": WEBHOOK_SECRET,
    "THREADLINE_LINEAR__API_URL": "http://127.0.0.1:9/graphql",
    "THREADLINE_CLAUDE__API_KEY": "sk-ant-1",
}
TALK = Incoming(
    key="slack/T1/C1/1",
    place=ThreadRef("slack", "T1", "C1", "1"),
    event=Said("lunch?"),
    author=Author("slack", "T1/U1", "Ann"),
)

Http = TestClient[web.Request, web.Application]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(CONFIGURED, tmp_path)
    prepare(settings)
    return settings


@pytest.fixture
async def threadline(settings: Settings) -> AsyncIterator[Threadline]:
    """Made, and not started."""
    threadline = Threadline(settings)
    yield threadline
    await threadline.stop()


@pytest.fixture
async def http(threadline: Threadline) -> AsyncIterator[Http]:
    async with TestClient(TestServer(threadline.application())) as client:
        yield client


async def ready(http: Http) -> tuple[int, bool]:
    async with http.get("/readyz") as answer:
        return answer.status, (await answer.json())["ready"]


@pytest.mark.parametrize(
    ("without", "named"),
    [
        ("THREADLINE_SLACK__", "THREADLINE_SLACK__BOT_TOKEN"),
        ("THREADLINE_LINEAR__", "THREADLINE_LINEAR__TOKEN"),
        ("THREADLINE_CLAUDE__", "THREADLINE_CLAUDE__API_KEY"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_made(without: str, named: str, tmp_path: Path) -> None:
    environ = {name: value for name, value in CONFIGURED.items() if not name.startswith(without)}
    with pytest.raises(NotConfigured) as missing:
        prepare(load(environ, tmp_path))
    assert str(missing.value) == named
    assert list(tmp_path.iterdir()) == []


def test_preparing_twice_changes_nothing(settings: Settings) -> None:
    prepare(settings)
    assert settings.data_dir.is_dir()


async def test_the_whole_bot_is_an_inbox(threadline: Threadline) -> None:
    inbox: Inbox = threadline
    assert await inbox.accept(TALK) is Receipt.IGNORED


async def test_it_is_alive_at_once_and_ready_between_start_and_stop(
    threadline: Threadline, http: Http
) -> None:
    async with http.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})
    assert await ready(http) == (503, False)
    await threadline.start()
    assert await ready(http) == (200, True)
    await threadline.stop()
    assert await ready(http) == (503, False)


async def test_one_of_two_in_a_data_folder_does_not_start(threadline: Threadline, settings: Settings) -> None:
    await threadline.start()
    second = Threadline(settings)
    with pytest.raises(SlotTaken):
        await second.start()
    await second.stop()


async def test_it_starts_without_a_token_for_teams_and_says_so(tmp_path: Path) -> None:
    teams = {
        "THREADLINE_TEAMS__APP_ID": "8a7b6c5d-0000-4000-8000-1234567890ab",
        "THREADLINE_TEAMS__APP_PASSWORD": "teams-secret",
        "THREADLINE_TEAMS__TENANT_ID": "8a7b6c5d-0000-4000-8000-1234567890ac",
        "THREADLINE_TEAMS__TOKEN_URL": "http://127.0.0.1:9/token",
    }
    settings = load(CONFIGURED | teams, tmp_path)
    prepare(settings)
    threadline = Threadline(settings)
    assert threadline.troubles() == {}
    await threadline.start()
    assert threadline.troubles() == {"teams": "no token from Microsoft (ClientConnectorError)"}
    await threadline.stop()


async def test_a_bot_that_never_started_stops(settings: Settings) -> None:
    await Threadline(settings).stop()


async def test_events_are_taken_in_signed_and_only_signed(threadline: Threadline, http: Http) -> None:
    challenge = json.dumps({"type": "url_verification", "challenge": "c1"}).encode()
    for secret, status in ((SIGNING_SECRET, 200), ("stolen", 401)):
        headers = signed_headers(
            challenge, secret=secret, sent_at=int(time.time()), content_type="application/json"
        )
        async with http.post("/slack/events", data=challenge, headers=headers) as answer:
            assert answer.status == status
    delivery = json.dumps(json.loads(payload("session_created")) | {"webhookTimestamp": now_ms()}).encode()
    for secret, status in ((WEBHOOK_SECRET, 200), ("stolen", 401)):
        signature = hmac.new(secret.encode(), delivery, sha256).hexdigest()
        headers = {"Linear-Signature": signature}
        async with http.post("/api/webhooks/linear", data=delivery, headers=headers) as answer:
            assert answer.status == status


def now_ms() -> int:
    return int(time.time() * 1000)


async def test_without_a_secret_there_is_no_way_in(tmp_path: Path) -> None:
    environ = CONFIGURED | {"THREADLINE_SLACK__APP_TOKEN": "xapp-1"}
    del environ["THREADLINE_SLACK__SIGNING_SECRET"], environ["THREADLINE_LINEAR__WEBHOOK_SECRET"]
    settings = load(environ, tmp_path)
    prepare(settings)
    threadline = Threadline(settings)
    async with TestClient(TestServer(threadline.application())) as http:
        for path in ("/slack/events", "/api/webhooks/linear"):
            async with http.post(path, data=b"{}") as answer:
                assert answer.status == 404
    await threadline.stop()


async def test_what_was_accepted_before_a_stop_is_still_there_after_the_next_start(
    settings: Settings,
) -> None:
    mention = Incoming(
        key="slack/T1/C1/2", place=TALK.place, event=Said("stop"), author=TALK.author, opens=True
    )
    first = Threadline(settings)
    assert await first.accept(mention) is Receipt.ACCEPTED
    await first.stop()
    second = Threadline(settings)
    await second.start()
    assert await second.accept(mention) is Receipt.DUPLICATE
    assert await second.accept(TALK) is Receipt.ACCEPTED
    await second.stop()
