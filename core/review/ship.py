"""Ships what a session has committed: takes it over, pushes its one branch, opens its one pull request."""

import asyncio
import logging
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from uuid import uuid4

from core.activities import Author, IssueLinked, Notice
from core.errors import DeliveryError, LinkLost, Refused, TryLater, WorkspaceError
from core.ids import EntryKey, SessionId
from core.ports import Accounts, CodeHost, CodeReviewer, GitAccess, PullDraft, Tracker
from core.pulls import CodeAccount, PullAction, PullFacts, PullRef
from core.review.words import description, is_over, steering, title
from core.routing import Repository
from core.store.acts import ActStore
from core.store.audit import AuditStore, record_of
from core.store.pulls import Pull, PullStore
from core.store.sessions import Record, SessionStore
from core.workspace.clone import Workspace, Workspaces
from core.workspace.handover import Handover, take_over
from core.workspace.humans import Conflict, bring_in, holds_ours, update_from_base
from core.workspace.names import Care, Flag
from core.workspace.outcomes import LeaseLost, Outcome, Pushed, Refusal, RefusedByHost, Unreachable
from core.workspace.push import push
from core.workspace.remote import free_name

log = logging.getLogger(__name__)

REUNIONS = 3
"""How often people may push while we do, before we wait for them to be done."""

LISTED = 100
"""Of so many changed files the code host tells the names; what it cannot tell is said by us."""

