"""What a delivery of GitHub's points at. A hint, not a fact: whatever matters is read again. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

EVENTS: Final = (
    "check_run",
    "check_suite",
    "issue_comment",
    "member",
    "merge_group",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "repository",
    "status",
    "workflow_run",
)
"""What the app subscribes to."""

UNASKED: Final = ("github_app_authorization", "installation", "installation_repositories")
"""What every app gets; GitHub refuses a manifest that asks for them."""

ACTIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "check_run": frozenset({"created", "completed", "rerequested", "requested_action"}),
        "check_suite": frozenset({"completed", "requested", "rerequested"}),
        "github_app_authorization": frozenset({"revoked"}),
        "installation": frozenset({"created", "deleted", "suspend", "unsuspend", "new_permissions_accepted"}),
        "installation_repositories": frozenset({"added", "removed"}),
        "issue_comment": frozenset({"created", "edited", "deleted"}),
        "member": frozenset({"added", "edited", "removed"}),
        "merge_group": frozenset({"checks_requested", "destroyed"}),
        "pull_request": frozenset(
            {
                "opened",
                "closed",
                "reopened",
                "edited",
                "synchronize",
                "ready_for_review",
                "converted_to_draft",
                "review_requested",
                "review_request_removed",
                "auto_merge_enabled",
                "auto_merge_disabled",
                "enqueued",
                "dequeued",
            }
        ),
        "pull_request_review": frozenset({"submitted", "edited", "dismissed"}),
        "pull_request_review_comment": frozenset({"created", "edited", "deleted"}),
        "pull_request_review_thread": frozenset({"resolved", "unresolved"}),
        "repository": frozenset({"renamed", "transferred", "archived", "unarchived", "deleted", "edited"}),
        "status": frozenset({""}),
        "workflow_run": frozenset({"requested", "in_progress", "completed"}),
    }
)
"""The actions that mean something to us; a status has none."""


@dataclass(frozen=True, slots=True)
class Said:
    """A review or a comment: what somebody wrote on github.com. Untrusted text.

    Attributes:
        id: Number of the review or comment.
        text: At most 65,536 characters; "" for a bare review.
        state: Of a review: approved, changes_requested, commented, dismissed; "" for a comment.
        path: The file that a comment on a line is about.
        author: Login and number of who wrote it; an edit or a deletion may be somebody else's doing.
    """

    id: int
    text: str
    state: str = ""
    path: str = ""
    author: str = ""
    author_id: int = 0
    by_bot: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A check run, check suite, workflow run or status.

    Attributes:
        name: Of the check, workflow or status; "" for a suite.
        state: queued, in_progress, completed, ..., or of a status success, failure, error, pending.
        conclusion: success, failure, ... once completed, else "".
        app_id: The app that made a check run or suite; 0 where none is told.
    """

    id: int
    name: str
    state: str
    conclusion: str = ""
    app_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One delivery, as far as we look into it. What is absent or odd is 0, "" or empty.

    Attributes:
        delivery: GitHub's id of the event, the same when it is delivered again; not signed.
        digest: SHA-256 of the body, in hex: under one delivery id it is always the same, or somebody sent a
            body of before under another id.
        event, action: GitHub's words; see `is_ignorable`.
        installation: Number of the app's installation.
        repository_id, repository: Number and "owner/name" of today; the number stays.
        renamed_from: "name" or "owner/name" before, of a repository that was renamed or transferred.
        pulls: Numbers of the pull requests that it is about; may be empty for checks.
        head_sha: The commit that it is about.
        branch: The branch of the pull request or the check.
        sender_id, sender, by_bot: The account that did it.
        said: The review or comment.
        checked: The check.
        updated_at: Of the pull request, as GitHub writes it.
        revoked_user: Number of the account whose owner took our rights back; 0 for any other event.
        member_id: Number of the account whose rights in the repository changed.
        repositories: Added to or removed from the installation: (number, "owner/name").
    """

    delivery: str
    digest: str
    event: str
    action: str = ""
    installation: int = 0
    repository_id: int = 0
    repository: str = ""
    renamed_from: str = ""
    pulls: tuple[int, ...] = ()
    head_sha: str = ""
    branch: str = ""
    sender_id: int = 0
    sender: str = ""
    by_bot: bool = False
    said: Said | None = None
    checked: Checked | None = None
    updated_at: str = ""
    revoked_user: int = 0
    member_id: int = 0
    repositories: tuple[tuple[int, str], ...] = ()

    @property
    def is_ignorable(self) -> bool:
        """Nothing of ours hangs on it: an event or action that we do not know, or a comment on an issue."""
        if self.action not in ACTIONS.get(self.event, frozenset()):
            return True
        return self.event == "issue_comment" and not self.pulls
