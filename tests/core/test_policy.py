"""Who may do what: the whole table against rules written a second time, and what holds for any of it."""

from collections import Counter
from dataclasses import dataclass, replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.activities import Blocker
from core.policy import (
    Actor,
    Allow,
    Answer,
    Deny,
    MustConfirm,
    MustLink,
    Rules,
    Wish,
    Work,
    buttons,
    decide,
    independent,
    may_work,
    missing_for_merge,
    no_write,
    offer,
)
from core.pulls import (
    Check,
    CheckState,
    CodeAccount,
    CodeReview,
    Decision,
    MergeMethod,
    MergeState,
    Permission,
    PullAction,
    PullFacts,
    PullRef,
    PullState,
    ReviewState,
)
from tests.core.oracle import outcome

HEAD, OTHER, OLD = "a" * 40, "b" * 40, "c" * 40
AUTHOR, PERSON, INDEPENDENT = 1, 7, 8

FACTS = PullFacts(
    ref=PullRef("acme/shop", 87),
    url="https://github.test/acme/shop/pull/87",
    title="Search",
    author="author",
    author_id=AUTHOR,
    state=PullState.OPEN,
    is_draft=False,
    head_sha=HEAD,
    branch="eng-1",
    base="main",
    files=3,
    additions=41,
    deletions=6,
    methods=(MergeMethod.SQUASH, MergeMethod.MERGE),
    reviews_needed=1,
)


@dataclass(frozen=True)
class Kind:
    """A kind of person."""

    linked: bool = True
    writes: bool = True
    permission: Permission = Permission.WRITE
    steered: bool = False
    is_author: bool = False
    reads_only: bool = False
    bot: bool = False


ACTORS = {
    "reviewer": Kind(),
    "admin": Kind(permission=Permission.ADMIN),
    "reader": Kind(permission=Permission.READ, writes=False),
    "triager": Kind(permission=Permission.TRIAGE, writes=False),
    "nobody there": Kind(permission=Permission.NONE, writes=False),
    "unlinked": Kind(linked=False),
    "guest": Kind(reads_only=True),
    "prompter": Kind(steered=True),
    "requester, its author": Kind(steered=True, is_author=True),
    "bot": Kind(bot=True),
}
STATES = {
    "open": {},
    "draft": {"is_draft": True},
    "merged": {"state": PullState.MERGED, "merged_by": "eve"},
    "closed": {"state": PullState.CLOSED},
    "busy": {},
    "queued": {"has_queue": True, "queued_at": 1},
}
HEADS = {"same": HEAD, "moved": OTHER, "forced back": OLD, "unknown": ""}
CHECKS = {
    "green": (MergeState.CLEAN, (Check("build", CheckState.PASSED, required=True),)),
    "red": (MergeState.BLOCKED, (Check("build", CheckState.FAILED, required=True),)),
    "running": (MergeState.BLOCKED, (Check("build", CheckState.RUNNING, required=True),)),
    "optional red": (
        MergeState.UNSTABLE,
        (Check("build", CheckState.PASSED, required=True), Check("lint", CheckState.FAILED)),
    ),
    "conflicts": (MergeState.CONFLICTING, (Check("build", CheckState.PASSED, required=True),)),
}
DECISIONS = {
    "approved": Decision.APPROVED,
    "changes": Decision.CHANGES_REQUESTED,
    "required": Decision.REVIEW_REQUIRED,
    "not needed": Decision.NOT_NEEDED,
}
# How they asked: by a button or word, confirmed or not, with somebody's independent approval there or not.
CLICKS = {
    f"{how}, {there}": (sure, has_approval)
    for (how, sure), (there, has_approval) in product(
        {"button": False, "confirmed button": True, "word with the commit": True}.items(),
        {"approved by others": True, "not approved by others": False}.items(),
    )
}
ACTIONS = (
    PullAction.APPROVE,
    PullAction.REQUEST_CHANGES,
    PullAction.MERGE,
    PullAction.MERGE_WHEN_GREEN,
    PullAction.UPDATE_BRANCH,
)


