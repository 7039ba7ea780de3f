"""Two people on two sides of sessions whose agent does what a test says; everything else is real."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import web

from bots.app import Threadline, prepare
from bots.settings import load
from core.activities import Action, Elicitation, Error, Logged, Option, Response, Thought, TurnStarted
from core.events import AgentAsked, AgentDied, AgentEvent, AgentThought, Image, RunInterrupted, RunSucceeded
from core.ids import ElicitationId, EntryKey, SessionId
from core.ports import RunSpec
from core.session import unheard
from core.store.tables import inbox, sessions
from playground.slack_clock import VirtualClock
from playground.slack_delivery import Delivery
from playground.stage import HOST, Stage
from tests.scenarios.thread import BOT, Thread, is_card, new_channel

WITHIN_S = 60.0
OPTIONS = (Option("1", "Red"), Option("2", "Blue"))


class Puppet:
    """One living agent; does nothing by itself."""

    known_prompts: frozenset[str] = frozenset()
    continues = False

    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        self.prompts: dict[str, str] = {}
        self.answers: dict[ElicitationId, str] = {}
        self.asked: set[ElicitationId] = set()
        self.is_over = False
        self._events: asyncio.Queue[AgentEvent | None] = asyncio.Queue()

    def emit(self, *events: AgentEvent) -> None:
        for event in events:
            self._events.put_nowait(event)

    def end(self, event: AgentEvent) -> None:
        self.is_over = True
        self.emit(event)

    async def prompt(self, uuid: str, text: str, images: Sequence[Image] = ()) -> None:
        self.prompts[uuid] = text

    async def answer(self, question: ElicitationId, answer: str) -> None:
        self.answers[question] = answer

    async def interrupt(self) -> None:
        self.end(RunInterrupted())

    async def events(self) -> AsyncIterator[AgentEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        self.is_over = True
        self._events.put_nowait(None)


class Puppets:
    """Opens the agents; `lives` are all that ever were."""

    def __init__(self) -> None:
        self.lives: list[Puppet] = []

    async def open(self, spec: RunSpec) -> Puppet:
        self.lives.append(Puppet(spec))
        return self.lives[-1]

    def heard(self) -> str:
        """Everything that any of them was told."""
        return "\n".join(
            text for one in self.lives for text in (*one.prompts.values(), *one.answers.values())
        )


class World:
    """The service in this process, among the stand-ins, on one data folder through all restarts."""

    def __init__(self, stage: Stage, clock: VirtualClock, puppets: Puppets) -> None:
        self.stage = stage
        self.clock = clock
        self.puppets = puppets
        self.numbers = count(1)
        self._service: Threadline | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        settings = load(self.stage.environment(), self.stage.folder)
        prepare(settings)
        self._service = Threadline(settings)
        self._runner = web.AppRunner(self._service.application(), access_log=None, shutdown_timeout=5)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.stage.port).start()
        await self._service.start()

    async def stop(self) -> None:
        assert self._service is not None
        assert self._runner is not None
        await self._runner.cleanup()
        await self._service.stop()

    async def settled(self) -> None:
        """Until everything that was said is taken in, and everything that is logged is shown."""
        service = self._service
        assert service is not None
        async with asyncio.timeout(WITHIN_S):
            while True:
                await self.stage.slack.settled()
                await self.stage.linear.settled()
                await service._mirror.drained()
                if not (await self._waiting(service) or await self._unheard(service)):
                    return
                await asyncio.sleep(0.01)

    async def _waiting(self, service: Threadline) -> int:
        async with service._database.read() as connection:
            untaken = sa.select(sa.func.count()).select_from(inbox).where(inbox.c.taken_by.is_(None))
            found: int = (await connection.execute(untaken)).scalar_one()
        return found

    async def log(self, linear_session: str) -> Sequence[Logged]:
        """Everything that is logged of the session that Linear knows by this id."""
        assert self._service is not None
        mine = sa.select(sessions.c.id).where(sessions.c.linear_session_id == linear_session)
        async with self._service._database.read() as connection:
            found = str(await connection.scalar(mine))
        return await self._service._service._store.log(SessionId(found))

    async def _unheard(self, service: Threadline) -> bool:
        """Whether a turn has something for its agent that people are not asked about first."""
        store = service._service._store
        open_ones = [(await store.load(id)).session for id in await store.open_sessions()]
        return any(unheard(one) and not one.questions and not one.stopping for one in open_ones)


class Talk:
    """One session: Ann and Bob in a Slack thread, Eve in Linear, and the agent."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.thread = Thread(world.stage, new_channel(world.stage))
        self.said: list[str] = []
        self.thoughts: list[str] = []
        self.may_drop = False
        self._began = len(world.puppets.lives)

    @property
    def agent(self) -> Puppet | None:
        """The one at work now, if it was given something."""
        mine = self.world.puppets.lives[self._began :]
        return mine[-1] if mine and not mine[-1].is_over and mine[-1].prompts else None

    def word(self) -> str:
        """Something to say that nobody else says."""
        self.said.append(f"word{next(self.world.numbers)}x")
        return self.said[-1]

    @property
    def session_id(self) -> str:
        return str(self.thread.session().get("id", ""))

    # What may happen.

    async def bob_says(self) -> None:
        self.thread.say(self.word(), by="U0BOB")

    async def eve_says(self) -> None:
        if self.session_id:
            self.world.stage.linear.people.prompt(self.session_id, self.word(), by="eve")

    async def bob_presses(self) -> None:
        if self.thread.shows("[Blue]"):
            await self.thread.press("Blue")

    async def agent_thinks(self) -> None:
        if agent := self.agent:
            self.thoughts.append(f"thought{next(self.world.numbers)}x")
            agent.emit(AgentThought(EntryKey(self.thoughts[-1]), self.thoughts[-1], lasting=True))

    async def agent_asks(self) -> None:
        agent = self.agent
        if agent is not None and agent.asked <= agent.answers.keys():  # One after the other, as the real one.
            number = next(self.world.numbers)
            question = ElicitationId(f"q{number}")
            agent.asked.add(question)
            agent.emit(AgentAsked(question, "question", f"Colour {number}x?", OPTIONS))

    async def agent_ends(self) -> None:
        if agent := self.agent:
            agent.end(RunSucceeded(f"done{next(self.world.numbers)}x", tuple(agent.prompts), 0.01))

    async def agent_dies(self) -> None:
        if agent := self.agent:
            agent.end(AgentDied("killed"))

    async def bob_stops(self) -> None:
        self.may_drop = True
        self.thread.say("stop", by="U0BOB")

    async def eve_stops(self) -> None:
        if self.session_id:
            self.may_drop = True
            self.world.stage.linear.people.stop(self.session_id, by="eve")

    async def slack_repeats(self) -> None:
        dispatcher = self.world.stage.slack.dispatcher
        for delivery in self._deliveries()[-2:]:
            await dispatcher._attempt(delivery, 1, "http_timeout")

    async def linear_repeats(self) -> None:
        courier = self.world.stage.linear.courier
        for delivery in [one for one in courier.deliveries if self.session_id in str(one.body)][-2:]:
            if self.session_id:
                await courier.redeliver(delivery.id)

    async def service_restarts(self) -> None:
        await self.world.stop()
        await self.world.start()
        # What came while nobody listened is sent again.
        self.world.clock.advance(61)
        linear = self.world.stage.linear
        await linear.settled()
        for delivery in [one for one in linear.courier.deliveries if not one.is_delivered]:
            await linear.courier.redeliver(delivery.id)

    def _deliveries(self) -> list[Delivery]:
        log = self.world.stage.slack.dispatcher.log
        return [one for one in log if one.payload.get("event", {}).get("channel") == self.thread.channel]

    async def end(self) -> None:
        """Whatever is open is answered and done."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                await self.world.settled()
                ends, turns = self.thread._ends(), len(self.thread.cards())
                if self.session_id and ends == (turns, turns) and turns:
                    return
                if self.thread.session().get("status") == "awaitingInput":
                    self.world.stage.linear.people.answer(self.session_id, "Red", by="eve")
                elif self.agent:
                    await self.agent_ends()
                await asyncio.sleep(0.01)

    # What must be true then.

    def check(self) -> None:
        lasting, chat = self.thread.lasting(), self.thread.chat()
        in_linear = _words_in([one["body"] for one in lasting if one["type"] != "action"])
        in_slack = _words_in([one["text"] for one in chat if one["author"] == BOT])
        for word in self.said:
            by_eve = any(one["type"] == "prompt" and word in one["body"] for one in lasting)
            shown = in_slack.count(word) if by_eve else in_linear.count(word)
            assert shown == 1, f"{word} is shown {shown} times on the other side"
            assert self.may_drop or word in self.world.puppets.heard(), f"{word} was not heard"
        for thought in self.thoughts:
            assert in_linear.count(thought) <= 1
        ends = [one["body"] for one in lasting if one["type"] in ("response", "error")]
        assert list(map(_token, ends)) == _answers(chat), "the answers differ"
        questions = [one["body"] for one in lasting if one["type"] == "elicitation"]
        assert all(in_slack.count(one) == 1 for one in questions)
        assert len(questions) == len(set(questions))
        done = {"white_check_mark"}
        assert all(set(one["reactions"]) == done for one in chat if one["author"] != BOT), "a mark is missing"

    async def check_log(self) -> None:
        """One terminal activity a turn, and nothing of the agent's outside of a turn."""
        ends = 1
        for one in await self.world.log(self.session_id):
            match one.entry:
                case TurnStarted():
                    assert ends == 1
                    ends = 0
                case Response() | Error():
                    ends += 1
                    assert ends == 1
                case Thought(ephemeral=False) | Action(ephemeral=False) | Elicitation():
                    assert ends == 0, f"outside of a turn: {one}"
                case _:
                    continue
        assert ends == 1


