"""The stand-in's looks: state and transcript as JSON, and a small page to read and write by hand. Pure."""

from datetime import UTC, datetime
from html import escape

from playground.slack_state import Channel, Message, Workspace
from playground.slack_wire import Wire


def state_wire(workspace: Workspace) -> Wire:
    """Everything people and the app did, channel by channel and thread by thread."""
    return {
        "channels": {channel.id: _channel_wire(channel) for channel in workspace.channels.values()},
        "agent_sessions": [
            {"channel": channel, "thread_ts": ts, "status": session.status, "title": session.title}
            for (channel, ts), session in workspace.agent_sessions.items()
        ],
        "thread_statuses": [
            {"channel": channel, "thread_ts": ts, "status": status}
            for (channel, ts), status in workspace.thread_statuses.items()
        ],
        "views": list(workspace.views.values()),
    }


def transcript(workspace: Workspace, channel: str, thread_ts: str | None) -> list[Wire]:
    """What is to be read now: `author`, `text`, `ts`, `edited` (how often), `reactions` (name -> people)."""
    if thread_ts is None:
        messages = workspace.channel(channel).shown()
    else:
        messages = workspace.thread(channel, thread_ts)
    return [
        {
            "author": message.author.name,
            "text": message.shown_text(),
            "ts": message.ts,
            "edited": len(message.revisions),
            "reactions": {
                name: [workspace.people[user].name for user in users]
                for name, users in message.reactions.items()
            },
        }
        for message in messages
    ]


def home_page(workspace: Workspace) -> str:
    """A form, above a frame that refreshes itself (so that it does not eat what is being typed)."""
    people = "".join(
        f"<option value='{escape(person.id)}'>{escape(person.name)}</option>"
        for person in workspace.people.values()
    )
    channels = "".join(
        f"<option value='{escape(channel.id)}'>{escape(_title(workspace, channel))}</option>"
        for channel in workspace.channels.values()
    )
    return (
        "<!doctype html><meta charset='utf-8'><title>Slack stand-in</title><style>"
        "body{font:15px system-ui;margin:1em}iframe{width:100%;height:80vh;border:1px solid #ccc}"
        "</style><h1>Acme (Slack stand-in)</h1><form method='post' action='/_control/say'>"
        f"<select name='user'>{people}</select> in <select name='channel'>{channels}</select> "
        "<input name='text' size='60' required placeholder='&lt;@U0BOT&gt; fix the search'> "
        "thread <input name='thread_ts' size='18' placeholder='none: new message'> "
        "<button>Say</button></form>"
        "<iframe src='/_messages' title='Messages'></iframe>"
    )


def messages_page(workspace: Workspace) -> str:
    """All channels that have messages, threads indented."""
    sections = "".join(
        f"<h2>{escape(_title(workspace, channel))}</h2>{_channel_html(workspace, channel)}"
        for channel in workspace.channels.values()
        if channel.messages
    )
    return (
        "<!doctype html><meta charset='utf-8'><meta http-equiv='refresh' content='2'><style>"
        "body{font:14px system-ui}p{white-space:pre-wrap;margin:.3em}.reply{margin-left:3em}small{color:#777}"
        f"</style>{sections or '<p>Nothing was said yet.</p>'}"
    )


def _channel_wire(channel: Channel) -> Wire:
    threads: dict[str, list[Wire]] = {}
    for message in channel.messages.values():
        threads.setdefault(message.root, []).append(_message_wire(message))
    return {
        "name": channel.name,
        "kind": channel.kind.value,
        "is_archived": channel.is_archived,
        "members": sorted(channel.members),
        "threads": threads,
    }


def _message_wire(message: Message) -> Wire:
    return {
        "ts": message.ts,
        "user": message.author.id,
        "text": message.text,
        "blocks": list(message.blocks),
        "shown": message.shown_text(),
        "subtype": message.subtype,
        "metadata": message.metadata,
        "files": list(message.files),
        "ephemeral_for": message.only_for,
        "edited_at": message.edited_at,
        "deleted": message.deleted,
        "reactions": {name: list(users) for name, users in message.reactions.items()},
        "edits": [
            {"text": revision.text, "blocks": list(revision.blocks), "replaced_at": revision.replaced_at}
            for revision in message.revisions
        ],
    }


def _title(workspace: Workspace, channel: Channel) -> str:
    if channel.name:
        return f"#{channel.name}"
    names = sorted(workspace.people[user].name for user in channel.members if user in workspace.people)
    return f"DM {' and '.join(names)}"


def _channel_html(workspace: Workspace, channel: Channel) -> str:
    threads: dict[str, list[Message]] = {}
    for message in channel.messages.values():
        if not message.deleted:
            threads.setdefault(message.root, []).append(message)
    return "".join(_message_html(workspace, message) for thread in threads.values() for message in thread)


def _message_html(workspace: Workspace, message: Message) -> str:
    at = datetime.fromtimestamp(float(message.ts), UTC).strftime("%H:%M:%S")
    marks = [f":{name}: {len(users)}" for name, users in message.reactions.items()]
    if message.revisions:
        marks.append(f"edited {len(message.revisions)} times")
    if message.only_for is not None:
        marks.append(f"only for {workspace.people[message.only_for].name}")
    return (
        f"<p class='{'reply' if message.is_reply else 'root'}'><b>{escape(message.author.name)}</b> "
        f"<small>{at} · {escape(message.ts)} · {escape(' · '.join(marks))}</small>\n"
        f"{escape(message.shown_text())}</p>"
    )
