"""Calls of Slack's Web API: one at a time, never repeated by themselves, failures in the core's words."""

from collections.abc import Awaitable, Collection
from typing import Final, Literal

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack.faults import CALL_ERRORS, delivery_error, error_code
from bots.slack.wire import Wire

Method = Literal[
    "auth.test",
    "chat.getPermalink",
    "chat.postEphemeral",
    "chat.postMessage",
    "chat.update",
    "conversations.history",
    "conversations.replies",
    "reactions.add",
    "reactions.remove",
    "users.info",
    "views.open",
]

SCOPES: Final[dict[Method, tuple[str, ...]]] = {
    "auth.test": (),
    "chat.getPermalink": (),
    "chat.postEphemeral": ("chat:write",),
    "chat.postMessage": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.history": ("channels:history", "groups:history", "im:history", "mpim:history"),
    "conversations.replies": ("channels:history", "groups:history", "im:history", "mpim:history"),
    "reactions.add": ("reactions:write",),
    "reactions.remove": ("reactions:write",),
    "users.info": ("users:read", "users:read.email"),
    "views.open": (),
}
"""The methods we call, with the bot scopes that each of them needs. The manifest asks for no others."""

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=3)


def open_session() -> aiohttp.ClientSession:
    """The connections that all clients share; call it inside the running loop, and close it last."""
    return aiohttp.ClientSession(timeout=_TIMEOUT, connector=aiohttp.TCPConnector(limit=100))


def build_client(token: str, api_url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """A client whose calls are made once.

    Without a session of its own the SDK opens a connection for each call, and with its own retry handler it
    repeats a POST that Slack may have carried out.
    """
    return AsyncWebClient(token=token, base_url=api_url, session=session, retry_handlers=[])


async def call(method: Method, answer: Awaitable[AsyncSlackResponse], *, fine: Collection[str] = ()) -> Wire:
    """What Slack answered to `answer`, a call of `method` that was not awaited yet.

    Args:
        fine: Error codes after which there is nothing left to do; the result is then empty.

    Raises:
        DeliveryError: The call failed; see `delivery_error`.
    """
    try:
        response = await answer
    except CALL_ERRORS as error:
        if error_code(error) in fine:
            return {}
        raise delivery_error(method, error) from error
    return response.data if isinstance(response.data, dict) else {}
