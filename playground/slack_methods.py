"""The Web API methods of the stand-in: what each needs, does and answers. Pure."""

from collections.abc import Mapping
from typing import Final

from playground.slack_args import Args
from playground.slack_blocks import check_blocks
from playground.slack_calls import Call, Done, Method
from playground.slack_events import changed, message_wire, posted, reaction, removed
from playground.slack_reading import (
    channel_info,
    history,
    open_conversation,
    replies,
    user_by_email,
    user_info,
)
from playground.slack_state import BOT_USER, SCREENS, TEAM, AgentStatus, Draft, Message
from playground.slack_views import check_view
from playground.slack_wire import Refused, Wire

POST_LIMIT_CHARS: Final = 40_000
UPDATE_LIMIT_CHARS: Final = 4_000
MARKDOWN_LIMIT_CHARS: Final = 12_000
TITLE_LIMIT_CHARS: Final = 200
SESSION_STATUSES: Final = {"processing", "active", "suspended", "closed"}
METADATA: Final = "invalid_metadata_format"


def auth_test(call: Call) -> Done:
    bot = call.workspace.bot
    return Done(
        {
            "url": call.team_url,
            "team": "Acme",
            "user": bot.name,
            "team_id": TEAM,
            "user_id": bot.id,
            "bot_id": bot.bot_id,
            "is_enterprise_install": False,
        }
    )


def post_message(call: Call) -> Done:
    channel = call.args.text("channel")
    if channel.startswith("U"):
        channel = call.workspace.open_dm(channel).id
    draft, warnings = _draft(call)
    message = call.workspace.post(call.workspace.bot, channel, draft, call.now)
    shown = message_wire(call.workspace, message, with_metadata=True)
    answer: Wire = {"channel": channel, "ts": message.ts, "message": shown}
    if warnings:
        answer |= {"warning": ",".join(warnings), "response_metadata": {"warnings": warnings}}
    return Done(answer, posted(call.workspace, message))


def post_ephemeral(call: Call) -> Done:
    draft, _ = _draft(call)
    draft.only_for = call.args.text("user")
    message = call.workspace.post(call.workspace.bot, call.args.text("channel"), draft, call.now)
    return Done({"message_ts": message.ts})


def update_message(call: Call) -> Done:
    channel, ts = call.args.text("channel"), call.args.text("ts")
    before = message_wire(call.workspace, _seen(call, channel, ts))
    draft, _ = _draft(call)
    # Over this limit an edit is refused, where a new message is cut.
    if len(draft.text) > UPDATE_LIMIT_CHARS:
        raise Refused("msg_too_long")
    message = call.workspace.edit(call.workspace.bot, channel, ts, draft.text, draft.blocks, call.now)
    if draft.metadata is not None:
        message.metadata = draft.metadata
    shown = message_wire(call.workspace, message, with_metadata=True)
    answer = {"channel": channel, "ts": ts, "text": message.text, "message": shown}
    return Done(answer, changed(call.workspace, message, before, message.edited_at or ts))


def delete_message(call: Call) -> Done:
    channel, ts = call.args.text("channel"), call.args.text("ts")
    before = message_wire(call.workspace, _seen(call, channel, ts))
    message = call.workspace.delete(call.workspace.bot, channel, ts)
    event_ts = call.workspace.next_ts(call.now)
    return Done({"channel": channel, "ts": ts}, removed(call.workspace, message, before, event_ts))


def get_permalink(call: Call) -> Done:
    channel, ts = call.args.text("channel"), call.args.text("message_ts")
    message = _seen(call, channel, ts)
    link = f"{call.team_url}archives/{channel}/p{ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.root}&cid={channel}"
    return Done({"channel": channel, "permalink": link})


def add_reaction(call: Call) -> Done:
    name = call.args.text("name")
    message = call.workspace.react(BOT_USER, call.args.text("channel"), call.args.text("timestamp"), name)
    event_ts = call.workspace.next_ts(call.now)
    return Done({}, reaction("reaction_added", message, BOT_USER, name, event_ts))


def remove_reaction(call: Call) -> Done:
    name = call.args.text("name")
    message = call.workspace.unreact(BOT_USER, call.args.text("channel"), call.args.text("timestamp"), name)
    event_ts = call.workspace.next_ts(call.now)
    return Done({}, reaction("reaction_removed", message, BOT_USER, name, event_ts))


def get_reactions(call: Call) -> Done:
    channel = call.channel()
    message = call.workspace.message(channel.id, call.args.text("timestamp"))
    shown = message_wire(call.workspace, message)
    return Done({"type": "message", "channel": channel.id, "message": shown})


def open_view(call: Call) -> Done:
    trigger = call.workspace.triggers.pop(call.args.text("trigger_id"), None)
    if trigger is None:
        raise Refused("invalid_trigger_id")
    if trigger.until < call.now:
        raise Refused("expired_trigger_id")
    screens = call.workspace.screens.setdefault(trigger.user, [])
    if len(screens) == SCREENS:
        raise Refused("push_limit_reached")
    done = _store_view(call, f"V{len(call.workspace.views) + 1:04d}")
    screens.append(done.answer["view"]["id"])
    return done


