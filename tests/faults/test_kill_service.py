"""The service is killed at a named point of a session and started again: nobody can tell from the end."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import pytest

from tests.faults.conftest import Pair
from tests.faults.points import EARLY, LATE, Point, linear
from tests.faults.scene import Reference, Scene, together
from tests.faults.theatre import Theatre

pytestmark = [pytest.mark.fault, pytest.mark.asyncio(loop_scope="session")]


async def test_the_undisturbed_session_is_whole(reference: Reference) -> None:
    _, whole = reference
    assert len(whole.chat) == 7
    assert sum(one.startswith("response:") for one in whole.linear) == 2
    assert sum(one.startswith("action:") for one in whole.linear) == 4
    assert len(whole.plan) == 3
    assert len(whole.commits) == 2


def _pairs(points: Mapping[str, Point]) -> list[list[str]]:
    """Two at a time, one for each stage."""
    names = list(points)
    return [names[at : at + 2] for at in range(0, len(names), 2)]


@pytest.mark.parametrize("names", _pairs(EARLY), ids=" + ".join)
async def test_a_kill_before_the_agent_works_changes_nothing_that_people_see(
    theatres: Pair, reference: Reference, names: list[str]
) -> None:
    pairs = zip(theatres, names, strict=False)
    await together(*(_killed(theatre, EARLY[name], reference, name) for theatre, name in pairs))


@pytest.mark.parametrize("names", _pairs(LATE), ids=" + ".join)
async def test_a_kill_in_the_turn_changes_nothing_that_people_see_in_this_and_the_next(
    theatres: Pair, reference: Reference, names: list[str]
) -> None:
    pairs = zip(theatres, names, strict=False)
    await together(*(_killed(theatre, LATE[name], reference, name, turns=2) for theatre, name in pairs))


async def _killed(theatre: Theatre, point: Point, reference: Reference, name: str, turns: int = 1) -> None:
    scene = theatre.scene()
    point(theatre)
    await together(scene.play(turns=turns), theatre.revived())
    scene.expect(reference, name)


async def test_a_kill_right_after_an_event_was_answered_loses_nothing(
    theatres: Pair, reference: Reference
) -> None:
    async def mention(theatre: Theatre) -> None:
        scene = theatre.scene()
        scene.begin()
        await theatre.stage.slack.settled()
        await theatre.restart()
        await scene.ended(1)
        scene.expect(reference, "the mention was answered")

    async def follow_up(theatre: Theatre) -> None:
        scene = theatre.scene()
        scene.begin()
        await scene.ended(1)
        scene.follow_up()
        await theatre.stage.slack.settled()
        await theatre.restart()
        await scene.ended(2)
        scene.expect(reference, "the follow-up was answered")

    one, other = theatres
    await together(mention(one), follow_up(other))


async def test_a_kill_between_turns_or_while_cloning_changes_nothing(
    theatres: Pair, reference: Reference
) -> None:
    async def between_turns(theatre: Theatre) -> None:
        scene = theatre.scene()
        scene.begin()
        await scene.ended(1)
        await theatre.restart()
        await scene.next_turn()
        scene.expect(reference, "between the turns")

    async def while_cloning(theatre: Theatre) -> None:
        scene, folder = theatre.scene(), theatre.stage.folder
        (folder / "slow").touch()
        scene.begin()
        await scene.until((folder / "reached").exists, "git is at work")
        await theatre.kill()
        (folder / "slow").unlink()
        await theatre.revived()
        await scene.ended(1)
        scene.expect(reference, "git was at work")

    one, other = theatres
    await together(between_turns(one), while_cloning(other))


async def test_the_echo_of_our_session_is_recognised_before_and_after_the_restart(
    theatres: Pair, reference: Reference
) -> None:
    async def play(theatre: Theatre, order: Literal["before", "after"]) -> None:
        scene, stage = theatre.scene(), theatre.stage
        stage.linear.endpoint.echo.order = order
        linear("StartSessionOnIssue", "executed")(theatre)
        scene.begin()
        await theatre.revived()
        await stage.linear.settled()
        echo = stage.linear.courier.deliveries[-1]
        assert (echo.type, echo.is_delivered) == ("AgentSessionEvent", order == "before")
        await stage.linear.courier.redeliver(echo.id)
        assert echo.is_delivered
        stage.linear.endpoint.echo.order = "after"
        await scene.ended(1)
        scene.expect(reference, f"the session is there, unanswered, its echo {order} the answer")

    one, other = theatres
    await together(play(one, "before"), play(other, "after"))


async def test_a_question_for_the_repository_survives_a_kill(theatres: Pair) -> None:
    async def play(scene: Scene, theatre: Theatre, trouble: Trouble) -> None:
        scene.begin()
        await scene.until(lambda: scene.shows("Which repository"), "the question is asked")
        await trouble(theatre)
        await scene.choose("Which repository", 0)
        await scene.ended(1)

    await _same_as_undisturbed(theatres, play, channel="C0002")


async def test_a_stop_that_was_accepted_survives_a_kill(theatres: Pair) -> None:
    async def play(scene: Scene, theatre: Theatre, trouble: Trouble) -> None:
        theatre.close_gate()
        scene.begin()
        await theatre.working(scene)
        scene.say("U0BOB", "stop")
        await theatre.stage.slack.settled()
        await trouble(theatre)
        await scene.ended(1)
        # What was stopped stays stopped: the next message does not set it going again.
        await scene.next_turn()

    await _same_as_undisturbed(theatres, play)


Trouble = Callable[[Theatre], Awaitable[None]]
Play = Callable[[Scene, Theatre, Trouble], Awaitable[None]]


async def _same_as_undisturbed(theatres: Pair, play: Play, *, channel: str = "C0001") -> None:
    """Play the same on both stages, with a kill on one of them only."""
    one, other = theatres
    calm, killed = one.scene(channel), other.scene(channel)

    async def undisturbed() -> None:
        await play(calm, one, _nothing)

    async def disturbed() -> None:
        await play(killed, other, Theatre.restart)

    await together(undisturbed(), disturbed())
    killed.expect([calm.seen()] * killed.turns, "killed in the middle")


async def _nothing(theatre: Theatre) -> None:
    """No trouble."""
