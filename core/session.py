"""The life cycle of a session: `step(session, event)` decides what is logged and done next. Pure.

Rules that hold for any order of events (tests/core/test_session.py):
an open turn gets exactly one terminal activity, and nothing is logged for it afterwards; a stop always
ends in one closing activity; a prompt that arrives while stopping waits for the next turn; the first answer
to a question wins; a turn is not done while something that was said has not reached the agent.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from pydantic import TypeAdapter

from core.activities import (
    Action,
    Answered,
    Author,
    Blocked,
    Blocker,
    Elicitation,
    Entry,
    Error,
    Fate,
    FateChanged,
    Outcome,
    Plan,
    Prompt,
    Response,
    Thought,
    TurnEnded,
    TurnStarted,
    Unblocked,
)
from core.events import Attachment, SessionOpened
from core.ids import ElicitationId, EntryKey, MessageRef, TurnId

ANSWERS = "answers/"
"""Keys of what was given begin with it where it is answers for an agent that did not ask itself."""


class Status(StrEnum):
    """Linear's statuses of an AgentSession; what we do not know is read as active."""

    PENDING = "pending"
    ACTIVE = "active"
    AWAITING_INPUT = "awaitingInput"
    COMPLETE = "complete"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Given:
    """One thing a person said, on its way to the agent. `key` is the inbox key.

    `opened` holds what Linear told beside it, if it opened the session there; `files` can be asked for.
    """

    key: str
    author: Author
    text: str
    message: MessageRef | None = None
    opened: SessionOpened | None = None
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a question of the agent, in the words that people read."""

    to: ElicitationId
    question: str
    answer: str
    by: Author


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What the next step depends on; everything else is in the log.

    Attributes:
        turn: The open turn, None between turns.
        requester: Who asked for the open turn.
        started_at: When it was opened, seconds since the epoch.
        given: What this turn was given so far, in order.
        handed: Keys of what went to the agent, one tuple for each prompt it was.
        stopping: Who asked to stop it.
        stop_reason: What made it stop, if nobody asked for that as such.
        questions: Questions nobody has answered yet.
        replies: Answers to the agent since its last sign of life: it may not have heard them.
        orphaned: The agent that asked the open questions is gone; the next one is told the answers.
        blocked: What the turn waits for, as its progress line says; none of it outlives the turn.
    """

    status: Status = Status.PENDING
    turn: TurnId | None = None
    requester: Author | None = None
    started_at: float = 0.0
    given: tuple[Given, ...] = ()
    handed: tuple[tuple[str, ...], ...] = ()
    stopping: Author | None = None
    stop_reason: str = ""
    questions: tuple[Elicitation, ...] = ()
    replies: tuple[Reply, ...] = ()
    orphaned: bool = False
    blocked: tuple[Blocker, ...] = ()


# What happens to it.


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnOpened:
    turn: TurnId
    given: tuple[Given, ...]
    at: float


@dataclass(frozen=True, slots=True)
class TurnResumed:
    """A crash cut the open turn short; `attempt` goes on with it and finds out anew what is in the way."""

    attempt: int


@dataclass(frozen=True, slots=True)
class AgentGone:
    """The agent ended before it was done; the next one is told the answers to what it asked."""


@dataclass(frozen=True, slots=True)
class Prompted:
    """A person said more while the turn is open."""

    given: Given


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A person took back what they said, before the agent had it; the last of it calls the turn off."""

    key: str


@dataclass(frozen=True, slots=True)
class HandedOver:
    """These messages go to the agent, as one prompt."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Noted:
    """Something worth logging happened in the open turn."""

    key: EntryKey
    entry: Entry


@dataclass(frozen=True, slots=True)
class Asked:
    """The agent, or the service for it, needs an answer."""

    question: Elicitation


@dataclass(frozen=True, slots=True)
class AnswerGiven:
    """`answer` in the words that people read: the label of an option, or free text."""

    question: ElicitationId
    by: Author
    answer: str


@dataclass(frozen=True, slots=True)
class StopRequested:
    """`reason` says what happened, if nobody asked for a stop as such."""

    by: Author
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnClosed:
    """The turn is over. `terminal` is what everybody is told.

    Has no effect on a turn that is done, except for what was said too late for the agent: it goes on.
    """

    terminal: Response | Error
    outcome: Outcome
    at: float
    cost_usd: float | None = None


SessionEvent = (
    TurnOpened
    | TurnResumed
    | AgentGone
    | Prompted
    | Withdrawn
    | HandedOver
    | Noted
    | Asked
    | AnswerGiven
    | StopRequested
    | TurnClosed
)

# What is to be done.


@dataclass(frozen=True, slots=True)
class Append:
    """Log `entry` under `key`; a key that is there already is left as it is."""

    key: EntryKey
    entry: Entry
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Steer:
    """Give this to the running agent."""

    given: Given


