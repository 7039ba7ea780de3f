"""A code host in memory, people with accounts there, and a session with a pull request; the store is real."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import sqlalchemy as sa

from core.activities import Author, Entry, Prompt, TurnStarted
from core.errors import DeliveryError, HeadMoved
from core.events import Incoming, Said
from core.ids import EntryKey, SessionId, ThreadRef, TurnId
from core.ports import GitAccess, Merged, PullDraft
from core.pulls import (
    CodeAccount,
    CodeReview,
    Decision,
    MergeMethod,
    MergeState,
    Permission,
    PullFacts,
    PullRef,
    PullState,
    ReviewState,
    ReviewVerdict,
)
from core.session import Append
from core.store.acts import ActStore
from core.store.audit import AuditStore
from core.store.pulls import PullStore
from core.store.sessions import SessionStore
from tests.core.store.fakes import UnluckyDatabase, opened

ANN = Author("slack", "T1/UANN", "Ann")
EVE = Author("slack", "T1/UEVE", "Eve")
MAX = Author("teams", "t/max", "Max")
THREAD = ThreadRef("slack", "T1", "C1", "100.1")
REF = PullRef("acme/shop", 87)
HEAD, NEXT = "abc1234" + "0" * 33, "def5678" + "0" * 33
TURN = TurnId("turn-1")
NOW = 1_700_000_000.0

FACTS = PullFacts(
    ref=REF,
    url="https://github.test/acme/shop/pull/87",
    title="ENG-1: Search",
    author="threadline[bot]",
    author_id=1,
    state=PullState.OPEN,
    is_draft=False,
    head_sha=HEAD,
    branch="ann/eng-1",
    base="main",
    files=3,
    additions=41,
    deletions=6,
    decision=Decision.APPROVED,
    reviews_needed=1,
    merge_state=MergeState.CLEAN,
    methods=(MergeMethod.SQUASH,),
    updated_at="2026-11-21T10:00:00Z",
)


def approval(of: CodeAccount, sha: str = HEAD) -> CodeReview:
    return CodeReview(of.login, of.id, ReviewState.APPROVED, sha, writes=True)


@dataclass
class FakeCodeHost:
    """Implements `CodeHost` and `CodeReviewer`; the next calls raise `errors`, after the deed if `late`."""

    now: PullFacts = FACTS
    may: dict[int, Permission] = field(default_factory=dict)
    errors: list[DeliveryError] = field(default_factory=list)
    late: bool = False
    calls: list[str] = field(default_factory=list)
    ops: set[str] = field(default_factory=set)
    verdicts: list[ReviewVerdict] = field(default_factory=list)
    then: Callable[[], None] | None = None
    """What somebody does while an answer of ours is lost."""

    async def access(self, repository: str, *, write: bool) -> GitAccess:
        return GitAccess(f"https://github.test/{repository}.git", "x-access-token", "secret")

    async def open_pull(self, draft: PullDraft, *, by: CodeAccount | None) -> PullRef:
        self.calls.append(f"open as {by.login if by else 'app'}: {draft.title}")
        return self.now.ref

    async def describe_pull(self, pull: PullRef, *, title: str | None, body: str) -> None:
        self.calls.append("describe")

    async def facts(self, pull: PullRef) -> PullFacts:
        self._trouble(late=False)
        return self.now

    async def permission(self, repository: str, account: CodeAccount) -> Permission:
        return self.may.get(account.id, Permission.NONE)

    async def report_review(self, pull: PullRef, sha: str, verdict: ReviewVerdict) -> None:
        self.verdicts.append(verdict)

    async def failure_of(self, pull: PullRef, sha: str) -> str:
        return "build: 1 test failed"

    async def review(
        self, pull: PullRef, by: CodeAccount, *, sha: str, state: ReviewState, body: str, op: str
    ) -> None:
        if sha != self.now.head_sha:
            if op in self.ops:
                self._change(reviews=tuple(one for one in self.now.reviews if one.by_id != by.id))
            raise HeadMoved("moved", head=self.now.head_sha)
        if self._first(op, f"{state} by {by.login} at {sha[:7]}"):
            review = CodeReview(by.login, by.id, state, sha, writes=True)
            others = tuple(one for one in self.now.reviews if one.by_id != by.id)
            self._change(reviews=(*others, review))
        self._trouble(late=True)

    async def make_ready(self, pull: PullRef, by: CodeAccount) -> None:
        self.calls.append(f"ready by {by.login}")
        self._change(is_draft=False)

    async def merge(
        self, pull: PullRef, by: CodeAccount, *, sha: str, method: MergeMethod, op: str
    ) -> Merged:
        if self._first(op, f"merge by {by.login} at {sha[:7]} as {method}"):
            self._change(state=PullState.MERGED, merged_by=by.login, merged_as=method)
        self._trouble(late=True)
        return Merged(True)

    async def merge_when_green(
        self, pull: PullRef, by: CodeAccount, *, sha: str, method: MergeMethod
    ) -> Merged:
        self.calls.append(f"auto-merge by {by.login}")
        self._change(auto_merge=by.login)
        return Merged(False)

    async def dont_merge(self, pull: PullRef, by: CodeAccount) -> None:
        self.calls.append(f"no auto-merge by {by.login}")
        self._change(auto_merge="")

    async def update_branch(self, pull: PullRef, by: CodeAccount, *, sha: str) -> None:
        self.calls.append(f"update by {by.login}")
        self._change(head_sha=NEXT)

    async def close(self, pull: PullRef, by: CodeAccount) -> None:
        self.calls.append(f"close by {by.login}")
        self._change(state=PullState.CLOSED)

    def push(self, sha: str) -> None:
        """Somebody pushes."""
        self._change(head_sha=sha)

    def _first(self, op: str, call: str) -> bool:
        if op in self.ops:
            return False
        self.ops.add(op)
        self.calls.append(call)
        return True

    def _change(self, **values: object) -> None:
        seconds = int(self.now.updated_at[17:19]) + 1
        later = f"{self.now.updated_at[:17]}{seconds:02}Z"
        self.now = replace(self.now, updated_at=later, **values)  # type: ignore[arg-type]

    def _trouble(self, *, late: bool) -> None:
        if self.errors and late is self.late:
            if self.then is not None:
                self.then()
            raise self.errors.pop(0)


@dataclass
class FakeAccounts:
    """Who has which account at the code host."""

    known: dict[tuple[str, str], CodeAccount] = field(default_factory=dict)
    people: dict[int, Author] = field(default_factory=dict)

    def link(self, person: Author, account: CodeAccount) -> CodeAccount:
        self.known[person.surface, person.id] = account
        self.people.setdefault(account.id, person)
        return account

    async def account_of(self, author: Author) -> CodeAccount | None:
        return self.known.get((author.surface, author.id))

    async def person_of(self, account_id: int) -> Author | None:
        return self.people.get(account_id)


def account(id: int, login: str, *, can_act: bool = True) -> CodeAccount:
    return CodeAccount(person=f"linear:{login}", id=id, login=login, can_act=can_act, evidence="oauth+linear")


@dataclass
class Desk:
    """The stores with one session in them, that Ann asked for."""

    database: UnluckyDatabase
    sessions: SessionStore
    pulls: PullStore
    acts: ActStore
    audit: AuditStore
    session: SessionId
    time: list[float]

    async def entries(self, kind: type) -> list[Entry]:
        return [one.entry for one in await self.sessions.log(self.session) if isinstance(one.entry, kind)]

    async def say(self, key: str, entry: Entry) -> None:
        await self.sessions.say(self.session, EntryKey(key), entry)


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    async with opened(folder) as database:
        time = [NOW]
        sessions = SessionStore(
            database, now=lambda: time[0], redact=lambda text: text.replace("hunter2", "…")
        )

        def enqueue(connection: sa.Connection, session_id: SessionId, seq: int) -> None:
            assert connection.in_transaction()

        incoming = Incoming(key="k1", place=THREAD, event=Said("fix it"), author=ANN, opens=True)
        accepted = await sessions.accept(incoming, enqueue)
        assert accepted.session_id is not None
        made = Desk(
            database,
            sessions,
            PullStore(database, sessions, now=lambda: time[0]),
            ActStore(database, sessions, now=lambda: time[0]),
            AuditStore(database, now=lambda: time[0]),
            accepted.session_id,
            time,
        )
        await made.say("started", TurnStarted(turn=TURN, author=ANN))
        await made.say("said", Prompt(author=ANN, body="fix it"))
        yield made


def appended(*entries: Entry) -> list[Append]:
    return [Append(EntryKey(f"told/{n}"), entry) for n, entry in enumerate(entries)]
