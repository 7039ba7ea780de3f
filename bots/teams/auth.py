"""Whether an activity comes from Teams: the token that Microsoft sends with it."""

from collections.abc import Collection, Mapping
from typing import Any, Final

import jwt

from bots.teams.hosts import is_trusted
from bots.teams.keys import SigningKey, SigningKeys
from core.errors import ThreadlineError

CHANNEL: Final = "msteams"
LEEWAY_S: Final = 300


class NotFromTeams(ThreadlineError):
    """Nothing proves that the activity comes from Teams. Answer 401; never log the body or the token."""


class InboundTokens:
    """Judges the `Authorization` header of an activity.

    Only Microsoft's Bot Connector gets through, only for our app, and only with what people do in Teams: on
    other channels, such as web chat, whoever writes chooses the tenant that the activity names.

    Args:
        app_id: Ours: the audience of the tokens.
        service_hosts: Where activities may come from, and answers go to; see `is_trusted`.

    Source: "Authenticate requests from the Bot Connector service to your bot" in Microsoft's documentation.
    """

    def __init__(self, keys: SigningKeys, *, app_id: str, service_hosts: Collection[str]) -> None:
        self._keys = keys
        self._app_id = app_id
        self._service_hosts = service_hosts

    async def check(self, authorization: str, *, service_url: str, channel: str) -> Mapping[str, Any]:
        """The claims of a token that fits an activity.

        Args:
            authorization: The header, empty if there is none.
            service_url: `serviceUrl` of the activity: the token must name the same one.
            channel: `channelId` of the activity: the signing key must be endorsed for it.

        Raises:
            NotFromTeams: The token is missing or wrong, or does not fit the activity.
            KeysUnavailable: That cannot be told now. Answer 503.
        """
        token = _bearer(authorization)
        key = await self._keys.find(_key_id(token))
        if key is None:
            raise NotFromTeams("the token is signed with an unknown key")
        claims = _claims(token, key, self._app_id)
        if channel != CHANNEL or channel not in key.endorsements:
            raise NotFromTeams("the key is not endorsed for the channel")
        claimed = claims.get("serviceurl")
        if not service_url or not isinstance(claimed, str) or claimed.rstrip("/") != service_url.rstrip("/"):
            raise NotFromTeams("the token is for another serviceUrl")
        if not is_trusted(service_url, self._service_hosts):
            raise NotFromTeams("the serviceUrl is not among the service hosts")
        return claims


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotFromTeams("there is no bearer token")
    if not token.isascii():
        raise NotFromTeams("the token is not one")
    return token


def _key_id(token: str) -> str:
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise NotFromTeams("the token is not one") from None
    if not isinstance(kid, str):
        raise NotFromTeams("the token names no key")
    return kid


def _claims(token: str, key: SigningKey, app_id: str) -> Mapping[str, Any]:
    try:
        return jwt.decode(
            token,
            key.key,
            algorithms=["RS256"],
            audience=app_id,
            issuer=key.issuer,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss", "aud"], "strict_aud": True},
        )
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise NotFromTeams(f"the token does not count ({type(error).__name__})") from None
