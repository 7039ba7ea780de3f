"""Whom a message mentions, by the ids that our registration knows them by. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.ports import Payload


def mentioned_in(payload: Payload) -> set[str]:
    """The user ids of all mentions, those in cards too."""
    return {each["mentioned"]["id"] for each in _mentions(payload)}


def renamed(payload: Payload, ids: Mapping[str, str]) -> Payload:
    """The message with other user ids in its mentions, as far as `ids` has any."""
    changed: Payload = _renamed(payload, ids)
    return changed


def _mentions(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, Mapping):
        if _is_mention(node):
            yield node
        for value in node.values():
            yield from _mentions(value)
    elif isinstance(node, list):
        for value in node:
            yield from _mentions(value)


def _renamed(node: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(node, Mapping):
        if _is_mention(node):
            whom = node["mentioned"]
            return {**node, "mentioned": {**whom, "id": ids.get(whom["id"], whom["id"])}}
        return {name: _renamed(value, ids) for name, value in node.items()}
    return [_renamed(value, ids) for value in node] if isinstance(node, list) else node


def _is_mention(node: Mapping[str, Any]) -> bool:
    return node.get("type") == "mention" and "mentioned" in node
