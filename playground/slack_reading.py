"""The Web API methods that look things up: conversations and people. Pure."""

import base64

from playground.slack_calls import Call, Done
from playground.slack_events import message_wire
from playground.slack_state import BOT_USER, TEAM, Channel, ChannelKind, Message, Person, Workspace, order
from playground.slack_wire import Refused, Wire


def replies(call: Call) -> Done:
    """The root comes first on every page, whatever `oldest` says."""
    root, *rest = call.workspace.thread(call.channel().id, call.args.text("ts"))
    page, paging = _page(call, _between(call, rest), default=1000)
    return Done(_shown(call, [root, *page]) | paging)


def history(call: Call) -> Done:
    """Newest first, without the replies in threads."""
    tops = [message for message in call.channel().shown() if not message.is_reply or _is_broadcast(message)]
    page, paging = _page(call, _between(call, tops)[::-1], default=100)
    return Done(_shown(call, page) | paging)


def channel_info(call: Call) -> Done:
    return Done({"channel": _channel_wire(call.workspace, call.workspace.channel(call.args.text("channel")))})


def open_conversation(call: Call) -> Done:
    users = call.args.text("users").split(",")
    if len(users) != 1:
        raise Refused("invalid_users")
    channel = call.workspace.open_dm(users[0])
    return Done({"channel": {"id": channel.id}, "no_op": bool(channel.messages)})


def user_info(call: Call) -> Done:
    return Done({"user": _person_wire(call, call.workspace.person(call.args.text("user")))})


def user_by_email(call: Call) -> Done:
    email = call.args.text("email").lower()
    for person in call.workspace.people.values():
        if person.email == email:
            return Done({"user": _person_wire(call, person)})
    raise Refused("users_not_found")


def _is_broadcast(message: Message) -> bool:
    return message.subtype == "thread_broadcast"


def _between(call: Call, messages: list[Message]) -> list[Message]:
    inclusive = call.args.flag("inclusive")
    for name, sign in (("oldest", 1), ("latest", -1)):
        if call.args.has(name):
            bound = order(call.args.text(name))
            messages = [
                message
                for message in messages
                if (order(message.ts) - bound) * sign > 0 or (inclusive and order(message.ts) == bound)
            ]
    return messages


def _page(call: Call, messages: list[Message], *, default: int) -> tuple[list[Message], Wire]:
    """The page that `cursor` names; a cursor is the ts of the page's first message."""
    start = 0
    if call.args.has("cursor"):
        first = _decoded(call.args.text("cursor"))
        start = next((at for at, message in enumerate(messages) if message.ts == first), -1)
        if start < 0:
            raise Refused("invalid_cursor")
    end = start + max(1, min(call.args.number("limit", default), 1000))
    has_more = end < len(messages)
    cursor = base64.b64encode(f"next_ts:{messages[end].ts}".encode()).decode() if has_more else ""
    return messages[start:end], {"has_more": has_more, "response_metadata": {"next_cursor": cursor}}


def _decoded(cursor: str) -> str:
    try:
        return base64.b64decode(cursor, validate=True).decode().removeprefix("next_ts:")
    except ValueError:
        raise Refused("invalid_cursor") from None


def _shown(call: Call, messages: list[Message]) -> Wire:
    with_metadata = call.args.flag("include_all_metadata")
    return {
        "messages": [
            message_wire(call.workspace, message, with_metadata=with_metadata) for message in messages
        ]
    }


def _channel_wire(workspace: Workspace, channel: Channel) -> Wire:
    is_member = BOT_USER in channel.members
    if not is_member and channel.kind is not ChannelKind.PUBLIC:
        raise Refused("channel_not_found")
    wire: Wire = {
        "id": channel.id,
        "is_channel": channel.kind is ChannelKind.PUBLIC,
        "is_group": channel.kind is ChannelKind.PRIVATE,
        "is_im": channel.kind is ChannelKind.DM,
        "is_mpim": channel.kind is ChannelKind.GROUP_DM,
        "is_private": channel.kind is not ChannelKind.PUBLIC,
        "is_archived": channel.is_archived,
        "is_ext_shared": workspace.is_shared(channel.id),
    }
    if channel.kind is ChannelKind.DM:
        return wire | {"user": next(user for user in channel.members if user != BOT_USER)}
    return wire | {
        "name": channel.name,
        "is_member": is_member,
        "topic": {"value": ""},
        "purpose": {"value": ""},
    }


def _person_wire(call: Call, person: Person) -> Wire:
    profile: Wire = {"real_name": person.name, "display_name": person.name}
    if person.email is not None and "users:read.email" in call.scopes:
        profile["email"] = person.email
    return {
        "id": person.id,
        "team_id": person.team_id,
        "name": person.name.lower(),
        "real_name": person.name,
        "deleted": False,
        "tz": "Europe/London",
        "is_bot": person.bot_id is not None,
        "is_restricted": person.is_restricted,
        "is_ultra_restricted": False,
        "is_stranger": person.team_id != TEAM,
        "profile": profile,
    }
