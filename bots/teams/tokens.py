"""Our own token for the connector, for the app's id and secret."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Annotated, Final

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bots.teams.http import HTTP_ERRORS, Answer, ask
from core.errors import TryLater

SCOPE: Final = "https://api.botframework.com/.default"
MARGIN_S: Final = 300.0
"""A token is replaced this long before its end, or half-way through a short life."""


class _Grant(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    access_token: Annotated[str, Field(min_length=1)]
    expires_in: Annotated[float, Field(gt=0, lt=10 * 365 * 86_400)]


class _Refusal(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    error: str


class BotToken:
    """Mints a token when one is needed, once however many ask; stores nothing.

    Args:
        token_url: `https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token`, or that of a stand-in.
        now: Seconds that only go forward.

    Source: "The OAuth 2.0 client credentials grant" in Microsoft's documentation.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        token_url: str,
        *,
        app_id: str,
        secret: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._token_url = token_url
        self._form = {
            "grant_type": "client_credentials",
            "client_id": app_id,
            "client_secret": secret,
            "scope": SCOPE,
        }
        self._now = now
        self._token: str | None = None
        self._until = 0.0
        self._minting = asyncio.Lock()

    async def current(self) -> str:
        """The token in use, or a new one; raises `TryLater`: a call that needs it was not made."""
        async with self._minting:
            if self._token is None or self._now() >= self._until:
                await self._mint()
            return self._token or ""

    async def renew(self, dead: str) -> str:
        """Another token than `dead`. Callers that fail together share the new one."""
        async with self._minting:
            if self._token is None or self._token == dead:
                await self._mint()
            return self._token or ""

    async def _mint(self) -> None:
        asked_at = self._now()
        try:
            answer = await ask(self._http, "POST", self._token_url, form=self._form)
        except HTTP_ERRORS as error:
            # `from None`: nothing that knows the form may hang on the error.
            raise TryLater(f"no token from Microsoft ({type(error).__name__})") from None
        grant = _grant(answer)
        self._token = grant.access_token
        self._until = asked_at + max(grant.expires_in - MARGIN_S, grant.expires_in / 2)


def _grant(answer: Answer) -> _Grant:
    try:
        return _Grant.model_validate(answer.body)
    except ValidationError:
        pass
    try:
        code = re.sub(r"[^a-z_]", "", _Refusal.model_validate(answer.body).error)[:40]
    except ValidationError:
        code = ""
    # Not given up, whatever it is: the secret may have run out, and somebody will mend it.
    raise TryLater(f"no token from Microsoft ({code or f'HTTP {answer.status}'})")