@dataclass(frozen=True, slots=True)
class Resolve:
    """Hand the answer to whoever asked; the value of an option, not its label."""

    question: ElicitationId
    answer: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Stop the agent now."""


Effect = Append | Steer | Resolve | Interrupt

_SESSION: TypeAdapter[Session] = TypeAdapter(Session)


def dump_session(session: Session) -> dict[str, object]:
    """The session as JSON-able data, for the store."""
    dumped: dict[str, object] = _SESSION.dump_python(session, mode="json")
    return dumped


def load_session(data: object) -> Session:
    """The opposite of `dump_session`."""
    return _SESSION.validate_python(data)


def step(session: Session, event: SessionEvent) -> tuple[Session, tuple[Effect, ...]]:
    """Decide. An event that makes no sense now changes nothing and has no effects."""
    match event:
        case TurnOpened():
            return _open(session, event)
        case TurnResumed() | AgentGone():
            return _start_over(session, event)
        case TurnClosed() if session.turn is not None:
            return _close(session, session.turn, event)
        case AnswerGiven(question=asked, by=by, answer=answer) if session.turn is not None:
            return _answer(session, asked, by, answer)
        case Prompted() | Withdrawn() | StopRequested() if _live(session):
            return _hear(session, event)
        case HandedOver() | Noted() | Asked() if _live(session):
            return _work(session, event)
        case _:  # Late or out of place: the turn it belongs to is over, or is being stopped.
            return session, ()


def _hear(
    session: Session, event: Prompted | Withdrawn | StopRequested
) -> tuple[Session, tuple[Effect, ...]]:
    """What people do to an open turn."""
    match event:
        case Prompted(given=given):
            queued = given.message and Blocker.QUEUED in session.blocked
            fates = (_fate(given, Fate.QUEUED),) if queued else ()
            return replace(session, given=(*session.given, given)), (_said(given), *fates, Steer(given))
        case Withdrawn(key=key):
            return _withdraw(session, key) if key in unheard(session) else (session, ())
        case StopRequested(by=by, reason=reason):
            stopping = replace(session, stopping=by, stop_reason=reason)
            return _without_questions(stopping), (Interrupt(),)


def _work(session: Session, event: HandedOver | Noted | Asked) -> tuple[Session, tuple[Effect, ...]]:
    """What happens in an open turn while it is worked on."""
    match event:
        case HandedOver(keys=keys):
            # Not those that were withdrawn at this very moment: they are not there to be given again.
            handed = tuple(one for one in session.given if one.key in keys)
            known = tuple(one.key for one in handed)
            fates = tuple(_fate(one, Fate.DELIVERED) for one in handed if one.message)
            return replace(session, handed=(*session.handed, *([known] if known else []))), fates
        case Noted(key=key, entry=entry):
            return _noted(session, entry), (Append(key, entry),)
        case Asked(question=question):
            return _ask(session, question)


def unheard(session: Session) -> tuple[str, ...]:
    """Keys of what was said and has not gone to the agent yet, in order."""
    heard = {key for keys in session.handed for key in keys}
    return tuple(one.key for one in session.given if one.key not in heard)


def is_answers(given: Given) -> bool:
    """Whether it tells an agent answers to what another one asked; it quotes the agent, too."""
    return given.key.startswith(ANSWERS)


def going_on(session: Session) -> tuple[tuple[str, ...], ...]:
    """Prompts that an agent which was cut short goes on with by itself.

    None from before the answers that the next agent is told: going on with them, it would ask again.
    """
    if any(key.startswith(ANSWERS) for key in unheard(session)):
        return ()
    told = [n for n, keys in enumerate(session.handed) if any(key.startswith(ANSWERS) for key in keys)]
    return session.handed[told[-1] :] if told else session.handed


def value_of(question: Elicitation, answer: str) -> str:
    """What whoever asked understands: the value of the option with this label; else the answer as it is."""
    return next((option.value for option in question.options if option.label == answer), answer)


def _live(session: Session) -> bool:
    return session.turn is not None and session.stopping is None


def _without_questions(session: Session) -> Session:
    return replace(session, questions=(), replies=(), orphaned=False)


def _start_over(session: Session, event: TurnResumed | AgentGone) -> tuple[Session, tuple[Effect, ...]]:
    """Questions stay open. Those with a code are the service's own, and are put again under the same id."""
    left = session if session.stopping else _passed_on(session)
    if isinstance(event, AgentGone):
        return left, ()
    return replace(left, blocked=()), _unblocked(session, f"{session.turn}/{event.attempt}")


def _passed_on(session: Session) -> Session:
    """What people answered becomes a message to the next agent, once nothing of the last one is open."""
    if any(question.code is None for question in session.questions):
        return replace(session, orphaned=True)
    given = (*session.given, _told(session.replies)) if session.replies else session.given
    return replace(session, given=given, replies=(), orphaned=False)


