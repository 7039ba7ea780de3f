"""Block Kit: what Slack refuses, and what a reader sees."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.slack_blocks import check_blocks, elements_of, plain_text
from playground.slack_wire import Refused

Block = dict[str, Any]

KINDS = (
    "section",
    "context",
    "actions",
    "header",
    "markdown",
    "plan",
    "task_card",
    "rich_text",
    "alert",
    "card",
)


def mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text}


def plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def section(text: str) -> Block:
    return {"type": "section", "text": mrkdwn(text)}


def button(text: str = "Stop", **more: Any) -> Block:
    return {"type": "button", "action_id": "stop", "text": plain(text), **more}


def actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


def rich(text: str) -> Block:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}],
    }


def task(title: str = "Run", **more: Any) -> Block:
    return {"type": "task_card", "task_id": "1", "title": title, **more}


ACCEPTED = {
    "section at its limit": section("x" * 3000),
    "section with fields only": {"type": "section", "fields": [mrkdwn("a")] * 10},
    "context": {
        "type": "context",
        "elements": [mrkdwn("a"), {"type": "image", "image_url": "u", "alt_text": "t"}],
    },
    "button at its limits": actions(button("x" * 75, value="v" * 2000)),
    "header": {"type": "header", "text": plain("x" * 150)},
    "divider": {"type": "divider"},
    "markdown at its limit": {"type": "markdown", "text": "x" * 13_200},
    "plan": {"type": "plan", "title": "Working", "tasks": [task(status="in_progress", details=rich("d"))]},
    "bare task card": task(status="error", output=rich("o")),
    "rich text": rich("a"),
    "alert": {"type": "alert", "text": mrkdwn("a"), "level": "warning"},
    "card": {"type": "card", "title": mrkdwn("t"), "body": mrkdwn("b"), "actions": [button()]},
    "table, whose inside is not looked at": {"type": "table", "rows": []},
}

REFUSED = {
    "unknown type": {"type": "marquee"},
    "no type": {},
    "not an object": "section",
    "type of another kind": {"type": ["section"]},
    "long section": section("x" * 3001),
    "empty section text": section(""),
    "section without anything": {"type": "section"},
    "section with plain string": {"type": "section", "text": "hello"},
    "eleven fields": {"type": "section", "fields": [mrkdwn("a")] * 11},
    "long field": {"type": "section", "fields": [mrkdwn("x" * 2001)]},
    "bad accessory": {"type": "section", "text": mrkdwn("a"), "accessory": button("x" * 76)},
    "empty context": {"type": "context", "elements": []},
    "eleven in context": {"type": "context", "elements": [mrkdwn("a")] * 11},
    "no actions": {"type": "actions", "elements": []},
    "26 actions": actions(*[button()] * 26),
    "long button text": actions(button("x" * 76)),
    "button in mrkdwn": actions({"type": "button", "text": mrkdwn("Stop")}),
    "long button value": actions(button(value="v" * 2001)),
    "long action id": actions(button() | {"action_id": "a" * 256}),
    "element that is no object": {"type": "actions", "elements": ["Stop"]},
    "long header": {"type": "header", "text": plain("x" * 151)},
    "header in mrkdwn": {"type": "header", "text": mrkdwn("x")},
    "empty markdown": {"type": "markdown", "text": ""},
    "plan without title": {"type": "plan", "tasks": []},
    "plan with a section": {"type": "plan", "title": "t", "tasks": [section("a")]},
    "task with a foreign status": task(status="completed"),
    "task with plain details": task(details="d"),
    "empty rich text": {"type": "rich_text", "elements": []},
    "unknown alert level": {"type": "alert", "text": mrkdwn("a"), "level": "fatal"},
    "long card body": {"type": "card", "body": mrkdwn("x" * 201)},
    "long block id": {"type": "divider", "block_id": "b" * 256},
}


@pytest.mark.parametrize("block", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_block_within_the_rules_is_accepted(block: Block) -> None:
    check_blocks([block])


@pytest.mark.parametrize("block", REFUSED.values(), ids=REFUSED.keys())
def test_block_against_the_rules_is_refused(block: Any) -> None:
    with pytest.raises(Refused) as caught:
        check_blocks([block])
    assert caught.value.error == "invalid_blocks"
    assert "/blocks/0" in caught.value.detail["errors"][0]


def test_fifty_blocks_pass_and_one_more_does_not() -> None:
    check_blocks([{"type": "divider"}] * 50)
    with pytest.raises(Refused, match="invalid_blocks"):
        check_blocks([{"type": "divider"}] * 51)


def test_markdown_is_limited_over_all_blocks_together() -> None:
    with pytest.raises(Refused, match="msg_blocks_too_long"):
        check_blocks([{"type": "markdown", "text": "x" * 6601}] * 2)


def test_plan_and_bare_task_card_exclude_each_other() -> None:
    with pytest.raises(Refused, match="invalid_blocks"):
        check_blocks([{"type": "plan", "title": "t"}, task()])


def test_repeated_block_id_is_refused() -> None:
    with pytest.raises(Refused, match="invalid_blocks"):
        check_blocks([{"type": "divider", "block_id": "a"}] * 2)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
BLOCKS = JSON | st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional=dict.fromkeys(
        (
            "text",
            "elements",
            "fields",
            "title",
            "tasks",
            "accessory",
            "actions",
            "level",
            "status",
            "block_id",
            "body",
        ),
        JSON,
    ),
)


@given(st.lists(BLOCKS, max_size=3))
def test_any_json_is_either_readable_or_refused(blocks: list[Any]) -> None:
    try:
        check_blocks(blocks)
    except Refused:
        return
    assert isinstance(plain_text(blocks), str)
    assert all("action_id" in element for _, element in elements_of(blocks))


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (section("hello"), "hello"),
        (
            {"type": "section", "fields": [mrkdwn("a"), mrkdwn("b")], "accessory": button("Change")},
            "a\nb\n[Change]",
        ),
        ({"type": "context", "elements": [mrkdwn("4 min"), mrkdwn("$0.31")]}, "4 min $0.31"),
        (actions(button("Open in Linear"), button("Stop")), "[Open in Linear] [Stop]"),
        (
            actions({"type": "static_select", "action_id": "r", "placeholder": plain("Repository")}),
            "[Repository]",
        ),
        ({"type": "divider"}, "---"),
        ({"type": "header", "text": plain("ENG-142")}, "ENG-142"),
        ({"type": "markdown", "text": "**Fixed.**"}, "**Fixed.**"),
        (
            {
                "type": "plan",
                "title": "Working",
                "tasks": [task("A", status="complete"), task("B", details=rich("d"))],
            },
            "Working\n✓ A\n○ B\nd",
        ),
        (rich("plain words"), "plain words"),
        (
            {
                "type": "rich_text",
                "elements": [
                    {
                        "type": "rich_text_section",
                        "elements": [
                            {"type": "user", "user_id": "U0ANN"},
                            {"type": "text", "text": " see "},
                            {"type": "link", "url": "https://a.test", "text": "this"},
                            {"type": "emoji", "name": "eyes"},
                        ],
                    },
                    {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "code"}]},
                ],
            },
            "<@U0ANN> see this:eyes:\ncode",
        ),
        ({"type": "alert", "text": mrkdwn("Careful")}, "Careful"),
        (
            {"type": "card", "title": mrkdwn("#87"), "body": mrkdwn("3 files"), "actions": [button("Merge")]},
            "#87\n3 files\n[Merge]",
        ),
    ],
)
def test_reader_sees_the_words_of_a_block(block: Block, text: str) -> None:
    assert plain_text([block]) == text


def test_elements_are_found_in_every_place_a_block_has_for_them() -> None:
    blocks = [
        actions(button(action_id="a")),
        {"type": "section", "text": mrkdwn("t"), "accessory": button(action_id="b")},
        {"type": "card", "title": mrkdwn("t"), "actions": [button(action_id="c")]},
        {"type": "carousel", "cards": [{"type": "card", "actions": [button(action_id="d")]}]},
    ]
    assert [element["action_id"] for _, element in elements_of(blocks)] == ["a", "b", "c", "d"]