def actor(kind: Kind) -> Actor:
    id = AUTHOR if kind.is_author else PERSON
    account = CodeAccount(person="linear:eve", id=id, login="eve", can_act=kind.linked)
    return Actor(
        name="Eve",
        account=account,
        permission=kind.permission,
        reads_only=kind.reads_only,
        steered=kind.steered,
        is_bot=kind.bot,
    )


def word(answer: Answer) -> str:
    match answer:
        case Allow(as_prompt=True):
            return "prompt"
        case Allow(note=note):
            return "allow, not counted" if note else "allow"
        case Deny(code=code):
            return f"deny {code}"
        case MustLink():
            return "link"
        case MustConfirm():
            return "confirm"


def test_the_whole_table_is_what_the_rules_say() -> None:
    seen: Counter[str] = Counter()
    for (who, kind), (state, changed), (checks, (merge_state, runs)) in product(
        ACTORS.items(), STATES.items(), CHECKS.items()
    ):
        by = actor(kind)
        for decision_name, decision in DECISIONS.items():
            facts = replace(FACTS, merge_state=merge_state, checks=runs, decision=decision, **changed)  # type: ignore[arg-type]
            for (head, sha), (click, (sure, has_approval)), action in product(
                HEADS.items(), CLICKS.items(), ACTIONS
            ):
                case = {
                    "reads_only": kind.reads_only,
                    "bot": kind.bot,
                    "linked": kind.linked,
                    "steered": kind.steered,
                    "is_author": kind.is_author,
                    "writes": kind.writes,
                    "state": state,
                    "head": head,
                    "checks": checks,
                    "conflicts": checks == "conflicts",
                    "decision": decision_name,
                    "independent": has_approval,
                    "sure": sure,
                    "action": action.value,
                }
                wish = Wish(action=action, shown_sha=sha, sure=sure)
                said = word(
                    decide(facts, by, wish, Rules(), is_independent=has_approval, busy=state == "busy")
                )
                assert said == outcome(case), (who, state, head, checks, decision_name, click, action)
                seen[said] += 1
    assert sum(seen.values()) == 144_000
    assert {"allow", "allow, not counted", "prompt", "link", "confirm"} <= set(seen)


people = st.builds(
    Actor,
    name=st.just("Eve"),
    account=st.none()
    | st.builds(
        CodeAccount,
        person=st.just("p"),
        id=st.sampled_from([AUTHOR, PERSON]),
        login=st.just("eve"),
        can_act=st.booleans(),
    ),
    permission=st.sampled_from(Permission),
    reads_only=st.booleans(),
    steered=st.booleans(),
    is_bot=st.booleans(),
)
looks = st.builds(
    replace,
    st.just(FACTS),
    state=st.sampled_from(PullState),
    is_draft=st.booleans(),
    merge_state=st.sampled_from(MergeState),
    decision=st.sampled_from(Decision),
    checks=st.lists(
        st.builds(Check, st.sampled_from(["build", "lint"]), st.sampled_from(CheckState), st.booleans())
    ).map(tuple),
    missing_owners=st.sampled_from([(), ("@acme/db",)]),
)
wishes = st.builds(
    Wish,
    action=st.sampled_from(PullAction),
    shown_sha=st.sampled_from([HEAD, OTHER]),
    sure=st.booleans(),
    method=st.none() | st.sampled_from(MergeMethod),
)


@given(looks, people, wishes, st.booleans(), st.booleans(), st.booleans())
def test_whatever_happens_nobody_gets_past_the_rules(
    facts: PullFacts, by: Actor, wish: Wish, rule: bool, independently: bool, busy: bool
) -> None:
    answer = decide(facts, by, wish, Rules(rule), is_independent=independently, busy=busy)
    if not isinstance(answer, Allow) or answer.as_prompt:
        return
    assert by.account is not None
    assert by.account.can_act, "nobody acts without an account that is theirs"
    assert not by.reads_only
    assert not by.is_bot
    assert facts.state is PullState.OPEN
    if wish.action in (PullAction.MERGE, PullAction.MERGE_WHEN_GREEN):
        assert wish.shown_sha == facts.head_sha
        assert wish.sure
        assert not busy
        assert not facts.is_draft
        assert answer.method in facts.methods
        assert by.permission.writes
    if wish.action is PullAction.MERGE:
        assert facts.merge_state in (MergeState.CLEAN, MergeState.HAS_HOOKS, MergeState.UNSTABLE)
        assert facts.decision in (Decision.APPROVED, Decision.NOT_NEEDED)
        assert all(one.state is CheckState.PASSED for one in facts.checks if one.required)
        assert independently or not rule
    if wish.action is PullAction.APPROVE:
        assert wish.shown_sha == facts.head_sha
        assert by.account.id != facts.author_id


