"""What failed calls of Slack's Web API mean for the caller."""

from collections.abc import Mapping
from typing import Final

import aiohttp
from slack_sdk.errors import SlackApiError

from core.activities import Blocker
from core.errors import DeliveryError, Refused, TargetGone, Throttled, TryLater

PAUSE_S: Final = 30.0
"""Waited after a 429 without a usable `Retry-After`."""

_GONE: Final = frozenset(
    {
        "access_denied",
        "channel_not_found",
        "is_archived",
        "is_inactive",
        "no_permission",
        "not_allowed_token_type",
        "not_in_channel",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
        "restricted_action_thread_only_channel",
        "team_access_not_granted",
        "team_not_found",
        "thread_not_found",
    }
)
_LOCKED_OUT: Final = frozenset(
    {"account_inactive", "invalid_auth", "not_authed", "org_login_required", "token_expired", "token_revoked"}
)
"""The token, not the thread: everything waits until somebody mends it, and nothing is given up."""

_PASSING: Final = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable"})
"""Slack says of the first two that the call may have had its effect; the others are not sure either."""

_THROTTLED: Final = frozenset({"message_limit_exceeded", "rate_limited", "ratelimited"})

CALL_ERRORS: Final = (SlackApiError, aiohttp.ClientError, OSError)
"""All that a call of `AsyncWebClient` raises; a timeout is an `OSError`."""


def delivery_error(method: str, error: Exception) -> DeliveryError:
    """`error`, raised by a call of `method`, as what the caller does next.

    The messages hold the method and Slack's own error code: no token, no text.
    """
    if isinstance(error, SlackApiError):
        return _answered(method, *_answer(error))
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        return TryLater(f"{method}: no connection to Slack", maybe_done=False)
    return TryLater(f"{method}: the connection to Slack broke ({type(error).__name__})", maybe_done=True)


def error_code(error: Exception) -> str:
    """Slack's own code, empty if Slack did not get to say one."""
    return _answer(error)[1] if isinstance(error, SlackApiError) else ""


def _answer(error: SlackApiError) -> tuple[int, str, Mapping[str, str]]:
    """Status, error code and headers; for an answer without JSON the SDK hands out aiohttp's response."""
    response = error.response
    status = getattr(response, "status_code", None) or getattr(response, "status", None) or 0
    data = getattr(response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    return int(status), code if isinstance(code, str) else "", getattr(response, "headers", {})


def _answered(method: str, status: int, code: str, headers: Mapping[str, str]) -> DeliveryError:
    if status == 429 or code in _THROTTLED:
        return Throttled(f"{method}: Slack asks for a pause", retry_after_s=_retry_after_s(headers))
    if code in _GONE:
        return TargetGone(f"{method}: {code}", code=Blocker.CHAT_GONE)
    if code in _LOCKED_OUT:
        return TryLater(f"{method}: Slack refuses our token ({code})", maybe_done=False)
    if status >= 500 or code in _PASSING or not code:
        return TryLater(f"{method}: Slack answered {code or status}", maybe_done=True)
    return Refused(f"{method}: {code}")


def _retry_after_s(headers: Mapping[str, str]) -> float:
    try:
        return max(0.0, float(headers.get("Retry-After", PAUSE_S)))
    except ValueError:
        return PAUSE_S
