"""Slack's signed envelopes -> `Incoming`. Pure.

Keys are made of signed content and never of `event_id`: one mention arrives as two events with an id each,
and Slack repeats events under new ids.
"""

from dataclasses import dataclass, replace
from typing import Final

from bots.slack.buttons import CHOICE_ACTION, STOP_ACTION, asked_in, pull_action
from bots.slack.inbound import attachments_of, mentions, message_text
from bots.slack.wire import (
    BlockActions,
    ChangeEvent,
    Click,
    Envelope,
    Message,
    MessageEvent,
    ReactionEvent,
    Shortcut,
    StopEvent,
    Wire,
    parsed,
)
from core.activities import Author
from core.events import Chosen, Deleted, Edited, Incoming, Pressed, Said, StopAsked
from core.ids import MessageRef, ThreadRef

SURFACE: Final = "slack"
STOP_REACTIONS: Final = frozenset({"x", "octagonal_sign", "stop_sign"})
START_SHORTCUT: Final = "start_session"
_FROM_PEOPLE: Final = frozenset({None, "file_share", "thread_broadcast", "me_message"})
_SYSTEM_USER: Final = "USLACKBOT"

BOT_EVENTS: Final = {
    "app_mention": ("app_mentions:read",),
    "message.channels": ("channels:history",),
    "message.groups": ("groups:history",),
    "message.im": ("im:history",),
    "message.mpim": ("mpim:history",),
    "reaction_added": ("reactions:read",),
    "agent_session_stopped": (),
}
"""The subscriptions that `parse_event` reads, with the scopes that each of them needs."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Who counts beside the workspace's own members; nobody by default.

    Attributes:
        bots: `bot_id`s of bots that may speak to us. An unlisted one makes a loop sooner or later.
        teams: Ids of other workspaces whose members, in shared channels, count as our own; members of any
            other are heard as people from elsewhere.
    """

    bots: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()


MEMBERS_ONLY: Final = Admission()


def parse_event(body: Wire, admission: Admission = MEMBERS_ONLY) -> Incoming | None:
    """Read an Events API envelope; None if it is not for us; raises `MalformedEvent`."""
    envelope = parsed(Envelope, body)
    event = envelope.event
    match event.get("type"), event.get("subtype"):
        case "message", "message_changed":
            return _changed(_Reader(envelope, admission), parsed(ChangeEvent, event))
        case "message", "message_deleted":
            return _deleted(_Reader(envelope, admission), parsed(ChangeEvent, event))
        case "message" | "app_mention", (
            None | "file_share" | "thread_broadcast" | "me_message" | "bot_message"
        ):
            return _said(_Reader(envelope, admission), parsed(MessageEvent, event))
        case "reaction_added", _:
            return _reacted(_Reader(envelope, admission), event)
        case "agent_session_stopped", _:
            return _stopped(_Reader(envelope, admission), parsed(StopEvent, event))
        case _:
            return None


def parse_action(body: Wire, admission: Admission = MEMBERS_ONLY) -> Incoming | None:
    """Read a `block_actions` payload; None for mere links, and for what opens a form."""
    payload = parsed(BlockActions, body)
    is_external = payload.user.team_id not in {None, payload.team.id, *admission.teams}
    for click in payload.actions:
        if event := _meaning(click):
            return _clicked(payload, click, event, is_external=is_external)
    return None


