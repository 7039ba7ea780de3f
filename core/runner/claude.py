"""Claude as an agent: one command-line process per open session, over the Claude Agent SDK."""

import asyncio
import logging
from base64 import b64encode
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ClaudeSDKError,
    Message,
    PermissionResult,
    ResultError,
    SystemMessage,
    ToolPermissionContext,
    ToolUseBlock,
    UserMessage,
)

from core.activities import Blocker
from core.errors import AgentError
from core.events import AgentDied, AgentEvent, Image, RunFailed, RunInterrupted
from core.ids import ElicitationId
from core.ports import RunSpec
from core.runner.mapping import Translation
from core.runner.options import ClaudeSettings, agent_options
from core.runner.questions import Questions
from core.runner.recovery import EndToldAgain, lasts, prepare, tell_again
from core.runner.transcript import Ending, RecordedTurn, Transcript, TranscriptTail
from core.workspace.processes import reap_strays

Connect = Callable[[ClaudeAgentOptions], ClaudeSDKClient]

_STDERR_LINES = 20
_LOOKS = 50
_PAUSE_S = 0.02
_KILLED_LOOK_S = 1.0

log = logging.getLogger(__name__)


class ClaudeRunner:
    """Opens `ClaudeRun`s. `connect` is the seam for tests without the command line."""

    def __init__(self, settings: ClaudeSettings, connect: Connect = ClaudeSDKClient) -> None:
        self._settings = settings
        self._connect = connect

    async def open(self, spec: RunSpec) -> "ClaudeRun":
        """Start the agent, or resume it where its transcript exists; leftovers of its last life are killed.

        Raises:
            AgentError: It did not start within the time allowed; with the last thing it said.
        """
        transcript = await asyncio.to_thread(prepare, self._settings, spec)
        run = ClaudeRun(self._settings, spec, transcript, self._connect)
        await run.start()
        return run


