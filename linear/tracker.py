"""Linear as the session service needs it: issues found or created, agent sessions opened once."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from core.activities import Author, Blocker
from core.composer import line_of
from core.errors import Refused, TargetGone, Throttled, TryLater
from core.ports import Account, TrackedIssue
from linear.client import LinearClient
from linear.errors import (
    AlreadyExists,
    Forbidden,
    LinearError,
    NotFound,
    RateLimited,
    Rejected,
    Transient,
    Unauthorized,
)
from linear.model import ExternalLink, Issue, Team, WorkflowState, Workspace

log = logging.getLogger(__name__)

PAUSE_S = 60.0
IDENTIFIER = re.compile(r"\b([A-Z][A-Z0-9]{0,9})-(\d{1,7})\b")
OVER = frozenset({"completed", "canceled", "duplicate"})
UNDERWAY_OR_OVER = OVER | {"started"}
TO_CHECK = re.compile(r"^[ \t]*(?:[-*+]|\d+[.)])[ \t]+\[[ xX]\][ \t]+(\S.*)$", re.MULTILINE)
LABELS = {"slack": "Slack thread", "teams": "Teams thread"}


async def _nobody(_: Author) -> str | None:
    """Nobody said who they are."""
    return None


class LinearTracker:
    """Implements `core.ports.Tracker` and `core.ports.Directory`.

    Args:
        default_team: Key of the team for work that no rule sends elsewhere; None takes the first one.
        as_app: The token is an OAuth app's: it may create issues in the name of people without an account.
        linked: The Linear user that somebody said they are; their e-mail address is asked next.
    """

    def __init__(
        self,
        client: LinearClient,
        *,
        default_team: str | None,
        as_app: bool,
        linked: Callable[[Author], Awaitable[str | None]] = _nobody,
    ) -> None:
        self._client = client
        self._linked = linked
        self._default_team = default_team
        self._as_app = as_app
        self._workspace: Workspace | None = None
        self._reading = asyncio.Lock()
        self._accounts: dict[str, str | None] = {}

    async def workspace(self) -> Workspace:
        """Who we are and which teams there are, asked once."""
        async with self._reading:
            if self._workspace is None:
                with _sorted():
                    self._workspace = await self._client.workspace()
            return self._workspace

    @property
    def app_user(self) -> str | None:
        """Our own user in Linear; None until anything had to ask."""
        return self._workspace.viewer.id if self._workspace else None

    def forget(self) -> None:
        """Ask anew who we are and which teams there are, when that is needed next."""
        self._workspace = None

    async def find_meant(
        self, *, text: str, thread_url: str | None, requester: Author
    ) -> TrackedIssue | None:
        teams = {team.key for team in (await self.workspace()).teams}
        for key, number in IDENTIFIER.findall(text):
            if key in teams:
                with _sorted():
                    named = await self._client.find_issue(f"{key}-{number}")
                if named:
                    return _tracked(named)
        with _sorted():
            groundwork = await self._client.prepare_issue(email=requester.email, url=thread_url or "")
        account = groundwork.requester
        known = await self._linked(requester)
        self._accounts[requester.id] = known or (account.id if account else None)
        linked = groundwork.linked_issues if thread_url else ()
        return _tracked(linked[0]) if len(linked) == 1 else None

    async def account(self, email: str) -> Account | None:
        """See `core.ports.Directory`."""
        with _sorted():
            found = (await self._client.prepare_issue(email=email, url="")).requester
        return Account(found.id, found.display_name or found.name) if found else None

    async def code_account(self, user: str) -> int | None:
        """The number of the account at GitHub that this user of Linear has connected there."""
        with _sorted():
            found = await self._client.find_user(user)
        number = found.git_hub_user_id if found and found.active else None
        return int(number) if number and number.isdecimal() else None

    async def create_issue(
        self, *, id: str, title: str, description: str, team: str | None, requester: Author
    ) -> TrackedIssue:
        home = self._team(await self.workspace(), team)
        started, account = home.first_started_state(), self._accounts.get(requester.id)
        with _sorted():
            try:
                created = await self._client.create_issue(
                    id=id,
                    team_id=home.id,
                    title=title,
                    description=description,
                    state_id=started.id if started else None,
                    assignee_id=account,
                    create_as_user=requester.name if self._as_app and not account else None,
                )
            except AlreadyExists:
                return await self.find_issue(id)
        return _tracked(created)

    async def find_issue(self, id: str) -> TrackedIssue:
        with _sorted():
            found = await self._client.find_issue(id)
        if found is None:
            raise Refused(f"there is no issue {id}")
        return _tracked(found)

    async def take_on(self, id: str) -> TrackedIssue:
        with _sorted():
            found = await self._client.find_issue(id)
        if found is None:
            raise Refused(f"there is no issue {id}")
        if changes := await self._to_begin(found):
            await self._update(found, changes)
        return _tracked(found)

    async def _to_begin(self, issue: Issue) -> dict[str, str]:
        """What Linear asks of an agent that begins to work on an issue, unless it is so already."""
        workspace = await self.workspace()
        changes = {}
        team = workspace.team(issue.team.id)
        if issue.state.type not in UNDERWAY_OR_OVER and team and (started := team.first_started_state()):
            changes["state_id"] = started.id
        if issue.delegate is None and self._as_app:
            changes["delegate_id"] = workspace.viewer.id
        return changes

    async def criteria(self, id: str) -> Sequence[str]:
        with _sorted():
            found = await self._client.find_issue(id)
        if found is None:
            raise Refused(f"there is no issue {id}")
        return [line_of(one) for one in TO_CHECK.findall(found.description or "")]

    async def merged(self, id: str, *, base: str) -> str:
        with _sorted():
            issue = await self._client.merged_issue(id)
        if issue is None:
            raise Refused(f"there is no issue {id}")
        if (wanted := await self._after_merge(issue, base)) and await self._update(
            issue, {"state_id": wanted.id}
        ):
            return wanted.name
        return issue.state.name

    async def _after_merge(self, issue: Issue, base: str) -> WorkflowState | None:
        """Where the issue has to go; None if it stays."""
        if issue.state.type in OVER:
            return None
        rule, team = issue.team.merge_rule(base), (await self.workspace()).team(issue.team.id)
        wanted = rule.state if rule else team.first_state("completed") if team else None
        return wanted if wanted and wanted.id != issue.state.id else None

    async def _update(self, issue: Issue, changes: dict[str, str]) -> bool:
        try:
            with _sorted():
                await self._client.update_issue(issue.id, **changes)
        except Refused as error:
            # Somebody's rule for this team; the work does not hang on it.
            log.warning("issue not moved", extra={"issue": issue.identifier, "error": str(error)})
            return False
        return True

    async def open_session(self, issue: TrackedIssue, *, thread_url: str | None, again: bool) -> str:
        if again and (ours := await self._find_session(issue, thread_url)):
            return ours
        links = [ExternalLink(label=_label(thread_url), url=thread_url)] if thread_url else []
        with _sorted():
            return (await self._client.start_session(issue.id, links)).id

    async def present(self, session: str, issue: TrackedIssue, *, thread_url: str) -> None:
        title = line_of(issue.title) or issue.identifier
        with _sorted():
            if _is_teams(thread_url):
                await self._client.update_session(session, summary=title)
            else:
                try:
                    await self._client.present_session(
                        session, summary=title, issue_id=issue.id, slack_url=thread_url
                    )
                except (Rejected, Forbidden, NotFound) as error:
                    # Linear's own Slack app may have the thread, or know nothing of this workspace.
                    log.info("thread linked plainly", extra={"issue": issue.identifier, "why": str(error)})
                else:
                    return
            await self._client.attach_url(issue_id=issue.id, url=thread_url, title=_label(thread_url))

    async def link_thread(self, session: str, url: str) -> None:
        """Put the address of a thread on an agent session; the same one again changes nothing."""
        with _sorted():
            await self._client.update_session(
                session, added_external_urls=[ExternalLink(label=_label(url), url=url)]
            )

    async def _find_session(self, issue: TrackedIssue, thread_url: str | None) -> str | None:
        viewer = (await self.workspace()).viewer.id
        with _sorted():
            sessions = await self._client.sessions_of_issue(issue.id)
        for session in sessions:
            ours = session.app_user is not None and session.app_user.id == viewer
            if ours and (
                thread_url is None or any(link.url == thread_url for link in session.external_links)
            ):
                return session.id
        return None

    def _team(self, workspace: Workspace, wanted: str | None) -> Team:
        for name in (wanted, self._default_team):
            if name:
                if found := workspace.team(name):
                    return found
                raise Refused(f"there is no team {name}, or the app cannot see it")
        if not workspace.teams:
            raise Refused("the app can see no team")
        return workspace.teams[0]


def _label(thread_url: str) -> str:
    return LABELS["teams" if _is_teams(thread_url) else "slack"]


def _is_teams(thread_url: str) -> bool:
    return "teams.microsoft" in thread_url


def _tracked(issue: Issue) -> TrackedIssue:
    return TrackedIssue(
        id=issue.id,
        identifier=issue.identifier,
        title=issue.title,
        url=issue.url,
        branch_name=issue.branch_name,
        team=issue.team.key,
    )


@contextmanager
def _sorted() -> Iterator[None]:
    """Linear's errors as the core's, split by what it does next."""
    try:
        yield
    except Transient as error:
        raise TryLater(str(error), maybe_done=error.maybe_done) from error
    except RateLimited as error:
        pause = error.delay_s(datetime.now(UTC), default_s=PAUSE_S)
        raise Throttled(str(error), retry_after_s=pause) from error
    except Unauthorized as error:
        raise TargetGone(str(error), code=Blocker.LINEAR_REVOKED) from error
    except (Forbidden, Rejected, LinearError) as error:
        raise Refused(_plain(error)) from error


def _plain(error: LinearError) -> str:
    """What Linear says to people, without the code before it, as part of a sentence."""
    return re.sub(r"^[A-Z_]+: ", "", str(error)).rstrip(".")
