"""The platforms lose calls or answers, or refuse for a while: everything arrives, once and in order."""

from typing import Literal

import pytest

from playground.linear_faults import Fault as LinearFault
from playground.slack_faults import Fault as SlackFault
from tests.faults.conftest import Pair
from tests.faults.scene import Reference, together
from tests.faults.theatre import Theatre

pytestmark = [pytest.mark.fault, pytest.mark.asyncio(loop_scope="session")]

LINEAR = ("CreateIssue", "StartSessionOnIssue", "CreateActivity", "UpdateSession")
SLACK = ("chat.postMessage", "chat.update", "reactions.add", "reactions.remove")


async def test_every_kind_of_call_may_be_lost_before_or_after_it_was_executed(
    theatres: Pair, reference: Reference
) -> None:
    async def play(theatre: Theatre, when: Literal["before", "after"]) -> None:
        for operation in LINEAR:
            kind: Literal["drop_before", "drop_after"] = "drop_before" if when == "before" else "drop_after"
            theatre.stage.linear.faults.add(LinearFault(operation, kind))
        for method in SLACK:
            theatre.stage.slack.api.faults.fail_next(method, SlackFault(drop=when))
        await _suffer(theatre, reference)

    one, other = theatres
    await together(play(one, "before"), play(other, "after"))


async def test_a_storm_of_refusals_delays_everything_and_loses_nothing(
    theatres: Pair, reference: Reference
) -> None:
    async def slack(theatre: Theatre) -> None:
        for method in SLACK:
            refusal = SlackFault(error="ratelimited", retry_after_s=1)
            theatre.stage.slack.api.faults.fail_next(method, refusal, times=2)
        await _suffer(theatre, reference)

    async def linear(theatre: Theatre) -> None:
        for operation in LINEAR:
            theatre.stage.linear.faults.add(_throttled(operation))
        await _suffer(theatre, reference)

    one, other = theatres
    await together(slack(one), linear(other))


async def _suffer(theatre: Theatre, reference: Reference) -> None:
    """Play until every fault was met."""
    scene, stage = theatre.scene(), theatre.stage
    await scene.play(turns=2)
    scene.expect(reference, "calls were lost")
    assert not stage.linear.faults.planned
    assert all(stage.slack.api.faults.take(method) == SlackFault() for method in SLACK)


def _throttled(operation: str) -> LinearFault:
    return LinearFault(operation, "answer", status=400, code="RATELIMITED", retry_after_s=1)
