"""What a pull request's card says, before any platform's markup: facts of the code host alone. Pure.

Titles, paths and names of checks are written by agents and strangers. They come as one line each in which
nothing can pose as a fact beside it; what is made of them here is plain text, for every surface to escape.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, assert_never

from core.activities import PullActed, PullShown
from core.composer import said_by
from core.mirror.cards import PullItem
from core.mirror.prose import clipped
from core.policy import buttons
from core.pulls import (
    SHORT_SHA_CHARS,
    Check,
    CheckState,
    CodeReview,
    Decision,
    MergeMethod,
    MergeState,
    PullAction,
    PullFacts,
    PullRef,
    PullState,
    ReviewState,
)
from core.workspace.names import Care, care_for

VIEW_DIFF: Final = "View diff"
CHANGES_TITLE: Final = "Request changes"
CHANGES_FIELD: Final = "What should change?"
CHANGES_HINT: Final = "It is sent to GitHub as your review"
CHANGES_SEND: Final = "Send"
CHANGES_MISSING: Final = "Write something first."
CHANGES_IN_WORDS: Final = "If no form opened, write `request changes: …` in this thread."

TITLE_CHARS: Final = 200
NAME_CHARS: Final = 40
PATH_CHARS: Final = 80

_PATHS: Final = 5
_NAMES: Final = 4
_PEOPLE: Final = 6
_BADGES: Final = 6
_DOTS: Final = re.compile("[·•∙⋅‧・᛫ꞏ●]")
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>|~!])")
_BRACKETS: Final = str.maketrans("();", "[],")
_LABELS: Final = {
    PullAction.REQUEST_CHANGES: CHANGES_TITLE,
    PullAction.COMMENT: "Comment",
    PullAction.READY: "Ready for review",
    PullAction.MERGE: "Merge",
    PullAction.MERGE_WHEN_GREEN: "Merge when green",
    PullAction.UPDATE_BRANCH: "Update branch",
    PullAction.CLOSE: "Close",
    PullAction.FIX: "Fix it",
}
_MERGES: Final = (PullAction.MERGE, PullAction.MERGE_WHEN_GREEN)
_KINDS: Final[dict[Care | None, str]] = {Care.WORKFLOW: "workflows", Care.LOCK_FILE: "lock files"}


def plain(text: str, limit_chars: int) -> str:
    """Somebody else's words in one line, without what is unseen, turns text around, or parts our facts."""
    shown = "".join(each if each.isprintable() else " " for each in text)
    return clipped(" ".join(_DOTS.sub("-", shown).split()), limit_chars)


def named(ref: PullRef) -> str:
    """`acme/shop #87`."""
    return f"{plain(ref.repository, 2 * NAME_CHARS)} #{ref.number}"


def headline(facts: PullFacts) -> str:
    """`acme/shop #87 · Respect archived projects`: what leads to it."""
    return f"{named(facts.ref)} · {plain(facts.title, TITLE_CHARS)}"


def state_of(facts: PullFacts) -> str:
    """`draft`, `ready`, `merged` or `closed`."""
    match facts.state:
        case PullState.OPEN:
            return "draft" if facts.is_draft else "ready"
        case PullState.MERGED:
            return "merged"
        case PullState.CLOSED:
            return "closed"


def diff_of(facts: PullFacts) -> str:
    """Where its changes can be read."""
    return f"{facts.url}/files"


def summary_of(item: PullItem) -> str:
    """The card in one line, for notifications."""
    return stale_line(item.shown) if item.shown.is_stale else _short(item.shown.facts)


def stale_line(shown: PullShown) -> str:
    return f"The pull request moved to {plain(shown.facts.short_sha, NAME_CHARS)} since this card."


def lines_of(item: PullItem) -> list[str]:
    """What stands below the headline, a line each; none is empty."""
    facts, is_open = item.shown.facts, item.shown.facts.state is PullState.OPEN
    lines = [_figures(facts)]
    if is_open:
        lines += [_merging(item), _sensitive(facts), _changed(facts)]
    lines.append(_done(item))
    if is_open:
        lines += [_needed(item.shown), _offered(item.shown)]
    return [line for line in lines if line]


def actions_of(item: PullItem) -> list[tuple[PullAction, str]]:
    """The buttons beside "View diff", in order, with what stands on them."""
    shown = item.shown
    offered = buttons(shown.facts, is_stale=shown.is_stale, offer=shown.offer)
    return [(each, label_of(each, shown.facts)) for each in offered]


