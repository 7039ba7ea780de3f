"""An agent session's transcript on disk, read back as the messages it was written from."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from claude_agent_sdk import (
    AssistantMessage,
    ContentBlock,
    Message,
    ResultMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)
from claude_agent_sdk.types import AssistantMessageError

_INTERRUPTED = "[Request interrupted"
_UUIDS = re.compile(rb'"(?:source_)?uuid":"([0-9A-Za-z-]{1,64})"')
_FINAL_STOPS = {"end_turn", "stop_sequence", "refusal"}


class Ending(StrEnum):
    """How far a turn came."""

    CUT = "cut"
    ANSWERED = "answered"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(slots=True)
class RecordedTurn:
    """A turn as the transcript tells it: the prompts it took in, what was said, how it ended."""

    prompts: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    ending: Ending = Ending.CUT
    text: str = ""
    error: str | None = None

    @property
    def answering(self) -> bool:
        said = any(isinstance(message, AssistantMessage) for message in self.messages)
        return said or self.ending is not Ending.CUT

    def end(self) -> Iterator[Message]:
        """The messages that ended it, which are not recorded themselves."""
        reason = "aborted_tools" if self.ending in (Ending.STOPPED, Ending.CUT) else "completed"
        failed = self.ending is Ending.FAILED
        if failed:
            error = cast("AssistantMessageError", self.error or "unknown")
            yield AssistantMessage(content=[TextBlock(self.text)], model="", error=error)
        yield ResultMessage(
            subtype="error_during_execution" if failed else "success",
            duration_ms=0,
            duration_api_ms=0,
            is_error=failed,
            num_turns=1,
            session_id="",
            result=self.text,
            terminal_reason="api_error" if failed else reason,
            user_message_uuids=list(self.prompts),
        )


@dataclass(frozen=True, slots=True)
class Transcript:
    turns: Sequence[RecordedTurn]

    @property
    def last(self) -> RecordedTurn | None:
        return self.turns[-1] if self.turns else None

    def turn_of(self, prompt: str) -> RecordedTurn | None:
        """The turn that took in the prompt with this uuid."""
        return next((turn for turn in reversed(self.turns) if prompt in turn.prompts), None)


class TranscriptTail:
    """Follows a transcript as it grows, to tell which messages it holds already."""

    def __init__(self, home: Path, agent_session: str) -> None:
        self._home = home
        self._agent_session = agent_session
        self._read = 0
        self._rest = b""
        self._held: set[str] = set()

    def holds(self, uuid: str) -> bool:
        """Whether the message, or the prompt, `uuid` is on disk. Reads only what is new."""
        path = transcript_path(self._home, self._agent_session)
        if path is not None and uuid not in self._held:
            with path.open("rb") as file:
                file.seek(self._read)
                fresh = file.read()
            self._read += len(fresh)
            whole, _, self._rest = (self._rest + fresh).rpartition(b"\n")
            self._held.update(found.decode() for found in _UUIDS.findall(whole))
        return uuid in self._held


def transcript_path(home: Path, agent_session: str) -> Path | None:
    """Where the agent keeps the session's transcript, under a folder named after its working directory."""
    return next(home.glob(f"projects/*/{agent_session}.jsonl"), None)


def read_transcript(path: Path) -> Transcript:
    """Read it; a line cut short by a crash, and kinds of entries that are not conversation, are left out."""
    turns: list[RecordedTurn] = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for entry in _entries(lines):
            _add(turns, entry)
    return Transcript(turns)


def _entries(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and not entry.get("isSidechain"):
            yield entry


def _add(turns: list[RecordedTurn], entry: Mapping[str, Any]) -> None:
    match entry:
        case {"type": "attachment", "attachment": {"type": "queued_command", "source_uuid": str(uuid)}}:
            if turns:
                turns[-1].prompts.append(uuid)
                turns[-1].messages.append(UserMessage(content="", uuid=uuid))
        case {"type": "user", "message": {"content": content}, "uuid": str(uuid)}:
            _add_user(turns, entry, content, uuid)
        case {"type": "assistant", "message": Mapping() as message, "uuid": str(uuid)} if turns:
            _add_assistant(turns[-1], entry, message, uuid)
        case _:  # Queue operations, snapshots, costs.
            return


def _add_user(turns: list[RecordedTurn], entry: Mapping[str, Any], content: object, uuid: str) -> None:
    if turns and _says(content, _INTERRUPTED):
        turns[-1].ending = Ending.STOPPED
    elif _is_prompt(entry, content):
        if not turns or turns[-1].answering:  # Prompts that waited together make one turn.
            turns.append(RecordedTurn())
        turns[-1].prompts.append(uuid)
        turns[-1].messages.append(UserMessage(content="", uuid=uuid))
    elif turns and isinstance(content, list):
        details = cast("dict[str, Any] | None", entry.get("toolUseResult"))
        turns[-1].messages.append(
            UserMessage(content=list(_blocks(content)), uuid=uuid, tool_use_result=details)
        )


def _add_assistant(
    turn: RecordedTurn, entry: Mapping[str, Any], message: Mapping[str, Any], uuid: str
) -> None:
    blocks = list(_blocks(message.get("content")))
    text = next((block.text for block in reversed(blocks) if isinstance(block, TextBlock)), "")
    if entry.get("isApiErrorMessage"):
        turn.ending, turn.text, turn.error = Ending.FAILED, text, entry.get("error")
        return
    turn.messages.append(AssistantMessage(content=blocks, model=str(message.get("model")), uuid=uuid))
    answered = bool(text) and message.get("stop_reason") in _FINAL_STOPS
    turn.ending, turn.text = (Ending.ANSWERED, text) if answered else (Ending.CUT, "")


def _is_prompt(entry: Mapping[str, Any], content: object) -> bool:
    """What people sent; the agent's client adds notes of its own, marked as such, and tool results."""
    if entry.get("isMeta"):
        return False
    return isinstance(content, str) or not any(
        isinstance(block, ToolResultBlock) for block in _blocks(content)
    )


def _says(content: object, beginning: str) -> bool:
    if isinstance(content, str):
        return content.startswith(beginning)
    texts = (block.text for block in _blocks(content) if isinstance(block, TextBlock))
    return any(text.startswith(beginning) for text in texts)


def _blocks(content: object) -> Iterator[ContentBlock]:
    for block in content if isinstance(content, list) else ():
        match block:
            case {"type": "text", "text": str(text)}:
                yield TextBlock(text)
            case {"type": "thinking", "thinking": str(thinking)}:
                yield ThinkingBlock(thinking, str(block.get("signature")))
            case {"type": "tool_use", "id": str(call), "name": str(name), "input": dict(arguments)}:
                yield ToolUseBlock(call, name, arguments)
            case {"type": "tool_result", "tool_use_id": str(call)}:
                yield ToolResultBlock(call, block.get("content"), block.get("is_error"))
            case _:  # Images, and kinds that the live stream leaves out as well.
                continue
