"""The log as a chat thread shows it: one progress card per turn, and the story in plain lines. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce

from core.activities import (
    Action,
    Answered,
    AuthAsked,
    AuthGiven,
    Author,
    Blocked,
    Blocker,
    ConfirmAsked,
    Denied,
    Elicitation,
    Entry,
    Error,
    FateChanged,
    Heartbeat,
    IssueLinked,
    Logged,
    Notice,
    Plan,
    Prompt,
    PullActed,
    PullShown,
    Response,
    Routed,
    Thought,
    TurnEnded,
    TurnStarted,
    Unblocked,
)
from core.composer import said_by
from core.ids import ElicitationId, TurnId
from core.mirror.cards import ProgressCard

LASTING_KINDS = frozenset(
    {
        "turnStarted",
        "turnEnded",
        "issueLinked",
        "routed",
        "blocked",
        "unblocked",
        "elicitation",
        "answered",
        "pull",
        "pullActed",
    }
)
"""Kinds that matter to later turns: these, and everything since the current turn began, give its card."""

# A thread need not be told about itself; what cannot be shown there is told on the other side.
UNTOLD = frozenset({Blocker.CHAT_THROTTLED, Blocker.CHAT_GONE})

DOING_LIMIT_CHARS = 200
ACTS_KEPT = 20


@dataclass(frozen=True, slots=True)
class Story:
    """What the log says so far.

    Attributes:
        cards: The card of each turn; an earlier turn's is whole only if the fold began at the first entry.
        turn: The turn that is on, if one is.
        author: Who asked for the newest turn.
        began: When the newest turn started.
        blocked: What work waits for, oldest first.
        questions: Every question that was asked.
        pull: The pull request as it was shown last; `pull_before` the time before that.
        acts: What people did with it lately. `acts_between`: from the time before to the last.
            `unseen_acts`: since then.
    """

    cards: Mapping[TurnId, ProgressCard] = field(default_factory=dict)
    turn: TurnId | None = None
    author: Author | None = None
    began: datetime | None = None
    issue: IssueLinked | None = None
    routed: Routed | None = None
    cost_usd: float | None = None
    blocked: tuple[Blocked, ...] = ()
    questions: Mapping[ElicitationId, Elicitation] = field(default_factory=dict)
    pull: PullShown | None = None
    pull_before: PullShown | None = None
    acts: tuple[PullActed, ...] = ()
    acts_between: tuple[PullActed, ...] = ()
    unseen_acts: tuple[PullActed, ...] = ()

    @property
    def card(self) -> ProgressCard | None:
        """The card of the turn that is on."""
        return None if self.turn is None else self.cards[self.turn]


def fold(entries: Iterable[Logged], onto: Story | None = None) -> Story:
    """The story after `entries`, which follow those of `onto`."""
    return reduce(_told, entries, onto or Story())


def _told(story: Story, logged: Logged) -> Story:
    match logged.entry:
        case TurnStarted() as started:
            return _begin(story, started, logged.at)
        case TurnEnded() as ended:
            return _end(story, ended)
        case Elicitation() as question:
            story = replace(story, questions={**story.questions, question.id: question})
        case IssueLinked() as issue:
            story = replace(story, issue=issue)
        case Routed() as routed:
            story = replace(story, routed=routed)
        case Blocked() | Unblocked() as change:
            story = replace(story, blocked=_blocked(story.blocked, change))
        case PullShown(is_stale=False) as shown:
            story = _shown(story, shown)
        case PullActed() as act:
            acts = (*story.acts, act)[-ACTS_KEPT:]
            story = replace(story, acts=acts, unseen_acts=(*story.unseen_acts, act))
        case _:  # The rest changes the card only.
            pass
    return _progress(story, logged)


def _begin(story: Story, started: TurnStarted, at: datetime) -> Story:
    card = ProgressCard(
        turn=started.turn,
        issue=story.issue,
        routed=story.routed,
        doing="Starting",
        blocked=story.blocked[-1] if story.blocked else None,
        cost_usd=story.cost_usd,
    )
    cards = {**story.cards, started.turn: card}
    return replace(story, cards=cards, turn=started.turn, author=started.author, began=at)


def _end(story: Story, ended: TurnEnded) -> Story:
    cost_usd = story.cost_usd if ended.cost_usd is None else ended.cost_usd
    cards = dict(story.cards)
    if card := cards.get(ended.turn):
        cards[ended.turn] = replace(
            card, doing="", blocked=None, elapsed_s=ended.elapsed_s, cost_usd=cost_usd, outcome=ended.outcome
        )
    turn = None if story.turn == ended.turn else story.turn
    return replace(story, cards=cards, turn=turn, cost_usd=cost_usd)


def _shown(story: Story, shown: PullShown) -> Story:
    acts = story.unseen_acts
    return replace(story, pull=shown, pull_before=story.pull, acts_between=acts, unseen_acts=())


def _blocked(blocked: tuple[Blocked, ...], change: Blocked | Unblocked) -> tuple[Blocked, ...]:
    others = tuple(one for one in blocked if one.code is not change.code)
    if isinstance(change, Unblocked) or change.code in UNTOLD or change.code is Blocker.RESTART:
        return others
    return (*others, change)


def _progress(story: Story, logged: Logged) -> Story:
    if story.card is None or story.began is None:
        return story
    doing = doing_of(logged.entry)
    card = replace(
        story.card,
        issue=story.issue,
        routed=story.routed,
        plan=logged.entry.steps if isinstance(logged.entry, Plan) else story.card.plan,
        doing=story.card.doing if doing is None else doing,
        blocked=story.blocked[-1] if story.blocked else None,
        elapsed_s=max(story.card.elapsed_s, int((logged.at - story.began).total_seconds())),
    )
    return replace(story, cards={**story.cards, card.turn: card})


def doing_of(entry: Entry) -> str | None:
    """The progress line that `entry` brings; None if it brings none."""
    match entry:
        case Action(action=action, parameter=parameter):
            return f"{action} {parameter}".strip()[:DOING_LIMIT_CHARS]
        case Thought(body=body) if body.strip():
            return body.strip().splitlines()[0][:DOING_LIMIT_CHARS]
        case Blocked(code=Blocker.RESTART, body=body):
            # Nothing is waited for: the next sign of life takes its place.
            return body or "I was restarted and continue."
        case _:
            return None


def tell(entries: Iterable[Logged]) -> list[str]:
    """What every side must tell, in this order and once: what people said, questions, answers and ends."""
    return [line for logged in entries if (line := _line(logged.entry)) is not None]


def _line(entry: Entry) -> str | None:
    match entry:
        case Prompt(author=author, body=body):
            return f"{said_by(author)}: {body}"
        case Elicitation(body=body):
            return f"Question: {body}"
        case Answered(by=by, answer=answer):
            return f"Answered by {said_by(by)}: {answer}"
        case Response(body=body):
            return f"Response: {body}"
        case Error(code=code, body=body):
            return f"Error ({code}): {body}"
        case (
            Thought()
            | Action()
            | Plan()
            | FateChanged()
            | TurnStarted()
            | IssueLinked()
            | Routed()
            | Blocked()
            | Unblocked()
            | Heartbeat()
            | TurnEnded()
            | Notice()
            | AuthAsked()
            | AuthGiven()
            | Denied()
            | PullShown()
            | PullActed()
            | ConfirmAsked()
        ):
            return None
