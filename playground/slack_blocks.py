"""Block Kit as Slack checks it, and as a person reads it. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from playground.slack_wire import Refused, Wire

MAX_BLOCKS: Final = 50
MAX_MARKDOWN_CHARS: Final = (
    13_200  # Over all markdown blocks of a message, as observed; the documents say 12,000.
)
TASK_MARKS: Final = {"pending": "○", "in_progress": "◐", "complete": "✓", "error": "✗"}
ALERT_LEVELS: Final = {"default", "info", "warning", "error", "success"}

Problems = Iterator[str]


def check_blocks(blocks: Sequence[Any], *, most: int = MAX_BLOCKS) -> None:
    """Raise what Slack would answer to `blocks`: `invalid_blocks` or `msg_blocks_too_long`."""
    problems = list(_problems(blocks, most))
    if problems:
        raise Refused("invalid_blocks", errors=problems, response_metadata={"messages": problems})
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if markdown > MAX_MARKDOWN_CHARS:
        raise Refused("msg_blocks_too_long")


def plain_text(blocks: Sequence[Wire]) -> str:
    """What a reader sees of `blocks`, one line per visual line, buttons in brackets."""
    return "\n".join(line for block in blocks for line in _lines(block) if line)


def elements_of(blocks: Sequence[Wire]) -> Iterator[tuple[Wire, Wire]]:
    """Every interactive element with the block it stands in, cards and sections included."""
    for block in blocks:
        for element in [*_items(block, "elements"), *_items(block, "actions"), block.get("accessory")]:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element
        inner = [*_items(block, "child_blocks"), *_items(block, "cards")]
        yield from elements_of([part for part in inner if isinstance(part, dict)])


def text_problems(
    value: object, limit: int, name: str, *, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")
) -> Problems:
    """What is wrong with a text object."""
    match value:
        case {"type": str(kind), "text": str(text)} if kind in kinds:
            if not text:
                yield f"{name} must be more than 0 characters"
            if len(text) > limit:
                yield f"{name} must be less than {limit + 1} characters"
        case _:
            yield f"{name} must be a text object of type {' or '.join(kinds)}"


def _problems(blocks: Sequence[Any], most: int) -> Problems:
    if len(blocks) > most:
        yield f"no more than {most} items allowed"
    for at, block in enumerate(blocks):
        for problem in _block_problems(block):
            yield f"{problem} [json-pointer:/blocks/{at}]"
    dicts = [block for block in blocks if isinstance(block, dict)]
    ids = [str(block["block_id"]) for block in dicts if "block_id" in block]
    if len(set(ids)) < len(ids):
        yield "block_id already exists"
    if {"plan", "task_card"} <= {str(block.get("type")) for block in dicts}:
        yield "plan and task_card exclude each other"


def _block_problems(block: Any) -> Problems:
    if not isinstance(block, dict):
        yield "must be an object"
        return
    check = _CHECKS.get(str(block.get("type")))
    if check is None:
        yield f"unsupported type: {block.get('type')}"
        return
    if len(str(block.get("block_id", ""))) > 255:
        yield "block_id must be less than 256 characters"
    yield from check(block)


def _optional_text(block: Wire, name: str, limit: int) -> Problems:
    if block.get(name) is not None:
        yield from text_problems(block[name], limit, name)


def _string(value: object, limit: int, name: str) -> Problems:
    if not isinstance(value, str) or not value:
        yield f"{name} must be a text of more than 0 characters"
    elif len(value) > limit:
        yield f"{name} must be less than {limit + 1} characters"


def _list(block: Wire, name: str, most: int) -> Problems:
    if not _items(block, name):
        yield f"{name} must have at least 1 item"
    yield from _optional_list(block, name, most)


def _optional_list(block: Wire, name: str, most: int) -> Problems:
    if not isinstance(block.get(name) or [], list):
        yield f"{name} must be a list"
    elif len(_items(block, name)) > most:
        yield f"{name}: no more than {most} items allowed"


def _items(block: Wire, name: str) -> list[Any]:
    """The list under `name`; empty if there is none."""
    items = block.get(name)
    return items if isinstance(items, list) else []


def _section(block: Wire) -> Problems:
    if block.get("text") is None and not _items(block, "fields"):
        yield "section needs text or fields"
    yield from _optional_text(block, "text", 3000)
    yield from _optional_list(block, "fields", 10)
    for field in _items(block, "fields"):
        yield from text_problems(field, 2000, "field")
    if block.get("accessory") is not None:
        yield from _element(block["accessory"])


def _context(block: Wire) -> Problems:
    yield from _list(block, "elements", 10)
    for element in _items(block, "elements"):
        if not isinstance(element, dict) or element.get("type") != "image":
            yield from text_problems(element, 3000, "context text")


def _actions(block: Wire) -> Problems:
    yield from _list(block, "elements", 25)
    for element in _items(block, "elements"):
        yield from _element(element)
    dicts = [each for each in _items(block, "elements") if isinstance(each, dict)]
    ids = [str(each["action_id"]) for each in dicts if "action_id" in each]
    if len(set(ids)) < len(ids):
        yield "action_id already exists within the block"


def _element(element: object) -> Problems:
    if not isinstance(element, dict) or not isinstance(element.get("type"), str):
        yield "element must be an object with a type"
        return
    if len(str(element.get("action_id", ""))) > 255:
        yield "action_id must be less than 256 characters"
    if element["type"] == "button":
        yield from text_problems(element.get("text"), 75, "button text", kinds=("plain_text",))
        if len(str(element.get("value", ""))) > 2000:
            yield "button value must be less than 2001 characters"
        if element.get("style", "primary") not in ("primary", "danger"):
            yield "button style must be primary or danger"


def _header(block: Wire) -> Problems:
    yield from text_problems(block.get("text"), 150, "header", kinds=("plain_text",))


def _markdown(block: Wire) -> Problems:
    if not isinstance(block.get("text"), str) or not block["text"]:
        yield "markdown text must be more than 0 characters"


def _plan(block: Wire) -> Problems:
    yield from _string(block.get("title"), 256, "plan title")
    yield from _optional_list(block, "tasks", 50)
    for task in _items(block, "tasks"):
        if not isinstance(task, dict) or task.get("type") != "task_card":
            yield "plan tasks must be task cards"
        else:
            yield from _task_card(task)


def _task_card(block: Wire) -> Problems:
    yield from _string(block.get("task_id"), 255, "task_id")
    yield from _string(block.get("title"), 256, "task title")
    if str(block.get("status", "pending")) not in TASK_MARKS:
        yield f"task status must be one of {' '.join(TASK_MARKS)}"
    for name in ("details", "output"):
        if name in block and (not isinstance(block[name], dict) or block[name].get("type") != "rich_text"):
            yield f"task {name} must be a rich_text block"


def _alert(block: Wire) -> Problems:
    yield from text_problems(block.get("text"), 3000, "alert text")
    if str(block.get("level", "default")) not in ALERT_LEVELS:
        yield "unknown alert level"


def _card(block: Wire) -> Problems:
    for name, limit in (("title", 150), ("subtitle", 150), ("body", 200)):
        yield from _optional_text(block, name, limit)
    yield from _optional_list(block, "actions", 25)
    for element in _items(block, "actions"):
        yield from _element(element)


def _rich_text(block: Wire) -> Problems:
    yield from _list(block, "elements", 1000)


def _unchecked(_: Wire) -> Problems:
    """A known block whose inside is not looked at."""
    yield from ()


_CHECKS: Final[Mapping[str, Callable[[Wire], Problems]]] = {
    "actions": _actions,
    "alert": _alert,
    "card": _card,
    "context": _context,
    "header": _header,
    "markdown": _markdown,
    "plan": _plan,
    "rich_text": _rich_text,
    "section": _section,
    "task_card": _task_card,
    **dict.fromkeys(
        (
            "auth_provider",
            "carousel",
            "container",
            "context_actions",
            "data_table",
            "data_visualization",
            "divider",
            "file",
            "image",
            "input",
            "table",
            "video",
        ),
        _unchecked,
    ),
}


def _lines(block: Wire) -> Iterator[str]:
    match block:
        case {"type": "divider"}:
            yield "---"
        case {"type": "context", "elements": [*elements]}:
            yield " ".join(_words(element) for element in elements)
        case {"type": "actions", "elements": [*elements]}:
            yield _buttons(elements)
        case {"type": "plan", "title": title}:
            yield title
            for task in _items(block, "tasks"):
                yield from _lines(task)
        case {"type": "task_card", "title": title}:
            yield f"{TASK_MARKS[block.get('status', 'pending')]} {title}"
            yield from (_words(block[name]) for name in ("details", "output") if name in block)
        case {"type": "card"}:
            yield from (_words(block[name]) for name in ("title", "subtitle", "body") if block.get(name))
            yield _buttons(_items(block, "actions"))
        case {"type": "section"}:
            yield from (_words(part) for part in (block.get("text"), *_items(block, "fields")) if part)
            yield _buttons([block["accessory"]] if block.get("accessory") else [])
        case _:
            yield _words(block)


def _buttons(elements: Sequence[Wire]) -> str:
    return " ".join(f"[{_words(element)}]" for element in elements)


def _words(node: object) -> str:
    """The text in a text object or rich text, however deep."""
    match node:
        case str():
            return node
        case {"type": "link", "url": url, **rest}:
            return str(rest.get("text", url))
        case {"type": "user", "user_id": user}:
            return f"<@{user}>"
        case {"type": "emoji", "name": name}:
            return f":{name}:"
        case {"text": inner} | {"placeholder": inner} | {"alt_text": inner}:
            return _words(inner)
        case {"elements": [*inner]}:
            lines = (
                "\n" if isinstance(node, dict) and node.get("type") in ("rich_text", "rich_text_list") else ""
            )
            return lines.join(_words(element) for element in inner)
        case _:
            return ""