def update_view(call: Call) -> Done:
    view_id = call.args.text("view_id")
    if view_id not in call.workspace.views:
        raise Refused("not_found")
    return _store_view(call, view_id)


def publish_view(call: Call) -> Done:
    return _store_view(call, f"home/{call.workspace.person(call.args.text('user_id')).id}")


def open_connection(call: Call) -> Done:
    return Done({"url": call.open_socket()})


def set_session_status(call: Call) -> Done:
    status, title = call.args.text("status"), call.args.optional("title")
    if not call.workspace.is_agent:
        raise Refused("not_authorized")
    if status not in SESSION_STATUSES or len(title or "") > TITLE_LIMIT_CHARS:
        raise Refused("invalid_arguments")
    place = _thread_of(call)
    known = call.workspace.agent_sessions.get(place)
    call.workspace.agent_sessions[place] = AgentStatus(status, title or (known.title if known else None))
    if "agent_session_stopped" in call.workspace.subscriptions:
        return Done({})
    warning = "missing_agent_session_stopped_event_subscription"
    return Done({"warning": warning, "response_metadata": {"warnings": [warning]}})


def set_thread_status(call: Call) -> Done:
    if not call.workspace.is_agent:
        raise Refused("not_authorized")
    place = _thread_of(call)
    if call.args.has("status"):
        call.workspace.thread_statuses[place] = call.args.text("status")
    else:
        call.workspace.thread_statuses.pop(place, None)
    return Done({})


METHODS: Final[Mapping[str, Method]] = {
    "agents.sessions.setStatus": Method(set_session_status, "chat:write"),
    "apps.connections.open": Method(open_connection, "connections:write", is_app_level=True),
    "assistant.threads.setStatus": Method(set_thread_status, "chat:write"),
    "auth.test": Method(auth_test),
    "chat.delete": Method(delete_message, "chat:write"),
    "chat.getPermalink": Method(get_permalink),
    "chat.postEphemeral": Method(post_ephemeral, "chat:write"),
    "chat.postMessage": Method(post_message, "chat:write"),
    "chat.update": Method(update_message, "chat:write"),
    "conversations.history": Method(history, "*:history"),
    "conversations.info": Method(channel_info, "*:read"),
    "conversations.open": Method(open_conversation, "im:write"),
    "conversations.replies": Method(replies, "*:history"),
    "reactions.add": Method(add_reaction, "reactions:write"),
    "reactions.get": Method(get_reactions, "reactions:read"),
    "reactions.remove": Method(remove_reaction, "reactions:write"),
    "users.info": Method(user_info, "users:read"),
    "users.lookupByEmail": Method(user_by_email, "users:read.email"),
    "views.open": Method(open_view),
    "views.publish": Method(publish_view),
    "views.update": Method(update_view),
}


def _draft(call: Call) -> tuple[Draft, list[str]]:
    """Read and check the content of a message; the list holds Slack's warnings."""
    args = call.args
    text, blocks = args.optional("text") or "", args.items("blocks", "invalid_blocks_format")
    if args.has("markdown_text"):
        if text or blocks:
            raise Refused("markdown_text_conflict")
        text = args.text("markdown_text")
        if len(text) > MARKDOWN_LIMIT_CHARS:
            raise Refused("msg_too_long")
    check_blocks(blocks)
    if not text and not blocks:
        raise Refused("no_text")
    draft = Draft(
        text=text[:POST_LIMIT_CHARS],
        blocks=tuple(blocks),
        thread_ts=args.optional("thread_ts"),
        subtype="thread_broadcast" if args.flag("reply_broadcast") else None,
        metadata=_metadata(args),
    )
    return draft, ["message_truncated"] if len(text) > POST_LIMIT_CHARS else []


def _metadata(args: Args) -> Wire | None:
    match args.mapping("metadata", METADATA):
        case None:
            return None
        case {"event_type": str(kind), "event_payload": dict()} as metadata if kind:
            return metadata
        case _:
            raise Refused(METADATA)


def _seen(call: Call, channel: str, ts: str) -> Message:
    """A message the bot may see; what only one person sees does not count."""
    call.workspace.channel_for(channel, BOT_USER)
    message = call.workspace.message(channel, ts)
    if message.only_for is not None:
        raise Refused("message_not_found")
    return message


def _store_view(call: Call, view_id: str) -> Done:
    view = call.args.mapping("view", "invalid_arguments")
    if view is None:
        raise Refused("invalid_arguments")
    check_view(view)
    blocks = [{"block_id": f"{view_id}-{at}", **block} for at, block in enumerate(view["blocks"])]
    named = {"id": view_id, "team_id": TEAM, "hash": f"{call.now:.0f}.{len(call.workspace.views)}"}
    stored = {**view, **named, "blocks": blocks}
    call.workspace.views[view_id] = stored
    return Done({"view": stored})


def _thread_of(call: Call) -> tuple[str, str]:
    channel, thread_ts = call.args.optional("channel_id"), call.args.text("thread_ts")
    home = call.workspace.channel_for(channel or call.args.text("channel"), BOT_USER)
    call.workspace.thread(home.id, thread_ts)
    return home.id, thread_ts
