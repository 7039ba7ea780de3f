"""What the agent asks people: its questions, plans and permissions, and the answers to them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from claude_agent_sdk import (
    PermissionResult,
    PermissionResultAllow,
    PermissionResultDeny,
    PermissionUpdate,
    ToolPermissionContext,
)
from claude_agent_sdk.types import PermissionRuleValue

from core.activities import PLAN_APPROVED, Option
from core.events import AgentAsked
from core.ids import ElicitationId, uuid_for
from core.runner.summaries import parameter_of

CHANGE = "change"
ONCE, SESSION, DENY = "once", "session", "deny"

_PLAN_OPTIONS = (Option(PLAN_APPROVED, "Go ahead"), Option(CHANGE, "Change it"))
_PERMISSION_OPTIONS = (
    Option(ONCE, "Allow once"),
    Option(SESSION, "Allow in this session"),
    Option(DENY, "Don't allow"),
)
_EDIT = PermissionUpdate(type="setMode", mode="acceptEdits", destination="session")
_RUN = PermissionUpdate(
    type="addRules", rules=[PermissionRuleValue("Bash")], behavior="allow", destination="session"
)
_ONLY_PLANNING = "Nothing is changed or run before people agree to the plan. Show it with ExitPlanMode."


class Questions:
    """Open questions of one agent. `ask` shows one; `answer` lets the agent go on.

    While it is `planning`, whatever asks for permission is refused: allowed, it would be done at once.
    """

    def __init__(self, ask: Callable[[AgentAsked], None], workspace: str, *, planning: bool = False) -> None:
        self._ask = ask
        self._workspace = workspace
        self._planning = planning
        self._open: dict[ElicitationId, asyncio.Future[str]] = {}

    def answer(self, question: ElicitationId, answer: str) -> None:
        """Unknown and answered questions are ignored."""
        waiting = self._open.get(question)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    async def decide(
        self, tool: str, arguments: dict[str, Any], context: ToolPermissionContext
    ) -> PermissionResult:
        """The SDK's `can_use_tool`. Cancelled by an interrupt, which takes the question back."""
        call = context.tool_use_id or uuid_for(f"{tool}:{arguments}")
        match tool:
            case "AskUserQuestion":
                return await self._put_questions(call, arguments)
            case "ExitPlanMode":
                return await self._put_plan(call, arguments)
            case _ if self._planning:
                return PermissionResultDeny(message=_ONLY_PLANNING)
            case _:
                return await self._put_permission(call, tool, arguments, context)

    async def _put_questions(self, call: str, arguments: dict[str, Any]) -> PermissionResult:
        """One after the other, so that a plain reply in the thread can only mean one of them."""
        answers: dict[str, str] = {}
        for number, question in enumerate(_questions_in(arguments)):
            options = options_of(question)
            asked = AgentAsked(
                ElicitationId(uuid_for(f"{call}:{number}")),
                "question",
                _body(question),
                options,
                multiple=question.get("multiSelect") is True,
            )
            answer = await self._answer_to(asked)
            answers[str(question.get("question"))] = label_of(answer, options, multiple=asked.multiple)
        return PermissionResultAllow(updated_input={**arguments, "answers": answers})

    async def _put_plan(self, call: str, arguments: Mapping[str, Any]) -> PermissionResult:
        plan = str(arguments.get("plan") or "The plan is what I said last. Go on with it?")
        asked = AgentAsked(ElicitationId(uuid_for(call)), "plan", plan, _PLAN_OPTIONS)
        answer = await self._answer_to(asked)
        if answer == PLAN_APPROVED:
            self._planning = False
            return PermissionResultAllow(updated_permissions=[_EDIT, _RUN])
        wish = "Ask what to change in the plan." if answer == CHANGE else f"Change the plan: {answer}"
        return PermissionResultDeny(message=wish)

    async def _put_permission(
        self, call: str, tool: str, arguments: dict[str, Any], context: ToolPermissionContext
    ) -> PermissionResult:
        body = f"Allow {tool} {parameter_of(tool, arguments, self._workspace)}?"
        if context.decision_reason:
            body += f"\n\n{context.decision_reason}"
        asked = AgentAsked(ElicitationId(uuid_for(call)), "permission", body, _PERMISSION_OPTIONS)
        match await self._answer_to(asked):
            case "once":
                return PermissionResultAllow()
            case "session":
                return PermissionResultAllow(updated_permissions=for_session(context.suggestions))
            case "deny":
                return PermissionResultDeny(message="A person did not allow this.")
            case said:
                return PermissionResultDeny(message=f"A person did not allow this and said: {said}")

    async def _answer_to(self, asked: AgentAsked) -> str:
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._open[asked.question] = waiting
        try:
            self._ask(asked)
            return await waiting
        finally:
            del self._open[asked.question]


def _questions_in(arguments: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    questions = arguments.get("questions")
    return [question for question in questions if isinstance(question, Mapping)] if questions else []


def options_of(question: Mapping[str, Any]) -> tuple[Option, ...]:
    """Values are the numbers of the options, since labels may be too long for a button's value."""
    offered = question.get("options")
    labels = [
        str(option["label"])
        for option in (offered if isinstance(offered, list) else ())
        if isinstance(option, Mapping) and option.get("label")
    ]
    return tuple(Option(str(number), label) for number, label in enumerate(labels, 1))


def label_of(answer: str, options: Sequence[Option], *, multiple: bool) -> str:
    """What the agent understands: labels for values, in the order given; anything else as it was said."""
    labels = {option.value: option.label for option in options}
    values = [value.strip() for value in answer.split(",")] if multiple else [answer.strip()]
    if all(value in labels for value in values):
        return ", ".join(labels[value] for value in values)
    return answer


def _body(question: Mapping[str, Any]) -> str:
    """The question, with what its options mean where the agent says so."""
    offered = question.get("options")
    meanings = [
        f"- **{option['label']}**: {option['description']}"
        for option in (offered if isinstance(offered, list) else ())
        if isinstance(option, Mapping) and option.get("label") and option.get("description")
    ]
    asked = str(question.get("question") or "What should I do?")
    return "\n".join([asked, "", *meanings]) if meanings else asked


def for_session(suggestions: Sequence[PermissionUpdate]) -> list[PermissionUpdate]:
    """The agent's own suggestions, kept in memory: others would be written into the repository."""
    return [
        PermissionUpdate(
            type=suggestion.type,
            rules=suggestion.rules,
            behavior=suggestion.behavior,
            mode=suggestion.mode,
            directories=suggestion.directories,
            destination="session",
        )
        for suggestion in suggestions
    ]
