"""Tool calls in a few words: action, parameter and result, as people read them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

PARAMETER_CHARS = 300
RESULT_CHARS = 1_500

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_TOOL_ERROR = re.compile(r"</?tool_use_error>")
_BACKTICKS = re.compile(r"`+")
_CAPPED = "…"
_SILENCE = ("", "(Bash completed with no output)")


@dataclass(frozen=True, slots=True)
class Verbs:
    """A tool's action: while it runs, after it, and when it failed."""

    running: str
    done: str
    failed: str


_VERBS = {
    "Bash": Verbs("Running", "Ran", "Ran"),
    "Edit": Verbs("Editing", "Edited", "Could not edit"),
    "MultiEdit": Verbs("Editing", "Edited", "Could not edit"),
    "NotebookEdit": Verbs("Editing", "Edited", "Could not edit"),
    "Write": Verbs("Writing", "Wrote", "Could not write"),
    "Read": Verbs("Reading", "Read", "Could not read"),
    "Grep": Verbs("Searching", "Searched", "Could not search"),
    "Glob": Verbs("Looking for", "Looked for", "Could not look for"),
    "WebFetch": Verbs("Fetching", "Fetched", "Could not fetch"),
    "WebSearch": Verbs("Searching the web for", "Searched the web for", "Could not search the web for"),
    "Agent": Verbs("Delegating", "Delegated", "Could not delegate"),
    "Task": Verbs("Delegating", "Delegated", "Could not delegate"),
}
_CALL = Verbs("Calling", "Called", "Could not call")
_EDITS = {"Edit", "MultiEdit", "NotebookEdit", "Write"}
_PATHS = ("file_path", "notebook_path")
_WORDS = ("url", "query", "description")


def verbs_of(tool: str) -> Verbs:
    return _VERBS.get(tool, _CALL)


def parameter_of(tool: str, arguments: Mapping[str, Any], workspace: str) -> str:
    """What the tool works on, at most `PARAMETER_CHARS`, never empty; commands and patterns as code."""
    return _parameter(tool, arguments, workspace) or tool or "a tool"


def _parameter(tool: str, arguments: Mapping[str, Any], workspace: str) -> str:
    if isinstance(command := arguments.get("command"), str):
        return code(relative(one_line(command), workspace))
    if tool not in _VERBS:
        return _capped(_tool_name(tool), PARAMETER_CHARS)
    if path := _first(arguments, _PATHS):
        return _capped(relative(path, workspace), PARAMETER_CHARS)
    if pattern := _first(arguments, ("pattern",)):
        return code(pattern)
    return _capped(_first(arguments, _WORDS), PARAMETER_CHARS)


def _first(arguments: Mapping[str, Any], names: Iterable[str]) -> str:
    """The first of these arguments that says something, on one line."""
    texts = (one_line(value) for name in names if isinstance(value := arguments.get(name), str))
    return next(filter(None, texts), "")


def result_of(tool: str, content: object, details: object, workspace: str, *, failed: bool) -> str:
    """What came of it, at most about `RESULT_CHARS`: an edit's size, else the end of the output, fenced."""
    if tool in _EDITS and not failed:
        return edit_size(details)
    text = _TOOL_ERROR.sub("", relative(text_of(content), workspace))
    return "no output" if text.strip() in _SILENCE else fenced_tail(text)


def edit_size(details: object) -> str:
    """`(+12 −3)` out of what Edit and Write report beside their text; empty if they do not say."""
    if not isinstance(details, Mapping):
        return ""
    patch = details.get("structuredPatch")
    lines = [
        line
        for hunk in (patch if isinstance(patch, list) else ())
        if isinstance(hunk, Mapping) and isinstance(hunk.get("lines"), list)
        for line in hunk["lines"]
        if isinstance(line, str)
    ]
    added = sum(line.startswith("+") for line in lines)
    removed = sum(line.startswith("-") for line in lines)
    if not lines and isinstance(content := details.get("content"), str):
        added = len(content.splitlines())  # A new file has no patch.
    return f"(+{added} −{removed})" if added or removed else ""


def text_of(content: object) -> str:
    """The text of a tool result: a string, or a list of blocks of which some are text."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else ()
    return "\n".join(
        block["text"] for block in blocks if isinstance(block, Mapping) and isinstance(block.get("text"), str)
    )


def relative(text: str, workspace: str) -> str:
    """`text` with paths inside the workspace made relative to it."""
    root = workspace.rstrip("/")
    if not root:
        return text
    inside = re.sub(rf"{re.escape(root)}/(?=[\w.])", "", text)
    return re.sub(rf"{re.escape(root)}/?(?![\w.-])", ".", inside)


def one_line(text: str) -> str:
    return " ".join(plain(text).split())


def plain(text: str) -> str:
    """Without terminal escapes and control characters; of overwritten lines (`\\r`) the last state stays."""
    lines = _ESCAPES.sub("", text).replace("\r\n", "\n").split("\n")
    return _CONTROL.sub("", "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines))


def code(text: str) -> str:
    """`text` as an inline code span that its own backticks cannot leave, at most `PARAMETER_CHARS`."""
    text = _capped(text, PARAMETER_CHARS - 4)
    if not text:
        return ""
    ticks = "`" * (_longest_ticks(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def fenced_tail(text: str) -> str:
    """The end of `text` in a code fence that its own backticks cannot close; empty for blank text."""
    text = plain(text).strip("\n")
    if not text.strip():
        return ""
    if len(text) > RESULT_CHARS:
        cut = text[-RESULT_CHARS:]
        # Start at a line, unless that would drop most of a single long one.
        head, newline, rest = cut.partition("\n")
        cut = rest if newline and len(head) < RESULT_CHARS // 2 else cut
        text = f"{_CAPPED}\n{cut}"
    fence = "`" * max(3, _longest_ticks(text) + 1)
    return f"{fence}\n{text}\n{fence}"


def _longest_ticks(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)


def _capped(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + _CAPPED


def _tool_name(tool: str) -> str:
    """`mcp__tracker__find_issue` as people would say it."""
    kind, *names = tool.split("__")
    return ": ".join(name.replace("_", " ") for name in names) if kind == "mcp" and names else tool
