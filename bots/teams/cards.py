"""Adaptive Cards 1.5, as far as the story needs them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bots.teams.buttons import Data, wire
from bots.teams.markup import Code, Run, fenced_parts, literal
from bots.teams.wire import ADAPTIVE
from core.mirror.prose import clipped
from core.ports import Payload

Element = dict[str, Any]
Action = dict[str, Any]

LABEL_CHARS: Final = 75
SUMMARY_CHARS: Final = 300
CODE_BLOCKS: Final = 20
"""More than these in one text are shown as prose: each costs far more than it says."""

_LANGUAGES: Final = {
    language.lower(): language
    for language in (
        *("Bash", "C", "C++", "C#", "CSS", "DOS", "Go", "GraphQL", "HTML", "Java", "JavaScript", "JSON"),
        *("Perl", "PHP", "PlainText", "PowerShell", "Python", "SQL", "TypeScript", "XML"),
    )
} | {"sh": "Bash", "shell": "Bash", "py": "Python", "js": "JavaScript", "ts": "TypeScript"}
"""The names that a CodeBlock takes."""


def card(
    body: Sequence[Element], actions: Sequence[Action] = (), mentions: Sequence[Mapping[str, Any]] = ()
) -> Element:
    """A card as wide as the message; `mentions` are the entities of those in its texts."""
    content: Element = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "msteams": {"width": "Full", **({"entities": list(mentions)} if mentions else {})},
        "body": list(body),
    }
    return content | {"actions": list(actions)} if actions else content


def attached(content: Element) -> Element:
    """A card as an attachment."""
    return {"contentType": ADAPTIVE, "content": content}


def payload(summary: str, content: Element) -> Payload:
    """A message that is a card; `summary` is what notifications say."""
    return {
        "type": "message",
        "summary": clipped(literal(summary), SUMMARY_CHARS),
        "attachments": [attached(content)],
    }


def line(runs: Sequence[Run]) -> Element:
    return {"type": "RichTextBlock", "inlines": list(runs), "spacing": "Small"}


def prose(text: str) -> list[Element]:
    """Markdown that is safe already: paragraphs and lists as they are, code in blocks of its own."""
    parts = fenced_parts(text)
    if sum(isinstance(part, Code) for part in parts) > CODE_BLOCKS:
        return [words(text)]
    return [_code(part) if isinstance(part, Code) else words(part) for part in parts]


def label(text: str) -> str:
    """What stands on a button or beside a choice."""
    return clipped(literal(text), LABEL_CHARS)


def execute(title: str, data: Data) -> Action:
    """A button that asks us at once; clients that do not know it send a message with the same data."""
    sent = {"title": label(title), "data": wire(data)}
    return {"type": "Action.Execute", "verb": data.do, **sent, "fallback": {"type": "Action.Submit", **sent}}


def form_button(title: str, data: Data) -> Action:
    """A button that opens a form; it works, too, while nothing is chosen in the card."""
    return {
        "type": "Action.Submit",
        "title": label(title),
        "data": {**wire(data), "msteams": {"type": "task/fetch"}},
        "associatedInputs": "none",
    }


def open_url(title: str, url: str) -> Action:
    return {"type": "Action.OpenUrl", "title": label(title), "url": url}


def choices(name: str, titles: Sequence[str], *, multiple: bool, placeholder: str, missing: str) -> Element:
    """A list to pick from by index; `missing` is said while nothing is picked."""
    return {
        "type": "Input.ChoiceSet",
        "id": name,
        "isMultiSelect": multiple,
        "style": "expanded" if multiple and len(titles) <= 8 else "compact",
        "placeholder": placeholder,
        "isRequired": True,
        "errorMessage": missing,
        "wrap": True,
        "choices": [{"title": label(title), "value": str(at)} for at, title in enumerate(titles)],
    }


def text_field(name: str, title: str, *, placeholder: str, missing: str | None) -> Element:
    """A field for several lines; it must be filled in if `missing` says what to say otherwise."""
    required = {} if missing is None else {"isRequired": True, "errorMessage": missing}
    return {
        "type": "Input.Text",
        "id": name,
        "label": title,
        "isMultiline": True,
        "placeholder": placeholder,
        **required,
    }


def submit(title: str, data: Data) -> Action:
    """The button of a form."""
    return {"type": "Action.Submit", "title": label(title), "data": wire(data)}


def words(text: str) -> Element:
    """Markdown that is safe already, as one block."""
    return {"type": "TextBlock", "text": text, "wrap": True}


def _code(code: Code) -> Element:
    return {
        "type": "CodeBlock",
        "codeSnippet": code.text,
        "language": _LANGUAGES.get(code.language.lower(), "PlainText"),
        "fallback": words(code.text),
    }
