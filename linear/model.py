"""What Linear answers, as far as we read it: tolerant of new fields and of new enum values."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

T = TypeVar("T")


def _nodes(connection: object) -> object:
    return connection.get("nodes", ()) if isinstance(connection, Mapping) else connection


Nodes = Annotated[tuple[T, ...], BeforeValidator(_nodes)]
"""One page of a connection, as a tuple."""


class Model(BaseModel):
    """Frozen, camelCase on the wire, unknown fields ignored; enums stay `str` because Linear adds values."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True)


class Reference(Model):
    """An entity of which we only read the id."""

    id: str


class User(Model):
    """A person or an app; `email`, `url` and `git_hub_user_id` are None where nobody asks for them.

    `git_hub_user_id` is the number of the account at GitHub that the person has connected in Linear.
    """

    id: str
    name: str = ""
    display_name: str = ""
    email: str | None = None
    active: bool = True
    url: str | None = None
    git_hub_user_id: str | None = None


class WorkflowState(Model):
    """`type` is triage, backlog, unstarted, started, completed, canceled, or newer; `position` sorts."""

    id: str
    name: str
    type: str
    position: float


class TargetBranch(Model):
    """Which branches a rule is for: a name, or a regular expression."""

    branch_pattern: str
    is_regex: bool = False


class GitRule(Model):
    """What Linear does to an issue on a git event ("merge"); `state` None: nothing."""

    event: str
    state: WorkflowState | None = None
    target_branch: TargetBranch | None = None


class Team(Model):
    """`states` and `git_automation_states` are empty where the operation does not ask for them."""

    id: str
    key: str
    name: str
    states: Nodes[WorkflowState] = ()
    git_automation_states: Nodes[GitRule] = ()

    def first_state(self, type: str) -> WorkflowState | None:
        """The state of `type` with the lowest position; None if the team has none of it."""
        return min(
            (state for state in self.states if state.type == type),
            key=lambda state: state.position,
            default=None,
        )

    def first_started_state(self) -> WorkflowState | None:
        """Where Linear wants an issue to go when an agent starts on it."""
        return self.first_state("started")

    def merge_rule(self, base: str) -> GitRule | None:
        """What the team has told Linear to do on a merge into `base`; None: nothing was said.

        Which branches a regular expression means is for Linear to find out: with one, there is nothing to do.
        """
        rules = [rule for rule in self.git_automation_states if rule.event == "merge"]
        for rule in rules:
            if rule.target_branch and rule.target_branch.is_regex:
                return GitRule(event=rule.event)
        for_all = next((rule for rule in rules if rule.target_branch is None), None)
        own = (rule for rule in rules if rule.target_branch and rule.target_branch.branch_pattern == base)
        return next(own, for_all)


class Organization(Model):
    """A customer's Linear; `url_key` is its part of `linear.app/<url_key>/...`."""

    id: str
    name: str
    url_key: str


class Viewer(User):
    """The user behind our token: the app's own user, different in each organization."""

    organization: Organization


class Workspace(Model):
    """Who we are, and where issues can go (the first 50 teams, 30 states each)."""

    viewer: Viewer
    teams: Nodes[Team]

    def team(self, wanted: str) -> Team | None:
        """The team whose id, key or name is `wanted`; key and name in any case."""
        for team in self.teams:
            if wanted == team.id or wanted.casefold() in {team.key.casefold(), team.name.casefold()}:
                return team
        return None


class Issue(Model):
    """`delegate` is the app at work, `assignee` who answers for it; `priority` 0 none, 1 urgent to 4 low."""

    id: str
    identifier: str
    title: str
    url: str
    branch_name: str
    state: WorkflowState
    team: Team
    description: str | None = None
    priority: float = 0
    assignee: User | None = None
    delegate: Reference | None = None
    creator: User | None = None


class IssueReference(Model):
    """The issue of a session, by id and by the `ENG-1` form."""

    id: str
    identifier: str


class Attachment(Model):
    """A link on an issue; `issue` is None where the operation does not ask for it."""

    id: str
    url: str
    issue: Issue | None = None


class Groundwork(Model):
    """What is known before an issue is created: accounts with the asker's email, links to the thread."""

    users: Nodes[User]
    attachments: Nodes[Attachment]

    @property
    def requester(self) -> User | None:
        """The one active account with that email; two accounts with one email identify nobody."""
        active = [user for user in self.users if user.active]
        return active[0] if len(active) == 1 else None

    @property
    def linked_issues(self) -> tuple[Issue, ...]:
        """The issues that already link the thread, each once."""
        issues = (attachment.issue for attachment in self.attachments)
        return tuple({issue.id: issue for issue in issues if issue}.values())


class ExternalLink(Model):
    """A labelled address on a session."""

    label: str
    url: str


class ActivityContent(Model):
    """Either `body`, or `action` with `parameter` and perhaps a `result`."""

    typename: str = Field(alias="__typename")
    body: str = ""
    action: str = ""
    parameter: str = ""
    result: str | None = None

    @property
    def kind(self) -> str:
        """thought, action, elicitation, response, error, prompt, or a kind newer than this code."""
        return self.typename.removeprefix("AgentActivity").removesuffix("Content").lower()


class AgentActivity(Model):
    """One entry of a session's feed; the feed is append-only."""

    id: str
    created_at: datetime
    content: ActivityContent
    ephemeral: bool = False
    signal: str | None = None
    user: User | None = None


class AgentSession(Model):
    """`status` follows from the last activity; `ended_at` is None while it runs, `url` without an issue.

    `activities` are the newest ones that were asked for, oldest first; empty unless the operation reads them.
    """

    id: str
    status: str
    created_at: datetime
    slug_id: str = ""
    url: str | None = None
    ended_at: datetime | None = None
    summary: str | None = None
    plan: Any = None
    external_links: tuple[ExternalLink, ...] = ()
    issue: IssueReference | None = None
    app_user: Reference | None = None
    creator: User | None = None
    activities: Nodes[AgentActivity] = ()


class IssueSessions(Model):
    """The first 20 sessions of an issue."""

    id: str
    agent_sessions: Nodes[AgentSession]


class SessionStatus(Model):
    """What an update of a session answers."""

    id: str
    status: str


class Comment(Model):
    """A comment we wrote."""

    id: str
    body: str
    url: str


class CandidateRepository(Model):
    """A repository the agent may work in: `github.com` and `owner/name`."""

    hostname: str
    repository_full_name: str


class RepositorySuggestion(Model):
    """How well a candidate fits the issue; `confidence` from 0 to 1."""

    repository_full_name: str
    confidence: float
    hostname: str | None = None


class RepositorySuggestions(Model):
    """Suggestions in Linear's order."""

    suggestions: tuple[RepositorySuggestion, ...]
