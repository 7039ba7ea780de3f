"""The form in which somebody asks for changes: what opens it, what it is, what comes back. Pure."""

import json
from dataclasses import dataclass, replace
from typing import Any, Final

from bots.slack.blocks import BUTTON_VALUE_CHARS, plain_text
from bots.slack.buttons import pull_action
from bots.slack.events import MEMBERS_ONLY, SURFACE, Admission, author_of, thread_of_click
from bots.slack.wire import BlockActions, MalformedEvent, Submission, Wire, parsed
from core.events import Incoming, Pressed
from core.ids import ThreadRef
from core.mirror.pulls import CHANGES_FIELD, CHANGES_HINT, CHANGES_MISSING, CHANGES_SEND, CHANGES_TITLE
from core.pulls import PullAction

REVIEW_FORM: Final = "review"
"""The callback id of the form."""

_BLOCK: Final = "words"
_FIELD: Final = "text"
_CANCEL: Final = "Cancel"
_TEXT_CHARS: Final = 3_000


@dataclass(frozen=True, slots=True)
class FormAsked:
    """A button was pressed that opens the form. `trigger` opens one, once, within three seconds."""

    trigger: str
    thread: ThreadRef
    user: str
    card: str


def parse_form_asked(body: Wire) -> FormAsked | None:
    """Read a `block_actions` payload; None if nothing is to be opened."""
    payload = parsed(BlockActions, body)
    for click in payload.actions:
        if pull_action(click.action_id) == (PullAction.REQUEST_CHANGES, False) and click.value:
            return FormAsked(payload.trigger_id, thread_of_click(payload), payload.user.id, click.value)
    return None


def review_form(asked: FormAsked) -> dict[str, Any]:
    """The view; where it belongs goes along, as Slack does not tell that when it comes back."""
    thread = asked.thread
    place = {"channel": thread.conversation, "root": thread.root, "card": asked.card[:BUTTON_VALUE_CHARS]}
    return {
        "type": "modal",
        "callback_id": REVIEW_FORM,
        "private_metadata": json.dumps(place),
        "title": plain_text(CHANGES_TITLE),
        "submit": plain_text(CHANGES_SEND),
        "close": plain_text(_CANCEL),
        "blocks": [
            {
                "type": "input",
                "block_id": _BLOCK,
                "label": plain_text(CHANGES_FIELD),
                "hint": plain_text(CHANGES_HINT),
                "element": {
                    "type": "plain_text_input",
                    "action_id": _FIELD,
                    "multiline": True,
                    "max_length": _TEXT_CHARS,
                },
            }
        ],
    }


def missing_in(body: Wire) -> dict[str, str]:
    """What is wrong with the form that was sent, by block; empty if nothing is."""
    return {} if _words(parsed(Submission, body)) else {_BLOCK: CHANGES_MISSING}


def parse_submission(body: Wire, admission: Admission = MEMBERS_ONLY) -> Incoming:
    """Read a `view_submission` payload of the form; raises `MalformedEvent`."""
    sent = parsed(Submission, body)
    team, user = sent.team.id, sent.user
    channel, root, card = _place(sent.view.private_metadata)
    thread = ThreadRef(SURFACE, team, channel, root)
    is_external = user.team_id not in {None, team, *admission.teams}
    return Incoming(
        # The view is opened anew for each press, and keeps its id however often it is sent.
        key=f"{SURFACE}/{team}/{channel}/{root}/form/{sent.view.id}",
        place=thread,
        event=Pressed(card, PullAction.REQUEST_CHANGES, text=_words(sent)),
        author=replace(author_of(team, user.id), is_external=is_external),
    )


def _words(sent: Submission) -> str:
    field = sent.view.state.values.get(_BLOCK, {}).get(_FIELD)
    return (field.value or "").strip() if field else ""


def _place(metadata: str) -> tuple[str, str, str]:
    """Written by `review_form`, and signed by Slack when it comes back."""
    try:
        place = json.loads(metadata)
    except ValueError:
        place = None
    match place:
        case {"channel": str(channel), "root": str(root), "card": str(card)}:
            return channel, root, card
        case _:
            raise MalformedEvent("the form does not say where it belongs")