_NAMED = 10


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
        audit: AuditStore,
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
        self._audit = audit
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
            pull = await self._unless_over(pull)
            conflicts = await self._push(workspace, pull)
            if conflicts:
                return Shipped(pull, conflicts)
        await self._open(record, await self._pulls.of(session_id) or pull)
        shipped = await self._pulls.of(session_id)
        assert shipped is not None
        await self._pulls.hint_session(session_id)
        return Shipped(shipped)

    async def with_base(self, session_id: SessionId) -> tuple[str, ...]:
        """Merge the base branch into the session's tree, and leave what disagrees to the agent to resolve.

        No agent may be at work there. The paths that disagree; none if there was nothing to decide, and then
        the merge is shipped like any other commit.

        Raises:
            DeliveryError, WorkspaceError: As for `ship`; the second also where people's own commits disagree.
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
        shipped = await self.ship(session_id)
        if shipped.conflicts:
            lines = f"people changed the same lines of {', '.join(shipped.conflicts)}"
            raise WorkspaceError("people disagree", last_line=lines)
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

    async def _unless_over(self, pull: Pull) -> Pull:
        """What is pushed after a merge, or after somebody closed it, needs a pull request of its own."""
        if pull.ref is None or not is_over(await self._host.facts(pull.ref)):
            return pull
        await self._pulls.over(pull.session)
        return replace(pull, ref=None)

    async def _take_back(self, ref: PullRef, person: Author) -> None:
        assert self._reviewer is not None, "who asked for it had a linked account"
        account = await self._accounts.account_of(person)
        try:
            if account is None or not account.can_act:
                raise Refused(f"{person.name} is not linked any more")
            await self._reviewer.dont_merge(ref, account)
        except (Refused, LinkLost) as error:
            raise Refused(f"it would be merged by itself, and I cannot stop that: {error}") from error
        record = record_of(person, "don't merge", pull=str(ref), account=account.id)
        await self._audit.note(record, once=str(uuid4()))  # Done again, it is another call in their name.

    async def _push(self, workspace: Workspace, pull: Pull) -> tuple[str, ...]:
        """Push, with what people have pushed meanwhile; paths that need somebody to decide."""
        expected, wanted = pull.pushed_sha, pull.wanted_sha or ""
        for _ in range(REUNIONS):
            access = await self._host.access(pull.repository, write=True)
            if pull.pushed_sha is None and pull.branch.casefold() in self._never(pull):
                pull = await self._renamed(pull, access, f"I never push to `{pull.branch}`")
            outcome = await self._push_once(workspace, pull, access, wanted, expected)
            match outcome:
                case Pushed():
                    branch = f"{pull.repository}@{pull.branch}"
                    record = record_of(None, "push", pull=branch, head=wanted)
                    await self._audit.note(record, once=f"push/{branch}/{wanted}")
                    await self._pulls.pushed(pull.session, wanted)
                    return ()
                case LeaseLost(head=head) if why := await _not_ours(workspace, pull, head, expected, access):
                    pull = await self._renamed(pull, access, why)
                case LeaseLost(head=head) if head:
                    united = await bring_in(
                        workspace, head, access=access, branch=pull.branch, pushed=pull.pushed_sha
                    )
                    if isinstance(united, Conflict):
                        return united.paths
                    expected, wanted = head, united.sha
                    assert pull.turn is not None
                    await self._pulls.want(
                        pull.session, pull.repository, pull.branch, sha=wanted, turn=pull.turn
                    )
                case LeaseLost():  # Somebody deleted the branch, and so closed its pull request.
                    expected = None
                    await self._pulls.over(pull.session)
                case RefusedByHost() | Unreachable():
                    raise self._trouble(outcome)
        raise TryLater("people push to the branch at this moment")

    def _trouble(self, outcome: RefusedByHost | Unreachable) -> DeliveryError:
        if isinstance(outcome, RefusedByHost):
            return Refused(self._redact(_why(outcome)))
        return TryLater(self._redact(outcome.words), maybe_done=outcome.maybe_done)

    async def _push_once(
        self, workspace: Workspace, pull: Pull, access: GitAccess, sha: str, expected: str | None
    ) -> Outcome:
        into = workspace.host_git.parent / "handover.git"
        try:
            handover = await take_over(workspace, into, redact=self._redact)
            if handover.head != sha:
                raise WorkspaceError("moved on", last_line="the branch moved on meanwhile")
            await self._point_out(pull.session, handover)
            outcome = await push(
                handover, access=access, branch=pull.branch, expect=expected, forbidden=self._never(pull)
            )
            # An earlier process brought it there, and died before it could remember that.
            return Pushed(sha, was_there=True) if outcome == LeaseLost(sha) else outcome
        finally:
            await asyncio.to_thread(shutil.rmtree, into, ignore_errors=True)

    def _never(self, pull: Pull) -> frozenset[str]:
        return frozenset(name.casefold() for name in (self._base_of(pull), "main", "master"))

    async def _renamed(self, pull: Pull, access: GitAccess, why: str) -> Pull:
        """Push to another branch than was asked for, and say so; nothing of ours is there yet."""
        try:
            name = await free_name(access.url, pull.branch, access)
        except WorkspaceError as error:
            raise TryLater(self._redact(error.last_line)) from error
        said = Notice(body=f"{why[:1].upper()}{why[1:]}, so the work goes to `{name}`.")
        await self._sessions.say(pull.session, EntryKey(f"branch/{name}"), said)
        await self._pulls.on_branch(pull.session, name)
        return replace(pull, branch=name)

    async def _point_out(self, session: SessionId, handover: Handover) -> None:
        """Say once what deserves a second look and is not seen in the names that the code host lists."""
        unlisted = (Care.LINK, Care.SUBMODULE)
        flags = [one for one in handover.flags if one.care in unlisted or handover.files > LISTED]
        if flags:
            more = f" and {len(flags) - _NAMED} more" if len(flags) > _NAMED else ""
            body = f"Look closely at this change: {', '.join(map(_flag, flags[:_NAMED]))}{more}."
            key = EntryKey(f"care/{sha256(body.encode()).hexdigest()}")
            await self._sessions.say(session, key, Notice(body=body))

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
            requester = steering(log_of).requester
            opener = await self._opener(pull, requester)
            ref = await self._host.open_pull(draft, by=opener)
            by, account = (requester, opener.id) if opener else (None, None)
            opened = record_of(by, "open", pull=str(ref), head=pull.wanted_sha, account=account)
            await self._audit.note(opened, once=f"open/{ref}")
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


async def _not_ours(
    workspace: Workspace, pull: Pull, head: str | None, expected: str | None, access: GitAccess
) -> str:
    """Why the branch, which is at `head` at the code host, cannot be the session's; "" if it can."""
    if pull.pushed_sha is not None:
        return ""
    if head is None:
        # It is not there and cannot be made: another one is called like a folder of it, or below it.
        return f"there cannot be a branch `{pull.branch}`" if expected is None else ""
    try:
        if await holds_ours(workspace, head, access=access, branch=pull.branch):
            return ""
    except WorkspaceError as error:
        raise TryLater(f"nobody tells whose {pull.branch} is") from error
    return f"there is a branch `{pull.branch}` that is not of this session"


def _flag(flag: Flag) -> str:
    return f"`{flag.path}` ({flag.care}{f': `{flag.detail}`' if flag.detail else ''})"


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
