"""A message that its platform refused for good: the line in its place, or what other places say. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.activities import (
    Author,
    Elicitation,
    Entry,
    Error,
    Logged,
    Prompt,
    PullActed,
    PullShown,
    Response,
)
from core.composer import place_name, said_by
from core.mirror.prose import clipped
from core.mirror.pulls import named
from core.mirror.story import Story

WHAT_CHARS: Final = 200

_NOWHERE: Final = "For admins: see the log of the service."


@dataclass(frozen=True, slots=True)
class Loss:
    """What people miss if a message is refused.

    Attributes:
        key: Names what is missed; the other places are told once for each.
        what: It, inside a sentence of ours: "my answer".
        do: What to do with it in another place: "Read it"; "" if no other place shows it.
        url: Its address: of the issue in Linear, or with `is_public` wherever everybody can see it.
        in_place: One plain line may still take its place.
    """

    key: str
    what: str
    do: str = ""
    url: str = ""
    is_public: bool = False
    in_place: bool = True


def loss_of(logged: Logged, story: Story, *, part: int = 0) -> Loss | None:
    """What is missed if the entry's message is refused, or those after its first `part` parts.

    None: the next message or edit makes up for it.
    """
    entry = logged.entry
    if isinstance(entry, PullShown | PullActed):
        return _pull(entry, story)
    found = _said(entry, part)
    if found is None:
        return None
    what, do = found
    return Loss(logged.key, clipped(what, WHAT_CHARS), do, story.issue.url if story.issue else "")


def private_loss(logged: Logged, to: Author) -> Loss:
    """What `to` misses if a message for them alone is refused: all may know that, and nobody what it said."""
    return Loss(logged.key, clipped(f"my private message to {to.name}", WHAT_CHARS))


def line_for(loss: Loss, sink: str, elsewhere: Sequence[str]) -> str:
    """What the place itself says instead; `elsewhere` names the other places that show the session."""
    said = f"{place_name(sink)} did not take {loss.what}."
    where = _where(loss, elsewhere)
    return f"{said} {where}" if where else said


def told_elsewhere(loss: Loss, sink: str) -> str:
    """What the other places say when not even a line is taken."""
    return f"{place_name(sink)} did not take {loss.what}; people there do not see it."


def _said(entry: Entry, part: int) -> tuple[str, str] | None:
    match entry:
        case Response():
            return ("the rest of my answer" if part else "my answer"), "Read it"
        case Error(code=code):
            return f"my message that this failed ({code.value})", "Read it"
        case Elicitation():
            return "my question", "Read and answer it"
        case Prompt(author=author):
            return f"what {said_by(author)} said", "Read it"
        case _:
            return None


def _pull(entry: PullShown | PullActed, story: Story) -> Loss | None:
    shown = entry if isinstance(entry, PullShown) else story.pull
    if shown is None:
        return None
    # Every look at it makes another message; that it cannot be shown is told once for each card.
    key, facts = f"pull/{shown.turn or ''}", shown.facts
    return Loss(key, f"the card of {named(facts.ref)}", "See it", facts.url, is_public=True)


def _where(loss: Loss, elsewhere: Sequence[str]) -> str:
    if loss.is_public:
        return f"{loss.do} at {loss.url}"
    if not loss.do:
        return ""
    if "linear" in elsewhere:
        return f"{loss.do} in Linear: {loss.url}" if loss.url else f"{loss.do} in Linear."
    return f"{loss.do} in {place_name(elsewhere[0])}." if elsewhere else _NOWHERE
