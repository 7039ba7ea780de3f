"""What failed calls mean."""

from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack.faults import PAUSE_S, delivery_error, error_code
from core.errors import Refused, TargetGone, Throttled, TryLater

KEY = ConnectionKey("slack.test", 443, True, True, None, None, None)


def answer(status: int, data: Any, **headers: str) -> SlackApiError:
    response = AsyncSlackResponse(
        client=AsyncWebClient(),
        http_verb="POST",
        api_url="https://slack.test/api/x",
        req_args={},
        data=data,
        headers=headers,
        status_code=status,
    )
    return api_error(response)


def api_error(response: object) -> SlackApiError:
    return SlackApiError("failed", response)  # type: ignore[no-untyped-call]  # The SDK leaves it unannotated.


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (answer(200, {"ok": False, "error": "channel_not_found"}), TargetGone),
        (answer(200, {"ok": False, "error": "token_expired"}), TryLater),
        (answer(200, {"ok": False, "error": "msg_too_long"}), Refused),
        (answer(200, {"ok": False, "error": "invalid_blocks"}), Refused),
        (answer(200, {"ok": False, "error": "missing_scope"}), Refused),
        (answer(200, {"ok": False, "error": "cant_update_message"}), Refused),
        (answer(200, {"ok": False, "error": "ratelimited"}), Throttled),
        (answer(429, {}, **{"Retry-After": "3"}), Throttled),
        (answer(200, {"ok": False, "error": "fatal_error"}), TryLater),
        (answer(200, {"ok": False}), TryLater),
        (answer(200, {"ok": False, "error": 5}), TryLater),
        (answer(503, {"ok": False, "error": "service_unavailable"}), TryLater),
        (answer(502, "<html>"), TryLater),
        (api_error("no response"), TryLater),
        (TimeoutError(), TryLater),
        (aiohttp.ServerDisconnectedError(), TryLater),
        (ConnectionResetError(), TryLater),
    ],
    ids=str,
)
def test_error_says_what_to_do_next(error: Exception, meaning: type[Exception]) -> None:
    found = delivery_error("chat.postMessage", error)
    assert type(found) is meaning
    assert str(found).startswith("chat.postMessage: ")


@pytest.mark.parametrize(
    ("error", "maybe_done"),
    [
        (aiohttp.ClientConnectorError(KEY, OSError(111, "refused")), False),
        (aiohttp.ConnectionTimeoutError(), False),
        (aiohttp.SocketTimeoutError(), True),
        (TimeoutError(), True),
        (aiohttp.ServerDisconnectedError(), True),
        (aiohttp.ClientPayloadError(), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_a_call_that_was_never_sent_is_surely_undone(error: Exception, maybe_done: bool) -> None:
    found = delivery_error("chat.postMessage", error)
    assert isinstance(found, TryLater)
    assert found.maybe_done is maybe_done


@pytest.mark.parametrize(
    ("headers", "pause_s"), [({"Retry-After": "7"}, 7.0), ({"Retry-After": "soon"}, PAUSE_S), ({}, PAUSE_S)]
)
def test_pause_without_a_number_is_half_a_minute(headers: dict[str, str], pause_s: float) -> None:
    found = delivery_error("chat.update", answer(429, {}, **headers))
    assert isinstance(found, Throttled)
    assert found.retry_after_s == pause_s


def test_code_is_slack_s_or_none() -> None:
    assert error_code(answer(200, {"ok": False, "error": "no_reaction"})) == "no_reaction"
    assert error_code(TimeoutError()) == ""
