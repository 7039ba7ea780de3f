"""What chat threads say, before any platform's markup: the same words on every surface. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.activities import Answered, Author, Elicitation, Error, IssueLinked, Outcome, PlanStep, StepStatus
from core.mirror.cards import ProgressCard
from core.mirror.prose import clipped

FIRST_SIGN: Final = "On it."
EMPTY_ANSWER: Final = "Done."
NOTHING: Final = "–"
CUT: Final = "\n\n…"
STOP: Final = "Stop"
OPEN_IN_LINEAR: Final = "Open in Linear"
CHOOSE: Final = "Choose"

LINE_CHARS: Final = 300
STEP_CHARS: Final = 200

_STEPS: Final = 12
_MARKS: Final = {
    StepStatus.COMPLETED: "✓",
    StepStatus.IN_PROGRESS: "◐",
    StepStatus.PENDING: "○",
    StepStatus.CANCELED: "–",
}
_ENDINGS: Final = {Outcome.DONE: "done in", Outcome.STOPPED: "stopped after", Outcome.FAILED: "failed after"}
_SURFACES: Final = {"slack": "Slack", "teams": "Teams", "linear": "Linear"}


def duration(seconds: int) -> str:
    """`52 s`, `4 min`, `2 h 5 min`."""
    if seconds < 60:
        return f"{max(seconds, 0)} s"
    hours, minutes = divmod(seconds // 60, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def money(dollars: float) -> str:
    """`$0.31`."""
    return f"${dollars:,.2f}"


def title_of(issue: IssueLinked) -> str:
    """`ENG-142 · Search is broken`, on one line."""
    return clipped(f"{issue.identifier} · {issue.title}".replace("\n", " "), LINE_CHARS)


def where_of(card: ProgressCard) -> str:
    """The repository and why it is that one; empty while unknown."""
    return ", ".join(filter(None, [card.routed.repository, card.routed.reason])) if card.routed else ""


def doing_of(card: ProgressCard) -> str:
    """What the agent does, or what it waits for and what can be done."""
    if card.blocked:
        return f"{card.blocked.body} {card.blocked.action}".strip()
    return card.doing


def summary_of(card: ProgressCard) -> str:
    """A running card in one line, for notifications."""
    title = f"{title_of(card.issue)}: " if card.issue else ""
    return title + ((card.blocked.body if card.blocked else card.doing) or FIRST_SIGN)


def facts_of(card: ProgressCard) -> list[str]:
    """How long it took and what it cost, as far as that is known."""
    elapsed = [duration(card.elapsed_s)] if card.elapsed_s > 0 else []
    return [*elapsed, *_cost(card)]


def ending_of(card: ProgressCard) -> str:
    """An ended card in one line: `ENG-142 · done in 6 min · $0.42`."""
    issue = card.issue.identifier if card.issue else ""
    ending = f"{_ENDINGS[card.outcome]} {duration(card.elapsed_s)}" if card.outcome else ""
    return " · ".join(filter(None, [issue, ending, *_cost(card)]))


@dataclass(frozen=True, slots=True)
class ShownPlan:
    """The steps to show, and a line before and after them for what is left out; empty if nothing is."""

    before: str
    steps: tuple[PlanStep, ...]
    after: str


def shown_plan(steps: Sequence[PlanStep]) -> ShownPlan:
    """Twelve steps around the one at work: a longer list would hide the thread."""
    busy = next((at for at, step in enumerate(steps) if step.status is StepStatus.IN_PROGRESS), 0)
    first = max(0, min(busy - _STEPS // 2, len(steps) - _STEPS))
    left = max(0, len(steps) - first - _STEPS)
    return ShownPlan(
        _left_out(first, "before"), tuple(steps[first : first + _STEPS]), _left_out(left, "after")
    )


def mark_of(step: PlanStep) -> str:
    return _MARKS[step.status]


def failure_text(error: Error) -> str:
    """What went wrong and what can be done."""
    return f"{error.body} {error.action}".strip()


def quoted(author: Author, body: str) -> str:
    """`**Eve in Linear:** don't touch ranking`, as Markdown."""
    name = author.name.replace("*", "")
    lead = f"**{name} in {_surface(author)}:**"
    # A first line that is a list, a fence or a heading must stay at the start of its line.
    return f"{lead}\n\n{body}" if "\n" in body.strip() else f"{lead} {body.strip()}"


def asking(question: Elicitation) -> str:
    """`Question for Ann and Bob: which wins?`, as Markdown."""
    lead, body = addressed(question, [one.name for one in question.asked]), question.body.strip()
    return f"{lead}\n\n{body}" if "\n" in body else f"{lead} {body}"


def addressed(question: Elicitation, names: Sequence[str]) -> str:
    """`Question for Ann and Bob:`, the names as they are to stand there; one for each of `question.asked`."""
    return f"Question for {_and(names)}:" if question.asked else "Question:"


def hint(question: Elicitation) -> str:
    """How else to answer."""
    if not question.options:
        return "Answer in this thread."
    return "or name several in this thread" if question.multiple else "or answer in this thread"


def closing(question: Elicitation, answered: Answered) -> str:
    """Who answered what, and where: an option by its label, free text as it was given."""
    labels = {option.value: option.label for option in question.options}
    by = answered.by
    return f"→ Answered by {by.name} in {_surface(by)}: {labels.get(answered.answer, answered.answer)}"


def _cost(card: ProgressCard) -> list[str]:
    return [] if card.cost_usd is None else [money(card.cost_usd)]


def _left_out(count: int, where: str) -> str:
    return f"… {count} more {where}" if count else ""


def _surface(author: Author) -> str:
    return _SURFACES.get(author.surface, author.surface)


def _and(names: Sequence[str]) -> str:
    *most, last = names or ("",)
    return f"{', '.join(most)} and {last}" if most else last