def review(id: int, state: ReviewState = ReviewState.APPROVED, sha: str = HEAD, **more: object) -> CodeReview:
    return replace(CodeReview(f"user{id}", id, state, sha, writes=True), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reviews", "passed"),
    [
        ([], None),
        ([review(PERSON)], False),
        ([review(AUTHOR)], False),
        ([review(INDEPENDENT)], True),
        ([review(PERSON), review(INDEPENDENT)], True),
        ([review(INDEPENDENT, sha=OLD)], None),
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


GREEN = replace(FACTS, merge_state=MergeState.CLEAN, decision=Decision.APPROVED)
RED = (Check("build", CheckState.FAILED, required=True), Check("lint", CheckState.RUNNING, required=True))


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        (GREEN, ()),
        (replace(GREEN, decision=Decision.REVIEW_REQUIRED, reviews_needed=2), ("2 more reviews",)),
        (replace(GREEN, decision=Decision.CHANGES_REQUESTED), ("the requested changes settled",)),
        (replace(GREEN, checks=RED), ("the `build` check and the `lint` check",)),
        (replace(GREEN, missing_owners=("@acme/db",)), ("a review by @acme/db",)),
        (replace(GREEN, merge_state=MergeState.BEHIND), ("the branch brought up to date with main",)),
        (
            replace(GREEN, merge_state=MergeState.UNKNOWN),
            ("a moment: GitHub is still computing whether it merges",),
        ),
        (replace(GREEN, merge_state=MergeState.BLOCKED), ("what its rules at GitHub ask for",)),
    ],
)
def test_what_is_missing_is_named(facts: PullFacts, missing: tuple[str, ...]) -> None:
    assert missing_for_merge(facts, Rules(), is_independent=True) == missing
    alone = missing_for_merge(facts, Rules(), is_independent=False)
    assert "an approval by somebody who did not steer this" in alone
    assert missing_for_merge(facts, Rules(independent_review=False), is_independent=False) == missing


def said(facts: PullFacts, by: Kind, action: PullAction, **wish: object) -> str:
    asked = Wish(action=action, shown_sha=HEAD, **wish)  # type: ignore[arg-type]
    match decide(facts, actor(by), asked, Rules(), is_independent=False):
        case Deny(body=body, action=action_):
            return f"{body} {action_}".strip()
        case MustLink(body=body) | MustConfirm(body=body):
            return body
        case Allow(note=note):
            return note


