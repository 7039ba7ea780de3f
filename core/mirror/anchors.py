"""What a chat sink remembers of its messages: what each stands for, and the reactions it set. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.activities import Fate
from core.mirror.sink import Delivered, Memory

CARDS_KEPT = 5


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a message of ours stands for, so that it can be edited later: a card of a turn, or a question."""

    kind: str
    id: str


def anchoring(anchor: Anchor | None, *, closes: bool = False) -> dict[str, object]:
    """The part of a call that `remembered` reads; one that `closes` is the last about its message."""
    return {"anchor": None if anchor is None else [anchor.kind, anchor.id], "closes": closes}


def known_of(memory: Memory, anchor: Anchor) -> Mapping[str, Any] | None:
    """The message's `id` (None: there is none to edit), and whether it was `renewed`; None if it is new.

    With `refused`, edits of it were refused again and again.
    """
    found: Mapping[str, Any] | None = memory.get(anchor.kind, {}).get(anchor.id)
    return found


def remembered(memory: Memory, call: Mapping[str, Any], delivered: Delivered | None) -> Memory:
    """The memory after `call` was done, or (None) was refused for good."""
    if call["do"] == "react":
        return memory if delivered is None else _with_fate(memory, call)
    if call["anchor"] is None:
        return memory
    kind, id = call["anchor"]
    known = dict(memory.get(kind, {}))
    was = known.pop(id, None)
    if call["closes"]:
        return {**memory, kind: known}
    known[id] = _anchored(was, delivered)
    # JSON keeps the order of insertion: the oldest goes first.
    return {**memory, kind: dict(list(known.items())[-CARDS_KEPT:])}


def _with_fate(memory: Memory, call: Mapping[str, Any]) -> Memory:
    fates = {id: fate for id, fate in memory.get("fates", {}).items() if id != call["message"]}
    if call["add"] not in (None, Fate.DONE):
        fates[call["message"]] = call["add"]
    return {**memory, "fates": fates}


def _anchored(was: Mapping[str, Any] | None, delivered: Delivered | None) -> dict[str, object]:
    """What is known of a card or question after a post or an edit of it."""
    if was is None:
        return {"id": None if delivered is None else delivered.id, "renewed": False}
    if delivered is None:
        # Refused once: the payload may be at fault. Refused again: somebody may have taken the message away.
        refused = {"refused": True} if was["renewed"] else {}
        return {"id": was["id"], "renewed": True, **refused}
    return {"id": delivered.id, "renewed": was["renewed"] or delivered.id != was["id"]}
