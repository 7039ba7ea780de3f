"""Rate limits as Microsoft applies them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.teams_limits import RateLimits
from tests.playground.teams_peer import ENG, peers


def spend(limits: RateLimits, kind: str, calls: int, *, thread: str = "t-1", now: float = 0.0) -> int:
    """How many of `calls` went through."""
    return sum(limits.retry_after_s(kind, thread, now) is None for _ in range(calls))


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [("send", 7), ("update", 7), ("create", 7), ("members", 14), ("member", 14), ("react", 2)],
)
def test_kind_has_its_calls_per_second(kind: str, allowed: int) -> None:
    assert spend(RateLimits(), kind, 100) == allowed


def test_every_window_counts() -> None:
    limits = RateLimits()
    gone = [spend(limits, "send", 10, now=now) for now in range(32)]
    assert gone[:4] == [7, 1, 7, 1]
    assert sum(gone[:30]) == 60
    assert gone[30] == 7


def test_hour_has_its_own_limit() -> None:
    limits = RateLimits()
    assert sum(spend(limits, "send", 10, now=now) for now in range(0, 3600, 2)) == 1800


def test_edits_and_deletions_count_like_messages() -> None:
    limits = RateLimits()
    assert spend(limits, "send", 5) == 5
    assert spend(limits, "update", 5) == 2
    assert spend(limits, "delete", 5) == 0


def test_threads_have_limits_of_their_own_below_a_global_one() -> None:
    limits = RateLimits()
    assert [spend(limits, "send", 10, thread=f"t-{number}") for number in range(6)] == [7, 7, 7, 7, 2, 0]


def test_reactions_are_limited_over_all_threads() -> None:
    limits = RateLimits()
    assert spend(limits, "react", 1, thread="t-1") == 1
    assert spend(limits, "unreact", 1, thread="t-2") == 1
    assert spend(limits, "react", 1, thread="t-3") == 0


@given(st.floats(0.1, 3), st.integers(1, 200), st.sampled_from(["send", "member", "react"]))
def test_waiting_as_long_as_told_is_always_enough(factor: float, calls: int, kind: str) -> None:
    limits, now = RateLimits(factor), 0.0
    for _ in range(calls):
        wait_s = limits.retry_after_s(kind, "t-1", now)
        if wait_s is not None:
            assert wait_s >= 1
            now += wait_s
            assert limits.retry_after_s(kind, "t-1", now) is None


def test_refused_call_costs_nothing() -> None:
    limits = RateLimits()
    spend(limits, "react", 100)
    assert spend(limits, "react", 1, now=1) == 1


def test_none_switches_off_and_reset_begins_anew() -> None:
    assert spend(RateLimits(None), "send", 1000) == 1000
    limits = RateLimits()
    spend(limits, "send", 7)
    limits.reset(2)
    assert spend(limits, "send", 20) == 14


async def test_throttled_call_is_told_when_to_come_back() -> None:
    async with peers(rate_factor=1.0) as on:
        answers = [await on.client.send(ENG) for _ in range(8)]
        assert [answer.status for answer in answers] == [201] * 7 + [429]
        assert (answers[-1].headers["retry-after"], answers[-1].code) == ("1", "TooManyRequests")
        assert on.teams.api.refusals == {"send TooManyRequests": 1}
        on.clock.advance(1)
        assert (await on.client.send(ENG)).status == 201
