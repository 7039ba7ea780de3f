"""What the Linear stand-in stores: mutable rows that hold each other, as one workspace would show them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

RESPONSE_LIMIT = timedelta(seconds=10)
SILENCE_LIMIT = timedelta(minutes=30)


@dataclass(slots=True, eq=False)
class Organization:
    id: str
    name: str
    url_key: str
    created_at: datetime


@dataclass(slots=True, eq=False)
class User:
    id: str
    name: str
    display_name: str
    email: str
    created_at: datetime
    url: str
    app: bool = False
    active: bool = True
    guest: bool = False
    avatar_url: str | None = None
    git_hub_user_id: str | None = None


@dataclass(slots=True, eq=False)
class WorkflowState:
    id: str
    name: str
    type: str
    position: float
    team: "Team"
    color: str = "#8f9bb3"


@dataclass(slots=True, eq=False)
class GitAutomationTargetBranch:
    id: str
    branch_pattern: str
    is_regex: bool = False


@dataclass(slots=True, eq=False)
class GitAutomationState:
    id: str
    event: str
    state: WorkflowState | None
    team: "Team"
    target_branch: GitAutomationTargetBranch | None = None


@dataclass(slots=True, eq=False)
class Team:
    id: str
    key: str
    name: str
    created_at: datetime
    next_number: int
    states: list[WorkflowState] = field(default_factory=list)
    git_automation_states: list[GitAutomationState] = field(default_factory=list)
    triage_enabled: bool = True

    @property
    def display_name(self) -> str:
        return self.name

    @property
    def default_issue_state(self) -> WorkflowState:
        return next(state for state in self.states if state.type == "backlog")

    @property
    def triage_issue_state(self) -> WorkflowState | None:
        return next((state for state in self.states if state.type == "triage"), None)


@dataclass(slots=True, eq=False)
class ActorBot:
    """Whom an OAuth app names as author with `createAsUser`."""

    user_display_name: str
    avatar_url: str | None
    name: str
    type: str = "oauth_app"


@dataclass(slots=True, eq=False)
class Issue:
    id: str
    number: int
    identifier: str
    title: str
    description: str | None
    url: str
    branch_name: str
    team: Team
    state: WorkflowState
    priority: int
    creator: User | None
    created_at: datetime
    updated_at: datetime
    assignee: User | None = None
    delegate: User | None = None
    bot_actor: ActorBot | None = None
    comments: list["Comment"] = field(default_factory=list)
    attachments: list["Attachment"] = field(default_factory=list)
    agent_sessions: list["AgentSession"] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Comment:
    id: str
    body: str
    issue: Issue
    url: str
    created_at: datetime
    updated_at: datetime
    user: User | None = None
    parent: "Comment | None" = None
    bot_actor: ActorBot | None = None
    agent_session: "AgentSession | None" = None
    is_artificial_agent_session_root: bool = False

    @property
    def issue_id(self) -> str:
        return self.issue.id

    @property
    def parent_id(self) -> str | None:
        return self.parent.id if self.parent else None


@dataclass(slots=True, eq=False)
class Attachment:
    id: str
    issue: Issue
    url: str
    title: str
    subtitle: str | None
    metadata: dict[str, Any]
    source_type: str
    creator: User | None
    created_at: datetime
    updated_at: datetime
    group_by_source: bool = False
    is_synced_thread: bool = False


@dataclass(slots=True, eq=False)
class AgentActivity:
    id: str
    agent_session: "AgentSession"
    content: dict[str, Any]
    user: User
    created_at: datetime
    ephemeral: bool = False
    signal: str | None = None
    signal_metadata: dict[str, Any] | None = None
    source_comment: Comment | None = None

    @property
    def type(self) -> str:
        return str(self.content["type"])

    @property
    def updated_at(self) -> datetime:
        return self.created_at  # Append-only: an activity never changes.


@dataclass(slots=True, eq=False)
class AgentSession:
    id: str
    slug_id: str
    issue: Issue | None
    app_user: User
    creator: User | None
    created_at: datetime
    updated_at: datetime
    last_activity_at: datetime
    url: str | None
    inferred_status: str = "pending"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    responded_at: datetime | None = None
    summary: str | None = None
    plan: list[dict[str, Any]] | None = None
    external_links: list[dict[str, str]] = field(default_factory=list)
    comment: Comment | None = None
    source_comment: Comment | None = None
    history: list[AgentActivity] = field(default_factory=list)

    def status(self, now: datetime) -> str:
        """The last activity decides; a session the agent should be working on goes stale by silence."""
        is_silent = now - self.last_activity_at >= SILENCE_LIMIT
        return (
            "stale" if is_silent and self.inferred_status in ("pending", "active") else self.inferred_status
        )

    def did_not_respond(self, now: datetime) -> bool:
        """No activity or external URL within ten seconds of the start; a late answer does not undo it."""
        return (self.responded_at or now) - self.created_at > RESPONSE_LIMIT

    @property
    def feed(self) -> list[AgentActivity]:
        """What a person sees: an ephemeral activity is gone once another one follows."""
        return [each for each in self.history if not each.ephemeral or each is self.history[-1]]
