"""The borders of the core: what it asks of platforms, trackers and agents."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from core.activities import Author, Fate
from core.events import AgentEvent, Attachment, File, Image, Incoming, ThreadMessage
from core.ids import ElicitationId, MessageRef, ThreadRef
from core.pulls import (
    CodeAccount,
    MergeMethod,
    Permission,
    PullAction,
    PullFacts,
    PullRef,
    ReviewState,
    ReviewVerdict,
)

Payload = Mapping[str, Any]
"""What a surface sends for one message, JSON-able; only that surface looks inside."""


class Receipt(StrEnum):
    """What became of an incoming event; all of them are answered with 200."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"


class Inbox(Protocol):
    async def accept(self, incoming: Incoming) -> Receipt:
        """Store `incoming` for good, in one transaction, before the platform is answered.

        Raises:
            StoreUnavailable: Nothing was stored; answer 503 so that the platform sends it again.
        """
        ...


class ChatSurface(Protocol):
    """A place to talk. All methods may raise `core.errors.DeliveryError`; none retries by itself."""

    async def post(self, thread: ThreadRef, payload: Payload, *, key: str, again: bool) -> str:
        """Post a new message and return its id.

        Args:
            key: Identifies this post for ever.
            again: An earlier attempt with the same key may have got through. Where the platform lets
                us read back, look for it first and return its id. Where it does not, post something that
                says so in its place: nobody reads the same words twice, and nobody misses them.
        """
        ...

    async def edit(self, message: MessageRef, payload: Payload) -> None:
        """Replace a message of ours. Safe to repeat."""
        ...

    async def react(self, message: MessageRef, *, add: Fate | None, remove: Fate | None) -> None:
        """Move our reaction on a person's message from one fate to the next. Safe to repeat."""
        ...


class ThreadReader(Protocol):
    """What the core asks about a thread. Raises `core.errors.DeliveryError` like `ChatSurface`."""

    async def history(self, thread: ThreadRef) -> Sequence[ThreadMessage]:
        """What was said in the thread so far, oldest first, ours included, at most the last 50."""
        ...

    async def permalink(self, message: MessageRef) -> str:
        """Address of the message for people."""
        ...

    async def person(self, author: Author) -> Author:
        """The same person with name and e-mail filled in as far as the platform tells."""
        ...


@dataclass(frozen=True, slots=True)
class PrivateLink:
    """An address for one person; whoever opens it counts as them."""

    label: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PrivateButton:
    """A button for one person: it comes back as theirs, as `core.events.Pressed` with `confirmed`."""

    label: str
    card: str
    action: PullAction


@runtime_checkable
class Whisperer(Protocol):
    """What a `ChatSurface` may be able to do besides."""

    async def whisper(
        self,
        thread: ThreadRef,
        to: Author,
        text: str,
        link: PrivateLink | None = None,
        buttons: Sequence[PrivateButton] = (),
    ) -> None:
        """Show Markdown to one person and nobody else, in the thread if the platform can, else beside it.

        Beside it there are no buttons: they would come back from another thread. The text says what to write.

        Raises `core.errors.DeliveryError` like `ChatSurface`; to repeat it shows it a second time.
        """
        ...


class Linker(Protocol):
    async def link_for(self, provider: str, person: Author) -> str:
        """A new address where `person`, and nobody else, links an account at `provider` ("Linear").

        Raises:
            Refused: There is no way to link that here.
            TryLater: The store cannot be written.
        """
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account in the tracker."""

    id: str
    name: str


class Directory(Protocol):
    async def account(self, email: str) -> Account | None:
        """The one active account with this address; raises like `Tracker`."""
        ...


@runtime_checkable
class ThreadOpener(Protocol):
    """A surface on which we may begin a thread ourselves; not every one can."""

    async def open_thread(
        self, place: str, payload: Payload, *, key: str, tried_at: float | None
    ) -> ThreadRef:
        """Post a message in a channel and return the thread that hangs under it.

        Args:
            place: As in `ThreadRef.place`; unknown or closed to us raises `TargetGone`.
            key: Identifies this thread for ever.
            tried_at: When the first attempt with the same key was made, seconds since the epoch: look for
                its message. None if there was none.
        """
        ...


class FileReader(Protocol):
    async def read(self, texts: Sequence[str]) -> Sequence[File]:
        """The files that these texts name, in order and within limits; never raises for one of them."""
        ...


class AttachmentReader(Protocol):
    async def read(self, files: Sequence[Attachment]) -> Sequence[File]:
        """These files of a message, in order and within limits; never raises for one of them."""
        ...


@dataclass(frozen=True, slots=True)
class TrackedIssue:
    """An issue in the tracker. `id` is the tracker's own, `identifier` what people say ("ENG-142")."""

    id: str
    identifier: str
    title: str
    url: str
    branch_name: str | None
    team: str


