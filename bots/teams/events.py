"""Teams' verified activities -> `Incoming`, and the answers that Teams shows at once. Pure.

Keys are made of the conversation and the message's own id, which stay the same when Teams delivers again. A
press comes under a new id each time; there it is the nonce that our own card carries, and who pressed: what
one person may not do, another may.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from bots.teams import answers
from bots.teams.address import CHANNEL, PERSONAL, SURFACE, kind_of, thread_of
from bots.teams.buttons import (
    START_COMMAND,
    WORDS,
    Act,
    Answer,
    Ask,
    Choose,
    Pick,
    Press,
    Review,
    Reviewed,
    Start,
    Stop,
    picked,
    press_in,
)
from bots.teams.inbound import files_of, is_for_us, message_text, payload_text
from bots.teams.wire import Activity, CardPress, MessagePayload, TaskPress, parsed
from core.activities import Author
from core.events import Chosen, Deleted, Edited, Incoming, IncomingEvent, Pressed, Said, StopAsked
from core.ids import MessageRef, ThreadRef
from core.mirror.pulls import CHANGES_MISSING
from core.pulls import PullAction

STOP_REACTIONS: Final = frozenset({"274c", "274e", "2716", "23f9", "1f6d1", "26d4", "stopsign"})
"""Crosses and stop signs: what stands before the first underscore of a reaction's id, or the sign's code."""

WELCOME: Final = "help"
"""A person who adds us is answered as if they had asked this."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Who is heard.

    Attributes:
        tenants: Ids of the tenants whose conversations count, and whose people are no outsiders there.
        bots: Ids (`28:...`) of bots that may speak to us. An unlisted one makes a loop sooner or later.
    """

    tenants: frozenset[str]
    bots: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Invoked:
    """What an invoke asks for, to be stored first, and the body of the HTTP answer to it (status 200)."""

    incoming: Incoming | None
    answer: Mapping[str, Any]


def parse_activity(body: Mapping[str, Any], admission: Admission) -> Incoming | None:
    """Read an activity other than an invoke; None if it is not for us; raises `MalformedActivity`."""
    activity = parsed(Activity, body)
    incoming = _read(activity) if _hears(activity, admission) else None
    return _marked(incoming, activity, admission)


def parse_invoke(body: Mapping[str, Any], admission: Admission) -> Invoked | None:
    """Read an invoke; None if it is none of ours (answer 501); raises `MalformedActivity`.

    Every answer is complete: nothing has to be asked of anybody first, as Teams waits for a few seconds only.
    """
    activity = parsed(Activity, body)
    invoked = _invoked(activity, heard=_hears(activity, admission))
    return invoked and replace(invoked, incoming=_marked(invoked.incoming, activity, admission))


def author_of(activity: Activity) -> Author:
    """A person's account. User ids are unique in their tenant only."""
    who = activity.author
    return Author(SURFACE, f"{activity.tenant}/{who.id}", who.name or who.id)


def user_of(author: Author) -> str | None:
    """The user id for a mention, if the author is a Teams account."""
    return author.id.partition("/")[2] or None if author.surface == SURFACE else None


def _read(activity: Activity) -> Incoming | None:
    match activity.type:
        case "message" if activity.value is not None and not activity.text:
            return _submitted(activity)
        case "message":
            return _said(activity)
        case "messageUpdate":
            return _changed(activity)
        case "messageDelete":
            return _deleted(activity)
        case "messageReaction":
            return _reacted(activity)
        case "installationUpdate" if activity.action == "add":
            return _installed(activity)
        case _:
            return None


def _invoked(activity: Activity, *, heard: bool) -> Invoked | None:
    match activity.name:
        case "adaptiveCard/action":
            press = parsed(CardPress, activity.value)
            return _pressed(activity, press) if heard else Invoked(None, answers.refused())
        case "task/fetch" | "task/submit" | "composeExtension/fetchTask" | "composeExtension/submitAction":
            task = parsed(TaskPress, activity.value)
            return _asked(activity, task) if heard else Invoked(None, answers.told(answers.NOT_HERE))
        case _:
            return None


