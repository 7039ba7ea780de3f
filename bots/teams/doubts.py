"""What is posted in place of a message of which nobody knows whether it arrived. Pure.

Teams takes no key for a post and lets a bot read nothing back; but people see what is there. So the words of
such a message are not said a second time: they are put behind a button, for whoever misses them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bots.teams.buttons import Answer, Ask, Choose, Pick, press_in
from bots.teams.cards import Action, Element, card, payload, prose, words
from bots.teams.wire import ADAPTIVE
from core.ports import Payload

MAYBE_SAID: Final = "Teams did not tell me whether my last message arrived. If you do not see it above:"
MAYBE_SHOWN: Final = (
    "Teams did not tell me whether this arrived before. If you see it twice, this one goes on."
)
SHOW: Final = "Show it"

PROSE_CHARS: Final = 8_000
"""Of a text whose code gets blocks of its own, which cost far more than what they show."""

_HIDDEN: Final = "maybe-said"


def doubted(message: Payload) -> Payload:
    """What stands for `message` after a post of unknown outcome.

    A card that goes on changing is shown, with a word about it: only the copy whose id is known will change.
    """
    content = _card_of(message)
    if content is not None and not _asks(content):
        shown = {**content, "body": [words(MAYBE_SHOWN), *content.get("body", ())]}
        return {**message, "attachments": [{"contentType": ADAPTIVE, "content": shown}]}
    return _behind_a_button(message, content)


def begun_in_doubt(message: Payload) -> Payload:
    """The text that a thread begins with, where another thread may begin with it."""
    return {**message, "text": f"{message['text']}\n\n{MAYBE_SHOWN}"}


def _behind_a_button(message: Payload, content: Mapping[str, Any] | None) -> Payload:
    mentions, others = _mentions(message, content)
    hidden = {
        "type": "Container",
        "id": _HIDDEN,
        "isVisible": False,
        "items": list(_elements(message, content)),
    }
    told = payload(MAYBE_SAID, card([words(MAYBE_SAID), hidden], [_show()], mentions))
    return {**told, "entities": others} if others else told


def _elements(message: Payload, content: Mapping[str, Any] | None) -> Iterator[Element]:
    if content is None:
        text = message.get("text") or ""
        yield from prose(text) if len(text) <= PROSE_CHARS else [words(text)]
        return
    yield from content.get("body", ())
    if actions := content.get("actions"):
        yield {"type": "ActionSet", "actions": actions}


def _show() -> Action:
    return {"type": "Action.ToggleVisibility", "title": SHOW, "targetElements": [_HIDDEN]}


def _card_of(message: Payload) -> Mapping[str, Any] | None:
    cards = (each["content"] for each in message.get("attachments", ()) if each["contentType"] == ADAPTIVE)
    return next(cards, None)


def _asks(content: Mapping[str, Any]) -> bool:
    """Whether the card is a question: answered once, it is done with."""
    presses = (press_in(action.get("data")) for action in content.get("actions", ()))
    return any(
        press is not None and isinstance(press.data, Ask | Answer | Choose | Pick) for press in presses
    )


def _mentions(message: Payload, content: Mapping[str, Any] | None) -> tuple[list[Element], list[Element]]:
    """The mentions, which a card has to carry itself, and all else that the message is marked with."""
    entities = message.get("entities", ())
    carried = content["msteams"].get("entities", ()) if content else ()
    mentions = [*carried, *(each for each in entities if each["type"] == "mention")]
    return mentions, [each for each in entities if each["type"] != "mention"]
