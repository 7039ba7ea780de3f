"""What surrounds a turn: a scripted agent, Linear, a thread, and a clock; database and git are real."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import sqlalchemy as sa

from core.activities import (
    Action,
    Answered,
    AuthAsked,
    AuthGiven,
    Author,
    Blocked,
    ConfirmAsked,
    Denied,
    Elicitation,
    Entry,
    Error,
    FateChanged,
    Heartbeat,
    IssueLinked,
    Logged,
    Notice,
    Plan,
    Prompt,
    PullActed,
    PullShown,
    Response,
    Routed,
    Thought,
    TurnEnded,
    TurnStarted,
    Unblocked,
)
from core.admission import Admission
from core.errors import DeliveryError, TryLater
from core.events import (
    AgentEvent,
    Attachment,
    Chosen,
    Deleted,
    Edited,
    Image,
    Incoming,
    IncomingEvent,
    RunSucceeded,
    Said,
    SessionOpened,
    StopAsked,
    ThreadMessage,
)
from core.ids import ElicitationId, MessageRef, SessionId, ThreadRef, TurnId
from core.ports import RunSpec, TrackedIssue
from core.redact import Redactor
from core.reports import Shown
from core.routing import Repository
from core.service import SessionService
from core.session import Session
from core.store.database import Database
from core.store.sessions import Record, SessionStore
from core.store.tables import bindings, metadata, sessions
from core.turn.desk import Crew, Limits
from core.workspace.clone import Workspaces

ANN = Author("slack", "T1/UANN", "Ann", "ann@acme.test")
BOB = Author("slack", "T1/UBOB", "Bob")
EVE = Author("linear", "eve", "Eve")
THREAD = ThreadRef("slack", "T1", "C1", "100.1")
ISSUE = TrackedIssue("i1", "ENG-1", "Search is broken", "https://linear.test/ENG-1", "ann/eng-1", "ENG")
SECRET = "hunter2-hunter2"
PATIENCE_S = 20

Life = Callable[["FakeRun"], Awaitable[None]]
"""One life of an agent; what it does is emitted, and it may end with nothing said."""


class FakeRun:
    """An agent that lives by a script."""

    def __init__(self, spec: RunSpec, life: Life, known_prompts: frozenset[str]) -> None:
        self.spec = spec
        self.known_prompts = known_prompts
        self.continues = bool(known_prompts)
        self.prompts: list[tuple[str, str]] = []
        self.images: list[Image] = []
        self.answers: list[tuple[ElicitationId, str]] = []
        self.interrupts = 0
        self.is_closed = False
        self.on_close: Callable[[], Awaitable[object]] | None = None
        self._events: asyncio.Queue[AgentEvent | None] = asyncio.Queue()
        self._changed = asyncio.Condition()
        self._living = asyncio.create_task(self._live(life))

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.prompts]

    def emit(self, *events: AgentEvent) -> None:
        for event in events:
            self._events.put_nowait(event)

    def succeed(self, text: str = "Fixed.", cost_usd: float | None = 0.25) -> None:
        """Answer everything that was given so far."""
        self.emit(RunSucceeded(text, tuple(uuid for uuid, _ in self.prompts), cost_usd))

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(holds)

    async def until_prompts(self, number: int = 1) -> None:
        await self.until(lambda: len(self.prompts) >= number)

    async def prompt(self, uuid: str, text: str, images: Sequence[Image] = ()) -> None:
        self.images.extend(images)
        if uuid not in [known for known, _ in self.prompts]:
            await self._change(lambda: self.prompts.append((uuid, text)))

    async def answer(self, question: ElicitationId, answer: str) -> None:
        await self._change(lambda: self.answers.append((question, answer)))

    async def interrupt(self) -> None:
        def interrupt() -> None:
            self.interrupts += 1

        await self._change(interrupt)

    async def events(self) -> AsyncIterator[AgentEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self._living.cancel()
        await asyncio.gather(self._living, return_exceptions=True)
        self._events.put_nowait(None)
        if self.on_close:
            await self.on_close()

    async def _live(self, life: Life) -> None:
        await life(self)

    async def _change(self, change: Callable[[], object]) -> None:
        async with self._changed:
            change()
            self._changed.notify_all()


async def answering(run: FakeRun) -> None:
    """Answers each prompt when it comes."""
    for number in range(1, 100):
        await run.until_prompts(number)
        run.succeed()


def doing(*events: AgentEvent, answer: str | None = "Fixed.") -> Life:
    """Does this for the first prompt, then answers it; None leaves the end open."""

    async def live(run: FakeRun) -> None:
        await run.until_prompts()
        run.emit(*events)
        if answer is not None:
            run.succeed(answer)

    return live


async def waiting_for_ever(run: FakeRun) -> None:
    """Takes prompts and says nothing."""


@dataclass
class FakeRunner:
    """Opens the agents of `lives` in order, then ones that answer."""

    lives: list[Life] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    opened: list[FakeRun] = field(default_factory=list)
    known_prompts: frozenset[str] = frozenset()
    on_close: Callable[[], Awaitable[object]] | None = None
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def open(self, spec: RunSpec) -> FakeRun:
        if self.errors:
            raise self.errors.pop(0)
        run = FakeRun(spec, self.lives.pop(0) if self.lives else answering, self.known_prompts)
        run.on_close, self.on_close = self.on_close, None
        async with self._more:
            self.opened.append(run)
            self._more.notify_all()
        return run

    async def run(self, number: int = 1) -> FakeRun:
        """The agent that was opened as the `number`th."""
        async with asyncio.timeout(PATIENCE_S), self._more:
            await self._more.wait_for(lambda: len(self.opened) >= number)
        return self.opened[number - 1]


@dataclass
class FakeTracker:
    """Linear as the core asks it; the next calls fail with `errors`, sessions with `session_errors`."""

    errors: list[DeliveryError] = field(default_factory=list)
    session_errors: list[DeliveryError] = field(default_factory=list)
    meant: TrackedIssue | None = None
    issues: dict[str, TrackedIssue] = field(default_factory=dict)
    descriptions: list[str] = field(default_factory=list)
    teams: list[str | None] = field(default_factory=list)
    sessions: list[tuple[str, str | None]] = field(default_factory=list)
    again: list[bool] = field(default_factory=list)
    taken_on: list[str] = field(default_factory=list)
    presented: list[tuple[str, str, str]] = field(default_factory=list)
    present_errors: list[DeliveryError] = field(default_factory=list)
    wanted: list[str] = field(default_factory=list)
    merges: list[tuple[str, str]] = field(default_factory=list)

    async def find_meant(
        self, *, text: str, thread_url: str | None, requester: Author
    ) -> TrackedIssue | None:
        self._fail()
        return self.meant

    async def create_issue(
        self, *, id: str, title: str, description: str, team: str | None, requester: Author
    ) -> TrackedIssue:
        self._fail()
        self.descriptions.append(description)
        self.teams.append(team)
        number = len(self.issues) + 1
        made = replace(
            ISSUE, id=id, identifier=f"ENG-{number}", title=title, url=f"https://linear.test/ENG-{number}"
        )
        return self.issues.setdefault(id, made)

    async def find_issue(self, id: str) -> TrackedIssue:
        self._fail()
        return self.issues[id]

    async def take_on(self, id: str) -> TrackedIssue:
        self._fail()
        self.taken_on.append(id)
        return self.issues[id]

    async def criteria(self, id: str) -> Sequence[str]:
        self._fail()
        return self.wanted

    async def merged(self, id: str, *, base: str) -> str:
        self._fail()
        self.merges.append((id, base))
        return "Done"

    async def open_session(self, issue: TrackedIssue, *, thread_url: str | None, again: bool) -> str:
        self.again.append(again)
        if self.session_errors:
            raise self.session_errors.pop(0)
        if again and (issue.identifier, thread_url) in self.sessions:
            return f"as{self.sessions.index((issue.identifier, thread_url)) + 1}"
        self.sessions.append((issue.identifier, thread_url))
        return f"as{len(self.sessions)}"

    async def present(self, session: str, issue: TrackedIssue, *, thread_url: str) -> None:
        if self.present_errors:
            raise self.present_errors.pop(0)
        self.presented.append((session, issue.identifier, thread_url))

    def _fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


@dataclass
class FakeReader:
    """The thread that work was asked for in."""

    said: list[ThreadMessage] = field(default_factory=list)
    is_away: bool = False

    async def history(self, thread: ThreadRef) -> Sequence[ThreadMessage]:
        self._fail()
        return self.said

    async def permalink(self, message: MessageRef) -> str:
        self._fail()
        return f"https://slack.test/{message.id}"

    async def person(self, author: Author) -> Author:
        self._fail()
        return replace(author, name={"T1/UANN": "Ann", "T1/UBOB": "Bob"}[author.id])

    def _fail(self) -> None:
        if self.is_away:
            raise TryLater("Slack is away")


class Clock:
    """Seconds since the epoch; passes when it is told to."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time


