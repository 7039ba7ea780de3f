"""Merging as a person, pinned to the commit that they saw: never twice, never another one."""

from dataclasses import dataclass
from typing import Final

from github.acts import GitHubActs, MergeMethod, check_head
from github.answers import words_of
from github.client import GitHubClient
from github.credentials import UserToken, only_user
from github.errors import Conflict, HeadMoved, NotFound, NotMergeable, Transient
from github.look import PullState
from github.model import DirectMerge, MergeOutcome, read
from github.paths import path, sha_of
from github.probe import once
from github.sansio import Call
from github.wire import Wire

OUTCOME_PAUSES_S: Final = (1.0, 1.0, 2.0, 4.0, 8.0)
"""Between looks at a merge in the background."""

_READ_HERE: Final = frozenset({400, 409})
_OUTCOMES: Final = frozenset({"pending", "merged", "enqueued", "failed"})


@dataclass(frozen=True, slots=True)
class Merge:
    """What became of it: merged, or waiting in the queue of the branch."""

    is_merged: bool
    is_queued: bool = False


_MERGED: Final = Merge(is_merged=True)
_QUEUED: Final = Merge(is_merged=False, is_queued=True)


class GitHubMerging:
    """Merges at one GitHub; see `GitHubActs` for what is raised.

    GitHub lets an administrator's merge pass its rules: who calls has to look at them first.
    """

    def __init__(self, wire: Wire, client: GitHubClient, acts: GitHubActs) -> None:
        self._wire = wire
        self._client = client
        self._acts = acts

    async def merge(self, as_: UserToken, repo: str, number: int, *, sha: str, method: MergeMethod) -> Merge:
        """Merge the head `sha`, by the queue where its branch has one.

        May be called again after any failure; what is merged or under way already is found.

        Raises:
            HeadMoved: The head is another; nothing was merged.
            NotMergeable: GitHub's words: a draft, conflicts, rules that are not content, ...
            Transient: With `maybe_done` when it is still under way; without when somebody else was faster.
        """
        user = only_user(as_)
        fields = {"sha": sha_of(sha), "merge_method": method, "merge_action": "default"}
        call = Call("PUT", f"{_pull_path(repo, number)}/merge-async", body=fields, also=_READ_HERE)

        async def act() -> MergeOutcome:
            answer = await self._wire.send(user, call)
            outcome = read(MergeOutcome, answer.json, about="a merge", maybe_done=True)
            if answer.status in _READ_HERE and outcome.status not in _OUTCOMES:
                raise NotMergeable(words_of(answer.json) or f"HTTP {answer.status}")
            return outcome

        async def probe() -> MergeOutcome | None:
            return _outcome_in(await self._client.pull_state(user, repo, number))

        try:
            outcome = await once(self._wire.pace, act, probe)
        except NotFound:  # Enterprise servers have no such call yet.
            return await self._merge_directly(user, repo, number, sha=sha, method=method)
        return await self._settled(user, repo, number, sha, outcome)

    async def _settled(
        self, user: UserToken, repo: str, number: int, sha: str, outcome: MergeOutcome
    ) -> Merge:
        """Wait until a merge in the background has an end."""
        for pause_s in OUTCOME_PAUSES_S:
            if outcome.status != "pending":
                break
            if outcome.expected_head_sha not in {"", sha}:
                raise HeadMoved("another head is being merged")
            await self._wire.pace.sleep(pause_s)
            outcome = await self._outcome(user, repo, number, outcome)
        if outcome.status == "pending":
            raise Transient("the merge is still under way", maybe_done=True)
        state = await self._client.pull_state(user, repo, number)
        check_head(state, sha)  # It may have been merged by somebody else, at another one.
        if ended := _merge_in(state, user):
            return ended
        if outcome.status == "failed":
            raise NotMergeable(outcome.message or "GitHub did not say why")
        raise Transient(f"the merge is {outcome.status}, but not to be seen yet", maybe_done=True)

    async def _outcome(self, user: UserToken, repo: str, number: int, pending: MergeOutcome) -> MergeOutcome:
        place = path(
            "/repos/{repo}/pulls/{number}/merge-async/{uuid}", repo=repo, number=number, uuid=pending.uuid
        )
        try:
            answer = await self._wire.send(user, Call("GET", place))
        except (NotFound, Transient):  # What the pull request says counts in any case.
            return _outcome_in(await self._client.pull_state(user, repo, number)) or pending
        return read(MergeOutcome, answer.json, about="a merge", maybe_done=True)

    async def _merge_directly(
        self, user: UserToken, repo: str, number: int, *, sha: str, method: MergeMethod
    ) -> Merge:
        state = await self._client.pull_state(user, repo, number)
        check_head(state, sha)
        if ended := _merge_in(state, user):
            return ended
        if state.is_merge_queue_enabled:
            await self._acts.enqueue(user, repo, number, sha=sha)
            return _QUEUED
        call = Call("PUT", f"{_pull_path(repo, number)}/merge", body={"sha": sha, "merge_method": method})

        async def act() -> Merge:
            answer = await self._wire.send(user, call)
            done = read(DirectMerge, answer.json, about="a merge", maybe_done=True)
            return Merge(is_merged=done.merged)

        async def probe() -> Merge | None:
            now = await self._client.pull_state(user, repo, number)
            return _merge_in(now, user) if now.head_ref_oid == sha else None

        try:
            return await once(self._wire.pace, act, probe)
        except (Conflict, NotMergeable) as refused:
            # What was pushed meanwhile may be all that is in the way.
            check_head(await self._client.pull_state(user, repo, number), sha)
            if isinstance(refused, Conflict):
                raise HeadMoved(refused.words) from None
            raise


def _merge_in(state: PullState, user: UserToken) -> Merge | None:
    if state.merged:
        by = state.merged_by.id if state.merged_by else 0
        if by not in {0, user.user_id}:  # 0: hidden, or an account that is no more.
            raise Transient("somebody else merged it", maybe_done=False)
        return _MERGED
    return _QUEUED if state.is_in_merge_queue else None


def _outcome_in(state: PullState) -> MergeOutcome | None:
    """How a merge stands by the pull request itself; None if it shows no merge."""
    if state.merged:
        return MergeOutcome(status="merged")
    return MergeOutcome(status="enqueued") if state.is_in_merge_queue else None


def _pull_path(repo: str, number: int) -> str:
    return path("/repos/{repo}/pulls/{number}", repo=repo, number=number)
