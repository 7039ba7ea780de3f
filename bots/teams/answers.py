"""What Teams shows at once to the person who pressed something: bodies of HTTP answers. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from bots.teams.buttons import WORDS, Answer, Ask, Review, Reviewed, Start
from bots.teams.cards import Element, attached, card, prose, submit, text_field
from bots.teams.markup import markdown
from core.mirror.prose import clipped
from core.mirror.pulls import CHANGES_FIELD, CHANGES_HINT, CHANGES_MISSING, CHANGES_SEND, CHANGES_TITLE

Body = Mapping[str, Any]

UNKNOWN: Final = "This button is not known any more."
NOT_HERE: Final = "You cannot use this here."

START_TITLE: Final = "Start a session"
ANSWER_TITLE: Final = "Your answer"

_QUOTED_CHARS: Final = 1_000


def said(text: str) -> Body:
    """An Action.Execute was understood."""
    return {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": text}


def wrong(text: str) -> Body:
    """An Action.Execute that says nothing we know."""
    error = {"code": "BadRequest", "message": text}
    return {"statusCode": 400, "type": "application/vnd.microsoft.error", "value": error}


def refused() -> Body:
    """An Action.Execute by somebody whom we do not hear."""
    return wrong(NOT_HERE)


def told(text: str) -> Body:
    """A form with nothing to do but to read and close it."""
    return {"task": {"type": "message", "value": text}}


def closed() -> Body:
    """A form that was sent closes."""
    return {}


def answer_form(asked: Ask, *, nonce: str) -> Body:
    """Where a question is answered in words; the answer counts once for each time the form is opened."""
    field = text_field(
        WORDS, "Answer", placeholder="Write as you would in the thread", missing="Write something first."
    )
    sent = submit("Answer", Answer(nonce=f"answer/{nonce}", question=asked.question))
    return _form(ANSWER_TITLE, card([*prose(markdown(asked.about)), field], [sent]))


def changes_form(asked: Review, *, nonce: str) -> Body:
    """Where somebody asks for changes to a pull request."""
    field = text_field(WORDS, CHANGES_FIELD, placeholder=CHANGES_HINT, missing=CHANGES_MISSING)
    sent = submit(CHANGES_SEND, Reviewed(nonce=f"reviewed/{nonce}", card=asked.card))
    return _form(CHANGES_TITLE, card([field], [sent]))


def start_form(author: str, text: str, *, nonce: str) -> Body:
    """Where a session is started from a message: what to do, above what was said."""
    lead = f"{author}: " if author else ""
    shown = markdown(clipped(lead + text, _QUOTED_CHARS))
    field = text_field(
        WORDS, "What should be done?", placeholder="Leave it empty to take the message as it is", missing=None
    )
    return _form(START_TITLE, card([*prose(shown), field], [submit("Start", Start(nonce=f"start/{nonce}"))]))


def _form(title: str, content: Element) -> Body:
    value = {"title": title, "height": "medium", "width": "medium", "card": attached(content)}
    return {"task": {"type": "continue", "value": value}}
