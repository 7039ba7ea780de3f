"""Ships what a session has committed: takes it over, pushes its one branch, opens its one pull request."""

import asyncio
import logging
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.activities import Author, IssueLinked, Notice
from core.errors import DeliveryError, LinkLost, Refused, TryLater, WorkspaceError
from core.ids import EntryKey, SessionId
from core.ports import Accounts, CodeHost, CodeReviewer, GitAccess, PullDraft, Tracker
from core.pulls import CodeAccount, PullAction, PullFacts, PullRef
from core.review.words import description, steering, title
from core.routing import Repository
from core.store.acts import ActStore
from core.store.pulls import Pull, PullStore
from core.store.sessions import Record, SessionStore
from core.workspace.clone import Workspace, Workspaces
from core.workspace.handover import take_over
from core.workspace.humans import Conflict, bring_in, update_from_base
from core.workspace.outcomes import LeaseLost, Outcome, Pushed, Refusal, RefusedByHost, Unreachable
from core.workspace.push import push

log = logging.getLogger(__name__)

REUNIONS = 3
"""How often people may push while we do, before we wait for them to be done."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """What is at the code host now. `conflicts`: paths on which people's own commits disagree with ours."""

    pull: Pull
    conflicts: tuple[str, ...] = ()


class Shipper:
    """Every step looks first whether it was done before, so a crash costs nothing twice.

    Nothing here reads or runs what the agent can write: the commits come from our own git folder, go through
    a clean repository, and only there is git given a credential.
    """

    def __init__(
        self,
        host: CodeHost,
        accounts: Accounts,
        pulls: PullStore,
        sessions: SessionStore,
        workspaces: Workspaces,
        acts: ActStore,
        reviewer: CodeReviewer | None,
        tracker: Tracker,
        *,
        repositories: Mapping[str, Repository],
        redact: Callable[[str], str],
    ) -> None:
        """`repositories`: by name, those that live at `host`."""
        self._host = host
        self._accounts = accounts
        self._pulls = pulls
        self._sessions = sessions
        self._workspaces = workspaces
        self._acts = acts
        self._reviewer = reviewer
        self._tracker = tracker
        self._repositories = repositories
        self._redact = redact
        self._shipping: defaultdict[SessionId, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ship(self, session_id: SessionId) -> Shipped:
        """Bring the code host up to what is wanted of the session.

        Raises:
            DeliveryError: The code host did not do it: `TryLater`, `Throttled`, or `Refused` with its words.
            WorkspaceError: It may not leave here, or git could not do it; `last_line` says why.
        """
        async with self._shipping[session_id]:
            return await self._ship(session_id)

    async def _ship(self, session_id: SessionId) -> Shipped:
        record, pull = await self._sessions.load(session_id), await self._pulls.of(session_id)
        workspace = await self._workspaces.existing(session_id)
        if pull is None or pull.wanted_sha is None or workspace is None:
            raise WorkspaceError("nothing to ship", last_line="there is no commit of this session")
        if pull.pushed_sha != pull.wanted_sha:
            await self._hold_back(pull)
            conflicts = await self._push(workspace, pull)
            if conflicts:
                return Shipped(pull, conflicts)
        await self._open(record, pull)
        shipped = await self._pulls.of(session_id)
        assert shipped is not None
        await self._pulls.hint_session(session_id)
        return Shipped(shipped)

    async def with_base(self, session_id: SessionId) -> tuple[str, ...]:
        """Merge the base branch into the session's tree, and leave what disagrees to the agent to resolve.

        No agent may be at work there. The paths that disagree; none if there was nothing to decide, and then
        the merge is shipped like any other commit.

        Raises:
            DeliveryError, WorkspaceError: As for `ship`.
        """
        async with self._shipping[session_id]:
            pull, workspace = await self._pulls.of(session_id), await self._workspaces.existing(session_id)
            if pull is None or pull.turn is None or workspace is None:
                raise WorkspaceError("nothing to update", last_line="there is no commit of this session")
            access = await self._host.access(pull.repository, write=False)
            base = self._base_of(pull)
            united = await update_from_base(workspace, access.url, base, access=access, leave_markers=True)
            if isinstance(united, Conflict):
                return united.paths
            await self._pulls.want(pull.session, pull.repository, pull.branch, sha=united.sha, turn=pull.turn)
        await self.ship(session_id)
        return ()

    async def _hold_back(self, pull: Pull) -> None:
        """What somebody wanted merged once it is green is not what is pushed now.

        Raises:
            Refused: It cannot be taken back, so nothing is pushed.
        """
        if pull.ref is None or pull.facts is None or not pull.facts.auto_merge:
            return
        wish = await self._acts.last(pull.session, PullAction.MERGE_WHEN_GREEN)
        if wish is not None:  # Else asked for at the code host itself, which has rules of its own for that.
            await self._take_back(pull.ref, wish.by)

    async def unless_wanted(self, pull: Pull, facts: PullFacts) -> None:
        """Take back a "merge when green" that somebody asked us for before people pushed something else.

        Whoever asks for it again at the code host, for this head, has it.
        """
        wish = await self._acts.last(pull.session, PullAction.MERGE_WHEN_GREEN) if facts.auto_merge else None
        if wish is None or wish.sha == facts.head_sha or pull.wanted_sha == facts.head_sha:
            return
        key = EntryKey(f"not merged/{facts.ref}/{facts.head_sha}")
        if await self._sessions.logged(pull.session, key):
            return
        asked = f"{wish.by.name} asked to merge it once it is green"
        moved = f"{facts.ref} moved to {facts.short_sha} since {asked}"
        try:
            await self._take_back(facts.ref, wish.by)
            said = f"{moved}, so it will not merge by itself. Ask again to merge what is there now."
        except Refused as error:
            said = f"{moved}: {error}. Look at it now."
        await self._sessions.say(pull.session, key, Notice(body=said))

    async def _take_back(self, ref: PullRef, person: Author) -> None:
        assert self._reviewer is not None, "who asked for it had a linked account"
        account = await self._accounts.account_of(person)
        try:
            if account is None or not account.can_act:
                raise Refused(f"{person.name} is not linked any more")
            await self._reviewer.dont_merge(ref, account)
        except (Refused, LinkLost) as error:
            raise Refused(f"it would be merged by itself, and I cannot stop that: {error}") from error

    async def _push(self, workspace: Workspace, pull: Pull) -> tuple[str, ...]:
        """Push, with what people have pushed meanwhile; paths that need somebody to decide."""
        expected, wanted = pull.pushed_sha, pull.wanted_sha or ""
        for _ in range(REUNIONS):
            access = await self._host.access(pull.repository, write=True)
            outcome = await self._push_once(workspace, pull, access, wanted, expected)
            match outcome:
                case Pushed():
                    await self._pulls.pushed(pull.session, wanted)
                    return ()
                case LeaseLost(head=head) if head == wanted:  # A crash came between the two.
                    await self._pulls.pushed(pull.session, wanted)
                    return ()
                case LeaseLost(head=head) if head:
                    united = await bring_in(workspace, head, access=access, pushed=pull.pushed_sha)
                    if isinstance(united, Conflict):
                        return united.paths
                    expected, wanted = head, united.sha
                    assert pull.turn is not None
                    await self._pulls.want(
                        pull.session, pull.repository, pull.branch, sha=wanted, turn=pull.turn
                    )
                case LeaseLost():  # Somebody deleted the branch: it is made again.
                    expected = None
                case RefusedByHost() as refused:
                    raise Refused(self._redact(_why(refused)))
                case Unreachable(words=words, maybe_done=maybe_done):
                    raise TryLater(self._redact(words), maybe_done=maybe_done)
        raise TryLater("people push to the branch at this moment")

    async def _push_once(
        self, workspace: Workspace, pull: Pull, access: GitAccess, sha: str, expected: str | None
    ) -> Outcome:
        into = workspace.host_git.parent / "handover.git"
        try:
            handover = await take_over(workspace, into, redact=self._redact)
            if handover.head != sha:
                raise WorkspaceError("moved on", last_line="the branch moved on meanwhile")
            forbidden = (self._base_of(pull), "main", "master")
            return await push(
                handover, access=access, branch=pull.branch, expect=expected, forbidden=forbidden
            )
        finally:
            await asyncio.to_thread(shutil.rmtree, into, ignore_errors=True)

    async def _opener(self, pull: Pull, requester: Author | None) -> CodeAccount | None:
        """Whose pull request it becomes: then the code host itself refuses that they approve it."""
        repository = self._repositories.get(pull.repository)
        if requester is None or (repository and repository.author == "bot"):
            return None
        account = await self._accounts.account_of(requester)
        return account if account and account.can_act else None

    def _base_of(self, pull: Pull) -> str:
        repository = self._repositories.get(pull.repository)
        return repository.base if repository else "main"

    async def _open(self, record: Record, pull: Pull) -> None:
        log_of = await self._sessions.log(pull.session)
        issue = _issue_of(record)
        body = self._redact(description(issue, log_of, criteria=await self._criteria(record)))
        ref = pull.ref
        if ref is None:
            draft = PullDraft(
                repository=pull.repository,
                branch=pull.branch,
                base=self._base_of(pull),
                title=self._redact(title(issue)),
                body=body,
            )
            ref = await self._host.open_pull(draft, by=await self._opener(pull, steering(log_of).requester))
            await self._pulls.opened(pull.session, ref)
        await self._host.describe_pull(ref, title=None, body=body)

    async def _criteria(self, record: Record) -> Sequence[str]:
        """What the issue wants checked; work is shown without it where Linear does not tell."""
        assert record.issue is not None, "what has a commit has an issue"
        try:
            return await self._tracker.criteria(record.issue.id)
        except DeliveryError as error:
            log.warning("issue not read", extra={"session": record.id, "error": str(error)})
            return ()


def _why(refused: RefusedByHost) -> str:
    match refused.why:
        case Refusal.WORKFLOWS:
            return f"the app may not change workflows ({refused.words})"
        case Refusal.ACCESS:
            return f"the app may not write there ({refused.words})"
        case Refusal.PROTECTED | Refusal.OTHER:
            return refused.words


def _issue_of(record: Record) -> IssueLinked:
    issue = record.issue
    assert issue is not None, "what has a commit has an issue"
    return IssueLinked(identifier=issue.identifier, title=issue.title, url=issue.url)