class ClaudeRun:
    """One living agent (see `core.ports.AgentRun`).

    Attributes:
        continues: A turn that a crash cut short goes on by itself.
        known_prompts: The prompts of that turn; they need not be given again. Prompts of turns that ended
            are not among them: giving one again brings its turn's lasting events and its end once more,
            with the same keys, and the model is not asked.
    """

    def __init__(
        self, settings: ClaudeSettings, spec: RunSpec, transcript: Transcript, connect: Connect
    ) -> None:
        last = transcript.last
        self.continues = last is not None and last.ending is Ending.CUT and _is_ours(last, spec)
        self.known_prompts = frozenset(last.prompts if last is not None and self.continues else ())
        self._settings = settings
        self._spec = spec
        self._transcript = transcript
        self._translation = Translation(str(spec.workspace))
        self._events: asyncio.Queue[AgentEvent | EndToldAgain | None] = asyncio.Queue()
        self._due: deque[AgentEvent] = deque()
        self._questions = Questions(self._events.put_nowait, str(spec.workspace), planning=spec.plan)
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._given: set[str] = set()
        self._told: set[str] = set()
        self._tail: TranscriptTail | None = TranscriptTail(spec.home, spec.agent_session)
        self._client = connect(
            agent_options(
                settings,
                spec,
                resume=last is not None,
                continues=self.continues,
                can_use_tool=self._decide,
                stderr=self._stderr.append,
            )
        )
        self._reader: asyncio.Task[None] | None = None
        self._withdrawing: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect, and go on with a turn that was cut short.

        Raises:
            AgentError: It did not work; nothing of it is left running.
        """
        connecting = asyncio.create_task(self._client.connect())
        try:
            await asyncio.wait([connecting], timeout=self._settings.connect_timeout_s)
        finally:
            if not connecting.done():
                await self._give_up(connecting)
        if error := connecting.exception():
            await self.close()
            raise AgentError(self._why(error), code=Blocker.AGENT_FAILED) from error
        if self.continues and (last := self._transcript.last):
            for prompt in last.prompts:
                self._translation.prompted(prompt)
            self._emit(filter(lasts, self._fed(last.messages)))
        self._reader = asyncio.create_task(self._read())

    async def _give_up(self, connecting: asyncio.Task[None]) -> None:
        """Cancelling a connect would leave its process; without the process it fails by itself."""
        while not connecting.done():
            await asyncio.to_thread(reap_strays, self._spec.agent_session)
            await asyncio.wait([connecting], timeout=_KILLED_LOOK_S)
        await asyncio.gather(connecting, return_exceptions=True)
        await self.close()

    async def prompt(self, uuid: str, text: str, images: Sequence[Image] = ()) -> None:
        """Give it `text`; a prompt that its transcript holds already is answered from there."""
        if uuid in self._given:
            return
        self._given.add(uuid)
        if turn := self._transcript.turn_of(uuid):
            if not (self.continues and turn is self._transcript.last):
                self._repeat(turn)
            return
        self._translation.prompted(uuid)
        try:
            await self._client.query(_one_prompt(uuid, text, images))
        except ClaudeSDKError:
            return  # The process is gone: the reader tells.

    async def answer(self, question: ElicitationId, answer: str) -> None:
        self._questions.answer(question, answer)

    async def interrupt(self) -> None:
        """Stop the turn and drop prompts that wait; with nothing to stop, it is over at once."""
        if not self._translation.busy:
            self._emit([RunInterrupted()])
            return
        self._translation.stopping()
        await self._withdraw()

    async def events(self) -> AsyncIterator[AgentEvent]:
        while (event := await self._next()) is not None:
            yield event

    async def close(self) -> None:
        """End the process tree. A turn that still runs is cut as by a crash, so that it can be resumed."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        await asyncio.shield(self._ending)

    async def _next(self) -> AgentEvent | None:
        while not self._due:
            match await self._events.get():
                case None:
                    self._events.put_nowait(None)  # For whoever asks again.
                    return None
                case EndToldAgain() as end:
                    self._due.extend(end.events(final=not self._translation.busy))
                case event:
                    return event
        return self._due.popleft()

    async def _end(self) -> None:
        for task in (self._reader, self._withdrawing):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        session = self._spec.agent_session
        if self._translation.busy:
            # Closing its input would let it finish the tool first, and an interrupt would be recorded.
            await asyncio.to_thread(reap_strays, session)
        await self._client.disconnect()  # Bounded by itself, and must not be cancelled.
        await asyncio.to_thread(reap_strays, session)
        self._events.put_nowait(None)

    async def _read(self) -> None:
        """Whatever ends the stream, nobody asked for it: closing cancels this."""
        (end,) = await asyncio.gather(self._translate_all(), return_exceptions=True)
        if end is not None:
            session, kind = self._spec.agent_session, type(end).__name__
            log.warning("agent died", extra={"agent_session": session, "error": kind})
        self._emit([AgentDied(self._last_line())])
        self._events.put_nowait(None)

    async def _translate_all(self) -> None:
        async for message in self._client.receive_messages():
            events = list(self._translation.feed(message))
            if any(lasts(event) for event in events):
                await self._recorded(message)
            self._emit(events)
            if isinstance(message, AssistantMessage):
                self._told.update(block.id for block in message.content if isinstance(block, ToolUseBlock))
            elif isinstance(message, SystemMessage) and any(isinstance(e, RunFailed) for e in events):
                # Failed while the client still retries: make it give up.
                self._withdrawing = asyncio.create_task(self._withdraw())

    async def _decide(
        self, tool: str, arguments: dict[str, Any], context: ToolPermissionContext
    ) -> PermissionResult:
        """The SDK asks beside the stream of messages: wait until what led to the question was told."""
        for _ in range(_LOOKS):
            if context.tool_use_id in self._told:
                break
            await asyncio.sleep(_PAUSE_S)
        return await self._questions.decide(tool, arguments, context)

    async def _recorded(self, message: Message) -> None:
        """Wait until the transcript holds `message`, which takes its writer up to a tenth of a second.

        What is told before would come again under another key, if the process were killed in between.
        """
        uuid = message.uuid if isinstance(message, AssistantMessage | UserMessage) else None
        if self._tail is None or uuid is None:
            return
        for _ in range(_LOOKS):
            if await asyncio.to_thread(self._tail.holds, uuid):
                return
            await asyncio.sleep(_PAUSE_S)
        self._tail = None  # It writes no transcript, or another one than we know: no use in waiting again.

    async def _withdraw(self) -> None:
        """Interrupt, and drop what is queued: the SDK's own `interrupt` would run that next."""
        query: Any = self._client._query
        asking: Awaitable[object] = query._send_control_request(
            {"subtype": "interrupt", "cancel_queued": True}
        )
        # It raises bare exceptions, all of which mean that the process is gone or stuck: the reader tells.
        (receipt,) = await asyncio.gather(asking, return_exceptions=True)
        if isinstance(receipt, dict):
            self._emit(self._translation.withdrawn(receipt.get("cancelled") or ()))

    def _repeat(self, turn: RecordedTurn) -> None:
        """Tell a turn of the transcript once more: the service may have died before it had logged the end."""
        self._given.update(turn.prompts)
        told, end = tell_again(turn, str(self._spec.workspace))
        self._emit(told)
        self._events.put_nowait(end)

    def _fed(self, messages: Iterable[Message]) -> Iterable[AgentEvent]:
        return (event for message in messages for event in self._translation.feed(message))

    def _emit(self, events: Iterable[AgentEvent]) -> None:
        for event in events:
            self._events.put_nowait(event)

    def _last_line(self) -> str:
        return self._settings.redact(self._stderr[-1]) if self._stderr else ""

    def _why(self, error: BaseException) -> str:
        said = "; ".join(error.errors) if isinstance(error, ResultError) else ""
        return self._settings.redact(said) or self._last_line() or type(error).__name__


def _is_ours(last: RecordedTurn, spec: RunSpec) -> bool:
    return spec.given is None or not spec.given.isdisjoint(last.prompts)


async def _one_prompt(uuid: str, text: str, images: Sequence[Image]) -> AsyncIterator[dict[str, Any]]:
    content = [{"type": "text", "text": text}, *map(_image_block, images)] if images else text
    yield {
        "type": "user",
        "message": {"role": "user", "content": content},
        "parent_tool_use_id": None,
        "uuid": uuid,
        "origin": {"kind": "human"},
    }


def _image_block(image: Image) -> dict[str, Any]:
    data = b64encode(image.data).decode("ascii")
    return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": data}}
