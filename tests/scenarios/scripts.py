"""What the model says in the scenarios, in few words."""

from collections.abc import Sequence

from playground.scripts import Reply, call, run, todo
from playground.shop import FAULT, NEW_TEST, REPAIR

Script = dict[str, object]

# The last line only: how tracebacks look depends on the version of Python.
TESTS = "python3 -m unittest -q 2>&1 | tail -n 1"
FIXED = "Search now keeps archived projects when the toggle is on. One test added, all pass."

SEARCH: list[Reply] = [
    {
        "think": "The toggle has to reach the filter.",
        "text": "I'll write a failing test first.",
        "tools": [todo(0), call("Read", file_path="search/issue_search.py")],
    },
    {"tools": [call("Write", file_path="tests/test_archived.py", content=NEW_TEST), run(TESTS)]},
    {
        "text": "The test fails as reported.",
        "tools": [
            todo(1),
            call("Edit", file_path="search/issue_search.py", old_string=FAULT, new_string=REPAIR),
        ],
        "hold": "fix",
    },
    {"tools": [todo(2), run(TESTS)]},
    {"tools": [todo(3)]},
    {"text": FIXED, "if_told": {"ranking": ({"text": f"{FIXED} Ranking is untouched, as Bob asked."},)}},
]

CHANGELOG: list[Reply] = [
    {"tools": [call("Write", file_path="CHANGELOG.md", content="# Changelog\n\n- Search finds more.\n")]},
    {"text": "The changelog has a line more."},
]


def script(*steps: Reply, match: str = ".") -> Script:
    """Steps for every prompt that `match` is found in; by default for all."""
    return {"match": match, "steps": steps}


def question(text: str, *options: str) -> list[object]:
    """A call that asks people."""
    return ["AskUserQuestion", {"questions": [_asked(text, options)]}]


def questions(*asked: tuple[str, tuple[str, ...]]) -> list[object]:
    """A call that asks several things; of the last one's options several may be chosen."""
    every = [_asked(text, options) for text, options in asked]
    every[-1]["multiSelect"] = True
    return ["AskUserQuestion", {"questions": every}]


def _asked(text: str, options: Sequence[str]) -> dict[str, object]:
    choices = [{"label": label, "description": ""} for label in options]
    return {"question": text, "header": "Choice", "multiSelect": False, "options": choices}


def plan(text: str) -> tuple[Reply, Reply]:
    """Drafts a plan and shows it to people."""
    draft = ["Write", {"file_path": "{{PLANFILE}}", "content": text}]
    return {"tools": [draft]}, {"tools": [["ExitPlanMode", {}]]}
