"""What happens at the GitHub stand-in, by whoever does it: every change goes through here and is told."""

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any
from uuid import uuid4

from playground import github_git as git
from playground import github_rules as rules
from playground.github_between import Between, Facts
from playground.github_hooks import Courier
from playground.github_news import News
from playground.github_rights import Refused
from playground.github_state import Account, CheckRun, Comment, Merging, Pull, Repository, Review, World
from playground.github_tokens import AppIdentity

_MOVED = "Head branch was modified. Review and try the merge again."
_STATES = {"": "PENDING", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
_STATES |= {"COMMENT": "COMMENTED"}


class Forge:
    """The state machine: `world` is what there is, `courier` tells the app what changes."""

    def __init__(self, world: World, courier: Courier, app: AppIdentity, url: str) -> None:
        self.world = world
        self.courier = courier
        self.app = app
        self.url = url
        self._news = News(courier, app, url)
        self._between = Between()
        self._one_at_a_time: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    # Repositories and branches.

    def add_repository(self, full_name: str, folder: Path, *, base: str = "main") -> Repository:
        owner, _, name = full_name.partition("/")
        made = Repository(self.world.next_id(), owner, name, folder, base)
        self.world.repositories.append(made)
        return made

    def rename(self, home: Repository, name: str) -> None:
        home.old_names.add(home.full_name.lower())
        was, home.name = home.name, name
        self._news.of_rename(home, was)

    async def pushed(self, home: Repository, branch: str, sha: str | None, by: Account) -> None:
        """A branch moved, however it did; None: it was deleted."""
        home.pushers[branch] = by.id
        for one in home.pulls.values():
            if one.state == "open" and sha is None and branch in (one.branch, one.base):
                self._close(home, one, by)
            elif one.state == "open" and sha is not None and one.branch == branch:
                await self._moved(home, one, sha, by)

    async def _moved(self, home: Repository, one: Pull, sha: str, by: Account) -> None:
        one.head_sha = sha
        one.heads.append(sha)
        one.base_sha = await git.head_of(home.folder, one.base) or one.base_sha
        self._touched(home, one, "synchronize", by)
        if home.rules_of(one).dismiss_stale:
            for review in one.reviews:
                if review.state == "APPROVED":
                    review.state = "DISMISSED"
                    self._news.of_review(home, one, review, "dismissed", by)
        if by.type == "User" and not home.writes(by):
            self.end_auto_merge(home, one, by)
        self.dequeue(home, one, by)
        await self.settle(home, one)

    # Pull requests.

    async def open(
        self, home: Repository, *, branch: str, base: str, title: str, body: str, is_draft: bool, by: Account
    ) -> Pull:
        head, onto = await git.head_of(home.folder, branch), await git.head_of(home.folder, base)
        if head is None or onto is None:
            raise Refused(422, "Validation Failed", errors=[_flaw("head" if head is None else "base")])
        self._demand_alone(home, branch, base)
        if not (await git.change_of(home.folder, base, head)).files:
            words = f"No commits between {base} and {branch}"
            raise Refused(422, "Validation Failed", errors=[_flaw("head", words)])
        now = self.world.now()
        number = max(home.pulls, default=86) + 1
        made = Pull(number, self.world.next_id(), title, body, branch, base, head, by, is_draft, now, now)
        made.base_sha, made.heads = onto, [head]
        home.pulls[number] = made
        self._touched(home, made, "opened", by)
        return made

    def _demand_alone(self, home: Repository, branch: str, base: str) -> None:
        if any((one.branch, one.base, one.state) == (branch, base, "open") for one in home.pulls.values()):
            words = f"A pull request already exists for {home.owner}:{branch}."
            raise Refused(422, "Validation Failed", errors=[_flaw("head", words)])

    def edit(self, home: Repository, one: Pull, by: Account, *, title: str | None, body: str | None) -> None:
        one.title = one.title if title is None else title
        one.body = one.body if body is None else body
        self._touched(home, one, "edited", by)

    async def retarget(self, home: Repository, one: Pull, by: Account, base: str) -> None:
        onto = await git.head_of(home.folder, base)
        if onto is None or one.state != "open":
            raise Refused(422, "Validation Failed", errors=[_flaw("base")])
        self._demand_alone(home, one.branch, base)
        one.base, one.base_sha = base, onto
        if not home.writes(by):
            self.end_auto_merge(home, one, by)
        self._touched(home, one, "edited", by)

    def ready(self, home: Repository, one: Pull, by: Account, *, is_draft: bool) -> None:
        if one.is_draft != is_draft:
            one.is_draft = is_draft
            self._touched(home, one, "converted_to_draft" if is_draft else "ready_for_review", by)

    async def close(self, home: Repository, one: Pull, by: Account) -> None:
        if one.state == "open":
            self._close(home, one, by)

    def _close(self, home: Repository, one: Pull, by: Account) -> None:
        one.state, one.closed_by, one.closed_at = "closed", by, self.world.now()
        one.queued_by = one.auto_merge = None
        self._touched(home, one, "closed", by)

    async def reopen(self, home: Repository, one: Pull, by: Account) -> None:
        head = await git.head_of(home.folder, one.branch)
        if one.state == "open":
            return
        if one.is_merged or head is None or await git.head_of(home.folder, one.base) is None:
            raise Refused(422, "Validation Failed", errors=[_flaw("state", "state cannot be changed.")])
        self._demand_alone(home, one.branch, one.base)
        one.state, one.closed_by, one.closed_at = "open", None, None
        self._touched(home, one, "reopened", by)
        if head != one.head_sha:
            await self._moved(home, one, head, by)

    # Reviews and comments.

    async def review(
        self, home: Repository, one: Pull, by: Account, *, event: str, body: str, sha: str | None
    ) -> Review:
        """A review of a commit, by default of the head; an event of "" begins one that only `by` sees."""
        if why := rules.refuses_review(one, by, event):
            raise Refused(422, "Unprocessable Entity", errors=[why])
        if event in ("REQUEST_CHANGES", "COMMENT") and not body.strip():
            raise Refused(422, "Unprocessable Entity", errors=["Body can't be blank"])
        if sha not in (None, *one.heads) and not await self._has_commit(home, one, sha or ""):
            raise Refused(422, "Unprocessable Entity", errors=["commit_id is not part of the pull request"])
        made = Review(
            self.world.next_id(),
            by,
            _STATES[event],
            sha or one.head_sha,
            body,
            self.world.now(),
            home.writes(by),
        )
        one.reviews.append(made)
        await self._handed_in(home, one, made)
        return made

    async def _has_commit(self, home: Repository, one: Pull, sha: str) -> bool:
        return await git.has(home.folder, one.base_sha, one.head_sha, sha)

    async def submit(self, home: Repository, one: Pull, review: Review, *, event: str, body: str) -> None:
        """Hand in what was pending."""
        one.reviews.remove(review)
        if why := rules.refuses_review(one, review.by, event):
            one.reviews.append(review)
            raise Refused(422, "Unprocessable Entity", errors=[why])
        review.state, review.body, review.at = _STATES[event], body or review.body, self.world.now()
        one.reviews.append(review)
        await self._handed_in(home, one, review)

    async def _handed_in(self, home: Repository, one: Pull, review: Review) -> None:
        if review.state == "PENDING":
            return
        one.updated_at = self.world.now()
        self._news.of_review(home, one, review, "submitted", review.by)
        await self.settle(home, one)

    def dismiss(self, home: Repository, one: Pull, review: Review, by: Account) -> None:
        if review.state not in ("APPROVED", "CHANGES_REQUESTED"):
            words = "Can not dismiss a review that is not approved or requests changes"
            raise Refused(422, "Unprocessable Entity", errors=[words])
        review.state = "DISMISSED"
        one.updated_at = self.world.now()
        self._news.of_review(home, one, review, "dismissed", by)

    def comment(self, home: Repository, one: Pull, by: Account, body: str, *, path: str = "") -> Comment:
        made = Comment(self.world.next_id(), by, body, self.world.now(), path)
        (one.line_comments if path else one.comments).append(made)
        one.updated_at = self.world.now()
        self._news.of_comment(home, one, made, by)
        return made

    # Merging.

    async def demand_merge(
        self, home: Repository, one: Pull, by: Account, *, sha: str | None, method: str
    ) -> None:
        """Raises Refused: It cannot be merged now, by this person, at this commit."""
        if why := await self._refuses_merge(home, one, by):
            raise Refused(405, why)
        if sha and sha != one.head_sha:
            raise Refused(409, _MOVED)
        if method not in home.methods:
            raise Refused(405, f"{method.title()} merges are not allowed on this repository.")

    async def _refuses_merge(self, home: Repository, one: Pull, by: Account) -> str | None:
        facts = await self._facts_of(home, one)
        return rules.refuses_merge(home, one, by, conflicts=facts.conflicts, behind=facts.is_behind)

    async def merge(self, home: Repository, one: Pull, by: Account, *, sha: str | None, method: str) -> str:
        """Merge now, nothing else meanwhile; the new commit."""
        async with self._one_at_a_time[home.id]:
            return await self._merge(home, one, by, sha=sha, method=method)

    async def _merge(self, home: Repository, one: Pull, by: Account, *, sha: str | None, method: str) -> str:
        await self.demand_merge(home, one, by, sha=sha, method=method)
        base = await git.head_of(home.folder, one.base)
        message = f"{one.title} (#{one.number})\n\n{one.body}"
        new = await git.merge(home.folder, one.base, one.head_sha, method=method, message=message)
        if new is None:
            raise Refused(405, "This branch can't be rebased due to conflicts")
        one.base_sha = base or one.base_sha
        one.merge_sha, one.merged_by, one.merged_at = new, by, self.world.now()
        one.state, one.closed_at = "closed", one.merged_at
        one.queued_by = one.auto_merge = None
        self._touched(home, one, "closed", by)
        return new

    async def begin_merge(
        self, home: Repository, one: Pull, by: Account, *, sha: str | None, method: str
    ) -> Merging:
        """A merge in the background, which `finish_merge` ends."""
        await self.demand_merge(home, one, by, sha=sha, method=method)
        one.merging = Merging(str(uuid4()), by, sha or one.head_sha, method)
        return one.merging

    async def finish_merge(self, home: Repository, one: Pull) -> None:
        under_way = one.merging
        if under_way is None or under_way.outcome is not None:
            return
        try:
            new = await self.merge(home, one, under_way.by, sha=under_way.sha, method=under_way.method)
            under_way.outcome = {"status": "merged", "details": {"message": "merged", "sha": new}}
        except Refused as refused:
            under_way.outcome = {"status": "failed", "details": {"message": str(refused)}}

    async def enqueue(self, home: Repository, one: Pull, by: Account, *, sha: str | None) -> None:
        if not home.rules_of(one).has_queue:
            raise Refused(422, "Merge queue is not enabled for this branch")
        await self.demand_merge(home, one, by, sha=sha, method=home.methods[0])
        one.queued_by = by
        self._touched(home, one, "enqueued", by)

    def dequeue(self, home: Repository, one: Pull, by: Account) -> None:
        if one.is_queued:
            one.queued_by = None
            self._touched(home, one, "dequeued", by)

    async def merge_queue(self, home: Repository) -> None:
        """The queue gets round to everything in it; what the rules do not let through any more leaves it."""
        for one in list(home.pulls.values()):
            if (by := one.queued_by) is None:
                continue
            if await self._refuses_merge(home, one, by):
                self.dequeue(home, one, by)
            else:
                await self.merge(home, one, by, sha=None, method=home.methods[0])

    async def auto_merge(
        self, home: Repository, one: Pull, by: Account, *, sha: str | None, method: str
    ) -> None:
        if sha and sha != one.head_sha:
            raise Refused(422, "The head of the pull request was modified")
        if one.state != "open":
            raise Refused(422, "Pull request is closed")
        if not home.auto_merge_allowed or method.lower() not in home.methods:
            raise Refused(422, "Auto merge is not allowed for this repository")
        state = (await self._computed(home, one))["mergeStateStatus"]
        if state in ("CLEAN", "DRAFT", "UNSTABLE"):
            raise Refused(422, f"Pull request is in {state.lower()} status")
        one.auto_merge = (by, method)
        self._touched(home, one, "auto_merge_enabled", by)

    def end_auto_merge(self, home: Repository, one: Pull, by: Account) -> None:
        if one.auto_merge is not None:
            one.auto_merge = None
            self._touched(home, one, "auto_merge_disabled", by)

    async def update_branch(self, home: Repository, one: Pull, by: Account, *, sha: str | None) -> None:
        if one.state != "open":
            raise Refused(422, "Pull request is closed")
        if sha and sha != one.head_sha:
            raise Refused(422, "expected_head_sha does not match the current head")
        if not (await self._facts_of(home, one)).is_behind:
            raise Refused(422, "There are no new commits on the base branch.")
        new = await git.update(home.folder, one.branch, one.base)
        if new is None:
            raise Refused(422, "merge conflict between base and head")
        await self.pushed(home, one.branch, new, by)

    # Checks.

    async def check(
        self, home: Repository, *, name: str, sha: str, conclusion: str | None, app_id: int, **more: Any
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
        self, home: Repository, run: CheckRun, *, conclusion: str | None, **more: Any
    ) -> None:
        run.status = "completed" if conclusion else more.get("status", "in_progress")
        run.conclusion = conclusion
        run.title, run.summary = more.get("title", run.title), more.get("summary", run.summary)
        run.annotations, run.log = more.get("annotations", run.annotations), more.get("log", run.log)
        self._news.of_check(home, run)
        for one in home.pulls.values():
            if one.head_sha == run.sha:
                await self.settle(home, one)

    # What follows by itself.

    async def change(self, home: Repository, one: Pull) -> git.Change:
        """What it changes; of a merged one, what it changed."""
        return (await self._facts_of(home, one)).change

    async def _facts_of(self, home: Repository, one: Pull) -> Facts:
        tip = await git.head_of(home.folder, one.base) if one.state == "open" else None
        return await self._between.of(home, tip or one.base_sha, one.head_sha)

    async def state(self, home: Repository, one: Pull) -> dict[str, Any]:
        """What a pull request is computed to be; with `computes`, the first look only starts that."""
        unknown = {"mergeable": "UNKNOWN", "mergeStateStatus": "UNKNOWN"}
        if one.state != "open":
            return unknown
        if self.world.switches.computes:
            now = (one.head_sha, await git.head_of(home.folder, one.base) or "")
            was, one.looked = one.looked, now
            if was != now:
                return unknown
        return await self._computed(home, one)

    async def _computed(self, home: Repository, one: Pull) -> dict[str, Any]:
        facts = await self._facts_of(home, one)
        state = rules.merge_state(home, one, conflicts=facts.conflicts, behind=facts.is_behind)
        return {"mergeable": "CONFLICTING" if facts.conflicts else "MERGEABLE", "mergeStateStatus": state}

    async def settle(self, home: Repository, one: Pull) -> None:
        """Merge what somebody asked to be merged as soon as the rules are content."""
        if one.auto_merge is None or one.state != "open":
            return
        by, method = one.auto_merge
        state = (await self._computed(home, one))["mergeStateStatus"]
        if state not in ("CLEAN", "UNSTABLE") or not home.writes(by):
            return
        if home.rules_of(one).has_queue:
            one.auto_merge = None
            await self.enqueue(home, one, by, sha=None)
            return
        try:
            await self.merge(home, one, by, sha=None, method=method.lower())
        except Refused:  # Its commits cannot be replayed.
            self.end_auto_merge(home, one, by)

    def _touched(self, home: Repository, one: Pull, action: str, by: Account) -> None:
        one.updated_at = self.world.now()
        self._news.of_pull(home, one, action, by)

    # The app.

    def revoked(self, by: Account) -> None:
        """Somebody took back what they had allowed the app."""
        self._news.tell("github_app_authorization", "revoked", None, by, {})

    def installed(self, action: str, by: Account) -> None:
        """Somebody installed the app, or took it away."""
        self._news.tell("installation", action, None, by, {})


def _flaw(field: str, message: str = "") -> dict[str, str]:
    made = {"resource": "PullRequest", "field": field, "code": "custom" if message else "invalid"}
    return made | ({"message": message} if message else {})
