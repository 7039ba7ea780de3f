import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.commands import (
    Aside,
    Command,
    Follow,
    Help,
    New,
    Status,
    Stop,
    Why,
    command_of,
    wants_plan,
    without_plan,
)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("stop", Stop()),
        ("Please stop it now!", Stop()),
        ("cancel", Stop()),
        ("status", Status()),
        ("What's the status?", Status()),
        ("how’s it going?", Status()),
        ("why", Why()),
        ("Why is it waiting?", Why()),
        ("what are you waiting for", Why()),
        ("help", Help()),
        ("What can you do?", Help()),
        ("aside: Eve, do you know this part?", Aside()),
        ("(aside) lunch?", Aside()),
        ("!aside\nover two lines", Aside()),
        ("follow ENG-12", Follow("ENG-12")),
        ("follow eng-12.", Follow("ENG-12")),
        ("follow https://linear.app/acme/issue/ENG-12/search-is-slow", Follow("ENG-12")),
        ("new: make the export faster", New("make the export faster")),
        ("new session, make the export faster", New("make the export faster")),
    ],
)
def test_words_for_us_are_understood(text: str, command: Command) -> None:
    assert command_of(text) == command


@pytest.mark.parametrize(
    "text",
    [
        "stop using tabs in this file",
        "why does the test fail on Tuesdays?",
        "help the user when the search is empty",
        "status codes are wrong in the API",
        "asides in the docs are ugly",
        "follow the style of the other module",
        "newlines are lost",
        "new",
        "don't touch ranking",
        "",
    ],
)
def test_anything_else_is_for_the_agent(text: str) -> None:
    assert command_of(text) is None


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    assert command_of(text) == command_of(f"  {text}\n")


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("plan first: rename the toggle", "rename the toggle"),
        ("Plan first, then rename the toggle", "then rename the toggle"),
        ("rename the toggle, plan first", "rename the toggle"),
        ("rename the toggle and make a plan first", "rename the toggle"),
        ("please plan it first", ""),
        ("rename the toggle. Show me a plan first.", "rename the toggle"),
        ("plan first rename the toggle", "rename the toggle"),
        ("let's plan first", ""),
        ("rename the toggle, I want a plan first", "rename the toggle"),
        ("rename the toggle; I'd like to see a plan first", "rename the toggle"),
        ("write a plan first, then rename the toggle", "then rename the toggle"),
        ("first make a plan: rename the toggle", "rename the toggle"),
        ("first plan, then rename the toggle", "then rename the toggle"),
        ("start with a plan", ""),
    ],
)
def test_a_plan_is_asked_for_in_many_ways(text: str, rest: str) -> None:
    assert wants_plan(text)
    assert without_plan(text) == rest


@pytest.mark.parametrize(
    "text",
    [
        "the plan first column is empty",
        "plan the first release",
        "planfirst",
        "show plans first",
        "Please plan first release notes",
        "fix the bug: plan first column is empty",
        "first planet from the sun",
        "",
    ],
)
def test_other_plans_are_not_meant(text: str) -> None:
    assert not wants_plan(text)
    assert without_plan(text) == text
