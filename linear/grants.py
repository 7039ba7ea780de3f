"""Linear's token endpoint: grants traded for tokens, and tokens given back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urljoin

import httpx
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from core.store.installs import Tokens
from linear.authorization import SCOPES
from linear.errors import LinearError, Rejected, Transient, Unauthorized

TIMEOUT_S = 10.0


class GrantDead(Unauthorized):
    """The code or refresh token counts for nothing any more: only a new install helps."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What the endpoint gave; a client credentials grant has no refresh token."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    lifetime: timedelta
    scopes: tuple[str, ...]

    def tokens(self, asked_at: datetime, *, earlier: Tokens | None = None) -> Tokens:
        """As they are stored; without a new refresh token the `earlier` one goes on to count."""
        refresh_token = self.refresh_token or (earlier.refresh_token if earlier else None)
        return Tokens(self.access_token, refresh_token, asked_at + self.lifetime)


class TokenEndpoint:
    """Asks for tokens in the name of one OAuth app. Nothing is kept, nothing repeated.

    Args:
        token_url: `https://api.linear.app/oauth/token`, or that of a stand-in; `revoke` is beside it.

    Raises:
        GrantDead: Linear does not know the code or refresh token (any more).
        Unauthorized: Linear refuses the client id or secret, or the kind of grant.
        Transient: No answer, or one that says nothing about the grant. The same refresh token may be sent
            again: for 30 minutes Linear repeats an answer that was lost.
        Rejected: Anything else, such as an address that the app does not list.

    Source: Linear's OAuth 2.0 documentation.
    """

    def __init__(
        self, http: httpx.AsyncClient, token_url: str, *, client_id: str, client_secret: str
    ) -> None:
        self._http = http
        self._token_url = token_url
        self._client = {"client_id": client_id, "client_secret": client_secret}

    async def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> Grant:
        """Trade the code of an authorization; it counts once."""
        return await self._grant(
            "authorization_code", code=code, code_verifier=verifier, redirect_uri=redirect_uri
        )

    async def refresh(self, refresh_token: str) -> Grant:
        """Trade a refresh token for a new pair; the old one then only repeats this answer."""
        return await self._grant("refresh_token", refresh_token=refresh_token)

    async def mint(self) -> Grant:
        """A token of the app for its own workspace, for 30 days."""
        return await self._grant("client_credentials", scope=",".join(SCOPES))

    async def revoke(self, token: str) -> None:
        """Give a token back; one that is dead already is no error."""
        url = urljoin(self._token_url, "revoke")
        answer = await self._post(url, {"token": token, "token_type_hint": "access_token"})
        if answer.status_code not in {200, 400, 401}:
            raise Transient(f"not revoked: HTTP {answer.status_code}", maybe_done=True)

    async def _grant(self, grant_type: str, **fields: str) -> Grant:
        answer = await self._post(self._token_url, {"grant_type": grant_type, **fields, **self._client})
        if answer.status_code != 200:
            raise _refusal(answer)
        try:
            body = _GrantBody.model_validate_json(answer.content)
        except ValidationError:  # Its text may repeat a token, so it stays out.
            unread = Transient("no token: unreadable answer", maybe_done=False)
        else:
            return Grant(
                body.access_token, body.refresh_token, timedelta(seconds=body.expires_in), body.scope
            )
        raise unread

    async def _post(self, url: str, form: Mapping[str, str]) -> httpx.Response:
        try:
            return await self._http.post(url, data=form, timeout=TIMEOUT_S)
        except httpx.HTTPError as error:
            # `from None`: the request that hangs on the error holds the secret.
            raise Transient(f"no token: {type(error).__name__}", maybe_done=False) from None


def _refusal(answer: httpx.Response) -> LinearError:
    status = answer.status_code
    try:
        code = _RefusalBody.model_validate_json(answer.content).error
    except ValidationError:
        code = ""
    # Only Linear's own word ends an install: something between us may answer 4xx too.
    if status >= 500 or status in {408, 425, 429} or not code:
        return Transient(f"no token: HTTP {status}", maybe_done=False)
    if code == "invalid_grant":
        return GrantDead("Linear does not know this grant any more")
    if status == 401 or code in {"invalid_client", "unauthorized_client", "unsupported_grant_type", "Error"}:
        return Unauthorized("Linear refused the client id, its secret, or this kind of grant")
    return Rejected(f"no token: {re.sub(r'[^a-z_]', '', code)[:40]}")


def _words(scope: object) -> object:
    return re.split(r"[ ,]+", scope.strip()) if isinstance(scope, str) else scope


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _GrantBody(_Body):
    access_token: Annotated[str, Field(min_length=1)]
    refresh_token: str | None = None
    expires_in: Annotated[float, Field(gt=0, lt=10 * 365 * 86400)]
    # Text with blanks or commas; a list from apps made before December 2023.
    scope: Annotated[tuple[str, ...], BeforeValidator(_words)] = ()


class _RefusalBody(_Body):
    error: str
