"""What GitHub's answers mean: refusals, words for people, partial data. Pure: no clock, no I/O."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from github.errors import (
    Conflict,
    Forbidden,
    GitHubError,
    Gone,
    Invalid,
    Moved,
    NotFound,
    NotMergeable,
    RateLimited,
    Transient,
    Unauthorized,
)
from github.sansio import REDIRECTS, lowered, number, parse_quota

SECONDARY_WAIT_S: Final = 60.0
"""GitHub's advice where a secondary limit comes without a hint."""

_WORDS_CHARS: Final = 300
_TOKEN: Final = re.compile(r"(?:gh[a-z]_|github_pat_)[A-Za-z0-9._-]{16,}|eyJ[\w-]{8,}\.[\w.-]{8,}")
_SSO_URL: Final = re.compile(r"url=(https://[^\s;,]+)")
_NOT_DONE: Final = frozenset({408, 425})


def read_json(status: int, body: bytes) -> Any:
    """The parsed body of a success; None for an empty one.

    Raises:
        Transient: It is not JSON, or was cut: nobody knows what was done.
    """
    if not body.strip():
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        unread = Transient(f"unreadable answer, HTTP {status}", maybe_done=True)
    raise unread


def refusal_of(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> GitHubError | None:
    """What an answer means to the caller; None for a success.

    Args:
        status: HTTP status.
        headers: Names in any case.
        body: As received; of a refusal only GitHub's own words are read.
        now: Current time, aware: limits are told as a moment.

    Source: GitHub's REST documentation ("Troubleshooting", "Rate limits"); observed answers.
    """
    if 200 <= status < 300 or status == 304:
        return None
    low = lowered(headers)
    told = _parsed(body)
    words = words_of(told) or f"HTTP {status}"
    if status == 429 or (status == 403 and _is_limit(low, words)):
        return RateLimited(_wait_s(low, now))
    if status >= 500 or status in _NOT_DONE:
        return Transient(f"HTTP {status}", maybe_done=status not in _NOT_DONE)
    if status in REDIRECTS:
        return Moved(words)
    if told is None:  # Something between us and GitHub spoke; GitHub always says why.
        return Transient(f"HTTP {status}", maybe_done=False)
    return _by_status(status, low, words)


def _by_status(status: int, headers: Mapping[str, str], words: str) -> GitHubError:
    match status:
        case 401:
            return Unauthorized("token refused")
        case 403 | 451:
            sso = _SSO_URL.search(headers.get("x-github-sso", ""))
            return Forbidden(words, sso_url=sso[1] if sso else None)
        case 404:
            return NotFound(words)
        case 405:
            return NotMergeable(words)
        case 409:
            return Conflict(words)
        case 410:
            return Gone(words)
        case _:
            return Invalid(words)


def graphql_data(
    headers: Mapping[str, str], answer: object, *, now: datetime, is_read: bool
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The `data` of a GraphQL answer with status 200, and which parts of it are hidden from the token.

    A query may leave out what the app was given no right to, such as the name of a team: those fields are
    null, and their places are returned. Anything else that went wrong is raised.

    Raises:
        GitHubError: RateLimited, NotFound, Forbidden, Conflict, Invalid or Transient.
    """
    told = answer if isinstance(answer, dict) else {}
    data = told.get("data")
    errors = _errors(told.get("errors"))
    hidden = [place for error in errors if is_read and (place := _hidden(error))]
    if errors and (len(hidden) < len(errors) or not isinstance(data, dict)):
        raise _from_errors(lowered(headers), errors, now)
    if not isinstance(data, dict):
        raise Transient("unreadable answer of GraphQL", maybe_done=True)
    return data, tuple(hidden)


def _errors(told: object) -> list[dict[str, Any]]:
    if told is None or told == []:
        return []
    listed = told if isinstance(told, list) else [told]
    return [error if isinstance(error, dict) else {} for error in listed]


def _hidden(error: Mapping[str, Any]) -> str:
    """The place of a field that is only hidden, deep enough that the rest still means something."""
    place = error.get("path")
    if str(error.get("type")) not in {"FORBIDDEN", "INSUFFICIENT_SCOPES"} or not isinstance(place, list):
        return ""
    return ".".join(str(part) for part in place) if len(place) > 2 else ""


def _from_errors(headers: Mapping[str, str], errors: list[dict[str, Any]], now: datetime) -> GitHubError:
    kinds = {str(error.get("type") or "") for error in errors}
    words = _cleaned(errors[0].get("message")) or "refused"
    # With several errors, the one that stops the whole request decides.
    if kinds & {"RATE_LIMITED", "RATE_LIMIT", "MAX_NODE_LIMIT_EXCEEDED"}:
        return RateLimited(_wait_s(headers, now))
    if "NOT_FOUND" in kinds:
        return NotFound(words)
    if kinds & {"FORBIDDEN", "INSUFFICIENT_SCOPES"}:
        sso = _SSO_URL.search(headers.get("x-github-sso", ""))
        return Forbidden(words, sso_url=sso[1] if sso else None)
    if "STALE_DATA" in kinds:
        return Conflict(words)
    # A document or variable that the schema does not take has a code, but no type.
    if "UNPROCESSABLE" in kinds or any(_code(error) for error in errors):
        return Invalid(words)
    return Transient(f"GraphQL: {words}", maybe_done=True)


def _code(error: Mapping[str, Any]) -> object:
    extensions = error.get("extensions")
    return extensions.get("code") if isinstance(extensions, dict) else None


def _is_limit(headers: Mapping[str, str], words: str) -> bool:
    said = words.casefold()
    is_spent = headers.get("x-ratelimit-remaining") == "0"
    return is_spent or "retry-after" in headers or "rate limit" in said or "abuse detection" in said


def _wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    if (told := number(headers.get("retry-after"))) is not None:
        return told
    quota = parse_quota(headers)
    if quota is not None and quota.remaining == 0:
        return max(0.0, (quota.reset_at - now).total_seconds())
    return SECONDARY_WAIT_S


def words_of(told: object) -> str:
    """GitHub's message and what it says about single fields, in one line; "" if it says nothing."""
    if not isinstance(told, dict):
        return ""
    parts = [_cleaned(told.get("message")), *_details(told.get("errors"))]
    seen = dict.fromkeys(part for part in parts if part)
    return "; ".join(seen)[:_WORDS_CHARS]


def _details(errors: object) -> Iterator[str]:
    for error in errors if isinstance(errors, list) else [errors]:
        if isinstance(error, str):
            yield _cleaned(error)
        elif isinstance(error, dict):
            named = " ".join(str(error[key]) for key in ("field", "code") if isinstance(error.get(key), str))
            yield _cleaned(error.get("message")) or _cleaned(named)


def _cleaned(text: object) -> str:
    """In one line, without characters that nobody sees and without anything that looks like a token."""
    if not isinstance(text, str):
        return ""
    visible = "".join(char if char.isprintable() else " " for char in text[: 4 * _WORDS_CHARS])
    return _TOKEN.sub("[redacted]", " ".join(visible.split()))[:_WORDS_CHARS]


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):  # HTML from a gateway, a cut answer, or nesting made to hurt.
        return None
    return answer if isinstance(answer, dict) else None