def _hears(activity: Activity, admission: Admission) -> bool:
    who = activity.author
    if activity.tenant not in admission.tenants or who.id == activity.recipient.id:
        return False
    return not who.is_bot or who.id in admission.bots


def _marked(incoming: Incoming | None, activity: Activity, admission: Admission) -> Incoming | None:
    """Who is known to come from another organisation is heard as such: what that means is not ours to say."""
    home = activity.author.tenant_id
    if incoming is None or not home or home in admission.tenants:
        return incoming
    return replace(incoming, author=replace(incoming.author, is_external=True))


def _place_of(activity: Activity) -> MessageRef:
    return MessageRef(thread_of(activity), activity.own_id)


def _key(message: MessageRef) -> str:
    thread = message.thread
    return f"{SURFACE}/{thread.install}/{thread.conversation}/{message.id}"


def _said(activity: Activity) -> Incoming | None:
    message = _place_of(activity)
    opens = kind_of(activity) == PERSONAL or is_for_us(activity)
    if not opens and kind_of(activity) == CHANNEL and message.thread.root == message.id:
        # Nobody can have a session under a message that begins a thread and is not for us.
        return None
    return Incoming(
        key=_key(message),
        place=message.thread,
        event=Said(message_text(activity), files_of(activity), at=_said_at(activity)),
        author=author_of(activity),
        opens=opens,
        if_awaited=not opens and _never_ends(activity),
        message=message,
    )


def _never_ends(activity: Activity) -> bool:
    """Whether it is one thread for ever, in which people talk of everything: a session there has to end."""
    return kind_of(activity) not in (CHANNEL, PERSONAL)


def _said_at(activity: Activity) -> float | None:
    try:
        return datetime.fromisoformat(activity.timestamp).timestamp()
    except ValueError:
        return None


def _changed(activity: Activity) -> Incoming:
    """An edit, or the end of a deletion: either way the message reads like this now.

    Teams does not say what it read before. One that mentions us may do so for the first time.
    """
    message, opens = _place_of(activity), is_for_us(activity)
    restored = activity.channel_data is not None and activity.channel_data.event_type == "undeleteMessage"
    return Incoming(
        key=f"{_key(message)}/{'restore' if restored else 'edit'}/{activity.timestamp}",
        place=message.thread,
        event=Edited(message, message_text(activity), files_of(activity)),
        author=author_of(activity),
        opens=opens,
        if_awaited=not opens and _never_ends(activity),
        message=message,
    )


def _deleted(activity: Activity) -> Incoming:
    message = _place_of(activity)
    return Incoming(
        key=f"{_key(message)}/delete/{activity.timestamp}",
        place=message.thread,
        event=Deleted(message),
        author=author_of(activity),
        message=message,
    )


def _reacted(activity: Activity) -> Incoming | None:
    added = activity.reactions_added or ()
    if not activity.reply_to_id or not any(_means_stop(each.type) for each in added):
        return None
    # A reaction does not name its thread: the message may be a reply, which only our own records can tell.
    thread = replace(thread_of(activity), root=activity.reply_to_id)
    message = MessageRef(thread, activity.reply_to_id)
    return Incoming(
        key=f"{_key(message)}/reaction/{activity.author.id}/{activity.own_id}",
        place=thread,
        event=StopAsked(),
        author=author_of(activity),
        message=message,
    )


def _means_stop(reaction: str) -> bool:
    name = reaction.partition("_")[0].lower()
    return name in STOP_REACTIONS or (bool(reaction) and f"{ord(reaction[0]):x}" in STOP_REACTIONS)


def _installed(activity: Activity) -> Incoming:
    thread = thread_of(activity)
    return Incoming(
        key=f"{_key(MessageRef(thread, activity.own_id))}/installed",
        place=thread,
        event=Said(WELCOME),
        author=author_of(activity),
        opens=True,
    )


def _submitted(activity: Activity) -> Incoming | None:
    """A press of an Action.Submit: it comes as a message that nobody wrote."""
    press = press_in(activity.value)
    return _meant(activity, press) if press else None


