"""Linear's HTTP rules without HTTP: requests, answers, quotas, signatures. Pure: no clock, no I/O."""

import hmac
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any

from linear.errors import (
    AlreadyExists,
    BadSignature,
    Forbidden,
    LinearError,
    NotFound,
    RateLimited,
    Rejected,
    StaleDelivery,
    Transient,
    Unauthorized,
)

LONGEST_REDELIVERY = timedelta(hours=7, minutes=15)
"""Linear repeats a failed delivery after 1 minute, 1 hour and 6 hours, byte for byte, timestamp included.

Each of them counts from the attempt before, which makes 7 h 1 min; the rest is for slow answers and clocks.
"""

CLOCK_SKEW = timedelta(seconds=60)

_MESSAGE_CHARS = 200
_ENTITY_GONE = re.compile(r"Entity not found: (\w+)")
_CONFLICT = re.compile(r"conflict on insert of (\w+)")
_EXISTING_ID = re.compile(r"with id (\S+) already exists")

# One error is spelled `LOCK_TIMEOUT` (code) and `lock timeout` (type): compared as `locktimeout`.
_RATE_LIMITED = {"ratelimited"}
_UNAUTHORIZED = {"authenticationerror", "unauthenticated"}
_FORBIDDEN = {"forbidden", "featurenotaccessible", "usagelimitexceeded"}
_NOT_DONE = {"locktimeout"}
_MAYBE_DONE = {"internal", "internalerror", "internalservererror", "networkerror", "bootstraperror"}


def build_request(document: str, operation: str, variables: Mapping[str, object]) -> bytes:
    """The body of a GraphQL POST: JSON in ASCII, because half a surrogate pair has no UTF-8 form."""
    body = {"query": document, "operationName": operation, "variables": dict(variables)}
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


def authorization_header(token: str) -> str:
    """A personal API key goes as it is, an OAuth token as a bearer."""
    return token if token.startswith("lin_api_") else f"Bearer {token}"


