"""Who comes in: names people, puts aside what waits for a linked account, turns guests away."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from core.activities import AuthAsked, Blocker, Denied, Entry, Fate, FateChanged, Notice
from core.errors import DeliveryError
from core.events import Deleted, Incoming, Said
from core.ids import EntryKey, ThreadRef
from core.intake import Waiting
from core.people import Identity, Unlinked, Verdict, acts, refusal, unknown
from core.turn.desk import Crew, TurnDesk
from core.turn.registry import PROVIDER, Registry

log = logging.getLogger(__name__)


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
        people, incoming = self._crew.people, row.incoming
        is_free = people is None or not (people.is_strict or incoming.author.is_external)
        if people is None or is_free or incoming.author.surface == "linear":
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
                await self._hold(people, row, incoming)
        return None

    async def _insist(self, row: Waiting) -> Waiting | None:
        pauses, tries = self._crew.limits.retries_s, 0
        while True:
            try:
                return await self.admit(row)
            except DeliveryError as error:
                log.warning("person unknown", extra={"author": row.incoming.author.id, "error": str(error)})
            sentence = "I cannot find out who you are right now; I keep this and go on when I can."
            await self._say(f"who/{row.incoming.key}", Notice(body=sentence))
            await asyncio.sleep(pauses[min(tries, len(pauses) - 1)])
            tries += 1

    async def _named(self, incoming: Incoming) -> Incoming:
        author, reader = incoming.author, self._crew.readers.get(incoming.author.surface)
        if reader is None or (author.email and not author.id.endswith(f"/{author.name}")):
            return incoming  # Somebody asked before; events of a surface tell no addresses.
        return replace(incoming, author=await reader.person(author))

    async def _deny(self, incoming: Incoming) -> None:
        author = incoming.author
        code = Blocker.PERSON_GUEST
        log.info(
            "person denied", extra={"session": self._desk.record.id, "author": author.id, "code": code.value}
        )
        denied = Denied(person=author, code=code, body=refusal(author), thread=_thread(incoming))
        # Who only talks in the thread is told once, who asks us for something each time.
        about = incoming.key if incoming.opens else f"{author.surface}/{author.id}"
        await self._say(f"denied/{about}", denied)
        await self._show(incoming, Fate.WITHDRAWN)

    async def _hold(self, people: Registry, row: Waiting, incoming: Incoming) -> None:
        """Put it aside until its author has linked an account, and ask for that."""
        session_id, author = self._desk.record.id, incoming.author
        waits = bool(await people.store.held(session_id, author))
        await self.ask(incoming, unknown(author), code=Blocker.PERSON_UNLINKED, is_known=waits)
        await self._show(incoming, Fate.QUEUED)
        await people.store.hold(session_id, author, row.seqs, self._desk.turn)
        log.info("person unlinked", extra={"session": session_id, "author": author.id})
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
        self, incoming: Incoming, body: str, *, code: Blocker | None = None, is_known: bool = True
    ) -> None:
        """Send the author of `incoming` a private link."""
        asked = AuthAsked(
            person=incoming.author,
            provider=PROVIDER,
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
        held = await people.store.held(self._desk.record.id, author)
        if all(one.message != incoming.event.message for one in held):
            return False
        await people.store.hold(self._desk.record.id, author, row.seqs, self._desk.turn)
        return True

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
