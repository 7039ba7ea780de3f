from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.mirror.budget import Bucket, Budgets, Candidate, Limit, Measured, in_turn
from core.mirror.queue import Priority

LIMIT = Limit(capacity=10, per_s=2.0, reserve=4)
TWO_WINDOWS = Limit(capacity=4, per_s=1.0, reserve=1, longer=Limit(20, per_s=0.1, reserve=5))


def test_a_full_bucket_gives_its_reserve_to_urgent_calls_only() -> None:
    bucket = Bucket.full(LIMIT, 0.0)
    for _ in range(6):
        bucket = bucket.take(0.0)

    assert bucket.wait_s(0.0, Priority.ACTION) == pytest.approx(0.5)
    assert bucket.wait_s(0.5, Priority.ACTION) == 0.0
    assert bucket.wait_s(0.0, Priority.TERMINAL) == 0.0


def test_a_pause_holds_everybody_and_a_shorter_one_does_not_end_it() -> None:
    bucket = Bucket.full(LIMIT, 0.0).freeze(30.0).freeze(5.0)

    assert bucket.wait_s(1.0, Priority.TERMINAL) == 29.0
    assert bucket.squeeze(1.0) == 2
    assert bucket.wait_s(30.0, Priority.THOUGHT) == 0.0


def test_the_platform_is_believed_when_it_allows_less() -> None:
    bucket = Bucket.full(LIMIT, 0.0).learn(Measured(limit=100, remaining=22, window_s=100.0), 0.0)

    assert bucket.level(0.0) == pytest.approx(2.0)
    assert bucket.level(1.0) == pytest.approx(2.8)


def test_the_platform_cannot_raise_the_level_above_our_own_count() -> None:
    bucket = Bucket.full(LIMIT, 0.0).take(0.0).learn(Measured(limit=5000, remaining=5000), 0.0)

    assert bucket.level(0.0) == 9.0


@pytest.mark.parametrize(("taken", "squeeze"), [(0, 0), (5, 0), (6, 1), (7, 1), (8, 2)])
def test_less_is_shown_the_emptier_the_bucket_is(taken: int, squeeze: int) -> None:
    bucket = Bucket.full(LIMIT, 0.0)
    for _ in range(taken):
        bucket = bucket.take(0.0)

    assert bucket.squeeze(0.0) == squeeze


def test_one_install_does_not_squeeze_another() -> None:
    budgets = Budgets()
    budgets.put(("slack", "T1", "edit"), Bucket.full(LIMIT, 0.0).freeze(9.0))

    assert budgets.squeeze("slack", "T1", 0.0) == 2
    assert budgets.squeeze("slack", "T2", 0.0) == 0


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from(Priority)), max_size=80))
def test_no_more_calls_leave_than_the_limit_allows(asked: list[tuple[float, Priority]]) -> None:
    bucket, now, sent = Bucket.full(LIMIT, 0.0), 0.0, 0
    for pause, priority in asked:
        now += pause
        if bucket.wait_s(now, priority) == 0.0:
            bucket, sent = bucket.take(now), sent + 1
            assert priority <= Priority.PROMPT or bucket.level(now) >= LIMIT.reserve - 1e-5
    assert sent <= LIMIT.capacity + LIMIT.per_s * now + 1e-3


def test_a_call_needs_a_token_of_the_longer_window_too() -> None:
    bucket = Bucket.full(TWO_WINDOWS, 0.0)
    for now in range(16):
        assert bucket.wait_s(now, Priority.ACTION) == 0.0
        bucket = bucket.take(now)

    # 20 less 16, and what came back in 15 seconds.
    assert bucket.longer is not None
    assert bucket.longer.level(15.0) == pytest.approx(5.5)
    assert bucket.wait_s(16.0, Priority.TERMINAL) == 0.0
    assert bucket.wait_s(16.0, Priority.ACTION) == pytest.approx(4.0)


@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from(Priority)), max_size=120))
def test_neither_window_lets_more_out_than_it_allows(asked: list[tuple[float, Priority]]) -> None:
    bucket, now, sent = Bucket.full(TWO_WINDOWS, 0.0), 0.0, list[float]()
    for pause, priority in asked:
        now += pause
        if bucket.wait_s(now, priority) == 0.0:
            bucket = bucket.take(now)
            sent.append(now)
    for capacity, per_s in ((4, 1.0), (20, 0.1)):
        for first, began in enumerate(sent):
            for last, at in enumerate(sent[first:]):
                assert last + 1 <= capacity + per_s * (at - began) + 1e-3


def test_a_pause_and_an_empty_longer_window_squeeze_as_one() -> None:
    bucket = Bucket.full(TWO_WINDOWS, 0.0)
    for now in range(0, 32, 2):
        bucket = bucket.take(now)

    assert bucket.level(40.0) == 4.0
    assert bucket.squeeze(40.0) == 1
    assert bucket.freeze(50.0).squeeze(40.0) == 2


def test_sessions_of_equal_urgency_take_turns() -> None:
    served = dict.fromkeys("abc", 0.0)
    order = []
    for now in range(1, 10):
        chosen = in_turn(Candidate(key, Priority.ACTION, at) for key, at in served.items())[0].key
        served[chosen] = float(now)
        order.append(chosen)

    assert Counter(order) == {"a": 3, "b": 3, "c": 3}
    assert order[:3] == order[3:6]


def test_an_answer_overtakes_the_progress_of_others() -> None:
    candidates = [Candidate("busy", Priority.ACTION, 0.0), Candidate("ready", Priority.TERMINAL, 99.0)]

    assert [candidate.key for candidate in in_turn(candidates)] == ["ready", "busy"]
