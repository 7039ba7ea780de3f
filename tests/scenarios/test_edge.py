"""What comes in over HTTP: what is not signed, not readable or not for us changes nothing."""

import json
import resource
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from playground.linear_webhooks import sign
from playground.slack_events import signed_headers
from playground.stage import SIGNING_SECRET, WEBHOOK_SECRET, Stage
from tests.scenarios.scripts import script
from tests.scenarios.test_delivery import deliveries
from tests.scenarios.test_followups import stored
from tests.scenarios.thread import Thread

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET_WORDS = "the quarterly numbers"
MEBIBYTE = 1024 * 1024
PAYLOADS = Path(__file__).parent.parent / "payloads" / "linear"


def slack_body(text: str = SECRET_WORDS, kind: str = "app_mention") -> bytes:
    event = {"type": kind, "user": "U0ANN", "channel": "C0001", "text": text, "ts": "1700000000.000100"}
    envelope = {
        "type": "event_callback",
        "team_id": "T0001",
        "api_app_id": "A0001",
        "event_id": "Ev1",
        "event": event,
        "authorizations": [{"user_id": "U0BOT", "is_bot": True}],
    }
    return json.dumps(envelope).encode()


def slack_headers(body: bytes, *, secret: str = SIGNING_SECRET, age_s: int = 0) -> dict[str, str]:
    sent_at = int(time.time()) - age_s
    return signed_headers(body, secret=secret, sent_at=sent_at, content_type="application/json")


def linear_body(*, age_s: int = 0, **fields: str) -> bytes:
    """A session that somebody opened, as Linear tells it."""
    payload = json.loads((PAYLOADS / "session_created.json").read_text())
    sent_at = int((datetime.now(UTC).timestamp() - age_s) * 1000)
    return json.dumps(payload | {"webhookTimestamp": sent_at, "note": SECRET_WORDS} | fields).encode()


def linear_headers(body: bytes, *, secret: str = WEBHOOK_SECRET) -> dict[str, str]:
    return {"Content-Type": "application/json", "Linear-Signature": sign(body, secret)}


HUGE = b'{"text": "' + b"x" * (2 * MEBIBYTE) + b'"}'
SLACK = slack_body()
UNKNOWN_SLACK = slack_body(kind="emoji_changed")
LINEAR, OLD_LINEAR = linear_body(), linear_body(age_s=8 * 3600)
UNKNOWN_LINEAR = linear_body(type="Reaction", action="create")
SLACK_PATH, LINEAR_PATH = "/slack/events", "/api/webhooks/linear"

# Signed when it is sent: a whole suite takes longer than the five minutes that a signature of Slack counts.
Headers = Callable[[], dict[str, str]]

REFUSED: Mapping[str, tuple[str, bytes, Headers, int]] = {
    "Slack, unsigned": (SLACK_PATH, SLACK, lambda: {"Content-Type": "application/json"}, 401),
    "Slack, wrongly signed": (SLACK_PATH, SLACK, lambda: slack_headers(SLACK, secret="guessed"), 401),
    "Slack, signed for another body": (SLACK_PATH, SLACK, lambda: slack_headers(b"{}"), 401),
    "Slack, six minutes old": (SLACK_PATH, SLACK, lambda: slack_headers(SLACK, age_s=360), 401),
    "Slack, from the future": (SLACK_PATH, SLACK, lambda: slack_headers(SLACK, age_s=-1000), 401),
    "Slack, oversized": (SLACK_PATH, HUGE, lambda: slack_headers(HUGE), 413),
    "Slack, malformed": (SLACK_PATH, b"{nope", lambda: slack_headers(b"{nope"), 400),
    "Slack, no object": (SLACK_PATH, b"[1]", lambda: slack_headers(b"[1]"), 400),
    "Linear, unsigned": (LINEAR_PATH, LINEAR, lambda: {"Content-Type": "application/json"}, 401),
    "Linear, wrongly signed": (LINEAR_PATH, LINEAR, lambda: linear_headers(LINEAR, secret="guessed"), 401),
    "Linear, older than any redelivery": (LINEAR_PATH, OLD_LINEAR, lambda: linear_headers(OLD_LINEAR), 401),
    "Linear, oversized": (LINEAR_PATH, HUGE, lambda: linear_headers(HUGE), 413),
    "Linear, malformed": (LINEAR_PATH, b"{nope", lambda: linear_headers(b"{nope"), 400),
}


async def post(stage: Stage, path: str, body: bytes, headers: Mapping[str, str]) -> int:
    async with httpx.AsyncClient(timeout=10) as http:
        return (await http.post(f"{stage.url}{path}", content=body, headers=headers)).status_code


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bad_request_is_refused_with_one_line_and_nothing_is_stored(stage: Stage, name: str) -> None:
    path, body, headers, status = REFUSED[name]
    stored_before, log_before = stored(stage), stage.log

    assert await post(stage, path, body, headers()) == status
    assert stored(stage) == stored_before
    said = stage.log.removeprefix(log_before)
    assert len(said.splitlines()) == 1
    assert f"status={status}" in said
    assert not any(words in said for words in (SECRET_WORDS, "nope", "xxx"))


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        (SLACK_PATH, UNKNOWN_SLACK, lambda: slack_headers(UNKNOWN_SLACK)),
        (LINEAR_PATH, UNKNOWN_LINEAR, lambda: linear_headers(UNKNOWN_LINEAR)),
    ],
    ids=["Slack", "Linear"],
)
async def test_an_event_nobody_handles_is_welcome_and_ignored(
    stage: Stage, path: str, body: bytes, headers: Headers
) -> None:
    stored_before = stored(stage)

    assert await post(stage, path, body, headers()) == 200
    assert stored(stage) == stored_before


async def test_slack_can_verify_the_address(stage: Stage) -> None:
    assert await stage.slack.dispatcher.verify_url("challenge-42")


async def test_nothing_is_lost_while_the_disk_is_full(thread: Thread, stage: Stage) -> None:
    assert stage.process is not None
    process = stage.process.pid
    limits = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (0, limits[1]))  # No file may grow any more.
    stage.model.play([script({"text": "Done."})])
    asked = thread.mention("fix the search")
    await stage.slack.settled()
    async with httpx.AsyncClient() as http:
        ready = (await http.get(f"{stage.url}/readyz")).status_code
    resource.prlimit(process, resource.RLIMIT_FSIZE, limits)

    told = deliveries(stage, asked)
    assert {attempt.status for one in told for attempt in one.attempts} == {503}
    assert ready == 503
    assert not thread.texts()
    stored_before = stored(stage)
    for one in told:
        assert await post(stage, SLACK_PATH, one.body, slack_headers(one.body)) == 200
    assert stored(stage) == stored_before + 1
    await thread.ended()
