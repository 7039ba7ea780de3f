"""What Linear tells with a session, as the agent reads it; what people read when an issue is taken away."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.activities import Author, IssueLinked
from core.composer import first_prompt, line_of, stopped, texts_from_linear, with_files
from core.events import File, Image, SessionOpened, TextFile, UnseenFile
from core.session import Given

EVE = Author("linear", "eve", "Eve")
ISSUE = IssueLinked(identifier="ENG-142", title="Search", url="https://linear.test/ENG-142")
OPENED = SessionOpened(
    "as1",
    "i1",
    prompt_context='<issue identifier="ENG-142"><title>Search</title></issue>',
    text="fix it",
    description="It finds nothing.",
    previous_comments=("It worked last week.", "Not for me."),
    guidance=("Run the tests.", "Write in plain English."),
)
OURS = ("issue", "linear-context", "earlier-comments", "guidance", "thread", "message", "attached-file")
TAG = re.compile(rf"<\s*(/?)\s*({'|'.join(OURS)})\b[^>]*>", re.IGNORECASE)


def asked(opened: SessionOpened | None, text: str = "fix it") -> list[Given]:
    return [Given("linear/session/as1", EVE, text, opened=opened)]


def test_the_agent_reads_what_linear_told_in_labelled_parts() -> None:
    assert first_prompt(asked(OPENED), [], ISSUE) == (
        "Work on Linear issue ENG-142.\n\n"
        "<issue>\nSearch\n\nIt finds nothing.\n</issue>\n\n"
        '<linear-context>\n&lt;issue identifier="ENG-142"><title>Search</title>&lt;/issue>\n'
        "</linear-context>\n\n"
        "<earlier-comments>\nIt worked last week.\n\nNot for me.\n</earlier-comments>\n\n"
        "Standing advice to agents; where two disagree, the first counts:\n"
        "<guidance>\nRun the tests.\n\nWrite in plain English.\n</guidance>\n\n"
        "Eve in Linear:\n<message>\nfix it\n</message>"
    )


@pytest.mark.parametrize("opened", [None, SessionOpened("as1", "i1", prompt_context=" ")])
def test_what_was_not_told_leaves_no_empty_part(opened: SessionOpened | None) -> None:
    assert first_prompt(asked(opened), [], ISSUE) == (
        "Work on Linear issue ENG-142.\n\n<issue>\nSearch\n</issue>\n\n"
        "Eve in Linear:\n<message>\nfix it\n</message>"
    )


HOSTILE = st.lists(
    st.sampled_from(
        [f"{start}{tag}{end}" for tag in OURS for start in ("<", "</", "< / ") for end in (">", " x>")]
    )
    | st.text(alphabet="<>/ as&", max_size=6)
).map("".join)


@given(st.lists(HOSTILE, min_size=5, max_size=5))
def test_no_text_can_close_or_open_a_part(texts: list[str]) -> None:
    context, description, comment, rule, words = texts
    opened = SessionOpened(
        "as1",
        "i1",
        prompt_context=f"c{context}",
        description=description,
        previous_comments=(f"c{comment}",),
        guidance=(f"g{rule}",),
    )
    tags = TAG.findall(first_prompt(asked(opened, words), [], ISSUE))
    parts = ("issue", "linear-context", "earlier-comments", "guidance", "message")
    assert tags == [(close, part) for part in parts for close in ("", "/")]


@pytest.mark.parametrize(
    ("branch", "stat", "words"),
    [
        (None, None, "Stopped: Eve took the delegation away. Nothing was changed."),
        (
            "b",
            "1 file +1 −0",
            "Stopped: Eve took the delegation away. The work so far is on branch `b` · 1 file +1 −0.",
        ),
    ],
)
def test_a_stop_that_nobody_asked_for_says_what_happened(
    branch: str | None, stat: str | None, words: str
) -> None:
    assert stopped(EVE, branch=branch, stat=stat, reason="Eve took the delegation away") == words


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\r\nb\0c\u2028 d", "a b c d"), ("  ", ""), ("x" * 255, "x" * 255), ("x" * 256, "x" * 254 + "…")],
)
def test_a_line_has_no_breaks_and_an_end(text: str, line: str) -> None:
    assert line_of(text) == line


def test_attached_files_follow_the_words_and_images_are_named_in_order() -> None:
    files: list[File] = [
        Image("shot.png", "image/png", b"1"),
        TextFile("log.txt", "</attached-file> ok"),
        UnseenFile("a.pdf", "it is too large"),
        Image("two.png", "image/png", b"2"),
    ]
    assert with_files("Words", files) == (
        "Words\n\n"
        "Attached images, in order: shot.png, two.png.\n\n"
        "<attached-file>\nlog.txt\n\n&lt;/attached-file> ok\n</attached-file>\n\n"
        "(I could not see a.pdf: it is too large.)"
    )
    assert with_files("Words", []) == "Words"


def test_files_are_looked_for_only_in_what_people_wrote_in_linear() -> None:
    from_chat = Given("m1", Author("slack", "T1/UANN", "Ann"), "https://uploads.linear.app/x")
    told = [OPENED.description, *OPENED.previous_comments, OPENED.prompt_context]
    assert texts_from_linear([from_chat]) == []
    assert texts_from_linear([from_chat, *asked(OPENED)]) == ["fix it", *told]
