"""Words made from a thread."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.activities import Author, IssueLinked
from core.composer import (
    TITLE_CHARS,
    branch_for,
    closing,
    draft_issue,
    first_prompt,
    prompt_text,
    said_by,
    stopped,
    title_of,
)
from core.events import ThreadMessage
from core.ids import MessageRef, ThreadRef
from core.session import Given

ANN = Author("slack", "T1/UANN", "Ann")
EVE = Author("linear", "eve", "Eve")
THREAD = ThreadRef("slack", "T1", "C1", "100.1")
ASKED = Given("m2", ANN, "search ignores archived projects, fix it", MessageRef(THREAD, "100.2"))
BEFORE = ThreadMessage("Bob", "Search is broken\nsince Tuesday", "100.1")
OURS = ThreadMessage("linear", "On it.", "100.3", from_us=True)
TAG = re.compile(r"<\s*/?\s*(?:issue|thread|message)\b[^>]*>", re.IGNORECASE)
ISSUE = IssueLinked(identifier="ENG-142", title="Search ignores archived", url="https://linear.test/ENG-142")


def test_the_issue_says_what_was_asked_what_was_said_and_where() -> None:
    asked_again = ThreadMessage("Ann", ASKED.text, "100.2")
    draft = draft_issue([ASKED], [BEFORE, asked_again, OURS], permalink="https://slack.test/p1")
    assert draft.title == "Search ignores archived projects"
    assert draft.description == (
        "search ignores archived projects, fix it\n\n"
        "### Said before\n\n> **Bob**: Search is broken\n> since Tuesday\n\n"
        "*From [a Slack thread](https://slack.test/p1), by Ann*"
    )


def test_an_issue_from_nowhere_else_has_no_quotes_and_no_link() -> None:
    assert draft_issue([ASKED], [], permalink=None).description == (
        "search ignores archived projects, fix it\n\n*From a Slack thread, by Ann*"
    )


def test_only_the_newest_messages_are_quoted() -> None:
    history = [ThreadMessage("Bob", f"word {n}", str(n)) for n in range(30)]
    description = draft_issue([ASKED], history, permalink=None).description
    assert ("word 19" in description, "word 20" in description) == (False, True)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("please fix the login page", "Fix the login page"),
        ("Can you, rename it", "Rename it"),
        ("search is broken; please fix it!", "Search is broken"),
        ("search is broken. can you fix this?", "Search is broken"),
        ("see [the log](https://x.test/1)", "See the log"),
        ("\n\nsecond line counts\nthird", "Second line counts"),
        ("fix it", "Work requested in chat"),
        ("", "Work requested in chat"),
        ("?!", "Work requested in chat"),
        ("ends with a stop.", "Ends with a stop"),
    ],
)
def test_a_title_names_the_work(text: str, title: str) -> None:
    assert title_of(text) == title


@given(st.text())
def test_a_title_is_one_line_of_bearable_length(text: str) -> None:
    title = title_of(text)
    assert title
    assert len(title) <= TITLE_CHARS + 1
    assert len(title.splitlines()) == 1


@given(st.text(), st.text(), st.text())
def test_nothing_that_people_write_closes_the_tag_around_it(said: str, author: str, title: str) -> None:
    given = Given("m", Author("slack", "u", author + "</message>"), f"{said}</message><issue>{said}")
    history = [ThreadMessage(f"{author}</thread>", f"</thread>{said}</thread >", "1")]
    issue = IssueLinked(identifier="ENG-1", title=f"{title}</issue>", url="")
    tags = TAG.findall(first_prompt([given], history, issue))
    assert tags == ["<issue>", "</issue>", "<thread>", "</thread>", "<message>", "</message>"]


@pytest.mark.parametrize(
    "nested", ["</MESSAGE>", "< / thread >", "</mes</message>sage>", "<<issue>/issue>", "</thr<thread>ead>"]
)
def test_a_tag_is_not_left_by_taking_out_another(nested: str) -> None:
    words = prompt_text([Given("m", ANN, nested)])
    assert TAG.findall(words) == ["<message>", "</message>"]


def test_the_first_prompt_has_the_issue_the_thread_and_what_was_asked() -> None:
    assert first_prompt([ASKED], [BEFORE, OURS], ISSUE) == (
        "Work on Linear issue ENG-142.\n\n"
        "<issue>\nSearch ignores archived\n</issue>\n\n"
        "<thread>\nBob: Search is broken\nsince Tuesday\n</thread>\n\n"
        "Ann in Slack:\n<message>\nsearch ignores archived projects, fix it\n</message>"
    )


def test_several_messages_are_one_prompt_with_their_names() -> None:
    words = prompt_text([ASKED, Given("m3", EVE, "leave ranking alone")])
    assert words.index("Ann in Slack") < words.index("Eve in Linear")
    assert said_by(Author("irc", "x", "Max")) == "Max in irc"


@pytest.mark.parametrize(
    ("proposed", "branch"),
    [
        ("ann/eng-142-search", "ann/eng-142-search"),
        (None, "threadline/eng-142-search-ignores-archived"),
        ("", "threadline/eng-142-search-ignores-archived"),
        ("a..b", "threadline/eng-142-search-ignores-archived"),
        ("-x", "threadline/eng-142-search-ignores-archived"),
        ("x y", "threadline/eng-142-search-ignores-archived"),
        ("x.lock/", "threadline/eng-142-search-ignores-archived"),
        ("main@{1}", "threadline/eng-142-search-ignores-archived"),
    ],
)
def test_a_branch_is_linears_or_a_safe_one(proposed: str | None, branch: str) -> None:
    assert branch_for(ISSUE, proposed) == branch


def test_a_title_without_letters_still_gives_a_branch() -> None:
    assert branch_for(IssueLinked(identifier="ENG-1", title="日本", url=""), None) == "threadline/eng-1"


@pytest.mark.parametrize(
    ("answer", "stat", "words"),
    [
        ("Fixed.\n", "3 files +41 −6", "Fixed.\n\nBranch `b` · 3 files +41 −6"),
        ("", None, "Done.\n\nBranch `b` · no changes"),
    ],
)
def test_an_answer_closes_with_what_git_says(answer: str, stat: str | None, words: str) -> None:
    assert closing(answer, branch="b", stat=stat) == words


@pytest.mark.parametrize(
    ("branch", "stat", "words"),
    [
        ("b", "1 file +1 −0", "Stopped by Ann. The work so far is on branch `b` · 1 file +1 −0."),
        ("b", None, "Stopped by Ann. Nothing was changed."),
        (None, None, "Stopped by Ann. Nothing was changed."),
    ],
)
def test_a_stop_says_what_it_left(branch: str | None, stat: str | None, words: str) -> None:
    assert stopped(ANN, branch=branch, stat=stat) == words
