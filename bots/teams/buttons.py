"""What our buttons and forms carry, and how it comes back. Pure.

The same data goes along with an Action.Execute, an Action.Submit and a form: `{"threadline": {...}}`, with
the values of input fields beside it. `nonce` names one press for ever, however often Teams repeats it and
under whatever id; only what may well be pressed again (`Act`) is told apart by Teams' own id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from core.ids import ElicitationId, TurnId
from core.pulls import PullAction

OURS: Final = "threadline"
PICKED: Final = "picked"
"""The input in which options are chosen: their indexes, with commas between them."""

WORDS: Final = "words"
"""The input in which people write."""

START_COMMAND: Final = "startSession"
"""The command in the menu of every message; the app's manifest names it."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    nonce: str


class Stop(_Data):
    """Stop the turn whose progress the card shows."""

    do: Literal["stop"] = "stop"


class Choose(_Data):
    """One option of a question has a button of its own."""

    question: ElicitationId
    value: str
    do: Literal["choose"] = "choose"


class Pick(_Data):
    """Options are picked from a list; `gives` holds what each of them stands for."""

    question: ElicitationId
    gives: tuple[str, ...]
    do: Literal["pick"] = "pick"


class Ask(_Data):
    """Open the form in which a question is answered in words; `about` is the question, cut short."""

    question: ElicitationId
    about: str = ""
    do: Literal["ask"] = "ask"


class Answer(_Data):
    """The form for an answer in words was sent."""

    question: ElicitationId
    do: Literal["answer"] = "answer"


class Start(_Data):
    """The form for a new session was sent."""

    do: Literal["start"] = "start"


class Act(_Data):
    """Do something with the pull request that the card shows; `sure`: the person confirms it."""

    card: str
    action: PullAction
    sure: bool = False
    do: Literal["act"] = "act"


class Review(_Data):
    """Open the form in which somebody asks for changes."""

    card: str
    do: Literal["review"] = "review"


class Reviewed(_Data):
    """The form for changes was sent."""

    card: str
    do: Literal["reviewed"] = "reviewed"


Data = Stop | Choose | Pick | Ask | Answer | Start | Act | Review | Reviewed

_DATA: TypeAdapter[Data] = TypeAdapter(Annotated[Data, Field(discriminator="do")])


@dataclass(frozen=True, slots=True)
class Press:
    """A button of ours was pressed; `fields` are the values of the inputs around it."""

    data: Data
    fields: Mapping[str, str]


def stop(turn: TurnId) -> Stop:
    return Stop(nonce=f"stop/{turn}")


def choose(question: ElicitationId, at: int, value: str) -> Choose:
    return Choose(nonce=f"choose/{question}/{at}", question=question, value=value)


def pick(question: ElicitationId, gives: Sequence[str]) -> Pick:
    return Pick(nonce=f"pick/{question}", question=question, gives=tuple(gives))


def ask(question: ElicitationId, about: str) -> Ask:
    return Ask(nonce=f"ask/{question}", question=question, about=about)


def act(card: str, action: PullAction, *, sure: bool = False) -> Act:
    return Act(nonce=f"{'sure' if sure else 'act'}/{card}/{action}", card=card, action=action, sure=sure)


def review(card: str) -> Review:
    return Review(nonce=f"review/{card}", card=card)


def wire(data: Data) -> dict[str, Any]:
    """The data of an action, to which Teams adds the inputs' values."""
    return {OURS: data.model_dump(mode="json")}


def press_in(value: object) -> Press | None:
    """What came back with a press; None if it is no press of a button of ours."""
    if not isinstance(value, Mapping) or OURS not in value:
        return None
    try:
        data = _DATA.validate_python(value[OURS])
    except ValidationError:
        return None
    return Press(data, {str(name): each for name, each in value.items() if isinstance(each, str)})


def picked(press: Press, gives: Sequence[str]) -> list[str] | None:
    """What was picked, in order of the list; None if nothing was, or something that is not in it."""
    chosen = press.fields.get(PICKED, "").split(",")
    if not all(each.isdecimal() and len(each) < 5 and int(each) < len(gives) for each in chosen):
        return None
    return [gives[at] for at in sorted({int(each) for each in chosen})]