class Tracker(Protocol):
    """Linear, as the service needs it beside the mirror.

    All methods may be repeated after a failure. They raise `core.errors`: `TryLater` and `Throttled` for
    passing trouble, `TargetGone` when access was revoked, `Refused` when it will never work.
    """

    async def find_meant(
        self, *, text: str, thread_url: str | None, requester: Author
    ) -> TrackedIssue | None:
        """The issue that `text` names, or that the thread is linked to already."""
        ...

    async def create_issue(
        self, *, id: str, title: str, description: str, team: str | None, requester: Author
    ) -> TrackedIssue:
        """Create the issue with this UUID, or return it if it is there; `team` is a key or None."""
        ...

    async def find_issue(self, id: str) -> TrackedIssue:
        """The issue with this id or identifier."""
        ...

    async def take_on(self, id: str) -> TrackedIssue:
        """The issue with this id, which we begin to work on.

        It is moved to its team's first started state unless work on it began or ended before, and we become
        its delegate if it has none. Where Linear refuses that, the issue stays as it is.
        """
        ...

    async def criteria(self, id: str) -> Sequence[str]:
        """What the issue's description lists as to be checked: the lines of its checklists, without marks."""
        ...

    async def merged(self, id: str, *, base: str) -> str:
        """The work on the issue was merged into `base`; the name of the state that the issue is in now.

        An open issue is moved to its team's first completed state. A team that has told Linear what to do on
        a merge gets that and nothing else, and where Linear refuses, the issue stays as it is.
        """
        ...

    async def open_session(self, issue: TrackedIssue, *, thread_url: str | None, again: bool) -> str:
        """Open an agent session on the issue and return its id.

        Args:
            thread_url: Address of the thread; shown as a link, and how `again` recognises our session.
            again: An earlier call may have got through: look for its session first.
        """
        ...

    async def present(self, session: str, issue: TrackedIssue, *, thread_url: str) -> None:
        """Give an agent session the issue's title, and the issue a link to the thread."""
        ...


@dataclass(frozen=True, slots=True)
class GitAccess:
    """Where git reaches a repository over HTTP, and with what; the token counts for an hour at most."""

    url: str
    username: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullDraft:
    """A pull request to open; `branch` was pushed before."""

    repository: str
    branch: str
    base: str
    title: str
    body: str


