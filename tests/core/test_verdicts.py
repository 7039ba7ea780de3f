"""What a look at a pull request says by itself."""

from dataclasses import replace

import pytest

from core.pulls import (
    Check,
    CheckState,
    CodeReview,
    Decision,
    MergeState,
    PullAction,
    PullFacts,
    PullState,
    ReviewState,
    ReviewVerdict,
)
from core.verdicts import (
    NEEDS_OTHERS,
    buttons,
    in_the_way,
    independent,
    is_waited_for,
    listed,
    missing_for_merge,
    offer,
)
from tests.core.pull_looks import AUTHOR, FACTS, GREEN, INDEPENDENT, OLD, PERSON, RED, review

ALONE = "Needs one person who did not steer this"


@pytest.mark.parametrize(
    ("reviews", "passed"),
    [
        ([], None),
        ([review(PERSON)], False),
        ([review(AUTHOR)], False),
        ([review(INDEPENDENT)], True),
        ([review(PERSON), review(INDEPENDENT)], True),
        ([review(INDEPENDENT, sha=OLD)], None),
        ([review(PERSON), review(INDEPENDENT, sha=OLD)], False),
        ([review(INDEPENDENT, writes=False)], None),
        ([review(INDEPENDENT, by_bot=True)], None),
        ([review(INDEPENDENT, ReviewState.COMMENTED)], None),
        ([review(INDEPENDENT, ReviewState.CHANGES_REQUESTED)], None),
    ],
)
def test_our_own_check_wants_one_person_who_did_not_steer(
    reviews: list[CodeReview], passed: bool | None
) -> None:
    assert independent(replace(FACTS, reviews=tuple(reviews)), frozenset({PERSON})).passed is passed


@pytest.mark.parametrize(
    ("reviews", "verdict"),
    [
        (
            (),
            ReviewVerdict(
                None, "Waits for a review", "Needs the approval of one person who did not steer this."
            ),
        ),
        (
            (review(PERSON),),
            ReviewVerdict(
                False,
                ALONE,
                "@user7 opened it, asked for it or prompted in it; an approval by somebody else is needed.",
            ),
        ),
        (
            (review(PERSON), review(INDEPENDENT), review(9)),
            ReviewVerdict(
                True,
                "Approved by @user8 and @user9",
                "@user8 and @user9 approved aaaaaaa and did not steer it.",
            ),
        ),
    ],
)
def test_our_own_check_says_why(reviews: tuple[CodeReview, ...], verdict: ReviewVerdict) -> None:
    assert independent(replace(FACTS, reviews=reviews), frozenset({PERSON})) == verdict


REQUIRED = replace(GREEN, decision=Decision.REVIEW_REQUIRED, reviews_needed=2)
MANY = tuple(Check(f"job {n}", CheckState.FAILED, required=True) for n in range(5))


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        (GREEN, ()),
        (REQUIRED, ("2 reviews",)),
        (replace(REQUIRED, reviews=(review(INDEPENDENT),)), ("1 more review",)),
        (replace(REQUIRED, reviews=(review(INDEPENDENT, by_bot=True),)), ("2 reviews",)),
        (replace(REQUIRED, reviews=(review(INDEPENDENT, writes=False),)), ("2 reviews",)),
        (replace(REQUIRED, reviews_needed=None), ("1 review",)),
        (
            replace(
                REQUIRED, reviews_needed=1, reviews=(review(PERSON),), missing_owners=("@acme/db", "@max")
            ),
            ("1 more review (asked of @acme/db and @max)",),
        ),
        # Owners are asked without any rule that waits for them, too.
        (replace(GREEN, missing_owners=("@acme/db",)), ()),
        (replace(GREEN, decision=Decision.CHANGES_REQUESTED), ("the requested changes settled",)),
        (replace(GREEN, checks=RED), ("the `build` check", "the `lint` check")),
        (
            replace(GREEN, checks=MANY[:4]),
            ("the `job 0` check", "the `job 1` check", "the `job 2` check", "1 more check"),
        ),
        (
            replace(GREEN, checks=MANY),
            ("the `job 0` check", "the `job 1` check", "the `job 2` check", "2 more checks"),
        ),
        (replace(GREEN, checks=(Check("lint", CheckState.FAILED),)), ()),
        (
            replace(
                GREEN, checks=(Check("independent-review", CheckState.RUNNING, required=True, ours=True),)
            ),
            (),
        ),
    ],
)
def test_what_is_missing_is_named(facts: PullFacts, missing: tuple[str, ...]) -> None:
    assert missing_for_merge(facts, lacks_others=False) == missing
    assert missing_for_merge(facts, lacks_others=True) == (*missing, NEEDS_OTHERS)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (MergeState.CLEAN, ""),
        (MergeState.HAS_HOOKS, ""),
        (MergeState.UNSTABLE, ""),
        (MergeState.BEHIND, "The branch is behind main."),
        (MergeState.UNKNOWN, "GitHub is still computing whether it merges."),
        (MergeState.CONFLICTING, "main moved and my branch no longer merges."),
        (MergeState.BLOCKED, "The rules of main at GitHub are not content yet."),
        (MergeState.DRAFT, "The rules of main at GitHub are not content yet."),
    ],
)
def test_what_is_in_the_way_is_said(state: MergeState, sentence: str) -> None:
    assert in_the_way(replace(GREEN, merge_state=state)) == sentence


