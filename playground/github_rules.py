"""What GitHub decides about a pull request: whose reviews count, what is required, whether it merges."""

from collections.abc import Iterable, Iterator

from playground.github_state import Account, CheckRun, Pull, Repository, Review, Rules

RED = frozenset({"failure", "timed_out", "cancelled", "action_required", "startup_failure", "stale"})


def opinions(pull: Pull) -> dict[int, Review]:
    """The newest review with an opinion of each person."""
    newest: dict[int, Review] = {}
    for review in pull.reviews:
        if review.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
            newest[review.by.id] = review
    return newest


def latest(pull: Pull) -> dict[int, Review]:
    """The newest review of each person that was handed in."""
    return {review.by.id: review for review in pull.reviews if review.state != "PENDING"}


def pending(pull: Pull, by: Account) -> Review | None:
    """What somebody has begun to review; only they see it."""
    return next((one for one in pull.reviews if one.state == "PENDING" and one.by is by), None)


def approvals(repository: Repository, pull: Pull) -> list[Review]:
    """Those that count for the branch's rules."""
    pusher = repository.pushers.get(pull.branch)
    last_push = repository.rules_of(pull).last_push
    return [
        one
        for one in opinions(pull).values()
        if one.state == "APPROVED"
        and one.by.type == "User"
        and repository.writes(one.by)
        and one.by.id != pull.author.id
        and not (last_push and one.by.id == pusher)
    ]


def decision(repository: Repository, pull: Pull) -> str | None:
    """APPROVED, CHANGES_REQUESTED, REVIEW_REQUIRED, or None where no rule asks for reviews."""
    against = [
        one
        for one in opinions(pull).values()
        if one.state == "CHANGES_REQUESTED" and repository.writes(one.by)
    ]
    rules = repository.rules_of(pull)
    if not asks_for_reviews(rules):
        return "CHANGES_REQUESTED" if against else None
    if against:
        return "CHANGES_REQUESTED"
    given = approvals(repository, pull)
    enough = len(given) >= rules.reviews and not missing_owners(repository, pull)
    return "APPROVED" if enough else "REVIEW_REQUIRED"


def asks_for_reviews(rules: Rules) -> bool:
    return bool(rules.reviews or rules.owners)


def missing_owners(repository: Repository, pull: Pull) -> list[str]:
    given = {one.by.login for one in approvals(repository, pull)}
    return [owner for owner in repository.rules_of(pull).owners if owner not in given]


def newest_checks(repository: Repository, sha: str) -> list[CheckRun]:
    """The newest run of each name and app on a commit."""
    newest: dict[tuple[str, int], CheckRun] = {}
    for run in repository.checks:
        if run.sha == sha:
            newest[run.name, run.app_id] = run
    return list(newest.values())


def is_green(run: CheckRun) -> bool:
    return run.status == "completed" and run.conclusion in ("success", "neutral", "skipped")


def missing_checks(repository: Repository, pull: Pull) -> Iterator[str]:
    """Names of required checks that are not green on its head."""
    runs = newest_checks(repository, pull.head_sha)
    for name, app in repository.rules_of(pull).checks.items():
        mine = [one for one in runs if one.name == name and app in (None, one.app_id)]
        if not mine or not all(is_green(one) for one in mine):
            yield name


def rollup(runs: Iterable[CheckRun]) -> str | None:
    """SUCCESS, FAILURE or PENDING of all checks; None without any."""
    seen = list(runs)
    if not seen:
        return None
    if any(one.conclusion in RED for one in seen):
        return "FAILURE"
    return "SUCCESS" if all(is_green(one) for one in seen) else "PENDING"


def merge_state(repository: Repository, pull: Pull, *, conflicts: bool, behind: bool) -> str:
    """GitHub's mergeStateStatus."""
    if pull.is_draft:
        return "DRAFT"
    if conflicts:
        return "DIRTY"
    if behind and repository.rules_of(pull).is_strict:
        return "BEHIND"
    if any(blocked(repository, pull)):
        return "BLOCKED"
    if rollup(newest_checks(repository, pull.head_sha)) in ("FAILURE", "PENDING"):
        return "UNSTABLE"
    return "CLEAN"


def blocked(repository: Repository, pull: Pull) -> Iterator[str]:
    """Why the rules do not let it be merged, in GitHub's manner."""
    rules = repository.rules_of(pull)
    if asks_for_reviews(rules):
        match decision(repository, pull):
            case "REVIEW_REQUIRED":
                yield f"At least {rules.reviews} approving review is required by reviewers with write access."
            case "CHANGES_REQUESTED":
                yield "Changes were requested."
            case _:
                pass
    for name in missing_checks(repository, pull):
        yield f'Required status check "{name}" is expected.'


def refuses_review(pull: Pull, by: Account, event: str) -> str | None:
    """Why a review is refused with 422, if it is; an event of "" begins one that is pending."""
    if pending(pull, by):
        return "User can only have one pending review per pull request"
    if event == "APPROVE" and by.id == pull.author.id:
        return "Can not approve your own pull request"
    if event == "REQUEST_CHANGES" and by.id == pull.author.id:
        return "Can not request changes on your own pull request"
    if pull.is_merged and event != "COMMENT":
        return "Can not review a merged pull request"
    return None


def refuses_merge(
    repository: Repository, pull: Pull, by: Account, *, conflicts: bool, behind: bool
) -> str | None:
    """Why a merge is refused with 405, if it is. An administrator goes past the rules, as at GitHub."""
    if pull.state != "open" or conflicts:
        return "Pull Request is not mergeable"
    if pull.is_draft:
        return "Pull Request is still a draft"
    if repository.permission(by) == "admin":
        return None
    if behind and repository.rules_of(pull).is_strict:
        return "Head branch is out of date. Review and try the merge again."
    return next(blocked(repository, pull), None)
