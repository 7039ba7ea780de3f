"""Presses in cards: what the bot is asked or told, and what its answer changes for the person who pressed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from playground.slack_clock import Clock
from playground.teams_activities import invoke, submitted
from playground.teams_cards import ADAPTIVE, card_problems
from playground.teams_delivery import Dispatcher, Receipt
from playground.teams_reading import actions_of, inputs_of
from playground.teams_state import Conversation, Kind, Message, Person, Workspace
from playground.teams_wire import Refused, Wire

TOLD: Final = "application/vnd.microsoft.activity.message"
ERROR: Final = "application/vnd.microsoft.error"
UNREACHABLE: Final = "Unable to reach app. Please try again."
WRONG: Final = "Something went wrong. Please try again."
ALL_REFRESH_UP_TO: Final = 60


class Presses:
    """Presses as any person; raises `Refused` if that person could not press it."""

    def __init__(self, workspace: Workspace, clock: Clock, dispatcher: Dispatcher) -> None:
        self._workspace = workspace
        self._clock = clock
        self._dispatcher = dispatcher

    async def click(
        self,
        user: str,
        conversation: str,
        message: str,
        title: str,
        *,
        inputs: Mapping[str, str] | None = None,
        is_old_client: bool = False,
    ) -> Receipt:
        """Press the button `title` after filling in `inputs` (id -> value); how the bot answered.

        An old client does not know Action.Execute, and shows its fallback.
        """
        person, found = self.seen(user, conversation, message)
        card, action = find_action(found, user, title)
        if is_old_client and isinstance(action.get("fallback"), dict):
            action = action["fallback"]
        data = merged(action, filled(card, inputs or {}))
        match action["type"]:
            case "Action.Execute":
                return await self._execute(found, person, action, data, trigger="manual")
            case "Action.Submit":
                now = self._clock.now()
                return await self._dispatcher.deliver(submitted(self._workspace, found, person, data, now))
            case kind:
                raise Refused("NothingSent", f"{kind} asks nobody")

    async def look(self, user: str, conversation: str, message: str) -> Receipt | None:
        """Open a message; its card may refresh itself for that person. None if it does not."""
        person, found = self.seen(user, conversation, message)
        home = self._workspace.conversation(conversation)
        for card in found.cards:
            refresh = card.get("refresh")
            if refresh and _refreshes_for(refresh, person, home):
                action = refresh["action"]
                data = merged(action, {})
                return await self._execute(found, person, action, data, trigger="automatic")
        return None

    def seen(self, user: str, conversation: str, message: str) -> tuple[Person, Message]:
        """A message, if `user` can see it."""
        self._workspace.home_of(user, conversation)
        found = self._workspace.message(conversation, message)
        is_over = found.only_for is not None and self._clock.now() >= found.private_until
        if found.only_for not in (None, user) or is_over:
            raise Refused("ActivityNotFoundInConversation", message)
        return self._workspace.person(user), found

    async def _execute(
        self, message: Message, person: Person, action: Wire, data: object, *, trigger: str
    ) -> Receipt:
        told = {name: action[name] for name in ("id", "title", "verb") if name in action}
        pressed: Wire = {"type": "Action.Execute", "data": data} | told
        value = {"action": pressed, "trigger": trigger}
        home = self._workspace.conversation(message.conversation)
        now = self._clock.now()
        activity = invoke(self._workspace, home, person, "adaptiveCard/action", value, now, message=message)
        return await self._dispatcher.invoke(activity, lambda receipt: _taken(receipt, message, person.id))


def find_action(message: Message, user: str, title: str) -> tuple[Wire, Wire]:
    """The card and in it the action that reads `title`, as `user` sees it."""
    for card in message.cards_for(user):
        for action in actions_of(card):
            if action["title"] == title and action.get("isEnabled", True) is True:
                return card, action
    raise Refused("NoSuchAction", title)


def filled(card: Wire, inputs: Mapping[str, str]) -> Wire:
    """The values of all fields; a client sends nothing while a required one is empty."""
    values: Wire = {}
    fields = {str(field["id"]): field for field in inputs_of(card)}
    if inputs.keys() - fields.keys():
        raise Refused("NoSuchInput", ", ".join(sorted(inputs.keys() - fields.keys())))
    for name, field in fields.items():
        value = inputs.get(name, field.get("value", ""))
        offered = {one["value"] for one in field.get("choices", ())}
        chosen = value.split(",") if field.get("isMultiSelect") and value else [value]
        if offered and value and not offered.issuperset(chosen):
            raise Refused("NoSuchChoice", str(value))
        if field.get("isRequired") and not value:
            raise Refused("InputRequired", str(field.get("errorMessage", name)))
        values[name] = value
    return values


def merged(action: Wire, values: Wire) -> Any:
    """What an action sends: its data with the fields' values in it."""
    data = action.get("data", {})
    if action.get("associatedInputs") == "none" or not isinstance(data, dict):
        return data
    return data | values


def _refreshes_for(refresh: Wire, person: Person, home: Conversation) -> bool:
    users = refresh.get("userIds")
    if not users:
        # Without a list, every client does so by itself in small rooms.
        return home.kind is Kind.PERSONAL or len(home.members) <= ALL_REFRESH_UP_TO
    return person.id in users


def _taken(receipt: Receipt, message: Message, user: str) -> Receipt:
    """Carry out the answer to an Action.Execute; what cannot be used becomes `bad_answer`."""
    toasts = message.toasts.setdefault(user, [])
    if receipt.reason is not None:
        toasts.append(UNREACHABLE)
        return receipt
    problem = ""
    match receipt.answer:
        case {"statusCode": 200, "type": kind, "value": card} if kind == ADAPTIVE:
            problem = "; ".join(card_problems(card))
            if not problem:
                message.views[user] = card
        case {"statusCode": 200, "type": kind, "value": str(text)} if kind == TOLD:
            toasts.append(text)
        case {"statusCode": 400 | 500, "type": kind, "value": {"code": str(), "message": str(text)}} if (
            kind == ERROR
        ):
            toasts.append(text)
        case _:
            problem = "needs statusCode, type and value"
    if not problem:
        return receipt
    toasts.append(WRONG)
    return replace(receipt, reason="bad_answer", problem=problem)
