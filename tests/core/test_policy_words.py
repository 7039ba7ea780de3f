"""What people are told about their wishes: each sentence, and the words that confirm."""

from dataclasses import replace

import pytest

from core.activities import Blocker
from core.commands import Act, command_of
from core.policy import Allow, Deny, MustConfirm, MustLink, Rules, Wish, decide
from core.pulls import (
    Check,
    CheckState,
    Decision,
    MergeMethod,
    MergeState,
    Permission,
    PullAction,
    PullFacts,
    PullState,
)
from tests.core.pull_looks import GREEN, HEAD, INDEPENDENT, OTHER, RED, Kind, actor, review


def said(facts: PullFacts, by: Kind, action: PullAction, *, independently: bool, rules: Rules) -> str:
    asked = Wish(action=action, shown_sha=HEAD)
    match decide(facts, actor(by), asked, rules, is_independent=independently):
        case Deny(code=code, body=body, action=way_on):
            return f"{code}: {body} {way_on}".strip()
        case MustLink(body=body) | MustConfirm(body=body):
            return body
        case Allow(note=note):
            return note


APPROVE, MERGE, WAIT = PullAction.APPROVE, PullAction.MERGE, PullAction.MERGE_WHEN_GREEN
BY_EVE = replace(GREEN, state=PullState.MERGED, merged_by="eve")
READER, STRANGER = Kind(permission=Permission.READ), Kind(permission=Permission.NONE)
ALONE = replace(GREEN, checks=(Check("independent-review", CheckState.RUNNING, required=True, ours=True),))


@pytest.mark.parametrize(
    ("facts", "by", "action", "words"),
    [
        (GREEN, Kind(reads_only=True), APPROVE,
         "person.guest: You can read along here; you cannot act on the pull request."),
        (GREEN, Kind(bot=True), APPROVE, "person.denied: Only people act on pull requests."),
        (GREEN, Kind(linked=False), APPROVE, "To approve as yourself, link GitHub first."),
        (GREEN, Kind(linked=False), WAIT, "To merge as yourself, link GitHub first."),
        (GREEN, Kind(linked=False), PullAction.CLOSE, "To close it as yourself, link GitHub first."),
        (BY_EVE, Kind(), MERGE,
         "pr.closed: It was merged by @eve already."),
        (replace(BY_EVE, reviews=(review(9, name="Max"), review(INDEPENDENT, by="eve", name="Eve"))), Kind(),
         MERGE, "pr.closed: It was merged by Eve already."),
        (replace(BY_EVE, reviews=(review(9, name="Max"), review(INDEPENDENT, by="eve"))), Kind(), MERGE,
         "pr.closed: It was merged by @eve already."),
        (replace(GREEN, state=PullState.MERGED), Kind(), MERGE, "pr.closed: It was merged already."),
        (replace(GREEN, state=PullState.CLOSED), Kind(), APPROVE,
         "pr.closed: It was closed without being merged. Reopen it at GitHub."),
        (replace(GREEN, head_sha=OTHER), Kind(), APPROVE,
         "pr.stale: The pull request moved to bbbbbbb since this card. See the new card."),
        (GREEN, READER, APPROVE,
         "person.denied: Approving in acme/shop needs write access; you can still comment. Ask an owner."),
        (GREEN, STRANGER, PullAction.COMMENT,
         "person.denied: Commenting in acme/shop needs access; you can still write here. Ask an owner."),
        (GREEN, Kind(is_author=True, steered=True), APPROVE,
         "pr.yours: You asked for this work, so your approval does not count. Ask someone."),
        (GREEN, Kind(is_author=True), APPROVE,
         "pr.yours: You opened the pull request, so your approval does not count. Ask someone."),
        (GREEN, Kind(steered=True), APPROVE,
         "You asked for this work, so your approval does not count."),
        (replace(GREEN, is_draft=True), Kind(), APPROVE,
         "pr.protected: It is still a draft. Mark it ready first."),
        (GREEN, Kind(), PullAction.READY, "pr.stale: It is ready for review already. See the new card."),
        (GREEN, Kind(), PullAction.FIX,
         "pr.stale: There is nothing to fix: no check failed and nobody asked for changes. "
         "Write what you want changed."),
        (replace(GREEN, checks=RED), Kind(), PullAction.FIX, "`build` failed"),
        (replace(GREEN, merge_state=MergeState.CONFLICTING), Kind(), MERGE,
         "repo.conflict: main moved and my branch no longer merges. Update branch."),
        (replace(GREEN, checks=RED, decision=Decision.REVIEW_REQUIRED, reviews_needed=2), Kind(), MERGE,
         "pr.protected: main needs 2 reviews, the `build` check and the `lint` check. "
         "“merge when green” waits for it."),
        (replace(GREEN, merge_state=MergeState.BEHIND), Kind(), MERGE,
         "pr.protected: The branch is behind main. Update branch."),
        (replace(GREEN, merge_state=MergeState.UNKNOWN), Kind(), MERGE,
         "pr.protected: GitHub is still computing whether it merges. Ask again in a moment."),
        (replace(GREEN, merge_state=MergeState.BLOCKED), Kind(), MERGE,
         "pr.protected: The rules of main at GitHub are not content yet. “merge when green” waits for it."),
        (GREEN, Kind(), MERGE, "Merge acme/shop #87 at aaaaaaa (3 files +41 −6) into main, as squash?"),
        (replace(GREEN, files=1), Kind(), WAIT,
         "Merge acme/shop #87 at aaaaaaa (1 file +41 −6) into main, as squash, once everything is green?"),
        (GREEN, Kind(), PullAction.CLOSE, "Close acme/shop #87 at aaaaaaa (3 files +41 −6) without merging?"),
    ],
)  # fmt: skip
def test_people_are_told_in_one_sentence_and_one_action(
    facts: PullFacts, by: Kind, action: PullAction, words: str
) -> None:
    assert said(facts, by, action, independently=True, rules=Rules()) == words


