"""What comes in: from people at the edges (`Incoming`) and from the agent (`AgentEvent`)."""

from dataclasses import dataclass, field

from core.activities import Author, Blocker, Option, PlanStep
from core.ids import ElicitationId, EntryKey, IssueRef, MessageRef, ThreadRef
from core.pulls import PullAction

# From people.


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file on a message. `unseen` says why it cannot be read, if it cannot."""

    name: str
    media_type: str
    url: str
    unseen: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that the model can see; `media_type` is "image/png", jpeg, gif or webp."""

    name: str
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file that can be read as text, perhaps cut."""

    name: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UnseenFile:
    """A file that cannot be shown to the agent, and why."""

    name: str
    why: str


File = Image | TextFile | UnseenFile


@dataclass(frozen=True, slots=True)
class Said:
    """A person wrote `text` (plain Markdown, our own mention taken out).

    `at`: when, in seconds since the epoch, as the platform says; None where it does not.
    """

    text: str
    attachments: tuple[Attachment, ...] = ()
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """A person changed the message `message` to `text`; the files are those on it now."""

    message: MessageRef
    text: str
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Deleted:
    """A person took the message `message` back."""

    message: MessageRef


@dataclass(frozen=True, slots=True)
class StopAsked:
    """A stop button, stop reaction or stop signal; no words involved.

    Attributes:
        reason: What happened, if nobody asked for a stop as such: "Eve moved ENG-142 to Done".
        at: When that was, seconds since the epoch; work that began later is not meant.
    """

    reason: str = ""
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A button of the question `elicitation` was pressed."""

    elicitation: ElicitationId
    value: str


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button of a pull request's card, or of the question whether somebody is sure.

    Attributes:
        card: As in `core.activities.PullShown`; nothing else of what a button carries is believed.
        text: What they wrote in the form that it opened.
        confirmed: It was the button that confirms.
    """

    card: str
    action: PullAction
    text: str = ""
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """Linear opened an agent session: delegation, mention, or the echo of our own call.

    Attributes:
        issue: Its id; None for a session about something else, a document for example.
        prompt_context: Linear's summary of the issue and its threads, in tags of its own.
        text: What was asked, in the words people see: the comment, or the title of the issue.
        description: Of the issue, in Markdown.
        previous_comments: Of the thread in which we were mentioned, oldest first.
        guidance: Standing advice to agents, the nearest team's first.
        by_person: A person did it; otherwise an automation, another agent, or we ourselves.
        delegated: The issue was delegated to us; otherwise we were mentioned.
    """

    session: str
    issue: str | None
    external_urls: tuple[str, ...] = ()
    prompt_context: str = ""
    text: str = ""
    description: str = ""
    previous_comments: tuple[str, ...] = ()
    guidance: tuple[str, ...] = ()
    by_person: bool = False
    delegated: bool = False


IncomingEvent = Said | Edited | Deleted | StopAsked | Chosen | Pressed | SessionOpened


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One event from a platform, verified and parsed.

    Attributes:
        key: Made of signed content, so that a redelivery has the same one. Keys of what happens to a message
            begin with the message's own and a slash.
        place: The thread; the id of Linear's agent session; or an issue, for all that work on it.
        event: What happened.
        author: Who did it.
        opens: It may start a session. Otherwise it counts only where there is one already.
        if_awaited: It counts only while that works or waits for an answer, as people talk of all sorts there.
        message: The message itself, where a reaction can show its fate.
    """

    key: str
    place: ThreadRef | IssueRef | str
    event: IncomingEvent
    author: Author
    opens: bool = False
    if_awaited: bool = False
    message: MessageRef | None = None


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """A message of the thread in which work was asked for, oldest first in a list of them."""

    author: str
    text: str
    id: str
    from_us: bool = False


# From the agent. `key` is the same for the same fact after a crash and resume.


@dataclass(frozen=True, slots=True)
class AgentReady:
    """The agent runs and names its model."""

    model: str


@dataclass(frozen=True, slots=True)
class AgentThought:
    """A passing thought, or (`lasting`) something said on the way that was not the answer."""

    key: EntryKey
    text: str
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """`action` in the progressive form ("Running", "Editing")."""

    key: EntryKey
    action: str
    parameter: str


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """`action` in the past ("Ran", "Edited"). Sent only for edits, commands, MCP and failures."""

    key: EntryKey
    action: str
    parameter: str
    result: str


@dataclass(frozen=True, slots=True)
class PlanChanged:
    key: EntryKey
    steps: tuple[PlanStep, ...]


@dataclass(frozen=True, slots=True)
class AgentAsked:
    """The agent waits for an answer (`AgentRun.answer` with the same `question`).

    `purpose` is "question" (AskUserQuestion), "plan" (approval) or "permission" (a tool).
    """

    question: ElicitationId
    purpose: str
    body: str
    options: tuple[Option, ...] = ()
    multiple: bool = False


@dataclass(frozen=True, slots=True)
class PromptTaken:
    """The agent has read the prompt with this uuid."""

    uuid: str


@dataclass(frozen=True, slots=True)
class AgentWaits:
    """The model is slow to answer: overloaded, retrying. Cleared by the next other event."""

    code: Blocker
    text: str


@dataclass(frozen=True, slots=True)
class RunSucceeded:
    """The answer to `prompts` (uuids). `cost_usd` is the running total of the session, None if unknown."""

    text: str
    prompts: tuple[str, ...] = ()
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class RunFailed:
    code: Blocker
    text: str
    prompts: tuple[str, ...] = ()
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class RunInterrupted:
    """The interrupt that we asked for took effect."""

    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class AgentDied:
    """The agent's process ended by itself; `last_line` is the last thing it said on stderr, redacted."""

    last_line: str = field(default="")


AgentEvent = (
    AgentReady
    | AgentThought
    | ToolStarted
    | ToolFinished
    | PlanChanged
    | AgentAsked
    | PromptTaken
    | AgentWaits
    | RunSucceeded
    | RunFailed
    | RunInterrupted
    | AgentDied
)
