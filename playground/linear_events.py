"""The bodies of Linear's webhooks, built from the workspace at the moment something happened. Pure."""

from dataclasses import dataclass
from html import escape
from typing import Any
from uuid import uuid4

from playground.linear_clock import epoch_ms, iso
from playground.linear_ids import stable_id
from playground.linear_model import (
    AgentActivity,
    AgentSession,
    Comment,
    Issue,
    Team,
    User,
)
from playground.linear_workspace import Workspace

OAUTH_CLIENT_ID = stable_id("oauth client")
WEBHOOK_ID = stable_id("webhook")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell the app: `type` is what `Linear-Event` carries, `payload` is the whole body."""

    type: str
    payload: dict[str, Any]


def session_created(workspace: Workspace, session: AgentSession) -> Event:
    mention = session.source_comment
    is_reply = mention is not None and mention.parent is not None
    earlier = [each for each in thread_of(mention) if each is not mention] if mention and is_reply else []
    extra = {
        "promptContext": prompt_context(session),
        "previousComments": [_comment(each) for each in earlier] if is_reply else None,
    }
    return _session_event(workspace, "created", session, extra)


def session_prompted(workspace: Workspace, activity: AgentActivity) -> Event:
    extra = {"agentActivity": _activity(activity)}
    return _session_event(workspace, "prompted", activity.agent_session, extra)


def issue_created(workspace: Workspace, issue: Issue, actor: User) -> Event:
    return _issue_event(workspace, "create", issue, actor, {})


def issue_updated(workspace: Workspace, issue: Issue, actor: User, before: dict[str, Any]) -> Event:
    """`before` holds the old values of the changed fields under Linear's names, such as `stateId`."""
    return _issue_event(workspace, "update", issue, actor, {"updatedFrom": before})


def unassigned_from_app(workspace: Workspace, issue: Issue, actor: User) -> Event:
    now = iso(workspace.clock.now())
    notification = {
        "id": str(uuid4()),
        "type": "issueUnassignedFromYou",
        "createdAt": now,
        "updatedAt": now,
        "userId": workspace.app_user.id,
        "actorId": actor.id,
        "actor": _user(actor),
        "issueId": issue.id,
        "issue": _issue(issue),
    }
    return Event(
        "AppUserNotification",
        {
            **_envelope(workspace, "AppUserNotification", "issueUnassignedFromYou"),
            "oauthClientId": OAUTH_CLIENT_ID,
            "appUserId": workspace.app_user.id,
            "notification": notification,
        },
    )


def app_revoked(workspace: Workspace) -> Event:
    """The app was removed from the workspace; comes whatever the app subscribed to."""
    return Event(
        "OAuthApp", {**_envelope(workspace, "OAuthApp", "revoked"), "oauthClientId": OAUTH_CLIENT_ID}
    )


def thread_of(comment: Comment) -> list[Comment]:
    """The thread a comment is in, oldest first."""
    root = comment.parent or comment
    return [each for each in comment.issue.comments if each is root or each.parent is root]


def prompt_context(session: AgentSession) -> str:
    """The issue and its threads as Linear writes them down for an agent; no element encloses the whole."""
    if (issue := session.issue) is None:
        return "<document>A document that mentions the app.</document>"
    head = (
        f'<issue identifier="{issue.identifier}">\n<title>{escape(issue.title)}</title>\n'
        f"<description>{escape(issue.description or '')}</description>\n"
        f'<team name="{escape(issue.team.name)}"/>\n</issue>'
    )
    mention = session.source_comment
    roots = [
        each for each in issue.comments if each.parent is None and not each.is_artificial_agent_session_root
    ]
    directive = mention.parent or mention if mention else None
    threads = [
        _thread("primary-directive-thread" if root is directive else "other-thread", root) for root in roots
    ]
    return "\n\n".join([head, *sorted(threads, key=lambda text: text.startswith("<other"))])


def _thread(tag: str, root: Comment) -> str:
    comments = "\n".join(
        f'<comment author="{escape(_author(each))}" created-at="{iso(each.created_at)}">'
        f"{escape(each.body)}</comment>"
        for each in thread_of(root)
    )
    return f'<{tag} comment-id="{root.id}">\n{comments}\n</{tag}>'


def _author(comment: Comment) -> str:
    return comment.user.display_name if comment.user else "Linear"


