"""What the model says in the fault tests.

A reply whose tools a crash may cut short is played again when the agent is resumed, as a sensible model would
repeat the call. So everything that such a reply does is safe to repeat: commands that leave the same files
whenever they run, and checklists. Texts, the Write of a new file and the Edit would show twice or fail the
second time: their replies come where no test cuts, followed by a reply that may be cut in their place.
"""

from playground.scripts import Reply, call, run, todo
from playground.shop import FAULT, NEW_TEST, REPAIR

WAIT_FOR_GATE = "until test -e ../../../../gate; do sleep 0.05; done"
"""Lets a test look at a running command: `gate` is in the stage's folder, four levels above a workspace."""

FIRST_STEP, GATED_STEP, AFTER_GATE_STEP, ANSWER_STEP = 0, 4, 5, 6

SEARCH: list[Reply] = [
    {
        "think": "The toggle has to reach the filter.",
        "text": "I'll write a failing test first.",
        "tools": [todo(0), call("Read", file_path="search/issue_search.py")],
    },
    {"tools": [call("Write", file_path="tests/test_archived.py", content=NEW_TEST)]},
    {"tools": [call("Edit", file_path="search/issue_search.py", old_string=FAULT, new_string=REPAIR)]},
    {"tools": [todo(2)]},
    {"tools": [run(f"{WAIT_FOR_GATE}; python3 -m unittest -q 2>&1 | tail -n 1 | tee result.txt")]},
    {"tools": [todo(3)]},
    {
        "text": "Fixed. Search now keeps archived projects when the toggle is on; without it, nothing "
        "changes. One test added, all pass.",
        "chunk_delay": 0.01,
    },
]

CHANGELOG: list[Reply] = [
    {"tools": [run("printf '%s\\n' '# Changelog' '' '- Search finds archived projects.' > CHANGELOG.md")]},
    {"text": "The changelog now has a line about archived projects."},
]

SCRIPTS = [
    {"match": "changelog", "steps": CHANGELOG},
    {"match": "archived projects", "steps": SEARCH},
]
