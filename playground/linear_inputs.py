"""The inputs of the stand-in's mutations as typed values; `model_fields_set` tells null from absent."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Input(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="forbid")


class ExternalUrl(Input):
    label: str
    url: str


class IssueCreate(Input):
    team_id: str
    title: str | None = None
    description: str | None = None
    id: str | None = None
    assignee_id: str | None = None
    delegate_id: str | None = None
    state_id: str | None = None
    priority: int | None = None
    create_as_user: str | None = None
    display_icon_url: str | None = None


class IssueUpdate(Input):
    title: str | None = None
    description: str | None = None
    assignee_id: str | None = None
    delegate_id: str | None = None
    state_id: str | None = None
    priority: int | None = None


class CommentCreate(Input):
    body: str | None = None
    issue_id: str | None = None
    parent_id: str | None = None
    id: str | None = None
    create_as_user: str | None = None
    display_icon_url: str | None = None
    do_not_subscribe_to_issue: bool | None = None


class AttachmentCreate(Input):
    issue_id: str
    url: str
    title: str
    id: str | None = None
    subtitle: str | None = None
    icon_url: str | None = None
    metadata: dict[str, Any] | None = None
    group_by_source: bool | None = None
    create_as_user: str | None = None
    display_icon_url: str | None = None


class SlackLink(Input):
    issue_id: str
    url: str
    title: str | None = None
    id: str | None = None
    sync_to_comment_thread: bool | None = None
    create_as_user: str | None = None
    display_icon_url: str | None = None


class SessionCreateOnIssue(Input):
    issue_id: str
    external_link: str | None = None
    external_urls: list[ExternalUrl] | None = None


class SessionCreateOnComment(Input):
    comment_id: str
    external_link: str | None = None
    external_urls: list[ExternalUrl] | None = None


class SessionUpdate(Input):
    plan: Any = None
    summary: str | None = None
    external_link: str | None = None
    external_urls: list[ExternalUrl] | None = None
    added_external_urls: list[ExternalUrl] | None = None
    removed_external_urls: list[str] | None = None


class ActivityCreate(Input):
    agent_session_id: str
    content: Any
    id: str | None = None
    ephemeral: bool | None = None
    signal: str | None = None
    signal_metadata: dict[str, Any] | None = None
