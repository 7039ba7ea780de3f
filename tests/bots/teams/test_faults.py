"""What each answer of the connector means for the caller."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.teams.faults import LONGEST_PAUSE_S, PAUSE_S, delivery_error, error_code
from core.activities import Blocker
from core.errors import Refused, TargetGone, Throttled, TryLater


def coded(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "said to <at>Ann</at>"}}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "BotNotInConversationRoster"),
        (403, "BotDisabledByAdmin"),
        (403, "NotEnoughPermissions"),
        (403, "SomethingNew"),
        (404, "ConversationNotFound"),
        (404, "conversationNotFound"),
    ],
)
def test_a_thread_that_is_gone_is_given_up(status: int, code: str) -> None:
    error = delivery_error("send", status, coded(code), {})
    assert isinstance(error, TargetGone)
    assert error.code is Blocker.CHAT_GONE


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "BadSyntax"),
        (404, "ActivityNotFoundInConversation"),
        (404, "MemberNotFoundInConversation"),
        (405, ""),
        (413, "MessageSizeTooBig"),
    ],
)
def test_what_will_never_be_accepted_is_refused(status: int, code: str) -> None:
    assert isinstance(delivery_error("send", status, coded(code), {}), Refused)


@pytest.mark.parametrize(
    ("status", "body", "maybe_done"),
    [
        (408, None, True),
        (500, coded("ServiceError"), True),
        (502, None, True),
        (503, "<html>", True),
        (504, [], True),
        (401, coded("Unauthorized"), False),
        (412, coded("PreconditionFailed"), False),
        (302, None, False),
        (403, None, False),
        (404, None, False),
        (404, coded("NotFound"), False),
    ],
)
def test_passing_trouble_says_whether_it_may_have_been_done(status: int, body: Any, maybe_done: bool) -> None:
    error = delivery_error("send", status, body, {})
    assert isinstance(error, TryLater)
    assert error.maybe_done is maybe_done


@pytest.mark.parametrize(
    ("header", "pause_s"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("soon", PAUSE_S),
        ("inf", PAUSE_S),
        ("nan", PAUSE_S),
        ("1e9", LONGEST_PAUSE_S),
        (None, PAUSE_S),
    ],
)
def test_a_pause_is_as_long_as_teams_asks(header: str | None, pause_s: float) -> None:
    error = delivery_error("send", 429, None, {} if header is None else {"Retry-After": header})
    assert isinstance(error, Throttled)
    assert (error.retry_after_s, error.maybe_done) == (pause_s, False)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "code"]), inner),
)


@given(st.integers(300, 599), ANYTHING)
def test_any_answer_means_something_and_repeats_no_text(status: int, body: Any) -> None:
    said = str(delivery_error("send", status, body, {}))
    assert said.startswith("send: ")
    assert error_code(body) == "" or error_code(body).isalnum()