@pytest.mark.parametrize(
    ("facts", "action", "words"),
    [
        (GREEN, MERGE,
         "pr.protected: main needs an approval by somebody who did not steer this. Ask someone."),
        (GREEN, WAIT,
         "pr.protected: main needs an approval by somebody who did not steer this, and GitHub does not "
         "wait for that. Ask someone."),
        (ALONE, MERGE,
         "pr.protected: main needs an approval by somebody who did not steer this. “merge when green” "
         "waits for it."),
        (ALONE, WAIT,
         "Merge acme/shop #87 at aaaaaaa (3 files +41 −6) into main, as squash, once everything is green?"),
    ],
)  # fmt: skip
def test_nobody_merges_alone_what_they_steered(facts: PullFacts, action: PullAction, words: str) -> None:
    by = Kind(steered=True)
    assert said(facts, by, action, independently=False, rules=Rules()) == words
    assert said(facts, by, action, independently=False, rules=Rules(independent_review=False)).startswith(
        "Merge"
    )


def test_where_nobody_else_is_needed_an_own_approval_counts() -> None:
    rules = Rules(independent_review=False)
    assert said(GREEN, Kind(steered=True), APPROVE, independently=False, rules=rules) == ""


def test_a_merge_is_confirmed_with_everything_that_counts() -> None:
    queue = replace(GREEN, has_queue=True)
    wish = Wish(action=PullAction.MERGE, shown_sha=HEAD, method=MergeMethod.MERGE)
    answer = decide(queue, actor(Kind()), wish, Rules(), is_independent=True)
    assert answer == MustConfirm(
        "Merge acme/shop #87 at aaaaaaa (3 files +41 −6) into main, as a merge commit, by the merge queue?",
        "Merge aaaaaaa as a merge commit",
        "merge aaaaaaa",
        MergeMethod.MERGE,
    )
    rebase = replace(wish, method=MergeMethod.REBASE)
    refused = decide(queue, actor(Kind()), rebase, Rules(), is_independent=True)
    assert refused == Deny(
        Blocker.PR_PROTECTED, "acme/shop does not merge as rebase.", "Use squash or merge."
    )


@pytest.mark.parametrize("action", [MERGE, WAIT, PullAction.CLOSE])
def test_the_word_that_confirms_is_read_as_sure_of_this_commit(action: PullAction) -> None:
    wish = Wish(action=action, shown_sha=HEAD)
    answer = decide(GREEN, actor(Kind()), wish, Rules(), is_independent=True)
    assert isinstance(answer, MustConfirm)
    assert command_of(answer.word) == Act(action, sha=GREEN.short_sha)
