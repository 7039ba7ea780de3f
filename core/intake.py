"""What waiting messages ask for: new work, a follow-up, an answer, a stop. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from core.activities import PLAN_APPROVED, Elicitation
from core.commands import Act, Command, New, Stop, command_of
from core.events import (
    Attachment,
    Chosen,
    Deleted,
    Edited,
    Incoming,
    Pressed,
    Said,
    SessionOpened,
    StopAsked,
)
from core.ids import MessageRef
from core.session import (
    AnswerGiven,
    Given,
    Prompted,
    Session,
    SessionEvent,
    StopRequested,
    Withdrawn,
    unheard,
)

NO_READER = "I cannot read files of a chat"

_INCOMING: TypeAdapter[Incoming] = TypeAdapter(Incoming)

_OPTION = re.compile(r"(?<!\S)(repo|branch|model)[=:]([\w./-]+)(?!\S)", re.I)


def dump_incoming(incoming: Incoming) -> dict[str, object]:
    """The event as JSON-able data, for the inbox."""
    dumped: dict[str, object] = _INCOMING.dump_python(incoming, mode="json")
    return dumped


def load_incoming(data: object) -> Incoming:
    """The opposite of `dump_incoming`."""
    return _INCOMING.validate_python(data)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An inbox row nobody has taken yet. `folded`: later rows that changed it and are used up with it."""

    seq: int
    incoming: Incoming
    folded: tuple[int, ...] = ()

    @property
    def seqs(self) -> tuple[int, ...]:
        """Every row that this stands for."""
        return (self.seq, *self.folded)


@dataclass(frozen=True, slots=True)
class Options:
    """What a message said with `repo=`, `branch=` and `model=`."""

    repo: str | None = None
    branch: str | None = None
    model: str | None = None


def fold(waiting: Sequence[Waiting]) -> list[Waiting]:
    """Apply edits and deletions to messages that wait beside them; what is left is in order.

    An edit of a message that was taken long ago stays: it is a correction.
    """
    held: list[Waiting] = []
    for row in waiting:
        match row.incoming.event:
            case Edited(message=message, text=text) if (found := _index(held, message)) is not None:
                was, said = held[found], held[found].incoming
                reworded = replace(said, event=_reworded(said, text))
                held[found] = replace(was, incoming=reworded, folded=(*was.folded, row.seq))
            case Deleted(message=message) if (found := _index(held, message)) is not None:
                del held[found]
            case _:
                held.append(row)
    return held


def as_heard(incoming: Incoming, before: Sequence[Incoming]) -> Incoming:
    """The event as its session hears it, which heard `before` about the same message.

    An edit that mentions us, of a message nobody heard, corrects nothing: it is said now. Nor does an edit of
    a word that was for us alone.
    """
    is_new = all(map(_was_for_us, before)) if before else incoming.opens
    match incoming.event:
        case Edited(text=text, attachments=attachments) if is_new:
            return replace(incoming, event=Said(text, attachments))
        case _:
            return incoming


def is_awaited(incoming: Incoming, session: Session, *, waits: bool) -> bool:
    """Whether an event counts for its session as it stands.

    Args:
        waits: Something is in the inbox that no turn has taken yet.
    """
    return not incoming.if_awaited or waits or session.turn is not None or bool(session.questions)


def is_outdated(incoming: Incoming, before: Sequence[Incoming]) -> bool:
    """Whether a message comes after what was changed about it, which said all of it."""
    later = f"{incoming.key}/"
    return isinstance(incoming.event, Said) and any(one.key.startswith(later) for one in before)


def withdrawn(waiting: Sequence[Waiting], held: Sequence[Waiting]) -> list[int]:
    """Rows of `waiting` that nothing is left of in `held`, which was folded from them."""
    left = {seq for row in held for seq in row.seqs}
    return [row.seq for row in waiting if row.seq not in left]


def for_one_turn(held: Sequence[Waiting]) -> list[Waiting]:
    """What a new turn takes: everything, or up to the stop that calls off what was asked before it."""
    asked = False
    for index, row in enumerate(held):
        match meaning(row.incoming, Session()):
            case Prompted():
                asked = True
            case StopRequested() if asked:
                return list(held[: index + 1])
            case _:  # With nothing to stop, a stop changes nothing.
                continue
    return list(held)


def command_in(incoming: Incoming) -> Command | None:
    """The words for us that a message is, other than stop and what concerns the pull request."""
    match incoming.event:
        case Said(text=text) if not isinstance(command := command_of(text), Stop | Act):
            return command
        case _:
            return None


def act_in(incoming: Incoming, session: Session) -> Act | None:
    """What somebody wants done with the pull request; a word that may answer a question is an answer."""
    match incoming.event:
        case Said(text=text) if not session.questions and isinstance(command := command_of(text), Act):
            return command
        case _:
            return None


