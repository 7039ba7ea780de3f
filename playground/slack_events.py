"""What Slack tells an app: events, their envelope, interactions, and the signature. Pure."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from playground.slack_state import APP, BOT_USER, TEAM, ChannelKind, Message, Person, Workspace
from playground.slack_wire import Wire

VERIFICATION_TOKEN: Final = "legacy-token"  # Deprecated by Slack, still part of every body.
FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Event:
    """An inner event and the subscription under which it is delivered."""

    subscription: str
    body: Wire
    channel: str | None = None


def message_wire(workspace: Workspace, message: Message, *, with_metadata: bool = False) -> Wire:
    """A message as the Web API and events show it."""
    wire: Wire = {
        "type": "message",
        "user": message.author.id,
        "text": message.text,
        "ts": message.ts,
        "team": TEAM,
    }
    author = message.author
    if author.bot_id is not None:
        wire |= {"bot_id": author.bot_id, "app_id": author.app_id}
        wire["bot_profile"] = {
            "id": author.bot_id,
            "app_id": author.app_id,
            "name": author.name,
            "team_id": TEAM,
        }
    elif author.team_id != TEAM:
        wire |= {"user_team": author.team_id, "source_team": author.team_id, "team": author.team_id}
    wire |= _optional_parts(message)
    wire |= _thread_parts(workspace, message)
    if with_metadata and message.metadata is not None:
        wire["metadata"] = message.metadata
    return wire


def posted(workspace: Workspace, message: Message) -> tuple[Event, ...]:
    """A new message; one that mentions the bot in a channel gives an `app_mention` event first."""
    if message.only_for is not None:
        return ()
    kind = workspace.channel(message.channel).kind
    base = message_wire(workspace, message) | {"channel": message.channel, "event_ts": message.ts}
    if message.author.bot_id is None:
        base["client_msg_id"] = f"00000000-0000-4000-8000-{message.ts.replace('.', '')[-12:]}"
    event = Event(f"message.{kind}", base | {"channel_type": kind.event_type}, message.channel)
    mentions = f"<@{BOT_USER}>" in message.text and message.author.id != BOT_USER
    # Slack sends no app_mention for a direct message.
    if not mentions or kind is ChannelKind.DM:
        return (event,)
    return Event("app_mention", base | {"type": "app_mention"}, message.channel), event


def changed(workspace: Workspace, message: Message, before: Wire, event_ts: str) -> tuple[Event, ...]:
    """An edit, or an unfurl (then the inner message carries no newer `edited`)."""
    parts = {"subtype": "message_changed", "message": message_wire(workspace, message)}
    return (_hidden(workspace, message.channel, event_ts, parts | {"previous_message": before}),)


def removed(workspace: Workspace, message: Message, before: Wire, event_ts: str) -> tuple[Event, ...]:
    """A deletion."""
    parts = {"subtype": "message_deleted", "deleted_ts": message.ts, "previous_message": before}
    return (_hidden(workspace, message.channel, event_ts, parts),)


def reaction(kind: str, message: Message, user: str, name: str, event_ts: str) -> tuple[Event, ...]:
    """`kind` is `reaction_added` or `reaction_removed`."""
    body = {
        "type": kind,
        "user": user,
        "reaction": name,
        "item": {"type": "message", "channel": message.channel, "ts": message.ts},
        "item_user": message.author.id,
        "event_ts": event_ts,
    }
    return (Event(kind, body, message.channel),)


def session_stopped(channel: str, user: str, thread_ts: str, event_ts: str) -> tuple[Event, ...]:
    """The native Stop button of an agent session."""
    body = {
        "type": "agent_session_stopped",
        "channel": channel,
        "user": user,
        "thread_ts": thread_ts,
        "streaming_message_ts": [],
        "event_ts": event_ts,
    }
    return (Event("agent_session_stopped", body, channel),)


def is_delivered(workspace: Workspace, event: Event) -> bool:
    """Whether the app subscribed to the event and its bot is in the channel."""
    if event.subscription not in workspace.subscriptions:
        return False
    return event.channel is None or BOT_USER in workspace.channel(event.channel).members


def envelope(workspace: Workspace, event: Event, event_id: str, now: float) -> Wire:
    """What the Events API posts around an inner event."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM,
        "context_team_id": TEAM,
        "context_enterprise_id": None,
        "api_app_id": APP,
        "event": event.body,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(now),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": event.channel is not None and workspace.is_shared(event.channel),
        "event_context": f"4-{event_id}",
    }


def block_action(
    workspace: Workspace,
    person: Person,
    message: Message,
    action: Wire,
    *,
    trigger_id: str,
    response_url: str,
) -> Wire:
    """A click or a choice in a message; an ephemeral message is named by its container only."""
    channel = workspace.channel(message.channel)
    container: Wire = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": message.only_for is not None,
    }
    if message.thread_ts is not None:
        container["thread_ts"] = message.thread_ts
    payload: Wire = {
        "type": "block_actions",
        "user": {
            "id": person.id,
            "username": person.name.lower(),
            "name": person.name.lower(),
            "team_id": person.team_id,
        },
        "api_app_id": APP,
        "token": VERIFICATION_TOKEN,
        "container": container,
        "trigger_id": trigger_id,
        "team": {"id": TEAM, "domain": "acme"},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": channel.id, "name": channel.name or "directmessage"},
        "state": {"values": {}},
        "response_url": response_url,
        "actions": [action],
    }
    if message.only_for is None:
        payload["message"] = message_wire(workspace, message)
    return payload


