"""Who may do what with a pull request, and with a session: decided anew for every wish. Pure.

The order of the questions is fixed, so that nobody learns anything by trying: who asks, as whom they act,
whether the pull request is still open, whether they saw what is there now, what they may do in the
repository, and last what the branch's own rules and ours say.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from core.activities import Blocker
from core.ports import ReviewVerdict
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
    ReviewState,
)

CHECK_NAME = "independent-review"
FIXES_PER_HEAD = 3

YOURS = "You asked for this work, so your approval does not count."


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks.

    Attributes:
        account: Theirs at the code host, if we know it. `permission`: what it may do in the repository now.
        reads_only: A guest or a stranger in chat.
        steered: They asked for the work, or prompted in it.
    """

    name: str
    account: CodeAccount | None
    permission: Permission
    reads_only: bool = False
    steered: bool = False
    is_bot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What they ask for.

    Attributes:
        shown_sha: The head they saw.
        sure: They confirmed it, or named the commit.
        method: How to merge; None for the repository's own way.
    """

    action: PullAction
    shown_sha: str
    text: str = ""
    sure: bool = False
    method: MergeMethod | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """Of one repository, beside its own: whether somebody who did not steer has to approve."""

    independent_review: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """Go on.

    Attributes:
        method: How to merge.
        as_prompt: Not to the code host: the agent is told.
        note: What they should know about it, "" for nothing.
    """

    method: MergeMethod | None = None
    as_prompt: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Deny:
    """A sentence for the person, and what they can do instead."""

    code: Blocker
    body: str
    action: str = ""


@dataclass(frozen=True, slots=True)
class MustLink:
    """They have to link their account at the code host first."""

    body: str


@dataclass(frozen=True, slots=True)
class MustConfirm:
    """They have to say that they are sure: by a button with `label`, or by writing `word`."""

    body: str
    label: str
    word: str
    method: MergeMethod | None = None


Answer: TypeAlias = Allow | Deny | MustLink | MustConfirm

_VERBS = {
    PullAction.APPROVE: "approve",
    PullAction.REQUEST_CHANGES: "request changes",
    PullAction.COMMENT: "comment",
    PullAction.READY: "mark it ready",
    PullAction.MERGE: "merge",
    PullAction.MERGE_WHEN_GREEN: "merge",
    PullAction.UPDATE_BRANCH: "update the branch",
    PullAction.CLOSE: "close it",
    PullAction.FIX: "have it fixed",
}
_MERGES = frozenset({PullAction.MERGE, PullAction.MERGE_WHEN_GREEN})
_OF_A_HEAD = frozenset({PullAction.APPROVE, PullAction.REQUEST_CHANGES, PullAction.UPDATE_BRANCH}) | _MERGES
_WRITES = frozenset({PullAction.APPROVE, PullAction.UPDATE_BRANCH}) | _MERGES


def decide(
    facts: PullFacts, actor: Actor, wish: Wish, rules: Rules, *, is_independent: bool, busy: bool = False
) -> Answer:
    """What happens to a wish.

    Args:
        facts: Read just now, like `actor.permission`.
        is_independent: Somebody approved this head who did not steer; see `independent`.
        busy: The agent is at work in the session.
    """
    for answer in _objections(facts, actor, wish):
        return answer
    match wish.action:
        case PullAction.APPROVE:
            return Allow(note=YOURS if actor.steered else "")
        case PullAction.REQUEST_CHANGES:
            return Allow(as_prompt=actor.steered or _is_author(facts, actor))
        case PullAction.FIX:
            return Allow(as_prompt=True, note=offer(facts, 0))
        case PullAction.CLOSE:
            return _confirmed(facts, wish, None)
        case PullAction.MERGE | PullAction.MERGE_WHEN_GREEN:
            missing = missing_for_merge(facts, rules, is_independent=is_independent)
            return _merge(facts, wish, missing, busy=busy)
        case PullAction.COMMENT | PullAction.READY | PullAction.UPDATE_BRANCH:
            return Allow()


def _objections(facts: PullFacts, actor: Actor, wish: Wish) -> Iterator[Answer]:
    """Reasons why not, in the order in which they are told."""
    yield from _who(actor, wish)
    yield from _state(facts, wish)
    yield from _permission(facts, actor, wish)
    if wish.action is PullAction.APPROVE and _is_author(facts, actor):
        yield Deny(Blocker.PR_YOURS, YOURS, "Ask someone.")
    if wish.action is PullAction.APPROVE and facts.is_draft:
        yield Deny(Blocker.PR_PROTECTED, "It is still a draft.", "Mark it ready first.")
    if wish.action is PullAction.READY and not facts.is_draft:
        yield Deny(Blocker.PR_CLOSED, "It is ready for review already.")
    if wish.action is PullAction.FIX and not offer(facts, 0):
        yield Deny(
            Blocker.PR_CLOSED, "There is nothing to fix: no check failed and nobody asked for changes."
        )


def _who(actor: Actor, wish: Wish) -> Iterator[Answer]:
    if actor.reads_only:
        yield Deny(Blocker.PERSON_GUEST, "You can read along here; you cannot act on the pull request.")
    if actor.is_bot:
        yield Deny(Blocker.PERSON_DENIED, "Only people act on pull requests.")
    if wish.action is not PullAction.FIX and not (actor.account and actor.account.can_act):
        asked_by_them = wish.action is PullAction.REQUEST_CHANGES and actor.steered
        if not asked_by_them:
            yield MustLink(f"To {_VERBS[wish.action]} as yourself, link GitHub first.")


def _state(facts: PullFacts, wish: Wish) -> Iterator[Answer]:
    if facts.state is PullState.MERGED:
        by = f" by {_person(facts, facts.merged_by)}" if facts.merged_by else ""
        yield Deny(Blocker.PR_CLOSED, f"It was merged{by} already.")
    if facts.state is PullState.CLOSED:
        yield Deny(Blocker.PR_CLOSED, "It was closed without being merged.", "Reopen it at GitHub.")
    if wish.action in _OF_A_HEAD and wish.shown_sha != facts.head_sha:
        yield stale(facts)


def _permission(facts: PullFacts, actor: Actor, wish: Wish) -> Iterator[Answer]:
    may = actor.permission.writes
    if wish.action in (PullAction.READY, PullAction.CLOSE):
        may = may or actor.steered or _is_author(facts, actor)
    elif wish.action is PullAction.FIX:
        may = may or actor.steered or actor.account is None
    elif wish.action is PullAction.REQUEST_CHANGES:
        may = may or actor.steered
    elif wish.action is PullAction.COMMENT:
        may = actor.permission is not Permission.NONE
    if not may:
        needs = "access" if wish.action is PullAction.COMMENT else "write access"
        body = (
            f"To {_VERBS[wish.action]} in {facts.ref.repository} needs {needs}; you can still comment here."
        )
        yield Deny(Blocker.PERSON_DENIED, body, "Ask an owner.")


def _merge(facts: PullFacts, wish: Wish, missing: tuple[str, ...], *, busy: bool) -> Answer:
    if busy:
        return Deny(Blocker.PR_STALE, "The agent is still at work on it.", "Wait for its answer, or stop it.")
    if facts.is_draft:
        return Deny(Blocker.PR_PROTECTED, "It is still a draft.", "Mark it ready first.")
    if facts.merge_state is MergeState.CONFLICTING:
        body = f"{facts.base} moved and the branch no longer merges."
        return Deny(Blocker.REPO_CONFLICT, body, "Update branch.")
    method = wish.method or facts.methods[0]
    if method not in facts.methods:
        allowed = " or ".join(facts.methods)
        return Deny(
            Blocker.PR_PROTECTED, f"{facts.ref.repository} does not merge as {method}.", f"Use {allowed}."
        )
    if wish.action is PullAction.MERGE and missing:
        body = f"{facts.base} needs {_and(missing)}."
        return Deny(Blocker.PR_PROTECTED, body, "“merge when green” waits for it.")
    return _confirmed(facts, wish, method)


def _confirmed(facts: PullFacts, wish: Wish, method: MergeMethod | None) -> Answer:
    if wish.sure:
        return Allow(method=method)
    sha = facts.short_sha
    size = f"{facts.files} {'file' if facts.files == 1 else 'files'} +{facts.additions} −{facts.deletions}"
    what = f"{facts.ref.repository} #{facts.ref.number} at {sha} ({size})"
    if wish.action is PullAction.CLOSE:
        return MustConfirm(f"Close {what} without merging?", "Close it", f"close pr {sha}")
    queue = ", by the merge queue" if facts.has_queue else ""
    if wish.action is PullAction.MERGE_WHEN_GREEN:
        body = f"Merge {what} into {facts.base}, as {method}{queue}, once everything is green?"
        return MustConfirm(body, f"Merge when green as {method}", f"merge when green {sha}", method)
    body = f"Merge {what} into {facts.base}, as {method}{queue}?"
    return MustConfirm(body, f"Merge {sha} as {method}", f"merge {sha}", method)


def stale(facts: PullFacts) -> Deny:
    """What somebody is told who acted on a head that is not there any more."""
    return Deny(
        Blocker.PR_STALE, f"The pull request moved to {facts.short_sha} since this card.", "See the new card."
    )


def missing_for_merge(facts: PullFacts, rules: Rules, *, is_independent: bool) -> tuple[str, ...]:
    """What is not there yet, in words: "1 more review", "the `build` check". Empty: it may be merged.

    Admins could merge without it; from chat nobody does.
    """
    missing = []
    if facts.decision is Decision.REVIEW_REQUIRED:
        missing.append(_reviews_missing(facts))
    if facts.decision is Decision.CHANGES_REQUESTED:
        missing.append("the requested changes settled")
    red = [
        one for one in facts.checks if one.required and one.state is not CheckState.PASSED and not one.ours
    ]
    if red:
        missing.append(f"{_and([f'the `{one.name}` check' for one in red])}")
    if facts.missing_owners:
        missing.append(f"a review by {_and(facts.missing_owners)}")
    if rules.independent_review and not is_independent:
        missing.append("an approval by somebody who did not steer this")
    if missing:
        return tuple(missing)
    if facts.merge_state in (MergeState.CLEAN, MergeState.HAS_HOOKS, MergeState.UNSTABLE):
        return ()
    return (_state_in_words(facts),)


def _reviews_missing(facts: PullFacts) -> str:
    held = sum(one.state is ReviewState.APPROVED and one.writes for one in facts.reviews)
    needed = max(1, (facts.reviews_needed or 1) - held)
    return f"{needed} more review{'' if needed == 1 else 's'}"


def _state_in_words(facts: PullFacts) -> str:
    match facts.merge_state:
        case MergeState.BEHIND:
            return f"the branch brought up to date with {facts.base}"
        case MergeState.UNKNOWN:
            return "a moment: GitHub is still computing whether it merges"
        case _:
            return "what its rules at GitHub ask for"


def independent(facts: PullFacts, steered: frozenset[int]) -> ReviewVerdict:
    """What our own check says of the head; `steered` are accounts of those who asked or prompted."""
    given = [
        one
        for one in facts.reviews
        if one.state is ReviewState.APPROVED and one.sha == facts.head_sha and one.writes and not one.by_bot
    ]
    outside = [one for one in given if one.by_id != facts.author_id and one.by_id not in steered]
    if outside:
        by = _and(dict.fromkeys(f"@{one.by}" for one in outside))
        return ReviewVerdict(
            True, f"Approved by {by}", f"{by} approved {facts.short_sha} and did not steer it."
        )
    if given:
        by = _and(dict.fromkeys(f"@{one.by}" for one in given))
        summary = f"{by} asked for this work or prompted in it; an approval by somebody else is needed."
        return ReviewVerdict(False, "Needs one person who did not steer this", summary)
    return ReviewVerdict(
        None, "Waits for a review", "Needs the approval of one person who did not steer this."
    )


def offer(facts: PullFacts, tries: int, limit: int = FIXES_PER_HEAD) -> str:
    """What the agent could fix now; "" for nothing, or if it tried often enough at this head."""
    if facts.state is not PullState.OPEN or tries >= limit:
        return ""
    failed = [one for one in facts.checks if one.state is CheckState.FAILED and one.required and not one.ours]
    parts = []
    if facts.merge_state is MergeState.CONFLICTING:
        parts.append(f"it conflicts with {facts.base}")
    if failed:
        names = _and([f"`{one.name}`" for one in failed])
        parts.append(f"{names} failed")
    if asked := [
        one for one in facts.reviews if one.state is ReviewState.CHANGES_REQUESTED and not one.by_bot
    ]:
        parts.append(f"{_and([one.name or f'@{one.by}' for one in asked])} asked for changes")
    return _and(parts)


def buttons(facts: PullFacts, *, is_stale: bool = False, offer: str = "") -> tuple[PullAction, ...]:
    """What a card offers to everybody who sees it; what each may do is decided when they press."""
    if is_stale or facts.state is not PullState.OPEN:
        return ()
    shown = [PullAction.READY] if facts.is_draft else [PullAction.APPROVE]
    shown.append(PullAction.REQUEST_CHANGES)
    if facts.merge_state in (MergeState.BEHIND, MergeState.CONFLICTING):
        shown.append(PullAction.UPDATE_BRANCH)
    elif not facts.is_draft and facts.queued_at is None:
        green = facts.merge_state in (MergeState.CLEAN, MergeState.HAS_HOOKS, MergeState.UNSTABLE)
        settled = facts.decision in (Decision.APPROVED, Decision.NOT_NEEDED)
        if green and settled and not _red(facts.checks):
            shown.append(PullAction.MERGE)
        elif not facts.auto_merge:
            shown.append(PullAction.MERGE_WHEN_GREEN)
    if offer:
        shown.append(PullAction.FIX)
    return tuple(shown)


def _red(checks: tuple[Check, ...]) -> bool:
    return any(one.required and one.state is not CheckState.PASSED for one in checks)


class Work(StrEnum):
    """Whether somebody may start and steer work."""

    ALLOWED = "allowed"
    READS_ONLY = "readsOnly"
    MUST_LINK_TRACKER = "mustLinkTracker"
    MUST_LINK_CODE_HOST = "mustLinkCodeHost"
    DENIED = "denied"


def may_work(
    rule: Literal["write", "linear", "anyone"],
    *,
    reads_only: bool,
    is_known: bool,
    is_hosted: bool,
    permission: Permission | None,
) -> Work:
    """Whether somebody may start and steer work in a repository.

    Args:
        is_known: We know their account in Linear.
        is_hosted: The repository lives at a code host that is set up; elsewhere Linear suffices.
        permission: What they may do there; None if we do not know their account.
    """
    if reads_only:
        return Work.READS_ONLY
    if rule == "anyone":
        return Work.ALLOWED
    if not is_known:
        return Work.MUST_LINK_TRACKER
    if rule == "linear" or not is_hosted:
        return Work.ALLOWED
    if permission is None:
        return Work.MUST_LINK_CODE_HOST
    return Work.ALLOWED if permission.writes else Work.DENIED


def no_write(repository: str) -> str:
    """What somebody is told who may not write to the repository."""
    return f"Starting work in {repository} needs write access; you can still comment."


def _is_author(facts: PullFacts, actor: Actor) -> bool:
    return actor.account is not None and actor.account.id == facts.author_id


def _person(facts: PullFacts, login: str) -> str:
    known = (one.name for one in facts.reviews if one.by == login and one.name)
    return next(known, f"@{login}")


def _and(words: Iterable[str]) -> str:
    listed = list(words)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}" if listed else ""
