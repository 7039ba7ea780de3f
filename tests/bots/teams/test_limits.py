"""Our budget stays below what Teams allows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.teams.limits import TEAMS_LIMITS, teams_charge
from core.ids import ThreadRef
from core.mirror.budget import SHARE, Bucket
from core.mirror.queue import Priority
from playground.teams_limits import REACTING, SENDING, RateLimits, Windows

THREAD = ThreadRef("teams", "t", "19:eng@thread.tacv2", "1700")


@pytest.mark.parametrize(
    ("cost", "calls", "windows", "share"),
    [("send", 1, SENDING, SHARE), ("react", 2, REACTING, 1.0)],
    ids=["send", "react"],
)
def test_no_window_of_microsofts_fills_up(cost: str, calls: int, windows: Windows, share: float) -> None:
    limit = TEAMS_LIMITS[cost]
    every = [limit, *([limit.longer] if limit.longer else [])]
    for length_s, most in windows:
        at_most = min(int(one.capacity + one.per_s * length_s) for one in every)
        assert at_most * calls <= share * most


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 40), st.integers(1, 40)), max_size=15))
def test_microsoft_never_refuses_what_our_pace_lets_out(talk: list[tuple[float, int]]) -> None:
    """Bursts after pauses, each call as soon as it may go, the answer of the reserve among them."""
    windows, now = RateLimits(), 0.0
    bucket = Bucket.full(TEAMS_LIMITS["send"], now)
    for pause_s, calls in talk:
        now += pause_s
        for number in range(calls):
            now += bucket.wait_s(now, Priority.TERMINAL if number % 2 else Priority.ACTION)
            bucket = bucket.take(now)
            assert windows.retry_after_s("send", "t-1", now) is None


def test_a_thread_that_is_never_quiet_stays_below_the_hour() -> None:
    windows, now, sent = RateLimits(SHARE), 0.0, 0
    bucket = Bucket.full(TEAMS_LIMITS["send"], now)
    while now < 2 * 3600:
        now += bucket.wait_s(now, Priority.TERMINAL)
        bucket, sent = bucket.take(now), sent + 1
        assert windows.retry_after_s("send", "t-1", now) is None
    assert sent > 2 * 3600 * 0.38


def test_the_posts_and_edits_of_a_short_turn_do_not_wait_for_each_other() -> None:
    """Progress, three edits two seconds apart, the answer and the end of the progress."""
    bucket, waited_s = Bucket.full(TEAMS_LIMITS["send"], 0.0), 0.0
    for turn in range(5):
        for at in (0.0, 2.0, 4.0, 6.0, 6.5, 6.5):
            now = turn * 20 + at
            waited_s += bucket.wait_s(now, Priority.ACTION)
            bucket = bucket.take(now)
    assert waited_s == 0.0


def test_what_is_said_is_paid_by_the_thread_and_reactions_by_all() -> None:
    charged = [teams_charge(do, THREAD) for do in ("post", "edit", "react", "move")]
    assert charged == ["send:19:eng@thread.tacv2/1700"] * 2 + ["react"] * 2
    assert all(cost.partition(":")[0] in TEAMS_LIMITS for cost in charged)
