"""Stand-ins for what surrounds the mirror: a chat surface, Linear, time, and bad luck."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.activities import Answered, Author, Blocker, Entry, Fate, Logged, dump_entry
from core.composer import said_by
from core.errors import TryLater
from core.ids import EntryKey, MessageRef, SessionId, ThreadRef
from core.mirror.cards import (
    AnswerItem,
    ChatItem,
    FailureItem,
    NoticeItem,
    ProgressCard,
    PullItem,
    QuestionItem,
    QuoteItem,
)
from core.mirror.pulls import summary_of
from core.ports import Payload
from core.store.database import Database
from core.store.tables import events, metadata, sessions
from linear.errors import AlreadyExists, Transient
from linear.model import ExternalLink
from linear.sansio import Quota

T0 = datetime(2026, 11, 21, 10, tzinfo=UTC)
ANN = Author("slack", "U0ANN", "Ann")
BOB = Author("slack", "U0BOB", "Bob")
EVE = Author("linear", "eve", "Eve")
THREAD = ThreadRef("slack", "T0001", "C0001", "100.1")
SESSION = SessionId("s1")


def logged(n: int, entry: Entry, at_s: float = 0.0, origin: str | None = None) -> Logged:
    return Logged(n, EntryKey(f"e{n}"), entry, T0 + timedelta(seconds=at_s), origin)


def log_of(*entries: Entry, every_s: float = 1.0) -> list[Logged]:
    """A log of these entries, one each `every_s`."""
    return [logged(n, entry, (n - 1) * every_s) for n, entry in enumerate(entries, 1)]


class Crash(BaseException):
    """The process dies here."""


@dataclass
class Luck:
    """What goes wrong, by chance: the process dies, the call never leaves, or its answer is lost."""

    random: Random = field(default_factory=lambda: Random(0))
    crash: float = 0.0
    fail: float = 0.0
    crashes: int = 0

    def strike(self) -> None:
        if self.random.random() < self.crash:
            self.crashes += 1
            raise Crash

    def fails(self) -> bool:
        return self.random.random() < self.fail


@dataclass
class Message:
    key: str
    text: str
    history: list[str] = field(default_factory=list)


class FakeSurface:
    """A chat without keys of ours; `reads_back` says whether it finds a post again after a lost answer."""

    def __init__(self, luck: Luck | None = None, *, reads_back: bool = True) -> None:
        self.luck = luck or Luck()
        self.reads_back = reads_back
        self.threads: dict[str, dict[str, Message]] = {}
        self.reactions: dict[str, list[Fate]] = {}
        self.feed: list[tuple[str, str]] = []
        self.calls: list[str] = []

    async def post(self, thread: ThreadRef, payload: Payload, *, key: str, again: bool) -> str:
        self._leave("post")
        messages = self.threads.setdefault(str(thread), {})
        known = [id for id, message in messages.items() if message.key == key]
        if again and self.reads_back and known:
            return known[0]
        id = f"{thread.root}-{len(messages) + 1}"
        messages[id] = Message(key, payload["text"])
        self.feed.append((str(thread), payload["text"]))
        self._arrive()
        return id

    async def edit(self, message: MessageRef, payload: Payload) -> None:
        self._leave("edit")
        shown = self.threads[str(message.thread)][message.id]
        if shown.text != payload["text"]:
            shown.history.append(shown.text)
            shown.text = payload["text"]
            self.feed.append((str(message.thread), payload["text"]))
        self._arrive()

    async def react(self, message: MessageRef, *, add: Fate | None, remove: Fate | None) -> None:
        self._leave("react")
        mine = [fate for fate in self.reactions.get(message.id, []) if fate not in (add, remove)]
        self.reactions[message.id] = [*mine, *([add] if add else [])]
        self._arrive()

    def texts(self, thread: ThreadRef = THREAD) -> list[str]:
        return [message.text for message in self.threads.get(str(thread), {}).values()]

    def solids(self, thread: ThreadRef = THREAD) -> list[str]:
        """Everything but cards, as it appeared."""
        return [text for where, text in self.feed if where == str(thread) and not text.startswith("card")]

    def _leave(self, call: str) -> None:
        self.calls.append(call)
        self.luck.strike()
        if self.luck.fails():
            raise TryLater("not connected")

    def _arrive(self) -> None:
        self.luck.strike()
        if self.luck.fails():
            raise TryLater("the answer was lost", maybe_done=True)


class FakeLinear:
    """Linear as the sink knows it: it refuses a second activity under an id it has."""

    def __init__(self, luck: Luck | None = None) -> None:
        self.luck = luck or Luck()
        self.activities: dict[str, tuple[str, Mapping[str, object], bool]] = {}
        self.signals: list[Mapping[str, object]] = []
        self.plans: list[Sequence[Mapping[str, str]]] = []
        self.links: dict[str, str] = {}
        self.calls = 0
        self.quota: Quota | None = None

    async def create_activity(
        self,
        *,
        id: str,
        session_id: str,
        content: Mapping[str, object],
        ephemeral: bool = False,
        signal: str | None = None,
        signal_metadata: Mapping[str, object] | None = None,
    ) -> None:
        self._leave()
        if id in self.activities:
            raise AlreadyExists("AgentActivity", id)
        self.activities[id] = session_id, content, ephemeral
        if signal_metadata:
            self.signals.append(signal_metadata)
        self._arrive()

    async def update_session(
        self,
        id: str,
        *,
        plan: Sequence[Mapping[str, str]] | None = None,
        added_external_urls: Sequence[ExternalLink] | None = None,
    ) -> object:
        self._leave()
        if plan is not None and [*self.plans[-1:]] != [plan]:
            self.plans.append(plan)
        for link in added_external_urls or ():
            self.links[link.url] = link.label
        self._arrive()
        return None

    def solids(self, session: str = "ls1") -> list[str]:
        """What stays: in the words of `tell`, actions left out, remarks one by one."""
        words = {"thought": "{}", "elicitation": "Question: {}", "response": "Response: {}", "error": "{}"}
        return [
            words.get(str(content["type"]), "{}").format(body)
            for owner, content, ephemeral in self.activities.values()
            if owner == session and not ephemeral
            for body in _bodies(content)
        ]

    def actions(self, session: str = "ls1") -> list[Mapping[str, object]]:
        return [
            content
            for owner, content, ephemeral in self.activities.values()
            if owner == session and not ephemeral and content["type"] == "action"
        ]

    def _leave(self) -> None:
        self.calls += 1
        self.luck.strike()
        if self.luck.fails():
            raise Transient("not connected", maybe_done=False)

    def _arrive(self) -> None:
        self.luck.strike()
        if self.luck.fails():
            raise Transient("the answer was lost", maybe_done=True)


def _bodies(content: Mapping[str, object]) -> list[str]:
    """What is said in an activity; several that share a call say more than one thing."""
    match content["type"], content.get("action"):
        case "thought", _:
            return str(content["body"]).split("\n\n")
        case "action", "Did":
            return [line for line in str(content["result"]).splitlines() if not line.startswith("- ")]
        case "action", _:
            return []
        case _:
            return [str(content["body"])]


def render(item: ChatItem) -> Sequence[Payload]:
    """Items in the words of `tell`; a form feed in an answer begins its next part."""
    match item:
        case ProgressCard(turn=turn, doing=doing, blocked=blocked, outcome=outcome):
            return [{"text": f"card {turn}: {outcome or (blocked.body if blocked else doing)}"}]
        case AnswerItem(body=body):
            return [{"text": f"Response: {part}"} for part in body.split("\f")]
        case FailureItem(error=error):
            return [{"text": error.body}]
        case QuestionItem(answered=Answered() as answered):
            return [{"text": f"Answered by {said_by(answered.by)}: {answered.answer}"}]
        case QuestionItem(question=question):
            return [{"text": f"Question: {question.body}"}]
        case QuoteItem(author=author, body=body):
            return [{"text": f"{said_by(author)}: {body}"}]
        case NoticeItem(body=body):
            return [{"text": body}]
        case PullItem():
            return [{"text": summary_of(item)}]


class JumpingClock:
    """Nobody waits: when the mirror has nothing to do before some time, it is that time."""

    def __init__(self, now: float = T0.timestamp()) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        if until is None:
            await event.wait()
        await asyncio.sleep(0)
        if not event.is_set() and until is not None:
            self.time = max(self.time, until)


class FragileDatabase(Database):
    """Dies before or after a transaction, by chance."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.luck = Luck()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        self.luck.strike()
        async with super().write() as connection:
            yield connection
        self.luck.strike()


