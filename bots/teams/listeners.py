"""The handler of activities: every listener stores what it read before Teams is answered."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from botbuilder.core import InvokeResponse, TurnContext
from botbuilder.core.teams import TeamsActivityHandler

from bots.teams.address import address_of, thread_of
from bots.teams.answers import told
from bots.teams.directory import Directory
from bots.teams.events import Admission, parse_activity, parse_invoke
from bots.teams.heard import Heard
from bots.teams.inbound import files_of, message_text
from bots.teams.presence import ABSENT, Presence
from bots.teams.wire import Activity, MalformedActivity, parsed
from core.activities import Author
from core.events import Incoming, ThreadMessage
from core.ports import Inbox

log = logging.getLogger(__name__)

FETCH: Final = "composeExtension/fetchTask"
"""Somebody chose a command of ours, perhaps where we are not."""


class TeamsListeners(TeamsActivityHandler):
    """Listens to turns whose activity is a `ReceivedActivity`; says nothing in them.

    Raises `MalformedActivity` and `StoreUnavailable`.
    """

    def __init__(
        self, inbox: Inbox, admission: Admission, directory: Directory, heard: Heard, presence: Presence
    ) -> None:
        super().__init__()
        self._presence = presence
        self._inbox = inbox
        self._admission = admission
        self._directory = directory
        self._heard = heard

    async def on_message_activity(self, turn_context: TurnContext) -> None:
        await self._on_activity(turn_context)

    async def on_message_update_activity(self, turn_context: TurnContext) -> None:
        await self._on_activity(turn_context)

    async def on_message_delete_activity(self, turn_context: TurnContext) -> None:
        await self._on_activity(turn_context)

    async def on_message_reaction_activity(self, turn_context: TurnContext) -> None:
        await self._on_activity(turn_context)

    async def on_installation_update(self, turn_context: TurnContext) -> None:
        await self._on_activity(turn_context)

    async def on_conversation_update_activity(self, turn_context: TurnContext) -> None:
        """Who came and went: `installationUpdate` tells of us."""

    async def on_event_activity(self, turn_context: TurnContext) -> None:
        """Read receipts and meetings."""

    async def on_invoke_activity(self, turn_context: TurnContext) -> InvokeResponse:
        """The answer is complete: Teams shows it within seconds, or shows an error."""
        body = turn_context.activity.body
        activity = parsed(Activity, body)
        is_ours = await self._place(body, activity)
        invoked = parse_invoke(body, self._admission)
        if invoked is None:
            return InvokeResponse(status=501)
        if is_ours and activity.name == FETCH and not await self._presence.is_in(address_of(body)):
            return InvokeResponse(status=200, body=dict(told(ABSENT)))
        await self._accept(invoked.incoming, activity)
        return InvokeResponse(status=200, body=dict(invoked.answer))

    async def _on_activity(self, turn_context: TurnContext) -> None:
        body: Mapping[str, Any] = turn_context.activity.body
        activity = parsed(Activity, body)
        incoming = parse_activity(body, self._admission)
        if await self._place(body, activity):
            self._hear(activity)
        await self._accept(incoming, activity)

    async def _place(self, body: Mapping[str, Any], activity: Activity) -> bool:
        """Remember the way back, before anything is accepted that needs it; whether it is one of ours."""
        if activity.tenant not in self._admission.tenants:
            log.warning(
                "teams activity from a tenant that is not admitted", extra={"tenant": activity.tenant}
            )
            return False
        person = None if activity.author.is_bot else activity.author.id
        await self._directory.remember(address_of(body), person)
        return True

    def _hear(self, activity: Activity) -> None:
        if activity.author.id == activity.recipient.id:
            return  # We know what we said, and that we did.
        match activity.type:
            case "message" if activity.text or activity.value is None:
                self._heard.put(thread_of(activity), _thread_message(activity))
            case "messageUpdate":
                self._heard.put(thread_of(activity), _thread_message(activity))
            case "messageDelete":
                self._heard.remove(thread_of(activity), activity.own_id)
            case _:
                return

    async def _accept(self, incoming: Incoming | None, activity: Activity) -> None:
        if incoming is None:
            return
        if not incoming.key.isprintable():
            raise MalformedActivity("an id of the activity has control characters in it")
        receipt = await self._inbox.accept(replace(incoming, author=await self._met(incoming, activity)))
        log.debug("teams activity stored", extra={"key": incoming.key, "receipt": receipt.value})

    async def _met(self, incoming: Incoming, activity: Activity) -> Author:
        """Who it is, under the id under which we first met them."""
        first = await self._directory.first_id(activity.tenant, activity.author)
        return replace(incoming.author, id=f"{activity.tenant}/{first}")


def _thread_message(activity: Activity) -> ThreadMessage:
    files = [f"(attached: {each.name})" for each in files_of(activity)]
    text = "\n".join(filter(None, [message_text(activity), *files]))
    return ThreadMessage(activity.author.name or activity.author.id, text, activity.own_id)
