"""The token endpoint: an app's id and secret for a token that the connector takes."""

import secrets
from collections.abc import Mapping
from typing import Final

from playground.slack_clock import Clock
from playground.teams_wire import Refused, Wire

SCOPE: Final = "https://api.botframework.com/.default"
LIFETIME_S: Final = 3599


class TokenRefused(Exception):
    """Entra answers `{"error": ..., "error_description": "AADSTS..."}` under `status`."""

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(error)
        self.status = status
        self.answer = token_error(error, number, text)


def token_error(error: str, number: int, text: str) -> Wire:
    return {"error": error, "error_description": f"AADSTS{number}: {text}", "error_codes": [number]}


class Tokens:
    """Issues bearer tokens that live for `lifetime_s` on the stand-in's clock.

    Args:
        app_id: The only application known here.
        secret: Its client secret; may be changed later.
        tenant: Where the application is registered: the only authority beside `botframework.com`.
    """

    def __init__(self, clock: Clock, *, app_id: str, secret: str, tenant: str) -> None:
        self.secret = secret
        self.lifetime_s = LIFETIME_S
        self._clock = clock
        self._app_id = app_id
        self._tenants = {tenant, "botframework.com"}
        self._until: dict[str, float] = {}

    def issue(self, tenant: str, form: Mapping[str, object]) -> Wire:
        """Answer one request; raises `TokenRefused`."""
        if tenant not in self._tenants:
            raise TokenRefused(400, "invalid_request", 90002, f"Tenant {tenant} not found.")
        if form.get("grant_type") != "client_credentials":
            raise TokenRefused(400, "unsupported_grant_type", 70003, "The grant type is not supported.")
        if form.get("client_id") != self._app_id:
            raise TokenRefused(400, "unauthorized_client", 700016, "Application not found.")
        if form.get("client_secret") != self.secret:
            raise TokenRefused(401, "invalid_client", 7000215, "Invalid client secret provided.")
        if form.get("scope") != SCOPE:
            raise TokenRefused(400, "invalid_scope", 70011, "The scope is not valid.")
        token = f"bot-{secrets.token_urlsafe(16)}"
        self._until[token] = self._clock.now() + self.lifetime_s
        return {"token_type": "Bearer", "expires_in": self.lifetime_s, "access_token": token}

    def check(self, authorization: str) -> None:
        """Raise `Refused` unless that header carries a token of ours that still lives."""
        scheme, _, token = authorization.partition(" ")
        until = self._until.get(token)
        if scheme.lower() != "bearer" or until is None:
            raise Refused("Unauthorized", "no valid bearer token")
        if self._clock.now() >= until:
            raise Refused("Unauthorized", "the token has expired")

    def revoke(self) -> None:
        """Let every token die at once."""
        self._until.clear()
