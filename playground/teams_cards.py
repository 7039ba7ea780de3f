"""Adaptive Cards as Teams checks them. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from playground.teams_card_schema import ACTIONS, CARD, ELEMENTS, PART_OF, PARTS, NestedKind, Shape
from playground.teams_wire import Wire

ADAPTIVE: Final = "application/vnd.microsoft.card.adaptive"
MAX_ACTIONS: Final = 6
MAX_REFRESHED: Final = 60
NEWEST: Final = (1, 5)

MENTION: Final = re.compile(r"<at>(.*?)</at>")

Problems = Iterator[str]


def card_problems(card: object) -> Problems:
    """What keeps Teams from showing `card` as it was meant, each with the place."""
    yield from _card(card, "card")
    if isinstance(card, dict):
        yield from _mention_problems(card)
        inputs = [element for element in walk(card) if element["type"].startswith("Input.")]
        ids = [str(element["id"]) for element in inputs if "id" in element]
        if len(set(ids)) < len(ids):
            yield "card: two inputs have the same id"


def walk(node: object) -> Iterator[Wire]:
    """Every object in a card that has a `type`, the card itself first, in reading order."""
    if isinstance(node, dict):
        if isinstance(node.get("type"), str):
            yield node
        for name, value in node.items():
            # Data is the bot's own, and a fallback stands for something that is shown.
            if name not in ("data", "fallback", "refresh", "msteams"):
                yield from walk(value)
    elif isinstance(node, list):
        for each in node:
            yield from walk(each)


def _card(card: object, at: str) -> Problems:
    if not isinstance(card, dict) or card.get("type") != "AdaptiveCard":
        yield f"{at}: must be an object of type AdaptiveCard"
        return
    yield from _properties(card, CARD, at)
    version = re.fullmatch(r"(\d+)\.(\d+)", str(card.get("version", "")))
    if version is None or (int(version[1]), int(version[2])) > NEWEST:
        yield f"{at}: version must be 1.0 to 1.5"
    if "refresh" in card:
        yield from _refresh(card["refresh"], f"{at}.refresh")
    if not isinstance(card.get("msteams", {}), dict):
        yield f"{at}: msteams must be an object"


def _refresh(refresh: object, at: str) -> Problems:
    match refresh:
        case {"action": {"type": "Action.Execute"} as action, **rest}:
            yield from _action(action, f"{at}.action")
            users = rest.get("userIds", [])
            if not isinstance(users, list) or not all(isinstance(user, str) for user in users):
                yield f"{at}: userIds must be a list of texts"
            elif len(users) > MAX_REFRESHED:
                yield f"{at}: no more than {MAX_REFRESHED} userIds"
        case _:
            yield f"{at}: needs an action of type Action.Execute"


def _properties(node: Wire, shape: Shape, at: str) -> Problems:
    for name in sorted(shape.needed - node.keys()):
        yield f"{at}: {name} is missing"
    for name in sorted(node.keys() - shape.needed - shape.allowed - {"type"}):
        yield f"{at}: unknown property {name}"
    for name in sorted(shape.needed & node.keys() - shape.nested.keys()):
        if not isinstance(node[name], str | list):
            yield f"{at}: {name} must be a text or a list"
    for name, kind in shape.nested.items():
        if name in node:
            yield from _nested(node[name], kind, f"{at}.{name}")


_SINGLE: Final = frozenset({"selectAction", "inlineAction", "card"})


def _nested(value: object, kind: NestedKind, at: str) -> Problems:
    if at.rpartition(".")[2] in _SINGLE:
        yield from _one(value, kind, at)
        return
    if not isinstance(value, list):
        yield f"{at}: must be a list"
        return
    if kind == "action" and sum(_is_primary(each) for each in value) > MAX_ACTIONS:
        yield f"{at}: no more than {MAX_ACTIONS} actions"
    for number, each in enumerate(value):
        yield from _one(each, kind, f"{at}[{number}]")


def _one(node: object, kind: NestedKind, at: str) -> Problems:
    match kind:
        case "action":
            yield from _action(node, at)
        case "card":
            # The inner card of a ShowCard takes the version of the outer one.
            yield from _card({"version": "1.5", **node} if isinstance(node, dict) else node, at)
        case "element" | "image":
            yield from _element(node, at)
        case "inline" if isinstance(node, str):
            return
        case _:
            yield from _part(node, PART_OF[kind], at)


def _element(node: object, at: str) -> Problems:
    if not isinstance(node, dict):
        yield f"{at}: must be an object"
        return
    kind = str(node.get("type"))
    if kind not in ELEMENTS:
        yield f"{at}: unknown element {kind}"
        return
    yield from _properties(node, ELEMENTS[kind], at)
    fallback = node.get("fallback", "drop")
    if fallback != "drop":
        yield from _element(fallback, f"{at}.fallback")
    if kind == "Image" and isinstance(node.get("url"), str):
        yield from _url(node["url"], at, {"https", "http", "data"})


def _part(node: object, kind: str, at: str) -> Problems:
    if not isinstance(node, dict) or str(node.get("type", kind)) != kind:
        yield f"{at}: must be an object of type {kind}"
        return
    yield from _properties(node, PARTS[kind], at)


def _action(node: object, at: str) -> Problems:
    if not isinstance(node, dict):
        yield f"{at}: must be an object"
        return
    kind = str(node.get("type"))
    if kind not in ACTIONS:
        yield f"{at}: unknown action {kind}"
        return
    yield from _properties(node, ACTIONS[kind], at)
    if kind == "Action.Execute" and not isinstance(node.get("data", {}), dict):
        yield f"{at}: data must be an object"
    if kind == "Action.ShowCard" and "card" not in node:
        yield f"{at}: card is missing"
    if kind == "Action.OpenUrl" and isinstance(node.get("url"), str):
        yield from _url(node["url"], at, {"https", "http", "mailto", "msteams"})
    fallback = node.get("fallback", "drop")
    if fallback != "drop":
        yield from _action(fallback, f"{at}.fallback")


def _url(url: str, at: str, schemes: set[str]) -> Problems:
    if urlsplit(url).scheme not in schemes:
        yield f"{at}: url must begin with {' or '.join(sorted(schemes))}"


def _is_primary(action: object) -> bool:
    return isinstance(action, dict) and action.get("mode") != "secondary"


def _mention_problems(card: Wire) -> Problems:
    extra = card.get("msteams")
    entities: Sequence[Any] = extra.get("entities") or [] if isinstance(extra, dict) else []
    texts = [str(node[name]) for node in walk(card) for name in ("text", "value") if name in node]
    yield from mention_problems(texts, entities, "card")


def mention_problems(texts: Sequence[str], entities: object, at: str) -> Problems:
    """Every `<at>` needs an entity with exactly its text, and every mention its `<at>`."""
    if not isinstance(entities, list):
        yield f"{at}: entities must be a list"
        return
    mentions = [each for each in entities if isinstance(each, dict) and each.get("type") == "mention"]
    declared = set()
    for mention in mentions:
        match mention:
            case {"text": str(text), "mentioned": {"id": str(), "name": str()}}:
                declared.add(text)
            case _:
                yield f"{at}: a mention needs text and mentioned with id and name"
    written = {found[0] for text in texts for found in MENTION.finditer(text)}
    for text in sorted(written - declared):
        yield f"{at}: {text} has no mention entity"
    for text in sorted(declared - written):
        yield f"{at}: the mention {text} is not in the text"
