"""Whether we are where somebody chose our entry in a message's menu: Slack shows it in every channel."""

import asyncio
import logging
from typing import Any, Final

from slack_sdk.web.async_client import AsyncWebClient

from bots.slack.blocks import literal, plain_text
from bots.slack.client import call
from bots.slack.events import START_SHORTCUT
from bots.slack.wire import Shortcut, Wire, parsed
from core.errors import DeliveryError, TargetGone

log = logging.getLogger(__name__)

ABSENT: Final = (
    "I am not in this channel, so I could not answer here. Invite me (write /invite and my name in it), "
    "then choose this again."
)
ASKED_WITHIN_S: Final = 1.2
"""Slack waits for three seconds, and a trigger lives no longer."""


class Threshold:
    """The channels of one workspace, seen from outside."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

    async def admits(self, body: Wire) -> bool:
        """Read a `message_action` payload; where we are not, the person is told so. In doubt we are there.

        Raises:
            DeliveryError: They could not be told. An answer that is no success shows them that.
        """
        asked = parsed(Shortcut, body)
        if asked.callback_id != START_SHORTCUT or await self._is_in(asked):
            return True
        log.info("slack shortcut from outside", extra={"channel": asked.channel.id})
        opened = self._client.views_open(trigger_id=asked.trigger_id, view=_notice())
        await call("views.open", opened)
        return False

    async def _is_in(self, asked: Shortcut) -> bool:
        """Whether Slack lets us read the message there."""
        root = asked.message.thread_ts or asked.message.ts
        try:
            async with asyncio.timeout(ASKED_WITHIN_S):
                replies = self._client.conversations_replies(channel=asked.channel.id, ts=root, limit=1)
                await call("conversations.replies", replies)
        except TargetGone as error:
            return "thread_not_found" in str(error)  # The message is gone, not the channel.
        except (DeliveryError, TimeoutError):
            return True
        return True


def _notice() -> dict[str, Any]:
    return {
        "type": "modal",
        "title": plain_text("Start a session"),
        "close": plain_text("Close"),
        "blocks": literal([ABSENT]),
    }
