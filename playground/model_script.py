"""Which scripted reply a Messages API request gets; pure, from the request's own transcript alone."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

MARK = "@@SCRIPT "
FOLDED = "The user sent a new message while you were working"
INTERRUPTED_CALL = "[Tool call interrupted"

_NOT_A_PROMPT = (
    "[Request interrupted",
    "Continue from where you left off.",
    "<command-",
    "<local-command",
    "[SYSTEM NOTIFICATION",
    "[Image: source:",
)
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_CWD = re.compile(r"working directory:\s*(/[^\s\"`\\<]+)", re.IGNORECASE)
_PLAN_FILE = re.compile(r"/[^\s\"`\\]*/plans/[\w.-]+\.md")


class Step(BaseModel):
    """One reply of the model, or one failure of its API.

    Attributes:
        text: What it says; with no `tools` this ends the turn.
        think: A thinking block before it.
        tools: Calls as `[name, input]`; `{{WORKSPACE}}` and `{{PLANFILE}}` are filled in.
        status: Answer with this HTTP error for the first `times` tries of the step.
        retry_after: Seconds, sent with that error.
        message: Text of that error.
        delay: Seconds before the first byte.
        chunk_delay: Seconds between pieces of text.
        drop: Cut the connection in the middle of the text.
        hang: Accept the request and send nothing until this name is released; then cut it.
        hold: Wait until this name is released; then go on as usual.
        if_told: Regular expression -> the steps that take over, from this one on, when a message that
            the person sent into the running turn matches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = ""
    think: str = ""
    tools: tuple[tuple[str, dict[str, Any]], ...] = ()
    status: int | None = None
    times: int = 10**9
    retry_after: float | None = None
    message: str = ""
    delay: float = 0
    chunk_delay: float = 0
    drop: bool = False
    hang: str | None = None
    hold: str | None = None
    in_tok: int = 100
    out_tok: int = 20
    stop_reason: str | None = None
    if_told: dict[str, tuple["Step", ...]] = Field(default_factory=dict)


class Script(BaseModel):
    """Steps for every prompt that `match` (a regular expression, case ignored) is found in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str
    steps: tuple[Step, ...] = Field(min_length=1)


STEPS: TypeAdapter[tuple[Step, ...]] = TypeAdapter(tuple[Step, ...])
SCRIPTS: TypeAdapter[tuple[Script, ...]] = TypeAdapter(tuple[Script, ...])

UNSCRIPTED = Step(text="ok")


@dataclass(frozen=True, slots=True)
class Place:
    """A step with its place: `index` in the script that `prompt` started."""

    step: Step
    index: int
    prompt: str


@dataclass(slots=True)
class _Turn:
    """What happened since a prompt. `told[i]` is what the person had added before reply `i`."""

    prompt: str
    steps: tuple[Step, ...] | None
    replies: int = 0
    told: list[str] = field(default_factory=lambda: [""])

    def reply(self) -> None:
        self.replies += 1
        self.told.append(self.told[-1])

    def take_back_reply(self) -> None:
        """The call of the last reply was interrupted: a sensible model makes it again."""
        if self.replies:
            self.replies -= 1
            self.told[-2:] = [self.told[-1]]

    def tell(self, note: str) -> None:
        """Only the person's own words count, not how the agent's client wraps them."""
        words = note.partition(":\n")[2].partition("\n\nThis is how ")[0]
        self.told[-1] += "\n" + words


def next_step(body: Mapping[str, Any], scripts: Sequence[Script]) -> Place:
    """The reply that is due for the request `body`: it depends on nothing but the arguments."""
    turn = _last_turn(body.get("messages") or [], scripts)
    if turn is None or not turn.steps:
        return Place(UNSCRIPTED, 0, turn.prompt if turn else "")
    steps = _as_told(turn.steps, turn.told)
    step = steps[min(turn.replies, len(steps) - 1)]
    return Place(_filled(step, body), turn.replies, turn.prompt)


def _last_turn(messages: Sequence[Mapping[str, Any]], scripts: Sequence[Script]) -> _Turn | None:
    turn: _Turn | None = None
    for message in messages:
        if message["role"] == "assistant":
            if turn:
                turn.reply()
            continue
        if turn and _is_interrupted(message):
            turn.take_back_reply()
        turn = _after_user_texts(turn, message, scripts)
    return turn


def _after_user_texts(
    turn: _Turn | None, message: Mapping[str, Any], scripts: Sequence[Script]
) -> _Turn | None:
    for text in _own_texts(message.get("content")):
        if steps := _marked_steps(text):
            turn = _Turn(text, steps)
        elif FOLDED in text:
            if turn:
                turn.tell(text)
        elif message["role"] == "user" and (prompt := _prompt_in(text)):
            turn = _Turn(prompt, _matching(prompt, scripts))
    return turn


def _own_texts(content: object) -> Iterator[str]:
    """The text blocks of a message; what tools returned is not the person's."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        yield from (block["text"] for block in content if block.get("type") == "text")


def _is_interrupted(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(
        block.get("type") == "tool_result" and INTERRUPTED_CALL in json.dumps(block.get("content"))
        for block in content
    )


def _prompt_in(text: str) -> str:
    text = _REMINDER.sub("", text).strip()
    return "" if text.startswith(_NOT_A_PROMPT) else text


def _marked_steps(text: str) -> tuple[Step, ...] | None:
    """The last readable `@@SCRIPT [...]`; one that is quoted inside a tool input is skipped."""
    at = len(text)
    while (at := text.rfind(MARK, 0, at)) >= 0:
        try:
            steps, _ = json.JSONDecoder().raw_decode(text[at + len(MARK) :].lstrip())
            return STEPS.validate_python(steps)
        except (ValueError, ValidationError):
            continue
    return None


def _matching(prompt: str, scripts: Sequence[Script]) -> tuple[Step, ...] | None:
    for script in scripts:
        if re.search(script.match, prompt, re.IGNORECASE):
            return script.steps
    return None


def _as_told(steps: tuple[Step, ...], told: Sequence[str]) -> tuple[Step, ...]:
    """Replay the turn's branches; each depends on what had been said by then, so it never changes later."""
    index = 0
    while index < min(len(steps), len(told)):
        for pattern, instead in steps[index].if_told.items():
            if instead and re.search(pattern, told[index], re.IGNORECASE):
                steps = steps[:index] + instead
                break
        index += 1
    return steps


def _filled(step: Step, body: Mapping[str, Any]) -> Step:
    source = step.model_dump_json()
    if "{{" not in source:
        return step
    request = json.dumps(body, ensure_ascii=False)
    for blank, pattern in (("{{WORKSPACE}}", _CWD), ("{{PLANFILE}}", _PLAN_FILE)):
        if found := pattern.findall(request):
            source = source.replace(blank, found[-1])
    return Step.model_validate_json(source)
