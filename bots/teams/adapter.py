"""The Bot Framework's adapter, on our own authentication and connector.

The SDK is the vocabulary: activities, turns, handlers. What it does by itself between a bot and Microsoft
blocks the event loop, answers forgeries with 500 and loses fields, so none of that is used.
"""

from collections.abc import Mapping
from typing import Any

import botbuilder.schema as bf
from botbuilder.core.cloud_adapter_base import CloudAdapterBase
from botframework.connector.auth import BotFrameworkAuthentication, ClaimsIdentity
from botframework.connector.auth.authenticate_request_result import AuthenticateRequestResult
from botframework.connector.auth.connector_factory import ConnectorFactory

from bots.teams.auth import InboundTokens, NotFromTeams
from bots.teams.connector import Connector, Spot


class ReceivedActivity(bf.Activity):
    """An activity with the JSON that it came as, since the SDK's own reading of it loses fields.

    Only what the SDK looks at itself is filled in, whatever else the JSON holds.
    """

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__(
            type=text_in(body, "type"),
            id=text_in(body, "id"),
            name=text_in(body, "name"),
            channel_id=text_in(body, "channelId"),
            service_url=text_in(body, "serviceUrl"),
        )
        self.body = body


def text_in(body: Mapping[str, Any], name: str) -> str:
    """A text in JSON from outside; empty if there is none."""
    value = body.get(name)
    return value if isinstance(value, str) else ""


def wire(activity: bf.Activity) -> dict[str, Any]:
    """An activity as JSON, with all fields of its entities, of which the SDK would keep only the type."""
    plain: dict[str, Any] = _serialized(activity)
    if activity.entities:
        plain["entities"] = [
            {**(each.additional_properties or {}), **_serialized(each)} for each in activity.entities
        ]
    return plain


def _serialized(model: Any) -> Any:
    return model.serialize()  # Of a package that is not typed, msrest.


class Authentication(BotFrameworkAuthentication):
    """Asks our own verifier about what comes in, and hands out our own connector for what goes out."""

    def __init__(self, tokens: InboundTokens, connector: Connector) -> None:
        self._tokens = tokens
        self._connector = connector

    async def authenticate_request(
        self, activity: bf.Activity, auth_header: str
    ) -> AuthenticateRequestResult:
        """Raises `NotFromTeams` and `KeysUnavailable`."""
        claims = await self._tokens.check(
            auth_header, service_url=activity.service_url, channel=activity.channel_id
        )
        result = AuthenticateRequestResult()
        result.claims_identity = ClaimsIdentity(dict(claims), True)
        result.connector_factory = self.create_connector_factory(result.claims_identity)
        return result

    async def authenticate_streaming_request(
        self, auth_header: str, channel_id_header: str
    ) -> AuthenticateRequestResult:
        """Teams never asks for it."""
        del auth_header, channel_id_header
        raise NotFromTeams("nothing is streamed to us")

    def create_connector_factory(self, claims_identity: ClaimsIdentity) -> ConnectorFactory:
        """One connector serves everybody."""
        del claims_identity
        return _Factory(self._connector)

    async def create_user_token_client(self, claims_identity: ClaimsIdentity) -> Any:
        """Nobody signs in through the Bot Framework here."""


class _Factory(ConnectorFactory):
    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def create(self, service_url: str, audience: str) -> Any:
        del audience  # There is one.
        return TurnConnector(self._connector, service_url)


class TurnConnector:
    """What a turn of the SDK asks of its connector client; `conversations` is itself.

    Raises `DeliveryError` as `Connector` does.
    """

    def __init__(self, connector: Connector, service_url: str) -> None:
        self._connector = connector
        self._service_url = service_url
        self.conversations = self

    async def send_to_conversation(self, conversation: str, activity: bf.Activity) -> bf.ResourceResponse:
        id = await self._connector.send(self._spot(conversation), wire(activity))
        return bf.ResourceResponse(id=id)

    async def reply_to_activity(
        self, conversation: str, message: str, activity: bf.Activity
    ) -> bf.ResourceResponse:
        del message  # Only the conversation's id says which thread it is.
        return await self.send_to_conversation(conversation, activity)

    async def update_activity(
        self, conversation: str, message: str, activity: bf.Activity
    ) -> bf.ResourceResponse:
        await self._connector.update(self._spot(conversation), message, wire(activity))
        return bf.ResourceResponse(id=message)

    async def delete_activity(self, conversation: str, message: str) -> None:
        await self._connector.delete(self._spot(conversation), message)

    def _spot(self, conversation: str) -> Spot:
        return Spot(self._service_url, conversation)


def build_adapter(authentication: Authentication) -> CloudAdapterBase:
    """An adapter whose turns end before Teams is answered; whatever a handler raises comes out of it."""
    return CloudAdapterBase(authentication)
