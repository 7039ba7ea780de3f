"""What GitHub's GraphQL API answers about a pull request, as tolerant as `github.model`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from github.errors import NotFound
from github.model import CheckApp, Id, Model, Text, read

T = TypeVar("T")


def _nodes(connection: object) -> object:
    """The nodes of a connection, without those that are hidden from us."""
    nodes = connection.get("nodes") if isinstance(connection, Mapping) else connection
    return tuple(node for node in nodes if node is not None) if isinstance(nodes, list | tuple) else ()


Nodes = Annotated[tuple[T, ...], BeforeValidator(_nodes)]
"""One page of a connection, as a tuple."""


class Node(Model):
    """camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel)


class Actor(Node):
    """Whoever did something; `type` is User, Bot, Mannequin or newer, `id` 0 for what has no number."""

    type: Annotated[str, Field(validation_alias=AliasChoices("__typename", "type"))] = ""
    login: str = ""
    id: Annotated[Id, Field(validation_alias=AliasChoices("databaseId", "id"))] = 0

    @property
    def is_bot(self) -> bool:
        return self.type == "Bot"


class Commit(Node):
    oid: str


class LatestReview(Node):
    """Somebody's newest review; `state` as in `Review`."""

    id: Annotated[Id, Field(validation_alias=AliasChoices("fullDatabaseId", "id"))] = 0
    state: str
    submitted_at: datetime | None = None
    author_can_push_to_repository: bool = False
    author: Actor | None = None
    commit: Commit | None = None


class _Suite(Node):
    app: Annotated[CheckApp | None, BeforeValidator(lambda app: _renamed_app(app))] = None


def _renamed_app(app: object) -> object:
    if not isinstance(app, Mapping):
        return None
    return {"id": app.get("databaseId") or 0, "slug": app.get("slug")}


class RollupContext(Node):
    """A check run, or a status of the older kind, of a head.

    Attributes:
        name: Of the check; two apps may use the same.
        status: COMPLETED, IN_PROGRESS, QUEUED, ... of a check run; "" for a status.
        conclusion: SUCCESS, FAILURE, NEUTRAL, SKIPPED, ... of a completed check run, else "".
        state: SUCCESS, FAILURE, ERROR, PENDING or EXPECTED of a status; "" for a check run.
        id: Number of the check run; 0 for a status.
        suite: Told by GitHub with the app; see `app`.
    """

    type: Annotated[str, Field(validation_alias=AliasChoices("__typename", "type"))] = ""
    id: Annotated[Id, Field(validation_alias=AliasChoices("databaseId", "id"))] = 0
    name: Annotated[str, Field(validation_alias=AliasChoices("name", "context"))]
    status: Text = ""
    conclusion: Text = ""
    state: Text = ""
    url: Annotated[Text, Field(validation_alias=AliasChoices("detailsUrl", "targetUrl", "url"))] = ""
    began_at: Annotated[
        datetime | None, Field(validation_alias=AliasChoices("startedAt", "createdAt", "began_at"))
    ] = None
    is_required: bool = False
    suite: Annotated[_Suite | None, Field(validation_alias=AliasChoices("checkSuite", "suite"))] = None

    @property
    def app(self) -> CheckApp | None:
        """Who made the check; None for a status, and for an app that is hidden from us."""
        return self.suite.app if self.suite else None


class PageInfo(Node):
    has_previous_page: bool = False
    start_cursor: str | None = None


class Requested(Node):
    """Who is asked for a review: a person or bot with `login`, or a team with its `combined_slug`."""

    type: Annotated[str, Field(validation_alias=AliasChoices("__typename", "type"))] = ""
    login: str = ""
    combined_slug: str = ""

    @property
    def label(self) -> str:
        return self.login or self.combined_slug


class ReviewRequest(Node):
    """`requested_reviewer` is None where its name is hidden from us."""

    as_code_owner: bool = False
    requested_reviewer: Requested | None = None


class AutoMerge(Node):
    """`merge_method` is MERGE, SQUASH or REBASE."""

    merge_method: str
    enabled_by: Actor | None = None


class QueueEntry(Node):
    """A place in the merge queue; `estimated_time_to_merge` in seconds."""

    id: str = ""
    position: int
    state: str
    estimated_time_to_merge: int | None = None


class _Path(Node):
    path: str


class _Closing(Node):
    actor: Actor | None = None


