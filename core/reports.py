"""What we answer to `status`, `why` and `help`, from the session's log. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.activities import (
    PLAN_APPROVED,
    Answered,
    AuthAsked,
    AuthGiven,
    Blocked,
    Denied,
    Elicitation,
    Logged,
    Outcome,
    Prompt,
    TurnEnded,
    TurnStarted,
)
from core.composer import place_name
from core.ids import ElicitationId
from core.mirror.story import Story, fold

HELP = """\
I work in your code and tell of it here and in Linear. Say what to do; where others talk, mention me.
In a thread of ours just write. What I understand besides:
`status` where it stands · `why` what happened and what it waits for · `stop` end the turn
`follow ENG-12` show that session here · `new …` another session in this thread
`aside …` for people, not for the agent
`plan first …` I show a plan and change nothing before you agree
`repo=owner/name` `branch=name` `model=name` anywhere in a message"""

UNHEARD = """
If I do not react to what you just write, mention me: the owners here have not let me read along then."""

REVIEWING = """
`approve` · `request changes: …` · `comment: …` · `ready` · `merge` · `merge when green` · `update branch`
`close pr` · `fix it`, all as yourself · `link github` · `unlink github`"""

LINKING = """
`link` tell me who you are in Linear · `unlink` forget it"""


@dataclass(frozen=True, slots=True)
class Shown:
    """How far a projection is: `shown` of `head` entries, unless `suppressed` says why not."""

    sink: str
    shown: int
    head: int
    suppressed: str | None = None


def status(log: Sequence[Logged], now: datetime) -> str:
    """One line: what the session works on and what it does right now."""
    story = fold(log)
    name = story.issue.identifier if story.issue else "No issue yet"
    if story.card is None:
        return f"{name} · {_last_end(log) or 'nothing has been asked yet'}."
    doing = story.card.blocked.body if story.card.blocked else story.card.doing
    steps = story.card.plan
    done = sum(step.status == "completed" for step in steps)
    plan = f" · {done} of {len(steps)} steps done" if steps else ""
    return f"{name} · {doing or 'starting'}{plan} · {_minutes(story, now)}."


def why(log: Sequence[Logged], shown: Sequence[Shown], now: datetime) -> str:
    """The causal trail in at most five lines: accepted, routed, waiting or running, mirrored, next."""
    return "\n".join(_trail(log, fold(log), shown, now))


def _trail(log: Sequence[Logged], story: Story, shown: Sequence[Shown], now: datetime) -> Iterator[str]:
    asked = next((one for one in reversed(_requests(log))), None)
    if asked is not None and isinstance(asked.entry, Prompt):
        author = asked.entry.author
        linked = f" · thread linked to {story.issue.identifier}" if story.issue else ""
        yield f"Accepted from {place_name(author.surface)}, {author.name}, {_clock(asked.at)}{linked}"
    if story.routed:
        yield f"Routed to {story.routed.repository}: {story.routed.reason}"
    yield _state(log, story, now)
    if shown:
        yield "Mirrored: " + ", ".join(_mirrored(one) for one in shown)
    yield _next(story)


def plan_is_agreed(log: Sequence[Logged]) -> bool:
    """Whether people agreed to the plan of the newest turn."""
    yes: dict[ElicitationId, str] = {}
    is_agreed = False
    for one in log:
        match one.entry:
            case TurnStarted():
                is_agreed = False
            case Elicitation(id=asked, options=options):
                yes.update((asked, option.label) for option in options if option.value == PLAN_APPROVED)
            case Answered(elicitation=asked, answer=answer):
                is_agreed = is_agreed or yes.get(asked) == answer
            case _:
                continue
    return is_agreed


def waited_s(log: Sequence[Logged]) -> float:
    """Seconds of the newest turn in which people were waited for, up to the last answer."""
    asked: dict[ElicitationId, datetime] = {}
    waited = timedelta()
    for one in log:
        match one.entry:
            case TurnStarted():
                asked, waited = {}, timedelta()
            case Elicitation(id=id):
                asked[id] = one.at
            case Answered(elicitation=id) if id in asked:
                began = asked.pop(id)
                if not asked:
                    waited += one.at - began
            case _:
                continue
    return waited.total_seconds()


def _requests(log: Sequence[Logged]) -> list[Logged]:
    """What opened each turn: the first prompt after its start."""
    opened, waits = list[Logged](), False
    for one in log:
        if isinstance(one.entry, TurnStarted):
            waits = True
        elif waits and isinstance(one.entry, Prompt):
            opened.append(one)
            waits = False
    return opened


def _state(log: Sequence[Logged], story: Story, now: datetime) -> str:
    if story.card is None:
        return _held(log) or f"Idle: {_last_end(log) or 'nothing has run yet'}"
    if story.card.blocked:
        since = next(
            (
                one.at
                for one in reversed(log)
                if isinstance(one.entry, Blocked) and one.entry == story.card.blocked
            ),
            now,
        )
        return f"Waiting since {_clock(since)}: {story.card.blocked.body}"
    if question := _open_question(log):
        return f"Waiting since {_clock(question.at)}: for an answer to a question in this thread"
    began = f"Running since {_clock(story.began)}" if story.began else "Running"
    return f"{began}: {story.card.doing or 'starting'}"


def _held(log: Sequence[Logged]) -> str | None:
    """What keeps people's requests from starting, since the last turn."""
    asked: dict[tuple[str, str], Logged] = {}
    denied: Denied | None = None
    for one in log:
        match one.entry:
            case AuthAsked(person=person, code=code) if code:
                asked[person.surface, person.id] = one
            case AuthGiven(person=person):
                asked.pop((person.surface, person.id), None)
            case Denied():
                denied = one.entry
            case TurnStarted():
                denied = None
            case _:
                continue
    for one in asked.values():
        if isinstance(one.entry, AuthAsked):
            name, provider = one.entry.person.name, one.entry.provider
            return f"Waiting since {_clock(one.at)}: for {name} to link an account at {provider}"
    return f"Idle: {denied.person.name} was told: {denied.body} ({denied.code})" if denied else None


def _open_question(log: Sequence[Logged]) -> Logged | None:
    answered = {getattr(one.entry, "elicitation", None) for one in log}
    asked = [one for one in log if isinstance(one.entry, Elicitation) and one.entry.id not in answered]
    return asked[-1] if asked else None


def _next(story: Story) -> str:
    if story.card is None:
        return "Next: your message starts the next turn"
    if blocked := story.card.blocked:
        return f"Next: {blocked.action or 'goes on by itself; nothing to do'}"
    return "Next: ends with an answer here and in Linear; nothing to do"


def _mirrored(one: Shown) -> str:
    if one.suppressed:
        return f"{place_name(one.sink)} stopped: {one.suppressed}"
    return f"{place_name(one.sink)} {one.shown} of {one.head}"


def _last_end(log: Sequence[Logged]) -> str | None:
    words = {Outcome.DONE: "done", Outcome.STOPPED: "stopped", Outcome.FAILED: "failed"}
    for one in reversed(log):
        if isinstance(one.entry, TurnEnded):
            return f"the last turn was {words[one.entry.outcome]} at {_clock(one.at)}"
    return None


def _minutes(story: Story, now: datetime) -> str:
    seconds = (now - story.began).total_seconds() if story.began else 0
    return f"{int(seconds // 60)} min" if seconds >= 60 else f"{int(seconds)} s"


def _clock(at: datetime) -> str:
    return at.strftime("%H:%M:%S")
