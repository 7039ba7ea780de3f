"""The mutations: inputs to workspace changes, and the webhooks that follow from them."""

from typing import Any

from playground import linear_events as events
from playground import linear_sessions as sessions
from playground.linear_errors import forbidden, invalid
from playground.linear_inputs import (
    ActivityCreate,
    AttachmentCreate,
    CommentCreate,
    ExternalUrl,
    IssueCreate,
    IssueUpdate,
    SessionCreateOnComment,
    SessionCreateOnIssue,
    SessionUpdate,
    SlackLink,
)
from playground.linear_model import AgentSession, User
from playground.linear_schema import Arguments, Call, Resolver

Payload = dict[str, Any]


def _issue_create(call: Call, args: Arguments) -> Payload:
    """An issue born with the app as delegate gets its session at once, and the app hears of it."""
    issue = call.workspace.create_issue(IssueCreate.model_validate(args["input"]), call.actor)
    call.events.append(events.issue_created(call.workspace, issue, call.actor))
    if issue.delegate:
        session = sessions.open_session(call.workspace, issue, creator=_human(call.actor))
        call.events.append(events.session_created(call.workspace, session))
    return _done(call, issue=issue)


def _issue_update(call: Call, args: Arguments) -> Payload:
    """A member who makes the app delegate opens a session; the app naming itself, as it should, does not."""
    issue = call.workspace.issue(args["id"])
    before = call.workspace.update_issue(issue, IssueUpdate.model_validate(args["input"]))
    if before:
        call.events.append(events.issue_updated(call.workspace, issue, call.actor, before))
    if "delegateId" in before and issue.delegate and not call.actor.app:
        session = sessions.open_session(call.workspace, issue, creator=call.actor)
        call.events.append(events.session_created(call.workspace, session))
    return _done(call, issue=issue)


def _comment_create(call: Call, args: Arguments) -> Payload:
    comment = call.workspace.create_comment(CommentCreate.model_validate(args["input"]), call.actor)
    return _done(call, comment=comment)


def _attachment_create(call: Call, args: Arguments) -> Payload:
    attachment = call.workspace.attach_url(AttachmentCreate.model_validate(args["input"]), call.actor)
    return _done(call, attachment=attachment)


def _attachment_link_slack(call: Call, args: Arguments) -> Payload:
    attachment = call.workspace.link_slack_thread(SlackLink.model_validate(args), call.actor)
    return _done(call, attachment=attachment)


def _session_create_on_issue(call: Call, args: Arguments) -> Payload:
    _only_apps(call.actor)
    wanted = SessionCreateOnIssue.model_validate(args["input"])
    issue = call.workspace.issue(wanted.issue_id)
    urls = _urls(wanted.external_link, wanted.external_urls)
    session = sessions.open_session(call.workspace, issue, creator=None, external_urls=urls)
    return _opened(call, session)


def _session_create_on_comment(call: Call, args: Arguments) -> Payload:
    _only_apps(call.actor)
    wanted = SessionCreateOnComment.model_validate(args["input"])
    comment = call.workspace.comment(wanted.comment_id)
    if comment.parent:
        raise invalid("commentId must name the root comment of a thread")
    urls = _urls(wanted.external_link, wanted.external_urls)
    session = sessions.open_session(
        call.workspace, comment.issue, creator=None, mention=comment, external_urls=urls
    )
    return _opened(call, session)


def _session_update(call: Call, args: Arguments) -> Payload:
    wanted = SessionUpdate.model_validate(args["input"])
    session = sessions.update_session(call.workspace, args["id"], wanted, call.actor)
    return _done(call, agentSession=session)


def _activity_create(call: Call, args: Arguments) -> Payload:
    activity = sessions.add_activity(call.workspace, ActivityCreate.model_validate(args["input"]), call.actor)
    return _done(call, agentActivity=activity)


MUTATIONS: dict[str, Resolver] = {
    "issueCreate": _issue_create,
    "issueUpdate": _issue_update,
    "commentCreate": _comment_create,
    "attachmentCreate": _attachment_create,
    "attachmentLinkSlack": _attachment_link_slack,
    "agentSessionCreateOnIssue": _session_create_on_issue,
    "agentSessionCreateOnComment": _session_create_on_comment,
    "agentSessionUpdate": _session_update,
    "agentActivityCreate": _activity_create,
}


def _opened(call: Call, session: AgentSession) -> Payload:
    """The app's own session is announced to it like any other."""
    call.events.append(events.session_created(call.workspace, session))
    return _done(call, agentSession=session)


def _done(call: Call, **entity: object) -> Payload:
    return {"success": True, "lastSyncId": call.workspace.last_sync_id, **entity}


def _only_apps(actor: User) -> None:
    if not actor.app:
        raise forbidden(sessions.ONLY_APPS)


def _human(actor: User) -> User | None:
    return None if actor.app else actor


def _urls(link: str | None, urls: list[ExternalUrl] | None) -> list[ExternalUrl]:
    single = [ExternalUrl(label=link, url=link)] if link else []
    return [*single, *(urls or [])]
