"""Rate limits as Slack applies them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.slack_limits import RateLimits


def spend(limits: RateLimits, method: str, calls: int, *, channel: str = "C0001", now: float = 0.0) -> int:
    """How many of `calls` went through."""
    return sum(limits.retry_after_s(method, channel, now) is None for _ in range(calls))


@pytest.mark.parametrize(
    ("method", "allowed"),
    [
        ("chat.update", 50),
        ("chat.delete", 50),
        ("reactions.add", 50),
        ("reactions.remove", 20),
        ("users.info", 100),
    ],
)
def test_method_has_its_tier_per_minute(method: str, allowed: int) -> None:
    assert spend(RateLimits(), method, 200) == allowed


def test_tier_is_shared_by_all_channels() -> None:
    limits = RateLimits()
    assert spend(limits, "chat.update", 50, channel="C0001") == 50
    assert spend(limits, "chat.update", 1, channel="C0002") == 0


def test_methods_do_not_share_a_tier() -> None:
    limits = RateLimits()
    spend(limits, "chat.update", 50)
    assert spend(limits, "reactions.add", 50) == 50


def test_posting_allows_a_burst_and_then_one_a_second_per_channel() -> None:
    limits = RateLimits()
    assert spend(limits, "chat.postMessage", 10, now=0) == 5
    assert spend(limits, "chat.postMessage", 10, now=1) == 1
    assert spend(limits, "chat.postMessage", 10, channel="C0002", now=1) == 5


@given(st.floats(0.05, 20), st.integers(1, 300))
def test_waiting_as_long_as_told_is_always_enough(factor: float, calls: int) -> None:
    limits, now = RateLimits(factor), 0.0
    for _ in range(calls):
        wait_s = limits.retry_after_s("reactions.remove", "C0001", now)
        if wait_s is not None:
            assert wait_s >= 1
            now += wait_s
            assert limits.retry_after_s("reactions.remove", "C0001", now) is None


def test_refused_call_costs_nothing() -> None:
    limits = RateLimits()
    spend(limits, "reactions.remove", 100)
    assert spend(limits, "reactions.remove", 1, now=3) == 1


def test_factor_scales_and_none_switches_off() -> None:
    assert spend(RateLimits(0.1), "chat.update", 100) == 5
    assert spend(RateLimits(None), "chat.update", 1000) == 1000


def test_reset_starts_with_full_buckets() -> None:
    limits = RateLimits()
    spend(limits, "chat.update", 50)
    limits.reset(2)
    assert spend(limits, "chat.update", 200) == 100