@pytest.mark.parametrize(
    ("facts", "by", "action", "words"),
    [
        (GREEN, Kind(linked=False), PullAction.APPROVE, "To approve as yourself, link GitHub first."),
        (replace(GREEN, head_sha=OTHER), Kind(), PullAction.APPROVE,
         "The pull request moved to bbbbbbb since this card. See the new card."),
        (GREEN, Kind(is_author=True), PullAction.APPROVE,
         "You asked for this work, so your approval does not count. Ask someone."),
        (GREEN, Kind(steered=True), PullAction.APPROVE,
         "You asked for this work, so your approval does not count."),
        (GREEN, Kind(writes=False, permission=Permission.READ), PullAction.APPROVE,
         "To approve in acme/shop needs write access; you can still comment here. Ask an owner."),
        (replace(GREEN, checks=RED, decision=Decision.REVIEW_REQUIRED, reviews_needed=2), Kind(),
         PullAction.MERGE,
         "main needs 2 more reviews, the `build` check and the `lint` check and an approval by somebody who "
         "did not steer this. “merge when green” waits for it."),
        (replace(GREEN, merge_state=MergeState.CONFLICTING), Kind(), PullAction.MERGE,
         "main moved and the branch no longer merges. Update branch."),
        (replace(GREEN, state=PullState.MERGED, merged_by="eve"), Kind(), PullAction.MERGE,
         "It was merged by @eve already."),
        (GREEN, Kind(), PullAction.MERGE_WHEN_GREEN,
         "Merge acme/shop #87 at aaaaaaa (3 files +41 −6) into main, as squash, once everything is green?"),
        (GREEN, Kind(), PullAction.CLOSE, "Close acme/shop #87 at aaaaaaa (3 files +41 −6) without merging?"),
        (replace(GREEN, is_draft=True), Kind(), PullAction.APPROVE,
         "It is still a draft. Mark it ready first."),
        (GREEN, Kind(), PullAction.FIX,
         "There is nothing to fix: no check failed and nobody asked for changes."),
    ],
)  # fmt: skip
def test_people_are_told_in_one_sentence_and_one_action(
    facts: PullFacts, by: Kind, action: PullAction, words: str
) -> None:
    assert said(facts, by, action) == words


def test_a_merge_is_confirmed_with_everything_that_counts() -> None:
    queue = replace(GREEN, has_queue=True)
    wish = Wish(action=PullAction.MERGE, shown_sha=HEAD, method=MergeMethod.MERGE)
    answer = decide(queue, actor(Kind()), wish, Rules(), is_independent=True)
    assert answer == MustConfirm(
        "Merge acme/shop #87 at aaaaaaa (3 files +41 −6) into main, as merge, by the merge queue?",
        "Merge aaaaaaa as merge",
        "merge aaaaaaa",
        MergeMethod.MERGE,
    )
    rebase = replace(wish, method=MergeMethod.REBASE)
    refused = decide(queue, actor(Kind()), rebase, Rules(), is_independent=True)
    assert refused == Deny(
        Blocker.PR_PROTECTED, "acme/shop does not merge as rebase.", "Use squash or merge."
    )


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
        (replace(GREEN, checks=RED, auto_merge="eve"), "approve request_changes"),
        (replace(GREEN, merge_state=MergeState.BEHIND), "approve request_changes update_branch"),
        (replace(GREEN, queued_at=1), "approve request_changes"),
        (replace(GREEN, state=PullState.MERGED), ""),
    ],
)
def test_a_card_offers_what_makes_sense_now(facts: PullFacts, shown: str) -> None:
    assert " ".join(buttons(facts)) == shown
    assert buttons(facts, is_stale=True) == ()
    if shown:
        assert buttons(facts, offer="x")[-1] is PullAction.FIX


@pytest.mark.parametrize(
    ("rule", "reads_only", "is_known", "is_hosted", "permission", "may"),
    [
        ("write", False, True, True, Permission.WRITE, Work.ALLOWED),
        ("write", False, True, True, Permission.READ, Work.DENIED),
        ("write", False, True, True, None, Work.MUST_LINK_CODE_HOST),
        ("write", False, False, True, Permission.ADMIN, Work.MUST_LINK_TRACKER),
        ("write", False, True, False, None, Work.ALLOWED),
        ("linear", False, True, True, Permission.NONE, Work.ALLOWED),
        ("linear", False, False, False, None, Work.MUST_LINK_TRACKER),
        ("anyone", False, False, True, None, Work.ALLOWED),
        ("anyone", True, True, True, Permission.ADMIN, Work.READS_ONLY),
    ],
)
def test_who_may_start_and_steer_work(
    rule: str, reads_only: bool, is_known: bool, is_hosted: bool, permission: Permission | None, may: Work
) -> None:
    verdict = may_work(
        rule,  # type: ignore[arg-type]
        reads_only=reads_only,
        is_known=is_known,
        is_hosted=is_hosted,
        permission=permission,
    )
    assert verdict is may
    assert no_write("acme/shop") == "Starting work in acme/shop needs write access; you can still comment."
