"""What Linear's webhooks tell: typed facts, as far as anything here reads them. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

_WIRE = ConfigDict(alias_generator=to_camel, extra="ignore")

_DIRECTIVE = "<primary-directive-thread"
_DIRECTIVE_THREAD = re.compile(rf"{_DIRECTIVE}\b[^>]*>(.*?)</primary-directive-thread>", re.DOTALL)
_COMMENT = re.compile(r"<comment\b[^>]*>(.*?)</comment>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Person:
    """A Linear user as deliveries show one."""

    __pydantic_config__: ClassVar[ConfigDict] = _WIRE

    id: str
    name: str = ""
    email: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveredTeam:
    """The team of an issue."""

    __pydantic_config__: ClassVar[ConfigDict] = _WIRE

    id: str
    key: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class DeliveredIssue:
    """The issue of a session; labels, state, assignee and delegate are not delivered."""

    __pydantic_config__: ClassVar[ConfigDict] = _WIRE

    id: str
    identifier: str
    title: str = ""
    url: str = ""
    description: str | None = None
    team: DeliveredTeam | None = None


@dataclass(frozen=True, slots=True)
class DeliveredComment:
    """A comment; `user_id` is None when an app or an integration wrote it.

    `is_artificial_agent_session_root` marks the placeholder that Linear writes for a session without a
    mention; None where Linear leaves it out.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _WIRE

    id: str
    body: str = ""
    user_id: str | None = None
    is_artificial_agent_session_root: bool | None = None


@dataclass(frozen=True, slots=True)
class GuidanceRule:
    """Standing advice to agents; `origin` is "Team" or "Organization", and the nearest team wins."""

    body: str
    origin: str
    team_id: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveredSession:
    """`creator` is None when an automation or an agent opened it; `issue` when it is about something else.

    `comment` is the root of the session's thread, `source_comment_id` the mention if that stands elsewhere.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _WIRE

    id: str
    status: str = "pending"
    app_user_id: str | None = None
    url: str | None = None
    summary: str | None = None
    creator_id: str | None = None
    creator: Person | None = None
    issue_id: str | None = None
    issue: DeliveredIssue | None = None
    comment: DeliveredComment | None = None
    source_comment_id: str | None = None


@dataclass(frozen=True, slots=True)
class SessionCreated:
    """Someone mentioned or delegated to the app, or our own call to open a session came back.

    `prompt_context` is Linear's own summary in XML-like tags; everything in it is untrusted.
    `previous_comments` is filled only when the mention stands in a reply.
    """

    key: str
    organization_id: str
    sent_at: datetime
    session: DeliveredSession
    prompt_context: str = ""
    guidance: tuple[GuidanceRule, ...] = ()
    previous_comments: tuple[DeliveredComment, ...] = ()

    @property
    def is_by_person(self) -> bool:
        """A person opened it, not an automation, another agent, or we ourselves."""
        session = self.session
        return session.creator_id is not None and session.creator_id != session.app_user_id

    @property
    def is_mention(self) -> bool:
        """Somebody named us in a comment; otherwise the issue was delegated to us."""
        comment = self.session.comment
        if comment is None:
            return False
        if comment.is_artificial_agent_session_root is not None:
            return not comment.is_artificial_agent_session_root
        return _DIRECTIVE in self.prompt_context

    @property
    def mention(self) -> str:
        """What the comment that mentions us says; empty for a delegation."""
        comment, session = self.session.comment, self.session
        if comment is None or not self.is_mention:
            return ""
        if session.source_comment_id in (None, comment.id):
            return comment.body
        return _last_directive(self.prompt_context) or comment.body


@dataclass(frozen=True, slots=True)
class SessionPrompted:
    """Someone wrote to a session; `signal` is None, stop, continue or newer; a stop may lack a `body`.

    `said_at`: when, in seconds since the epoch.
    """

    key: str
    organization_id: str
    sent_at: datetime
    session_id: str
    activity_id: str
    body: str
    user: Person | None = None
    signal: str | None = None
    said_at: float | None = None

    @property
    def is_stop(self) -> bool:
        """The person pressed Stop: end the run now, ahead of everything queued."""
        return self.signal == "stop"


@dataclass(frozen=True, slots=True)
class IssueChanged:
    """An issue was created, updated or removed (`action`: create, update, remove, or newer).

    `changed` names the fields whose old values were delivered, in Linear's camelCase. `state` is the name of
    its state, `actor` who did it.
    """

    key: str
    organization_id: str
    sent_at: datetime
    action: str
    issue_id: str
    identifier: str
    title: str
    url: str
    state_type: str | None = None
    assignee_id: str | None = None
    delegate_id: str | None = None
    changed: frozenset[str] = frozenset()
    previous_delegate_id: str | None = None
    state: str = ""
    actor: Person | None = None

    def was_taken_from(self, app_user_id: str) -> bool:
        """This change ended the delegation to `app_user_id`."""
        return self.previous_delegate_id == app_user_id != self.delegate_id

    @property
    def was_closed(self) -> bool:
        """This change moved it to a state in which nobody works on an issue."""
        return "stateId" in self.changed and self.state_type in {"completed", "canceled", "duplicate"}


@dataclass(frozen=True, slots=True)
class IssueUnassigned:
    """An issue was taken from the app; beside `IssueChanged`, or alone where that is not subscribed to."""

    key: str
    organization_id: str
    sent_at: datetime
    issue_id: str
    actor: Person | None = None


@dataclass(frozen=True, slots=True)
class PermissionChanged:
    """The app gained or lost teams."""

    key: str
    organization_id: str
    sent_at: datetime
    can_access_all_public_teams: bool
    added_team_ids: tuple[str, ...]
    removed_team_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AppRevoked:
    """The organization removed the app: its token is dead."""

    key: str
    organization_id: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Unknown:
    """A signed delivery of a kind we do not read: answer 200 and leave it."""

    type: str
    action: str
    organization_id: str | None
    sent_at: datetime


Webhook = (
    SessionCreated
    | SessionPrompted
    | IssueChanged
    | IssueUnassigned
    | PermissionChanged
    | AppRevoked
    | Unknown
)


def _last_directive(context: str) -> str:
    """The newest comment of the thread in which we were mentioned, which is the mention."""
    thread = _DIRECTIVE_THREAD.search(context)
    comments = _COMMENT.findall(thread[1]) if thread else []
    return unescape(comments[-1]) if comments else ""
