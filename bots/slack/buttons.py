"""The names under which our buttons come back."""

from typing import Final

from core.ids import ElicitationId
from core.pulls import PullAction

STOP_ACTION: Final = "stop"
CHOICE_ACTION: Final = "choice"
"""Begins the action id of every button of a question: ids must differ within a block."""

OPEN_ACTION: Final = "open"
"""Begins the action id of a link button: Slack reports its click too, and nothing is to be done."""

PULL_ACTION: Final = "pull"
"""Begins the action id of a button of a pull request's card: its action follows, its value is the card."""

CONFIRM_ACTION: Final = "confirm"
"""The same for the button with which one person confirms it."""

_QUESTION: Final = "question:"


def question_block(elicitation: ElicitationId) -> str:
    """The block id that carries the question, so that an option's own value fits a menu's 150 characters."""
    return f"{_QUESTION}{elicitation}"


def asked_in(block_id: str) -> ElicitationId | None:
    """The opposite of `question_block`; None for a block that is no question."""
    if not block_id.startswith(_QUESTION):
        return None
    return ElicitationId(block_id.removeprefix(_QUESTION))


def pull_button(action: PullAction, *, confirms: bool = False) -> str:
    """The action id of a button that acts on a pull request."""
    return f"{CONFIRM_ACTION if confirms else PULL_ACTION}/{action.value}"


def pull_action(action_id: str) -> tuple[PullAction, bool] | None:
    """The opposite of `pull_button`: the action, and whether it is confirmed; None for any other button."""
    begin, _, name = action_id.partition("/")
    if begin not in (PULL_ACTION, CONFIRM_ACTION) or name not in list(PullAction):
        return None
    return PullAction(name), begin == CONFIRM_ACTION
