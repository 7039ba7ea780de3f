"""Agent events as session events, and failures as words."""

import pytest

from core.activities import Action, Author, Blocker, Elicitation, Option, Plan, PlanStep, StepStatus, Thought
from core.events import (
    AgentAsked,
    AgentDied,
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
from core.ids import ElicitationId, EntryKey
from core.narration import WAITING, failure, narrate, queued, waiting
from core.session import Asked, Noted, SessionEvent

ANN = Author("slack", "T1/UANN", "Ann")
KEY = EntryKey("k")
STEPS = (PlanStep("Reproduce", StepStatus.IN_PROGRESS),)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (AgentThought(KEY, "Hm."), Noted(KEY, Thought(body="Hm.", ephemeral=True))),
        (AgentThought(KEY, "Hm.", lasting=True), Noted(KEY, Thought(body="Hm."))),
        (
            ToolStarted(KEY, "Running", "pytest"),
            Noted(KEY, Action(action="Running", parameter="pytest", ephemeral=True)),
        ),
        (
            ToolFinished(KEY, "Ran", "pytest", "2 passed"),
            Noted(KEY, Action(action="Ran", parameter="pytest", result="2 passed")),
        ),
        (PlanChanged(KEY, STEPS), Noted(KEY, Plan(steps=STEPS))),
        (
            AgentAsked(ElicitationId("q"), "question", "Which?", (Option("1", "A"),), multiple=True),
            Asked(
                Elicitation(
                    id=ElicitationId("q"),
                    body="Which?",
                    options=(Option("1", "A"),),
                    asked=(ANN,),
                    multiple=True,
                )
            ),
        ),
        (AgentReady("claude"), None),
        (PromptTaken("u"), None),
        (AgentWaits(Blocker.MODEL_BUSY, "Busy."), None),
        (RunSucceeded("Done."), None),
        (RunFailed(Blocker.MODEL_KEY, "No."), None),
        (RunInterrupted(), None),
        (AgentDied(), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_event_of_the_agent_is_told(event: AgentEvent, expected: SessionEvent | None) -> None:
    assert narrate(event, requester=ANN) == expected


def test_a_question_without_a_requester_names_nobody() -> None:
    asked = narrate(AgentAsked(ElicitationId("q"), "question", "Which?"), requester=None)
    assert isinstance(asked, Asked)
    assert asked.question.asked == ()


@pytest.mark.parametrize("code", list(WAITING))
def test_whatever_is_in_the_way_is_told_in_a_sentence(code: Blocker) -> None:
    assert (waiting(code).code, waiting(code).body[-1]) == (code, ".")


def test_a_failure_says_what_to_do_if_somebody_can() -> None:
    assert failure(Blocker.MODEL_KEY, "The model refused our key.").action == (
        "For admins: check THREADLINE_CLAUDE__API_KEY."
    )
    assert failure(Blocker.AGENT_FAILED, "It failed.").action == ""


def test_the_queue_says_how_many_are_ahead() -> None:
    assert (queued(2).code, queued(2).body) == (Blocker.QUEUED, "Queued: 2 ahead.")