def classify(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return the `data` of a GraphQL answer, or raise what the caller should do next.

    Args:
        status: HTTP status. Decides only where the body does not: 200 may carry errors, and an exceeded limit
            was seen under both 400 and 429.
        headers: Response headers, names in any case; only the hints about limits are read.
        body: Response body as received.

    Raises:
        LinearError: RateLimited, Unauthorized, Forbidden, NotFound, AlreadyExists, Rejected or Transient.
            `success: false` in any payload is Rejected; an answer that is not GraphQL is Transient.

    Source: Linear's rate-limit documentation and error types; observed answers.
    """
    answer = _parsed(body)
    if errors := _errors(answer):
        raise _from_errors(status, headers, errors)
    if refusal := _from_status(status, headers, readable=answer is not None):
        raise refusal
    data = answer.get("data") if answer else None
    if not isinstance(data, dict):
        raise Transient(f"unreadable answer, HTTP {status}", maybe_done=True)
    for field, payload in data.items():
        if isinstance(payload, dict) and payload.get("success") is False:
            raise Rejected(f"{field} did not succeed")
    return data


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):  # HTML from a gateway, a cut answer, or nesting made to hurt.
        return None
    return answer if isinstance(answer, dict) else None


def _errors(answer: dict[str, Any] | None) -> list[dict[str, Any]]:
    errors = answer.get("errors") if answer else None
    if not isinstance(errors, list):
        return []
    return [error if isinstance(error, dict) else {} for error in errors]


def _from_status(status: int, headers: Mapping[str, str], *, readable: bool) -> LinearError | None:
    """What the status alone says about an answer without GraphQL errors; None if it says nothing bad."""
    if status == 401:
        return Unauthorized("token refused")
    if status == 429:
        return _rate_limited(headers)
    if status >= 500:
        return Transient(f"HTTP {status}", maybe_done=True)
    if status == 413:
        return Rejected("request too large")
    if status >= 300:
        return _refused(status, readable=readable)
    return None


def _refused(status: int, *, readable: bool) -> LinearError:
    if not readable or status in {408, 425}:  # Something between us and Linear spoke.
        return Transient(f"HTTP {status}", maybe_done=False)
    if status == 403:
        return Forbidden("HTTP 403")
    return Rejected(f"HTTP {status}")


def _from_errors(status: int, headers: Mapping[str, str], errors: Sequence[dict[str, Any]]) -> LinearError:
    every: set[str] = set().union(*(_kinds(error) for error in errors))
    # With several errors, the one that stops the whole request decides.
    if status == 429 or every & _RATE_LIMITED:
        return _rate_limited(headers)
    if status == 401 or every & _UNAUTHORIZED:
        return Unauthorized("token refused")
    if answer := _about_entity(errors[0]):
        return answer
    if every & _NOT_DONE:
        return Transient(_described(status, errors[0]), maybe_done=False)
    if every & _MAYBE_DONE or status >= 500:
        return Transient(_described(status, errors[0]), maybe_done=True)
    if every & _FORBIDDEN or status == 403:
        return Forbidden(_described(status, errors[0]))
    return Rejected(_described(status, errors[0]))


def _about_entity(error: Mapping[str, Any]) -> LinearError | None:
    # Both come under INPUT_ERROR; only the wording tells them from a bad request.
    texts = f"{error.get('message')}\n{_extensions(error).get('userPresentableMessage')}"
    if conflict := _CONFLICT.search(texts):
        existing = _EXISTING_ID.search(texts)
        return AlreadyExists(conflict[1], existing[1] if existing else None)
    if gone := _ENTITY_GONE.search(texts):
        return NotFound(gone[1])
    return None


def _kinds(error: Mapping[str, Any]) -> set[str]:
    extensions = _extensions(error)
    return {re.sub(r"[^a-z]", "", str(extensions.get(name)).lower()) for name in ("code", "type")}


def _extensions(error: Mapping[str, Any]) -> dict[str, Any]:
    extensions = error.get("extensions")
    return extensions if isinstance(extensions, dict) else {}


def _described(status: int, error: Mapping[str, Any]) -> str:
    # Not `message`: for a bad variable it repeats the value, which may be anybody's text.
    extensions = _extensions(error)
    parts = (extensions.get("code") or extensions.get("type"), extensions.get("userPresentableMessage"))
    text = ": ".join(part for part in parts if isinstance(part, str))
    return " ".join(text.split())[:_MESSAGE_CHARS] or f"HTTP {status}"


def _rate_limited(headers: Mapping[str, str]) -> RateLimited:
    low = _lowered(headers)
    return RateLimited(retry_at=_retry_at(low), retry_after_s=_number(low.get("retry-after")))


def _retry_at(headers: Mapping[str, str]) -> datetime | None:
    with_date = headers.get("retry-after")
    if with_date is not None and (moment := _http_date(with_date)):
        return moment
    quota = parse_quota(headers)
    return max((until for until in quota.exhausted_until() if until), default=None)


@dataclass(frozen=True, slots=True)
class Allowance:
    """One hourly limit; None where Linear did not say. The bucket refills steadily until `reset_at`."""

    limit: int | None = None
    remaining: int | None = None
    reset_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of both limits of our token: requests, and complexity points."""

    requests: Allowance
    complexity: Allowance

    @property
    def is_known(self) -> bool:
        return self.requests.remaining is not None or self.complexity.remaining is not None

    def exhausted_until(self) -> Iterable[datetime | None]:
        """The reset of each limit that has nothing left."""
        return [limit.reset_at for limit in (self.requests, self.complexity) if limit.remaining == 0]


def parse_quota(headers: Mapping[str, str]) -> Quota:
    """Read the `X-RateLimit-*` headers, names in any case; whatever is absent or unreadable becomes None."""
    low = _lowered(headers)
    return Quota(requests=_allowance(low, "requests"), complexity=_allowance(low, "complexity"))


def _allowance(headers: Mapping[str, str], name: str) -> Allowance:
    limit, remaining, reset_ms = (
        _number(headers.get(f"x-ratelimit-{name}-{part}")) for part in ("limit", "remaining", "reset")
    )
    return Allowance(
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset_at=None if reset_ms is None else moment_of_ms(reset_ms),
    )


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def moment_of_ms(milliseconds: float) -> datetime | None:
    """An aware datetime from milliseconds since the Unix epoch; None where no calendar reaches."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def verify_signature(body: bytes, *, signature: str, secrets: Sequence[str]) -> None:
    """Check that one of `secrets` signed `body`; two are valid while a secret is being rotated.

    Args:
        body: The request body exactly as received; re-serialised JSON will not match.
        signature: `Linear-Signature` header: 64 lowercase hex digits, no prefix.
        secrets: Signing secrets of the webhook, as shown in Linear's settings; at least one.

    Raises:
        BadSignature: No secret fits. Answer 401; never log `body`.

    Source: `LinearWebhookClient.verify` in Linear's own TypeScript SDK.
    """
    sent = signature.encode("utf-8", "replace")  # compare_digest refuses text outside ASCII.
    fits = [hmac.compare_digest(_signature(body, secret), sent) for secret in secrets if secret]
    if not any(fits):
        raise BadSignature("signature does not match the body")


def _signature(body: bytes, secret: str) -> bytes:
    return hmac.new(secret.encode(), body, sha256).hexdigest().encode("ascii")


def verify_age(sent_at: datetime, *, now: datetime) -> None:
    """Check that a signed delivery is neither older than the last redelivery nor from the future.

    Args:
        sent_at: `webhookTimestamp` of the signed body, aware. Redeliveries keep it, so Linear's recommended
            window of 60 s would refuse every one of them; repeats are stopped by their keys instead.
        now: Current time, aware.

    Raises:
        StaleDelivery: Older than `LONGEST_REDELIVERY`, or more than `CLOCK_SKEW` ahead. Answer 401.
    """
    age = now - sent_at
    if age > LONGEST_REDELIVERY:
        raise StaleDelivery(f"delivery is {age} old")
    if age < -CLOCK_SKEW:
        raise StaleDelivery(f"delivery is {-age} ahead of our clock")


def verify_webhook(
    body: bytes, *, signature: str, secrets: Sequence[str], sent_at: datetime, now: datetime
) -> None:
    """`verify_signature`, then `verify_age`, with their arguments and errors."""
    verify_signature(body, signature=signature, secrets=secrets)
    verify_age(sent_at, now=now)
