import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.commands import (
    Act,
    Aside,
    Command,
    Follow,
    Help,
    Link,
    New,
    Status,
    Stop,
    Unlink,
    Why,
    command_of,
    wants_plan,
    without_plan,
)
from core.pulls import PullAction

SHA = "0123456789abcdef0123456789abcdef01234567"


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


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("approve", Act(PullAction.APPROVE)),
        ("Approve!", Act(PullAction.APPROVE)),
        ("approve abc1234", Act(PullAction.APPROVE, sha="abc1234")),
        (f"approve {SHA.upper()}.", Act(PullAction.APPROVE, sha=SHA)),
        ("ready", Act(PullAction.READY)),
        ("Ready for review.", Act(PullAction.READY)),
        ("mark it as ready", Act(PullAction.READY)),
        ("merge", Act(PullAction.MERGE)),
        ("merge abc1234", Act(PullAction.MERGE, sha="abc1234")),
        ("merge when green", Act(PullAction.MERGE_WHEN_GREEN)),
        ("merge when green abc1234", Act(PullAction.MERGE_WHEN_GREEN, sha="abc1234")),
        ("auto-merge", Act(PullAction.MERGE_WHEN_GREEN)),
        ("update branch", Act(PullAction.UPDATE_BRANCH)),
        ("Update the branch", Act(PullAction.UPDATE_BRANCH)),
        ("close pr", Act(PullAction.CLOSE)),
        ("close the pull request abc1234", Act(PullAction.CLOSE, sha="abc1234")),
        ("fix it", Act(PullAction.FIX)),
        ("fix the checks", Act(PullAction.FIX)),
        ("request changes: rename it", Act(PullAction.REQUEST_CHANGES, text="rename it")),
        (
            "Request changes:\n\nrename it\nand test it\n",
            Act(PullAction.REQUEST_CHANGES, text="rename it\nand test it"),
        ),
        ("comment: nice", Act(PullAction.COMMENT, text="nice")),
        ("comment: merge", Act(PullAction.COMMENT, text="merge")),
        ("link github", Link("GitHub")),
        ("link my GitHub account", Link("GitHub")),
        ("unlink github", Unlink("GitHub")),
        ("link", Link()),
        ("unlink", Unlink()),
    ],
)
def test_a_pull_request_is_acted_on_by_exact_words(text: str, act: Command) -> None:
    assert command_of(text) == act


@pytest.mark.parametrize(
    "text",
    [
        "lgtm",
        "lgtm, merge it",
        "approved",
        "I approve",
        "approve of the plan",
        "approve it and merge",
        "approve?",
        "approve abc123",
        "approve abc1234 please",
        "please approve",
        "merge it",
        "merge?",
        "merge abc1234 def5678",
        f"merge {SHA}0",
        "merge the two lists",
        "merge when the button is green",
        "don't merge",
        "ready when you are",
        "ready?",
        "update the branch name",
        "close the file",
        "close it",
        "fix it properly",
        "fix the build script",
        "request changes",
        "request changes:",
        "requests change: often",
        "comment:  ",
        "comment the code",
        "comments: none",
        "link github issues to the pull request",
        "👍",
        ":shipit:",
        "merge\nabc1234 was the wrong one",
    ],
)
def test_what_merely_sounds_like_it_acts_on_nothing(text: str) -> None:
    assert command_of(text) is None


@given(
    st.sampled_from(["approve", "merge", "merge when green", "close pr"]), st.text("0123456789abcdefABCDEF")
)
def test_a_commit_is_named_by_seven_characters_or_more(word: str, sha: str) -> None:
    command = command_of(f"{word} {sha}")
    if 7 <= len(sha) <= 40:
        assert isinstance(command, Act)
        assert command.sha == sha.lower()
    else:
        assert command is None or sha == ""


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
