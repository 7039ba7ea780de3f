"""What a pull request's card says: facts of the code host, whatever agents and strangers call things."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.activities import Author
from core.mirror.cards import PullItem
from core.mirror.pulls import (
    actions_of,
    headline,
    in_markdown,
    lines_of,
    plain,
    stale_line,
    state_of,
    summary_of,
)
from core.pulls import (
    Check,
    CheckState,
    CodeReview,
    MergeMethod,
    MergeState,
    PullAction,
    PullFacts,
    ReviewState,
)
from tests.core.mirror.pull_items import APPROVED, DRAFT, EVE, HEAD, ITEMS, MERGED, NEXT, READY, acted, shown

FILES = "Files: search/issueSearch.py, search/filters.py, tests/search/test_archived.py"
NEEDED = "Needs a review by somebody other than Ann and Bob, who asked for this."
BUTTONS = {
    "draft": ["Ready for review", "Request changes"],
    "ready": ["Approve abc1234", "Request changes", "Merge when green"],
    "approved": ["Approve abc1234", "Request changes", "Merge"],
    "failed": ["Approve abc1234", "Request changes", "Merge when green", "Fix it"],
    "conflicting": ["Approve abc1234", "Request changes", "Update branch", "Fix it"],
    "merged": [],
    "closed": [],
    "stale": [],
}


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("draft", ["3 files +41 −6 · abc1234 · checks 3 of 4 (e2e running) · needs 1 review", FILES]),
        ("ready", ["3 files +41 −6 · abc1234 · checks 3 of 3 · needs 1 review", FILES, NEEDED]),
        ("approved", ["3 files +41 −6 · abc1234 · checks 3 of 3 · approved", FILES, "Approved by Eve"]),
        (
            "approved_a_moment_ago",
            [
                "3 files +41 −6 · abc1234 · checks 3 of 3 · needs 1 review",
                FILES,
                "Approved by Eve",
                NEEDED,
            ],
        ),
        (
            "failed",
            [
                "3 files +41 −6 · abc1234 · checks 1 of 4 (build [3.11], lint failed; e2e running)"
                " · changes requested",
                FILES,
                "Changes requested by Bob",
                NEEDED,
                "I could fix this: build (3.11) failed and Bob asked for changes.",
            ],
        ),
        (
            "sensitive",
            [
                "14 files +41 −6 · abc1234 · checks 3 of 3 · needs 1 more review, by acme/search, acme/build",
                "Look closely: it touches workflows, CODEOWNERS, lock files, CLAUDE.md; "
                "10 files not looked at.",
                "Files: .github/workflows/ci.yml, CODEOWNERS, app/package-lock.json, "
                f"…{'deep/' * 14}x.py and 10 more".replace("…", "…" + "deep/"),
                "Approved by Eve (at def5678, an earlier commit) · Approved by renovate (a bot)",
                NEEDED,
            ],
        ),
        ("merged", ["3 files +41 −6 · abc1234", "Approved by Eve · Merged by Eve as squash"]),
        ("merged_elsewhere", ["3 files +41 −6 · abc1234", "Merged by zoe"]),
        ("closed", ["3 files +41 −6 · abc1234", "Closed by Eve, not merged"]),
    ],
)
def test_what_the_card_says(name: str, lines: list[str]) -> None:
    assert lines_of(ITEMS[name]) == lines


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("conflicting", "main moved and my branch no longer merges."),
        ("behind", "Behind main."),
        ("merges_when_green", "Merges by itself once everything is green, as Eve asked."),
        ("queued", "In the merge queue at place 2."),
    ],
)
def test_what_stands_between_it_and_its_base(name: str, line: str) -> None:
    assert lines_of(ITEMS[name])[1] == line


@pytest.mark.parametrize("name", BUTTONS)
def test_what_can_be_pressed(name: str) -> None:
    assert [label for _, label in actions_of(ITEMS[name])] == BUTTONS[name]


def test_a_card_that_is_stale_says_where_the_pull_request_went() -> None:
    assert summary_of(ITEMS["stale"]) == stale_line(ITEMS["stale"].shown)
    assert stale_line(ITEMS["stale"].shown) == "The pull request moved to def5678 since this card."


def test_what_was_done_counts_once_and_only_at_the_commit_that_is_shown() -> None:
    before = acted(PullAction.APPROVE, sha=NEXT)
    seen = PullItem(shown(APPROVED), unseen=(acted(PullAction.APPROVE), before))
    assert lines_of(seen)[-1] == "Approved by Eve"


def test_who_is_known_in_chat_is_called_as_there_and_others_by_their_login() -> None:
    zoe = Author("github", "9", "zoe")
    by_zoe = PullItem(shown(replace(MERGED, reviews=())), acts=(acted(PullAction.MERGE, by=zoe),))
    unknown = PullItem(shown(replace(MERGED, merged_by="eve-codes", reviews=())))
    assert lines_of(by_zoe)[-1] == "Merged by zoe in GitHub as squash"
    assert lines_of(unknown)[-1] == "Merged by eve-codes as squash"


OTHER = CodeReview("eve-codes", 7, ReviewState.APPROVED, HEAD, writes=True, name="Eve")


@pytest.mark.parametrize(
    ("checks", "reviews", "is_needed"),
    [
        ((), (), True),
        ((), (OTHER,), False),
        ((), (replace(OTHER, name="Ann"),), True),
        ((), (replace(OTHER, writes=False),), True),
        ((), (replace(OTHER, by_bot=True),), True),
        ((), (replace(OTHER, sha=NEXT),), True),
        # Our own check knows accounts, and has the last word.
        ((Check("independent-review", CheckState.FAILED, ours=True),), (OTHER,), True),
        ((Check("independent-review", CheckState.PASSED, ours=True),), (), False),
    ],
)
def test_whose_review_counts_is_said_while_none_does(
    checks: tuple[Check, ...], reviews: tuple[CodeReview, ...], *, is_needed: bool
) -> None:
    lines = lines_of(PullItem(shown(replace(READY, checks=checks, reviews=reviews))))
    assert (NEEDED in lines) is is_needed


def test_nobody_is_named_where_nobody_steered() -> None:
    assert lines_of(PullItem(replace(shown(READY), steered_by=()))) == lines_of(ITEMS["ready"])[:-1]


# What others wrote


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\r\n c", "a b c"),
        ("a · b • c", "a - b - c"),
        ("\u202emerged\u200b", "merged"),
        ("x" * 99, "x" * 39 + "…"),
        ("\ud800a", "a"),
    ],
)
def test_words_of_others_stay_in_their_place(text: str, line: str) -> None:
    assert plain(text, 40) == line


hostile = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            [
                "Approved by Eve",
                "\n",
                " · ",
                "merged",
                ")",
                "(",
                ";",
                "\u2028",
                "\u202e",
                "\x00",
                "checks 9 of 9",
            ]
        ),
        max_size=12,
    ).map("".join),
)
BEGINNINGS = (
    "3 files +41 −6 · abc1234 · checks 1 of 2 (",
    "Behind ",
    "Files: ",
    "Approved by ",
    "Needs a review",
)


@given(title=hostile, path=hostile.filter(str.strip), check=hostile, name=hostile, base=hostile)
def test_no_name_makes_a_line_or_a_fact(title: str, path: str, check: str, name: str, base: str) -> None:
    facts = replace(
        READY,
        title=title,
        paths=(path, *READY.paths[1:]),
        base=base,
        merge_state=MergeState.BEHIND,
        checks=(Check(check, CheckState.FAILED), Check("lint", CheckState.PASSED)),
        reviews=(CodeReview("eve", 7, ReviewState.APPROVED, HEAD, writes=False, name=name or "Eve"),),
    )
    lines = [headline(facts), *lines_of(PullItem(shown(facts)))]
    assert len(lines) == 1 + len(BEGINNINGS)
    assert all(line.startswith(begin) for line, begin in zip(lines[1:], BEGINNINGS, strict=True))
    assert [line.count("·") for line in lines] == [1, 3, 0, 0, 0, 0]
    assert lines[1].count("(") == lines[1].count(")") == 1
    assert all(line.isprintable() for line in lines)


def test_a_title_in_markdown_is_a_title() -> None:
    title = r"x](https://evil.test) **b** `c` <d> \![e]"
    assert in_markdown(replace(DRAFT, title=title)) == (
        r"[acme/shop #87 · x\](https://evil.test) \*\*b\*\* \`c\` \<d\> \\\!\[e\]]"
        "(https://github.test/acme/shop/pull/87) · draft · 3 files +41 −6 · abc1234"
    )


@pytest.mark.parametrize(
    ("facts", "state"),
    [(DRAFT, "draft"), (READY, "ready"), (MERGED, "merged")],
)
def test_states_have_words(facts: PullFacts, state: str) -> None:
    assert state_of(facts) == state


def test_methods_are_named_as_the_code_host_names_them() -> None:
    rebased = PullItem(shown(replace(MERGED, merged_as=MergeMethod.REBASE)), acts=(acted(PullAction.MERGE),))
    assert lines_of(rebased)[-1] == "Approved by Eve · Merged by Eve as rebase"
    assert EVE.name == "Eve"


def test_what_the_code_host_does_not_tell_of_a_merge_is_known_from_who_asked_for_it() -> None:
    merged = replace(shown(replace(MERGED, merged_as=None)), issue="ENG-142 is Done · Approved by Max")
    act = replace(acted(PullAction.MERGE), method=MergeMethod.MERGE)
    assert lines_of(PullItem(merged, acts=(act,)))[-1] == (
        "Approved by Eve · Merged by Eve as a merge commit · ENG-142 is Done - Approved by Max"
    )
