"""What people do with a pull request, with their own authority: every method takes a `UserToken` alone.

There is no other way to review or merge in this package. Nothing here asks whether the person may: GitHub
does, and before that the policy of whoever calls.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from github.client import GitHubClient
from github.credentials import UserToken, only_user
from github.errors import Conflict, HeadMoved, Invalid
from github.look import PullState
from github.model import Pull, Review, read
from github.paths import path, sha_of
from github.probe import marked, marker, once
from github.sansio import Call
from github.wire import Wire

Event = Literal["APPROVE", "REQUEST_CHANGES", "COMMENT"]
MergeMethod = Literal["merge", "squash", "rebase"]


class GitHubActs:
    """A person's acts at one GitHub; every method raises `GitHubError`, and TypeError for a foreign token.

    Each may be called again after any failure: what was done is found and not done twice.
    """

    def __init__(self, wire: Wire, client: GitHubClient) -> None:
        self._wire = wire
        self._client = client

    async def review(
        self, as_: UserToken, repo: str, number: int, *, sha: str, event: Event, body: str, op: str
    ) -> Review:
        """Give a review of the commit `sha`, once for each `op` (a UUID).

        GitHub does not compare `sha` with the head: read the head afterwards, and `withdraw` if it moved.

        Args:
            body: Markdown; GitHub asks for it with REQUEST_CHANGES and COMMENT. A comment nobody sees is
                added to it, by which the review is found again.

        Raises:
            Invalid: GitHub's words: the author's own pull request, an unknown commit, ...
        """
        user = only_user(as_)
        place = f"{_pull_path(repo, number)}/reviews"
        fields = {"commit_id": sha_of(sha), "event": event, "body": marked(body, op)}

        async def act() -> Review:
            answer = await self._wire.send(user, Call("POST", place, body=fields))
            return read(Review, answer.json, about="a new review", maybe_done=True)

        async def probe() -> Review | None:
            return await self.find_review(user, repo, number, op=op)

        if (given := await probe()) is not None:
            return given
        return await once(self._wire.pace, act, probe)

    async def find_review(self, as_: UserToken, repo: str, number: int, *, op: str) -> Review | None:
        """The review that this person gave for `op`; None if they did not."""
        user = only_user(as_)
        for review in await self._client.reviews(user, repo, number):
            # Not by its commit, which GitHub may change; nobody else can know the marker before it is there.
            if review.user and review.user.id == user.user_id and marker(op) in review.body:
                return review
        return None

    async def withdraw(self, as_: UserToken, repo: str, number: int, *, review: int, reason: str) -> None:
        """Dismiss a review of one's own; one that is dismissed already is no error.

        Raises:
            Forbidden: The branch lets only certain people dismiss reviews.
        """
        user = only_user(as_)
        base = path("/repos/{repo}/pulls/{number}/reviews/{id}", repo=repo, number=number, id=review)
        fields = {"message": reason, "event": "DISMISS"}
        answer = await self._wire.send(
            user, Call("PUT", f"{base}/dismissals", body=fields, also=frozenset({422}))
        )
        if answer.status == 422 and not await self._is_withdrawn(user, repo, number, review):
            raise Invalid("the review cannot be dismissed")

    async def mark_ready(self, as_: UserToken, repo: str, number: int) -> PullState:
        """Turn a draft into a pull request for review."""
        return await self._changed(as_, repo, number, "MarkReady", lambda state: not state.is_draft)

    async def convert_to_draft(self, as_: UserToken, repo: str, number: int) -> PullState:
        """Turn it back into a draft."""
        return await self._changed(as_, repo, number, "ConvertToDraft", lambda state: state.is_draft)

    async def enable_auto_merge(
        self, as_: UserToken, repo: str, number: int, *, sha: str, method: MergeMethod
    ) -> PullState:
        """Have GitHub merge the head `sha` as soon as its rules are content.

        Raises:
            HeadMoved: The head is another.
            Invalid: GitHub's words: not allowed in this repository, nothing to wait for, ...
        """
        more = {"expectedHeadOid": sha_of(sha), "mergeMethod": method.upper()}
        return await self._changed(as_, repo, number, "EnableAutoMerge", _waits, more, sha=sha)

    async def disable_auto_merge(self, as_: UserToken, repo: str, number: int) -> PullState:
        """Take that back."""
        return await self._changed(as_, repo, number, "DisableAutoMerge", _waits_for_nothing)

    async def enqueue(self, as_: UserToken, repo: str, number: int, *, sha: str) -> PullState:
        """Put the head `sha` into the merge queue of its branch; raises as `enable_auto_merge` does."""
        more = {"expectedHeadOid": sha_of(sha)}
        return await self._changed(as_, repo, number, "Enqueue", _is_queued, more, sha=sha)

    async def dequeue(self, as_: UserToken, repo: str, number: int) -> PullState:
        """Take it out of the queue."""
        return await self._changed(as_, repo, number, "Dequeue", lambda state: not state.is_in_merge_queue)

    async def update_branch(self, as_: UserToken, repo: str, number: int, *, sha: str) -> None:
        """Merge the base branch into the head `sha`; GitHub does it soon after it answers.

        Raises:
            HeadMoved: The head is another.
            Invalid: GitHub's words: conflicts, nothing to merge, ...
        """
        user = only_user(as_)
        call = Call(
            "PUT", f"{_pull_path(repo, number)}/update-branch", body={"expected_head_sha": sha_of(sha)}
        )

        async def act() -> bool:
            await self._wire.send(user, call)
            return True

        async def probe() -> bool | None:
            state = await self._client.pull_state(user, repo, number)
            return True if state.head_ref_oid != sha else None

        try:
            await once(self._wire.pace, act, probe)
        except Invalid:
            if await probe():
                raise HeadMoved("the head is another by now") from None
            raise

    async def close(self, as_: UserToken, repo: str, number: int) -> Pull:
        """Close it without merging; a closed one stays closed."""
        call = Call("PATCH", _pull_path(repo, number), body={"state": "closed"})
        answer = await self._wire.send(only_user(as_), call)
        return read(Pull, answer.json, about="a pull request", maybe_done=True)

    async def _changed(
        self,
        as_: UserToken,
        repo: str,
        number: int,
        operation: str,
        is_so: Callable[[PullState], bool],
        more: Mapping[str, Any] | None = None,
        *,
        sha: str | None = None,
    ) -> PullState:
        """Have a mutation make `is_so` true, unless it is; `sha` is the head that it is about."""
        user = only_user(as_)
        before = await self._client.pull_state(user, repo, number)
        if is_so(before):
            return before
        check_head(before, sha)
        named = {"id" if operation == "Dequeue" else "pullRequestId": before.id, **(more or {})}

        async def act() -> PullState:
            await self._wire.ask(user, operation, {"input": named})
            return await self._client.pull_state(user, repo, number)

        async def probe() -> PullState | None:
            now = await self._client.pull_state(user, repo, number)
            return now if is_so(now) else None

        try:
            return await once(self._wire.pace, act, probe)
        except (Invalid, Conflict):
            check_head(await self._client.pull_state(user, repo, number), sha)
            raise

    async def _is_withdrawn(self, user: UserToken, repo: str, number: int, review: int) -> bool:
        found = [one for one in await self._client.reviews(user, repo, number) if one.id == review]
        return all(one.state == "DISMISSED" for one in found)


def check_head(state: PullState, sha: str | None) -> None:
    """Raises HeadMoved, with the head of now, unless `sha` is it, or None."""
    if sha is not None and state.head_ref_oid != sha:
        raise HeadMoved(state.head_ref_oid)


def _waits(state: PullState) -> bool:
    return state.auto_merge_request is not None or state.merged


def _waits_for_nothing(state: PullState) -> bool:
    return state.auto_merge_request is None


def _is_queued(state: PullState) -> bool:
    return state.is_in_merge_queue or state.merged


def _pull_path(repo: str, number: int) -> str:
    return path("/repos/{repo}/pulls/{number}", repo=repo, number=number)
