"""What a chat thread shows, before any platform's markup: the items that a surface renders."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.activities import (
    Answered,
    Author,
    Blocked,
    Elicitation,
    Error,
    IssueLinked,
    Outcome,
    PlanStep,
    PullActed,
    PullShown,
    Routed,
)
from core.ids import TurnId
from core.ports import Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressCard:
    """The one message per turn that is edited in place.

    Attributes:
        turn: Whose progress it is; the Stop button carries it.
        doing: What the agent does now ("Running `pytest`"), empty before the first sign.
        blocked: What it waits for; shown instead of `doing`.
        elapsed_s: Seconds since the turn began, as of the newest entry.
        cost_usd: Total of the session so far, None while unknown.
        outcome: Set when the turn is over: the card shrinks to one line without buttons.
    """

    turn: TurnId
    issue: IssueLinked | None = None
    routed: Routed | None = None
    plan: tuple[PlanStep, ...] = ()
    doing: str = ""
    blocked: Blocked | None = None
    elapsed_s: int = 0
    cost_usd: float | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class AnswerItem:
    """The final answer of a turn, Markdown, any length; `to` is told about it."""

    body: str
    to: Author | None


@dataclass(frozen=True, slots=True)
class FailureItem:
    """A turn that ended with a named blocker."""

    error: Error
    to: Author | None


@dataclass(frozen=True, slots=True)
class QuestionItem:
    """A question with its choices; with `answered` it is closed and says who answered what, and where."""

    question: Elicitation
    answered: Answered | None = None


@dataclass(frozen=True, slots=True)
class QuoteItem:
    """What a person said on the other side: "Eve in Linear: ..."."""

    author: Author
    body: str


@dataclass(frozen=True, slots=True)
class NoticeItem:
    """A short reply outside of any turn."""

    body: str


@dataclass(frozen=True, slots=True)
class PullItem:
    """The session's pull request; a stale one is a line without buttons.

    Attributes:
        acts: What people did with it, as far as we know who they are in chat.
        unseen: Those of them that `shown` may not know of yet.
    """

    shown: PullShown
    acts: tuple[PullActed, ...] = ()
    unseen: tuple[PullActed, ...] = ()


ChatItem = ProgressCard | AnswerItem | FailureItem | QuestionItem | QuoteItem | NoticeItem | PullItem

Render = Callable[[ChatItem], Sequence[Payload]]
"""A surface's pure renderer. More than one payload only for long answers; an edited item is always one."""
