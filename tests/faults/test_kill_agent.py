"""Parts of the agent are killed in mid-turn: it is resumed where it was, until it is hopeless."""

import pytest

from tests.faults.conftest import Pair
from tests.faults.scene import Reference, together
from tests.faults.scripts import AFTER_GATE_STEP, WAIT_FOR_GATE
from tests.faults.theatre import Theatre

pytestmark = [pytest.mark.fault, pytest.mark.asyncio(loop_scope="session")]

AGENT, SUPERVISOR = "_bundled/claude", "supervisor.py"


async def test_an_agent_that_dies_goes_on_where_it_was(theatres: Pair, reference: Reference) -> None:
    async def play(theatre: Theatre, victim: str) -> None:
        scene = theatre.scene()
        theatre.close_gate()
        scene.begin()
        await theatre.working(scene)
        theatre.end_agent(victim)
        theatre.open_gate()
        await scene.ended(1)
        scene.expect(reference, victim)

    one, other = theatres
    await together(play(one, AGENT), play(other, SUPERVISOR))


async def test_a_command_that_dies_is_told_as_failed_and_the_turn_goes_on(
    theatres: Pair, reference: Reference
) -> None:
    theatre, _ = theatres
    scene = theatre.scene()
    theatre.close_gate()
    scene.begin()
    await theatre.working(scene)
    theatre.end_agent(WAIT_FOR_GATE)
    await scene.ended(1)
    seen, whole = scene.seen(), reference[0]
    (ran,) = (at for at, one in enumerate(whole.linear) if WAIT_FOR_GATE in one)
    assert "Exit code" in seen.linear[ran]
    assert seen.linear[:ran] + seen.linear[ran + 1 :] == _without(whole.linear, ran)
    assert seen.commits == whole.commits


def _without(told: tuple[str, ...], at: int) -> tuple[str, ...]:
    """All but the entry at `at`, and without the file that the command did not make."""
    return tuple(one.replace("3 files +11", "2 files +10") for one in told[:at] + told[at + 1 :])


async def test_an_agent_that_dies_three_times_at_one_place_is_given_up_and_the_next_message_works(
    theatres: Pair,
) -> None:
    theatre, _ = theatres
    scene, moments, deaths = theatre.scene(), theatre.stage.model.moments, list[int]()

    async def die() -> None:
        deaths.append(theatre.end_agent(AGENT))
        if len(deaths) < 3:
            moments.at(str(AFTER_GATE_STEP), "before", die)

    moments.at(str(AFTER_GATE_STEP), "before", die)
    scene.begin()
    await scene.ended(1)
    crashed = "The agent crashed 3 times in a row"
    assert scene.shows(crashed)
    assert [crashed in one.get("body", "") for one in scene.lasting() if one["type"] == "error"] == [True]
    await scene.next_turn()
    assert "The changelog now has a line" in scene.ours()[-1]
    assert scene.lasting()[-1]["type"] == "response"
    assert len(set(deaths)) == 3