def _session_event(workspace: Workspace, action: str, session: AgentSession, extra: dict[str, Any]) -> Event:
    return Event(
        "AgentSessionEvent",
        {
            **_envelope(workspace, "AgentSessionEvent", action),
            "oauthClientId": OAUTH_CLIENT_ID,
            "appUserId": workspace.app_user.id,
            "agentSession": _session(workspace, session),
            "guidance": [{"body": body, "origin": {"type": "Organization"}} for body in workspace.guidance],
            **extra,
        },
    )


def _issue_event(
    workspace: Workspace, action: str, issue: Issue, actor: User, extra: dict[str, Any]
) -> Event:
    return Event(
        "Issue",
        {
            **_envelope(workspace, "Issue", action),
            "actor": {**_user(actor), "type": "user"},
            "data": _issue_row(issue),
            "url": issue.url,
            **extra,
        },
    )


def _envelope(workspace: Workspace, kind: str, action: str) -> dict[str, Any]:
    now = workspace.clock.now()
    return {
        "type": kind,
        "action": action,
        "createdAt": iso(now),
        "organizationId": workspace.organization.id,
        "webhookId": WEBHOOK_ID,
        "webhookTimestamp": epoch_ms(now),
    }


def _session(workspace: Workspace, session: AgentSession) -> dict[str, Any]:
    return {
        "id": session.id,
        "type": "commentThread",
        "status": session.status(workspace.clock.now()),
        "organizationId": workspace.organization.id,
        "appUserId": session.app_user.id,
        "creatorId": session.creator.id if session.creator else None,
        "creator": _user(session.creator) if session.creator else None,
        "issueId": session.issue.id if session.issue else None,
        "issue": _issue(session.issue) if session.issue else None,
        "commentId": session.comment.id if session.comment else None,
        "comment": _comment(session.comment) if session.comment else None,
        "sourceCommentId": session.source_comment.id if session.source_comment else None,
        "createdAt": iso(session.created_at),
        "updatedAt": iso(session.updated_at),
        "startedAt": iso(session.started_at) if session.started_at else None,
        "endedAt": iso(session.ended_at) if session.ended_at else None,
        "summary": session.summary,
        "url": session.url,
    }


def _activity(activity: AgentActivity) -> dict[str, Any]:
    return {
        "id": activity.id,
        "agentSessionId": activity.agent_session.id,
        "content": activity.content,
        "signal": activity.signal,
        "signalMetadata": activity.signal_metadata,
        "sourceCommentId": activity.source_comment.id if activity.source_comment else None,
        "userId": activity.user.id,
        "user": _user(activity.user),
        "createdAt": iso(activity.created_at),
        "updatedAt": iso(activity.updated_at),
    }


def _issue(issue: Issue) -> dict[str, Any]:
    return {
        "id": issue.id,
        "identifier": issue.identifier,
        "title": issue.title,
        "description": issue.description,
        "url": issue.url,
        "teamId": issue.team.id,
        "team": _team(issue.team),
    }


def _issue_row(issue: Issue) -> dict[str, Any]:
    """The full row of an Issue event, as far as the stand-in knows such fields."""
    return {
        **_issue(issue),
        "number": issue.number,
        "priority": issue.priority,
        "stateId": issue.state.id,
        "state": {
            "id": issue.state.id,
            "name": issue.state.name,
            "type": issue.state.type,
            "color": issue.state.color,
        },
        "creatorId": issue.creator.id if issue.creator else None,
        "creator": _user(issue.creator) if issue.creator else None,
        "assigneeId": issue.assignee.id if issue.assignee else None,
        "assignee": _user(issue.assignee) if issue.assignee else None,
        "delegateId": issue.delegate.id if issue.delegate else None,
        "delegate": _user(issue.delegate) if issue.delegate else None,
        "createdAt": iso(issue.created_at),
        "updatedAt": iso(issue.updated_at),
        "labelIds": [],
        "labels": [],
    }


def _team(team: Team) -> dict[str, Any]:
    return {"id": team.id, "key": team.key, "name": team.name}


def _user(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "url": user.url,
        "avatarUrl": user.avatar_url,
    }


def _comment(comment: Comment) -> dict[str, Any]:
    return {
        "id": comment.id,
        "body": comment.body,
        "userId": comment.user.id if comment.user else None,
        "issueId": comment.issue.id,
    }