@pytest.mark.parametrize(
    ("check", "waits"),
    [
        (Check("independent-review", CheckState.RUNNING, required=True, ours=True), True),
        (Check("independent-review", CheckState.RUNNING, required=False, ours=True), False),
        # Somebody else's of the same name.
        (Check("independent-review", CheckState.RUNNING, required=True), False),
    ],
)
def test_the_code_host_waits_for_our_check_only_where_it_is_required(check: Check, waits: bool) -> None:
    assert is_waited_for(replace(GREEN, checks=(check,))) is waits
    assert not is_waited_for(GREEN)


OURS_FAILED = Check("independent-review", CheckState.FAILED, required=True, ours=True)
ASKED = (review(INDEPENDENT, ReviewState.CHANGES_REQUESTED, name="Eve"),)


@pytest.mark.parametrize(
    ("facts", "tries", "offered"),
    [
        (GREEN, 0, ""),
        (replace(GREEN, checks=RED), 0, "`build` failed"),
        (replace(GREEN, checks=RED, reviews=ASKED), 2, "`build` failed and Eve asked for changes"),
        (replace(GREEN, merge_state=MergeState.CONFLICTING), 0, "it conflicts with main"),
        (replace(GREEN, checks=RED), 3, ""),
        (replace(GREEN, checks=RED, state=PullState.CLOSED), 0, ""),
        (replace(GREEN, checks=(Check("lint", CheckState.FAILED),)), 0, ""),
        (replace(GREEN, reviews=(replace(ASKED[0], name=""),)), 0, "@user8 asked for changes"),
        (replace(GREEN, reviews=(replace(ASKED[0], by_bot=True),)), 0, ""),
        (replace(GREEN, reviews=(review(INDEPENDENT),)), 0, ""),
        (replace(GREEN, checks=(OURS_FAILED,)), 0, ""),
        (replace(GREEN, reviews=(replace(ASKED[0], writes=False),)), 0, ""),
    ],
)
def test_the_agent_is_offered_where_it_can_help(facts: PullFacts, tries: int, offered: str) -> None:
    assert offer(facts, tries) == offered


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        (replace(GREEN, is_draft=True), "ready request_changes"),
        (GREEN, "approve request_changes merge"),
        (replace(GREEN, decision=Decision.REVIEW_REQUIRED), "approve request_changes merge_when_green"),
        (replace(GREEN, checks=RED), "approve request_changes merge_when_green"),
        (replace(GREEN, checks=RED[1:]), "approve request_changes merge_when_green"),
        (replace(GREEN, checks=(OURS_FAILED,)), "approve request_changes merge_when_green"),
        (replace(GREEN, checks=(Check("lint", CheckState.FAILED),)), "approve request_changes merge"),
        (
            replace(GREEN, checks=(Check("build", CheckState.PASSED, required=True),)),
            "approve request_changes merge",
        ),
        (replace(GREEN, checks=RED, auto_merge="eve"), "approve request_changes"),
        (replace(GREEN, merge_state=MergeState.BEHIND), "approve request_changes update_branch"),
        (replace(GREEN, merge_state=MergeState.CONFLICTING), "approve request_changes update_branch"),
        (replace(GREEN, queued_at=1), "approve request_changes"),
        (replace(GREEN, state=PullState.MERGED), ""),
    ],
)
def test_a_card_offers_what_makes_sense_now(facts: PullFacts, shown: str) -> None:
    assert " ".join(buttons(facts)) == shown
    assert buttons(facts, is_stale=True) == ()
    if shown:
        assert buttons(facts, offer="x")[-1] is PullAction.FIX


@pytest.mark.parametrize(("words", "text"), [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")])
def test_words_are_listed_as_people_do(words: str, text: str) -> None:
    assert listed(words) == text
