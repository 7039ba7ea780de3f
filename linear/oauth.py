"""Tokens of an OAuth app that acts as itself: the client credentials grant of a self-hosted install."""

import asyncio

import httpx

from linear.errors import Transient, Unauthorized

SCOPES = "read,write,issues:create,comments:create,app:assignable,app:mentionable"


class ClientCredentials:
    """Mints a token when one is needed. Linear keeps one alive per app, so only one minter may exist.

    Args:
        token_url: `https://api.linear.app/oauth/token`, or that of a stand-in.

    Source: Linear's OAuth documentation; a token lives for 30 days and dies with the next one minted.
    """

    def __init__(
        self, http: httpx.AsyncClient, token_url: str, *, client_id: str, client_secret: str
    ) -> None:
        self._http = http
        self._token_url = token_url
        self._client_id = client_id
        self._client_secret = client_secret
        self._token: str | None = None
        self._minting = asyncio.Lock()

    async def current(self) -> str:
        """The token in use, minted at first."""
        async with self._minting:
            if self._token is None:
                self._token = await self._mint()
            return self._token

    async def renew(self, dead: str) -> str:
        """Another token than `dead`. Callers that fail together share the new one."""
        async with self._minting:
            if self._token is None or self._token == dead:
                self._token = await self._mint()
            return self._token

    async def _mint(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "scope": SCOPES,
        }
        try:
            answer = await self._http.post(self._token_url, data=form, timeout=10)
        except httpx.HTTPError as error:
            raise Transient(f"no token: {type(error).__name__}", maybe_done=False) from error
        if answer.status_code >= 500:
            raise Transient(f"no token: HTTP {answer.status_code}", maybe_done=False)
        token = answer.json().get("access_token") if answer.status_code == 200 else None
        if not isinstance(token, str):
            raise Unauthorized("Linear refused the client id or secret")
        return token
