"""What the stand-in for the model says in the demo and in the tests of the whole loop."""

from typing import Any

from playground.shop import FAULT, NEW_TEST, REPAIR

Reply = dict[str, Any]

TESTS = "python3 -m unittest -q"
STEPS = ("Reproduce with a failing test", "Respect include_archived in search", "Run the search tests")


def todo(done: int, *, doing: bool = True) -> list[Any]:
    """A TodoWrite call: the first `done` steps are completed, the next one is in progress."""

    def status(step: int) -> str:
        return "completed" if step < done else "in_progress" if doing and step == done else "pending"

    todos = [{"content": text, "status": status(step), "activeForm": text} for step, text in enumerate(STEPS)]
    return ["TodoWrite", {"todos": todos}]


def call(tool: str, **arguments: Any) -> list[Any]:
    """A tool call; paths are below the workspace."""
    for name in ("file_path", "path"):
        if name in arguments:
            arguments[name] = "{{WORKSPACE}}/" + arguments[name]
    return [tool, arguments]


def run(command: str) -> list[Any]:
    """A Bash call."""
    return ["Bash", {"command": command, "description": command}]


SEARCH: list[Reply] = [
    {
        "think": "The toggle has to reach the filter. First a test that shows the fault.",
        "text": "I'll write a failing test first.",
        "tools": [todo(0), call("Read", file_path="search/issue_search.py")],
    },
    {"tools": [call("Write", file_path="tests/test_archived.py", content=NEW_TEST), run(TESTS)]},
    {
        "text": "The test fails as reported: the filter drops archived projects without asking.",
        "tools": [
            todo(1),
            call("Edit", file_path="search/issue_search.py", old_string=FAULT, new_string=REPAIR),
        ],
        "hold": "fix",
    },
    {"tools": [todo(2), run(TESTS)]},
    {"tools": [todo(3)]},
    {
        "text": "Fixed. Search now keeps archived projects when the toggle is on; without it, nothing "
        "changes. One test added, all pass. One thing to look at: results are ordered by length of the name.",
        "if_told": {
            "ranking": (
                {
                    "text": "Fixed. Search now keeps archived projects when the toggle is on; ranking is "
                    "untouched, as Bob asked. One test added, all pass.",
                },
            )
        },
    },
]

CHANGELOG: list[Reply] = [
    {
        "tools": [
            call(
                "Write",
                file_path="CHANGELOG.md",
                content="# Changelog\n\n- Search finds archived projects.\n",
            )
        ]
    },
    {"text": "The changelog now has a line about archived projects."},
]

EXPORT: list[Reply] = [
    {
        "text": "I'll measure the export first.",
        "tools": [run("python3 -c 'import time; print(\"measuring\", flush=True); time.sleep(600)'")],
    },
    {"text": "The export is fast enough."},
]

DEMO = [
    {"match": "changelog", "steps": CHANGELOG},
    {"match": "nightly export", "steps": EXPORT},
    {"match": "archived projects", "steps": SEARCH},
]
