"""Who is asking: the app's one living access token, tokens and API keys of members. Pure."""

import base64
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from playground.linear_errors import invalid
from playground.linear_events import Event, app_revoked
from playground.linear_model import User
from playground.linear_workspace import Workspace

MINTED_LIFETIME = timedelta(days=30)
GRANTED_LIFETIME = timedelta(hours=24)
REPLAY_GRACE = timedelta(minutes=30)
CODE_LIFETIME = timedelta(minutes=10)
SCOPES = frozenset(
    {
        "read",
        "write",
        "issues:create",
        "comments:create",
        "timeSchedule:write",
        "app:assignable",
        "app:mentionable",
        "customer:read",
        "customer:write",
        "initiative:read",
        "initiative:write",
    }
)
"""What an app may ask for with `actor=app`, so not `admin`."""
OF_APPS = frozenset({"app:assignable", "app:mentionable"})
"""What makes no sense with `actor=user`."""

Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Grant:
    """One generation of tokens; those of client credentials have no refresh token."""

    access_token: str
    refresh_token: str | None
    expires_at: datetime
    lifetime: timedelta
    scope: str

    def answer(self) -> Answer:
        body = {
            "access_token": self.access_token,
            "token_type": "Bearer",
            "expires_in": int(self.lifetime.total_seconds()) - 1,
            "scope": " ".join(_words(self.scope)),
        }
        return 200, body if self.refresh_token is None else {**body, "refresh_token": self.refresh_token}


@dataclass(frozen=True, slots=True)
class Code:
    """An approval on its way to the token endpoint; `person` if it is to be a token of that member."""

    redirect_uri: str
    scope: str
    challenge: str
    method: str
    expires_at: datetime
    person: User | None = None

    def fits(self, redirect_uri: object, verifier: object, now: datetime) -> bool:
        shown = str(verifier or "")
        if self.method == "S256":
            digest = sha256(shown.encode()).digest()
            shown = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return shown == self.challenge and redirect_uri == self.redirect_uri and now < self.expires_at


@dataclass(frozen=True, slots=True)
class Spent:
    """A refresh token that was used; until then it repeats the answer it got."""

    refresh_token: str
    until: datetime


