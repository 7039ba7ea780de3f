"""The web handler with a real Bolt app behind it."""

import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bots.slack.forms import FormAsked
from bots.slack.ingress import BODY_BYTES, PATH, slack_events
from bots.slack.listeners import build_app
from core.errors import TryLater
from core.events import Pressed, Said, StopAsked
from core.pulls import PullAction
from playground.slack_events import signed_headers
from tests.bots.slack.envelopes import click, envelope, message, reaction, sent_form, thread
from tests.bots.slack.fakes import FakeInbox

NOW = 1_700_000_000
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass
class Door:
    """Knocks as Slack does."""

    client: TestClient[web.Request, web.Application]
    inbox: FakeInbox

    async def knock(
        self,
        body: bytes,
        *,
        secret: str = "new",
        at: int = NOW,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        sent = signed_headers(body, secret=secret, sent_at=at, content_type=content_type)
        async with self.client.post(PATH, data=BytesIO(body), headers=sent | dict(headers or {})) as answer:
            return answer.status, await answer.text()

    async def event(self, event: dict[str, Any], **changes: Any) -> int:
        status, _ = await self.knock(json.dumps(envelope(event, **changes)).encode())
        return status

    async def interaction(self, payload: dict[str, Any]) -> tuple[int, str]:
        return await self.knock(urlencode({"payload": json.dumps(payload)}).encode(), content_type=FORM)


async def unopened(asked: FormAsked) -> None:
    raise TryLater("no connection to Slack")


async def everywhere(_: Mapping[str, Any]) -> bool:
    """We are in every channel."""
    return True


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    inbox = FakeInbox()
    # No server listens at this address: a call of Slack's API before the answer would fail.
    app = build_app(inbox, unopened, everywhere, api_url="http://127.0.0.1:9/api/")
    site = web.Application()
    site.router.add_post(PATH, slack_events(app, ["new", "old"], now=lambda: float(NOW)))
    async with TestClient(TestServer(site)) as client:
        yield Door(client, inbox)


async def test_event_is_stored_and_then_answered(door: Door) -> None:
    assert await door.event(message("<@U0BOT> hi", type="app_mention")) == 200
    [incoming] = door.inbox.accepted.values()
    assert (incoming.event, incoming.opens) == (Said("hi", at=17.0001), True)


async def test_mention_pair_has_one_key(door: Door) -> None:
    for kind, event_id in (("app_mention", "Ev1"), ("message", "Ev2")):
        assert await door.event(message("<@U0BOT> hi", type=kind), event_id=event_id) == 200
    assert door.inbox.asked == ["slack/T0001/C0001/17.000100"] * 2


async def test_retry_is_answered_like_the_first(door: Door) -> None:
    body = json.dumps(envelope(message("<@U0BOT> hi"))).encode()
    retry = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}
    assert [await door.knock(body), await door.knock(body, headers=retry)] == [(200, ""), (200, "")]
    assert len(door.inbox.accepted) == 1


async def test_store_that_is_down_makes_slack_come_again(door: Door) -> None:
    door.inbox.is_down = True
    assert await door.event(message("<@U0BOT> hi")) == 503
    door.inbox.is_down = False
    assert await door.event(message("<@U0BOT> hi")) == 200
    assert len(door.inbox.accepted) == 1


async def test_click_is_stored_before_it_is_acknowledged(door: Door) -> None:
    door.inbox.is_down = True
    assert await door.interaction(click({"action_id": "stop", "value": "t"})) == (503, "")
    door.inbox.is_down = False
    assert await door.interaction(click({"action_id": "stop", "value": "t"})) == (200, "")
    assert [incoming.event for incoming in door.inbox.accepted.values()] == [StopAsked()]


async def test_choice_of_every_button_is_heard(door: Door) -> None:
    for action_id in ("choice", "choice/0", "choice/4"):
        action = {"block_id": "question:q1", "action_id": action_id, "value": "a", "action_ts": action_id}
        assert await door.interaction(click(action)) == (200, "")
    assert len(door.inbox.accepted) == 3


async def test_press_on_a_pull_request_is_stored_before_it_is_acknowledged(door: Door) -> None:
    press = click({"action_id": "pull/approve", "value": "c1"})
    door.inbox.is_down = True
    assert await door.interaction(press) == (503, "")
    door.inbox.is_down = False
    assert [await door.interaction(press) for _ in range(2)] == [(200, "")] * 2
    [incoming] = door.inbox.accepted.values()
    assert (incoming.event, incoming.place) == (Pressed("c1", PullAction.APPROVE), thread())


async def test_form_that_cannot_even_be_spoken_of_is_no_success(door: Door) -> None:
    press = click({"action_id": "pull/request_changes", "value": "c1"}, trigger_id="1.t")
    assert (await door.interaction(press))[0] == 502
    assert door.inbox.asked == []


