"""Why a run failed, in plain words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.activities import Blocker
from core.runner.failures import failure


@pytest.mark.parametrize(
    ("names", "status", "texts", "expected"),
    [
        (["authentication_failed"], 401, [], (Blocker.MODEL_KEY, "The model refused our key.")),
        ([None], 403, ["x"], (Blocker.MODEL_KEY, "The model refused our key.")),
        (
            [None],
            None,
            ["Not logged in · Please run /login"],
            (Blocker.MODEL_KEY, "The model needs a key, and none is set."),
        ),
        (
            ["billing_error"],
            400,
            ["Credit balance is too low"],
            (Blocker.AGENT_FAILED, "The model account has no credit left."),
        ),
        (["server_error"], 529, [], (Blocker.MODEL_BUSY, "The model is overloaded.")),
        (["server_error"], 500, [], (Blocker.MODEL_BUSY, "The model does not answer.")),
        (["server_error"], None, [], (Blocker.MODEL_BUSY, "The model does not answer.")),
        ([None], 429, [], (Blocker.MODEL_BUSY, "The model account reached its rate limit.")),
        (
            [None, None, "error_max_budget_usd"],
            None,
            [],
            (Blocker.MODEL_LIMIT, "The budget of this session is used."),
        ),
        (
            ["invalid_request", "image_error"],
            413,
            ["Prompt is too long"],
            (Blocker.AGENT_FAILED, "The conversation grew too long for the model."),
        ),
        (
            ["unknown"],
            400,
            ['API Error: 400 {"type":"error"}'],
            (Blocker.AGENT_FAILED, "The agent failed: API Error: 400"),
        ),
        (
            [],
            None,
            ["[ede_diagnostic] x", "It broke.\nmore"],
            (Blocker.AGENT_FAILED, "The agent failed: It broke."),
        ),
        ([], None, ["{}", " "], (Blocker.AGENT_FAILED, "The agent failed without giving a reason.")),
    ],
)
def test_a_cause_has_a_blocker_and_a_sentence(
    names: list[str | None], status: int | None, texts: list[str], expected: tuple[Blocker, str]
) -> None:
    assert failure(names, status, texts) == expected


@given(st.lists(st.none() | st.text(max_size=9)), st.none() | st.integers(), st.lists(st.text(max_size=400)))
def test_every_failure_has_a_short_plain_sentence(
    names: list[str | None], status: int | None, texts: list[str]
) -> None:
    _, sentence = failure(names, status, texts)
    assert 0 < len(sentence) <= 320
    assert "{" not in sentence
    assert "\n" not in sentence
