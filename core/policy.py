"""Who may do what with a pull request, and with a session: decided anew for every wish. Pure.

The order of the questions is fixed, so that nobody learns anything by trying: who asks, as whom they act,
whether the pull request is still open, whether they saw what is there now, what they may do in the
repository, and last what the branch's own rules and ours say.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from core.activities import Blocker
from core.pulls import (
    CodeAccount,
    MergeMethod,
    MergeState,
    Permission,
    PullAction,
    PullFacts,
    PullState,
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

__all__ = [
    "Actor",
    "Allow",
    "Answer",
    "Deny",
    "MustConfirm",
    "MustLink",
    "Rules",
    "Wish",
    "Work",
    "buttons",
    "decide",
    "independent",
    "may_work",
    "no_write",
    "offer",
    "stale",
]

YOURS = "You asked for this work, so your approval does not count."
YOURS_OPENED = "You opened the pull request, so your approval does not count."


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

_WORDS = {
    PullAction.APPROVE: ("approve", "Approving"),
    PullAction.REQUEST_CHANGES: ("request changes", "Requesting changes"),
    PullAction.COMMENT: ("comment", "Commenting"),
    PullAction.READY: ("mark it ready", "Marking it ready"),
    PullAction.MERGE: ("merge", "Merging"),
    PullAction.MERGE_WHEN_GREEN: ("merge", "Merging"),
    PullAction.UPDATE_BRANCH: ("update the branch", "Updating the branch"),
    PullAction.CLOSE: ("close it", "Closing it"),
    PullAction.FIX: ("have it fixed", "Having it fixed"),
}
"""What somebody wants to do, and the doing of it."""

_MERGES = frozenset({PullAction.MERGE, PullAction.MERGE_WHEN_GREEN})
_OF_A_HEAD = _MERGES | {
    PullAction.APPROVE,
    PullAction.REQUEST_CHANGES,
    PullAction.UPDATE_BRANCH,
    PullAction.CLOSE,
}
"""Meant for the commit that was seen; the others are for whatever the pull request is by now."""

_WAITS = "“merge when green” waits for it."


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
            return Allow(note=YOURS if actor.steered and rules.independent_review else "")
        case PullAction.REQUEST_CHANGES:
            return Allow(as_prompt=actor.steered or _is_author(facts, actor))
        case PullAction.FIX:
            return Allow(as_prompt=True, note=offer(facts, 0))
        case PullAction.CLOSE:
            return _confirmed(facts, wish, None)
        case PullAction.MERGE | PullAction.MERGE_WHEN_GREEN:
            lacks_others = rules.independent_review and not is_independent
            return _merge(facts, wish, lacks_others=lacks_others, busy=busy)
        case PullAction.COMMENT | PullAction.READY | PullAction.UPDATE_BRANCH:
            return Allow()


def _objections(facts: PullFacts, actor: Actor, wish: Wish) -> Iterator[Answer]:
    """Reasons why not, in the order in which they are told."""
    yield from _who(actor, wish)
    yield from _state(facts, wish)
    yield from _permission(facts, actor, wish)
    if wish.action is PullAction.APPROVE and _is_author(facts, actor):
        yield Deny(Blocker.PR_YOURS, YOURS if actor.steered else YOURS_OPENED, "Ask someone.")
    if wish.action is PullAction.APPROVE and facts.is_draft:
        yield _draft()
    if wish.action is PullAction.READY and not facts.is_draft:
        yield Deny(Blocker.PR_STALE, "It is ready for review already.", "See the new card.")
    if wish.action is PullAction.FIX and not offer(facts, 0):
        body = "There is nothing to fix: no check failed and nobody asked for changes."
        yield Deny(Blocker.PR_STALE, body, "Write what you want changed.")


def _who(actor: Actor, wish: Wish) -> Iterator[Answer]:
    if actor.reads_only:
        yield Deny(Blocker.PERSON_GUEST, "You can read along here; you cannot act on the pull request.")
    if actor.is_bot:
        yield Deny(Blocker.PERSON_DENIED, "Only people act on pull requests.")
    if wish.action is not PullAction.FIX and not (actor.account and actor.account.can_act):
        asked_by_them = wish.action is PullAction.REQUEST_CHANGES and actor.steered
        if not asked_by_them:
            yield MustLink(f"To {_WORDS[wish.action][0]} as yourself, link GitHub first.")


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
        # Whom we do not know at the code host is asked to link where prompts come in, as with any other.
        may = may or actor.steered or actor.account is None
    elif wish.action is PullAction.REQUEST_CHANGES:
        may = may or actor.steered
    elif wish.action is PullAction.COMMENT:
        may = actor.permission is not Permission.NONE
    if not may:
        needs = "access" if wish.action is PullAction.COMMENT else "write access"
        left = "write here" if actor.permission is Permission.NONE else "comment"
        body = f"{_WORDS[wish.action][1]} in {facts.ref.repository} needs {needs}; you can still {left}."
        yield Deny(Blocker.PERSON_DENIED, body, "Ask an owner.")


def _merge(facts: PullFacts, wish: Wish, *, lacks_others: bool, busy: bool) -> Answer:
    if busy:
        return Deny(Blocker.PR_STALE, "The agent is still at work on it.", "Wait for its answer, or stop it.")
    if facts.is_draft:
        return _draft()
    if facts.merge_state is MergeState.CONFLICTING:
        return Deny(Blocker.REPO_CONFLICT, in_the_way(facts), "Update branch.")
    method = wish.method or facts.methods[0]
    if method not in facts.methods:
        body = f"{facts.ref.repository} does not merge {method.how}."
        return Deny(Blocker.PR_PROTECTED, body, f"Use {' or '.join(facts.methods)}.")
    if (unmet := _unmet(facts, wish, lacks_others=lacks_others)) is not None:
        return unmet
    return _confirmed(facts, wish, method)


def _unmet(facts: PullFacts, wish: Wish, *, lacks_others: bool) -> Deny | None:
    """What the rules still ask for. What waits for green waits for all that the code host looks at itself."""
    is_ours_alone = lacks_others and not is_waited_for(facts)
    if wish.action is PullAction.MERGE_WHEN_GREEN:
        body = f"{facts.base} needs {NEEDS_OTHERS}, and GitHub does not wait for that."
        return Deny(Blocker.PR_PROTECTED, body, "Ask someone.") if is_ours_alone else None
    if missing := missing_for_merge(facts, lacks_others=lacks_others):
        way_out = "Ask someone." if is_ours_alone else _WAITS
        return Deny(Blocker.PR_PROTECTED, f"{facts.base} needs {listed(missing)}.", way_out)
    if body := in_the_way(facts):
        ways_out = {MergeState.BEHIND: "Update branch.", MergeState.UNKNOWN: "Ask again in a moment."}
        return Deny(Blocker.PR_PROTECTED, body, ways_out.get(facts.merge_state, _WAITS))
    return None


def _draft() -> Deny:
    return Deny(Blocker.PR_PROTECTED, "It is still a draft.", "Mark it ready first.")


def _confirmed(facts: PullFacts, wish: Wish, method: MergeMethod | None) -> Answer:
    if wish.sure:
        return Allow(method=method)
    sha, how = facts.short_sha, method.how if method else ""
    size = f"{facts.files} {'file' if facts.files == 1 else 'files'} +{facts.additions} −{facts.deletions}"
    what = f"{facts.ref.repository} #{facts.ref.number} at {sha} ({size})"
    if wish.action is PullAction.CLOSE:
        return MustConfirm(f"Close {what} without merging?", "Close it", f"close pr {sha}")
    queue = ", by the merge queue" if facts.has_queue else ""
    if wish.action is PullAction.MERGE_WHEN_GREEN:
        body = f"Merge {what} into {facts.base}, {how}{queue}, once everything is green?"
        return MustConfirm(body, f"Merge when green {how}", f"merge when green {sha}", method)
    body = f"Merge {what} into {facts.base}, {how}{queue}?"
    return MustConfirm(body, f"Merge {sha} {how}", f"merge {sha}", method)


def stale(facts: PullFacts) -> Deny:
    """What somebody is told who acted on a head that is not there any more."""
    return Deny(
        Blocker.PR_STALE, f"The pull request moved to {facts.short_sha} since this card.", "See the new card."
    )


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
