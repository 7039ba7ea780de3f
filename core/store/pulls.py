"""Pull requests of sessions: what is to be pushed, what the code host said last, which card shows it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from uuid import uuid4

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from core.activities import PullActed, PullShown, dump_entry
from core.ids import EntryKey, SessionId, TurnId
from core.pulls import PullFacts, PullRef
from core.session import Append
from core.store.database import Database
from core.store.sessions import SessionStore
from core.store.tables import cards, pulls

_FACTS: TypeAdapter[PullFacts] = TypeAdapter(PullFacts)

NOW = 0.0
LOOK_LEASE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """The pull request of one session.

    Attributes:
        repository: As `threadline.toml` names it. `ref`: as the code host does; None before it is opened.
        wanted_sha: The commit that is to be its head. `pushed_sha`: what we pushed last.
        facts: As of the newest look.
        turn: The turn that wanted the last push. `shown_turn`: the one below whose answer its card is.
        shown: Digest of what is shown.
        verdict: What our own check said last: head and conclusion, as `core.review.watch` writes it.
        tries: Attempts to fix the head `tried_sha`.
    """

    session: SessionId
    repository: str
    branch: str
    ref: PullRef | None
    wanted_sha: str | None
    pushed_sha: str | None
    facts: PullFacts | None
    card: str | None
    turn: TurnId | None
    shown_turn: TurnId | None
    shown: str | None
    verdict: str | None
    tried_sha: str | None
    tries: int

    @property
    def is_shipped(self) -> bool:
        """Everything that was wanted is at the code host."""
        return self.ref is not None and self.pushed_sha == self.wanted_sha


@dataclass(frozen=True, slots=True)
class Card:
    """What a button stands for."""

    session: SessionId
    head_sha: str


class PullStore:
    """The pull requests of this installation; all methods may be repeated."""

    def __init__(self, database: Database, sessions: SessionStore, *, now: Callable[[], float]) -> None:
        self._database = database
        self._sessions = sessions
        self._now = now

    async def want(
        self, session_id: SessionId, repository: str, branch: str, *, sha: str, turn: TurnId
    ) -> Pull:
        """Ask for `sha` to be pushed, and for a pull request that shows it.

        Whoever asks sees to it; if they do not in a minute, `due` has it.
        """
        later = self._now() + LOOK_LEASE_S
        wanted = {"repository": repository, "branch": branch, "wanted_sha": sha, "turn": turn}
        async with self._database.write() as connection:
            insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            row = insert(pulls).values(session_id=session_id, look_at=later, **wanted)
            # The branch stays: what was pushed under it is there.
            changed = {"wanted_sha": sha, "turn": turn, "look_at": later}
            await connection.execute(row.on_conflict_do_update(index_elements=["session_id"], set_=changed))
            return _pull(await _one(connection, session_id))

    async def of(self, session_id: SessionId) -> Pull | None:
        """The session's pull request, wanted or there."""
        async with self._database.read() as connection:
            row = (
                await connection.execute(sa.select(pulls).where(pulls.c.session_id == session_id))
            ).one_or_none()
        return _pull(row) if row else None

    async def on_branch(self, session_id: SessionId, branch: str) -> None:
        """Its branch at the code host is called so; only before anything is pushed."""
        await self._update(session_id, branch=branch)

    async def pushed(self, session_id: SessionId, sha: str) -> None:
        """`sha` is the head of its branch at the code host."""
        await self._update(session_id, pushed_sha=sha)

    async def opened(self, session_id: SessionId, ref: PullRef) -> None:
        """It is there, under this number."""
        await self._update(session_id, number=ref.number)

    async def over(self, session_id: SessionId) -> None:
        """It is closed for good, and another one is to be opened for what comes now."""
        await self._update(session_id, number=None)

    async def tried(self, session_id: SessionId, sha: str) -> int:
        """Count an attempt to fix the head `sha`; which one it is."""
        async with self._database.write() as connection:
            row = await _one(connection, session_id)
            tries = row.tries + 1 if row.tried_sha == sha else 1
            mine = sa.update(pulls).where(pulls.c.session_id == session_id)
            await connection.execute(mine.values(tried_sha=sha, tries=tries))
        return tries

    async def reported(self, session_id: SessionId, verdict: str) -> None:
        """Our own check says this now."""
        await self._update(session_id, verdict=verdict)

    async def hint(self, repository: str, *, numbers: Sequence[int] = (), branch: str = "") -> bool:
        """Look at these again, something happened; whether any of them is ours."""
        which = sa.or_(pulls.c.number.in_(numbers), pulls.c.branch == branch)
        mine = sa.update(pulls).where(_in(repository), which)
        async with self._database.write() as connection:
            return bool((await connection.execute(mine.values(look_at=NOW))).rowcount)

    async def hint_all(self, repository: str) -> bool:
        """Look again at all that are watched in a repository; whether there are any."""
        mine = sa.update(pulls).where(_in(repository), pulls.c.look_at.is_not(None))
        async with self._database.write() as connection:
            return bool((await connection.execute(mine.values(look_at=NOW))).rowcount)

    async def hint_session(self, session_id: SessionId) -> None:
        """Look at the session's again."""
        await self._update(session_id, look_at=NOW)

    async def look_later(self, session_id: SessionId, at: float | None) -> None:
        """Look again at that time (seconds since the epoch), or as soon as anybody has hinted since `due`.

        None: not before somebody hints.
        """
        async with self._database.write() as connection:
            calm = sa.and_(pulls.c.session_id == session_id, sa.func.coalesce(pulls.c.look_at, 1) != NOW)
            await connection.execute(sa.update(pulls).where(calm).values(look_at=at))

    async def by_ref(self, repository: str, number: int) -> Pull | None:
        """The pull request with this number, if it is one of ours."""
        mine = sa.select(pulls).where(_in(repository), pulls.c.number == number)
        async with self._database.read() as connection:
            row = (await connection.execute(mine)).one_or_none()
        return _pull(row) if row else None

    async def due(self) -> list[Pull]:
        """Those to look at now; they are due again in a minute, unless `look_later` says otherwise."""
        ripe = pulls.c.look_at <= self._now()
        async with self._database.read() as connection:
            if await connection.scalar(sa.select(pulls.c.session_id).where(ripe).limit(1)) is None:
                return []
        async with self._database.write() as connection:
            taken = sa.update(pulls).where(ripe).values(look_at=self._now() + LOOK_LEASE_S)
            return [_pull(row) for row in await connection.execute(taken.returning(pulls))]

    async def take_over(self) -> None:
        """What an earlier process had taken with `due`, and may not have looked at, is due now."""
        taken = pulls.c.look_at <= self._now() + LOOK_LEASE_S
        async with self._database.write() as connection:
            await connection.execute(sa.update(pulls).where(taken).values(look_at=NOW))

    async def next_look(self) -> float | None:
        """When the next of them is due, None for never."""
        async with self._database.read() as connection:
            found: float | None = await connection.scalar(sa.select(sa.func.min(pulls.c.look_at)))
        return found

    async def card(self, id: str) -> Card | None:
        """What the buttons of this card stand for; None if it is none of ours."""
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(cards).where(cards.c.id == id))).one_or_none()
        return Card(SessionId(row.session_id), row.head_sha) if row else None

    async def heads(self, session_id: SessionId, *, until: float) -> list[str]:
        """The heads that cards have shown up to that moment (seconds since the epoch), newest first."""
        newest = sa.select(cards.c.head_sha).where(cards.c.session_id == session_id, cards.c.at <= until)
        async with self._database.read() as connection:
            return list(await connection.scalars(newest.order_by(cards.c.at.desc())))

    async def show(
        self,
        session_id: SessionId,
        facts: PullFacts,
        *,
        turn: TurnId | None,
        steered_by: Sequence[str],
        steered: Sequence[int] = (),
        offer: str,
        issue: str = "",
        acts: Sequence[PullActed] = (),
    ) -> bool:
        """Log the pull request as it is now if that is news, and what people did; whether anything was.

        A new head has a card of its own. An older look than the last one changes nothing, nor does one from
        before the turn that pushed last: `turn` is whose push it saw.
        """
        async with self._database.write() as connection:
            was = _pull(await _one(connection, session_id))
            if was.turn != turn or (was.facts and facts.updated_at < was.facts.updated_at):
                return False
            stored = {"facts": _FACTS.dump_python(facts, mode="json")}
            moved = was.card is None or was.facts is None or was.facts.head_sha != facts.head_sha
            card = await self._new_card(connection, session_id, facts) if moved else was.card or ""
            shown = PullShown(
                card=card,
                facts=facts,
                turn=was.turn,
                steered_by=tuple(steered_by),
                steered=tuple(steered),
                offer=offer,
                issue=issue,
            )
            appends = [Append(acted_key(act), act) for act in acts]
            if (digest := _digest(shown)) != was.shown:
                is_same = was.facts is not None and was.facts.ref.number == facts.ref.number
                if was.card and was.shown_turn != was.turn and is_same:
                    stale = replace(shown, card=was.card, turn=was.shown_turn, offer="", is_stale=True)
                    appends.append(Append(EntryKey(f"pull/{uuid4()}"), stale))
                appends.append(Append(EntryKey(f"pull/{uuid4()}"), shown))
            await self._sessions.append(connection, session_id, appends)
            stored |= {"card": card, "shown_turn": was.turn, "shown": digest}
            await connection.execute(sa.update(pulls).where(pulls.c.session_id == session_id).values(stored))
        return bool(appends)

    async def _new_card(self, connection: AsyncConnection, session_id: SessionId, facts: PullFacts) -> str:
        id = uuid4().hex
        row = {"id": id, "session_id": session_id, "head_sha": facts.head_sha, "at": self._now()}
        await connection.execute(sa.insert(cards).values(row))
        return id

    async def _update(self, session_id: SessionId, **values: object) -> None:
        async with self._database.write() as connection:
            mine = sa.update(pulls).where(pulls.c.session_id == session_id)
            await connection.execute(mine.values(**values))


