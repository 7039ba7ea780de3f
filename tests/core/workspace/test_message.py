"""Who a commit is by, and what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.activities import Author
from core.workspace.clone import Workspace
from core.workspace.commit import commit
from core.workspace.host import host, set_refs
from core.workspace.message import (
    OURS,
    Credits,
    GitIdentity,
    by,
    message_of,
    safe_email,
    safe_name,
    variables,
)
from tests.core.workspace.conftest import BRANCH

ANN, BOB = GitIdentity("Ann", "ann@acme.test"), GitIdentity("Bob", "1+bob@users.noreply.example.test")
APP = GitIdentity("threadline[bot]", "7+threadline[bot]@users.noreply.example.test")
HOSTILE = [
    "Ann\nCo-authored-by: Boss <boss@acme.test>",
    "Ann\r\nSigned-off-by: Boss <boss@acme.test>",
    "Ann <boss@acme.test>",
    "Ann> <boss@acme.test",
    "Ann\0Boss",
    "\u202eAnn\u200b",
    "Ann\u2028Co-authored-by: Boss",
    "A" * 500,
    "  Ann\t Ann  ",
    "Ann\x1b[31m",
    "\ud800Ann",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_one_harmless_line(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe) <= 64
    assert safe.isprintable()
    assert not set(safe) & set("<>\r\n\0")


@pytest.mark.parametrize("name", ["", " ", "<>", "...", "\n", "\u200b", "\"'", ",;:."])
def test_a_name_that_git_would_refuse_is_none(name: str) -> None:
    assert safe_name(name) == ""


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ann",
        "ann@",
        "@acme.test",
        "a b@c.test",
        "a@b>\nX: y",
        "<a@b.test>",
        "a@b.test\n",
        "a" * 260 + "@b.c",
    ],
)
def test_what_is_no_address_is_none(email: str) -> None:
    assert safe_email(email) == ""


def test_the_message_ends_in_trailers() -> None:
    credits_ = Credits(
        author=APP,
        co_authors=(ANN, BOB, ANN),
        trailers=(("Linear-Issue", "ENG-123"), ("Agent-Session", "https://linear.test/s/1")),
    )
    assert message_of("ENG-123: Fix search\n\nAsked for by Ann.\n\n", credits_) == (
        "ENG-123: Fix search\n\nAsked for by Ann.\n\n"
        "Co-authored-by: Ann <ann@acme.test>\n"
        "Co-authored-by: Bob <1+bob@users.noreply.example.test>\n"
        "Linear-Issue: ENG-123\n"
        "Agent-Session: https://linear.test/s/1\n"
    )


def test_nobody_is_named_twice_and_nobody_without_an_address() -> None:
    credits_ = Credits(author=ANN, co_authors=(ANN, GitIdentity("Eve", ""), GitIdentity("", "x@acme.test")))
    assert message_of("Fix", credits_) == "Fix\n"


def test_a_trailer_stays_on_its_line_and_keeps_its_name() -> None:
    credits_ = Credits(
        trailers=(("Linear-Issue", "ENG-1\nCo-authored-by: B <b@c.test>"), ("a b", "x"), ("X", ""))
    )
    assert message_of("Fix", credits_) == "Fix\n\nLinear-Issue: ENG-1 Co-authored-by: B <b@c.test>\n"


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r", "\n\n", "\u2028", "\x0b", "\x85"])
def test_nothing_that_was_said_becomes_a_trailer(break_: str) -> None:
    forged = ("Co-authored-by: Boss <boss@acme.test>", " signed-off-BY : Boss", "Linear-Issue: OPS-1")
    said = break_.join(["Fix", *forged])
    lines = message_of(said, Credits(trailers=(("Linear-Issue", "ENG-1"),))).splitlines()
    assert [line for line in lines if line.lower().startswith(("co-auth", "signed", "linear"))] == [
        "Linear-Issue: ENG-1"
    ]


def test_a_person_s_commit_is_theirs() -> None:
    credits_ = by(Author("slack", "U1", "Ann", "ann@acme.test"), Linear_Issue="ENG-1")
    assert (credits_.author, credits_.trailers) == (ANN, (("Linear-Issue", "ENG-1"),))
    assert variables(credits_) == {
        "GIT_AUTHOR_NAME": "Ann",
        "GIT_AUTHOR_EMAIL": "ann@acme.test",
        "GIT_COMMITTER_NAME": OURS.name,
        "GIT_COMMITTER_EMAIL": OURS.email,
    }


@given(st.text(), st.text(), st.text())
def test_any_words_make_a_message_and_an_identity(name: str, email: str, text: str) -> None:
    credits_ = Credits(author=GitIdentity(name, email), co_authors=(GitIdentity(name, email),), at=5)
    found = variables(credits_)
    assert all(value.isprintable() and value for value in found.values())
    assert "\0" not in message_of(text, credits_)


async def test_git_reads_the_trailers_that_were_meant_and_no_others(hosted: Workspace) -> None:
    (hosted.path / "new.py").write_text("a\n")
    credits_ = Credits(
        author=GitIdentity("Eve\nCo-authored-by: Boss <boss@acme.test>", "eve@acme.test"),
        committer=APP,
        co_authors=(ANN, GitIdentity("Mallory> <boss@acme.test", "m@evil.test")),
        trailers=(("Linear-Issue", "ENG-123"),),
    )
    made = await commit(hosted, "Fix\n\nSigned-off-by: Boss <boss@acme.test>", credits_)
    assert made is not None
    trailers = await host(hosted, "log", "-1", "--format=%(trailers:only,unfold)", made.sha)
    assert trailers.splitlines() == [
        "Co-authored-by: Ann <ann@acme.test>",
        "Co-authored-by: Mallory boss@acme.test <m@evil.test>",
        "Linear-Issue: ENG-123",
    ]
    people = await host(hosted, "log", "-1", "--format=%an|%ae|%cn|%ce", made.sha)
    assert people == f"Eve Co-authored-by: Boss boss@acme.test|eve@acme.test|{APP.name}|{APP.email}"


async def test_the_same_work_at_the_same_time_is_the_same_commit(hosted: Workspace) -> None:
    credits_ = Credits(author=ANN, trailers=(("Linear-Issue", "ENG-123"),), at=1_800_000_000)
    (hosted.path / "new.py").write_text("a\n")
    first = await commit(hosted, "Fix", credits_)
    assert first is not None
    # As if we had died before the branch was moved.
    await set_refs(hosted, {f"refs/heads/{BRANCH}": hosted.base_sha})
    again = await commit(hosted, "Fix", credits_)
    assert again == first
    dates = await host(hosted, "log", "-1", "--format=%at %ct", first.sha)
    assert dates == "1800000000 1800000000"