@pytest.mark.parametrize("metadata", ["", "x", "[]", '{"channel": "C0001"}'])
async def test_form_that_does_not_say_where_it_belongs_is_no_form_of_ours(door: Door, metadata: str) -> None:
    assert await door.interaction(sent_form(metadata)) == (200, "")
    assert door.inbox.asked == []


@pytest.mark.parametrize("secret", ["new", "old"])
async def test_both_secrets_of_a_rotation_count(door: Door, secret: str) -> None:
    body = json.dumps(envelope(reaction())).encode()
    assert (await door.knock(body, secret=secret))[0] == 200
    assert len(door.inbox.accepted) == 1


async def test_slack_s_check_of_the_address_is_answered(door: Door) -> None:
    body = b'{"type":"url_verification","challenge":"c-1","token":"t"}'
    status, answer = await door.knock(body)
    assert (status, json.loads(answer)) == (200, {"challenge": "c-1"})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"secret": "other"}, "wrong"),
        ({"at": NOW - 301}, "stale"),
        ({"at": NOW + 301}, "of the future"),
        ({"headers": {"X-Slack-Signature": ""}}, "unsigned"),
        ({"headers": {"X-Slack-Request-Timestamp": "abc"}}, "without time"),
        ({"headers": {"X-Slack-Signature": "v0=é"}}, "not ASCII"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_request_that_slack_did_not_sign_is_refused(door: Door, changes: Any, reason: str) -> None:
    body = json.dumps(envelope(message("<@U0BOT> hi"))).encode()
    assert await door.knock(body, **changes) == (401, "")
    assert door.inbox.asked == []


async def test_signature_is_checked_before_the_body_is_read(door: Door) -> None:
    assert await door.knock(b'{"type": [', secret="other") == (401, "")
    assert await door.knock(b'{"type":"url_verification","challenge":"c"}', secret="other") == (401, "")


async def test_body_may_be_large_but_not_too_large(door: Door) -> None:
    text = json.dumps(envelope(message("<@U0BOT> hi"))).encode()
    assert (await door.knock(text.ljust(BODY_BYTES)))[0] == 200
    assert (await door.knock(text.ljust(BODY_BYTES + 1)))[0] == 413


async def test_body_without_a_length_is_cut_off(door: Door) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    async with door.client.post(PATH, data=endless()) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", JSON),
        (b"{", JSON),
        (b"[]", JSON),
        (b"5", JSON),
        (b"\xff\xfe", JSON),
        (b"[" * 100_000, JSON),
        (b'{"type":"event_callback","channel":5,"event":{"channel":[]},"user":7}', JSON),
        (b"payload=%7B", FORM),
        (b"payload=5", FORM),
        (b"payload=", FORM),
    ],
)
async def test_signed_nonsense_is_malformed(door: Door, body: bytes, content_type: str) -> None:
    assert (await door.knock(body, content_type=content_type))[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        envelope({"type": "app_home_opened", "user": "U0ANN"}),
        envelope({"type": "reaction_added"}),
        envelope(message("no mention, no thread")),
        {"type": "app_rate_limited", "team_id": "T0001", "minute_rate_limited": 1_700_000_000},
        {"type": "something_new"},
        {},
    ],
    ids=["unknown event", "odd event", "not for us", "rate limited", "unknown envelope", "empty"],
)
async def test_signed_event_that_nobody_handles_is_fine(door: Door, body: dict[str, Any]) -> None:
    assert await door.knock(json.dumps(body).encode()) == (200, "")
    assert door.inbox.asked == []


@pytest.mark.parametrize(
    "payload",
    [
        click({"action_id": "open"}),
        click({"action_id": "something_old"}),
        click({"action_id": "stop"}) | {"container": None},
        {
            "type": "view_submission",
            "view": {"callback_id": "v", "type": "modal"},
            "user": {"id": "U0ANN"},
            "team": {"id": "T0001"},
        },
        {"type": "message_action", "callback_id": "c", "team": {"id": "T0001"}},
    ],
    ids=["link", "unknown action", "odd click", "unknown view", "unknown shortcut"],
)
async def test_signed_interaction_that_nobody_handles_is_fine(door: Door, payload: dict[str, Any]) -> None:
    assert await door.interaction(payload) == (200, "")
    assert door.inbox.asked == []


async def test_form_without_payload_is_fine(door: Door) -> None:
    assert await door.knock(b"ssl_check=1&token=t", content_type=FORM) == (200, "")
    assert await door.knock(b"command=%2Flinear&text=hi&team_id=T0001", content_type=FORM) == (200, "")


async def test_listener_that_fails_makes_slack_come_again(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    door.inbox.fails_with = RuntimeError("a bug")
    assert await door.event(message("<@U0BOT> hi")) == 500
    assert "slack listener failed" in caplog.messages


async def test_refusal_leaves_one_log_line_without_the_body(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await door.knock(b'{"text":"attacker"}', secret="other")
    [record] = [record for record in caplog.records if record.name.startswith("bots")]
    assert (record.getMessage(), record.__dict__["status"]) == ("slack request refused", 401)
    assert not any("attacker" in str(each.__dict__) for each in caplog.records)