def label_of(action: PullAction, facts: PullFacts) -> str:
    """What stands on the button; an approval names the commit that it is for."""
    if action is PullAction.APPROVE:
        return f"Approve {plain(facts.short_sha, NAME_CHARS)}"
    return _LABELS[action]


def in_markdown(facts: PullFacts) -> str:
    """The card in one line of Markdown, where there are no buttons."""
    label = _MARKUP.sub(r"\\\1", headline(facts))
    shown = " · ".join([state_of(facts), _size(facts), plain(facts.short_sha, NAME_CHARS)])
    return f"[{label}]({facts.url}) · {shown}"


def _short(facts: PullFacts) -> str:
    return f"{headline(facts)} · {state_of(facts)}"


def _size(facts: PullFacts) -> str:
    files = "1 file" if facts.files == 1 else f"{facts.files} files"
    return f"{files} +{facts.additions} −{facts.deletions}"


def _figures(facts: PullFacts) -> str:
    parts = [_size(facts), plain(facts.short_sha, NAME_CHARS)]
    if facts.state is PullState.OPEN:
        parts += [_checks(facts.checks), _reviews(facts)]
    return " · ".join(filter(None, parts))


def _checks(checks: Sequence[Check]) -> str:
    """`checks 5 of 6 (lint running)`: our own one is told in words of its own."""
    theirs = sorted((one for one in checks if not one.ours), key=lambda one: not one.required)
    if not theirs:
        return "no checks"
    failed = [one.name for one in theirs if one.state is CheckState.FAILED]
    running = [one.name for one in theirs if one.state is CheckState.RUNNING]
    passed = len(theirs) - len(failed) - len(running)
    left = [f"{_names(failed)} failed"] if failed else []
    left += [f"{_names(running)} running"] if running else []
    return f"checks {passed} of {len(theirs)}" + (f" ({'; '.join(left)})" if left else "")


def _reviews(facts: PullFacts) -> str:
    match facts.decision:
        case Decision.APPROVED:
            return "approved"
        case Decision.CHANGES_REQUESTED:
            return "changes requested"
        case Decision.REVIEW_REQUIRED:
            return _missing(facts)
        case Decision.NOT_NEEDED:
            return ""


def _missing(facts: PullFacts) -> str:
    held = sum(one.state is ReviewState.APPROVED and one.writes and not one.by_bot for one in facts.reviews)
    missing = max(1, (facts.reviews_needed or 1) - held)
    asked = f"needs {missing} {'more ' if held else ''}review{'s' if missing > 1 else ''}"
    return f"{asked}, by {_names(facts.missing_owners)}" if facts.missing_owners else asked


def _merging(item: PullItem) -> str:
    """What stands between it and its base branch, or waits to merge it."""
    facts, base = item.shown.facts, plain(item.shown.facts.base, NAME_CHARS)
    if facts.queued_at is not None:
        return f"In the merge queue at place {facts.queued_at}."
    if facts.merge_state is MergeState.CONFLICTING:
        return f"{base} moved and my branch no longer merges."
    if facts.auto_merge:
        by = _name(facts.auto_merge, item, PullAction.MERGE_WHEN_GREEN)
        return f"Merges by itself once everything is green, as {by} asked."
    return f"Behind {base}." if facts.merge_state is MergeState.BEHIND else ""


def _sensitive(facts: PullFacts) -> str:
    badges = list(dict.fromkeys(map(_badge, facts.sensitive)))
    unseen = facts.files - len(facts.paths)
    said = [f"it touches {_names(badges, most=_BADGES)}"] if badges else []
    if unseen > 0:  # A code host lists so many and no more.
        said.append(f"{unseen} {'file' if unseen == 1 else 'files'} not looked at")
    return f"Look closely: {'; '.join(said)}." if said else ""


def _badge(path: str) -> str:
    """What a path that needs a careful look is called."""
    return _KINDS.get(care_for(path), path.rpartition("/")[2])


def _changed(facts: PullFacts) -> str:
    shown = [plain(_tail(path), PATH_CHARS) for path in facts.paths[:_PATHS]]
    more = facts.files - len(shown)
    # Without the first word, a file called "Approved by Eve" would be a line of ours.
    return f"Files: {', '.join(shown)}" + (f" and {more} more" if more > 0 else "") if shown else ""


def _tail(path: str) -> str:
    """The end of a path says more than its beginning."""
    return path if len(path) <= PATH_CHARS else "…" + path[1 - PATH_CHARS :]


