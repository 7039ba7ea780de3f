"""Who may do what with a pull request, written a second time: a list of rules, first match wins.

Made from the rules in words, not from `core.policy`: a case is plain data, and the outcome a short word.
"""

from collections.abc import Callable, Mapping
from typing import Any

Case = Mapping[str, Any]
Rule = tuple[str, Callable[[Case], bool], Callable[[Case], str]]

MERGING = ("merge", "merge_when_green")


def _own(case: Case) -> bool:
    return bool(case["is_author"])


def _is_linked(case: Case) -> bool:
    return bool(case["linked"])


def _steers_back(case: Case) -> bool:
    """Asking for changes of one's own work is a prompt, for which no account is needed."""
    return case["action"] == "request_changes" and bool(case["steered"])


def _may(case: Case) -> bool:
    if case["action"] == "request_changes" and case["steered"]:
        return True
    return bool(case["writes"])


def _is_green(case: Case) -> bool:
    """Required checks passed, reviews complete, somebody independent approved, nothing else in the way."""
    return (
        case["checks"] in ("green", "optional red")
        and case["decision"] in ("approved", "not needed")
        and case["independent"]
        and not case["conflicts"]
    )


RULES: tuple[Rule, ...] = (
    ("readers", lambda c: c["reads_only"], lambda _: "deny person.guest"),
    ("bots", lambda c: c["bot"], lambda _: "deny person.denied"),
    ("unlinked", lambda c: not _is_linked(c) and not _steers_back(c), lambda _: "link"),
    ("over", lambda c: c["state"] in ("merged", "closed"), lambda _: "deny pr.closed"),
    ("moved", lambda c: c["head"] != "same", lambda _: "deny pr.stale"),
    ("strangers", lambda c: not _may(c), lambda _: "deny person.denied"),
    ("own work", lambda c: c["action"] == "approve" and _own(c), lambda _: "deny pr.yours"),
    ("draft", lambda c: c["action"] == "approve" and c["state"] == "draft", lambda _: "deny pr.protected"),
    (
        "approve",
        lambda c: c["action"] == "approve",
        lambda c: "allow, not counted" if c["steered"] else "allow",
    ),
    (
        "request changes",
        lambda c: c["action"] == "request_changes",
        lambda c: "prompt" if c["steered"] or _own(c) else "allow",
    ),
    ("update", lambda c: c["action"] == "update_branch", lambda _: "allow"),
    ("busy", lambda c: c["state"] == "busy", lambda _: "deny pr.stale"),
    ("no draft merges", lambda c: c["state"] == "draft", lambda _: "deny pr.protected"),
    ("conflicts", lambda c: c["conflicts"], lambda _: "deny repo.conflict"),
    ("not green", lambda c: c["action"] == "merge" and not _is_green(c), lambda _: "deny pr.protected"),
    ("asked once", lambda c: c["action"] in MERGING and not c["sure"], lambda _: "confirm"),
    ("merge", lambda c: c["action"] in MERGING, lambda _: "allow"),
)


def outcome(case: Case) -> str:
    """ "allow", "allow, not counted", "prompt", "link", "confirm" or "deny <code>"."""
    return next(result(case) for _, applies, result in RULES if applies(case))