def _in(repository: str) -> sa.ColumnElement[bool]:
    """Whether a pull request is in it, under the name that we were told or under its new one."""
    names = (pulls.c.repository, pulls.c.facts["ref"]["repository"].as_string())
    return sa.or_(*(sa.func.lower(name) == repository.lower() for name in names))


def acted_key(act: PullActed) -> EntryKey:
    """The same for what a person did, whether we did it for them or saw it at the code host."""
    return EntryKey(f"acted/{act.pull}/{act.action}/{act.sha}/{act.account}")


def _digest(shown: PullShown) -> str:
    # Not compared with the log: what is logged has its secrets taken out.
    return sha256(json.dumps(dump_entry(shown), sort_keys=True).encode()).hexdigest()


async def _one(connection: AsyncConnection, session_id: SessionId) -> sa.Row[tuple[object, ...]]:
    row = await connection.execute(sa.select(pulls).where(pulls.c.session_id == session_id))
    found: sa.Row[tuple[object, ...]] = row.one()
    return found


def _pull(row: sa.Row[tuple[object, ...]]) -> Pull:
    stored = row._mapping
    number, facts = stored["number"], stored["facts"]
    known = None if facts is None else _FACTS.validate_python(facts)
    ref = None if number is None else PullRef(stored["repository"], number)
    return Pull(
        session=SessionId(stored["session_id"]),
        repository=stored["repository"],
        branch=stored["branch"],
        ref=known.ref if ref and known and known.ref.number == ref.number else ref,
        wanted_sha=stored["wanted_sha"],
        pushed_sha=stored["pushed_sha"],
        facts=known,
        card=stored["card"],
        turn=stored["turn"],
        shown_turn=stored["shown_turn"],
        shown=stored["shown"],
        verdict=stored["verdict"],
        tried_sha=stored["tried_sha"],
        tries=stored["tries"],
    )
