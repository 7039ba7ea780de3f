"""The stand-in's looks: state and transcript as JSON, and a small page to read and write by hand. Pure."""

from html import escape

from playground.teams_activities import iso
from playground.teams_state import Conversation, Kind, Message, Workspace
from playground.teams_wire import Wire


def state_wire(workspace: Workspace) -> Wire:
    """Everything people and the bot did, conversation by conversation and thread by thread."""
    return {
        "service_url": workspace.service_url(),
        "is_blocked": workspace.is_blocked,
        "conversations": {one.id: _conversation_wire(one) for one in workspace.conversations.values()},
    }


def transcript(
    workspace: Workspace, conversation: str, root: str | None = None, *, seen_by: str | None = None
) -> list[Wire]:
    """What is to be read now: `author`, `text`, `ts` (the message's id), `edited` (how often), `reactions`.

    Reactions are id -> names of people. With `seen_by` as that person sees it: with cards that own presses
    changed, and with private messages.
    """
    home = workspace.conversation(conversation)
    messages = home.shown() if root is None else workspace.thread(conversation, root)
    if seen_by is not None:
        private = (one for one in home.messages.values() if one.only_for == seen_by and not one.deleted)
        messages = sorted(
            [*messages, *(one for one in private if root in (None, one.thread))], key=lambda one: int(one.id)
        )
    return [
        {
            "author": message.author.name,
            "text": message.shown_text(seen_by),
            "ts": message.id,
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
    conversations = "".join(
        f"<option value='{escape(one.id)}'>{escape(_title(workspace, one))}</option>"
        for one in workspace.conversations.values()
    )
    return (
        "<!doctype html><meta charset='utf-8'><title>Teams stand-in</title><style>"
        "body{font:15px system-ui;margin:1em}iframe{width:100%;height:80vh;border:1px solid #ccc}"
        "</style><h1>Acme (Teams stand-in)</h1><form method='post' action='/_control/say'>"
        f"<select name='user'>{people}</select> in <select name='conversation'>{conversations}</select> "
        "<input name='text' size='60' required placeholder='&lt;at&gt;linear&lt;/at&gt; fix the search'> "
        "thread <input name='root' size='18' placeholder='none: new post'> "
        "<button>Say</button></form>"
        "<iframe src='/_messages' title='Messages'></iframe>"
    )


def messages_page(workspace: Workspace) -> str:
    """All conversations that have messages, threads indented."""
    sections = "".join(
        f"<h2>{escape(_title(workspace, one))}</h2>{_conversation_html(workspace, one)}"
        for one in workspace.conversations.values()
        if one.messages
    )
    return (
        "<!doctype html><meta charset='utf-8'><meta http-equiv='refresh' content='2'><style>"
        "body{font:14px system-ui}p{white-space:pre-wrap;margin:.3em}.reply{margin-left:3em}small{color:#777}"
        f"</style>{sections or '<p>Nothing was said yet.</p>'}"
    )


def _conversation_wire(home: Conversation) -> Wire:
    threads: dict[str, list[Wire]] = {}
    for message in home.messages.values():
        thread = message.thread if home.kind is Kind.CHANNEL else "chat"
        threads.setdefault(thread, []).append(_message_wire(message))
    return {
        "name": home.name,
        "kind": home.kind.value,
        "reads_all": home.reads_all,
        "members": sorted(home.members),
        "threads": threads,
    }


def _message_wire(message: Message) -> Wire:
    return {
        "id": message.id,
        "user": message.author.id,
        "text": message.text,
        "html": message.markup,
        "shown": message.shown_text(),
        "activity": message.raw,
        "private_for": message.only_for,
        "deleted": message.deleted,
        "reactions": {name: list(users) for name, users in message.reactions.items()},
        "views": message.views,
        "toasts": message.toasts,
        "edits": [
            {"text": revision.text, "cards": list(revision.cards), "replaced_at": iso(revision.replaced_at)}
            for revision in message.revisions
        ],
    }


def _title(workspace: Workspace, home: Conversation) -> str:
    if home.name:
        return f"#{home.name}" if home.kind is Kind.CHANNEL else home.name
    return f"Chat of {' and '.join(sorted(workspace.people[user].name for user in home.members))}"


def _conversation_html(workspace: Workspace, home: Conversation) -> str:
    threads: dict[str, list[Message]] = {}
    for message in home.messages.values():
        if not message.deleted:
            threads.setdefault(message.thread, []).append(message)
    return "".join(_message_html(workspace, one) for thread in threads.values() for one in thread)


def _message_html(workspace: Workspace, message: Message) -> str:
    marks = [f"{name}: {len(users)}" for name, users in message.reactions.items()]
    if message.revisions:
        marks.append(f"edited {len(message.revisions)} times")
    if message.only_for is not None:
        marks.append(f"only for {workspace.people[message.only_for].name}")
    return (
        f"<p class='{'reply' if message.is_reply else 'root'}'><b>{escape(message.author.name)}</b> "
        f"<small>{iso(message.sent_at)[11:19]} · {escape(message.id)} · {escape(' · '.join(marks))}</small>\n"
        f"{escape(message.shown_text())}</p>"
    )
