"""A look at a pull request -> the facts that cards and decisions are made of. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from core.pulls import (
    Check,
    CheckState,
    CodeReview,
    Decision,
    MergeMethod,
    MergeState,
    PullFacts,
    PullRef,
    PullState,
    ReviewState,
)
from core.workspace.names import care_for
from github.look import LatestReview, PullLook, RollupContext
from github.model import BranchRule

OURS: Final = "independent-review"

_GREEN: Final = frozenset({"SUCCESS", "NEUTRAL", "SKIPPED"})
_MERGE_STATES: Final = {
    "CLEAN": MergeState.CLEAN,
    "HAS_HOOKS": MergeState.HAS_HOOKS,
    "UNSTABLE": MergeState.UNSTABLE,
    "BEHIND": MergeState.BEHIND,
    "BLOCKED": MergeState.BLOCKED,
    "DIRTY": MergeState.CONFLICTING,
    "DRAFT": MergeState.DRAFT,
}
_DECISIONS: Final = {
    "APPROVED": Decision.APPROVED,
    "CHANGES_REQUESTED": Decision.CHANGES_REQUESTED,
    "REVIEW_REQUIRED": Decision.REVIEW_REQUIRED,
}
_REVIEWS: Final = {
    "APPROVED": ReviewState.APPROVED,
    "CHANGES_REQUESTED": ReviewState.CHANGES_REQUESTED,
    "COMMENTED": ReviewState.COMMENTED,
}


def facts_of(look: PullLook, rules: Sequence[BranchRule] = (), *, app: str = "") -> PullFacts:
    """What a card shows of `look`.

    Args:
        rules: Of the base branch; of classic protection only what `look` tells is known.
        app: Slug of our app, whose check of the name `independent-review` is ours.
    """
    author, merged_by = look.author, look.merged_by
    entry = look.merge_queue_entry
    return PullFacts(
        ref=PullRef(look.home.full_name, look.number),
        url=look.url,
        title=look.title,
        author=author.login if author else "",
        author_id=author.id if author else 0,
        state=_state(look),
        is_draft=look.is_draft,
        head_sha=look.head_ref_oid,
        branch=look.head_ref_name,
        base=look.base_ref_name,
        files=look.changed_files,
        additions=look.additions,
        deletions=look.deletions,
        paths=look.paths,
        sensitive=sensitive(look.paths),
        checks=_checks(look.checks, app),
        reviews=_reviews(look),
        decision=_DECISIONS.get(look.review_decision, Decision.NOT_NEEDED),
        reviews_needed=_reviews_needed(rules),
        merge_state=_merge_state(look),
        methods=_methods(look, rules),
        auto_merge=_enabled_by(look),
        has_queue=look.is_merge_queue_enabled,
        queued_at=entry.position if entry and look.is_in_merge_queue else None,
        merged_by=merged_by.login if merged_by else "",
        missing_owners=_missing_owners(look),
        updated_at=look.updated_at,
    )


def sensitive(paths: Iterable[str]) -> tuple[str, ...]:
    """Those that need a careful look, whoever changed them."""
    return tuple(path for path in paths if care_for(path) is not None)


def _state(look: PullLook) -> PullState:
    if look.merged or look.state == "MERGED":
        return PullState.MERGED
    return PullState.OPEN if look.state == "OPEN" else PullState.CLOSED


def _merge_state(look: PullLook) -> MergeState:
    if look.mergeable == "CONFLICTING":
        return MergeState.CONFLICTING
    return _MERGE_STATES.get(look.merge_state_status, MergeState.UNKNOWN)


def _checks(contexts: Iterable[RollupContext], app: str) -> tuple[Check, ...]:
    """Required ones first; of each name and app the newest run counts."""
    newest: dict[tuple[str, int], RollupContext] = {}
    for one in contexts:
        key = one.name, one.app.id if one.app else 0
        known = newest.get(key)
        if known is None or known.began_at is None or (one.began_at and one.began_at >= known.began_at):
            newest[key] = one
    made = [
        Check(one.name, _check_state(one), one.is_required, one.url or None, ours=_is_ours(one, app))
        for one in newest.values()
    ]
    return tuple(sorted(made, key=lambda check: (not check.required, check.name)))


def _is_ours(one: RollupContext, app: str) -> bool:
    return one.name == OURS and one.app is not None and one.app.slug == app


def _check_state(one: RollupContext) -> CheckState:
    if one.state:  # The older kind.
        states = {"SUCCESS": CheckState.PASSED, "FAILURE": CheckState.FAILED, "ERROR": CheckState.FAILED}
        return states.get(one.state, CheckState.RUNNING)
    if one.status != "COMPLETED":
        return CheckState.RUNNING
    return CheckState.PASSED if one.conclusion in _GREEN else CheckState.FAILED


def _reviews(look: PullLook) -> tuple[CodeReview, ...]:
    """Each person's newest opinion; their newest comment if they have none."""
    found: dict[int, CodeReview] = {}
    for one in (*look.latest_reviews, *look.latest_opinionated_reviews):
        if (review := _review(one)) is not None:
            known = found.get(review.by_id)
            if known is None or review.state is not ReviewState.COMMENTED:
                found[review.by_id] = review
    return tuple(found.values())


def _review(one: LatestReview) -> CodeReview | None:
    state, author = _REVIEWS.get(one.state), one.author
    if state is None or author is None:  # Dismissed, pending, or by an account that is gone.
        return None
    return CodeReview(
        by=author.login,
        by_id=author.id,
        state=state,
        sha=one.commit.oid if one.commit else "",
        writes=one.author_can_push_to_repository,
        by_bot=author.is_bot,
    )


def _reviews_needed(rules: Sequence[BranchRule]) -> int | None:
    asked = [one.parameters.required_approving_review_count for one in rules if one.type == "pull_request"]
    return max(asked) if asked else None


def _methods(look: PullLook, rules: Sequence[BranchRule]) -> tuple[MergeMethod, ...]:
    """What the repository and the branch both allow, the favourite first."""
    home = look.home
    allowed = {
        MergeMethod.SQUASH: home.squash_merge_allowed,
        MergeMethod.MERGE: home.merge_commit_allowed,
        MergeMethod.REBASE: home.rebase_merge_allowed,
    }
    for one in rules:
        if one.type == "pull_request" and one.parameters.allowed_merge_methods is not None:
            allowed = {
                method: yes and method.value in one.parameters.allowed_merge_methods
                for method, yes in allowed.items()
            }
        if one.type == "required_linear_history":
            allowed[MergeMethod.MERGE] = False
    favourite = home.viewer_default_merge_method.lower()
    left = [method for method, yes in allowed.items() if yes] or [MergeMethod.MERGE]
    return tuple(sorted(left, key=lambda method: method.value != favourite))


def _enabled_by(look: PullLook) -> str:
    request = look.auto_merge_request
    if request is None:
        return ""
    return request.enabled_by.login if request.enabled_by else "somebody"


def _missing_owners(look: PullLook) -> tuple[str, ...]:
    asked = [one for one in look.review_requests if one.as_code_owner]
    return tuple(
        f"@{one.requested_reviewer.label}" if one.requested_reviewer else "a code owner" for one in asked
    )
