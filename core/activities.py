"""What a session's log holds: Linear's agent activities, and the facts the projections need beside them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, TypeAdapter

from core.ids import ElicitationId, EntryKey, MessageRef, ThreadRef, TurnId
from core.pulls import MergeMethod, PullAction, PullFacts, PullRef


@dataclass(frozen=True, slots=True)
class Author:
    """A person, as the surface names them. `surface` is "slack", "teams", "linear" or "github".

    `is_guest`: a guest there, who sees only some of it; `is_external`: a member of another organisation.
    """

    surface: str
    id: str
    name: str
    email: str | None = None
    is_guest: bool = False
    is_external: bool = False


class Blocker(StrEnum):
    """Why something waits or ended: the codes of logs, metrics and `doctor`."""

    QUEUED = "queued"
    REPO_UNKNOWN = "repo.unknown"
    REPO_UNREACHABLE = "repo.unreachable"
    PERSON_UNLINKED = "person.unlinked"
    PERSON_DENIED = "person.denied"
    PERSON_GUEST = "person.guest"
    MODEL_KEY = "model.key"
    MODEL_BUSY = "model.busy"
    MODEL_LIMIT = "model.limit"
    AGENT_SILENT = "agent.silent"
    AGENT_CRASHED = "agent.crashed"
    AGENT_FAILED = "agent.failed"
    RUN_TIMEOUT = "run.timeout"
    LINEAR_DOWN = "linear.down"
    LINEAR_REVOKED = "linear.revoked"
    LINEAR_REFUSED = "linear.refused"
    LINEAR_QUOTA = "linear.quota"
    LINEAR_GONE = "linear.gone"
    CHAT_THROTTLED = "chat.throttled"
    CHAT_GONE = "chat.gone"
    CHAT_REFUSED = "chat.refused"
    FILE_UNSEEN = "file.unseen"
    REPO_CONFLICT = "repo.conflict"
    PUSH_REFUSED = "push.refused"
    PR_STALE = "pr.stale"
    PR_YOURS = "pr.yours"
    PR_PROTECTED = "pr.protected"
    PR_CLOSED = "pr.closed"
    GITHUB_UNLINKED = "github.unlinked"
    GITHUB_DOWN = "github.down"
    GITHUB_REFUSED = "github.refused"
    RESTART = "restart"


class Fate(StrEnum):
    """What became of a person's message; shown as a reaction on it."""

    SEEN = "seen"
    QUEUED = "queued"
    DELIVERED = "delivered"
    DONE = "done"
    WITHDRAWN = "withdrawn"


class StepStatus(StrEnum):
    """Linear's words for a plan step."""

    PENDING = "pending"
    IN_PROGRESS = "inProgress"
    COMPLETED = "completed"
    CANCELED = "canceled"


class Outcome(StrEnum):
    """How a turn ended."""

    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PlanStep:
    content: str
    status: StepStatus


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a question; `value` comes back when it is chosen."""

    value: str
    label: str


PLAN_APPROVED = "approve"
"""Value of the option that agrees to a plan; until it is chosen, an agent that plans changes nothing."""

# Linear's agent activities.


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    body: str
    ephemeral: bool = False
    kind: Literal["thought"] = "thought"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A tool call: "Running", "`pytest`" (ephemeral) while it runs, "Ran" with its result after."""

    action: str
    parameter: str
    result: str | None = None
    ephemeral: bool = False
    kind: Literal["action"] = "action"


def _somebody(told: object) -> object:
    # Logs of earlier versions tell no more than a name.
    return Author("", "", told) if isinstance(told, str) else told


