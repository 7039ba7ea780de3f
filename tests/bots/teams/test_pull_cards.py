"""A pull request's card as Teams shows it: golden cards, the same words as in Slack, and Teams' limits."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from bots.slack.render import render as slack_render
from bots.teams.render import render
from bots.teams.whispers import whispered
from core.mirror.cards import PullItem
from core.ports import Payload, PrivateButton
from core.pulls import PullAction
from playground.slack_blocks import plain_text as slack_text
from playground.teams_checks import MAX_BYTES, size
from tests.bots.slack.test_pull_cards import items
from tests.bots.teams.test_render import shown as read
from tests.bots.teams.test_render import titles, unmarked
from tests.core.mirror.pull_items import CARD, FORGED, ITEMS, READY, shown

GOLDEN = Path(__file__).parent / "golden" / "pulls"
ADDRESS_BYTES = 2_000
"""More than an address adds to a message."""


def only(item: PullItem) -> Payload:
    (payload,) = render(item)
    return payload


def actions(payload: Payload) -> list[dict[str, Any]]:
    (attachment,) = payload["attachments"]
    found: list[dict[str, Any]] = attachment["content"].get("actions", [])
    return found


@pytest.mark.parametrize("name", ITEMS)
def test_message_is_as_it_was_agreed(name: str) -> None:
    """With WRITE_GOLDEN=1 it is written instead."""
    payload, path = only(ITEMS[name]), GOLDEN / f"{name}.json"
    read(payload)
    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(json.dumps(payload, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert payload == json.loads(path.read_text(encoding="utf-8"))


def test_every_agreed_message_is_one_of_the_states() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(ITEMS)


@pytest.mark.parametrize("name", sorted(set(ITEMS) - {"forged"}))
def test_teams_says_what_slack_says(name: str) -> None:
    (slack,) = slack_render(ITEMS[name])
    assert unmarked(read(only(ITEMS[name]))) == unmarked(slack_text(slack["blocks"]))


def test_card_asks_us_and_only_changes_have_a_form() -> None:
    kinds = {one["title"]: one["type"] for one in actions(only(ITEMS["failed"]))}
    assert kinds == {
        "View diff": "Action.OpenUrl",
        "Approve abc1234": "Action.Execute",
        "Request changes": "Action.Submit",
        "Merge when green": "Action.Execute",
        "Fix it": "Action.Execute",
    }


def test_buttons_carry_the_card_and_the_action_and_nothing_else() -> None:
    _, approve, changes, *_ = actions(only(ITEMS["ready"]))
    assert approve["data"] == {
        "threadline": {
            "nonce": f"act/{CARD}/approve",
            "card": CARD,
            "action": "approve",
            "sure": False,
            "do": "act",
        }
    }
    assert approve["fallback"]["data"] == approve["data"]
    assert changes["data"] == {
        "threadline": {"nonce": f"review/{CARD}", "card": CARD, "do": "review"},
        "msteams": {"type": "task/fetch"},
    }


def test_stale_card_is_one_line_without_buttons() -> None:
    payload = only(ITEMS["stale"])
    assert read(payload) == "The pull request moved to def5678 since this card."
    assert titles(payload) == []


def test_nothing_that_others_wrote_is_markup_or_a_line() -> None:
    (attachment,) = only(PullItem(shown(FORGED)))["attachments"]
    lines = attachment["content"]["body"]
    assert len(lines) == 5
    assert {one["type"] for one in lines} == {"RichTextBlock"}
    opened = [run["selectAction"]["url"] for one in lines for run in one["inlines"] if "selectAction" in run]
    assert opened == [FORGED.url]


def test_one_person_confirms_with_a_button_of_their_own() -> None:
    payload = whispered("Merge it?", None, [PrivateButton("Merge abc1234", CARD, PullAction.MERGE)])
    assert read(payload) == "Merge it?\n[Merge abc1234]"
    [action] = actions(payload)
    assert action["data"]["threadline"] == {
        "nonce": f"sure/{CARD}/merge",
        "card": CARD,
        "action": "merge",
        "sure": True,
        "do": "act",
    }


@given(items)
def test_teams_takes_every_card(item: PullItem) -> None:
    payload = only(item)
    # The connector's own checks: size, cards, and an entity for every mention.
    read(payload)
    assert size(dict(payload)) <= MAX_BYTES - ADDRESS_BYTES


def test_no_card_has_more_buttons_than_teams_shows() -> None:
    assert max(len(actions(only(item))) for item in ITEMS.values()) <= 6
    assert "View diff" not in titles(only(PullItem(shown(replace(READY, url="javascript:alert(1)")))))