class Tokens:
    """The OAuth side of one app in one workspace, and the members' keys (key -> e-mail address).

    Stricter than Linear where Linear's rules depend on history: every new token of the app, however it was
    got, ends the one before at once.

    Attributes:
        redirect_uris: Callback addresses that the app lists.
        admin_declines: Whether whoever is asked to approve says no.
        visitor: Who is signed in to Linear in the browser that comes with `actor=user`.
        personal: Living tokens of members, which apps got with `actor=user`.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        app_token: str,
        member_keys: Mapping[str, str],
        client: tuple[str, str],
        redirect_uris: Iterable[str] = (),
    ) -> None:
        self.redirect_uris = set(redirect_uris)
        self.admin_declines = False
        self.visitor = "ann"
        self.personal: dict[str, tuple[User, Grant]] = {}
        self._workspace = workspace
        self._client = client
        expires_at = workspace.clock.now() + MINTED_LIFETIME
        self._living: Grant | None = Grant(app_token, None, expires_at, MINTED_LIFETIME, "read write")
        self._spent: Spent | None = None
        self._codes: dict[str, Code] = {}
        self._members = {key: workspace.person(email) for key, email in member_keys.items()}

    def actor_of(self, authorization: str) -> User | None:
        """The user behind `Authorization`: `Bearer <token>` for the app, the bare key for a member."""
        scheme, _, token = authorization.partition(" ")
        if scheme == "Bearer" and self._is_valid(token):
            return self._workspace.app_user
        if scheme == "Bearer" and token in self.personal:
            person, grant = self.personal[token]
            return person if self._workspace.clock.now() < grant.expires_at else None
        return self._members.get(authorization)

    def authorize(self, asked: Mapping[str, str]) -> str:
        """Where the browser of an administrator goes after the consent page.

        Raises `Refusal` if that would not be safe: an unknown app, or an address that it does not list.
        """
        redirect_uri = asked.get("redirect_uri", "")
        if asked.get("client_id") != self._client[0]:
            raise invalid("unknown client_id")
        if redirect_uri not in self.redirect_uris:
            raise invalid("redirect_uri is not one of the app's")
        if error := self._declined(asked):
            back = {"error": error}
        else:
            back = {"code": self._approve(asked, redirect_uri)}
        if "state" in asked:
            back["state"] = asked["state"]
        return f"{redirect_uri}?{urlencode(back)}"

    def grant(self, form: Mapping[str, Any]) -> Answer:
        """Answer the token endpoint."""
        if not self._is_client(form):
            return 401, {"error": "invalid_client"}
        match form.get("grant_type"):
            case "client_credentials":
                scope = str(form.get("scope") or "read write")
                return self._issue(scope, MINTED_LIFETIME, refreshable=False).answer()
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                return self._refresh(str(form.get("refresh_token")))
            case _:
                return 400, {"error": "unsupported_grant_type"}

    def give_back(self, form: Mapping[str, Any]) -> int:
        """Answer the revocation endpoint: the status."""
        if self.personal.pop(str(form.get("token")), None):
            return 200
        living = self._living
        if living is None or form.get("token") not in {living.access_token, living.refresh_token}:
            return 400
        self._living = self._spent = None
        return 200

    def revoke(self) -> Event:
        """End every token of the app, as removing it from the workspace does; the webhook that follows."""
        self._living = self._spent = None
        return app_revoked(self._workspace)

    def _declined(self, asked: Mapping[str, str]) -> str | None:
        if asked.get("response_type") != "code":
            return "unsupported_response_type"
        allowed = SCOPES if asked.get("actor") == "app" else SCOPES - OF_APPS
        if not set(_words(asked.get("scope", "read"))) <= allowed:
            return "invalid_scope"
        is_proved = asked.get("code_challenge") and asked.get("code_challenge_method") in {"S256", "plain"}
        if asked.get("actor") not in {"app", "user"} or not is_proved:
            return "invalid_request"
        return "access_denied" if self.admin_declines else None

    def _approve(self, asked: Mapping[str, str], redirect_uri: str) -> str:
        code = secrets.token_hex(20)
        self._codes[code] = Code(
            redirect_uri=redirect_uri,
            scope=asked.get("scope", "read"),
            challenge=asked["code_challenge"],
            method=asked["code_challenge_method"],
            expires_at=self._workspace.clock.now() + CODE_LIFETIME,
            person=self._workspace.person(self.visitor) if asked["actor"] == "user" else None,
        )
        return code

    def _is_client(self, form: Mapping[str, Any]) -> bool:
        if form.get("client_id") != self._client[0]:
            return False
        # With PKCE the secret may be left out, but not be wrong.
        may_omit = form.get("grant_type") in {"authorization_code", "refresh_token"}
        shown = form.get("client_secret")
        return may_omit if shown is None else bool(shown == self._client[1])

    def _exchange(self, form: Mapping[str, Any]) -> Answer:
        code = self._codes.pop(str(form.get("code")), None)
        now = self._workspace.clock.now()
        if code is None or not code.fits(form.get("redirect_uri"), form.get("code_verifier"), now):
            return 400, {"error": "invalid_grant"}
        if code.person is not None:
            grant = self._grant(code.scope, GRANTED_LIFETIME, refreshable=True)
            self.personal[grant.access_token] = code.person, grant
            return grant.answer()
        return self._issue(code.scope, GRANTED_LIFETIME, refreshable=True).answer()

    def _refresh(self, refresh_token: str) -> Answer:
        now, living = self._workspace.clock.now(), self._living
        if living is None:
            return 400, {"error": "invalid_grant"}
        if refresh_token == living.refresh_token:
            self._spent = Spent(refresh_token, now + REPLAY_GRACE)
            return self._issue(living.scope, GRANTED_LIFETIME, refreshable=True).answer()
        if self._spent and refresh_token == self._spent.refresh_token and now < self._spent.until:
            return living.answer()
        return 400, {"error": "invalid_grant"}

    def _issue(self, scope: str, lifetime: timedelta, *, refreshable: bool) -> Grant:
        self._living = self._grant(scope, lifetime, refreshable=refreshable)
        return self._living

    def _grant(self, scope: str, lifetime: timedelta, *, refreshable: bool) -> Grant:
        return Grant(
            access_token=f"lin_oauth_{secrets.token_hex(16)}",
            refresh_token=f"lin_refresh_{secrets.token_hex(16)}" if refreshable else None,
            expires_at=self._workspace.clock.now() + lifetime,
            lifetime=lifetime,
            scope=scope,
        )

    def _is_valid(self, token: str) -> bool:
        living = self._living
        if not token or living is None:
            return False
        return token == living.access_token and self._workspace.clock.now() < living.expires_at


def _words(scope: str) -> list[str]:
    return re.split(r"[ ,]+", scope.strip())