@dataclass(frozen=True, slots=True, kw_only=True)
class Elicitation:
    """A question to people, `asked` above all; with no options only free text answers it."""

    id: ElicitationId
    body: str
    options: tuple[Option, ...] = ()
    asked: tuple[Annotated[Author, BeforeValidator(_somebody)], ...] = ()
    multiple: bool = False
    code: Blocker | None = None
    kind: Literal["elicitation"] = "elicitation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The answer that ends a turn."""

    body: str
    kind: Literal["response"] = "response"


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """A named failure that ends a turn: a sentence for the person and what can be done."""

    code: Blocker
    body: str
    action: str = ""
    kind: Literal["error"] = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a person said to the agent."""

    author: Author
    body: str
    message: MessageRef | None = None
    kind: Literal["prompt"] = "prompt"


# Facts beside them.


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The agent's whole checklist, as it stands now."""

    steps: tuple[PlanStep, ...]
    kind: Literal["plan"] = "plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An elicitation got its answer; the first one wins."""

    elicitation: ElicitationId
    by: Author
    answer: str
    kind: Literal["answered"] = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class FateChanged:
    """A person's message moved on."""

    message: MessageRef
    fate: Fate
    kind: Literal["fate"] = "fate"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted:
    """The turn `turn` began, asked for by `author`; each turn has a progress message of its own."""

    turn: TurnId
    author: Author
    kind: Literal["turnStarted"] = "turnStarted"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueLinked:
    """The session works on this Linear issue."""

    identifier: str
    title: str
    url: str
    kind: Literal["issueLinked"] = "issueLinked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """The session works in this repository, for this reason ("because this channel maps to it")."""

    repository: str
    reason: str
    kind: Literal["routed"] = "routed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Work waits, and why; cleared by `Unblocked` with the same code. Shown in the progress line."""

    code: Blocker
    body: str
    action: str = ""
    kind: Literal["blocked"] = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unblocked:
    code: Blocker
    kind: Literal["unblocked"] = "unblocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Work goes on; at most one a minute, so that no progress line grows old."""

    elapsed_s: int
    kind: Literal["heartbeat"] = "heartbeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    """The turn is over; follows its one terminal activity. `cost_usd` is the session's total so far."""

    turn: TurnId
    outcome: Outcome
    elapsed_s: int
    cost_usd: float | None = None
    kind: Literal["turnEnded"] = "turnEnded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A short reply that belongs to no turn ("Nothing is running here.").

    Only for the `surface` where it was asked for; with none, for every chat thread.
    """

    body: str
    surface: str = ""
    kind: Literal["notice"] = "notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthAsked:
    """What `person` asked for waits until they have linked an account at `provider` ("Linear").

    The link is nobody else's business, so it is not part of the log: whoever shows this makes one for them.

    Attributes:
        thread: Where they asked, if it was in chat.
        is_known: The others were told before that something waits.
    """

    person: Author
    provider: str
    body: str
    code: Blocker | None = None
    thread: ThreadRef | None = None
    is_known: bool = False
    kind: Literal["authAsked"] = "authAsked"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthGiven:
    """`person` has linked the account; what they asked for comes in anew."""

    person: Author
    kind: Literal["authGiven"] = "authGiven"


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """`person` may not do what they asked for; told to nobody else, where they asked."""

    person: Author
    code: Blocker
    body: str
    thread: ThreadRef | None = None
    kind: Literal["denied"] = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullShown:
    """The session's pull request as it stands now; each head of it has a card of its own.

    Attributes:
        card: Names the card in its buttons; another one for another head.
        turn: The turn that pushed last; its card is a message below that turn's answer.
        steered_by: Who asked for the work or prompted in it: their approvals do not count.
        steered: Numbers of their accounts at the code host.
        offer: What the agent could do now ("2 checks failed", "Eve asked for changes"); "" for nothing.
        is_stale: The head moved on; a card below shows it, this one keeps no buttons.
        issue: What became of the issue when it was merged ("ENG-142 is Done"), "" for nothing.
    """

    card: str
    facts: PullFacts
    turn: TurnId | None = None
    steered_by: tuple[str, ...] = ()
    steered: tuple[int, ...] = ()
    offer: str = ""
    is_stale: bool = False
    issue: str = ""
    kind: Literal["pull"] = "pull"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullActed:
    """`by` did something with the pull request at the code host, from here or there.

    `body` says it whole: "Approved by Eve at abc1234."; `account` is the number of their account there.
    `method`: how they merged it.
    """

    by: Author
    account: int
    pull: PullRef
    action: PullAction
    sha: str
    body: str
    method: MergeMethod | None = None
    kind: Literal["pullActed"] = "pullActed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmAsked:
    """`person` asked for something that is not undone by asking again: they confirm it, nobody else.

    Attributes:
        card: The card that it counts for; the confirmation carries it, and `action`.
        body: What will happen, whole: "Merge acme/shop #87 at abc1234 into main, as squash?".
        label: Of the button that confirms.
        word: What does the same when written.
    """

    person: Author
    card: str
    action: PullAction
    body: str
    label: str
    word: str
    thread: ThreadRef | None = None
    kind: Literal["confirmAsked"] = "confirmAsked"


AgentActivity = Thought | Action | Elicitation | Response | Error | Prompt
Fact = (
    Plan
    | Answered
    | FateChanged
    | TurnStarted
    | IssueLinked
    | Routed
    | Blocked
    | Unblocked
    | Heartbeat
    | TurnEnded
    | Notice
    | AuthAsked
    | AuthGiven
    | Denied
    | PullShown
    | PullActed
    | ConfirmAsked
)
Entry = AgentActivity | Fact
TERMINAL = (Response, Error)

_ENTRY: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Discriminator("kind")])


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry with its place in the log. `origin` is the surface whose person caused it, if one did."""

    n: int
    key: EntryKey
    entry: Entry
    at: datetime
    origin: str | None = field(default=None)


def dump_entry(entry: Entry) -> dict[str, object]:
    """The entry as JSON-able data, for the store."""
    dumped: dict[str, object] = _ENTRY.dump_python(entry, mode="json")
    return dumped


def load_entry(data: object) -> Entry:
    """The opposite of `dump_entry`."""
    return _ENTRY.validate_python(data)
