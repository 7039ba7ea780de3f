"""The session service: accepts what comes in, and plays the turns that the queue hands it."""

import asyncio
import logging
from collections.abc import Callable
from uuid import uuid4

import sqlalchemy as sa

from core.activities import Blocked, Blocker, Entry, Unblocked
from core.errors import Fenced
from core.events import Incoming
from core.ids import EntryKey, SessionId, TurnId
from core.narration import WAITING
from core.ports import Receipt
from core.session import Noted
from core.store.sessions import SessionStore
from core.turn.desk import Crew, TurnDesk
from core.turn.live import LiveTurn
from core.workspace.processes import reap_strays

log = logging.getLogger(__name__)

Enqueue = Callable[[sa.Connection, SessionId, int], None]


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

    async def accept(self, incoming: Incoming) -> Receipt:
        """Store an event and queue its turn in one transaction; nothing else happens before the answer.

        Raises:
            StoreUnavailable: Nothing was stored.
        """
        accepted = await self._store.accept(incoming, self._enqueue)
        if accepted.receipt is Receipt.ACCEPTED and accepted.session_id is not None:
            self._crew.wake_mirror(accepted.session_id)
            if live := self._live.get(accepted.session_id):
                live.wake()
        return accepted.receipt

    async def run_turn(self, session_id: SessionId, turn: TurnId) -> str:
        """Play a turn; called by the queue, again after every crash until it returns."""
        record = await self._store.begin_attempt(session_id, self._holder)
        live = LiveTurn(TurnDesk(self._crew, record, turn))
        self._live[session_id] = live
        self._playing[session_id] = playing = asyncio.create_task(live.play())
        try:
            return await playing
        except Fenced:
            log.warning("turn overtaken", extra={"session": session_id, "turn": turn})
            return "fenced"
        except Exception:
            # The border of the mailbox: whatever it was, people are told and the next message works.
            log.exception("turn broke", extra={"session": session_id, "turn": turn})
            await live.abort()
            return "broken"
        finally:
            playing.cancel()
            self._live.pop(session_id, None)
            self._playing.pop(session_id, None)

    async def halt(self) -> None:
        """End every agent. The turns stay open and go on at the next start."""
        playing = list(self._playing.values())
        for task in playing:
            task.cancel()
        await asyncio.gather(*playing, return_exceptions=True)

    async def recover(self) -> int:
        """Kill agents that outlived an earlier process; their turns are resumed with new ones."""
        sessions = [await self._store.load(id) for id in await self._store.open_sessions()]
        return await asyncio.to_thread(reap_strays, *(one.agent_session for one in sessions))

    async def sink_gone(self, session_id: SessionId, sink: str, code: Blocker) -> None:
        """A surface will show nothing more of this session: say so on the other side."""
        await self._tell(session_id, f"gone/{sink}", Blocked(code=code, body=WAITING[code]))

    async def sink_in_trouble(self, sink: str, session_id: SessionId, code: Blocker | None) -> None:
        """A surface is slow or away (`code`), or works again (None): the other side shows it."""
        last = self._troubles.pop((session_id, sink), None)
        if code is None:
            if last is not None:
                await self._tell(session_id, f"over/{sink}/{uuid4()}", Unblocked(code=last))
            return
        self._troubles[session_id, sink] = code
        await self._tell(session_id, f"trouble/{sink}/{uuid4()}", Blocked(code=code, body=WAITING[code]))

    async def _tell(self, session_id: SessionId, key: str, entry: Entry) -> None:
        await self._store.apply(session_id, Noted(EntryKey(key), entry), epoch=None)
        self._crew.wake_mirror(session_id)
