"""Named points of a session, and how to get the service killed exactly there."""

from collections.abc import Callable

from playground.github_faults import Fault as GitHubFault
from playground.linear_faults import Fault as LinearFault
from playground.moments import Moment
from playground.slack_faults import Fault as SlackFault
from tests.faults.scripts import AFTER_GATE_STEP, ANSWER_STEP, FIRST_STEP, WAIT_FOR_GATE
from tests.faults.theatre import Theatre

Point = Callable[[Theatre], None]


def linear(operation: str, moment: Moment, *, of: str = "") -> Point:
    """At a call of Linear that holds `of`; `before` it, it is never executed."""

    def arm(theatre: Theatre) -> None:
        faults = theatre.stage.linear.faults

        async def kill() -> None:
            if moment == "before":
                faults.add(LinearFault(operation, "drop_before"))
            await theatre.kill()

        faults.at(operation, moment, kill, when=lambda variables: of in str(variables))

    return arm


def slack(method: str, moment: Moment, *, of: str = "") -> Point:
    """At a call of Slack that holds `of`; `before` it, it is never executed."""

    def arm(theatre: Theatre) -> None:
        faults = theatre.stage.slack.api.faults

        async def kill() -> None:
            if moment == "before":
                faults.fail_next(method, SlackFault(drop="before"))
            await theatre.kill()

        faults.at(method, moment, kill, when=lambda fields: of in str(fields))

    return arm


def github(kind: str, moment: Moment, *, of: str = "") -> Point:
    """At a call of GitHub, or of git, that holds `of`; `before` it, it is never executed."""

    def arm(theatre: Theatre) -> None:
        there = theatre.stage.github

        async def kill() -> None:
            if moment == "before":
                there.fail(kind, GitHubFault(drop="before"))
            await theatre.kill()

        there.moments.at(kind, moment, kill, when=lambda told: of in str(told))

    return arm


def model(step: int, moment: Moment) -> Point:
    """When the model is asked for its reply number `step`, or in the middle of that reply."""

    def arm(theatre: Theatre) -> None:
        theatre.stage.model.moments.at(str(step), moment, theatre.kill)

    return arm


def at_the_gate(point: Point) -> Point:
    """The point comes while a command runs, because that command waits."""

    def arm(theatre: Theatre) -> None:
        theatre.close_gate()
        point(theatre)

    return arm


EARLY: dict[str, Point] = {
    "the first reaction is there, unanswered": slack("reactions.add", "executed"),
    "the progress message is there, unanswered": slack("chat.postMessage", "executed"),
    "the groundwork for the issue is read": linear("PrepareIssue", "executed"),
    "the issue was not created yet": linear("CreateIssue", "before"),
    "the issue is there, unanswered": linear("CreateIssue", "executed"),
    "the session was not started yet": linear("StartSessionOnIssue", "before"),
    "the session was answered": linear("StartSessionOnIssue", "answered"),
    "the first activity is there, unanswered": linear("CreateActivity", "executed"),
    "the model is asked for the first time": model(FIRST_STEP, "before"),
    "the first reply is being streamed": model(FIRST_STEP, "streaming"),
}
"""Before the agent has done anything."""

LATE: dict[str, Point] = {
    "a command runs, and the thread shows it": at_the_gate(
        slack("chat.update", "executed", of=WAIT_FOR_GATE)
    ),
    "a command runs, and Linear has the edit before it": at_the_gate(
        linear("CreateActivity", "executed", of="Edited")
    ),
    "between two tools": model(AFTER_GATE_STEP, "before"),
    "the answer is being streamed": model(ANSWER_STEP, "streaming"),
    "the answer is in the thread, unanswered": slack("chat.postMessage", "executed", of="Fixed. Search now"),
    "the answer is in Linear, unanswered": linear("CreateActivity", "executed", of="Fixed. Search now"),
    "all is said, the mark of the end was not set": slack("reactions.add", "before", of="white_check_mark"),
}
"""While it works, and at the end of the turn."""