def message_action(
    workspace: Workspace,
    person: Person,
    message: Message,
    callback_id: str,
    *,
    action_ts: str,
    trigger_id: str,
    response_url: str,
) -> Wire:
    """A message shortcut: somebody chose the app's entry in a message's menu."""
    channel = workspace.channel(message.channel)
    return {
        "type": "message_action",
        "callback_id": callback_id,
        "action_ts": action_ts,
        "message_ts": message.ts,
        "user": {"id": person.id, "name": person.name.lower(), "team_id": person.team_id},
        "token": VERIFICATION_TOKEN,
        "trigger_id": trigger_id,
        "team": {"id": TEAM, "domain": "acme"},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": channel.id, "name": channel.name or "directmessage"},
        "response_url": response_url,
        "message": message_wire(workspace, message),
    }


def view_submission(person: Person, view: Wire, *, trigger_id: str) -> Wire:
    """Somebody sent a form; where it was opened is not said."""
    return {
        "type": "view_submission",
        "team": {"id": TEAM, "domain": "acme"},
        "user": {
            "id": person.id,
            "username": person.name.lower(),
            "name": person.name.lower(),
            "team_id": person.team_id,
        },
        "api_app_id": APP,
        "token": VERIFICATION_TOKEN,
        "trigger_id": trigger_id,
        "view": {
            "previous_view_id": None,
            "root_view_id": view["id"],
            "app_id": APP,
            "external_id": "",
            "app_installed_team_id": TEAM,
            "bot_id": "B0BOT",
            "clear_on_close": False,
            "notify_on_close": False,
            "private_metadata": "",
            "callback_id": "",
            **view,
        },
        "response_urls": [],
        "is_enterprise_install": False,
        "enterprise": None,
    }


def as_json_body(payload: Wire) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def as_form_body(payload: Wire) -> bytes:
    """Interactions arrive as one form field, `payload`."""
    return urlencode({"payload": json.dumps(payload, ensure_ascii=False, separators=(",", ":"))}).encode()


def signed_headers(body: bytes, *, secret: str, sent_at: int, content_type: str) -> dict[str, str]:
    """Slack's v0 signature: HMAC-SHA256 over `v0:<timestamp>:<raw body>`.

    Args:
        body: The request body, byte for byte.
        secret: The app's signing secret.
        sent_at: Unix time in whole seconds; receivers refuse more than five minutes of difference.
        content_type: JSON for events, a form for interactions.
    """
    digest = hmac.new(secret.encode(), b"v0:%d:%b" % (sent_at, body), hashlib.sha256).hexdigest()
    return {
        "Content-Type": content_type,
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "X-Slack-Request-Timestamp": str(sent_at),
        "X-Slack-Signature": f"v0={digest}",
    }


def tokens_gone(subscription: str, tokens: Sequence[str]) -> tuple[Event, ...]:
    """`app_uninstalled`, or `tokens_revoked` with the user ids whose tokens died."""
    body: Wire = {"type": subscription}
    if subscription == "tokens_revoked":
        body["tokens"] = {"oauth": [], "bot": list(tokens)}
    return (Event(subscription, body),)


def _optional_parts(message: Message) -> Wire:
    parts: Wire = {}
    if message.blocks:
        parts["blocks"] = list(message.blocks)
    if message.subtype is not None:
        parts["subtype"] = message.subtype
    if message.files:
        parts["files"] = list(message.files)
    if message.edited_at is not None:
        parts["edited"] = {"user": message.author.id, "ts": message.edited_at}
    if message.reactions:
        parts["reactions"] = [
            {"name": name, "users": list(users), "count": len(users)}
            for name, users in message.reactions.items()
        ]
    return parts


def _thread_parts(workspace: Workspace, message: Message) -> Wire:
    if message.is_reply:
        root = workspace.channel(message.channel).messages[message.root]
        return {"thread_ts": message.root, "parent_user_id": root.author.id}
    replies = [
        other
        for other in workspace.channel(message.channel).shown()
        if other.is_reply and other.root == message.ts
    ]
    if not replies:
        return {}
    return {
        "thread_ts": message.ts,
        "reply_count": len(replies),
        "latest_reply": replies[-1].ts,
        "reply_users": list(dict.fromkeys(reply.author.id for reply in replies)),
    }


def _hidden(workspace: Workspace, channel: str, event_ts: str, parts: Wire) -> Event:
    """A change to a message is itself a message event, with a ts of its own."""
    kind = workspace.channel(channel).kind
    base = {"type": "message", "channel": channel, "hidden": True, "ts": event_ts, "event_ts": event_ts}
    return Event(f"message.{kind}", base | {"channel_type": kind.event_type} | parts, channel)
