"""Questions of the agent and the answers to them."""

import asyncio
from typing import Any

import pytest
from claude_agent_sdk import (
    PermissionResult,
    PermissionResultAllow,
    PermissionResultDeny,
    PermissionUpdate,
    ToolPermissionContext,
)

from core.activities import Option
from core.events import AgentAsked
from core.ids import ElicitationId
from core.runner.questions import Questions, label_of

COLOURS: dict[str, Any] = {
    "questions": [
        {"question": "Colour?", "options": [{"label": "Red", "description": "warm"}, {"label": "Blue"}]}
    ]
}
RULE = PermissionUpdate(type="addRules", rules=[], behavior="allow", destination="localSettings")


class Person:
    """Answers what is asked, in turn; without an answer left, says nothing."""

    def __init__(self, *answers: str, planning: bool = False) -> None:
        self.asked: list[AgentAsked] = []
        self.seen = asyncio.Event()
        self._answers = list(answers)
        self.questions = Questions(self.hear, "/ws", planning=planning)

    def hear(self, asked: AgentAsked) -> None:
        self.asked.append(asked)
        self.seen.set()
        if self._answers:
            self.questions.answer(asked.question, self._answers.pop(0))

    async def decide(self, tool: str, arguments: dict[str, Any]) -> PermissionResult:
        context = ToolPermissionContext(tool_use_id="t1", suggestions=[RULE])
        async with asyncio.timeout(10):
            return await self.questions.decide(tool, arguments, context)


async def test_a_question_shows_its_options_and_what_they_mean() -> None:
    person = Person("1")
    assert await person.decide("AskUserQuestion", COLOURS) == PermissionResultAllow(
        updated_input={**COLOURS, "answers": {"Colour?": "Red"}}
    )
    (asked,) = person.asked
    assert (asked.purpose, asked.body) == ("question", "Colour?\n\n- **Red**: warm")
    assert asked.options == (Option("1", "Red"), Option("2", "Blue"))


async def test_free_text_is_an_answer_too() -> None:
    granted = await Person("green, please").decide("AskUserQuestion", COLOURS)
    assert isinstance(granted, PermissionResultAllow)
    assert granted.updated_input == {**COLOURS, "answers": {"Colour?": "green, please"}}


async def test_the_same_question_has_the_same_id_and_another_one_has_not() -> None:
    questions = COLOURS["questions"] * 2
    first, second = Person("1", "1"), Person("1", "1")
    await first.decide("AskUserQuestion", {"questions": questions})
    await second.decide("AskUserQuestion", {"questions": questions})
    ids = [asked.question for asked in first.asked]
    assert ids == [asked.question for asked in second.asked]
    assert len(set(ids)) == 2


@pytest.mark.parametrize("arguments", [{}, {"questions": None}, {"questions": [3]}, {"questions": []}])
async def test_a_question_without_questions_is_answered_at_once(arguments: dict[str, Any]) -> None:
    granted = await Person().decide("AskUserQuestion", arguments)
    assert isinstance(granted, PermissionResultAllow)


async def test_an_approved_plan_leaves_plan_mode() -> None:
    person = Person("approve")
    granted = await person.decide("ExitPlanMode", {"plan": "1. Fix"})
    assert isinstance(granted, PermissionResultAllow)
    assert granted.updated_permissions is not None
    edit, work = granted.updated_permissions
    assert (edit.type, edit.mode, edit.destination) == ("setMode", "acceptEdits", "session")
    assert (work.type, work.behavior, [rule.tool_name for rule in work.rules or ()]) == (
        "addRules",
        "allow",
        ["Bash"],
    )
    assert (person.asked[0].purpose, person.asked[0].body) == ("plan", "1. Fix")


async def test_while_it_plans_nothing_else_is_allowed_or_asked_for() -> None:
    person = Person("approve", planning=True)
    assert isinstance(await person.decide("Edit", {"file_path": "/ws/a"}), PermissionResultDeny)
    assert person.asked == []
    await person.decide("ExitPlanMode", {"plan": "1. Fix"})
    assert [one.purpose for one in person.asked] == ["plan"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [("change", "Ask what to change in the plan."), ("no tests", "Change the plan: no tests")],
)
async def test_a_plan_that_is_not_approved_goes_back_with_the_words(answer: str, message: str) -> None:
    assert await Person(answer).decide("ExitPlanMode", {}) == PermissionResultDeny(message=message)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("once", PermissionResultAllow()),
        ("deny", PermissionResultDeny(message="A person did not allow this.")),
        ("use /tmp", PermissionResultDeny(message="A person did not allow this and said: use /tmp")),
    ],
)
async def test_a_permission_is_obeyed(answer: str, expected: PermissionResult) -> None:
    person = Person(answer)
    assert await person.decide("Write", {"file_path": "/etc/hosts"}) == expected
    assert (person.asked[0].purpose, person.asked[0].body) == ("permission", "Allow Write /etc/hosts?")


async def test_a_permission_for_the_session_is_never_written_into_the_repository() -> None:
    granted = await Person("session").decide("Write", {"file_path": "/etc/hosts"})
    assert isinstance(granted, PermissionResultAllow)
    assert [update.destination for update in granted.updated_permissions or ()] == ["session"]


async def test_an_interrupt_takes_the_question_back() -> None:
    person = Person()
    deciding = asyncio.create_task(person.decide("AskUserQuestion", COLOURS))
    await person.seen.wait()
    deciding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deciding
    person.questions.answer(person.asked[0].question, "1")  # Too late, and no error.
    person.questions.answer(ElicitationId("unknown"), "1")


@pytest.mark.parametrize(
    ("answer", "multiple", "expected"),
    [
        ("1", False, "A"),
        (" 2 ", False, "B"),
        ("1,2", True, "A, B"),
        ("1, 2", False, "1, 2"),
        ("1, 3", True, "1, 3"),
        ("", True, ""),
        ("both", True, "both"),
    ],
)
def test_values_become_labels_and_words_stay(answer: str, multiple: bool, expected: str) -> None:
    assert label_of(answer, (Option("1", "A"), Option("2", "B")), multiple=multiple) == expected
