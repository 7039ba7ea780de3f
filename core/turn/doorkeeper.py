"""Who comes in: names people, puts aside what waits for a linked account, turns guests away."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from core.activities import AuthAsked, Blocker, Denied, Entry, Fate, FateChanged, Notice
from core.errors import DeliveryError, TargetGone
from core.events import Chosen, Deleted, Incoming, Pressed, Said
from core.ids import EntryKey, ThreadRef
from core.intake import Waiting
from core.narration import in_the_way
from core.people import Identity, Unlinked, Verdict, acts, refusal, unknown, waiting_for_code
from core.policy import Work, no_write
from core.review.guard import steers
from core.turn.desk import Crew, TurnDesk
from core.turn.registry import PROVIDER, Registry

log = logging.getLogger(__name__)

CODE_HOST = "GitHub"
NOT_NOW = "I cannot find out who you are right now; I keep this and go on when I can."


class Doorkeeper:
    """Stands between the inbox of a session and its turn. Done again after a crash, it says nothing twice."""

    def __init__(self, desk: TurnDesk) -> None:
        self._desk = desk
        self._crew = desk.crew

    async def named(self, incoming: Incoming) -> Incoming:
        """With the name of its author; with their id as the name while the platform does not tell."""
        try:
            return await self._named(incoming)
        except DeliveryError as error:
            author = incoming.author
            log.warning("name unknown", extra={"author": author.id, "error": str(error)})
            return replace(incoming, author=replace(author, name=author.name or author.id))

    async def admitted(self, rows: Sequence[Waiting]) -> list[Waiting]:
        """Those that come in, authors named; waits as long as somebody must be asked who they are."""
        inside = []
        for row in rows:
            if (one := await self._insist(row)) is not None:
                inside.append(one)
        return inside

    async def admit(self, row: Waiting) -> Waiting | None:
        """The row with its author named. None: its author was told, and it is put aside or done with.

        Raises:
            DeliveryError: A platform does not tell now who this is.
        """
        admitted = await self._let_in(row)
        return admitted if admitted is not None and await self._may_steer(admitted) else None

    async def _may_steer(self, row: Waiting) -> bool:
        """Where work has begun, by what its author may do at the code host."""
        reviews, people, incoming = self._crew.reviews, self._crew.people, row.incoming
        if reviews is None or people is None or not steers(incoming.event):
            return True
        repository = self._desk.record.repository
        match await reviews.guard.work(incoming.author, repository):
            case Work.DENIED:
                await self._refuse(incoming, Blocker.PERSON_DENIED, no_write(repository or ""))
                return False
            case Work.MUST_LINK_CODE_HOST:
                body = f"To steer work in {repository}, link your account at GitHub: it needs write access."
                await self._hold(people, row, incoming, CODE_HOST, body)
                return False
            case _:
                return True

    async def _let_in(self, row: Waiting) -> Waiting | None:
        people, incoming = self._crew.people, row.incoming
        is_free = people is None or not (people.is_strict or incoming.author.is_external)
        if people is None or is_free or incoming.author.surface in ("linear", "github"):
            return replace(row, incoming=await self.named(incoming))
        if not acts(incoming.event):
            incoming = await self.named(incoming)
            return None if await self._taken_back(people, row) else replace(row, incoming=incoming)
        incoming = await self._named(incoming)
        match await people.verdict(incoming.author):
            case Verdict.ALLOWED:
                await self._let_in_what_waits(people)
                return replace(row, incoming=incoming)
            case Verdict.READS_ONLY:
                await self._deny(incoming)
            case Verdict.MUST_LINK:
                await self._hold(people, row, incoming, PROVIDER, unknown(incoming.author))
        return None

    async def _insist(self, row: Waiting) -> Waiting | None:
        pauses, tries = self._crew.limits.retries_s, 0
        while True:
            try:
                return await self.admit(row)
            except DeliveryError as error:
                log.warning("person unknown", extra={"author": row.incoming.author.id, "error": str(error)})
                match error:
                    case TargetGone(code=code):  # Only an administrator can end this.
                        name, why = f"who/{row.incoming.key}/{code}", in_the_way(code)
                    case _:
                        name, why = f"who/{row.incoming.key}", NOT_NOW
            await self._say(name, Notice(body=why))
            await asyncio.sleep(pauses[min(tries, len(pauses) - 1)])
            tries += 1

    async def _named(self, incoming: Incoming) -> Incoming:
        author, reader = incoming.author, self._crew.readers.get(incoming.author.surface)
        if reader is None or (author.email and not author.id.endswith(f"/{author.name}")):
            return incoming  # Somebody asked before; events of a surface tell no addresses.
        return replace(incoming, author=await reader.person(author))

    async def _deny(self, incoming: Incoming) -> None:
        await self._refuse(incoming, Blocker.PERSON_GUEST, refusal(incoming.author))

    async def _refuse(self, incoming: Incoming, code: Blocker, body: str) -> None:
        author = incoming.author
        log.info(
            "person denied", extra={"session": self._desk.record.id, "author": author.id, "code": code.value}
        )
        thread = _thread(incoming)
        # Outside of a thread nothing can be told in private: then it is a reply where they wrote.
        told: Entry = Notice(body=body, surface=author.surface)
        if thread is not None:
            told = Denied(person=author, code=code, body=body, thread=thread)
        # Who only talks in the thread is told once, who asks us for something each time.
        asks = incoming.opens or thread is None or isinstance(incoming.event, Pressed | Chosen)
        about = incoming.key if asks else f"{author.surface}/{author.id}"
        await self._say(f"denied/{about}", told)
        await self._show(incoming, Fate.WITHDRAWN)

    async def _hold(
        self, people: Registry, row: Waiting, incoming: Incoming, provider: str, body: str
    ) -> None:
        """Put it aside until its author has linked an account, and ask for that."""
        session_id, author = self._desk.record.id, incoming.author
        if provider != PROVIDER:
            author = waiting_for_code(author)
        waits = bool(await people.store.held(session_id, author))
        code = Blocker.PERSON_UNLINKED if provider == PROVIDER else Blocker.GITHUB_UNLINKED
        await self.ask(incoming, body, code=code, is_known=waits, provider=provider)
        await self._show(incoming, Fate.QUEUED)
        await people.store.hold(session_id, author, row.seqs, self._desk.turn)
        log.info("person unlinked", extra={"session": session_id, "author": author.id})
        if provider != PROVIDER:
            return
        # The link may have come in between.
        stored = await people.store.find(author.surface, author.id)
        if stored is not None and stored.holds_for(author):
            await let_in(self._crew, stored)

    async def _let_in_what_waits(self, people: Registry) -> None:
        """An address may have told who somebody is of whom things are held."""
        if people.policy.unlinked is Unlinked.LINK:
            for identity in await people.store.overdue():
                await let_in(self._crew, identity)

    async def ask(
        self,
        incoming: Incoming,
        body: str,
        *,
        code: Blocker | None = None,
        is_known: bool = True,
        provider: str = PROVIDER,
    ) -> None:
        """Send the author of `incoming` a private link."""
        asked = AuthAsked(
            person=incoming.author,
            provider=provider,
            body=body,
            code=code,
            thread=_thread(incoming),
            is_known=is_known,
        )
        await self._say(f"auth/{incoming.key}", asked)

    async def _taken_back(self, people: Registry, row: Waiting) -> bool:
        """Whether this takes back something that is put aside: then it goes there, too."""
        incoming, author = row.incoming, row.incoming.author
        if not isinstance(incoming.event, Deleted):
            return False
        for held_as in (author, waiting_for_code(author)):
            held = await people.store.held(self._desk.record.id, held_as)
            if any(one.message == incoming.event.message for one in held):
                await people.store.hold(self._desk.record.id, held_as, row.seqs, self._desk.turn)
                return True
        return False

    async def _show(self, incoming: Incoming, fate: Fate) -> None:
        if incoming.message and isinstance(incoming.event, Said):
            changed = FateChanged(message=incoming.message, fate=fate)
            await self._say(f"fate/{incoming.key}/{fate}", changed)

    async def _say(self, name: str, entry: Entry) -> None:
        await self._crew.store.say(self._desk.record.id, EntryKey(name), entry)
        self._crew.wake_mirror(self._desk.record.id)


async def let_in(crew: Crew, identity: Identity) -> None:
    """Let what was held for this account come in anew, and everybody see it."""
    assert crew.people is not None
    for session_id in await crew.people.store.release(identity, crew.enqueue):
        crew.wake_mirror(session_id)


def _thread(incoming: Incoming) -> ThreadRef | None:
    return incoming.place if isinstance(incoming.place, ThreadRef) else None
