"""Opens forms: the one call that is made before Slack is answered, as a trigger lives for three seconds."""

import asyncio
import logging
from typing import Final

from slack_sdk.web.async_client import AsyncWebClient

from bots.slack.client import call
from bots.slack.forms import FormAsked, review_form
from bots.slack.render import whispered
from core.errors import DeliveryError
from core.mirror.pulls import CHANGES_IN_WORDS

log = logging.getLogger(__name__)

OPENED_WITHIN_S: Final = 2.0


class Dialogs:
    """Forms of one workspace."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

    async def open(self, asked: FormAsked) -> None:
        """Open the form; where Slack does not, the person is told what to write instead.

        Raises:
            DeliveryError: They could not even be told. An answer that is no success shows them that.
        """
        try:
            async with asyncio.timeout(OPENED_WITHIN_S):
                opened = self._client.views_open(trigger_id=asked.trigger, view=review_form(asked))
                await call("views.open", opened)
        except (DeliveryError, TimeoutError) as error:
            log.warning("slack form not opened", extra={"error": str(error) or "too late"})
            await self._tell(asked)

    async def _tell(self, asked: FormAsked) -> None:
        payload = whispered(CHANGES_IN_WORDS)
        told = self._client.chat_postEphemeral(
            channel=asked.thread.conversation,
            user=asked.user,
            thread_ts=asked.thread.root,
            text=payload["text"],
            blocks=payload["blocks"],
        )
        await call("chat.postEphemeral", told)
