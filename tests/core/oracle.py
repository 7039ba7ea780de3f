"""Who may do what with a pull request, written a second time: a list of rules, first match wins.

Made from the rules in words, not from `core.policy`: a case is plain data, and the outcome a short word.
"""

from collections.abc import Callable, Mapping
from typing import Any

Case = Mapping[str, Any]
Rule = tuple[str, Callable[[Case], bool], Callable[[Case], str]]

MERGING = ("merge", "merge_when_green")
FOR_THE_PULL_REQUEST_AS_IT_IS = ("comment", "ready", "fix")


def _may_do_without_an_account(case: Case) -> bool:
    """To ask the agent for something is a prompt; asking for changes is one for whom the work is for."""
    return case["action"] == "fix" or (case["action"] == "request_changes" and bool(case["steered"]))


def _may(case: Case) -> bool:
    match case["action"]:
        case "comment":
            return bool(case["sees"])
        case "fix":
            return bool(case["writes"] or case["steered"] or not case["known"])
        case "request_changes":
            return bool(case["writes"] or case["steered"])
        case "ready" | "close":
            return bool(case["writes"] or case["steered"] or case["is_author"])
        case _:
            return bool(case["writes"])


def _is_green(case: Case) -> bool:
    """Required checks passed, reviews complete, nothing else in the way."""
    return case["checks"] in ("green", "optional red") and case["decision"] in ("approved", "not needed")


def _moved(case: Case) -> bool:
    return case["head"] != "same" and case["action"] not in FOR_THE_PULL_REQUEST_AS_IT_IS


def _is_troubled(case: Case) -> bool:
    return case["checks"] in ("red", "conflicts")


RULES: tuple[Rule, ...] = (
    ("readers", lambda c: c["reads_only"], lambda _: "deny person.guest"),
    ("bots", lambda c: c["bot"], lambda _: "deny person.denied"),
    ("unlinked", lambda c: not c["linked"] and not _may_do_without_an_account(c), lambda _: "link"),
    ("over", lambda c: c["state"] in ("merged", "closed"), lambda _: "deny pr.closed"),
    ("moved", _moved, lambda _: "deny pr.stale"),
    ("strangers", lambda c: not _may(c), lambda _: "deny person.denied"),
    ("own work", lambda c: c["action"] == "approve" and c["is_author"], lambda _: "deny pr.yours"),
    ("draft", lambda c: c["action"] == "approve" and c["state"] == "draft", lambda _: "deny pr.protected"),
    (
        "approve",
        lambda c: c["action"] == "approve",
        lambda c: "allow, not counted" if c["steered"] else "allow",
    ),
    (
        "request changes",
        lambda c: c["action"] == "request_changes",
        lambda c: "prompt" if c["steered"] or c["is_author"] else "allow",
    ),
    ("update", lambda c: c["action"] == "update_branch", lambda _: "allow"),
    ("comment", lambda c: c["action"] == "comment", lambda _: "allow"),
    (
        "ready",
        lambda c: c["action"] == "ready",
        lambda c: "allow" if c["state"] == "draft" else "deny pr.stale",
    ),
    ("fix", lambda c: c["action"] == "fix", lambda c: "prompt" if _is_troubled(c) else "deny pr.stale"),
    ("close", lambda c: c["action"] == "close", lambda c: "allow" if c["sure"] else "confirm"),
    ("busy", lambda c: c["state"] == "busy", lambda _: "deny pr.stale"),
    ("no draft merges", lambda c: c["state"] == "draft", lambda _: "deny pr.protected"),
    ("conflicts", lambda c: c["checks"] == "conflicts", lambda _: "deny repo.conflict"),
    ("another way to merge", lambda c: not c["method_fits"], lambda _: "deny pr.protected"),
    ("alone", lambda c: not c["independent"], lambda _: "deny pr.protected"),
    ("not green", lambda c: c["action"] == "merge" and not _is_green(c), lambda _: "deny pr.protected"),
    ("asked once", lambda c: c["action"] in MERGING and not c["sure"], lambda _: "confirm"),
    ("merge", lambda c: c["action"] in MERGING, lambda _: "allow"),
)


def outcome(case: Case) -> str:
    """ "allow", "allow, not counted", "prompt", "link", "confirm" or "deny <code>"."""
    return next(result(case) for _, applies, result in RULES if applies(case))
