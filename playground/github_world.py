"""What happens at the GitHub stand-in, by whoever does it: every change goes through here and is told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from playground import github_git as git
from playground import github_rules as rules
from playground import github_views as views
from playground.github_hooks import Courier
from playground.github_state import Account, CheckRun, Comment, Pull, Repository, Review, World
from playground.github_tokens import AppIdentity


class Refused(Exception):
    """GitHub says no, with this status and these words."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.more = more


class Forge:
    """The state machine: `world` is what there is, `courier` tells the app what changes."""

    def __init__(self, world: World, courier: Courier, app: AppIdentity, url: str) -> None:
        self.world = world
        self.courier = courier
        self.app = app
        self.url = url

    # Repositories and branches.

    def add_repository(self, full_name: str, folder: Path, *, base: str = "main") -> Repository:
        owner, _, name = full_name.partition("/")
        made = Repository(self.world.next_id(), owner, name, folder, base)
        self.world.repositories.append(made)
        return made

    async def pushed(self, home: Repository, branch: str, sha: str | None, by: Account) -> None:
        """A branch moved, however it did; None: it was deleted."""
        home.pushers[branch] = by.id
        for one in home.pulls.values():
            if one.branch == branch and one.state == "open":
                await self._moved(home, one, sha, by)

    async def _moved(self, home: Repository, one: Pull, sha: str | None, by: Account) -> None:
        if sha is None:
            await self.close(home, one, by)
            return
        one.head_sha = sha
        one.auto_merge = None if by.type == "User" else one.auto_merge
        if home.rules.dismiss_stale:
            for review in one.reviews:
                if review.state == "APPROVED":
                    review.state = "DISMISSED"
        self._touched(home, one, "pull_request", "synchronize", by)
        await self._settle(home, one)

    # Pull requests.

    async def open(
        self, home: Repository, *, branch: str, base: str, title: str, body: str, is_draft: bool, by: Account
    ) -> Pull:
        head = await git.head_of(home.folder, branch)
        if head is None or await git.head_of(home.folder, base) is None:
            raise Refused(422, "Validation Failed", errors=[_flaw("head" if head is None else "base")])
        if any(
            one.branch == branch and one.base == base and one.state == "open" for one in home.pulls.values()
        ):
            words = f"A pull request already exists for {home.owner}:{branch}."
            raise Refused(422, "Validation Failed", errors=[_flaw("head", words)])
        if not (await git.change_of(home.folder, base, head)).files:
            words = f"No commits between {base} and {branch}"
            raise Refused(422, "Validation Failed", errors=[_flaw("head", words)])
        now = self.world.now()
        number = max(home.pulls, default=86) + 1
        made = Pull(number, self.world.next_id(), title, body, branch, base, head, by, is_draft, now, now)
        home.pulls[number] = made
        self._touched(home, made, "pull_request", "opened", by)
        return made

    def edit(self, home: Repository, one: Pull, by: Account, *, title: str | None, body: str | None) -> None:
        one.title = one.title if title is None else title
        one.body = one.body if body is None else body
        self._touched(home, one, "pull_request", "edited", by)

    def ready(self, home: Repository, one: Pull, by: Account, *, is_draft: bool) -> None:
        one.is_draft = is_draft
        action = "converted_to_draft" if is_draft else "ready_for_review"
        self._touched(home, one, "pull_request", action, by)

    async def close(self, home: Repository, one: Pull, by: Account) -> None:
        if one.state == "open":
            one.state, one.closed_by, one.is_queued = "closed", by, False
            self._touched(home, one, "pull_request", "closed", by)

    async def review(
        self, home: Repository, one: Pull, by: Account, *, event: str, body: str, sha: str | None
    ) -> Review:
        if why := rules.refuses_review(one, by, event):
            raise Refused(422, "Unprocessable Entity", errors=[why])
        if event in ("REQUEST_CHANGES", "COMMENT") and not body.strip():
            raise Refused(422, "Unprocessable Entity", errors=["Body can't be blank"])
        state = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}[event]
        made = Review(
            self.world.next_id(), by, state, sha or one.head_sha, body, self.world.now(), home.writes(by)
        )
        one.reviews.append(made)
        self._touched(home, one, "pull_request_review", "submitted", by, review=made)
        await self._settle(home, one)
        return made

    def dismiss(self, home: Repository, one: Pull, review: Review, by: Account) -> None:
        if review.state not in ("APPROVED", "CHANGES_REQUESTED"):
            raise Refused(422, "Can not dismiss a review that is not approved or requests changes")
        review.state = "DISMISSED"
        self._touched(home, one, "pull_request_review", "dismissed", by, review=review)

    def comment(self, home: Repository, one: Pull, by: Account, body: str, *, path: str = "") -> Comment:
        made = Comment(self.world.next_id(), by, body, self.world.now(), path)
        (one.line_comments if path else one.comments).append(made)
        event = "pull_request_review_comment" if path else "issue_comment"
        self._touched(home, one, event, "created", by, comment=made)
        return made

    async def merge(self, home: Repository, one: Pull, by: Account, *, sha: str | None, method: str) -> str:
        """Merge now; the new commit."""
        if why := rules.refuses_merge(home, one, by, conflicts=await self.conflicts(home, one)):
            raise Refused(405, why)
        if sha and sha != one.head_sha:
            raise Refused(409, "Head branch was modified. Review and try the merge again.")
        if method not in home.methods:
            raise Refused(405, f"{method.title()} merges are not allowed on this repository.")
        message = f"{one.title} (#{one.number})\n\n{one.body}"
        one.merge_sha = await git.merge(home.folder, one.base, one.head_sha, method=method, message=message)
        one.state, one.merged_by, one.merged_at, one.is_queued = "closed", by, self.world.now(), False
        one.merging["method"] = method
        self._touched(home, one, "pull_request", "closed", by)
        return one.merge_sha

    async def enqueue(self, home: Repository, one: Pull, by: Account, *, sha: str | None) -> None:
        if sha and sha != one.head_sha:
            raise Refused(409, "Head branch was modified. Review and try the merge again.")
        if why := rules.refuses_merge(home, one, by, conflicts=await self.conflicts(home, one)):
            raise Refused(405, why)
        one.is_queued = True
        one.merging["by"] = by.login
        self._touched(home, one, "pull_request", "enqueued", by)

    async def merge_queue(self, home: Repository) -> None:
        """The queue gets round to everything in it."""
        for one in [one for one in home.pulls.values() if one.is_queued]:
            by = self.world.account(one.merging["by"])
            one.is_queued = False
            await self.merge(home, one, by, sha=None, method=home.methods[0])

    async def auto_merge(
        self, home: Repository, one: Pull, by: Account, *, sha: str | None, method: str
    ) -> None:
        if sha and sha != one.head_sha:
            raise Refused(422, "The head of the pull request was modified")
        if not home.auto_merge_allowed:
            raise Refused(422, "Auto merge is not allowed for this repository")
        state = await self.state(home, one)
        if state["mergeStateStatus"] in ("CLEAN", "DRAFT"):
            raise Refused(422, f"Pull request is in {state['mergeStateStatus'].lower()} status")
        one.auto_merge = (by, method)
        self._touched(home, one, "pull_request", "auto_merge_enabled", by)

    async def update_branch(self, home: Repository, one: Pull, by: Account, *, sha: str | None) -> None:
        if sha and sha != one.head_sha:
            raise Refused(422, "expected_head_sha does not match the current head")
        if await self.conflicts(home, one):
            raise Refused(422, "merge conflict between base and head")
        new = await git.update(home.folder, one.branch, one.base)
        await self.pushed(home, one.branch, new, by)

    # Checks.

    async def check(
        self, home: Repository, *, name: str, sha: str, conclusion: str | None, app_id: int, **more: str
    ) -> CheckRun:
        """A check ran, or runs (`conclusion` None); the same external id is the same run."""
        external = more.get("external_id", "")
        known = (
            one for one in home.checks if external and (one.external_id, one.app_id) == (external, app_id)
        )
        run = next(known, None)
        if run is None:
            run = CheckRun(self.world.next_id(), name, app_id, sha, "queued", external_id=external)
            home.checks.append(run)
        await self.change_check(home, run, conclusion=conclusion, **more)
        return run

    async def change_check(
        self, home: Repository, run: CheckRun, *, conclusion: str | None, **more: str
    ) -> None:
        run.status = "completed" if conclusion else more.get("status", "in_progress")
        run.conclusion = conclusion
        run.title, run.summary = more.get("title", run.title), more.get("summary", run.summary)
        pulls = [one for one in home.pulls.values() if one.head_sha == run.sha]
        told = {
            "check_run": {
                **views.check_run(run, self.app),
                "pull_requests": [{"number": one.number} for one in pulls],
            }
        }
        self._tell("check_run", "completed" if conclusion else "created", home, None, told)
        for one in pulls:
            await self._settle(home, one)

    # What follows by itself.

    async def conflicts(self, home: Repository, one: Pull) -> bool:
        return one.state == "open" and await git.conflicts(home.folder, one.base, one.head_sha)

    async def state(self, home: Repository, one: Pull) -> dict[str, Any]:
        """What a pull request is computed to be."""
        if one.state != "open":
            return {"mergeable": "UNKNOWN", "mergeStateStatus": "UNKNOWN"}
        conflicts = await self.conflicts(home, one)
        behind = await git.is_behind(home.folder, one.base, one.head_sha)
        return {
            "mergeable": "CONFLICTING" if conflicts else "MERGEABLE",
            "mergeStateStatus": rules.merge_state(home, one, conflicts=conflicts, behind=behind),
        }

    async def _settle(self, home: Repository, one: Pull) -> None:
        """Merge what somebody asked to be merged as soon as the rules are content."""
        if one.auto_merge is None or one.state != "open" or rules.blocked(home, one):
            return
        by, method = one.auto_merge
        if not one.is_draft and not await self.conflicts(home, one):
            await self.merge(home, one, by, sha=None, method=method.lower())

    def _touched(
        self, home: Repository, one: Pull, event: str, action: str, by: Account, **more: Any
    ) -> None:
        one.updated_at = self.world.now()
        told: dict[str, Any] = {"pull_request": views.pull(one, home, self.url, whole=False)}
        if isinstance(review := more.get("review"), Review):
            told["review"] = {**views.review(review, one, home, self.url), "state": review.state.lower()}
        if isinstance(comment := more.get("comment"), Comment):
            told["comment"] = views.comment(comment, one, home, self.url) | {"path": comment.path}
        if event == "issue_comment":
            told["issue"] = {"number": one.number, "pull_request": {"url": ""}}
            told.pop("pull_request")
        self._tell(event, action, home, by, told)

    def _tell(
        self, event: str, action: str, home: Repository | None, by: Account | None, told: Mapping[str, Any]
    ) -> None:
        more: dict[str, Any] = {}
        if home is not None:
            more["repository"] = views.repository(home, self.url)
        if by is not None:
            more["sender"] = views.account(by)
        self.courier.emit(event, action, {**told, **more})

    def revoked(self, by: Account) -> None:
        """Somebody took back what they had allowed the app."""
        self._tell("github_app_authorization", "revoked", None, by, {})

    def rename(self, home: Repository, name: str) -> None:
        home.old_names.add(home.full_name.lower())
        was, home.name = home.name, name
        changes = {"changes": {"repository": {"name": {"from": was}}}}
        self._tell("repository", "renamed", home, None, changes)

    def uuid(self) -> str:
        return str(uuid4())


def _flaw(field: str, message: str = "") -> dict[str, str]:
    made = {"resource": "PullRequest", "field": field, "code": "custom" if message else "invalid"}
    return made | ({"message": message} if message else {})
