"""What failed calls of the Bot Connector mean for the caller. Pure."""

import math
from collections.abc import Mapping
from typing import Any, Final

from core.activities import Blocker
from core.errors import DeliveryError, Refused, TargetGone, Throttled, TryLater

PAUSE_S: Final = 5.0
"""Waited after a 429 without a usable `Retry-After`; Teams counts in windows of 1, 2 and 30 seconds."""

LONGEST_PAUSE_S: Final = 3_600.0

_REMOVED: Final = frozenset(
    {
        "activitynotfound",
        "activitynotfoundinconversation",
        "membernotfoundinconversation",
        "messagenotfound",
    }
)
"""With 404: what the call was about is not there, but the conversation may be."""

_NOT_DONE: Final = frozenset({412})
"""By its meaning nothing was begun: a condition did not hold. 503 is no such word: a gateway may answer it
for a call that was executed behind it.
"""


def delivery_error(call: str, status: int, body: Any, headers: Mapping[str, str]) -> DeliveryError:
    """What was answered to `call`, as what the caller does next.

    The messages hold the call, the status and Microsoft's own error code: no token, no text.
    """
    code = error_code(body)
    said = f"{call}: {code or status}"
    if status == 429:
        return Throttled(f"{call}: Teams asks for a pause", retry_after_s=_retry_after_s(headers))
    if status in (403, 404):
        return _closed(said, status, code.lower())
    if status == 401:
        # The token, not the thread: everything waits until somebody mends it, and nothing is given up.
        return TryLater(f"{call}: Teams refuses our token")
    if status in _NOT_DONE or status < 400:
        return TryLater(said)
    if status >= 500 or status == 408:
        return TryLater(said, maybe_done=True)
    return Refused(said)


def _closed(said: str, status: int, code: str) -> DeliveryError:
    if code in ("", "notfound"):
        # Not Teams' word about the thread: a gateway's, or that of an address which serves no more. Then the
        # next activity brings the new one.
        return TryLater(said)
    if status == 404 and code in _REMOVED:
        return Refused(said)
    return TargetGone(said, code=Blocker.CHAT_GONE)


def error_code(body: Any) -> str:
    """Microsoft's own code, empty if there is none."""
    error = body.get("error") if isinstance(body, Mapping) else None
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, str) and code.isascii() and code.isalnum() else ""


def _retry_after_s(headers: Mapping[str, str]) -> float:
    try:
        pause_s = float(headers.get("Retry-After", PAUSE_S))
    except ValueError:
        return PAUSE_S
    return min(max(0.0, pause_s), LONGEST_PAUSE_S) if math.isfinite(pause_s) else PAUSE_S
