"""Dialogs: forms that the bot opens from a button, or from the menu of any message."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from playground.slack_clock import Clock
from playground.teams_activities import invoke, iso
from playground.teams_cards import ADAPTIVE, card_problems
from playground.teams_delivery import Dispatcher, Receipt
from playground.teams_presses import Presses, filled, find_action, merged
from playground.teams_reading import actions_of
from playground.teams_state import Conversation, Message, Person, Workspace
from playground.teams_wire import Refused, Wire

THEME: Final = {"theme": "default"}

Context = Literal["message", "compose", "commandBox"]


@dataclass(frozen=True, slots=True)
class Dialog:
    """An open form: `card` is what it shows; `value` goes along with what is filled in."""

    person: Person
    home: Conversation
    thread: str | None
    message: Message | None
    title: str
    card: Wire
    submit_name: str
    value: Wire


class Dialogs:
    """Opens and submits forms as any person."""

    def __init__(self, workspace: Workspace, clock: Clock, dispatcher: Dispatcher, presses: Presses) -> None:
        self._workspace = workspace
        self._clock = clock
        self._dispatcher = dispatcher
        self._presses = presses

    async def open(self, user: str, conversation: str, message: str, title: str) -> Dialog:
        """Press a button that opens a form (`data.msteams.type` is `task/fetch`)."""
        person, found = self._presses.seen(user, conversation, message)
        _, action = find_action(found, user, title)
        data = merged(action, {})
        match data:
            case {"msteams": {"type": "task/fetch"}}:
                pass
            case _:
                raise Refused("NothingSent", f"{title} opens no form")
        home = self._workspace.conversation(conversation)
        value = {"data": data, "context": THEME}
        return await self._opened("task/fetch", "task/submit", person, home, found.thread, found, value)

    async def extension(
        self,
        user: str,
        conversation: str,
        command: str,
        *,
        message: str | None = None,
        root: str | None = None,
        context: Context = "message",
    ) -> Dialog:
        """Choose a command of the app: in the menu of `message`, or beside the box in the thread `root`."""
        home = self._workspace.home_of(user, conversation)
        person = self._workspace.person(user)
        value: Wire = {"commandId": command, "commandContext": context, "context": THEME}
        found = None
        if message is not None:
            _, found = self._presses.seen(user, conversation, message)
            value["messagePayload"] = _message_payload(self._workspace, home, found)
        thread = found.thread if found else root
        return await self._opened(
            "composeExtension/fetchTask", "composeExtension/submitAction", person, home, thread, None, value
        )

    async def submit(
        self, dialog: Dialog, title: str | None = None, inputs: Mapping[str, str] | None = None
    ) -> Receipt:
        """Press `title` (the first button by default) in the form; how the bot took it."""
        action = _button(dialog.card, title)
        data = merged(action, filled(dialog.card, inputs or {}))
        value = dialog.value | {"data": data, "context": THEME}
        activity = self._asked(
            dialog.submit_name, dialog.person, dialog.home, dialog.thread, dialog.message, value
        )
        return await self._dispatcher.invoke(activity, _after_submit)

    async def _opened(
        self,
        fetch_name: str,
        submit_name: str,
        person: Person,
        home: Conversation,
        thread: str | None,
        message: Message | None,
        value: Wire,
    ) -> Dialog:
        activity = self._asked(fetch_name, person, home, thread, message, value)
        receipt = await self._dispatcher.invoke(activity, lambda receipt: receipt)
        match receipt.answer:
            case {
                "task": {
                    "type": "continue",
                    "value": {"title": str(title), "card": {"contentType": kind, "content": dict(card)}},
                }
            } if receipt.reason is None and kind == ADAPTIVE:
                problems = list(card_problems(card))
                if problems:
                    raise Refused("BadAnswer", "; ".join(problems))
                return Dialog(person, home, thread, message, title, card, submit_name, value)
            case _:
                raise Refused("BadAnswer", f"no form came: {receipt.reason or receipt.answer}")

    def _asked(
        self,
        name: str,
        person: Person,
        home: Conversation,
        thread: str | None,
        message: Message | None,
        value: Wire,
    ) -> Wire:
        now = self._clock.now()
        return invoke(self._workspace, home, person, name, value, now, message=message, thread=thread)


def _button(card: Wire, title: str | None) -> Wire:
    for action in actions_of(card):
        if title in (None, action["title"]) and action["type"] in ("Action.Submit", "Action.Execute"):
            return action
    raise Refused("NoSuchAction", title or "Action.Submit")


def _after_submit(receipt: Receipt) -> Receipt:
    """A form closes on an empty answer, a last word, or a result for the compose box."""
    match receipt.answer:
        case _ if receipt.reason is not None:
            return receipt
        case None | {"task": {"type": "message", "value": str()}} | {"task": {"type": "continue"}}:
            return receipt
        case {"composeExtension": {"type": str()}}:
            return receipt
        case dict() if not receipt.answer:
            return receipt
        case _:
            return replace(receipt, reason="bad_answer", problem="no answer to a form")


def _message_payload(workspace: Workspace, home: Conversation, message: Message) -> Wire:
    """The message that the menu belonged to, as Graph writes messages."""
    sender: Wire = {"id": message.author.object_id, "displayName": message.author.name}
    kind = "application" if message.author.is_bot else "user"
    if kind == "user":
        sender["userIdentityType"] = "aadUser"
    return {
        "id": message.id,
        "replyToId": message.root,
        "createdDateTime": iso(message.sent_at),
        "lastModifiedDateTime": iso(message.revisions[-1].replaced_at) if message.revisions else None,
        "deleted": False,
        "subject": None,
        "importance": "normal",
        "locale": "en-gb",
        "linkToMessage": f"https://teams.microsoft.test/l/message/{home.id}/{message.id}",
        "from": {kind: sender},
        "body": {"contentType": "html", "content": message.markup or message.text},
        "attachments": [],
        "mentions": [
            {"id": number, "mentionText": one["mentioned"]["name"]}
            for number, one in enumerate(message.mentions)
        ],
        "reactions": [
            {"reactionType": name, "user": {"user": {"id": workspace.person(user).object_id}}}
            for name, users in message.reactions.items()
            for user in users
        ],
    }
