"""Trouble while the service recovers from trouble, and an orderly end in mid-turn: the same story."""

import pytest

from tests.faults.conftest import Pair
from tests.faults.points import model
from tests.faults.scene import Reference, Scene, together
from tests.faults.scripts import GATED_STEP
from tests.faults.theatre import Theatre

pytestmark = [pytest.mark.fault, pytest.mark.asyncio(loop_scope="session")]


async def test_two_kills_in_a_row_and_an_orderly_end_change_nothing(
    theatres: Pair, reference: Reference
) -> None:
    async def twice(theatre: Theatre) -> None:
        scene = await _at_work(theatre)
        await theatre.kill()
        await theatre.dead()
        model(GATED_STEP, "before")(theatre)
        await theatre.serve_until_killed()
        theatre.open_gate()
        await theatre.stage.serve()
        await scene.ended(1)
        scene.expect(reference, "killed again when the resumed agent asked its model")

    async def in_order(theatre: Theatre) -> None:
        scene = await _at_work(theatre)
        assert await theatre.stage.terminate() == 0
        assert not theatre.agents()
        theatre.open_gate()
        await theatre.stage.serve()
        await scene.ended(1)
        scene.expect(reference, "ended by SIGTERM")

    one, other = theatres
    await together(twice(one), in_order(other))


async def test_kills_before_the_service_is_ready_change_nothing(theatres: Pair, reference: Reference) -> None:
    async def play(theatre: Theatre, said: str) -> None:
        scene, stage = await _at_work(theatre), theatre.stage
        await theatre.kill()
        await theatre.dead()
        before = len(stage.log)

        async def kill_early() -> None:
            await scene.until(lambda: stage.process and said in stage.log[before:], "the service starts")
            await theatre.kill()

        await together(theatre.serve_until_killed(), kill_early())
        theatre.open_gate()
        await stage.serve()
        await scene.ended(1)
        scene.expect(reference, f"killed as soon as it had said {said!r}")

    one, other = theatres
    await together(play(one, ""), play(other, "Threadline is ready"))


async def _at_work(theatre: Theatre) -> Scene:
    """A scene whose agent runs a command that waits for the gate."""
    scene = theatre.scene()
    theatre.close_gate()
    scene.begin()
    await theatre.working(scene)
    return scene