def _done(item: PullItem) -> str:
    """`Approved by Eve · Merged by Eve as squash · ENG-142 is Done`."""
    facts = item.shown.facts
    said = [*_opinions(facts.reviews, facts), *_not_seen_yet(item)]
    match facts.state:
        case PullState.MERGED:
            by = _name(facts.merged_by, item, *_MERGES)
            said.append("Merged" + (f" by {by}" if by else "") + _as(_method(item)))
            if item.shown.issue:
                said.append(plain(item.shown.issue, TITLE_CHARS))
        case PullState.CLOSED:
            by = _name("", item, PullAction.CLOSE)
            said.append("Closed" + (f" by {by}" if by else "") + ", not merged")
        case PullState.OPEN:
            pass
    told = list(dict.fromkeys(said))
    # What ended it comes last, so the oldest opinions are left out.
    return " · ".join(told[-_PEOPLE:])


def _opinions(reviews: Iterable[CodeReview], facts: PullFacts) -> Iterator[str]:
    for one in reviews:
        by = plain(one.name or one.by, NAME_CHARS)
        asides = [
            "a bot" if one.by_bot else "",
            "" if one.writes or one.by_bot else "without write access",
            ""
            if one.sha == facts.head_sha
            else f"at {plain(one.sha[:SHORT_SHA_CHARS], NAME_CHARS)}, an earlier commit",
        ]
        said = ", ".join(filter(None, asides))
        match one.state:
            case ReviewState.APPROVED:
                yield f"Approved by {by}" + (f" ({said})" if said else "")
            case ReviewState.CHANGES_REQUESTED:
                yield f"Changes requested by {by}" + (f" ({said})" if said else "")
            case ReviewState.COMMENTED:
                continue
            case _:
                assert_never(one.state)


def _not_seen_yet(item: PullItem) -> Iterator[str]:
    """What was done since the code host was looked at."""
    facts = item.shown.facts
    for act in item.unseen:
        if act.sha != facts.head_sha:
            continue
        if act.action is PullAction.APPROVE:
            yield f"Approved by {_by(act)}"
        elif act.action is PullAction.REQUEST_CHANGES:
            yield f"Changes requested by {_by(act)}"
        elif act.action is PullAction.MERGE and facts.state is PullState.OPEN:
            yield f"Merged by {_by(act)}"


def _needed(shown: PullShown) -> str:
    """Whose review counts, while none does: those who asked for the work do not count."""
    facts = shown.facts
    if facts.is_draft or not shown.steered_by or _is_independent(shown):
        return ""
    names = [plain(name, NAME_CHARS) for name in shown.steered_by]
    more = [f"{len(names) - _PEOPLE} others"] if len(names) > _PEOPLE else []
    who = _and([*names[:_PEOPLE], *more])
    return f"Needs a review by somebody other than {who}, who asked for this."


def _is_independent(shown: PullShown) -> bool:
    """Our own check knows accounts; before it has said anything, names must do."""
    ours = [one.state for one in shown.facts.checks if one.ours]
    if ours:
        return ours[0] is CheckState.PASSED
    return any(
        one.state is ReviewState.APPROVED
        and one.writes
        and not one.by_bot
        and one.sha == shown.facts.head_sha
        and one.name not in shown.steered_by
        for one in shown.facts.reviews
    )


def _offered(shown: PullShown) -> str:
    offer = plain(shown.offer.replace("`", ""), TITLE_CHARS).rstrip(".")
    return f"I could fix this: {offer}." if offer else ""


def _name(login: str, item: PullItem, *actions: PullAction) -> str:
    """How people know who did it: by the act if it went through us, by their review, else by the login."""
    acts = [_by(act) for act in item.acts if act.action in actions]
    reviews = [one.name for one in item.shown.facts.reviews if one.by == login and one.name]
    return next(iter([*reversed(acts), *(plain(name, NAME_CHARS) for name in reviews)]), "") or plain(
        login, NAME_CHARS
    )


def _by(act: PullActed) -> str:
    return plain(said_by(act.by) if act.by.surface == "github" else act.by.name, NAME_CHARS)


def _method(item: PullItem) -> MergeMethod | None:
    """How it was merged: as the code host says, else as we asked for."""
    asked = (act.method for act in reversed(item.acts) if act.action in _MERGES)
    return item.shown.facts.merged_as or next(asked, None)


def _as(method: MergeMethod | None) -> str:
    return f" {method.how}" if method else ""


def _names(names: Sequence[str], *, most: int = _NAMES) -> str:
    shown = [plain(name.translate(_BRACKETS), NAME_CHARS) for name in names[:most]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _and(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
