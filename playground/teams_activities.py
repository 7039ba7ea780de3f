"""What Teams tells a bot: one JSON activity for each thing that happens. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from playground.teams_state import BOT, TEAM, Conversation, Kind, Message, Person, Workspace
from playground.teams_wire import Wire

CLIENT: Final = {
    "type": "clientInfo",
    "locale": "en-GB",
    "country": "GB",
    "platform": "Web",
    "timezone": "Europe/London",
}


def iso(seconds: float) -> str:
    """UTC with milliseconds and a Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_id(workspace: Workspace, now: float) -> str:
    """The id of an activity that is no message."""
    return f"f:{uuid5(NAMESPACE_URL, workspace.next_id(now))}"


def said(workspace: Workspace, message: Message) -> Wire:
    """A new message of a person or of another bot."""
    return _message(workspace, message, "message", message.sent_at)


def edited(workspace: Workspace, message: Message, now: float, *, event: str = "editMessage") -> Wire:
    """An edit, or with `undeleteMessage` the end of a deletion; the id is the message's own."""
    activity = _message(workspace, message, "messageUpdate", now)
    activity["channelData"] = activity["channelData"] | {"eventType": event}
    return activity


def deleted(workspace: Workspace, message: Message, now: float) -> Wire:
    """A deletion; the id is the message's own."""
    home = workspace.conversation(message.conversation)
    activity = _base(workspace, "messageDelete", message.author, home, home.full_id(message), message.id, now)
    activity["channelData"] = activity["channelData"] | {"eventType": "softDeleteMessage"}
    return activity


def reaction(
    workspace: Workspace, message: Message, person: Person, name: str, now: float, *, added: bool
) -> Wire:
    """A reaction to the bot's message. In a channel the conversation comes without its thread."""
    home = workspace.conversation(message.conversation)
    kind = "messageReaction"
    activity = _base(workspace, kind, person, home, home.id, event_id(workspace, now), now)
    list_name = "reactionsAdded" if added else "reactionsRemoved"
    return activity | {"replyToId": message.id, list_name: [{"type": name}]}


def installed(
    workspace: Workspace, home: Conversation, person: Person, now: float, *, added: bool
) -> tuple[Wire, ...]:
    """The app was added to or removed from a conversation: two activities tell that."""
    update = _base(workspace, "installationUpdate", person, home, home.id, event_id(workspace, now), now) | {
        "action": "add" if added else "remove"
    }
    return update, membership(workspace, home, person, [BOT], now, added=added)


def membership(
    workspace: Workspace,
    home: Conversation,
    person: Person,
    users: Sequence[str],
    now: float,
    *,
    added: bool,
) -> Wire:
    """People or bots came or went."""
    kind = "conversationUpdate"
    activity = _base(workspace, kind, person, home, home.id, event_id(workspace, now), now)
    if home.kind is Kind.CHANNEL:
        event = "teamMemberAdded" if added else "teamMemberRemoved"
        activity["channelData"] = activity["channelData"] | {"eventType": event}
    return activity | {"membersAdded" if added else "membersRemoved": [{"id": user} for user in users]}


def submitted(workspace: Workspace, message: Message, person: Person, value: object, now: float) -> Wire:
    """A press of an Action.Submit: a message without text, that nobody sees."""
    home = workspace.conversation(message.conversation)
    activity = _base(workspace, "message", person, home, home.full_id(message), event_id(workspace, now), now)
    return activity | {"replyToId": message.id, "value": value, "entities": [CLIENT]}


def invoke(
    workspace: Workspace,
    home: Conversation,
    person: Person,
    name: str,
    value: Wire,
    now: float,
    *,
    message: Message | None = None,
    thread: str | None = None,
) -> Wire:
    """A question to the bot, answered in the HTTP response; `message` is the one with the card."""
    at = f"{home.id};messageid={thread}" if thread and home.kind is Kind.CHANNEL else home.id
    if message is not None:
        at = home.full_id(message)
    activity = _base(workspace, "invoke", person, home, at, event_id(workspace, now), now)
    activity |= {"name": name, "value": value}
    if message is not None:
        activity["replyToId"] = message.id
        activity["channelData"] = activity["channelData"] | {
            "source": {"name": "message"},
            "legacy": {"replyToId": message.id},
        }
    return activity


def again(workspace: Workspace, activity: Wire, now: float) -> Wire:
    """The same invoke as the second layer of retries sends it: with a new id and time."""
    return activity | {"id": event_id(workspace, now), "timestamp": iso(now)}


def _message(workspace: Workspace, message: Message, kind: str, now: float) -> Wire:
    home = workspace.conversation(message.conversation)
    activity = _base(workspace, kind, message.author, home, home.full_id(message), message.id, now)
    html = [{"contentType": "text/html", "content": message.markup}] if message.markup is not None else []
    return activity | {
        "text": message.text,
        "textFormat": "plain",
        "attachments": [*message.attachments, *html],
        "entities": [*message.mentions, CLIENT],
    }


def _base(
    workspace: Workspace,
    kind: str,
    person: Person,
    home: Conversation,
    conversation_id: str,
    activity_id: str,
    now: float,
) -> Wire:
    """The fields that every activity has."""
    conversation: Wire = {
        "conversationType": home.kind.value,
        "tenantId": home.tenant,
        "id": conversation_id,
    }
    if home.kind is not Kind.PERSONAL:
        conversation["isGroup"] = True
    sender: Wire = {"id": person.id, "name": person.name}
    if not person.is_bot:
        sender["aadObjectId"] = person.object_id
    return {
        "type": kind,
        "id": activity_id,
        "timestamp": iso(now),
        "localTimestamp": iso(now),
        "channelId": "msteams",
        "serviceUrl": workspace.service_url(home.tenant),
        "from": sender,
        "recipient": {"id": BOT, "name": workspace.bot.name},
        "conversation": conversation,
        "channelData": _channel_data(home),
        "locale": "en-GB",
        "localTimezone": "Europe/London",
    }


def _channel_data(home: Conversation) -> Wire:
    tenant = {"tenant": {"id": home.tenant}}
    if home.kind is not Kind.CHANNEL:
        return tenant
    return {
        "teamsChannelId": home.id,
        "teamsTeamId": TEAM,
        "channel": {"id": home.id},
        "team": {"id": TEAM},
        **tenant,
    }