def _told(replies: tuple[Reply, ...]) -> Given:
    last = replies[-1]
    words = [f"You asked: {one.question}\nThe answer of {one.by.name}: {one.answer}" for one in replies]
    text = "\n\n".join(
        ["You were restarted before you heard this.", *words, "Go on with the task from there."]
    )
    return Given(f"{ANSWERS}{last.to}", last.by, text)


def _noted(session: Session, entry: Entry) -> Session:
    match entry:
        case Thought() | Action() | Plan() if all(one.code is not None for one in session.questions):
            return replace(session, replies=())  # It goes on, so it heard them.
        case Blocked(code=code) if code is not Blocker.RESTART:  # Nothing is waited for.
            return replace(session, blocked=(*(one for one in session.blocked if one is not code), code))
        case Unblocked(code=code):
            return replace(session, blocked=tuple(one for one in session.blocked if one is not code))
        case _:
            return session


def _unblocked(session: Session, prefix: str) -> tuple[Append, ...]:
    return tuple(
        Append(EntryKey(f"{prefix}/unblocked/{code}"), Unblocked(code=code)) for code in session.blocked
    )


def _open(session: Session, event: TurnOpened) -> tuple[Session, tuple[Effect, ...]]:
    if session.turn is not None or not event.given:
        return session, ()
    requester = event.given[0].author
    opened = Session(
        status=Status.ACTIVE, turn=event.turn, requester=requester, started_at=event.at, given=event.given
    )
    start = Append(EntryKey(f"{event.turn}/start"), TurnStarted(turn=event.turn, author=requester))
    return opened, (start, *(_said(given) for given in event.given))


def _withdraw(session: Session, key: str) -> tuple[Session, tuple[Effect, ...]]:
    gone = next(one for one in session.given if one.key == key)
    left = tuple(one for one in session.given if one.key != key)
    entry = Prompt(author=gone.author, body=f"Taken back: {gone.text}")
    said = Append(EntryKey(f"withdrawn/{key}"), entry, gone.author.surface)
    if not left:
        return _without_questions(replace(session, stopping=gone.author)), (said, Interrupt())
    fates = (_fate(gone, Fate.WITHDRAWN),) if gone.message else ()
    return replace(session, given=left), (said, *fates)


def _said(given: Given) -> Append:
    entry = Prompt(author=given.author, body=given.text, message=given.message)
    return Append(EntryKey(f"said/{given.key}"), entry, given.author.surface)


def _fate(given: Given, fate: Fate) -> Append:
    assert given.message is not None
    return Append(EntryKey(f"fate/{given.key}/{fate}"), FateChanged(message=given.message, fate=fate))


def _ask(session: Session, question: Elicitation) -> tuple[Session, tuple[Effect, ...]]:
    if any(question.id == known.id for known in session.questions):
        return session, ()
    asking = replace(session, status=Status.AWAITING_INPUT, questions=(*session.questions, question))
    return asking, (Append(EntryKey(f"asked/{question.id}"), question),)


def _answer(
    session: Session, asked: ElicitationId, by: Author, answer: str
) -> tuple[Session, tuple[Effect, ...]]:
    question = next((one for one in session.questions if one.id == asked), None)
    if question is None:
        return session, ()
    left = tuple(one for one in session.questions if one.id != asked)
    answered = replace(session, questions=left, status=Status.AWAITING_INPUT if left else Status.ACTIVE)
    entry = Append(
        EntryKey(f"answered/{asked}"), Answered(elicitation=asked, by=by, answer=answer), by.surface
    )
    if question.code is not None:
        return answered, (entry, Resolve(asked, value_of(question, answer)))
    answered = replace(answered, replies=(*session.replies, Reply(asked, question.body, answer, by)))
    if not session.orphaned:
        return answered, (entry, Resolve(asked, value_of(question, answer)))
    told = _passed_on(answered)
    return told, (entry, *map(Steer, told.given[len(session.given) :]))


def _close(session: Session, turn: TurnId, event: TurnClosed) -> tuple[Session, tuple[Effect, ...]]:
    if event.outcome is Outcome.DONE and session.stopping is None and unheard(session):
        return session, ()
    ended = TurnEnded(
        turn=turn,
        outcome=event.outcome,
        elapsed_s=max(0, round(event.at - session.started_at)),
        cost_usd=event.cost_usd,
    )
    status = Status.ERROR if isinstance(event.terminal, Error) else Status.COMPLETE
    return Session(status=status), (
        *_unblocked(session, turn),
        Append(EntryKey(f"{turn}/end"), event.terminal),
        Append(EntryKey(f"{turn}/ended"), ended),
        *(_fate(given, Fate.DONE) for given in session.given if given.message),
    )
