"""What can happen to an AgentSession: it opens, activities are appended, the owning app updates it."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from playground.linear_activities import (
    COMMENT_TYPES,
    STATUS_AFTER,
    check_activity,
    check_plan,
    check_summary,
)
from playground.linear_errors import forbidden, invalid
from playground.linear_ids import fresh_id
from playground.linear_inputs import ActivityCreate, ExternalUrl, SessionUpdate
from playground.linear_model import AgentActivity, AgentSession, Comment, Issue, User
from playground.linear_workspace import Workspace

ONLY_APPS = "Only OAuth applications can create agent sessions."


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a person adds to a session."""

    body: str
    signal: str | None = None
    source_comment: Comment | None = None


def open_session(
    workspace: Workspace,
    issue: Issue | None,
    *,
    creator: User | None,
    mention: Comment | None = None,
    external_urls: list[ExternalUrl] | None = None,
) -> AgentSession:
    """Open a session on `issue`; without a mention Linear writes a placeholder comment as its root.

    Without an issue it is about something else that the stand-in does not have, a document for example.
    """
    now, session_id = workspace.touch(), str(uuid4())
    slug_id = session_id.replace("-", "")[:12]
    session = AgentSession(
        id=session_id,
        slug_id=slug_id,
        issue=issue,
        app_user=workspace.app_user,
        creator=creator,
        created_at=now,
        updated_at=now,
        last_activity_at=now,
        url=f"{issue.url}#agent-session-{slug_id}" if issue else None,
        external_links=_links(external_urls),
        source_comment=mention,
    )
    workspace.sessions[session.id] = session
    if issue:
        root = mention.parent or mention if mention else _placeholder_root(workspace, session, issue)
        session.comment, root.agent_session = root, session
        issue.agent_sessions.append(session)
    return session


def _placeholder_root(workspace: Workspace, session: AgentSession, issue: Issue) -> Comment:
    text = f"This thread is for an agent session with {session.app_user.name}."
    root = workspace.add_comment(issue, text, session.creator)
    root.is_artificial_agent_session_root = True
    return root


def add_activity(workspace: Workspace, wanted: ActivityCreate, actor: User) -> AgentActivity:
    """Append an app's activity, with the comment Linear writes for its last word."""
    if not actor.app:
        raise forbidden(ONLY_APPS)
    session = workspace.session(wanted.agent_session_id)
    entity_id = fresh_id(workspace.activities, "AgentActivity", wanted.id)
    content = check_activity(
        wanted.content,
        ephemeral=bool(wanted.ephemeral),
        signal=wanted.signal,
        metadata=wanted.signal_metadata,
    )
    activity = AgentActivity(
        id=entity_id,
        agent_session=session,
        content=content,
        user=actor,
        created_at=workspace.touch(),
        ephemeral=bool(wanted.ephemeral),
        signal=wanted.signal,
        signal_metadata=wanted.signal_metadata,
    )
    session.responded_at = session.responded_at or activity.created_at
    _append(workspace, session, activity)
    if activity.type in COMMENT_TYPES and session.issue:
        activity.source_comment = workspace.add_comment(
            session.issue, content["body"], actor, parent=session.comment
        )
    return activity


def add_prompt(workspace: Workspace, session: AgentSession, person: User, prompt: Prompt) -> AgentActivity:
    """Append what a person tells the agent; it reopens a finished session in place."""
    activity = AgentActivity(
        id=str(uuid4()),
        agent_session=session,
        content={"type": "prompt", "body": prompt.body},
        user=person,
        created_at=workspace.touch(),
        signal=prompt.signal,
        source_comment=prompt.source_comment,
    )
    _append(workspace, session, activity)
    return activity


def _append(workspace: Workspace, session: AgentSession, activity: AgentActivity) -> None:
    now = activity.created_at
    workspace.activities[activity.id] = activity
    session.history.append(activity)
    session.inferred_status = STATUS_AFTER[activity.type]
    session.started_at = session.started_at or now
    session.ended_at = now if session.inferred_status == "complete" else None
    session.last_activity_at = session.updated_at = now


def update_session(workspace: Workspace, session_id: str, wanted: SessionUpdate, actor: User) -> AgentSession:
    """Change plan, links and summary. There is no way to set the status."""
    if not actor.app:
        raise forbidden(ONLY_APPS)
    session, named = workspace.session(session_id), wanted.model_fields_set
    plan = _plan(wanted.plan) if "plan" in named else session.plan
    summary = check_summary(wanted.summary) if "summary" in named else session.summary
    links = _updated_links(session, wanted)
    if links != session.external_links:
        session.responded_at = session.responded_at or workspace.clock.now()
    session.plan, session.summary, session.external_links = plan, summary, links
    session.updated_at = workspace.touch()
    return session


def _plan(plan: object) -> list[dict[str, Any]] | None:
    return None if plan is None else check_plan(plan)


def _updated_links(session: AgentSession, wanted: SessionUpdate) -> list[dict[str, str]]:
    if wanted.external_urls is not None:  # A full replacement makes Linear ignore the other two.
        return _links(wanted.external_urls)
    removed = set(wanted.removed_external_urls or [])
    kept = [each for each in session.external_links if each["url"] not in removed]
    added = _links([*_single(wanted.external_link), *(wanted.added_external_urls or [])])
    return list({each["url"]: each for each in [*kept, *added]}.values())


def _single(url: str | None) -> list[ExternalUrl]:
    return [ExternalUrl(label=url, url=url)] if url else []


def _links(urls: list[ExternalUrl] | None) -> list[dict[str, str]]:
    for each in urls or []:
        if not each.url.startswith(("http://", "https://")):
            raise invalid("external URLs must be http or https")
    return [{"label": each.label, "url": each.url} for each in urls or []]
