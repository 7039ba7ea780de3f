"""Our budget stays below what Teams allows."""

import pytest

from bots.teams.limits import TEAMS_LIMITS, teams_charge
from core.ids import ThreadRef
from playground.teams_limits import REACTING, SENDING, Windows

THREAD = ThreadRef("teams", "t", "19:eng@thread.tacv2", "1700")


@pytest.mark.parametrize(
    ("cost", "calls", "windows"), [("send", 1, SENDING), ("react", 2, REACTING)], ids=["send", "react"]
)
def test_no_window_of_microsofts_fills_up(cost: str, calls: int, windows: Windows) -> None:
    limit = TEAMS_LIMITS[cost]
    for length_s, most in windows:
        at_most = int(limit.capacity + limit.per_s * length_s)
        assert at_most * calls <= most


def test_what_is_said_is_paid_by_the_thread_and_reactions_by_all() -> None:
    charged = [teams_charge(do, THREAD) for do in ("post", "edit", "react", "move")]
    assert charged == ["send:19:eng@thread.tacv2/1700"] * 2 + ["react"] * 2
    assert all(cost.partition(":")[0] in TEAMS_LIMITS for cost in charged)
