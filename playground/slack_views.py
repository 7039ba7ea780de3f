"""Forms as Slack checks them, and what is filled in on them. Pure."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from playground.slack_blocks import Problems, check_blocks, text_problems
from playground.slack_wire import Refused, Wire

MAX_BYTES: Final = 250_000
MAX_BLOCKS: Final = 100
TITLE_CHARS: Final = 24
METADATA_CHARS: Final = 3_000
TEXT_CHARS: Final = 3_000


def check_view(view: Wire) -> None:
    """Raise what Slack would answer to a view: `invalid_arguments`, or `view_too_large`."""
    if len(json.dumps(view).encode()) > MAX_BYTES:
        raise Refused("view_too_large")
    problems = list(_problems(view))
    if problems:
        raise Refused("invalid_arguments", errors=problems, response_metadata={"messages": problems})
    check_blocks(view["blocks"], most=MAX_BLOCKS)


def filled(view: Wire, inputs: Mapping[str, str]) -> Wire:
    """`state.values` after a person filled in `inputs`, by label; they cannot send what the form refuses."""
    fields = {str(block["label"]["text"]): block for block in inputs_of(view)}
    if inputs.keys() - fields.keys():
        raise Refused("no_such_input", labels=sorted(inputs.keys() - fields.keys()))
    values: Wire = {}
    for label, block in fields.items():
        element, text = block["element"], inputs.get(label, "")
        if not text and not block.get("optional", False):
            raise Refused("input_required", label=label)
        if text and not element.get("min_length", 0) <= len(text) <= element.get("max_length", TEXT_CHARS):
            raise Refused("input_length", label=label)
        field = {"type": element["type"], "value": text or None}
        values[block["block_id"]] = {element["action_id"]: field}
    return values


def inputs_of(view: Wire) -> Iterator[Wire]:
    """The blocks of a form that are filled in."""
    yield from (block for block in view["blocks"] if block["type"] == "input")


def _problems(view: Wire) -> Problems:
    blocks = view.get("blocks")
    if view.get("type") not in ("modal", "home"):
        yield "type must be modal or home"
    if not isinstance(blocks, list):
        yield "blocks must be a list"
        return
    for name, limit in (("callback_id", 255), ("external_id", 255), ("private_metadata", METADATA_CHARS)):
        if len(str(view.get(name, ""))) > limit:
            yield f"{name} must be less than {limit + 1} characters"
    if view.get("type") == "modal":
        yield from _modal(view)
    for at, block in enumerate(blocks):
        if isinstance(block, dict) and block.get("type") == "input":
            for problem in _input(block):
                yield f"{problem} [json-pointer:/view/blocks/{at}]"


def _modal(view: Wire) -> Problems:
    for name in ("title", "submit", "close"):
        if name in view or name == "title":
            yield from text_problems(view.get(name), TITLE_CHARS, name, kinds=("plain_text",))
    has_inputs = any(isinstance(block, dict) and block.get("type") == "input" for block in view["blocks"])
    if has_inputs and "submit" not in view:
        yield "submit is required when an input block is within blocks"


def _input(block: Wire) -> Problems:
    for name in ("label", "hint"):
        if name in block or name == "label":
            yield from text_problems(block.get(name), 2_000, name, kinds=("plain_text",))
    element: Any = block.get("element")
    check = _ELEMENTS.get(str(element.get("type"))) if isinstance(element, dict) else None
    if check is None:
        yield "element must be one that can be filled in"
        return
    if not 0 < len(str(element.get("action_id", "x"))) <= 255:
        yield "action_id must be less than 256 characters"
    yield from check(element)


def _text_input(element: Wire) -> Problems:
    for name, least in (("min_length", 0), ("max_length", 1)):
        value = element.get(name, least)
        if not isinstance(value, int) or not least <= value <= TEXT_CHARS:
            yield f"{name} must be between {least} and {TEXT_CHARS}"
    if "placeholder" in element:
        yield from text_problems(element["placeholder"], 150, "placeholder", kinds=("plain_text",))
    if not isinstance(element.get("multiline", False), bool):
        yield "multiline must be true or false"


_ELEMENTS: Final[Mapping[str, Callable[[Wire], Problems]]] = {"plain_text_input": _text_input}
"""What the stand-in can fill in."""
