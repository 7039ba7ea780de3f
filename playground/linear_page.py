"""What the stand-in shows of itself: its whole state as JSON, and a plain page for people. Pure."""

from collections.abc import Iterable
from datetime import datetime
from html import escape
from typing import Any

from playground.linear_clock import iso
from playground.linear_model import AgentActivity, AgentSession, Attachment, Comment, Issue, User
from playground.linear_webhooks import Delivery
from playground.linear_workspace import Workspace

Json = dict[str, Any]

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<title>Linear playground</title>
<style>body{{font:15px/1.5 system-ui;margin:2rem auto;max-width:52rem;padding:0 1rem}}
section{{border:1px solid #ccd;border-radius:8px;padding:.2rem 1rem 1rem;margin:1rem 0}}
small{{color:#667}}
li{{white-space:pre-wrap}} .status{{background:#eef;border-radius:4px;padding:0 .4rem}}</style>
</head><body><h1>Linear playground</h1>{issues}</body></html>"""


def snapshot(workspace: Workspace) -> Json:
    """Issues with everything below them, in the order of creation."""
    now = workspace.clock.now()
    return {
        "now": iso(now),
        "appUserId": workspace.app_user.id,
        "users": [
            {"id": each.id, "name": each.name, "email": each.email, "app": each.app}
            for each in workspace.users.values()
        ],
        "issues": [issue_view(each, now) for each in workspace.issues.values()],
    }


def issue_view(issue: Issue, now: datetime) -> Json:
    return {
        "id": issue.id,
        "identifier": issue.identifier,
        "title": issue.title,
        "description": issue.description,
        "url": issue.url,
        "branchName": issue.branch_name,
        "team": issue.team.key,
        "state": issue.state.name,
        "priority": issue.priority,
        "creator": issue.creator.name if issue.creator else None,
        "createdAsUser": issue.bot_actor.user_display_name if issue.bot_actor else None,
        "assignee": issue.assignee.name if issue.assignee else None,
        "delegate": issue.delegate.name if issue.delegate else None,
        "comments": [comment_view(each) for each in issue.comments],
        "attachments": [attachment_view(each) for each in issue.attachments],
        "sessions": [session_view(each, now) for each in issue.agent_sessions],
    }


def comment_view(comment: Comment) -> Json:
    return {
        "id": comment.id,
        "body": comment.body,
        "user": comment.user.name if comment.user else None,
        "createdAsUser": comment.bot_actor.user_display_name if comment.bot_actor else None,
        "parentId": comment.parent_id,
        "createdAt": iso(comment.created_at),
        "isArtificialAgentSessionRoot": comment.is_artificial_agent_session_root,
    }


def attachment_view(attachment: Attachment) -> Json:
    return {
        "id": attachment.id,
        "url": attachment.url,
        "title": attachment.title,
        "subtitle": attachment.subtitle,
        "sourceType": attachment.source_type,
        "isSyncedThread": attachment.is_synced_thread,
    }


def session_view(session: AgentSession, now: datetime) -> Json:
    """One session: `feed` is what people see, `history` is every activity ever accepted."""
    return {
        "id": session.id,
        "status": session.status(now),
        "didNotRespond": session.did_not_respond(now),
        "creator": session.creator.name if session.creator else None,
        "createdAt": iso(session.created_at),
        "endedAt": iso(session.ended_at) if session.ended_at else None,
        "url": session.url,
        "summary": session.summary,
        "plan": session.plan,
        "externalLinks": session.external_links,
        "feed": [activity_view(each) for each in session.feed],
        "history": [activity_view(each) for each in session.history],
    }


def activity_view(activity: AgentActivity) -> Json:
    return {
        "id": activity.id,
        **activity.content,
        "user": activity.user.name,
        "createdAt": iso(activity.created_at),
        "ephemeral": activity.ephemeral,
        "signal": activity.signal,
        "signalMetadata": activity.signal_metadata,
    }


def delivery_view(delivery: Delivery) -> Json:
    due = delivery.next_attempt_at
    return {
        "id": delivery.id,
        "type": delivery.type,
        "action": delivery.action,
        "body": delivery.body.decode(),
        "attempts": [{"at": iso(each.at), "status": each.status} for each in delivery.attempts],
        "delivered": delivery.is_delivered,
        "nextAttemptAt": iso(due) if due else None,
    }


def render_page(workspace: Workspace) -> str:
    """The issues with their session feeds, newest first; everything people wrote is escaped."""
    now = workspace.clock.now()
    newest_first = reversed(list(workspace.issues.values()))
    return PAGE.format(issues="".join(_issue(each, now) for each in newest_first) or "<p>No issues yet.</p>")


def _issue(issue: Issue, now: datetime) -> str:
    people = escape(f"assignee {_name(issue.assignee)}, delegate {_name(issue.delegate)}")
    return (
        f"<section><h2>{escape(issue.identifier)} {escape(issue.title)}</h2>"
        f'<p><span class="status">{escape(issue.state.name)}</span> <small>{people}</small></p>'
        f"<p>{escape(issue.description or '')}</p>"
        f"{_list(f'{each.title}: {each.url}' for each in issue.attachments)}"
        f"{''.join(_session(each, now) for each in issue.agent_sessions)}"
        f"<h3>Comments</h3>{_list(f'{_name(each.user)}: {each.body}' for each in issue.comments)}</section>"
    )


def _session(session: AgentSession, now: datetime) -> str:
    late = " Did not respond." if session.did_not_respond(now) else ""
    head = f'Session <small>{session.id}</small> <span class="status">{session.status(now)}</span>{late}'
    plan = _list(f"{step['status']}: {step['content']}" for step in session.plan or [])
    links = _list(f"{link['label']}: {link['url']}" for link in session.external_links)
    return f"<h3>{head}</h3>{links}{plan}{_list(_line(each) for each in session.feed)}"


def _line(activity: AgentActivity) -> str:
    content = activity.content
    text = content.get("body") or f"{content.get('action')} {content.get('parameter')}"
    result = f"\n{content['result']}" if content.get("result") else ""
    signal = f" [{activity.signal}]" if activity.signal else ""
    return f"{activity.type}{signal} by {activity.user.name}: {text}{result}"


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _name(user: User | None) -> str:
    return user.name if user else "nobody"
