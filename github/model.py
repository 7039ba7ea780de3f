"""What GitHub's REST API answers, as far as we read it: tolerant of new fields and of new words."""

from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from github.errors import Transient

M = TypeVar("M", bound="Model")


Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
"""Text that may be null; "" then."""

Id = Annotated[int, BeforeValidator(lambda value: 0 if value is None else value)]
"""A number; 0 for an account that was deleted."""


class Model(BaseModel):
    """Frozen, unknown fields ignored; enums stay `str` because GitHub adds values."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True, hide_input_in_errors=True)


def read(shape: type[M], told: object, *, about: str, maybe_done: bool = False) -> M:
    """`told` as a model.

    Raises:
        Transient: It has another shape; what stands in it stays out of the message.
    """
    try:
        return shape.model_validate(told)
    except ValidationError:
        unread = Transient(f"answer about {about} has an unknown shape", maybe_done=maybe_done)
    raise unread


def read_all(shape: type[M], told: list[Any], *, about: str) -> tuple[M, ...]:
    """Each of `told` as a model; raises as `read` does."""
    return tuple(read(shape, one, about=about) for one in told)


class Account(Model):
    """A person, a bot or an organization at GitHub. `id` stays, `login` is what it is called today."""

    id: Id = 0
    login: Text = ""
    type: Text = "User"
    name: Text = ""

    @property
    def is_bot(self) -> bool:
        return self.type == "Bot"


class Email(Model):
    """An address of the account that asked."""

    email: str
    verified: bool = False
    primary: bool = False


class Repository(Model):
    """`full_name` is its name today, whatever it was asked for by."""

    id: int
    full_name: str
    default_branch: str
    private: bool = False
    archived: bool = False
    html_url: str = ""


class CollaboratorPermission(Model):
    """What an account may do in a repository.

    `role_name` is admin, maintain, write, triage, read or none, or a custom role of the organization;
    `permission` is what that comes to: admin, write, read or none.
    """

    permission: str
    role_name: Text = ""
    user: Account | None = None


class Pull(Model):
    """A pull request as REST has it."""

    id: int
    node_id: str
    number: int
    html_url: str
    state: str
    title: str
    body: Text = ""
    draft: bool = False
    merged: bool = False
    merge_commit_sha: str | None = None
    head_sha: Annotated[str, Field(validation_alias=AliasPath("head", "sha"))]
    head_ref: Annotated[str, Field(validation_alias=AliasPath("head", "ref"))]
    base_ref: Annotated[str, Field(validation_alias=AliasPath("base", "ref"))]
    user: Account | None = None


class Review(Model):
    """`state` is APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED or PENDING; `commit_id` is told by GitHub
    and may be put to another commit later."""

    id: int
    state: str
    body: Text = ""
    commit_id: Text = ""
    user: Account | None = None
    submitted_at: datetime | None = None
    html_url: str = ""


class Comment(Model):
    """A comment below a pull request, or on a line of it."""

    id: int
    body: Text = ""
    user: Account | None = None
    path: Text = ""
    html_url: str = ""


class ChangedFile(Model):
    """`previous_filename` is set where the file was renamed."""

    filename: str
    status: Text = ""
    additions: int = 0
    deletions: int = 0
    previous_filename: Text = ""


class App(Model):
    """Our own registration; what it may do is what each installation granted at most."""

    id: int
    slug: Text = ""
    name: Text = ""
    html_url: Text = ""
    permissions: dict[str, str] = {}
    events: tuple[str, ...] = ()


class Installation(Model):
    """`suspended_at` is set while nothing can be done with it."""

    id: int
    permissions: dict[str, str] = {}
    suspended_at: datetime | None = None


class MintedToken(Model):
    """A token of an installation, of any length and form."""

    token: Annotated[str, Field(min_length=1, repr=False)]
    expires_at: datetime
    permissions: dict[str, str] = {}


class Delivery(Model):
    """One attempt of GitHub's to deliver a webhook; `guid` is the same for all attempts of one event.

    `id` names the attempt. `status_code` is what we answered; 0 or 5xx for no answer.
    """

    id: int
    guid: str
    delivered_at: datetime
    redelivery: bool = False
    status_code: int = 0
    event: str = ""
    action: Text = ""

    @property
    def arrived(self) -> bool:
        return 200 <= self.status_code < 300


class CheckApp(Model):
    """The app that made a check."""

    id: int
    slug: Text = ""


class CheckOutput(Model):
    title: Text = ""
    summary: Text = ""
    text: Text = ""
    annotations_count: int = 0


class CheckRun(Model):
    """`status` is queued, in_progress, completed or newer; `conclusion` is "" until then."""

    id: int
    name: str
    head_sha: str
    status: str
    conclusion: Text = ""
    external_id: Text = ""
    details_url: Text = ""
    html_url: Text = ""
    output: CheckOutput = CheckOutput()
    app: CheckApp | None = None


class Annotation(Model):
    """A remark of a check about lines of a file; `annotation_level` is notice, warning or failure."""

    path: Text = ""
    start_line: int = 0
    annotation_level: Text = ""
    title: Text = ""
    message: Text = ""


class RequiredCheck(Model):
    """A check that a branch asks for; `integration_id` is the app that must make it, None for anybody."""

    context: str
    integration_id: int | None = None


class RuleParameters(Model):
    """The parameters of those kinds of rules that we read."""

    required_approving_review_count: int = 0
    dismiss_stale_reviews_on_push: bool = False
    require_code_owner_review: bool = False
    require_last_push_approval: bool = False
    required_review_thread_resolution: bool = False
    allowed_merge_methods: tuple[str, ...] | None = None
    required_status_checks: tuple[RequiredCheck, ...] = ()
    strict_required_status_checks_policy: bool = False
    merge_method: str = ""


class BranchRule(Model):
    """One rule of a ruleset that holds for a branch.

    `type` is pull_request, required_status_checks, merge_queue, required_linear_history, ... Classic branch
    protection is not among them: only administrators may read it.
    """

    type: str
    parameters: RuleParameters = RuleParameters()


class MergeOutcome(Model):
    """How a merge in the background stands: `status` is pending, merged, enqueued or failed."""

    status: str = ""
    message: Annotated[str, Field(validation_alias=AliasPath("details", "message"))] = ""
    uuid: Annotated[str, Field(validation_alias=AliasPath("details", "uuid"))] = ""
    sha: Annotated[str, Field(validation_alias=AliasPath("details", "sha"))] = ""
    expected_head_sha: Annotated[str, Field(validation_alias=AliasPath("details", "expected_head_sha"))] = ""


class DirectMerge(Model):
    """The answer to a merge at once; `sha` is the commit that it made."""

    merged: bool
    sha: Text = ""