def _was_for_us(incoming: Incoming) -> bool:
    """Whether the agent surely never read it: it was a command that nothing of goes to the agent."""
    match incoming.event:
        case Said(text=text):
            # Without a pull request, "fix it" is a prompt.
            return not isinstance(command_of(text), New | Act | None)
        case _:
            return False


def _index(held: Sequence[Waiting], message: MessageRef) -> int | None:
    for index, row in enumerate(held):
        if row.incoming.message == message and isinstance(row.incoming.event, Said):
            return index
    return None


def _reworded(incoming: Incoming, text: str) -> Said:
    said = incoming.event
    return replace(said, text=text) if isinstance(said, Said) else Said(text)


def options_of(text: str) -> Options:
    """The options in a message, the last of a kind wins; `repo:` is read like `repo=`."""
    found = {name.lower(): value for name, value in _OPTION.findall(text)}
    return Options(**found)


def without_options(text: str) -> str:
    """The message as the agent should read it."""
    return re.sub(r"[ \t]{2,}", " ", _OPTION.sub("", text)).strip()


def meaning(incoming: Incoming, session: Session) -> SessionEvent | None:
    """What one event means for a session as it stands. None: nothing that anybody waits for."""
    match incoming.event:
        case StopAsked(reason=reason):
            return StopRequested(incoming.author, reason)
        case Said(text=text) if isinstance(command_of(text), Stop):
            return StopRequested(incoming.author)
        case Said(text=text) if session.questions:
            question = session.questions[0]
            return AnswerGiven(question.id, incoming.author, read_answer(question, text))
        case Chosen(elicitation=asked, value=value):
            return _chosen(incoming, session, asked, value)
        case Said() | Edited() | SessionOpened():
            return Prompted(given_of(incoming))
        case Deleted(message=message):
            waits = unheard(session)
            mine = (one.key for one in session.given if one.message == message and one.key in waits)
            return next(map(Withdrawn, mine), None)  # None: the agent has it, or it was never ours.
        case Pressed():
            return None  # For the code host, not for the agent.


def _chosen(incoming: Incoming, session: Session, asked: str, value: str) -> SessionEvent:
    for question in session.questions:
        if question.id == asked:
            return AnswerGiven(question.id, incoming.author, label_of(question, value))
    # Too late: somebody was quicker. It still says something, so the agent hears it.
    return Prompted(Given(incoming.key, incoming.author, value, incoming.message))


def given_of(incoming: Incoming) -> Given:
    """What the agent is to read of this event."""
    match incoming.event:
        case Said(text=text, attachments=attachments):
            said = _given(incoming, "\n".join([text, *map(_beside, attachments)]))
            return replace(said, files=tuple(one for one in attachments if not why_unseen(one)))
        case Edited(text=text):
            return _given(incoming, f"Correction of my earlier message, it now reads: {text}")
        case Chosen(value=value):
            return _given(incoming, value)
        case SessionOpened(text=text) as opened:
            return replace(_given(incoming, text), opened=opened)
        case StopAsked() | Deleted() | Pressed():
            return _given(incoming, "")


def why_unseen(file: Attachment) -> str:
    """Why the agent does not get a file that came with a message in chat; "" if it can be asked for."""
    return file.unseen or ("" if file.url else NO_READER)


def _beside(file: Attachment) -> str:
    why = why_unseen(file)
    return f"(I could not see {file.name}: {why}.)" if why else f"(attached: {file.name})"


def _given(incoming: Incoming, text: str) -> Given:
    return Given(incoming.key, incoming.author, text.strip(), incoming.message)


def label_of(question: Elicitation, value: str) -> str:
    """The words of the option with this value; the value itself if there is none."""
    return next((option.label for option in question.options if option.value == value), value)


def read_answer(question: Elicitation, text: str) -> str:
    """Free text as the options it names, leniently: number, label or value in any case; else as it is."""
    parts = re.split(r"\s*(?:,|;|\+|&|\band\b)\s*", text.strip(" .")) if question.multiple else [text]
    named = [_option_named(question, part) for part in parts if part]
    if named and all(named):
        return ", ".join(dict.fromkeys(filter(None, named)))
    return _option_named(question, text) or text.strip()


_YES = re.compile(
    r"(yes|yep|ok|okay|sure|agreed|approved?|lgtm|looks good|sounds good|go|go ahead|do it|proceed|please)"
    r"(\s*(,|please|yes|ok|go ahead|do it|to me))*",
    re.IGNORECASE,
)


def _option_named(question: Elicitation, text: str) -> str | None:
    plain = re.sub(r"[^\w./ -]", "", text).strip(" .").lower()
    if _YES.fullmatch(plain):
        agreed = (one.label for one in question.options if one.value == PLAN_APPROVED)
        return next(agreed, None)
    if plain.isdecimal() and 1 <= int(plain) <= len(question.options):
        return question.options[int(plain) - 1].label
    found = (one.label for one in question.options if plain in (one.label.lower(), one.value.lower()))
    return next(found, None)
