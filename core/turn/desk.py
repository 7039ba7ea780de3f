"""What every part of a turn needs at hand: the record, the log, the stop sign, and the people to ask."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from core.activities import Author, Elicitation, Entry, Error
from core.admission import Admission
from core.ids import ElicitationId, EntryKey, SessionId, TurnId
from core.ports import (
    AgentRunner,
    AttachmentReader,
    CodeHost,
    FileReader,
    ThreadReader,
    TrackedIssue,
    Tracker,
)
from core.reports import Shown
from core.review.reviews import Reviews
from core.routing import Repository
from core.session import Asked, Effect, Given, Interrupt, Noted, Resolve, SessionEvent
from core.store.sessions import Enqueue, Record, SessionStore
from core.turn.registry import Registry
from core.workspace.clone import Workspaces

T = TypeVar("T")

OpenThread = Callable[[SessionId, TrackedIssue, Author | None], Awaitable[None]]
"""Asks for a chat thread in which people follow what was begun in Linear, by somebody if a person did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Patience, in seconds.

    Attributes:
        turn_timeout_s: How long a turn may take.
        silence_timeout_s: How long its agent may be silent.
        stop_grace_s: What an agent is given to stop by itself.
        first_sign_s: How long work waits for people to see its first sign in Linear.
        retries_s: Pauses between attempts while Linear is away; the last one repeats.
    """

    turn_timeout_s: float = 7200
    silence_timeout_s: float = 600
    stop_grace_s: float = 1.5
    first_sign_s: float = 5.0
    retries_s: Sequence[float] = (1, 2, 5, 10, 20, 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Everybody a turn works with.

    Attributes:
        readers: By surface.
        team: Key of the Linear team for work that no repository claims.
        now: Seconds since the epoch.
        progress: How far the projections of a session are.
        enqueue: Queues a turn inside a transaction.
        files: Reads what texts written in Linear link; None leaves files unread.
        open_thread: None: sessions from Linear stay there.
        people: Says who may do what; None: everybody may do everything.
        reviews: Makes pull requests; None where no code host is set up.
        code_host: How the repositories that live there are cloned.
    """

    store: SessionStore
    tracker: Tracker
    runner: AgentRunner
    workspaces: Workspaces
    readers: Mapping[str, ThreadReader]
    repositories: Sequence[Repository]
    admission: Admission
    wake_mirror: Callable[[SessionId], None]
    redact: Callable[[str], str]
    now: Callable[[], float]
    limits: Limits
    progress: Callable[[SessionId], Awaitable[Sequence[Shown]]]
    enqueue: Enqueue
    team: str | None = None
    files: FileReader | None = None
    attachments: Mapping[str, AttachmentReader] = field(default_factory=dict)
    open_thread: OpenThread | None = None
    people: Registry | None = None
    reviews: Reviews | None = None
    code_host: CodeHost | None = None


class Stopped(Exception):
    """Somebody asked to stop before there was an agent to interrupt."""


class Failed(Exception):
    """The turn cannot go on; carries what people are told."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.body)
        self.error = error


class Settled(Exception):
    """There is nothing for an agent to do; carries what people are answered."""


class TurnDesk:
    """The turn's own view of its session, for this attempt only: everything it logs is fenced."""

    def __init__(self, crew: Crew, record: Record, turn: TurnId) -> None:
        self.crew = crew
        self.record = record
        self.turn = turn
        self.stop = asyncio.Event()
        self._answers: dict[ElicitationId, asyncio.Future[str]] = {}
        self._repeats = 0

    async def apply(self, *happened: SessionEvent, take: Sequence[int] = ()) -> tuple[Effect, ...]:
        """Step the session, log what follows, settle questions and stops; the effects are returned too.

        Raises:
            Fenced: Another attempt has taken the session over.
        """
        effects = await self.crew.store.apply(
            self.record.id, *happened, epoch=self.record.epoch, take=take, by=self.turn
        )
        if effects:
            self.crew.wake_mirror(self.record.id)
        for effect in effects:
            match effect:
                case Interrupt():
                    self.stop.set()
                case Resolve(question=question, answer=answer) if question in self._answers:
                    if not self._answers[question].done():
                        self._answers[question].set_result(answer)
                case _:  # The rest is for whoever called.
                    pass
        return effects

    async def note(self, name: str, entry: Entry) -> None:
        """Log `entry` once in this turn under `name`."""
        await self.apply(Noted(EntryKey(f"{self.turn}/{name}"), entry))

    async def note_again(self, name: str, entry: Entry) -> None:
        """Log `entry` as often as it happens, in this attempt and in others."""
        self._repeats += 1
        await self.note(f"{self.record.epoch}/{name}/{self._repeats}", entry)

    async def remember(self, **facts: Any) -> None:
        """Store facts about the session, here and in the database."""
        await self.crew.store.update(self.record.id, epoch=self.record.epoch, **facts)
        self.record = replace(self.record, **facts)

    async def given(self) -> Sequence[Given]:
        """What the turn was given so far."""
        return (await self.crew.store.load(self.record.id)).session.given

    async def ask(self, question: Elicitation) -> str:
        """Ask people and wait, however long it takes; an answer from before a restart counts."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._answers[question.id] = answer
        if (earlier := await self.crew.store.answer_to(self.record.id, question.id)) is not None:
            return earlier
        await self.apply(Asked(question))
        return await answer

    async def unless_stopped(self, work: Awaitable[T]) -> T:
        """The result of `work`, which is cancelled when somebody asks to stop.

        Raises:
            Stopped: Somebody did.
        """
        working = asyncio.ensure_future(work)
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise Stopped
            return await working
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)
