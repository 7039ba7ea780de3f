"""Cards as a person reads them, and what can be pressed in them. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from playground.teams_cards import MENTION, walk
from playground.teams_wire import Wire


def plain_text(text: str, cards: Sequence[Wire]) -> str:
    """What a reader sees of a message, one line per visual line, buttons and fields in brackets."""
    lines = [text, *(line for card in cards for line in card_lines(card))]
    return MENTION.sub(r"@\1", "\n".join(line for line in lines if line))


def card_lines(card: Wire) -> Iterator[str]:
    for element in _list(card, "body"):
        yield from _lines(element)
    yield _buttons(_list(card, "actions"))


def actions_of(card: Wire) -> Iterator[Wire]:
    """Every action with a title, the shown and the hidden, cards behind buttons included."""
    for node in walk(card):
        if str(node["type"]).startswith("Action.") and "title" in node:
            yield node


def inputs_of(card: Wire) -> Iterator[Wire]:
    """Every field a person can fill in."""
    for node in walk(card):
        if str(node["type"]).startswith("Input."):
            yield node


def _lines(element: Wire) -> Iterator[str]:
    if element.get("isVisible") is False:
        return
    match element:
        case {"type": "Container" | "Column" | "TableCell"}:
            for inner in _list(element, "items"):
                yield from _lines(inner)
        case {"type": "ColumnSet"}:
            yield _side_by_side(_list(element, "columns"))
        case {"type": "Table"}:
            yield from (_side_by_side(_list(row, "cells"), " | ") for row in _list(element, "rows"))
        case {"type": "FactSet"}:
            yield from (f"{fact['title']} {fact['value']}" for fact in _list(element, "facts"))
        case {"type": "ActionSet"}:
            yield _buttons(_list(element, "actions"))
        case {"type": "RichTextBlock", "inlines": [*inlines]}:
            yield "".join(run if isinstance(run, str) else str(run["text"]) for run in inlines)
        case {"type": "ImageSet"}:
            yield " ".join(line for image in _list(element, "images") for line in _lines(image))
        case _:
            yield _words(element)


def _words(element: Wire) -> str:
    match element:
        case {"type": "TextBlock", "text": text} | {"type": "CodeBlock", "codeSnippet": text}:
            return str(text)
        case {"type": "Input.ChoiceSet"}:
            return " ".join([_label(element), *(f"( ) {one['title']}" for one in _list(element, "choices"))])
        case {"type": str(kind)} if kind.startswith("Input."):
            return f"{_label(element)} [{element.get('placeholder') or element.get('title') or ''}]".strip()
        case _:
            return str(element.get("altText", ""))


def _label(element: Wire) -> str:
    return str(element.get("label", ""))


def _side_by_side(parts: Sequence[Wire], between: str = " ") -> str:
    columns = ("\n".join(filter(None, _lines({"type": "Container", **part}))) for part in parts)
    return between.join(filter(None, columns))


def _buttons(actions: Sequence[Wire]) -> str:
    return " ".join(f"[{action.get('title', '')}]" for action in actions)


def _list(node: Mapping[str, object], name: str) -> list[Wire]:
    value = node.get(name)
    return value if isinstance(value, list) else []
