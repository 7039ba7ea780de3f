"""A pull request's card as Slack shows it: golden messages, what others wrote in it, and Slack's limits."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.slack.render import render, whispered
from core.mirror.cards import PullItem
from core.ports import Payload, PrivateButton
from core.pulls import Check, CheckState, CodeReview, PullAction, PullRef, ReviewState
from playground.slack_blocks import check_blocks, elements_of, plain_text
from tests.core.mirror.pull_items import CARD, DRAFT, FORGED, HEAD, ITEMS, READY, shown

GOLDEN = Path(__file__).parent / "golden" / "pulls"
ACTIVE = re.compile(r"<!(channel|here|everyone|subteam|date)|<@[UW]", re.IGNORECASE)


def only(item: PullItem) -> Payload:
    (payload,) = render(item)
    return payload


@pytest.mark.parametrize("name", ITEMS)
def test_message_is_as_it_was_agreed(name: str) -> None:
    """With WRITE_GOLDEN=1 it is written instead."""
    payload, path = only(ITEMS[name]), GOLDEN / f"{name}.json"
    check_blocks(payload["blocks"])
    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(json.dumps(payload, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert payload == json.loads(path.read_text(encoding="utf-8"))


def test_every_agreed_message_is_one_of_the_states() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(ITEMS)


def test_card_reads_from_what_it_is_down_to_what_can_be_done() -> None:
    assert plain_text(only(ITEMS["ready"])["blocks"]).split("\n") == [
        "<https://github.test/acme/shop/pull/87"
        "|acme/shop #87 · ENG-142: Respect includeArchivedProjects in issue search> · ready",
        "3 files +41 −6 · abc1234 · checks 3 of 3 · needs 1 review",
        "Files: search/issueSearch.py, search/filters.py, tests/search/test_archived.py",
        "Needs a review by somebody other than Ann and Bob, who asked for this.",
        "[View diff] [Approve abc1234] [Request changes] [Merge when green]",
    ]


def test_stale_card_is_one_line_without_buttons() -> None:
    blocks = only(ITEMS["stale"])["blocks"]
    assert plain_text(blocks) == "The pull request moved to def5678 since this card."
    assert list(elements_of(blocks)) == []


def test_buttons_carry_the_card_and_the_action_and_nothing_else() -> None:
    pressed = [one for _, one in elements_of(only(ITEMS["failed"])["blocks"]) if "url" not in one]
    assert [one["action_id"] for one in pressed] == [
        "pull/approve",
        "pull/request_changes",
        "pull/merge_when_green",
        "pull/fix",
    ]
    assert {one["value"] for one in pressed} == {CARD}


def test_nothing_that_others_wrote_is_markup() -> None:
    head, facts, _ = only(PullItem(shown(FORGED)))["blocks"]
    assert head["text"]["text"].count("<") == 1
    assert (facts["text"]["type"], facts["text"]["emoji"]) == ("plain_text", False)
    assert len(facts["text"]["text"].split("\n")) == 4


def test_one_person_confirms_with_a_button_of_their_own() -> None:
    button = PrivateButton("Merge abc1234 as squash", CARD, PullAction.MERGE)
    payload = whispered("Merge it? Write `merge abc1234` in the thread to confirm it.", None, [button])
    check_blocks(payload["blocks"])
    [(_, element)] = elements_of(payload["blocks"])
    assert (element["action_id"], element["value"]) == ("confirm/merge", CARD)
    assert payload["text"].startswith("Merge it?")


texts = st.one_of(
    st.text(max_size=60),
    st.builds(
        lambda unit, times: unit * times,
        st.sampled_from(["&", "<!channel> ", "<@U0BOB>", "|", "word ", "é", "\n", "`"]),
        st.integers(1, 4_000),
    ),
)
items = st.builds(
    lambda title, names, paths, url, offer: PullItem(
        replace(
            shown(
                replace(
                    READY,
                    ref=PullRef(title, 1),
                    title=title,
                    base=title,
                    url=url,
                    paths=tuple(paths),
                    sensitive=tuple(paths),
                    files=len(paths) + 9,
                    missing_owners=tuple(names),
                    checks=tuple(Check(name, CheckState.FAILED) for name in names),
                    reviews=tuple(CodeReview(name, 1, ReviewState.APPROVED, HEAD) for name in names),
                ),
                offer=offer,
            ),
            steered_by=tuple(names),
        )
    ),
    texts,
    st.lists(texts, max_size=40),
    st.lists(texts, max_size=40),
    texts | st.just(DRAFT.url) | st.just("https://github.test/" + "a" * 3_000),
    texts,
)


def interpreted(blocks: list[dict[str, Any]]) -> Iterator[str]:
    """Every text that Slack looks for mentions in."""
    yield from (one["text"]["text"] for one in blocks if one.get("text", {}).get("type") == "mrkdwn")


@given(items)
def test_every_card_fits_slack_s_limits_and_wakes_nobody(item: PullItem) -> None:
    payload = only(item)
    check_blocks(payload["blocks"])
    assert 0 < len(payload["text"]) <= 3_000
    assert not any(ACTIVE.search(text) for text in [payload["text"], *interpreted(payload["blocks"])])
    json.dumps(payload)
