"""What a look at a pull request says by itself: what it lacks, what to do about it, who approved. Pure."""

from collections.abc import Iterable

from core.pulls import (
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

FIXES_PER_HEAD = 3
NEEDS_OTHERS = "an approval by somebody who did not steer this"

_GREEN = frozenset({MergeState.CLEAN, MergeState.HAS_HOOKS, MergeState.UNSTABLE})
_NAMED_CHECKS = 3


def independent(facts: PullFacts, steered: frozenset[int]) -> ReviewVerdict:
    """What our own check says of the head; `steered` are accounts of those who asked or prompted."""
    given = [one for one in _approvals(facts) if one.sha == facts.head_sha]
    by = listed(dict.fromkeys(f"@{one.by}" for one in given))
    outside = [one for one in given if one.by_id != facts.author_id and one.by_id not in steered]
    if outside:
        by = listed(dict.fromkeys(f"@{one.by}" for one in outside))
        summary = f"{by} approved {facts.short_sha} and did not steer it."
        return ReviewVerdict(True, f"Approved by {by}", summary)
    if given:
        summary = f"{by} opened it, asked for it or prompted in it; an approval by somebody else is needed."
        return ReviewVerdict(False, "Needs one person who did not steer this", summary)
    return ReviewVerdict(
        None, "Waits for a review", "Needs the approval of one person who did not steer this."
    )


def missing_for_merge(facts: PullFacts, *, lacks_others: bool) -> tuple[str, ...]:
    """What is not there yet, in words: "1 more review", "the `build` check".

    Admins could merge without it; from chat nobody does.

    Args:
        lacks_others: Somebody who did not steer has to approve, and nobody did.
    """
    missing = []
    if facts.decision is Decision.REVIEW_REQUIRED:
        missing.append(_reviews_missing(facts))
    if facts.decision is Decision.CHANGES_REQUESTED:
        missing.append("the requested changes settled")
    red = [one.name for one in facts.checks if one.required and not one.ours and _is_open(one.state)]
    missing += [f"the `{name}` check" for name in red[:_NAMED_CHECKS]]
    if more := len(red[_NAMED_CHECKS:]):
        missing.append(f"{more} more check{'' if more == 1 else 's'}")
    if lacks_others:
        missing.append(NEEDS_OTHERS)
    return tuple(missing)


def in_the_way(facts: PullFacts) -> str:
    """What else keeps it from being merged, in a sentence; "" for nothing."""
    if facts.merge_state in _GREEN:
        return ""
    match facts.merge_state:
        case MergeState.BEHIND:
            return f"The branch is behind {facts.base}."
        case MergeState.UNKNOWN:
            return "GitHub is still computing whether it merges."
        case MergeState.CONFLICTING:
            return f"{facts.base} moved and my branch no longer merges."
        case _:
            return f"The rules of {facts.base} at GitHub are not content yet."


def is_waited_for(facts: PullFacts) -> bool:
    """Whether the code host itself merges nothing before our check `independent-review` has passed."""
    return any(one.ours and one.required for one in facts.checks)


def offer(facts: PullFacts, tries: int, limit: int = FIXES_PER_HEAD) -> str:
    """What the agent could fix now; "" for nothing, or if it tried often enough at this head."""
    if facts.state is not PullState.OPEN or tries >= limit:
        return ""
    parts = []
    if facts.merge_state is MergeState.CONFLICTING:
        parts.append(f"it conflicts with {facts.base}")
    failed = [one for one in facts.checks if one.required and one.state is CheckState.FAILED and not one.ours]
    if failed:
        parts.append(f"{listed(f'`{one.name}`' for one in failed)} failed")
    asked = [one for one in facts.reviews if one.state is ReviewState.CHANGES_REQUESTED and _counts(one)]
    if asked:
        parts.append(f"{listed(one.name or f'@{one.by}' for one in asked)} asked for changes")
    return listed(parts)


def buttons(facts: PullFacts, *, is_stale: bool = False, offer: str = "") -> tuple[PullAction, ...]:
    """What a card offers to everybody who sees it; what each may do is decided when they press."""
    if is_stale or facts.state is not PullState.OPEN:
        return ()
    shown = [PullAction.READY] if facts.is_draft else [PullAction.APPROVE]
    shown.append(PullAction.REQUEST_CHANGES)
    if facts.merge_state in (MergeState.BEHIND, MergeState.CONFLICTING):
        shown.append(PullAction.UPDATE_BRANCH)
    elif not facts.is_draft and facts.queued_at is None:
        if _is_green(facts):
            shown.append(PullAction.MERGE)
        elif not facts.auto_merge:
            shown.append(PullAction.MERGE_WHEN_GREEN)
    if offer:
        shown.append(PullAction.FIX)
    return tuple(shown)


def listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`; "" for none."""
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def _is_green(facts: PullFacts) -> bool:
    settled = facts.decision in (Decision.APPROVED, Decision.NOT_NEEDED)
    is_red = any(one.required and _is_open(one.state) for one in facts.checks)
    return facts.merge_state in _GREEN and settled and not is_red


def _is_open(state: CheckState) -> bool:
    return state is not CheckState.PASSED


def _counts(review: CodeReview) -> bool:
    """In a public repository anybody gives reviews, and apps do everywhere."""
    return review.writes and not review.by_bot


def _approvals(facts: PullFacts) -> list[CodeReview]:
    return [one for one in facts.reviews if one.state is ReviewState.APPROVED and _counts(one)]


def _reviews_missing(facts: PullFacts) -> str:
    held = len(_approvals(facts))
    needed = max(1, (facts.reviews_needed or 1) - held)
    # Owners are asked wherever a list of them is kept; only where reviews are required does anything wait.
    owners = f" (asked of {listed(facts.missing_owners)})" if facts.missing_owners else ""
    return f"{needed} {'more ' if held else ''}review{'' if needed == 1 else 's'}{owners}"
