"""What the GitHub stand-in tells the app when something happens: the bodies of its webhooks."""

from collections.abc import Mapping
from typing import Any, Final

from playground import github_rules as rules
from playground import github_views as views
from playground.github_hooks import Courier
from playground.github_state import Account, CheckRun, Comment, Pull, Repository, Review
from playground.github_tokens import AppIdentity

UNASKED: Final = frozenset({"github_app_authorization", "installation", "installation_repositories"})
"""Every app gets these."""


class News:
    """Gives events to the courier, if the app has subscribed to them."""

    def __init__(self, courier: Courier, app: AppIdentity, url: str) -> None:
        self._courier = courier
        self._app = app
        self._url = url

    def of_pull(self, home: Repository, one: Pull, action: str, by: Account) -> None:
        self._of(home, one, "pull_request", action, by, {})

    def of_review(self, home: Repository, one: Pull, review: Review, action: str, by: Account) -> None:
        told = {**views.review(review, one, home, self._url), "state": review.state.lower()}
        self._of(home, one, "pull_request_review", action, by, {"review": told})

    def of_comment(self, home: Repository, one: Pull, comment: Comment, by: Account) -> None:
        told = views.comment(comment, one, home, self._url) | {"path": comment.path}
        if comment.path:
            self._of(home, one, "pull_request_review_comment", "created", by, {"comment": told})
            return
        place = f"{self._url}/repos/{home.full_name}/pulls/{one.number}"
        issue = {"number": one.number, "pull_request": {"url": place}}
        self.tell("issue_comment", "created", home, by, {"comment": told, "issue": issue})

    def of_check(self, home: Repository, run: CheckRun) -> None:
        """With the last check of an app its suite is over, and the workflow that ran it."""
        pulls = [{"number": one.number} for one in home.pulls.values() if one.head_sha == run.sha]
        told = {"check_run": {**views.check_run(run, self._app), "pull_requests": pulls}}
        self.tell("check_run", "completed" if run.conclusion else "created", home, None, told)
        mine = [one for one in rules.newest_checks(home, run.sha) if one.app_id == run.app_id]
        if any(one.status != "completed" for one in mine):
            return
        whole = {
            "id": views.suite_of(run.sha, run.app_id),
            "head_sha": run.sha,
            "status": "completed",
            "conclusion": (rules.rollup(mine) or "").lower(),
            "pull_requests": pulls,
        }
        slug = views.slug_of(run.app_id, self._app)
        suite = {**whole, "app": {"id": run.app_id, "slug": slug}}
        self.tell("check_suite", "completed", home, None, {"check_suite": suite})
        if run.app_id == views.OTHER_APP:
            self.tell("workflow_run", "completed", home, None, {"workflow_run": {**whole, "name": "CI"}})

    def of_rename(self, home: Repository, was: str) -> None:
        changes = {"changes": {"repository": {"name": {"from": was}}}}
        self.tell("repository", "renamed", home, None, changes)

    def _of(
        self,
        home: Repository,
        one: Pull,
        event: str,
        action: str,
        by: Account,
        more: Mapping[str, Any],
    ) -> None:
        told = {"number": one.number, "pull_request": views.pull(one, home, self._url, whole=False), **more}
        self.tell(event, action, home, by, told)

    def tell(
        self,
        event: str,
        action: str,
        home: Repository | None,
        by: Account | None,
        told: Mapping[str, Any],
    ) -> None:
        if event not in self._app.events | UNASKED:
            return
        about = {"repository": views.repository(home, self._url)} if home else {}
        sender = {"sender": views.account(by)} if by else {}
        self._courier.emit(event, action, {**told, **about, **sender})
