"""Begins a thread in its team's channel for each session that was opened in Linear."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from core.activities import Author, Blocked, Blocker, Entry, Notice, Unblocked
from core.composer import line_of
from core.errors import DeliveryError, Refused, StoreUnavailable, TargetGone, Throttled, TryLater
from core.ids import EntryKey, MessageRef, SessionId, ThreadRef
from core.mirror.cards import NoticeItem, Render
from core.mirror.chat_sink import thread_of
from core.mirror.clock import Clock
from core.mirror.lane import TROUBLE_AFTER_S
from core.narration import waiting
from core.ports import ThreadOpener, ThreadReader, TrackedIssue
from core.session import Noted
from core.store.openings import Opening, OpeningStore
from core.store.sessions import SessionStore

log = logging.getLogger(__name__)

STORE_PAUSE_S = 1.0
PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

Link = Callable[[str, str], Awaitable[None]]
"""Puts the address of a thread (second) on an agent session; safe to repeat, raises `DeliveryError`."""


@dataclass(frozen=True, slots=True)
class Door:
    """A surface on which we may begin threads, and how it shows what we say."""

    opener: ThreadOpener
    reader: ThreadReader
    render: Render


@dataclass(slots=True)
class Trouble:
    """Since when an opening fails (seconds), how often, when to go on, and whether people were told."""

    since: float
    fails: int = 0
    next_at: float = 0.0
    told: bool = False


class ThreadOpenings:
    """Opens each thread once, whatever fails meanwhile; nobody waits for it.

    That a thread is wanted is stored, and that it is tried before the chat is asked: an attempt after that
    looks first for the message of an earlier one. Like the mirror, for one process on a database.
    """

    def __init__(
        self,
        store: OpeningStore,
        sessions: SessionStore,
        clock: Clock,
        *,
        channels: Mapping[str, str],
        doors: Mapping[str, Door],
        link: Link,
        wake_mirror: Callable[[SessionId], None],
    ) -> None:
        """`channels`: place by key of a Linear team; `doors`: by surface."""
        self._store = store
        self._sessions = sessions
        self._clock = clock
        self._channels = channels
        self._doors = doors
        self._link = link
        self._wake_mirror = wake_mirror
        self._troubles: dict[SessionId, Trouble] = {}
        self._changed = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    async def want(self, session_id: SessionId, issue: TrackedIssue, by: Author | None) -> None:
        """Open a thread for the session if its team has a channel and no chat shows it yet.

        `by` is the person who opened the session, None for whoever else did.
        """
        place = self._channels.get(issue.team)
        if place and await self._store.want(session_id, place, began(issue, by)):
            self._changed.set()

    def start(self) -> None:
        """Begin to open threads, first of all those that an earlier process left."""
        self._loop = asyncio.create_task(self._run(), name="openings")
        self._loop.add_done_callback(_report)

    async def stop(self) -> None:
        """Open nothing more. Safe to repeat."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                until = await self._round()
            except StoreUnavailable as error:
                log.warning("openings cannot use the store", extra={"error": str(error)})
                until = self._clock.now() + STORE_PAUSE_S
            await self._clock.wait(self._changed, until)

    async def _round(self) -> float | None:
        """Try everything that is due; when the next thing is, None if only a wish brings it."""
        later = []
        for opening in await self._store.due():
            trouble = self._troubles.get(opening.session)
            if trouble is None or trouble.next_at <= self._clock.now():
                await self._contained(opening)
                trouble = self._troubles.get(opening.session)
            if trouble is not None:
                later.append(trouble.next_at)
        return min(later, default=None)

    async def _contained(self, opening: Opening) -> None:
        """Let a defect delay this opening and no other."""
        try:
            await self._attempt(opening)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("opening failed in an unknown way", extra={"session": opening.session})
            await self._postpone(opening, TryLater(type(error).__name__))

    async def _attempt(self, opening: Opening) -> None:
        try:
            thread = await self._thread(opening)
        except (TryLater, Throttled) as error:
            if opening.tried_at is None and not error.maybe_done:
                await self._store.untried(opening.session)
            await self._postpone(opening, error)
            return
        except (Refused, TargetGone) as error:
            log.warning("thread not opened", extra=_about(opening, error))
            await self._tell_gone(opening)
            await self._store.give_up(opening.session)
            self._troubles.pop(opening.session, None)
            return
        await self._present(opening, thread)

    async def _thread(self, opening: Opening) -> ThreadRef:
        """The thread of `opening`, which is begun unless it is there."""
        if opening.thread is not None:
            return thread_of(opening.thread)
        door = self._doors.get(_surface_of(opening.place))
        if door is None:
            raise Refused("no such chat is on")
        await self._store.trying(opening.session, at=self._clock.now())
        payload = door.render(NoticeItem(opening.body))[0]
        thread = await door.opener.open_thread(
            opening.place, payload, key=f"{opening.session}/opening", tried_at=opening.tried_at
        )
        await self._store.opened(opening.session, thread)
        self._wake_mirror(opening.session)
        await self._recovered(opening)
        return thread

    async def _present(self, opening: Opening, thread: ThreadRef) -> None:
        """Tell Linear where the thread is. The story goes on without that, so a refusal is only noted."""
        url: str | None = None
        try:
            url = await self._doors[thread.surface].reader.permalink(MessageRef(thread, thread.root))
            if opening.linear_session:
                await self._link(opening.linear_session, url)
        except (TryLater, Throttled) as error:
            await self._postpone(replace(opening, thread=str(thread)), error)
            return
        except (Refused, TargetGone) as error:
            log.warning("thread not linked", extra=_about(opening, error))
        await self._store.finish(opening.session, url=url)
        self._troubles.pop(opening.session, None)

    async def _postpone(self, opening: Opening, error: TryLater | Throttled) -> None:
        log.warning("opening postponed", extra=_about(opening, error))
        now = self._clock.now()
        trouble = self._troubles.setdefault(opening.session, Trouble(now))
        pause_s = PAUSES_S[min(trouble.fails, len(PAUSES_S) - 1)]
        trouble.fails += 1
        trouble.next_at = now + (error.retry_after_s if isinstance(error, Throttled) else pause_s)
        lasts = now >= trouble.since + TROUBLE_AFTER_S
        if lasts and not trouble.told and opening.thread is None:
            trouble.told = True
            await self._tell(opening, "trouble", waiting(Blocker.CHAT_THROTTLED))

    async def _recovered(self, opening: Opening) -> None:
        trouble = self._troubles.pop(opening.session, None)
        if trouble is not None and trouble.told:
            await self._tell(opening, "over", Unblocked(code=Blocker.CHAT_THROTTLED))

    async def _tell_gone(self, opening: Opening) -> None:
        told = gone(opening.place)
        if not await self._tell(opening, "gone", told):
            key = EntryKey(f"opening/{opening.after}/gone/reply")
            await self._sessions.say(opening.session, key, Notice(body=told.body, surface="linear"))
            self._wake_mirror(opening.session)

    async def _tell(self, opening: Opening, what: str, entry: Entry) -> bool:
        """In the turn that is open, and whether there is one.

        After it, Linear would take a word for the start of another one; a reply it does not.
        """
        key = EntryKey(f"opening/{opening.after}/{what}")
        effects = await self._sessions.apply(opening.session, Noted(key, entry), epoch=None)
        self._wake_mirror(opening.session)
        return bool(effects)


def began(issue: TrackedIssue, by: Author | None) -> str:
    """The message that the thread hangs under, in Markdown."""
    started = f"started in Linear by {by.name}" if by else "started in Linear"
    return " · ".join(filter(None, [f"[{issue.identifier}]({issue.url})", line_of(issue.title), started]))


def gone(place: str) -> Blocked:
    """What people in Linear are told; the work goes on."""
    body = (
        f"I cannot open a thread in {place}, where this team's sessions are shown; I go on here. "
        "Whoever runs me should look at `[[teams]]` in threadline.toml, and whether I am in that channel."
    )
    return Blocked(code=Blocker.CHAT_GONE, body=body)


def _surface_of(place: str) -> str:
    return place.partition(":")[0]


def _about(opening: Opening, error: DeliveryError) -> dict[str, object]:
    return {"session": opening.session, "place": opening.place, "error": str(error)}


def _report(loop: asyncio.Task[None]) -> None:
    error = None if loop.cancelled() else loop.exception()
    if error is not None:
        log.critical("openings ended", exc_info=error)