class CodeHost(Protocol):
    """Where repositories live, as ourselves: nothing here reviews or merges.

    All methods may be repeated after a failure. They raise `core.errors`: `TryLater` and `Throttled` for
    passing trouble, `Refused` with words for people when it will never work.
    """

    async def access(self, repository: str, *, write: bool) -> GitAccess:
        """How to clone and fetch `repository` ("owner/name"), and with `write` to push to it."""
        ...

    async def open_pull(self, draft: PullDraft, *, by: CodeAccount | None) -> PullRef:
        """Open a draft pull request, as a person who linked their account or as ourselves.

        Returns the open one of this branch if there is one; that is left as it is.
        """
        ...

    async def describe_pull(self, pull: PullRef, *, title: str | None, body: str) -> None:
        """Put `body` between our marks in its description, what people wrote around them stays."""
        ...

    async def facts(self, pull: PullRef) -> PullFacts:
        """The pull request as it is now. A renamed repository is found; `facts.ref` has its new name."""
        ...

    async def permission(self, repository: str, account: CodeAccount) -> Permission:
        """What the account may do in the repository at this moment; nothing is remembered."""
        ...

    async def report_review(self, pull: PullRef, sha: str, verdict: ReviewVerdict) -> None:
        """Set the check `independent-review` of this head; without an app (a plain token) it does nothing."""
        ...

    async def failure_of(self, pull: PullRef, sha: str) -> str:
        """What failed in the required checks of this head, for an agent to read: untrusted, at most 20,000
        characters; "" if nothing did."""
        ...


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of a merge. Neither of the two: it waits in the queue, or for what is not green yet."""

    is_merged: bool
    is_queued: bool = False


class CodeReviewer(Protocol):
    """What people do with a pull request, with their own authority and no other.

    All methods take an account that `can_act`. Besides `TryLater(maybe_done)`, `Throttled` and `Refused` they
    raise `HeadMoved` (nothing was done, or it was taken back) and `LinkLost` (they have to link it again).
    `op` is a UUID that names the wish for ever: repeated with it, nothing is done twice.
    """

    async def review(
        self, pull: PullRef, by: CodeAccount, *, sha: str, state: ReviewState, body: str, op: str
    ) -> None:
        """Give a review of the commit `sha`, which must be the head before and after."""
        ...

    async def make_ready(self, pull: PullRef, by: CodeAccount) -> None:
        """Turn the draft into a pull request for review."""
        ...

    async def merge(
        self, pull: PullRef, by: CodeAccount, *, sha: str, method: MergeMethod, op: str
    ) -> Merged:
        """Merge the head `sha`, by the queue where there is one; never past the branch's rules."""
        ...

    async def merge_when_green(
        self, pull: PullRef, by: CodeAccount, *, sha: str, method: MergeMethod
    ) -> Merged:
        """Have the code host merge `sha` as soon as its rules are content."""
        ...

    async def dont_merge(self, pull: PullRef, by: CodeAccount) -> None:
        """Take `merge_when_green` back."""
        ...

    async def update_branch(self, pull: PullRef, by: CodeAccount, *, sha: str) -> None:
        """Merge the base branch into the branch of the pull request."""
        ...

    async def close(self, pull: PullRef, by: CodeAccount) -> None:
        """Close it without merging."""
        ...


class Accounts(Protocol):
    """Whose account at the code host is whose."""

    async def account_of(self, author: Author) -> CodeAccount | None:
        """The account of this person, linked by them or known by evidence; raises `DeliveryError`."""
        ...

    async def person_of(self, account_id: int) -> Author | None:
        """Who has linked the account with this number, as named where they linked it."""
        ...


@dataclass(frozen=True, slots=True)
class RunSpec:
    """How to open an agent.

    Attributes:
        agent_session: UUID of the agent's own session, chosen by us.
        workspace: The clone it works in.
        home: Folder for its configuration and transcript; survives restarts.
        guidance: Text added to its system prompt.
        model: None for the configured default.
        plan: It may only look and plan, until people agree to its plan.
        resume: The agent session existed before: go on with it.
        given: Uuids of the prompts that this turn gave it in earlier lives. A turn cut short by a crash goes
            on if it took in one of them: that of an earlier turn is over for everybody. None: it goes on.
    """

    agent_session: str
    workspace: Path
    home: Path
    guidance: str
    model: str | None = None
    plan: bool = False
    resume: bool = False
    given: frozenset[str] | None = None


class AgentRun(Protocol):
    """One living agent.

    Attributes:
        known_prompts: Uuids of the prompts of a turn that was cut short; they need not be given again.
        continues: A turn that a crash cut short goes on by itself, or its end is about to be reported.
    """

    @property
    def known_prompts(self) -> frozenset[str]: ...

    @property
    def continues(self) -> bool: ...

    async def prompt(self, uuid: str, text: str, images: Sequence[Image] = ()) -> None:
        """Give it `text`, to start a turn or into the running one. The same uuid twice is one prompt."""
        ...

    async def answer(self, question: ElicitationId, answer: str) -> None:
        """Answer an `AgentAsked`. An unknown or answered question is ignored."""
        ...

    async def interrupt(self) -> None:
        """Stop the turn, drop prompts that wait. Ends in `RunInterrupted` or another final event."""
        ...

    def events(self) -> AsyncIterator[AgentEvent]:
        """Everything it does, once; ends after `close` or `AgentDied`."""
        ...

    async def close(self) -> None:
        """End it and its whole process tree. Safe to repeat."""
        ...


class AgentRunner(Protocol):
    async def open(self, spec: RunSpec) -> AgentRun:
        """Start or resume an agent.

        Raises:
            AgentError: It cannot run, and why.
        """
        ...