STEPS = (
    Talk.bob_says,
    Talk.eve_says,
    Talk.bob_presses,
    Talk.agent_thinks,
    Talk.agent_asks,
    Talk.agent_ends,
    Talk.agent_dies,
    Talk.bob_stops,
    Talk.eve_stops,
    Talk.slack_repeats,
    Talk.linear_repeats,
    Talk.service_restarts,
)


@asynccontextmanager
async def world_on(stage: Stage, clock: VirtualClock) -> AsyncIterator[World]:
    """The service with puppets for agents, started; `clock` is Slack's."""
    with pytest.MonkeyPatch.context() as patch:
        puppets = Puppets()
        patch.setattr("bots.app.ClaudeRunner", lambda settings: puppets)
        world = World(stage, clock, puppets)
        await world.start()
        yield world
        await world.stop()


def _words_in(shown: Sequence[str]) -> str:
    """What was said, but for cards and answers: those name the issue, and so its words."""
    return "\n".join(one for one in shown if "ranch `" not in one and not is_card(one))


def _token(body: str) -> str:
    return body.split("\n", 1)[0]


def _answers(chat: Sequence[dict[str, Any]]) -> list[str]:
    ours = [one["text"] for one in chat if one["author"] == BOT]
    found = []
    for text in ours:
        lines = [line for line in text.splitlines() if line and not line.startswith("<@")]
        if lines and lines[0].startswith(("done", "Stopped", "The agent")):
            found.append(lines[0])
    return found
