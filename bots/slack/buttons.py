"""The names under which our buttons come back."""

from typing import Final

from core.ids import ElicitationId

STOP_ACTION: Final = "stop"
CHOICE_ACTION: Final = "choice"
"""Begins the action id of every button of a question: ids must differ within a block."""

OPEN_ACTION: Final = "open"
"""Begins the action id of a link button: Slack reports its click too, and nothing is to be done."""

_QUESTION: Final = "question:"


def question_block(elicitation: ElicitationId) -> str:
    """The block id that carries the question, so that an option's own value fits a menu's 150 characters."""
    return f"{_QUESTION}{elicitation}"


def asked_in(block_id: str) -> ElicitationId | None:
    """The opposite of `question_block`; None for a block that is no question."""
    if not block_id.startswith(_QUESTION):
        return None
    return ElicitationId(block_id.removeprefix(_QUESTION))
