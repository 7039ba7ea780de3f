"""Slack's request signature, version 0. Pure."""

import hmac
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

TOLERANCE_S: Final = 300

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


class BadSignature(Exception):
    """The request is not from Slack, or too old to be sure. Answer 401; never log the body."""


def verify(body: bytes, *, timestamp: str, signature: str, secrets: Sequence[str], now: float) -> None:
    """Check that Slack sent `body`, and sent it recently.

    Args:
        body: The request body exactly as received.
        timestamp: `X-Slack-Request-Timestamp`: whole seconds since the Unix epoch.
        signature: `X-Slack-Signature`: `v0=` and 64 lowercase hex digits.
        secrets: Signing secrets that count; two while one is being rotated.
        now: Current time in seconds since the Unix epoch.

    Raises:
        BadSignature: No secret fits, or the two times differ by more than `TOLERANCE_S` in either direction.

    Source: "Verifying requests from Slack" in Slack's documentation.
    """
    if not _TIMESTAMP.fullmatch(timestamp):
        raise BadSignature("the timestamp is not a number")
    if abs(now - int(timestamp)) > TOLERANCE_S:
        raise BadSignature("the timestamp is too far off")
    # As bytes: compare_digest refuses text beyond ASCII, and a header may hold any.
    sent = signature.encode(errors="surrogateescape")
    signed = b"v0:%b:%b" % (timestamp.encode(), body)
    # A list, so that the time taken does not tell which secret fits.
    fits = [hmac.compare_digest(sent, _signature(signed, secret)) for secret in secrets]
    if not any(fits):
        raise BadSignature("the signature does not fit the body")


def _signature(signed: bytes, secret: str) -> bytes:
    return b"v0=" + hmac.new(secret.encode(), signed, sha256).hexdigest().encode()