def parse_shortcut(body: Wire, admission: Admission = MEMBERS_ONLY) -> Incoming | None:
    """Read a `message_action` payload: work on this message, whoever wrote it; None for other shortcuts."""
    payload = parsed(Shortcut, body)
    if payload.callback_id != START_SHORTCUT:
        return None
    target, team = payload.message, payload.team.id
    is_external = payload.user.team_id not in {None, team, *admission.teams}
    thread = ThreadRef(SURFACE, team, payload.channel.id, target.thread_ts or target.ts)
    message = MessageRef(thread, target.ts)
    text = message_text(target) or "See the attached file."
    return Incoming(
        # Without a time: pressed twice, it is one request.
        key=f"{_key(message)}/shortcut/{payload.user.id}",
        place=thread,
        event=Said(text, attachments_of(target.files or ())),
        author=replace(author_of(team, payload.user.id), is_external=is_external),
        opens=True,
        message=message,
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """The facts of the envelope that every event is read with."""

    envelope: Envelope
    admission: Admission

    def author(self, message: Message) -> Author | None:
        """Who wrote it, if that is somebody whom we hear."""
        if message.user in (self.envelope.bot_user, _SYSTEM_USER) and message.user is not None:
            return None
        if message.app_id is not None and message.app_id == self.envelope.api_app_id:
            return None
        if message.bot_id is not None and message.bot_id not in self.admission.bots:
            return None
        who = message.user or message.bot_id
        if who is None:
            return None
        is_external = message.user_team not in {None, self.envelope.team, *self.admission.teams}
        return replace(self.person(who, message.username), is_external=is_external)

    def person(self, user: str, name: str | None = None) -> Author:
        return author_of(self.envelope.team, user, name)

    def thread(self, channel: str, root: str) -> ThreadRef:
        return ThreadRef(SURFACE, self.envelope.team, channel, root)

    def place_of(self, channel: str, message: Message) -> MessageRef:
        return MessageRef(self.thread(channel, message.thread_ts or message.ts), message.ts)


def author_of(team: str, user: str, name: str | None = None) -> Author:
    """A person's account. User ids are unique in their workspace only."""
    return Author(SURFACE, f"{team}/{user}", name or user)


def user_of(author: Author) -> str | None:
    """The user id for a mention, if the author is a Slack account."""
    return author.id.rpartition("/")[2] if author.surface == SURFACE else None


def thread_of_click(payload: BlockActions) -> ThreadRef:
    """The thread that the pressed button stands in."""
    container = payload.container
    shown = payload.message.thread_ts if payload.message else None
    root = container.thread_ts or shown or container.message_ts
    return ThreadRef(SURFACE, payload.team.id, container.channel_id, root)


def _key(message: MessageRef) -> str:
    thread = message.thread
    return f"{SURFACE}/{thread.install}/{thread.conversation}/{message.id}"


def _said(reader: _Reader, event: MessageEvent) -> Incoming | None:
    author = reader.author(event)
    if author is None:
        return None
    is_reply = event.thread_ts not in (None, event.ts)
    opens = event.channel_type == "im" or event.type == "app_mention" or _is_for_us(reader, event)
    if not opens and not is_reply:
        # Nobody can have a session under a channel message that is not a reply and not for us.
        return None
    message, words = reader.place_of(event.channel, event), _words(reader, event)
    # An edit that adds a mention may bring an `app_mention` of its own, next to the `message_changed`.
    key = f"{_key(message)}/edit/{event.edited.ts}" if event.edited else _key(message)
    return Incoming(
        key=key,
        place=message.thread,
        event=Edited(message, words.text, words.attachments) if event.edited else words,
        author=author,
        opens=opens,
        message=message,
    )


def _changed(reader: _Reader, event: ChangeEvent) -> Incoming | None:
    after, before = event.message, event.previous_message
    if after is None:
        return None
    if after.subtype == "tombstone":
        # Slack's form of deleting a message that has replies.
        return _deleted(reader, event)
    author = reader.author(after)
    if author is None or after.subtype not in _FROM_PEOPLE or not _edited_by_author(after, before):
        return None
    message, words = reader.place_of(event.channel, after), _words(reader, after)
    return Incoming(
        key=f"{_key(message)}/edit/{after.edited.ts if after.edited else ''}",
        place=message.thread,
        event=Edited(message, words.text, words.attachments),
        author=author,
        opens=_is_for_us(reader, after),
        message=message,
    )


def _edited_by_author(after: Message, before: Message | None) -> bool:
    """Unfurls and other people change a message too: without a newer `edited`, or with the same text."""
    if after.edited is None or after.edited.user not in (None, after.user):
        return False
    if before is None:
        return True
    return before.edited != after.edited and before.text != after.text


def _deleted(reader: _Reader, event: ChangeEvent) -> Incoming | None:
    gone = event.previous_message
    author = reader.author(gone) if gone else None
    if gone is None or author is None:
        return None
    message = reader.place_of(event.channel, gone)
    return Incoming(
        key=f"{_key(message)}/delete",
        place=message.thread,
        event=Deleted(message),
        author=author,
        message=message,
    )


def _reacted(reader: _Reader, body: Wire) -> Incoming | None:
    item = body.get("item")
    if isinstance(item, dict) and item.get("type") != "message":
        return None
    event = parsed(ReactionEvent, body)
    ours = reader.envelope.bot_user
    if event.reaction not in STOP_REACTIONS or event.item_user != ours or event.user == ours:
        return None
    # A reaction does not name its thread: the message may be a reply, which only our own records can tell.
    message = MessageRef(reader.thread(event.item.channel, event.item.ts), event.item.ts)
    return Incoming(
        key=f"{_key(message)}/reaction/{event.user}/{event.event_ts}",
        place=message.thread,
        event=StopAsked(),
        author=reader.person(event.user),
        message=message,
    )


def _stopped(reader: _Reader, event: StopEvent) -> Incoming:
    thread = reader.thread(event.channel, event.thread_ts)
    return Incoming(
        key=f"{_key(MessageRef(thread, event.thread_ts))}/stop/{event.event_ts}",
        place=thread,
        event=StopAsked(),
        author=reader.person(event.user),
    )


def _is_for_us(reader: _Reader, message: Message) -> bool:
    return mentions(message.text or "", reader.envelope.bot_user)


def _words(reader: _Reader, message: Message) -> Said:
    text = message_text(message, without=reader.envelope.bot_user)
    return Said(text, attachments_of(message.files or ()), at=float(message.ts))


def _meaning(click: Click) -> StopAsked | Chosen | Pressed | None:
    value = click.selected_option.value if click.selected_option else click.value
    if click.action_id == STOP_ACTION:
        return StopAsked()
    if pressed := pull_action(click.action_id):
        action, is_confirmed = pressed
        return Pressed(value, action, confirmed=is_confirmed) if value else None
    elicitation = asked_in(click.block_id)
    if click.action_id.startswith(CHOICE_ACTION) and elicitation and value is not None:
        return Chosen(elicitation, value)
    return None


def _clicked(
    payload: BlockActions, click: Click, event: StopAsked | Chosen | Pressed, *, is_external: bool
) -> Incoming:
    thread = thread_of_click(payload)
    return Incoming(
        key=f"{_key(MessageRef(thread, payload.container.message_ts))}/click/{click.action_ts}",
        place=thread,
        event=event,
        # Clicks carry the account's handle; the name that people read is looked up later.
        author=replace(author_of(payload.team.id, payload.user.id), is_external=is_external),
    )