def _pressed(activity: Activity, card: CardPress) -> Invoked:
    if card.trigger == "automatic":
        return Invoked(None, answers.said(""))
    press = press_in(card.action.data)
    incoming = _meant(activity, press) if press else None
    if press is None or incoming is None:
        return Invoked(None, answers.wrong(_missing(press)))
    return Invoked(incoming, answers.said("Stopping." if isinstance(press.data, Stop) else "Got it."))


def _missing(press: Press | None) -> str:
    return "Choose something first." if press and isinstance(press.data, Pick) else answers.UNKNOWN


def _asked(activity: Activity, task: TaskPress) -> Invoked | None:
    """Forms: those that we open, and what is sent with them."""
    press = press_in(task.data)
    match activity.name, press.data if press else None:
        case "task/fetch", Ask() as asked:
            return Invoked(None, answers.answer_form(asked, nonce=activity.own_id))
        case "task/fetch", Review() as opened:
            return Invoked(None, answers.changes_form(opened, nonce=activity.own_id))
        case "task/submit", Answer() | Reviewed() if press:
            incoming = _meant(activity, press)
            return Invoked(incoming, answers.closed() if incoming else answers.told(CHANGES_MISSING))
        case "composeExtension/fetchTask", _ if task.command_id == START_COMMAND and task.message_payload:
            text = payload_text(task.message_payload)
            form = answers.start_form(task.message_payload.author_name, text, nonce=activity.own_id)
            return Invoked(None, form)
        case "composeExtension/submitAction", Start() if press and task.message_payload:
            return Invoked(_started(activity, press, task.message_payload), answers.closed())
        case _:
            return Invoked(None, answers.told(answers.UNKNOWN))


def _meant(activity: Activity, press: Press) -> Incoming | None:
    """What a press says; None if it says nothing, or only opens something."""
    match press.data:
        case Stop():
            return _clicked(activity, press, StopAsked())
        case Choose(question=question, value=value):
            return _clicked(activity, press, Chosen(question, value))
        case Pick(question=question, gives=gives) if chosen := picked(press, gives):
            return _clicked(activity, press, Chosen(question, ", ".join(chosen)))
        case Answer(question=question) if words := press.fields.get(WORDS, "").strip():
            return _clicked(activity, press, Chosen(question, words))
        case Act(card=card, action=action, sure=sure):
            return _clicked(activity, press, Pressed(card, action, confirmed=sure))
        case Reviewed(card=card) if words := press.fields.get(WORDS, "").strip():
            return _clicked(activity, press, Pressed(card, PullAction.REQUEST_CHANGES, text=words))
        case _:
            return None


def _clicked(activity: Activity, press: Press, event: IncomingEvent) -> Incoming:
    thread, more = thread_of(activity), f"/{activity.author.id}"
    if isinstance(press.data, Pick):
        more += f"/{press.fields.get('picked', '')}"
    elif isinstance(press.data, Act):
        # Pressed again, it is meant again. One that Teams repeats under another id is settled as done before.
        more += f"/{activity.own_id}"
    return Incoming(
        key=f"{_key(MessageRef(thread, 'press'))}/{press.data.nonce}{more}",
        place=thread,
        event=event,
        author=author_of(activity),
    )


def _started(activity: Activity, press: Press, payload: MessagePayload) -> Incoming:
    """A session under a message that somebody chose, as if it had been said to us there."""
    thread = _thread_under(activity, payload)
    message = MessageRef(thread, payload.id)
    said, words = payload_text(payload), press.fields.get(WORDS, "").strip()
    return Incoming(
        key=f"{_key(message)}/start/{press.data.nonce}",
        place=thread,
        event=Said(f"{words}\n\n{_quoted(payload.author_name, said)}" if words and said else words or said),
        author=author_of(activity),
        opens=True,
        message=message,
    )


def _thread_under(activity: Activity, payload: MessagePayload) -> ThreadRef:
    thread = thread_of(activity)
    if kind_of(activity) != CHANNEL:
        return thread
    return replace(thread, root=payload.reply_to_id or payload.id)


def _quoted(name: str, text: str) -> str:
    said = f"{name}: {text}" if name else text
    return "\n".join(f"> {line}".rstrip() for line in said.splitlines())
