"""One platform is away in mid-session: the other one says so, and everything arrives when it is back."""

import pytest

from tests.faults.conftest import Pair
from tests.faults.scene import Reference, together
from tests.faults.theatre import Theatre

pytestmark = [pytest.mark.fault, pytest.mark.asyncio(loop_scope="session")]


async def test_the_other_side_says_what_is_away_and_all_arrives_in_order_afterwards(
    theatres: Pair, reference: Reference
) -> None:
    async def without_linear(theatre: Theatre) -> None:
        scene, faults = theatre.scene(), theatre.stage.linear.faults
        theatre.close_gate()
        scene.begin()
        await theatre.working(scene)
        faults.down = True
        await scene.until(lambda: scene.shows("Linear does not answer"), "the thread tells of it")
        faults.down = False
        theatre.open_gate()
        await scene.ended(1)
        scene.expect(reference, "Linear was away")

    async def without_slack(theatre: Theatre) -> None:
        scene, faults = theatre.scene(), theatre.stage.slack.api.faults
        theatre.close_gate()
        scene.begin()
        await theatre.working(scene)
        faults.is_down = True
        await scene.until(lambda: "Chat is throttling us" in str(scene.session()), "Linear tells of it")
        faults.is_down = False
        theatre.open_gate()
        await scene.ended(1)
        scene.expect(reference, "Slack was away")

    one, other = theatres
    await together(without_linear(one), without_slack(other))