class Heard:
    """What the mirror told the service."""

    def __init__(self) -> None:
        self.gone: list[tuple[str, str, Blocker]] = []
        self.trouble: list[tuple[str, str, Blocker | None]] = []
        self.of_trouble = asyncio.Event()
        self.refused: list[tuple[str, str, tuple[str, ...]]] = []
        self.refused_in: set[tuple[SessionId, str]] = set()

    async def on_gone(self, session: SessionId, sink: str, code: Blocker) -> None:
        self.gone.append((session, sink, code))

    async def on_trouble(self, sink: str, session: SessionId, code: Blocker | None) -> None:
        self.trouble.append((sink, session, code))
        self.of_trouble.set()

    async def on_refused(self, session: SessionId, key: str, words: str, sinks: Sequence[str]) -> None:
        self.refused_in.add((session, key))
        self.refused.append((key, words, tuple(sinks)))


async def create(database: Database) -> None:
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)


async def add_session(database: Database, session: SessionId = SESSION) -> None:
    row = {"id": session, "state": {}, "agent_session": "a", "created_by": {}, "created_at": 0.0}
    async with database.write() as connection:
        await connection.execute(sa.insert(sessions).values(row))


async def append(database: Database, entries: Sequence[Logged], session: SessionId = SESSION) -> None:
    rows = [
        {
            "session_id": session,
            "n": one.n,
            "key": one.key,
            "body": dump_entry(one.entry),
            "origin": one.origin,
            "epoch": 1,
            "at": one.at.timestamp(),
        }
        for one in entries
    ]
    async with database.write() as connection:
        await connection.execute(sa.insert(events), rows)
