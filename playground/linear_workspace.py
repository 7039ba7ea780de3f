"""One Linear workspace in memory: people, teams, issues, comments, attachments, and Linear's refusals."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import uuid4

from playground.linear_clock import Clock
from playground.linear_errors import forbidden, invalid, not_found
from playground.linear_ids import fresh_id, slug, stable_id
from playground.linear_inputs import AttachmentCreate, CommentCreate, IssueCreate, IssueUpdate, SlackLink
from playground.linear_model import (
    ActorBot,
    AgentActivity,
    AgentSession,
    Attachment,
    Comment,
    Issue,
    Organization,
    Team,
    User,
    WorkflowState,
)

Row = TypeVar("Row")

URL = "https://linear.test/acme"

STATES = (
    ("Triage", "triage", 0.0),
    ("Backlog", "backlog", 1.0),
    ("Todo", "unstarted", 2.0),
    ("In Progress", "started", 3.0),
    ("In Review", "started", 4.0),
    ("Done", "completed", 5.0),
    ("Canceled", "canceled", 6.0),
)


class Workspace:
    """Everything Linear knows; raises `Refusal` for what Linear would decline."""

    def __init__(self, clock: Clock, *, app_name: str = "Threadline", first_number: int = 142) -> None:
        self.clock = clock
        now = clock.now()
        self.organization = Organization(stable_id("organization"), "Acme", "acme", now)
        self.users: dict[str, User] = {}
        self.teams: dict[str, Team] = {}
        self.states: dict[str, WorkflowState] = {}
        self.issues: dict[str, Issue] = {}
        self.comments: dict[str, Comment] = {}
        self.attachments: dict[str, Attachment] = {}
        self.sessions: dict[str, AgentSession] = {}
        self.activities: dict[str, AgentActivity] = {}
        self.guidance: list[str] = []
        self.last_sync_id = 0
        for name in ("Ann", "Bob", "Eve"):
            self._seed_user(name, f"{name.lower()}@acme.test", now)
        self.app_user = self._seed_user(app_name, "threadline@oauthapp.linear.test", now, app=True)
        self._seed_team("ENG", "Engineering", now, first_number)
        self._seed_team("OPS", "Operations", now, 1)

    def user(self, user_id: str) -> User:
        return _found(self.users, user_id, "User")

    def team(self, team_id: str) -> Team:
        return _found(self.teams, team_id, "Team")

    def comment(self, comment_id: str) -> Comment:
        return _found(self.comments, comment_id, "Comment")

    def session(self, session_id: str) -> AgentSession:
        return _found(self.sessions, session_id, "AgentSession")

    def activity(self, activity_id: str) -> AgentActivity:
        return _found(self.activities, activity_id, "AgentActivity")

    def issue(self, reference: str) -> Issue:
        """Find an issue by id or by identifier such as `ENG-142`."""
        if issue := self.issues.get(reference):
            return issue
        named = (each for each in self.issues.values() if each.identifier == reference.upper())
        if issue := next(named, None):
            return issue
        raise not_found("Issue")

    def person(self, name: str) -> User:
        """Find a user by e-mail address or display name, in any case."""
        wanted = name.casefold()
        for user in self.users.values():
            if wanted in (user.email.casefold(), user.display_name.casefold(), user.id):
                return user
        raise not_found("User")

    def add_person(self, name: str, email: str) -> User:
        """Somebody joins the workspace."""
        return self._seed_user(name, email, self.clock.now())

    def team_of_key(self, key: str) -> Team:
        for team in self.teams.values():
            if team.key == key.upper():
                return team
        raise not_found("Team")

    def create_issue(self, wanted: IssueCreate, actor: User) -> Issue:
        entity_id = fresh_id(self.issues, "Issue", wanted.id)
        bot = self.bot_actor(actor, wanted.create_as_user, wanted.display_icon_url)
        team, now = self.team(wanted.team_id), self.clock.now()
        title, number = _title(wanted.title), team.next_number
        identifier = f"{team.key}-{number}"
        issue = Issue(
            id=entity_id,
            number=number,
            identifier=identifier,
            title=title,
            description=wanted.description,
            url=f"{URL}/issue/{identifier}/{slug(title)}",
            branch_name=f"{slug(actor.display_name)}/{identifier.lower()}-{slug(title)}",
            team=team,
            state=self._state(team, wanted.state_id) if wanted.state_id else _first_state(team, actor),
            priority=_priority(wanted.priority),
            creator=actor,
            created_at=now,
            updated_at=now,
            assignee=self._assignee(wanted.assignee_id),
            delegate=self._delegate(wanted.delegate_id),
            bot_actor=bot,
        )
        team.next_number += 1
        self.issues[issue.id] = issue
        self.touch()
        return issue

    def update_issue(self, issue: Issue, wanted: IssueUpdate) -> dict[str, Any]:
        """Change the fields that `wanted` names; return the old values in the form of `updatedFrom`."""
        changes = self._changes(issue, wanted)
        before = {name: getattr(issue, name) for name in changes}
        changed = {name: value for name, value in changes.items() if before[name] != value}
        for name, value in changed.items():
            setattr(issue, name, value)
        if changed:
            issue.updated_at = self.touch()
        return {_wire_name(name): _wire_value(before[name]) for name in changed}

    def _changes(self, issue: Issue, wanted: IssueUpdate) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        for name in wanted.model_fields_set:
            match name:
                case "assignee_id":
                    changes["assignee"] = self._assignee(wanted.assignee_id)
                case "delegate_id":
                    changes["delegate"] = self._delegate(wanted.delegate_id)
                case "state_id":
                    changes["state"] = self._state(issue.team, wanted.state_id)
                case "title":
                    changes["title"] = _title(wanted.title)
                case "priority":
                    changes["priority"] = _priority(wanted.priority)
                case _:
                    changes[name] = getattr(wanted, name)
        return changes

    def create_comment(self, wanted: CommentCreate, actor: User) -> Comment:
        entity_id = fresh_id(self.comments, "Comment", wanted.id)
        bot = self.bot_actor(actor, wanted.create_as_user, wanted.display_icon_url)
        parent = self.comment(wanted.parent_id) if wanted.parent_id else None
        if not wanted.issue_id and parent is None:
            raise invalid("a comment needs issueId or parentId")
        issue = self.issue(wanted.issue_id) if wanted.issue_id else self._issue_of(parent)
        if not wanted.body:
            raise invalid("body must not be empty")
        return self.add_comment(issue, wanted.body, actor, entity_id=entity_id, parent=parent, bot=bot)

    def add_comment(
        self,
        issue: Issue,
        body: str,
        user: User | None,
        *,
        entity_id: str | None = None,
        parent: Comment | None = None,
        bot: ActorBot | None = None,
    ) -> Comment:
        """Write a comment without asking who may; replies hang below the root of their thread."""
        now = self.touch()
        comment_id = entity_id or str(uuid4())
        root = parent.parent if parent and parent.parent else parent
        comment = Comment(
            id=comment_id,
            body=body,
            issue=issue,
            url=f"{issue.url}#comment-{comment_id[:8]}",
            created_at=now,
            updated_at=now,
            user=user,
            parent=root,
            bot_actor=bot,
        )
        self.comments[comment.id] = comment
        issue.comments.append(comment)
        return comment

    def attach_url(self, wanted: AttachmentCreate, actor: User) -> Attachment:
        """Create the attachment, or update the one with the same URL on the same issue."""
        self.bot_actor(actor, wanted.create_as_user, wanted.display_icon_url)
        attachment = self._attachment(self.issue(wanted.issue_id), wanted.url, wanted.id, actor, "api")
        attachment.title = wanted.title
        attachment.subtitle = wanted.subtitle
        attachment.metadata = wanted.metadata or {}
        attachment.group_by_source = bool(wanted.group_by_source)
        return attachment

    def link_slack_thread(self, wanted: SlackLink, actor: User) -> Attachment:
        """Attach a Slack permalink; a thread syncs with one issue only."""
        self.bot_actor(actor, wanted.create_as_user, wanted.display_icon_url)
        issue = self.issue(wanted.issue_id)
        if wanted.sync_to_comment_thread and self._is_synced_elsewhere(issue, wanted.url):
            raise invalid("this Slack thread is already synced with another issue")
        attachment = self._attachment(issue, wanted.url, wanted.id, actor, "slack")
        attachment.title = wanted.title or "Slack thread"
        attachment.is_synced_thread = attachment.is_synced_thread or bool(wanted.sync_to_comment_thread)
        return attachment

    def touch(self) -> datetime:
        """Count one change and return its time."""
        self.last_sync_id += 1
        return self.clock.now()

    def bot_actor(self, actor: User, name: str | None, icon_url: str | None) -> ActorBot | None:
        if name is None and icon_url is None:
            return None
        if not actor.app:
            raise forbidden("createAsUser and displayIconUrl are for OAuth apps with actor=app.")
        return ActorBot(name or actor.display_name, icon_url, actor.name)

    def _attachment(
        self, issue: Issue, url: str, wanted_id: str | None, actor: User, source_type: str
    ) -> Attachment:
        now = self.touch()
        if known := next((each for each in issue.attachments if each.url == url), None):
            known.updated_at = now
            return known
        entity_id = fresh_id(self.attachments, "Attachment", wanted_id)
        attachment = Attachment(entity_id, issue, url, "", None, {}, source_type, actor, now, now)
        self.attachments[entity_id] = attachment
        issue.attachments.append(attachment)
        return attachment

    def _is_synced_elsewhere(self, issue: Issue, url: str) -> bool:
        return any(
            each.url == url and each.is_synced_thread and each.issue is not issue
            for each in self.attachments.values()
        )

    def _issue_of(self, parent: Comment | None) -> Issue:
        if parent is None:
            raise not_found("Issue")
        return parent.issue

    def _state(self, team: Team, state_id: str | None) -> WorkflowState:
        state = _found(self.states, state_id or "", "WorkflowState")
        if state.team is not team:
            raise invalid("stateId belongs to another team")
        return state

    def _assignee(self, user_id: str | None) -> User | None:
        user = self.user(user_id) if user_id else None
        if user and user.app:
            raise invalid("an app is made delegate, not assignee")
        return user

    def _delegate(self, user_id: str | None) -> User | None:
        user = self.user(user_id) if user_id else None
        if user and not user.app:
            raise invalid("only an app can be delegate")
        return user

    def _seed_user(self, name: str, email: str, now: datetime, *, app: bool = False) -> User:
        user = User(
            id=stable_id(f"user {email}"),
            name=name,
            display_name=name.lower() if not app else name,
            email=email,
            created_at=now,
            url=f"{URL}/profiles/{slug(name)}",
            app=app,
        )
        self.users[user.id] = user
        return user

    def _seed_team(self, key: str, name: str, now: datetime, first_number: int) -> None:
        team = Team(stable_id(f"team {key}"), key, name, now, first_number)
        for state_name, kind, position in STATES:
            state = WorkflowState(stable_id(f"state {key} {state_name}"), state_name, kind, position, team)
            team.states.append(state)
            self.states[state.id] = state
        self.teams[team.id] = team


def _found(rows: Mapping[str, Row], row_id: str, entity: str) -> Row:
    if row_id not in rows:
        raise not_found(entity)
    return rows[row_id]


def _title(title: str | None) -> str:
    if not title or not title.strip():
        raise invalid("title must not be empty")
    return title


def _priority(priority: int | None) -> int:
    if priority is not None and not 0 <= priority <= 4:
        raise invalid("priority must be between 0 and 4")
    return priority or 0


def _first_state(team: Team, actor: User) -> WorkflowState:
    """What an integration creates without a state lands in triage; what a member creates does not."""
    if actor.app and team.triage_enabled and team.triage_issue_state:
        return team.triage_issue_state
    return team.default_issue_state


def _wire_name(name: str) -> str:
    return f"{name}Id" if name in ("state", "assignee", "delegate") else name


def _wire_value(value: object) -> object:
    return value.id if isinstance(value, User | WorkflowState) else value
