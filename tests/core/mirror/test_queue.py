import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.mirror.queue import (
    MERGE_LIMIT,
    Advance,
    Decision,
    Deliver,
    Form,
    Idle,
    Priority,
    Queued,
    Rolling,
    Skip,
    Snapshot,
    Solid,
    Wait,
    decide,
)

ACTION = Solid(Priority.ACTION, mergeable=True)
REMARK = Solid(Priority.THOUGHT, mergeable=True)
ANSWER = Solid(Priority.TERMINAL, urgent=True)
PLAN = Snapshot("plan", 2.0)
THOUGHT = Rolling()


def queue(*forms: Form, at: float = 0.0) -> list[Queued]:
    return [Queued(n, at, form) for n, form in enumerate(forms, 1)]


@pytest.mark.parametrize(
    ("forms", "decision"),
    [
        ((), Idle()),
        ((Skip(), Skip()), Advance(2)),
        ((THOUGHT,), Wait(1.5)),
        ((Rolling(debounce_s=0.0),), Deliver((1,), 1, Priority.THOUGHT)),
        ((THOUGHT, ACTION), Deliver((2,), 2, Priority.ACTION)),
        ((THOUGHT, PLAN), Deliver((2,), 2, Priority.PLAN)),
        ((ACTION, THOUGHT), Deliver((1,), 1, Priority.ACTION)),
        ((ACTION, Skip(), ACTION), Deliver((1,), 2, Priority.ACTION)),
        ((PLAN, ACTION, PLAN), Deliver((2,), 2, Priority.PLAN)),
        ((PLAN, Snapshot("other", 2.0)), Deliver((1,), 1, Priority.PLAN)),
        ((ACTION, ANSWER), Deliver((1,), 1, Priority.TERMINAL)),
        ((Skip(), ANSWER, Skip()), Deliver((2,), 3, Priority.TERMINAL)),
    ],
)
def test_the_next_call(forms: tuple[Form, ...], decision: Decision) -> None:
    assert decide(queue(*forms), {}, now=0.0) == decision


@pytest.mark.parametrize(
    ("squeeze", "forms", "decision"),
    [
        (1, (THOUGHT,), Advance(1)),
        (1, (Rolling(debounce_s=0.0, keep=True),), Deliver((1,), 1, Priority.THOUGHT)),
        (1, (ACTION, ACTION), Deliver((1,), 1, Priority.ACTION)),
        (2, (ACTION, THOUGHT, ACTION), Deliver((1, 3), 3, Priority.ACTION)),
        (2, (ACTION, PLAN, ACTION), Deliver((1,), 1, Priority.PLAN)),
        (2, (ANSWER, ACTION), Deliver((1,), 1, Priority.TERMINAL)),
        (1, (REMARK, ACTION), Deliver((1,), 1, Priority.ACTION)),
        (2, (ACTION, REMARK, ACTION), Deliver((1, 2, 3), 3, Priority.ACTION)),
    ],
)
def test_a_shrinking_budget_shows_less(squeeze: int, forms: tuple[Form, ...], decision: Decision) -> None:
    assert decide(queue(*forms), {}, now=0.0, squeeze=squeeze) == decision


def test_a_snapshot_waits_for_its_interval_unless_something_urgent_is_behind_it() -> None:
    assert decide(queue(PLAN), {"plan": 10.0}, now=11.0) == Wait(12.0)
    assert decide(queue(PLAN), {"plan": 10.0}, now=12.0) == Deliver((1,), 1, Priority.PLAN)
    assert decide(queue(PLAN, ANSWER), {"plan": 10.0}, now=11.0) == Deliver((1,), 1, Priority.TERMINAL)


def test_an_agent_that_never_pauses_is_still_seen() -> None:
    thoughts = [Queued(n, n * 0.1, THOUGHT) for n in range(1, 100)]

    assert decide(thoughts, {}, now=1.7) == Deliver((99,), 99, Priority.THOUGHT)


def test_one_call_never_lists_more_than_people_can_read() -> None:
    decision = decide(queue(*[ACTION] * (MERGE_LIMIT + 5)), {}, now=0.0, squeeze=2)

    assert decision == Deliver(tuple(range(1, MERGE_LIMIT + 1)), MERGE_LIMIT, Priority.ACTION)


FORMS = st.sampled_from([Skip(), THOUGHT, Rolling(keep=True), PLAN, Snapshot("fate", 0.0), ACTION, ANSWER])


@given(st.lists(FORMS), st.integers(0, 2), st.sampled_from([{}, {"plan": 0.0}]), st.floats(0, 5))
def test_the_cursor_never_passes_a_solid_that_is_not_shown(
    forms: list[Form], squeeze: int, last_sent: dict[str, float], now: float
) -> None:
    pending, shown = queue(*forms), list[int]()
    while pending:
        through = pending[0].n
        match decide(pending, last_sent, now, squeeze):
            case Wait(until=until):
                assert until > now
                now = until
                continue
            case Advance(to=through):
                pass
            case Deliver(entries=entries, through=through):
                shown.extend(entries)
            case Idle():
                raise AssertionError("idle with something pending")
        pending = [item for item in pending if item.n > through]
    solids = [n for n, form in enumerate(forms, 1) if isinstance(form, Solid)]
    assert [n for n in shown if isinstance(forms[n - 1], Solid)] == solids
    assert shown == sorted(set(shown))
    # The newest state of every slot is shown as well.
    for slot in ("plan", "fate"):
        states = [n for n, form in enumerate(forms, 1) if isinstance(form, Snapshot) and form.slot == slot]
        assert set(states[-1:]) <= set(shown)