@dataclass
class Scene:
    """One thread, and a service that plays its turns when a test says so."""

    crew: Crew
    store: SessionStore
    database: Database
    runner: FakeRunner
    tracker: FakeTracker
    reader: FakeReader
    clock: Clock
    stirred: asyncio.Event
    queued: list[tuple[SessionId, TurnId]] = field(default_factory=list)
    services: list[SessionService] = field(default_factory=list)
    playing: list[asyncio.Task[str]] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        self.restart()

    @property
    def service(self) -> SessionService:
        return self.services[-1]

    @property
    def session(self) -> SessionId:
        return self.queued[0][0]

    def restart(self, **changes: object) -> None:
        """Another process takes over; the crew may have changed."""
        self.crew = replace(self.crew, **changes)  # type: ignore[arg-type]  # Tests name fields of Crew.
        self.services.append(
            SessionService(self.crew, enqueue=self._enqueue, holder=f"host/{len(self.services)}")
        )

    def _enqueue(self, _: sa.Connection, session: SessionId, seq: int) -> None:
        self.queued.append((session, TurnId(f"turn:{seq}")))

    async def say(self, text: str, *, by: Author = ANN, files: Sequence[Attachment] = ()) -> MessageRef:
        """Somebody writes in the thread."""
        return await self._accept(Said(text, tuple(files)), by)

    async def edit(self, message: MessageRef, text: str) -> None:
        await self._accept(Edited(message, text), ANN)

    async def delete(self, message: MessageRef, *, by: Author = ANN) -> None:
        await self._accept(Deleted(message), by)

    async def press_stop(self, *, by: Author = BOB) -> None:
        await self._accept(StopAsked(), by)

    async def choose(self, question: ElicitationId, value: str, *, by: Author = BOB) -> None:
        await self._accept(Chosen(question, value), by)

    async def delegate(
        self,
        issue: str | None = "i1",
        text: str = "Search",
        *,
        by_person: bool = False,
        delegated: bool = True,
    ) -> None:
        """Somebody opens a session in Linear; without `by_person` an automation, or we ourselves."""
        opened = SessionOpened("as0", issue, text=text, by_person=by_person, delegated=delegated)
        await self.service.accept(
            Incoming(key="linear/session/as0", place="as0", event=opened, author=EVE, opens=True)
        )

    async def show_in_linear(self) -> None:
        """Linear shows all of the log so far."""
        async with self.database.write() as connection:
            head = sa.select(sessions.c.head).where(sessions.c.id == bindings.c.session_id).scalar_subquery()
            await connection.execute(sa.update(bindings).values(cursor=head))

    async def say_in_linear(self, text: str) -> None:
        self._number += 1
        await self.service.accept(
            Incoming(key=f"linear/{self._number}", place="as0", event=Said(text), author=EVE)
        )

    async def _accept(self, event: IncomingEvent, by: Author) -> MessageRef:
        self._number += 1
        message = event.message if isinstance(event, Edited) else MessageRef(THREAD, f"100.{self._number}")
        await self.service.accept(
            Incoming(
                key=f"m{self._number}",
                place=THREAD,
                event=event,
                author=by,
                opens=True,
                message=message if isinstance(event, Said | Edited) else None,
            )
        )
        return message

    def begin(self, number: int = 1) -> "asyncio.Task[str]":
        """Play the turn of the event that was accepted as the `number`th."""
        task = asyncio.create_task(self.service.run_turn(*self.queued[number - 1]))
        self.playing.append(task)
        return task

    async def play(self, number: int = 1) -> str:
        async with asyncio.timeout(PATIENCE_S):
            return await self.begin(number)

    async def log(self) -> list[Logged]:
        return await self.store.log(self.session)

    async def record(self) -> Record:
        return await self.store.load(self.session)

    async def state(self) -> Session:
        return (await self.record()).session

    async def story(self) -> list[str]:
        """The log, a line for each entry; without the fates of messages."""
        return [line for one in await self.log() if (line := line_of(one.entry)) is not None]

    async def fates(self) -> list[str]:
        return [
            f"{one.entry.message.id} {one.entry.fate}"
            for one in await self.log()
            if isinstance(one.entry, FateChanged)
        ]

    async def until_told(self, line: str, times: int = 1) -> None:
        """Wait until the log has this line, or one that starts with it, so many times."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self.stirred.clear()
                told = [one for one in await self.story() if one.startswith(line)]
                if len(told) >= times:
                    return
                await self.stirred.wait()


def line_of(entry: Entry) -> str | None:
    match entry:
        case Prompt(author=author, body=body):
            return f"{author.name}: {body}"
        case Thought(body=body, ephemeral=ephemeral):
            return f"thought: {body}" + (" (passing)" if ephemeral else "")
        case Action(action=action, parameter=parameter, result=result):
            return f"{action} {parameter}" + (f" -> {result}" if result is not None else "")
        case Elicitation(body=body):
            return f"question: {body}"
        case Answered(by=by, answer=answer):
            return f"answered by {by.name}: {answer}"
        case Response(body=body):
            return f"response: {body}"
        case Error(code=code, body=body, action=action):
            return f"error {code}: {body} {action}".rstrip()
        case fact:
            return _fact_line(fact)


def _fact_line(
    fact: Plan
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
    | ConfirmAsked,
) -> str | None:
    match fact:
        case TurnStarted(author=author):
            return f"started by {author.name}"
        case IssueLinked(identifier=identifier, title=title):
            return f"issue {identifier} {title}"
        case Routed(repository=repository, reason=reason):
            return f"in {repository}, {reason}"
        case Plan(steps=steps):
            return "plan: " + ", ".join(step.content for step in steps)
        case Blocked(code=code, body=body):
            return f"blocked {code}: {body}"
        case Unblocked(code=code):
            return f"clear {code}"
        case TurnEnded(outcome=outcome):
            return f"ended {outcome}"
        case AuthAsked() | AuthGiven() | Denied() | PullShown() | PullActed() | ConfirmAsked():
            return _person_line(fact)
        case Heartbeat() | Notice() | FateChanged():
            return _passing_line(fact)


def _person_line(fact: AuthAsked | AuthGiven | Denied | PullShown | PullActed | ConfirmAsked) -> str:
    match fact:
        case PullShown() | PullActed() | ConfirmAsked():
            return _pull_line(fact)
        case AuthAsked(person=person, provider=provider, code=code):
            return f"{person.name} must link {provider} ({code})"
        case AuthGiven(person=person):
            return f"{person.name} is linked"
        case Denied(person=person, code=code, body=body):
            return f"{person.name} denied {code}: {body}"


def _pull_line(fact: PullShown | PullActed | ConfirmAsked) -> str:
    match fact:
        case PullShown(facts=facts):
            return f"pull {facts.ref} at {facts.short_sha}"
        case PullActed(body=body):
            return f"pull: {body}"
        case ConfirmAsked(person=person, body=body):
            return f"{person.name} must confirm: {body}"


def _passing_line(fact: Heartbeat | Notice | FateChanged) -> str | None:
    match fact:
        case Heartbeat(elapsed_s=elapsed_s):
            return f"beat {elapsed_s}"
        case Notice(body=body):
            return f"notice: {body}"
        case FateChanged():
            return None


@asynccontextmanager
async def scene_in(
    folder: Path, repositories: Sequence[Repository], *, patience_s: float = 10
) -> AsyncIterator[Scene]:
    """A scene whose database and clones are below `folder`; nothing of it is left running.

    The database counts as away when it was locked for `patience_s`.
    """
    database = Database(f"sqlite:///{folder / 'app.db'}", patience_s=patience_s)
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    clock, redact, stirred = Clock(), Redactor([SECRET]), asyncio.Event()
    runner, tracker, reader = FakeRunner(), FakeTracker(), FakeReader()
    store = SessionStore(database, now=clock, redact=redact)
    crew = Crew(
        store=store,
        tracker=tracker,
        runner=runner,
        workspaces=Workspaces(folder / "data"),
        readers={"slack": reader},
        repositories=repositories,
        admission=Admission(2),
        wake_mirror=lambda _: stirred.set(),
        redact=redact,
        now=clock,
        limits=Limits(stop_grace_s=0.1, first_sign_s=0.0, retries_s=(0.0, 0.01)),
        progress=_shown_to_nobody,
        enqueue=_queue_nothing,
    )
    scene = Scene(crew, store, database, runner, tracker, reader, clock, stirred)
    yield scene
    for service in scene.services:
        await service.halt()
    for task in scene.playing:
        task.cancel()
    await asyncio.gather(*scene.playing, return_exceptions=True)
    await database.close()


async def _shown_to_nobody(_: SessionId) -> Sequence[Shown]:
    return ()


def _queue_nothing(_: sa.Connection, __: SessionId, ___: int) -> None:
    """Turns are played by the scene itself."""
