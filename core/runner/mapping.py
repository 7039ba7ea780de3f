"""Claude SDK messages -> agent events. Pure: no clock, no I/O, no logging."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    ContentBlock,
    Message,
    RateLimitEvent,
    ResultMessage,
    SystemMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from core.activities import Blocker, PlanStep, StepStatus
from core.events import (
    AgentEvent,
    AgentReady,
    AgentThought,
    AgentWaits,
    PlanChanged,
    PromptTaken,
    RunFailed,
    RunInterrupted,
    RunSucceeded,
    ToolFinished,
    ToolStarted,
)
from core.ids import EntryKey
from core.runner.failures import failure, waiting
from core.runner.summaries import parameter_of, result_of, text_of, verbs_of

SUBAGENT = "↪ "
RETRIES_SHOWN_FROM = 2  # Of an overloaded model the client tells two, then gives up.

_THOUGHT_CHARS = 1_500
_PLAN_TOOL = "TodoWrite"
_PLAN_FILE = re.compile(r"/plans/[^/]+\.md$")
_SHOWN_ANOTHER_WAY = {_PLAN_TOOL, "AskUserQuestion", "ExitPlanMode", "EnterPlanMode", "ToolSearch"}
_READS = {"Read", "Grep", "Glob", "WebFetch", "WebSearch", "Skill", "ListAgents"}
_CUT_SHORT = ("[Tool call interrupted", "[Request interrupted", "The user doesn't want to proceed")
_STATUSES = {
    "pending": StepStatus.PENDING,
    "in_progress": StepStatus.IN_PROGRESS,
    "completed": StepStatus.COMPLETED,
    "deleted": StepStatus.CANCELED,
}
_ABORTED = {"aborted_tools", "aborted_streaming"}


@dataclass(frozen=True, slots=True)
class _Held:
    """The last thing said. It is the answer if the result comes next, else a lasting thought."""

    key: EntryKey
    text: str


@dataclass(frozen=True, slots=True)
class _Call:
    tool: str
    parameter: str
    prefix: str


class Translation:
    """One agent session's messages, translated in order.

    Equal messages give equal keys, so a replayed transcript repeats the keys of the live stream. Prompts
    that were given wait here until a result covers them: only the last result is final, what earlier
    ones said becomes a lasting thought.
    """

    def __init__(self, workspace: str) -> None:
        self._workspace = workspace
        self._held: _Held | None = None
        self._calls: dict[str, _Call] = {}
        self._waiting: dict[str, None] = {}
        self._taken: set[str] = set()
        self._answered: list[str] = []
        self._error: str | None = None
        self._stopping = False
        self._ready = False

    @property
    def busy(self) -> bool:
        """A prompt waits for its result."""
        return bool(self._waiting)

    def prompted(self, uuid: str) -> None:
        """The prompt `uuid` was given to the agent."""
        self._waiting[uuid] = None

    def stopping(self) -> None:
        """An interrupt was asked for; the next aborted result is ours."""
        self._stopping = True

    def withdrawn(self, uuids: Iterable[str]) -> Iterator[AgentEvent]:
        """These prompts were dropped unread; if none is left, the interrupt has nothing more to wait for."""
        for uuid in uuids:
            self._waiting.pop(uuid, None)
        if self._stopping and not self._waiting:
            yield from self._interrupted(None)

    def feed(self, message: Message) -> Iterator[AgentEvent]:
        """Translate one message; what people should not see yields nothing."""
        match message:
            case AssistantMessage(error=None):
                yield from self._said(message)
            case AssistantMessage(error=error):
                self._error = error  # A synthetic text, not the model's; the result repeats it.
            case UserMessage():
                yield from self._returned(message)
            case ResultMessage():
                yield from self._ended(message)
            case SystemMessage(subtype=subtype, data=data):
                yield from self._noticed(subtype, data)
            case RateLimitEvent(rate_limit_info=info) if info.status == "rejected":
                yield AgentWaits(Blocker.MODEL_BUSY, "The model account reached its usage limit.")
            case _:  # Stream pieces, hook and mirror reports.
                return

    def _said(self, message: AssistantMessage) -> Iterator[AgentEvent]:
        prefix = SUBAGENT if message.parent_tool_use_id else ""
        for number, block in enumerate(message.content):
            yield from self._block(block, EntryKey(f"{message.uuid}:{number}"), prefix)

    def _block(self, block: ContentBlock, key: EntryKey, prefix: str) -> Iterator[AgentEvent]:
        match block:
            case TextBlock(text=text) if text.strip() and not prefix:
                yield from self.let_go()
                self._held = _Held(key, text.strip())
            case TextBlock(text=text) | ThinkingBlock(thinking=text) if text.strip():
                yield from self.let_go()
                yield AgentThought(key, prefix + text.strip()[:_THOUGHT_CHARS])
            case ToolUseBlock():
                yield from self.let_go()
                yield from self._called(block, key, prefix)
            case _:  # Blank text, and blocks that only the API reads.
                return

    def let_go(self) -> Iterator[AgentEvent]:
        """Something other than the result follows: what was held back is not the answer."""
        if self._held is not None:
            yield AgentThought(self._held.key, self._held.text, lasting=True)
            self._held = None

    def _called(self, block: ToolUseBlock, key: EntryKey, prefix: str) -> Iterator[AgentEvent]:
        parameter = parameter_of(block.name, block.input, self._workspace)
        # The file that it drafts its plan in is no work of its own: people see the plan.
        tool = "ExitPlanMode" if self._is_plan_file(block) else block.name
        self._calls[block.id] = _Call(tool, parameter, prefix)
        if tool == _PLAN_TOOL:
            if not prefix:
                yield PlanChanged(key, plan_steps(block.input.get("todos")))
        elif tool not in _SHOWN_ANOTHER_WAY:
            yield ToolStarted(key, prefix + verbs_of(block.name).running, parameter)

    def _is_plan_file(self, block: ToolUseBlock) -> bool:
        path = str(block.input.get("file_path"))
        is_file = block.name in ("Write", "Edit") and _PLAN_FILE.search(path) is not None
        return is_file and not path.startswith(f"{self._workspace}/")

    def _returned(self, message: UserMessage) -> Iterator[AgentEvent]:
        if message.uuid in self._waiting and message.uuid not in self._taken:
            self._taken.add(message.uuid)
            yield PromptTaken(message.uuid)
        if isinstance(message.content, list):
            for block in message.content:
                if isinstance(block, ToolResultBlock):
                    yield from self._finished(block, message.tool_use_result)

    def _finished(self, block: ToolResultBlock, details: object) -> Iterator[AgentEvent]:
        call = self._calls.pop(block.tool_use_id, None)
        if call is None or self._stopping or text_of(block.content).startswith(_CUT_SHORT):
            return
        failed = bool(block.is_error)
        if call.tool in _SHOWN_ANOTHER_WAY or (call.tool in _READS and not failed):
            return
        verbs = verbs_of(call.tool)
        yield ToolFinished(
            EntryKey(f"{block.tool_use_id}:r"),
            call.prefix + (verbs.failed if failed else verbs.done),
            call.parameter,
            result_of(call.tool, block.content, details, self._workspace, failed=failed),
        )

    def _noticed(self, subtype: str, data: Mapping[str, Any]) -> Iterator[AgentEvent]:
        match subtype:
            case "init" if not self._ready:
                self._ready = True
                yield AgentReady(str(data.get("model") or ""))
            case "api_retry":
                yield from self._retried(data)
            case "compact_boundary":
                yield AgentThought(_key(data), "Compacting the conversation")
            case "model_fallback" | "informational" if text := _text(data.get("content")):
                yield AgentThought(_key(data), text[:_THOUGHT_CHARS])
            case "session_state_changed" if self._stopping and data.get("state") == "idle":
                # The turn ended before it began: no result will tell.
                yield from self._interrupted(None)
            case _:  # Hooks, background tasks, token counts.
                return

    def _retried(self, data: Mapping[str, Any]) -> Iterator[AgentEvent]:
        name, status, attempt = data.get("error"), data.get("error_status"), data.get("attempt")
        if name == "authentication_failed":
            # Trying a refused key ten times takes minutes; the caller interrupts.
            if self._waiting:
                yield from self._failed([name], status, (), None)
        elif isinstance(attempt, int) and attempt >= RETRIES_SHOWN_FROM:
            yield AgentWaits(Blocker.MODEL_BUSY, waiting(name, status))

    def _ended(self, result: ResultMessage) -> Iterator[AgentEvent]:
        text = (result.result or "").strip()
        if result.terminal_reason in _ABORTED:
            yield from self._aborted(result)
        elif result.terminal_reason == "tool_deferred" or (result.num_turns == 0 and not text):
            return  # Only context was added, or the call waits for a person.
        else:
            final = self._covered(result)
            if result.is_error:
                yield from self._broke(result, text, final=final)
            else:
                text = text or (self._held.text if self._held else "")
                yield from self._succeeded(result, text, final=final)
        self._error = None

    def _aborted(self, result: ResultMessage) -> Iterator[AgentEvent]:
        yield from self.let_go()
        self._calls.clear()
        if self._stopping:
            yield from self._interrupted(result.total_cost_usd)
        else:
            self._covered(result)  # Something else took over; its own result follows.

    def _interrupted(self, cost_usd: float | None) -> Iterator[AgentEvent]:
        yield from self.let_go()
        self._stopping = False
        self._forget_prompts()
        yield RunInterrupted(cost_usd)

    def _covered(self, result: ResultMessage) -> bool:
        """Take the prompts of `result` off the list; true when none waits any longer."""
        named = {*(result.user_message_uuids or ()), result.user_message_uuid} - {None}
        covered = named or self._taken
        self._answered += [uuid for uuid in self._waiting if uuid in covered]
        self._waiting = {uuid: None for uuid in self._waiting if uuid not in covered}
        return not self._waiting

    def _broke(self, result: ResultMessage, text: str, *, final: bool) -> Iterator[AgentEvent]:
        names = [self._error, result.terminal_reason, result.subtype]
        texts = [*(result.errors or ()), text]
        if final:
            yield from self._failed(names, result.api_error_status, texts, result.total_cost_usd)
        else:
            yield from self.let_go()
            _, sentence = failure(names, result.api_error_status, texts)
            yield AgentThought(EntryKey(f"{result.uuid}:e"), sentence, lasting=True)

    def _failed(
        self, names: Sequence[str | None], status: int | None, texts: Iterable[str], cost_usd: float | None
    ) -> Iterator[AgentEvent]:
        yield from self.let_go()
        code, sentence = failure(names, status, texts)
        prompts = (*self._answered, *self._waiting)
        self._forget_prompts()
        self._stopping = False
        yield RunFailed(code, sentence, prompts, cost_usd)

    def _succeeded(self, result: ResultMessage, text: str, *, final: bool) -> Iterator[AgentEvent]:
        if not final:
            yield from self.let_go()
            return
        if self._held is not None and self._held.text != text:
            yield from self.let_go()
        self._held = None
        prompts = tuple(self._answered)
        self._forget_prompts()
        self._stopping = False  # It ended by itself before the interrupt came through.
        yield RunSucceeded(text, prompts, result.total_cost_usd)

    def _forget_prompts(self) -> None:
        self._waiting.clear()
        self._taken.clear()
        self._answered.clear()


def plan_steps(todos: object) -> tuple[PlanStep, ...]:
    """The agent's checklist; entries of another shape are left out."""
    steps = []
    for todo in todos if isinstance(todos, list) else ():
        if isinstance(todo, Mapping) and (content := _text(todo.get("content"))):
            status = todo.get("status")
            steps.append(PlanStep(content, _STATUSES.get(str(status), StepStatus.PENDING)))
    return tuple(steps)


def _key(data: Mapping[str, Any]) -> EntryKey:
    return EntryKey(f"{data.get('uuid')}:0")


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
