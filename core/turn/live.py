"""Plays one turn: claims what waits, listens to people while it runs, closes it exactly once."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from core.activities import (
    Author,
    Blocked,
    Blocker,
    Error,
    Fate,
    FateChanged,
    Heartbeat,
    Notice,
    Outcome,
    Response,
    TurnStarted,
)
from core.composer import stopped
from core.errors import DeliveryError
from core.events import Chosen, Incoming, Said
from core.ids import EntryKey
from core.intake import Waiting, command_in, fold, for_one_turn, meaning, withdrawn
from core.narration import failure, waiting
from core.session import (
    Effect,
    HandedOver,
    Prompted,
    Resolve,
    Session,
    Steer,
    StopRequested,
    TurnClosed,
    TurnOpened,
    TurnResumed,
    unheard,
)
from core.turn.clerk import Clerk
from core.turn.conversation import Conversation
from core.turn.desk import Failed, Settled, Stopped, TurnDesk
from core.turn.doorkeeper import Doorkeeper
from core.turn.preparation import Preparation

log = logging.getLogger(__name__)

# Another process may have taken a message in; one in this process wakes us at once.
POLL_S = 0.5
HEARTBEAT_S = 60
# A turn that takes the whole process down with it must end some day; one that waits for people may live long.
RESTARTS = 50


class LiveTurn:
    """The turn that holds its session now."""

    def __init__(self, desk: TurnDesk) -> None:
        self._desk = desk
        self._crew = desk.crew
        self._news = asyncio.Event()
        self._door = Doorkeeper(desk)
        self._clerk = Clerk(desk)
        self._conversation: Conversation | None = None
        self._beats = 0

    def wake(self) -> None:
        """Something new is in the inbox."""
        self._news.set()

    async def play(self) -> str:
        """Play the turn to its end and say how it went, in a word.

        Raises:
            Fenced: Another attempt has taken the session over; nothing more was logged.
        """
        if not await self._claim():
            return "absorbed"
        closed = await self._go_on()
        while not await self._desk.apply(closed):
            # Somebody spoke when the agent had just ended: it has to hear that too.
            closed = await self._go_on()
        await self._desk.remember(cost_usd=closed.cost_usd)
        if self._crew.reviews is not None:
            await self._crew.reviews.closed(self._desk.record.id)
        return closed.outcome

    async def _go_on(self) -> TurnClosed:
        """Conduct the turn and listen to people meanwhile; nobody listens any more when this returns."""
        conducting = asyncio.create_task(self._conduct())
        watching = asyncio.create_task(self._watch())
        try:
            await asyncio.wait({conducting, watching}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()  # It never ends by itself: this raises why.
            return await conducting
        finally:
            for task in (conducting, watching):
                task.cancel()
            await asyncio.gather(conducting, watching, return_exceptions=True)

    async def abort(self) -> None:
        """Close the turn after something nobody foresaw."""
        sentence = "Something broke on our side; the log of the service says what."
        await self._desk.apply(self._closed(failure(Blocker.AGENT_FAILED, sentence), Outcome.FAILED))

    async def _claim(self) -> bool:
        """Whether there is a turn to play: one that a crash cut short, or something new."""
        session = self._desk.record.session
        if session.turn == self._desk.turn and await self._restarts() < RESTARTS:
            await self._desk.apply(TurnResumed(self._desk.record.epoch))
            await self._desk.note_again("restart", waiting(Blocker.RESTART))
            if session.stopping:
                self._desk.stop.set()
            return True
        if session.turn is not None:
            # Too many restarts, perhaps of its own making; or its workflow is lost and nobody else closes it.
            sentence = f"This turn was restarted {RESTARTS} times and did not end."
            await self._desk.apply(self._closed(failure(Blocker.AGENT_CRASHED, sentence), Outcome.FAILED))
        if await self._crew.store.logged(self._desk.record.id, EntryKey(f"{self._desk.turn}/end")):
            return False
        return await self._open()

    async def _restarts(self) -> int:
        """How often this turn was cut short and taken up again."""
        restarts = 0
        for one in await self._crew.store.log(self._desk.record.id):
            match one.entry:
                case TurnStarted():
                    restarts = 0
                case Blocked(code=Blocker.RESTART):
                    restarts += 1
                case _:
                    continue
        return restarts

    async def _open(self) -> bool:
        rows = await self._crew.store.waiting(self._desk.record.id)
        if not rows:
            return False
        held = await self._for_the_agent(await self._door.admitted(fold(rows)))
        mine = for_one_turn(held)
        events = [meaning(await self._door.named(row.incoming), Session()) for row in mine]
        given = tuple(event.given for event in events if isinstance(event, Prompted))
        taken = [*withdrawn(rows, held), *(seq for row in mine for seq in row.seqs)]
        for row, event in zip(mine, events, strict=True):
            if isinstance(event, Prompted):
                await self._clerk.name_unseen(row.incoming)
            else:
                await self._settled(row.incoming)
        last = events[-1] if events else None
        stop = [last] if isinstance(last, StopRequested) else []
        if not given:
            if stop and not stop[0].reason:
                await self._say(f"idle/{rows[-1].incoming.key}", "Nothing is running here.")
            await self._crew.store.take(self._desk.record.id, taken, self._desk.turn)
            return False
        opened = TurnOpened(turn=self._desk.turn, given=given, at=self._crew.now())
        await self._desk.apply(opened, *stop, take=taken)
        return True

    async def _for_the_agent(self, held: Sequence[Waiting]) -> list[Waiting]:
        left = []
        for row in held:
            if (incoming := await self._heeded(row.incoming, Session())) is not None:
                left.append(replace(row, incoming=incoming))
        return left

    async def _heeded(self, incoming: Incoming, session: Session) -> Incoming | None:
        """What is for the turn; None if it was for us, and is done."""
        if command := command_in(incoming):
            await self._clerk.obey(await self._door.named(incoming), command)
            return None
        reviews = self._crew.reviews
        if reviews and await reviews.take(self._desk.record.id, await self._door.named(incoming), session):
            await self._settled(incoming)
            return None
        match incoming.event:
            case Chosen(elicitation=asked) as chosen if all(asked != one.id for one in session.questions):
                return await self._clerk.late_choice(await self._door.named(incoming), chosen)
            case _:
                return incoming

    async def _say(self, name: str, body: str) -> None:
        await self._crew.store.say(self._desk.record.id, EntryKey(name), Notice(body=body))
        self._crew.wake_mirror(self._desk.record.id)

    async def _watch(self) -> None:
        """Hand on what people say while the turn is open."""
        while True:
            self._news.clear()
            rows = await self._crew.store.waiting(self._desk.record.id)
            held = fold(rows)
            for row in held:
                await self._hear(row)
            if gone := withdrawn(rows, held):
                await self._crew.store.take(self._desk.record.id, gone, self._desk.turn)
            await self._beat()
            try:
                await asyncio.wait_for(self._news.wait(), POLL_S)
            except TimeoutError:
                continue

    async def _hear(self, row: Waiting) -> None:
        session = (await self._crew.store.load(self._desk.record.id)).session
        try:
            admitted = await self._door.admit(row)
        except DeliveryError as error:
            # It waits for the next look; whoever asks to stop meanwhile is heard.
            log.warning("person unknown", extra={"session": self._desk.record.id, "error": str(error)})
            return
        incoming = await self._heeded(admitted.incoming, session) if admitted else None
        happened = meaning(incoming, session) if incoming else None
        if incoming is None or happened is None:
            await self._crew.store.take(self._desk.record.id, row.seqs, self._desk.turn)
            return
        if isinstance(happened, Prompted):
            await self._clerk.name_unseen(incoming)
        else:
            # First: after a crash in between, the message still waits and all of this is done again.
            await self._settled(incoming)
        for effect in await self._desk.apply(happened, take=row.seqs):
            await self._perform(effect)

    async def _settled(self, incoming: Incoming) -> None:
        """A stop or an answer was understood: its message shows it."""
        if incoming.message and isinstance(incoming.event, Said):
            fate = FateChanged(message=incoming.message, fate=Fate.DONE)
            await self._crew.store.say(self._desk.record.id, EntryKey(f"fate/{incoming.key}/done"), fate)
            self._crew.wake_mirror(self._desk.record.id)

    async def _perform(self, effect: Effect) -> None:
        if self._conversation is None:
            return  # What was said waits in the session until there is an agent.
        match effect:
            case Steer():
                await self._conversation.hear()
            case Resolve(question=question, answer=answer):
                await self._conversation.answer(question, answer)
            case _:  # Logged, or seen to by the desk.
                pass

    async def _beat(self) -> None:
        session = (await self._crew.store.load(self._desk.record.id)).session
        beats = int((self._crew.now() - session.started_at) // HEARTBEAT_S)
        if beats > self._beats and session.turn == self._desk.turn:
            self._beats = beats
            await self._desk.note(f"beat/{beats}", Heartbeat(elapsed_s=beats * HEARTBEAT_S))

    async def _conduct(self) -> TurnClosed:
        preparation = Preparation(self._desk)
        async with AsyncExitStack() as places:
            try:
                workspace, issue = await self._desk.unless_stopped(preparation.workspace(places))
                options = await preparation.options()
                model = options.model or self._desk.record.model
                await self._desk.remember(model=model)
                self._conversation = Conversation(self._desk, workspace, issue)
                return await self._conversation.hold(model, plan=await preparation.wants_plan())
            except Stopped:
                return await self._closed_by_stop(preparation)
            except Failed as failed:
                return self._closed(failed.error, Outcome.FAILED)
            except Settled as settled:
                return await self._closed_with(str(settled))

    async def _closed_by_stop(self, preparation: Preparation) -> TurnClosed:
        if left := await preparation.left():
            return await Conversation(self._desk, *left).called_off()
        session = (await self._crew.store.load(self._desk.record.id)).session
        by = session.stopping or Author("", "", "somebody")
        body = stopped(by, branch=None, stat=None, reason=session.stop_reason)
        return self._closed(Response(body=body), Outcome.STOPPED)

    async def _closed_with(self, answer: str) -> TurnClosed:
        """Answer everything that was said so far without an agent."""
        session = (await self._crew.store.load(self._desk.record.id)).session
        if said := unheard(session):
            await self._desk.apply(HandedOver(said))
        return self._closed(Response(body=answer), Outcome.DONE)

    def _closed(self, terminal: Response | Error, outcome: Outcome) -> TurnClosed:
        cost = self._desk.record.cost_usd
        return TurnClosed(terminal=terminal, outcome=outcome, at=self._crew.now(), cost_usd=cost)