class Home(Node):
    """The repository, under its name of today, and the ways of merging that its settings allow.

    `viewer_default_merge_method` is MERGE, SQUASH or REBASE: what was used or chosen last.
    """

    id: Annotated[Id, Field(validation_alias=AliasChoices("databaseId", "id"))] = 0
    full_name: Annotated[str, Field(validation_alias=AliasChoices("nameWithOwner", "full_name"))]
    is_archived: bool = False
    auto_merge_allowed: bool = False
    merge_commit_allowed: bool = False
    rebase_merge_allowed: bool = False
    squash_merge_allowed: bool = False
    viewer_default_merge_method: str = "MERGE"


class PullState(Node):
    """What acts look at before and after: where a pull request stands."""

    id: str
    number: int
    state: str
    is_draft: bool
    merged: bool
    head_ref_oid: str
    is_in_merge_queue: bool = False
    is_merge_queue_enabled: bool = False
    merge_state_status: str = "UNKNOWN"
    review_decision: Text = ""
    merged_by: Actor | None = None
    merge_queue_entry: QueueEntry | None = None
    auto_merge_request: AutoMerge | None = None


class PullLook(PullState):
    """Everything about a pull request that a card or a decision may need, from one look.

    Attributes:
        state: OPEN, CLOSED or MERGED.
        mergeable: MERGEABLE, CONFLICTING, or UNKNOWN while GitHub computes it.
        merge_state_status: CLEAN, HAS_HOOKS, UNSTABLE, BEHIND, BLOCKED, DIRTY, DRAFT or UNKNOWN.
        review_decision: APPROVED, CHANGES_REQUESTED, REVIEW_REQUIRED, or "" where no rule asks for reviews.
        files: Paths of the first 100 changed files; `changed_files` counts all.
        latest_opinionated_reviews: The newest opinion of each person who may push.
        latest_reviews: The newest review of each person, opinion or not.
        check_state: SUCCESS, FAILURE, ERROR, PENDING or EXPECTED; "" where the head has no checks at all.
        checks: All of them.
        timeline_items: Who closed it last.
        hidden: Places in the answer that this token may not see; they are as if they were empty.
    """

    url: str
    title: str
    body: Text = ""
    is_cross_repository: bool = False
    updated_at: str
    merged_at: str | None = None
    closed_at: str | None = None
    head_ref_name: str
    base_ref_name: str
    base_ref_oid: str = ""
    additions: int = 0
    deletions: int = 0
    changed_files: int = 0
    mergeable: str = "UNKNOWN"
    author: Actor | None = None
    merge_commit: Commit | None = None
    files: Nodes[_Path] = ()
    latest_opinionated_reviews: Nodes[LatestReview] = ()
    latest_reviews: Nodes[LatestReview] = ()
    review_requests: Nodes[ReviewRequest] = ()
    timeline_items: Nodes[_Closing] = ()
    home: Home
    check_state: Text = ""
    checks: Nodes[RollupContext] = ()
    page: PageInfo = PageInfo()
    hidden: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(file.path for file in self.files)

    @property
    def is_computing(self) -> bool:
        """GitHub does not know yet whether it can be merged."""
        return self.state == "OPEN" and "UNKNOWN" in (self.mergeable, self.merge_state_status)

    @property
    def closed_by(self) -> Actor | None:
        return self.timeline_items[-1].actor if self.timeline_items else None


def look_of(data: Mapping[str, Any], hidden: tuple[str, ...]) -> PullLook:
    """The answer to `PullFacts`: one page of checks, and everything else.

    Raises:
        NotFound: There is no such pull request, or none that this token may see.
        Transient: It has another shape.
    """
    repository = _at(data, "repository")
    pull = _found(repository)
    contexts = _at(_at(pull, "statusCheckRollup"), "contexts")
    told = {
        **pull,
        "home": repository,
        "hidden": hidden,
        "checkState": _at(pull, "statusCheckRollup").get("state"),
        "checks": contexts,
        "page": _at(contexts, "pageInfo"),
    }
    return read(PullLook, told, about="a pull request")


def state_of(data: Mapping[str, Any], *places: str, maybe_done: bool = False) -> PullState:
    """The pull request below `places` in an answer; raises as `look_of` does."""
    inner: Mapping[str, Any] = data
    for place in places:
        inner = _at(inner, place)
    return read(PullState, _found(inner), about="a pull request", maybe_done=maybe_done)


def _found(parent: Mapping[str, Any]) -> Mapping[str, Any]:
    if parent.get("pullRequest") is None:
        raise NotFound("no such pull request")
    return _at(parent, "pullRequest")


def _at(parent: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    inner = parent.get(place)
    return inner if isinstance(inner, Mapping) else {}
