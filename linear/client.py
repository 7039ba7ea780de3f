"""Linear's GraphQL operations as methods: one request each, repeated only after the token was renewed."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import httpx
from pydantic import ValidationError

from linear.errors import AlreadyExists, NotFound, Rejected, Transient, Unauthorized
from linear.model import (
    AgentSession,
    Attachment,
    CandidateRepository,
    Comment,
    ExternalLink,
    Groundwork,
    Issue,
    IssueSessions,
    Model,
    Reference,
    RepositorySuggestion,
    RepositorySuggestions,
    SessionStatus,
    User,
    Viewer,
    Workspace,
)
from linear.queries import DOCUMENTS
from linear.sansio import Quota, authorization_header, build_request, classify, parse_quota

CONNECT_TIMEOUT_S = 3.0
TOTAL_TIMEOUT_S = 10.0

M = TypeVar("M", bound=Model)


class TokenSource(Protocol):
    """Where the token of one organization comes from."""

    async def current(self) -> str:
        """The token to use now. Raises Unauthorized if there is none."""

    async def renew(self, dead: str) -> str:
        """A token other than `dead`, which Linear just refused. Raises Unauthorized if there is none."""


@dataclass(frozen=True, slots=True)
class StaticToken:
    """A personal API key or a token somebody else looks after: it cannot be renewed."""

    token: str

    def __repr__(self) -> str:
        return "StaticToken(...)"

    async def current(self) -> str:
        return self.token

    async def renew(self, dead: str) -> str:
        del dead  # There is nothing to trade it for.
        raise Unauthorized("the configured token was refused and cannot be renewed")


class LinearClient:
    """Linear for one organization.

    Every method sends one request and raises `LinearError` as `linear.sansio.classify` sorts it; repeating is
    up to the caller. What is created under an `id` of ours may be repeated freely: Linear refuses the copy
    with `AlreadyExists`. `calls` counts requests by operation; `quota` is the newest one that an answer told.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        api_url: str,
        token: TokenSource,
        *,
        on_quota: Callable[[Quota], None] | None = None,
        timeout_s: float = TOTAL_TIMEOUT_S,
    ) -> None:
        self._http = http
        self._api_url = api_url
        self._token = token
        self._on_quota = on_quota
        self._timeout_s = timeout_s
        self.calls: Counter[str] = Counter()
        self.quota: Quota | None = None

    async def workspace(self) -> Workspace:
        """Who the token belongs to, the organization, its teams and their workflow states."""
        return await self._ask(Workspace, "Workspace", {})

    async def viewer(self) -> Viewer:
        """Who the token belongs to, with e-mail address and organization."""
        return await self._ask(Viewer, "Viewer", {}, "viewer")

    async def prepare_issue(self, *, email: str | None, url: str) -> Groundwork:
        """Look up, in one request, the asker by email (None: nobody) and issues that already link `url`."""
        # An empty email matches no account: every account has one.
        return await self._ask(Groundwork, "PrepareIssue", {"email": email or "", "url": url})

    async def find_issue(self, id: str) -> Issue | None:
        """The issue with this id or identifier (`ENG-1`); None if it is gone or hidden from us."""
        return await self._find(Issue, "FindIssue", {"id": id}, "issue")

    async def merged_issue(self, id: str) -> Issue | None:
        """The issue with its team's rules for merges; None if it is gone or hidden from us."""
        return await self._find(Issue, "MergedIssue", {"id": id}, "issue")

    async def find_user(self, id: str) -> User | None:
        """The user with this id; None if there is none."""
        return await self._find(User, "FindUser", {"id": id}, "user")

    async def create_issue(
        self,
        *,
        id: str,
        team_id: str,
        title: str,
        description: str,
        state_id: str | None = None,
        assignee_id: str | None = None,
        priority: int | None = None,
        create_as_user: str | None = None,
        display_icon_url: str | None = None,
    ) -> Issue:
        """Create an issue under an id we chose.

        No delegate here: delegating opens a session by itself, and `start_session` would open a second.

        Args:
            id: UUID v4.
            description: Markdown.
            state_id: Without it a team with triage puts the issue there.
            priority: 0 none, 1 urgent to 4 low.
            create_as_user: Name of a person without a Linear account; only for tokens of an app.
            display_icon_url: Picture beside that name.

        Raises:
            AlreadyExists: An earlier attempt got through; `find_issue(id)` reads it.
        """
        variables = _given(
            id=id,
            teamId=team_id,
            title=title,
            description=description,
            stateId=state_id,
            assigneeId=assignee_id,
            priority=priority,
            createAsUser=create_as_user,
            displayIconUrl=display_icon_url,
        )
        with _conflict_about(id):
            return await self._ask(Issue, "CreateIssue", {"input": variables}, "issueCreate", "issue")

    async def update_issue(
        self,
        id: str,
        *,
        state_id: str | None = None,
        assignee_id: str | None = None,
        delegate_id: str | None = None,
        title: str | None = None,
        description: str | None = None,
    ) -> Issue:
        """Change what is given; None leaves a field as it is."""
        variables = _given(
            stateId=state_id,
            assigneeId=assignee_id,
            delegateId=delegate_id,
            title=title,
            description=description,
        )
        return await self._ask(Issue, "UpdateIssue", {"id": id, "input": variables}, "issueUpdate", "issue")

    async def start_session(self, issue_id: str, external_urls: Iterable[ExternalLink] = ()) -> AgentSession:
        """Open a session on an issue (id or `ENG-1`).

        Takes no id of ours: after a `Transient` that is `maybe_done`, read `sessions_of_issue` first.
        Linear echoes the session as a `created` webhook, perhaps before this answers.
        """
        variables = {"issueId": issue_id, "externalUrls": _links(external_urls)}
        return await self._ask(
            AgentSession,
            "StartSessionOnIssue",
            {"input": variables},
            "agentSessionCreateOnIssue",
            "agentSession",
        )

    async def find_session(self, id: str, *, last: int = 20) -> AgentSession | None:
        """The session with its newest `last` activities; None if it is gone."""
        return await self._find(AgentSession, "FindSession", {"id": id, "last": last}, "agentSession")

    async def sessions_of_issue(self, issue_id: str) -> tuple[AgentSession, ...]:
        """The first 20 sessions of an issue, of any app, without their activities."""
        answer = await self._ask(IssueSessions, "SessionsOfIssue", {"id": issue_id}, "issue")
        return answer.agent_sessions

    async def update_session(
        self,
        id: str,
        *,
        plan: Sequence[Mapping[str, str]] | None = None,
        external_urls: Iterable[ExternalLink] | None = None,
        added_external_urls: Iterable[ExternalLink] | None = None,
        summary: str | None = None,
    ) -> SessionStatus:
        """Change what is given; None leaves it as it is.

        Args:
            plan: All of the new plan: `{"content": ..., "status": pending|inProgress|completed|canceled}`.
            external_urls: Replaces all links, and makes `added_external_urls` count for nothing.
            summary: Title of the session, 1 to 255 characters in one line; alone it does not acknowledge.
        """
        variables = _given(
            # The schema says JSONObject; what it takes is a list.
            plan=None if plan is None else [dict(step) for step in plan],
            externalUrls=None if external_urls is None else _links(external_urls),
            addedExternalUrls=None if added_external_urls is None else _links(added_external_urls),
            summary=summary,
        )
        return await self._ask(
            SessionStatus,
            "UpdateSession",
            {"id": id, "input": variables},
            "agentSessionUpdate",
            "agentSession",
        )

    async def create_activity(
        self,
        *,
        id: str,
        session_id: str,
        content: Mapping[str, object],
        ephemeral: bool = False,
        signal: str | None = None,
        signal_metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Add an activity under an id we chose.

        Args:
            id: UUID v4.
            content: `{"type": "thought"|"elicitation"|"response"|"error", "body": Markdown}` or
                `{"type": "action", "action": ..., "parameter": ..., "result": Markdown}`, where only `result`
                may be left out; no text may be empty.
            ephemeral: Only for thoughts and actions: gone when the next activity comes.
            signal: `auth` or `select`, on elicitations, with its `signal_metadata`.

        Raises:
            AlreadyExists: An earlier attempt got through.
            NotFound: The session is gone.
        """
        variables = _given(
            id=id,
            agentSessionId=session_id,
            content=dict(content),
            ephemeral=ephemeral or None,
            signal=signal,
            signalMetadata=None if signal_metadata is None else dict(signal_metadata),
        )
        with _conflict_about(id):
            await self._ask(
                Reference, "CreateActivity", {"input": variables}, "agentActivityCreate", "agentActivity"
            )

    async def find_activity(self, id: str) -> Reference | None:
        """The id, if Linear has this activity; else None."""
        return await self._find(Reference, "FindActivity", {"id": id}, "agentActivity")

    async def create_comment(
        self,
        *,
        issue_id: str,
        body: str,
        id: str,
        parent_id: str | None = None,
        create_as_user: str | None = None,
        display_icon_url: str | None = None,
    ) -> Comment:
        """Comment on an issue under an id we chose, in the words of `create_issue`."""
        variables = _given(
            id=id,
            issueId=issue_id,
            body=body,
            parentId=parent_id,
            createAsUser=create_as_user,
            displayIconUrl=display_icon_url,
        )
        with _conflict_about(id):
            return await self._ask(Comment, "CreateComment", {"input": variables}, "commentCreate", "comment")

    async def link_slack_thread(
        self, *, issue_id: str, url: str, title: str | None = None, sync_to_comment_thread: bool = False
    ) -> Attachment:
        """Link a Slack thread by its permalink.

        Without sync by default: Linear's own Slack app would show our answers a second time in that thread.
        """
        variables = _given(issueId=issue_id, url=url, title=title, syncToCommentThread=sync_to_comment_thread)
        return await self._ask(Attachment, "LinkSlackThread", variables, "attachmentLinkSlack", "attachment")

    async def present_session(self, id: str, *, summary: str, issue_id: str, slack_url: str) -> Attachment:
        """`update_session` with a title and `link_slack_thread` without sync, in one request.

        They are executed in this order: if the thread is refused, the title is set all the same.
        """
        variables = {"id": id, "input": {"summary": summary}, "issueId": issue_id, "url": slack_url}
        return await self._ask(Attachment, "PresentSession", variables, "attachmentLinkSlack", "attachment")

    async def attach_url(
        self, *, issue_id: str, url: str, title: str, subtitle: str | None = None, icon_url: str | None = None
    ) -> Attachment:
        """Put a link on an issue; the same `url` again changes the link that is there."""
        variables = _given(issueId=issue_id, url=url, title=title, subtitle=subtitle, iconUrl=icon_url)
        return await self._ask(
            Attachment, "AttachUrl", {"input": variables}, "attachmentCreate", "attachment"
        )

    async def suggest_repositories(
        self, issue_id: str, candidates: Iterable[CandidateRepository], *, session_id: str | None = None
    ) -> tuple[RepositorySuggestion, ...]:
        """Ask Linear which of `candidates` the issue is about, in its own order."""
        variables = _given(
            issueId=issue_id,
            agentSessionId=session_id,
            candidates=[candidate.model_dump(by_alias=True) for candidate in candidates],
        )
        answer = await self._ask(
            RepositorySuggestions, "SuggestRepositories", variables, "issueRepositorySuggestions"
        )
        return answer.suggestions

    async def _find(
        self, shape: type[M], operation: str, variables: Mapping[str, object], field: str
    ) -> M | None:
        try:
            return await self._ask(shape, operation, variables, field)
        except NotFound:
            return None

    async def _ask(self, shape: type[M], operation: str, variables: Mapping[str, object], *path: str) -> M:
        """Send one operation and read the part of its answer under `path`."""
        found: Any = await self._data(operation, variables)
        for field in path:
            found = found.get(field) if isinstance(found, dict) else None
        try:
            return shape.model_validate(found)
        except ValidationError:  # Its text repeats the answer, so it stays out.
            unread = Transient(f"answer to {operation} has an unknown shape", maybe_done=True)
        raise unread

    async def _data(self, operation: str, variables: Mapping[str, object]) -> dict[str, Any]:
        body = build_request(DOCUMENTS[operation], operation, variables)
        token = await self._token.current()
        try:
            return await self._post(operation, body, token)
        except Unauthorized:
            renewed = await self._token.renew(token)
        return await self._post(operation, body, renewed)

    async def _post(self, operation: str, body: bytes, token: str) -> dict[str, Any]:
        self.calls[operation] += 1
        response = await self._exchange(body, token)
        self._note(parse_quota(response.headers))
        return classify(response.status_code, response.headers, response.content)

    async def _exchange(self, body: bytes, token: str) -> httpx.Response:
        headers = {"Authorization": authorization_header(token), "Content-Type": "application/json"}
        step = httpx.Timeout(self._timeout_s, connect=CONNECT_TIMEOUT_S)
        # `from None` below: httpx and h11 may repeat a header in what they raise.
        try:
            async with asyncio.timeout(self._timeout_s):  # httpx only limits each step of a request.
                return await self._http.post(self._api_url, content=body, headers=headers, timeout=step)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Transient(f"not connected: {type(error).__name__}", maybe_done=False) from None
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol) as error:
            raise Rejected(f"cannot be sent: {type(error).__name__}") from None
        except (httpx.RequestError, TimeoutError) as error:
            raise Transient(f"no answer: {type(error).__name__}", maybe_done=True) from None

    def _note(self, quota: Quota) -> None:
        if not quota.is_known:
            return
        self.quota = quota
        if self._on_quota:
            self._on_quota(quota)


def _given(**fields: object) -> dict[str, object]:
    # A null would clear the field in Linear.
    return {name: value for name, value in fields.items() if value is not None}


def _links(links: Iterable[ExternalLink]) -> list[dict[str, str]]:
    return [{"label": link.label, "url": link.url} for link in links]


@contextmanager
def _conflict_about(id: str) -> Iterator[None]:
    """Let `AlreadyExists` through only when it is about the id we chose."""
    try:
        yield
    except AlreadyExists as conflict:
        if conflict.id is not None and conflict.id.lower() != id.lower():
            raise Rejected(f"{conflict.entity} conflicts with one that is not ours") from None
        raise AlreadyExists(conflict.entity, id) from None
