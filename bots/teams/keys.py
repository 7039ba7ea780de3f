"""The keys that Microsoft signs activities with."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import aiohttp
import jwt
from pydantic import BaseModel, ConfigDict, ValidationError

from bots.teams.http import HTTP_ERRORS, ask
from core.errors import ThreadlineError

log = logging.getLogger(__name__)

FRESH_S: Final = 86_400.0
"""Keys are fetched again after a day; Microsoft asks for that."""

TRUSTED_S: Final = 2 * FRESH_S
"""How long keys count while Microsoft's host does not answer; a key that was taken back may count as long."""

COOL_DOWN_S: Final = 30.0
"""Between two fetches because of unknown keys: anybody can name one."""

RETRY_S: Final = 5.0
"""Between two fetches that fail."""


class KeysUnavailable(ThreadlineError):
    """No key can be had now, so nothing can be judged; Teams must send it again."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key, whose tokens it is for, and the channels that it may vouch for."""

    key: Any
    issuer: str
    endorsements: frozenset[str]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Metadata(_Wire):
    issuer: str
    jwks_uri: str


class _KeySet(_Wire):
    keys: tuple[dict[str, Any], ...]


class _Key(_Wire):
    kid: str
    kty: Literal["RSA"]
    endorsements: tuple[str, ...] = ()


_Model = TypeVar("_Model", bound=BaseModel)


class SigningKeys:
    """Fetches the keys when they are first needed, every day, and when a token names one we do not know.

    However many ask, there is one fetch at a time, and only those wait for it who cannot be answered without
    it: a known key goes on to serve while newer ones are on their way.

    Args:
        metadata_url: The OpenID document of the Bot Connector.
        now: Seconds that only go forward.
    """

    def __init__(
        self, http: aiohttp.ClientSession, metadata_url: str, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._metadata_url = metadata_url
        self._now = now
        self._keys: Mapping[str, SigningKey] = {}
        self._fetched_at: float | None = None
        self._not_before = float("-inf")
        self._trouble: str | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> SigningKey | None:
        """The key with this id, None if Microsoft has none; raises `KeysUnavailable`.

        Soon after a fetch nobody can say that: the key may be newer, and what it signed must come again.
        """
        known = self._known(kid)
        if known is not None:
            if self._age_s() >= FRESH_S:
                self._fetch_soon()
            return known
        if (fetching := self._fetch_soon()) is None:
            raise KeysUnavailable(self._trouble or "it is too early to ask for the newest keys again")
        await self._wait_for(fetching)
        known = self._known(kid)
        if known is None and self._trouble is not None:
            raise KeysUnavailable(self._trouble)
        return known

    async def close(self) -> None:
        """End a fetch that is on its way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait({self._fetching})

    async def _wait_for(self, fetching: asyncio.Task[None]) -> None:
        """Without taking it along, if whoever waits is cancelled."""
        await asyncio.wait({fetching})
        if fetching.cancelled():
            raise KeysUnavailable("we are about to stop")
        fetching.result()

    def _known(self, kid: str) -> SigningKey | None:
        return self._keys.get(kid) if self._age_s() < TRUSTED_S else None

    def _age_s(self) -> float:
        return float("inf") if self._fetched_at is None else self._now() - self._fetched_at

    def _fetch_soon(self) -> asyncio.Task[None] | None:
        """The fetch that is on its way, or a new one; None while it is too early for another."""
        if self._fetching is None or self._fetching.done():
            if self._now() < self._not_before:
                return None
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            keys = await self._newest()
        except (*HTTP_ERRORS, KeysUnavailable) as error:
            reason = str(error) if isinstance(error, KeysUnavailable) else type(error).__name__
            self._trouble = f"Microsoft's signing keys cannot be fetched ({reason})"
            self._not_before = self._now() + RETRY_S
            log.warning("teams signing keys not fetched", extra={"reason": reason})
            return
        # The first fetch says nothing about unknown keys: a change right after it is found at once.
        if self._fetched_at is not None:
            self._not_before = self._now() + COOL_DOWN_S
        self._keys, self._fetched_at, self._trouble = keys, self._now(), None

    async def _newest(self) -> Mapping[str, SigningKey]:
        metadata = await self._get(self._metadata_url, _Metadata)
        if self._metadata_url.startswith("https:") and not metadata.jwks_uri.startswith("https:"):
            raise KeysUnavailable("the keys are not offered over https")
        offered = await self._get(metadata.jwks_uri, _KeySet)
        if not (keys := dict(_usable(offered, metadata.issuer))):
            raise KeysUnavailable("there is no usable key among them")
        return keys

    async def _get(self, url: str, model: type[_Model]) -> _Model:
        answer = await ask(self._http, "GET", url)
        if answer.status != 200:
            raise KeysUnavailable(f"HTTP {answer.status}")
        try:
            return model.model_validate(answer.body)
        except ValidationError:
            raise KeysUnavailable("unreadable answer") from None


def _usable(offered: _KeySet, issuer: str) -> Iterator[tuple[str, SigningKey]]:
    for each in offered.keys:
        try:
            named = _Key.model_validate(each)
            key = jwt.PyJWK(each, "RS256").key
        except (ValidationError, jwt.PyJWTError, ValueError):
            continue  # Of a kind that does not concern us.
        yield named.kid, SigningKey(key, issuer, frozenset(named.endorsements))
