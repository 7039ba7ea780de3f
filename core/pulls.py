"""A pull request as the code host has it: the facts that a card shows and a policy decides from. Pure.

What an agent writes never gets in here; who sees a card sees what the code host says, and nothing else.
"""

from dataclasses import dataclass
from enum import StrEnum

SHORT_SHA_CHARS = 7


class PullState(StrEnum):
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class CheckState(StrEnum):
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


class ReviewState(StrEnum):
    APPROVED = "approved"
    CHANGES_REQUESTED = "changesRequested"
    COMMENTED = "commented"


class MergeState(StrEnum):
    """GitHub's words for whether it could be merged now, less how."""

    CLEAN = "clean"
    HAS_HOOKS = "hasHooks"
    UNSTABLE = "unstable"
    BEHIND = "behind"
    BLOCKED = "blocked"
    CONFLICTING = "conflicting"
    DRAFT = "draft"
    UNKNOWN = "unknown"


class Decision(StrEnum):
    """Whether the branch's rules are content with the reviews."""

    APPROVED = "approved"
    CHANGES_REQUESTED = "changesRequested"
    REVIEW_REQUIRED = "reviewRequired"
    NOT_NEEDED = "notNeeded"


class Permission(StrEnum):
    """What an account may do in a repository, weakest first."""

    NONE = "none"
    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"

    @property
    def writes(self) -> bool:
        return self in (Permission.WRITE, Permission.MAINTAIN, Permission.ADMIN)


class MergeMethod(StrEnum):
    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"

    @property
    def how(self) -> str:
        """As it is said of a merge: "as squash"."""
        return "as a merge commit" if self is MergeMethod.MERGE else f"as {self.value}"


class PullAction(StrEnum):
    """What people do with a pull request from chat; the values travel in buttons."""

    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"
    COMMENT = "comment"
    READY = "ready"
    MERGE = "merge"
    MERGE_WHEN_GREEN = "merge_when_green"
    UPDATE_BRANCH = "update_branch"
    CLOSE = "close"
    FIX = "fix"


PRIVILEGED = frozenset(PullAction) - {PullAction.FIX}
"""Done at the code host, as the person; to fix something is a prompt to the agent."""


@dataclass(frozen=True, slots=True)
class PullRef:
    """`repository` is "owner/name", as the code host calls it."""

    repository: str
    number: int

    def __str__(self) -> str:
        return f"{self.repository}#{self.number}"


@dataclass(frozen=True, slots=True)
class Check:
    """The newest run of one check on the head. `ours`: it is `independent-review`."""

    name: str
    state: CheckState
    required: bool = False
    url: str | None = None
    ours: bool = False


@dataclass(frozen=True, slots=True)
class CodeReview:
    """Somebody's newest review with an opinion, or their comment if they have none.

    Attributes:
        by: Their login at the code host.
        by_id: Their numeric account there; logins change hands.
        sha: The commit that they looked at.
        writes: They may push to the repository: their opinion counts for its rules.
        name: How they are called in chat, if they are linked.
        by_bot: An app or a bot said it, not a person.
    """

    by: str
    by_id: int
    state: ReviewState
    sha: str
    writes: bool = False
    name: str = ""
    by_bot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PullFacts:
    """Everything a card shows, from one look.

    Attributes:
        author: Login and numeric account of who opened it; the app's own if it did.
        paths: Changed files, at most 100.
        sensitive: Those of them that need a careful look: workflows, CODEOWNERS, lock files, agents' files.
        reviews_needed: Approvals that the branch's rules ask for; 0 for none, None while unknown.
        methods: How it may be merged, the repository's favourite first.
        auto_merge: Who asked to merge it once everything is green, "" for nobody.
        queued_at: Its place in the merge queue, None for not in it. `has_queue`: the branch has one.
        merged_by, merged_as: Login and method, once it is merged.
        missing_owners: Code owners whose review is still asked for.
        updated_at: As the code host writes it (ISO 8601, UTC); an older look never replaces a newer one.
    """

    ref: PullRef
    url: str
    title: str
    author: str
    author_id: int
    state: PullState
    is_draft: bool
    head_sha: str
    branch: str
    base: str
    files: int = 0
    additions: int = 0
    deletions: int = 0
    paths: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    reviews: tuple[CodeReview, ...] = ()
    decision: Decision = Decision.NOT_NEEDED
    reviews_needed: int | None = None
    merge_state: MergeState = MergeState.UNKNOWN
    methods: tuple[MergeMethod, ...] = (MergeMethod.MERGE,)
    auto_merge: str = ""
    has_queue: bool = False
    queued_at: int | None = None
    merged_by: str = ""
    merged_as: MergeMethod | None = None
    missing_owners: tuple[str, ...] = ()
    updated_at: str = ""

    @property
    def short_sha(self) -> str:
        return self.head_sha[:SHORT_SHA_CHARS]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeAccount:
    """Somebody's account at the code host.

    Attributes:
        person: Ours, for the person behind all their accounts.
        id: The account's number there. `login` is only what it is called today.
        can_act: They linked it, so we can act as them; otherwise we only know that it is theirs.
        evidence: Why we believe it is theirs: "oauth+linear", "oauth+email", "oauth+admin" or "linear".
    """

    person: str
    id: int
    login: str
    can_act: bool = False
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class ReviewVerdict:
    """What the check `independent-review` says about one head; `passed` None while nobody has approved."""

    passed: bool | None
    title: str
    summary: str
