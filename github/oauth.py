"""People's own tokens: how they are asked for, traded, refreshed, checked and given back.

Source: GitHub's documentation of user access tokens for GitHub Apps; RFC 7636 for PKCE.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Final
from urllib.parse import urlencode

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from github.credentials import ClientSecret, UnprovenToken, UserToken
from github.errors import GitHubError, Invalid, NotFound, RateLimited, Transient, Unauthorized
from github.model import Account, Email, read, read_all
from github.paths import path
from github.sansio import Call
from github.wire import Wire

TIMEOUT: Final = httpx.Timeout(20.0, connect=5.0)
AUTHORIZE_PATH: Final = "/login/oauth/authorize"
LINK_CALLBACK_PATH: Final = "/oauth/github/link/callback"
"""Where people come back to on our side."""

TOKEN_PATH: Final = "/login/oauth/access_token"

_NO_SUCH_GRANT: Final = frozenset({"bad_verification_code", "bad_refresh_token"})
_OUR_FAULT: Final = frozenset({"incorrect_client_credentials", "invalid_client", "unsupported_grant_type"})
_YEARS_S: Final = 10 * 365 * 86400


class GrantDead(Unauthorized):
    """The code or refresh token counts for nothing any more: only linking again helps."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A person's pair of tokens.

    Attributes:
        lifetime: Of the access token, 8 hours; None if the app's tokens do not expire.
        refresh_token: Counts once; None if the tokens do not expire.
        refresh_lifetime: Six months.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    lifetime: timedelta | None
    refresh_lifetime: timedelta | None

    @property
    def unproven(self) -> UnprovenToken:
        """The token for the question whose it is."""
        return UnprovenToken(self.access_token)


def authorize_url(web_url: str, *, client_id: str, redirect_uri: str, state: str, verifier: str) -> str:
    """Where a person lets the app act for them.

    Args:
        web_url: "https://github.com", an enterprise server, or a stand-in.
        redirect_uri: Exactly as the app lists it.
        state: Comes back unchanged.
        verifier: Stays here; only its digest goes along, so that a stolen code is worth nothing.
    """
    asked = {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
        "prompt": "select_account",
    }
    return f"{web_url.rstrip('/')}{AUTHORIZE_PATH}?{urlencode(asked)}"


def challenge_of(verifier: str) -> str:
    """The S256 challenge of RFC 7636: the digest in base64 for URLs, without padding."""
    digest = sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


class GitHubOAuth:
    """The OAuth half of the app. Nothing is kept, nothing repeated; every method raises `GitHubError`.

    Args:
        http: Shared with others.
        wire: To the API of the same GitHub.
        web_url: As in `authorize_url`.
    """

    def __init__(
        self, http: httpx.AsyncClient, wire: Wire, *, web_url: str, client_id: str, client_secret: str
    ) -> None:
        self._http = http
        self._wire = wire
        self._web_url = web_url.rstrip("/")
        self._client = ClientSecret(client_id, client_secret)

    def authorize_url(self, *, redirect_uri: str, state: str, verifier: str) -> str:
        """See the function of this name."""
        return authorize_url(
            self._web_url,
            client_id=self._client.client_id,
            redirect_uri=redirect_uri,
            state=state,
            verifier=verifier,
        )

    async def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> Grant:
        """Trade the code of an authorization; it counts once, for ten minutes.

        Raises:
            GrantDead: GitHub does not know the code (any more), or the verifier is not the one it came with.
        """
        return await self._grant(code=code, code_verifier=verifier, redirect_uri=redirect_uri)

    async def refresh(self, refresh_token: str) -> Grant:
        """Trade a refresh token for a new pair, after which neither token of the old one counts.

        Store the new pair before it is used. After a `Transient` with `maybe_done` the old one may be gone:
        trying again with it answers `GrantDead` then.
        """
        return await self._grant(grant_type="refresh_token", refresh_token=refresh_token)

    async def whoami(self, token: UnprovenToken | UserToken) -> Account:
        """Whose token it is. Raises Unauthorized for a dead one."""
        return read(Account, (await self._wire.send(token, Call("GET", "/user"))).json, about="an account")

    async def emails(self, token: UnprovenToken | UserToken) -> tuple[Email, ...]:
        """All addresses of the person, verified or not.

        Raises:
            Forbidden, NotFound: The app has no right to read them.
        """
        return read_all(Email, await self._wire.pages(token, Call("GET", "/user/emails")), about="an address")

    async def is_alive(self, token: UserToken) -> bool:
        """Whether GitHub still takes this token from our app for this person."""
        call = Call("POST", self._place("token"), body={"access_token": token.token})
        try:
            answer = await self._wire.send(self._client, call)
        except NotFound:
            return False
        owner = answer.json.get("user") if isinstance(answer.json, dict) else None
        return isinstance(owner, dict) and owner.get("id") == token.user_id

    async def revoke(self, access_token: str) -> None:
        """End everything that the person let the app do; a token that is dead already is no error."""
        call = Call("DELETE", self._place("grant"), body={"access_token": access_token})
        try:
            await self._wire.send(self._client, call)
        except (NotFound, Invalid):
            return

    def _place(self, what: str) -> str:
        return path("/applications/{client_id}/" + what, client_id=self._client.client_id)

    async def _grant(self, **fields: str) -> Grant:
        form = {"client_id": self._client.client_id, "client_secret": self._client.secret, **fields}
        answer = await self._post(form)
        if answer.status_code != 200:
            raise _refused_by_status(answer)
        try:
            body = _GrantBody.model_validate_json(answer.content)
        except ValidationError:  # Its text may repeat a token, so it stays out.
            refused = _refusal(answer)
        else:
            return Grant(
                body.access_token,
                body.refresh_token,
                _span(body.expires_in),
                _span(body.refresh_token_expires_in),
            )
        raise refused

    async def _post(self, form: Mapping[str, str]) -> httpx.Response:
        try:
            return await self._http.post(
                self._web_url + TOKEN_PATH,
                data=form,
                headers={"Accept": "application/json", "User-Agent": "threadline"},
                timeout=TIMEOUT,
                follow_redirects=False,
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Transient(f"no token: {type(error).__name__}", maybe_done=False) from None
        except httpx.HTTPError as error:
            # `from None`: the request that hangs on the error holds the secret.
            raise Transient(f"no token: {type(error).__name__}", maybe_done=True) from None


def _refused_by_status(answer: httpx.Response) -> GitHubError:
    status = answer.status_code
    if status == 429:
        return RateLimited()
    # Only GitHub's own word ends a link, and that comes with 200: something between us may answer 4xx too.
    return Transient(f"no token: HTTP {status}", maybe_done=status >= 500)


def _refusal(answer: httpx.Response) -> GitHubError:
    """GitHub says what is wrong with status 200."""
    try:
        code = _RefusalBody.model_validate_json(answer.content).error
    except ValidationError:
        return Transient("no token: unreadable answer", maybe_done=True)
    if code in _NO_SUCH_GRANT:
        return GrantDead("GitHub does not know this grant any more")
    if code in _OUR_FAULT:
        return Unauthorized("GitHub refused the client id or its secret")
    return Invalid(f"no token: {re.sub(r'[^a-z_]', '', code)[:40]}")


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _GrantBody(_Body):
    access_token: Annotated[str, Field(min_length=1)]
    refresh_token: str | None = None
    expires_in: Annotated[float, Field(gt=0, lt=_YEARS_S)] | None = None
    refresh_token_expires_in: Annotated[float, Field(gt=0, lt=_YEARS_S)] | None = None


class _RefusalBody(_Body):
    error: str
