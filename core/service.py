"""The session service: accepts what comes in, and plays the turns that the queue hands it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import uuid4

import sqlalchemy as sa

from core.activities import Author, Blocked, Blocker, Entry, Notice, Unblocked
from core.errors import Fenced, StoreUnavailable
from core.events import Incoming, StopAsked
from core.ids import EntryKey, IssueRef, SessionId, TurnId
from core.narration import WAITING, gone_from
from core.people import Evidence, Identity, waiting_for_code
from core.ports import Receipt
from core.session import Noted
from core.store.people import PeopleStore
from core.store.sessions import SessionStore
from core.turn.desk import Crew, TurnDesk
from core.turn.live import LiveTurn
from core.workspace.processes import reap_strays

log = logging.getLogger(__name__)

Enqueue = Callable[[sa.Connection, SessionId, int], None]

CLOCK_SKEW_S = 60.0
"""How far the clock of a platform may be behind ours."""


class SessionService:
    """Implements `core.ports.Inbox`."""

    def __init__(self, crew: Crew, *, enqueue: Enqueue, holder: str) -> None:
        self._crew = crew
        self._store: SessionStore = crew.store
        self._enqueue = enqueue
        self._holder = holder
        self._live: dict[SessionId, LiveTurn] = {}
        self._playing: dict[SessionId, asyncio.Task[str]] = {}
        self._troubles: dict[tuple[SessionId, str], Blocker] = {}
        self._is_halted = False

    async def accept(self, incoming: Incoming) -> Receipt:
        """Store an event and queue its turn in one transaction; nothing else happens before the answer.

        Raises:
            StoreUnavailable: Nothing was stored.
        """
        if isinstance(incoming.place, IssueRef):
            return await self._accept_on_issue(incoming, incoming.place)
        return await self._accept(incoming)

    async def _accept_on_issue(self, incoming: Incoming, issue: IssueRef) -> Receipt:
        """Give it to each session that worked on the issue when it happened."""
        asked = incoming.event.at if isinstance(incoming.event, StopAsked) else None
        since = self._crew.now() if asked is None else asked + CLOCK_SKEW_S
        receipts = {Receipt.IGNORED}
        for session_id in await self._store.at_work_on(issue, since=since):
            own = replace(incoming, key=f"{incoming.key}/{session_id}")
            receipts.add(await self._accept(own, to=session_id))
        return next(one for one in Receipt if one in receipts)

    async def accept_into(self, session_id: SessionId, incoming: Incoming) -> Receipt:
        """Like `accept`, for a session that somebody else has found.

        Raises:
            StoreUnavailable: Nothing was stored.
        """
        return await self._accept(incoming, to=session_id)

    async def _accept(self, incoming: Incoming, *, to: SessionId | None = None) -> Receipt:
        accepted = await self._store.accept(incoming, self._enqueue, to=to)
        if accepted.receipt is Receipt.ACCEPTED and accepted.session_id is not None:
            self._crew.wake_mirror(accepted.session_id)
            if live := self._live.get(accepted.session_id):
                live.wake()
        return accepted.receipt

    async def run_turn(self, session_id: SessionId, turn: TurnId) -> str:
        """Play a turn; called by the queue, again after every crash until it returns."""
        while True:
            try:
                return await self._attempt(session_id, turn)
            except StoreUnavailable as error:
                log.warning("store unavailable", extra={"session": session_id, "error": str(error)})
                await asyncio.sleep(self._crew.limits.retries_s[0])

    async def _attempt(self, session_id: SessionId, turn: TurnId) -> str:
        record = await self._store.begin_attempt(session_id, self._holder)
        if self._is_halted:
            raise asyncio.CancelledError  # As for the turns that were cut short: it stays in the queue.
        live = LiveTurn(TurnDesk(self._crew, record, turn))
        self._live[session_id] = live
        self._playing[session_id] = playing = asyncio.create_task(live.play())
        try:
            return await playing
        except Fenced:
            log.warning("turn overtaken", extra={"session": session_id, "turn": turn})
            return "fenced"
        except StoreUnavailable:
            raise
        except Exception:
            # The border of the mailbox: whatever it was, people are told and the next message works.
            log.exception("turn broke", extra={"session": session_id, "turn": turn})
            return await self._give_up(live)
        finally:
            playing.cancel()
            if self._live.get(session_id) is live:
                del self._live[session_id], self._playing[session_id]

    async def _give_up(self, live: LiveTurn) -> str:
        try:
            await live.abort()
        except Fenced:
            return "fenced"
        return "broken"

    async def halt(self) -> None:
        """End every agent and begin no turn any more. Open turns go on at the next start."""
        self._is_halted = True
        playing = list(self._playing.values())
        for task in playing:
            task.cancel()
        await asyncio.gather(*playing, return_exceptions=True)

    async def recover(self) -> int:
        """Kill agents that outlived an earlier process; their turns are resumed with new ones.

        What was held for people comes in, if a crash came between their link and that.
        """
        if self._crew.people is not None:
            for identity in await self._crew.people.store.overdue():
                await self._let_in(self._crew.people.store, identity)
        sessions = [await self._store.load(id) for id in await self._store.open_sessions()]
        return await asyncio.to_thread(reap_strays, *(one.agent_session for one in sessions))

    async def link(self, identity: Identity) -> None:
        """Somebody has said who they are in Linear: what was held for them comes in anew, once.

        Raises:
            OtherLink: One of the accounts has another link; nothing changed.
            StoreUnavailable: It may be stored; what is held comes in at the next start, or with the next try.
        """
        if self._crew.people is None:
            return
        await self._crew.people.store.link(identity)
        await self._let_in(self._crew.people.store, identity)

    async def let_in(self, person: Author) -> None:
        """`person` has linked an account at the code host: what was held for that comes in anew, once.

        Raises:
            StoreUnavailable: It comes in when they are let in again.
        """
        if self._crew.people is None:
            return
        held_as = waiting_for_code(person)
        identity = Identity(
            surface=held_as.surface,
            account=person.id,
            linear_user="",
            name=person.name,
            email=None,
            evidence=Evidence.OAUTH,
        )
        await self._let_in(self._crew.people.store, identity)

    async def _let_in(self, people: PeopleStore, identity: Identity) -> None:
        for session_id in await people.release(identity, self._enqueue):
            self._crew.wake_mirror(session_id)
            if live := self._live.get(session_id):
                live.wake()

    async def sink_gone(self, session_id: SessionId, sink: str, code: Blocker) -> None:
        """A surface will show nothing more of this session: say so everywhere else."""
        key = EntryKey(f"gone/{sink}")
        await self._tell(session_id, key, Blocked(code=code, body=WAITING[code]))
        told = await self._store.logged(session_id, key)
        is_chat = code is Blocker.CHAT_GONE
        if is_chat or not told:  # No chat is told what is in a chat's way, nor anything between turns.
            await self._reply(session_id, f"{key}/chats", Notice(body=gone_from(sink, code)))
        if is_chat and not told:
            await self._reply(
                session_id, f"{key}/linear", Notice(body=gone_from(sink, code), surface="linear")
            )

    async def sink_in_trouble(self, sink: str, session_id: SessionId, code: Blocker | None) -> None:
        """A surface is slow or away (`code`), or works again (None): the other side shows it."""
        last = self._troubles.pop((session_id, sink), None)
        if code is None:
            if last is not None:
                await self._tell(session_id, f"over/{sink}/{uuid4()}", Unblocked(code=last))
            return
        self._troubles[session_id, sink] = code
        await self._tell(session_id, f"trouble/{sink}/{uuid4()}", Blocked(code=code, body=WAITING[code]))

    async def sink_refused(
        self, session_id: SessionId, key: str, words: str, surfaces: Sequence[str]
    ) -> None:
        """Something will never be shown where it should: say so on these surfaces, once for each `key`."""
        for surface in surfaces:
            await self._reply(session_id, f"{key}/{surface}", Notice(body=words, surface=surface))

    async def _tell(self, session_id: SessionId, key: str, entry: Entry) -> None:
        """In the turn that is open, if one is."""
        await self._store.apply(session_id, Noted(EntryKey(key), entry), epoch=None)
        self._crew.wake_mirror(session_id)

    async def _reply(self, session_id: SessionId, key: str, notice: Notice) -> None:
        await self._store.say(session_id, EntryKey(key), notice)
        self._crew.wake_mirror(session_id)
