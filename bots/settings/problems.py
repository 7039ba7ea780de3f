"""What is wrong with the settings, in words: the key, what it must be, never its value."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

KeyPath = tuple[str | int, ...]


class SettingsError(Exception):
    """What is wrong with the settings: one line for each problem, naming the key and never its value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def did_you_mean(name: str, known: Collection[str], *, prefix: str = "") -> str:
    """The end of a sentence about `name`: empty, or the one of `known` that is close to it.

    A `prefix` that all of them have would make any two look alike, so it does not count.
    """
    bare = [one.removeprefix(prefix) for one in known]
    close = difflib.get_close_matches(name.removeprefix(prefix), bare, n=1, cutoff=0.7)
    return f"; did you mean {prefix}{close[0]}?" if close else ""


def explain(error: ValidationError, known: Collection[str]) -> Iterator[tuple[KeyPath, str]]:
    """Where and what, in words that fit behind the key. Pydantic's own texts would show values."""
    for problem in error.errors(include_url=False, include_input=False):
        path = problem["loc"]
        if problem["type"] == "extra_forbidden":
            yield path, f"is not known{did_you_mean(str(path[-1]), known)}"
        else:
            yield path, _words(problem["type"], problem.get("ctx", {}))


def _words(kind: str, context: Mapping[str, Any]) -> str:
    match kind:
        case "missing":
            return "is missing"
        case "literal_error":
            return f"must be {context['expected']}".replace("'", "")
        case "greater_than":
            return f"must be more than {context['gt']}"
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "value_error":
            return str(context["error"])
        case _:
            return _EXPECTED.get(kind.partition("_")[0], "is not valid")


_EXPECTED = {
    "string": "must be a string",
    "int": "must be a whole number",
    "float": "must be a number",
    "finite": "must be a number",
    "bool": "must be true or false",
    "tuple": "must be a list",
    "model": "must be a table",
    "path": "must be a path",
}
