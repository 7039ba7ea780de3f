"""Tool calls in a few words."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.runner.summaries import (
    PARAMETER_CHARS,
    RESULT_CHARS,
    code,
    edit_size,
    fenced_tail,
    one_line,
    parameter_of,
    plain,
    relative,
    result_of,
)


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("Bash", {"command": "cd /ws && pytest /ws/tests"}, "`cd . && pytest tests`"),
        ("Bash", {"command": "echo `date`\nls"}, "``echo `date` ls``"),
        ("Bash", {"command": "`date`"}, "`` `date` ``"),
        ("Edit", {"file_path": "/ws/src/a.py"}, "src/a.py"),
        ("Edit", {"file_path": "/etc/hosts"}, "/etc/hosts"),
        ("Write", {"file_path": "/ws"}, "."),
        ("Grep", {"pattern": "def .*", "path": "/ws"}, "`def .*`"),
        ("WebSearch", {"query": "a  b"}, "a b"),
        ("Agent", {"description": "Look around", "prompt": "long"}, "Look around"),
        ("mcp__linear__create_issue", {"title": "x"}, "linear: create issue"),
        ("Read", {}, "Read"),
        ("Read", {"file_path": 3}, "Read"),
        ("Bash", {"command": ""}, "Bash"),
    ],
)
def test_the_parameter_says_what_it_works_on(tool: str, arguments: dict[str, Any], expected: str) -> None:
    assert parameter_of(tool, arguments, "/ws") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/ws/a and /ws/b", "a and b"),
        ("/ws", "."),
        ("/ws/", "."),
        ("in /ws: x", "in .: x"),
        ("/ws2/a /ws-old", "/ws2/a /ws-old"),
        ('"/ws/a"', '"a"'),
    ],
)
def test_paths_inside_the_workspace_are_relative(text: str, expected: str) -> None:
    assert relative(text, "/ws") == expected


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"structuredPatch": [{"lines": ["-a", "+b", "+c"]}]}, "(+2 −1)"),
        ({"structuredPatch": [], "content": "a\nb\n"}, "(+2 −0)"),
        ({"structuredPatch": []}, ""),
        ({"structuredPatch": [{"lines": None}, 3]}, ""),
        ("Error: x", ""),
        (None, ""),
    ],
)
def test_an_edit_says_its_size(details: object, expected: str) -> None:
    assert edit_size(details) == expected


def test_a_silent_command_says_so() -> None:
    assert result_of("Bash", "(Bash completed with no output)", None, "/ws", failed=False) == "no output"


def test_of_a_long_output_the_end_is_shown_from_a_whole_line_on() -> None:
    text = "\n".join(f"line {n}" for n in range(1_000))
    shown = fenced_tail(text)
    assert shown.startswith("```\n…\nline ")
    assert shown.endswith("\nline 999\n```")
    assert len(shown) <= RESULT_CHARS + 10


def test_output_is_shown_as_a_terminal_would() -> None:
    assert plain("\x1b[31mred\x1b[0m\r\n10 %\r100 %\x07\x00") == "red\n100 %"
    assert plain("\x1b]0;title\x07x") == "x"


@given(st.text(alphabet="`a\n ~\r", max_size=60))
def test_no_output_leaves_its_fence(text: str) -> None:
    shown = fenced_tail(text)
    if shown:
        first, *inside, last = shown.split("\n")
        assert first == last
        assert not any(line.lstrip().startswith(first) for line in inside)


@given(st.text(max_size=500))
def test_a_code_span_is_one_line_that_its_content_cannot_leave(text: str) -> None:
    shown = code(one_line(text))
    assert len(shown) <= PARAMETER_CHARS + 2 * (len(max(re.findall("`+", text), key=len, default="")) + 1)
    if shown:
        ticks = len(shown) - len(shown.lstrip("`"))
        runs = [len(run) for run in re.findall("`+", shown)]
        assert runs.count(ticks) == 2
        assert "\n" not in shown
