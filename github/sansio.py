"""GitHub's HTTP rules without HTTP: addresses, headers, redirects, limits. Pure: no clock, no I/O."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urljoin, urlsplit

API_VERSION: Final = "2026-03-10"
JSON: Final = "application/vnd.github+json"
REDIRECTS: Final = frozenset({301, 302, 307, 308})

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

_ENTERPRISE: Final = "/api/v3"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, still without credential and host.

    Attributes:
        path: From `github.paths.path`: checked and encoded.
        query: Plain values; they are encoded when sent.
        body: Sent as JSON; None for none.
        also: Statuses beyond 2xx whose body the caller reads itself.
    """

    method: Method
    path: str
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    also: frozenset[int] = frozenset()

    @property
    def is_read(self) -> bool:
        return self.method == "GET"


def graphql_url(api_url: str) -> str:
    """Where GraphQL is: beside `/api/v3` on an enterprise server, below the API's address elsewhere."""
    base = api_url.rstrip("/")
    if base.endswith(_ENTERPRISE):
        return base.removesuffix("/v3") + "/graphql"
    return f"{base}/graphql"


def headers_of(authorization: str, *, accept: str = JSON) -> dict[str, str]:
    """What goes along with every request."""
    return {
        "Authorization": authorization,
        "Accept": accept,
        "X-GitHub-Api-Version": API_VERSION,
        "User-Agent": "threadline",
    }


def next_hop(url: str, status: int, headers: Mapping[str, str]) -> str | None:
    """Where a read goes on from a redirect: on the same host only, for a token must not travel.

    Returns:
        An absolute address; None if this is no redirect, or it leads elsewhere.
    """
    location = lowered(headers).get("location")
    if status not in REDIRECTS or not location:
        return None
    try:
        target = urljoin(url, location)
        is_same = _origin(target) == _origin(url)
    except ValueError:
        return None
    return target if is_same else None


def next_cursor(headers: Mapping[str, str]) -> str | None:
    """Where a list goes on that has cursors in place of page numbers; None at its end."""
    for link in lowered(headers).get("link", "").split(","):
        address, _, rest = link.partition(";")
        if 'rel="next"' in rest:
            try:
                query = parse_qs(urlsplit(address.strip().strip("<>")).query)
            except ValueError:
                return None
            return next(iter(query.get("cursor", ())), None)
    return None


def elsewhere(url: str, status: int, headers: Mapping[str, str]) -> str | None:
    """Where a redirect to a store of files leads, to be read without a credential.

    Returns:
        An absolute address, https unless the API itself is asked without; None if there is none.
    """
    location = lowered(headers).get("location")
    if status not in REDIRECTS or not location:
        return None
    try:
        target = urljoin(url, location)
        parts = urlsplit(target)
    except ValueError:
        return None
    is_safe = parts.scheme == "https" or parts.scheme == urlsplit(url).scheme == "http"
    return target if is_safe and parts.hostname and not parts.username else None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of one of a credential's limits, as an answer told it.

    Attributes:
        resource: "core", "graphql", ...: each has its own limit.
        reset_at: When the whole limit is there again, aware.
    """

    resource: str
    remaining: int
    reset_at: datetime


def parse_quota(headers: Mapping[str, str]) -> Quota | None:
    """Read the `X-RateLimit-*` headers, names in any case; None unless all of them can be read."""
    low = lowered(headers)
    remaining = number(low.get("x-ratelimit-remaining"))
    reset = number(low.get("x-ratelimit-reset"))
    moment = None if reset is None else _moment(reset)
    if remaining is None or moment is None:
        return None
    return Quota(low.get("x-ratelimit-resource", "core"), int(remaining), moment)


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by their names in small letters."""
    return {name.lower(): value for name, value in headers.items()}


def number(text: str | None) -> float | None:
    """A number that counts something; None for anything else."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
