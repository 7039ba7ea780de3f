"""Who is asking: OAuth access tokens of the app, and API keys of members. Pure."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from playground.linear_model import User
from playground.linear_workspace import Workspace

TOKEN_LIFETIME = timedelta(days=30)
KEY_PREFIX = "lin_api_"


class Tokens:
    """The one living access token of the app, and the members' keys (key -> e-mail address)."""

    def __init__(
        self, workspace: Workspace, *, app_token: str, member_keys: Mapping[str, str], client: tuple[str, str]
    ) -> None:
        self._workspace = workspace
        self._client = client
        self._app_token = app_token
        self._expires_at = workspace.clock.now() + TOKEN_LIFETIME
        self._members = {key: workspace.person(email) for key, email in member_keys.items()}

    def actor_of(self, authorization: str) -> User | None:
        """The user behind `Authorization`: `Bearer <token>` for the app, the bare key for a member."""
        scheme, _, token = authorization.partition(" ")
        if scheme == "Bearer" and self._is_valid(token):
            return self._workspace.app_user
        return self._members.get(authorization)

    def grant(self, form: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer the token endpoint; a new client_credentials token kills the one before."""
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        if (form.get("client_id"), form.get("client_secret")) != self._client:
            return 401, {"error": "invalid_client"}
        self._app_token = f"lin_oauth_{secrets.token_hex(16)}"
        self._expires_at = self._workspace.clock.now() + TOKEN_LIFETIME
        return 200, {
            "access_token": self._app_token,
            "token_type": "Bearer",
            "expires_in": int(TOKEN_LIFETIME.total_seconds()) - 1,
            "scope": str(form.get("scope") or "read write"),
        }

    def revoke(self) -> None:
        """Kill the app's token, as revoking the installation does."""
        self._app_token = ""

    def _is_valid(self, token: str) -> bool:
        now: datetime = self._workspace.clock.now()
        return bool(token) and token == self._app_token and now < self._expires_at
