"""Who may do what: the whole table against rules written a second time, and what holds for any of it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    may_work,
    no_write,
    offer,
)
from core.pulls import (
    Check,
    CheckState,
    CodeAccount,
    Decision,
    MergeMethod,
    MergeState,
    Permission,
    PullAction,
    PullFacts,
    PullState,
)
from tests.core.oracle import outcome
from tests.core.pull_looks import AUTHOR, FACTS, HEAD, OLD, OTHER, PERSON, Kind, actor

ACTORS = {
    "reviewer": Kind(),
    "admin, its author": Kind(permission=Permission.ADMIN, is_author=True),
    "reader": Kind(permission=Permission.READ),
    "prompter who may not write": Kind(permission=Permission.TRIAGE, steered=True),
    "unlinked": Kind(linked=False),
    "unlinked prompter": Kind(linked=False, steered=True),
    "guest": Kind(reads_only=True),
    "prompter": Kind(steered=True),
    "requester, its author": Kind(steered=True, is_author=True),
    "bot": Kind(bot=True),
}
MORE_ACTORS = {
    "nobody there": Kind(permission=Permission.NONE),
    "unknown": Kind(known=False, linked=False, permission=Permission.NONE),
    "unknown, prompted": Kind(known=False, linked=False, permission=Permission.NONE, steered=True),
    "its author, who may not write": Kind(permission=Permission.READ, is_author=True),
}
WITHOUT_A_WAY = ("person.guest You can read along", "person.denied Only people")
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
# How they asked, and whether somebody who did not steer has approved. None of the methods is "rebase".
CLICKS = {
    f"{how}, {there}": (sure, method, has_approval)
    for (how, (sure, method)), (there, has_approval) in product(
        {
            "button": (False, None),
            "confirmed": (True, None),
            "confirmed another way": (True, MergeMethod.REBASE),
        }.items(),
        {"approved by others": True, "not approved by others": False}.items(),
    )
}
OF_A_HEAD = (
    PullAction.APPROVE,
    PullAction.REQUEST_CHANGES,
    PullAction.MERGE,
    PullAction.MERGE_WHEN_GREEN,
    PullAction.UPDATE_BRANCH,
)
THE_OTHERS = (PullAction.COMMENT, PullAction.READY, PullAction.CLOSE, PullAction.FIX)


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


def answers(
    actors: dict[str, Kind], actions: tuple[PullAction, ...]
) -> Iterator[tuple[dict[str, object], Answer]]:
    """Every case there is of these, as plain data, and what the policy says to it."""
    for (who, kind), (state, changed), (checks, (merge_state, runs)), (decided, decision) in product(
        actors.items(), STATES.items(), CHECKS.items(), DECISIONS.items()
    ):
        by = actor(kind)
        facts = replace(FACTS, merge_state=merge_state, checks=runs, decision=decision, **changed)  # type: ignore[arg-type]
        for (head, sha), (click, (sure, method, has_approval)), action in product(
            HEADS.items(), CLICKS.items(), actions
        ):
            wish = Wish(action=action, shown_sha=sha, sure=sure, method=method)
            answer = decide(facts, by, wish, Rules(), is_independent=has_approval, busy=state == "busy")
            case = {
                **asdict(kind),
                "who": who,
                "writes": kind.permission in (Permission.WRITE, Permission.ADMIN),
                "sees": kind.permission is not Permission.NONE,
                "state": state,
                "head": head,
                "checks": checks,
                "decision": decided,
                "click": click,
                "independent": has_approval,
                "sure": sure,
                "method_fits": method is None,
                "action": action.value,
            }
            yield case, answer


def test_the_whole_table_is_what_the_rules_say() -> None:
    seen: Counter[str] = Counter()
    for case, answer in answers(ACTORS, OF_A_HEAD):
        said = word(answer)
        assert said == outcome(case), case
        seen[said] += 1
    assert seen.total() == 144_000
    assert set(seen) == {
        "allow", "allow, not counted", "prompt", "link", "confirm", "deny person.guest", "deny person.denied",
        "deny pr.closed", "deny pr.stale", "deny pr.yours", "deny pr.protected", "deny repo.conflict",
    }  # fmt: skip


def test_the_other_actions_are_what_the_rules_say() -> None:
    seen: Counter[str] = Counter()
    for case, answer in answers({**ACTORS, **MORE_ACTORS}, THE_OTHERS):
        said = word(answer)
        assert said == outcome(case), case
        seen[said] += 1
    assert seen.total() == 161_280
    assert set(seen) == {
        "allow", "prompt", "link", "confirm",
        "deny person.guest", "deny person.denied", "deny pr.closed", "deny pr.stale",
    }  # fmt: skip


def test_whoever_is_told_no_reads_one_sentence_with_a_code_and_one_way_on() -> None:
    told: dict[str, set[Deny]] = {}
    for case, answer in answers(ACTORS, OF_A_HEAD + THE_OTHERS):
        if isinstance(answer, Deny):
            told.setdefault(f"{answer.code} {answer.body}", set()).add(answer)
            assert answer.body.endswith("."), case
    for sentence, denials in told.items():
        assert ". " not in sentence, "one sentence"
        (one,) = {each.action for each in denials}
        assert one.count(".") <= 1, "one way on"
        # Nothing is left to do about who they are, and about what is over and done.
        assert one or sentence.startswith((*WITHOUT_A_WAY, "pr.closed It was merged"))


# Most of what is merely drawn is refused for its first flaw; what may pass comes up as often.
anybody = st.builds(
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
people = st.sampled_from([actor(Kind()), actor(Kind(steered=True)), actor(Kind(is_author=True))]) | anybody
looks = st.builds(
    replace,
    st.just(FACTS),
    state=st.just(PullState.OPEN) | st.sampled_from(PullState),
    is_draft=st.just(False) | st.booleans(),
    merge_state=st.just(MergeState.CLEAN) | st.sampled_from(MergeState),
    decision=st.just(Decision.APPROVED) | st.sampled_from(Decision),
    checks=st.just(())
    | st.lists(
        st.builds(
            Check,
            st.sampled_from(["build", "lint"]),
            st.sampled_from(CheckState),
            st.booleans(),
            ours=st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
    missing_owners=st.sampled_from([(), ("@acme/db",)]),
)
wishes = st.builds(
    Wish,
    action=st.sampled_from([PullAction.MERGE, PullAction.MERGE_WHEN_GREEN]) | st.sampled_from(PullAction),
    shown_sha=st.just(HEAD) | st.sampled_from([HEAD, OTHER]),
    sure=st.just(True) | st.booleans(),
    method=st.none() | st.none() | st.sampled_from(MergeMethod),
)


@settings(max_examples=1_000, deadline=None)
@given(looks, people, wishes, st.booleans(), st.booleans(), st.just(False) | st.booleans())
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
        assert all(one.state is CheckState.PASSED for one in facts.checks if one.required and not one.ours)
        assert independently or not rule
    if wish.action is PullAction.MERGE_WHEN_GREEN:
        waited_for = any(one.ours and one.required for one in facts.checks)
        assert independently or not rule or waited_for, "nobody merges alone by waiting"
    if wish.action is PullAction.APPROVE:
        assert wish.shown_sha == facts.head_sha
        assert by.account.id != facts.author_id
        assert bool(answer.note) == (by.steered and rule)


@settings(deadline=None)
@given(looks, looks, people, wishes)
def test_who_may_not_act_learns_nothing_about_the_pull_request(
    facts: PullFacts, others: PullFacts, by: Actor, wish: Wish
) -> None:
    answer = decide(facts, by, wish, Rules(), is_independent=False)
    is_told_who_they_are = by.reads_only or by.is_bot or isinstance(answer, MustLink)
    if is_told_who_they_are:
        assert decide(others, by, wish, Rules(), is_independent=True, busy=True) == answer


@settings(max_examples=300, deadline=None)
@given(looks)
def test_what_a_card_offers_is_granted_to_a_reviewer_who_is_sure(facts: PullFacts) -> None:
    reviewer = actor(Kind())
    for action in buttons(facts, offer=offer(facts, 0)):
        wish = Wish(action=action, shown_sha=facts.head_sha, sure=True)
        answer = decide(facts, reviewer, wish, Rules(), is_independent=True)
        assert isinstance(answer, Allow), (action, answer)


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
