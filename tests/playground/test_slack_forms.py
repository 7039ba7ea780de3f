"""Forms of the stand-in for Slack: what it takes, and what a person can do with them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from playground.slack_views import check_view, filled
from playground.slack_wire import Refused
from tests.playground.slack_peer import BUTTONS, Peers, client_of, peers


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def field(**changes: Any) -> dict[str, Any]:
    element = {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": 10}
    return {"type": "input", "block_id": "words", "label": plain("Words"), "element": element | changes}


def view(**changes: Any) -> dict[str, Any]:
    base = {
        "type": "modal",
        "callback_id": "review",
        "title": plain("Review"),
        "submit": plain("Send"),
        "private_metadata": "m",
        "blocks": [field()],
    }
    return {name: value for name, value in (base | changes).items() if value is not None}


@pytest.fixture
async def on() -> AsyncIterator[Peers]:
    async with peers() as both:
        yield both


async def opened(on: Peers, user: str = "U0ANN") -> None:
    """A form on the person's screen."""
    client = client_of(on.slack)
    ts = (await client.chat_postMessage(channel="C0001", text="t", blocks=BUTTONS))["ts"]
    await on.slack.settled()
    await on.slack.people.click(user, "C0001", ts, "stop")
    await client.views_open(trigger_id=on.app.received[-1].interaction["trigger_id"], view=view())
    on.app.received.clear()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"type": "dialog"}, "type must be modal or home"),
        ({"title": None}, "title must be a text object"),
        ({"title": plain("x" * 25)}, "title must be less than 25 characters"),
        ({"title": {"type": "mrkdwn", "text": "x"}}, "title must be a text object of type plain_text"),
        ({"submit": plain("x" * 25)}, "submit must be less than 25 characters"),
        ({"submit": None}, "submit is required"),
        ({"blocks": None}, "blocks must be a list"),
        ({"private_metadata": "x" * 3_001}, "private_metadata must be less than 3001"),
        ({"callback_id": "x" * 256}, "callback_id must be less than 256"),
        ({"blocks": [field() | {"label": None}]}, "label must be a text object"),
        ({"blocks": [field() | {"element": None}]}, "element must be one that can be filled in"),
        ({"blocks": [field(max_length=3_001)]}, "max_length must be between 1 and 3000"),
        ({"blocks": [field(placeholder=plain("x" * 151))]}, "placeholder must be less than 151"),
        ({"blocks": [field(multiline="yes")]}, "multiline must be true or false"),
    ],
)
def test_form_that_slack_would_not_take_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(Refused) as caught:
        check_view(view(**changes))
    assert caught.value.error == "invalid_arguments"
    assert any(problem in each for each in caught.value.detail["errors"])


def test_blocks_of_a_form_are_checked_like_those_of_a_message() -> None:
    with pytest.raises(Refused, match="invalid_blocks"):
        check_view(view(blocks=[field(), field()]))
    with pytest.raises(Refused, match="view_too_large"):
        check_view(view(blocks=[{"type": "section", "text": plain("x" * 260_000)}]))


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({}, "input_required"),
        ({"Words": ""}, "input_required"),
        ({"Words": "x" * 11}, "input_length"),
        ({"Word": "x"}, "no_such_input"),
    ],
)
def test_people_cannot_send_what_a_form_refuses(inputs: dict[str, str], error: str) -> None:
    with pytest.raises(Refused, match=error):
        filled(view(), inputs)
    assert filled(view(), {"Words": "x"}) == {"words": {"text": {"type": "plain_text_input", "value": "x"}}}


async def test_form_is_seen_by_who_pressed_and_sent_without_its_place(on: Peers) -> None:
    await opened(on)
    assert on.slack.forms.shown("U0EVE") is None
    receipt = await on.slack.forms.submit("U0ANN", {"Words": "rename"})
    [received] = on.app.received
    sent = received.interaction
    assert (receipt.reason, on.slack.forms.shown("U0ANN")) == (None, None)
    assert (sent["type"], sent["user"]["id"], sent["team"]["id"]) == ("view_submission", "U0ANN", "T0001")
    assert not {"channel", "container", "message"} & sent.keys()
    assert (sent["view"]["callback_id"], sent["view"]["private_metadata"]) == ("review", "m")
    assert sent["view"]["state"]["values"]["words"]["text"]["value"] == "rename"


async def test_form_stays_open_while_the_app_does_not_take_it(on: Peers) -> None:
    await opened(on)
    on.app.statuses = [500]
    assert (await on.slack.forms.submit("U0ANN", {"Words": "a"})).reason == "http_error"
    assert on.slack.forms.shown("U0ANN") is not None


@pytest.mark.parametrize(
    ("answer", "reason", "is_open"),
    [
        ('{"response_action":"errors","errors":{"words":"No."}}', None, True),
        ('{"response_action":"errors","errors":{"other":"No."}}', "bad_answer", True),
        ('{"response_action":"errors","errors":{}}', "bad_answer", True),
        ('{"response_action":"clear"}', None, False),
        ("{}", None, False),
        ("ok", "bad_answer", True),
    ],
)
async def test_what_the_app_answers_decides_what_is_seen(
    on: Peers, answer: str, reason: str | None, *, is_open: bool
) -> None:
    await opened(on)
    on.app.answers = [answer]
    assert (await on.slack.forms.submit("U0ANN", {"Words": "a"})).reason == reason
    assert (on.slack.forms.shown("U0ANN") is not None) is is_open


async def test_only_three_forms_lie_on_top_of_each_other(on: Peers) -> None:
    for _ in range(3):
        await opened(on)
    with pytest.raises(SlackApiError, match="push_limit_reached"):
        await opened(on)
    on.slack.forms.close("U0ANN")
    await opened(on)
