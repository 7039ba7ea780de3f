"""Adaptive Cards as Teams takes and shows them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.teams_cards import card_problems
from playground.teams_reading import plain_text
from tests.playground.teams_peer import CARD


def card(*body: object, **more: Any) -> dict[str, Any]:
    return {"type": "AdaptiveCard", "version": "1.5", "body": list(body), **more}


def execute(**more: Any) -> dict[str, Any]:
    return {"type": "Action.Execute", "title": "Go", "verb": "go", **more}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": words, **more}


MENTION = {"type": "mention", "text": "<at>Ann</at>", "mentioned": {"id": "29:ann", "name": "Ann"}}

EVERYTHING = card(
    text("**Search**", wrap=True, size="Large", style="heading"),
    {"type": "ColumnSet", "columns": [{"items": [text("a")], "width": "auto"}, {"items": [text("b")]}]},
    {"type": "Container", "style": "emphasis", "items": [text("inner"), text("hidden", isVisible=False)]},
    {"type": "FactSet", "facts": [{"title": "Cost", "value": "$0.31"}]},
    {"type": "RichTextBlock", "inlines": ["plain ", {"type": "TextRun", "text": "bold", "weight": "Bolder"}]},
    {"type": "CodeBlock", "codeSnippet": "x = 1", "language": "Python"},
    {"type": "Image", "url": "https://acme.test/a.png", "altText": "a chart"},
    {"type": "ImageSet", "images": [{"type": "Image", "url": "https://acme.test/b.png", "altText": "b"}]},
    {
        "type": "Table",
        "columns": [{"width": 1}, {"width": 1}],
        "rows": [
            {
                "type": "TableRow",
                "cells": [
                    {"type": "TableCell", "items": [text("l")]},
                    {"type": "TableCell", "items": [text("r")]},
                ],
            }
        ],
    },
    {
        "type": "Input.ChoiceSet",
        "id": "pick",
        "label": "Which?",
        "choices": [{"title": "A", "value": "a"}, {"title": "B", "value": "b"}],
    },
    {"type": "Input.Text", "id": "why", "label": "Why?", "placeholder": "a word"},
    {"type": "ActionSet", "actions": [execute(title="In the set")]},
    actions=[
        execute(title="Go", fallback={"type": "Action.Submit", "title": "Go", "data": {"x": 1}}),
        {
            "type": "Action.ShowCard",
            "title": "More",
            "card": {"type": "AdaptiveCard", "body": [text("late")]},
        },
    ],
    refresh={"action": {"type": "Action.Execute", "verb": "refresh"}, "userIds": ["29:ann"]},
)


def test_everything_in_use_is_fine_and_reads_line_by_line() -> None:
    assert list(card_problems(EVERYTHING)) == []
    assert plain_text("", [EVERYTHING]).splitlines() == [
        "**Search**",
        "a b",
        "inner",
        "Cost $0.31",
        "plain bold",
        "x = 1",
        "a chart",
        "b",
        "l | r",
        "Which? ( ) A ( ) B",
        "Why? [a word]",
        "[In the set]",
        "[Go] [More]",
    ]


def test_text_stands_above_the_card_and_mentions_read_as_names() -> None:
    shown = plain_text("<at>Ann</at>, done", [CARD])
    assert shown == "@Ann, done\nENG-1 · Search\n[Stop] [Open in Linear]"


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("text", "card: must be an object of type AdaptiveCard"),
        ({"type": "Card"}, "card: must be an object of type AdaptiveCard"),
        ({"type": "AdaptiveCard", "body": []}, "card: version is missing"),
        (card() | {"version": "1.6"}, "card: version must be 1.0 to 1.5"),
        (card(titel="x"), "card: unknown property titel"),
        (card({"type": "Carousel"}), "card.body[0]: unknown element Carousel"),
        (card({"type": "TextBlock"}), "card.body[0]: text is missing"),
        (card(text("x", colour="good")), "card.body[0]: unknown property colour"),
        (card(text("x", text=5)), "card.body[0]: text must be a text or a list"),
        (card("x"), "card.body[0]: must be an object"),
        (card({"type": "Container", "items": {}}), "card.body[0].items: must be a list"),
        (card({"type": "Container", "items": [{"type": "No"}]}), "card.body[0].items[0]: unknown element No"),
        (card({"type": "FactSet", "facts": [{"title": "x"}]}), "card.body[0].facts[0]: value is missing"),
        (card({"type": "Input.Text"}), "card.body[0]: id is missing"),
        (card({"type": "Column", "items": []}), "card.body[0]: unknown element Column"),
        (
            card({"type": "Input.Text", "id": "a"}, {"type": "Input.Date", "id": "a"}),
            "card: two inputs have the same id",
        ),
        (card(actions=[{"type": "Action.Http"}]), "card.actions[0]: unknown action Action.Http"),
        (card(actions=[execute(data="x")]), "card.actions[0]: data must be an object"),
        (card(actions=[execute(url="https://x")]), "card.actions[0]: unknown property url"),
        (
            card(actions=[execute(fallback={"type": "Action.Sumbit"})]),
            "card.actions[0].fallback: unknown action Action.Sumbit",
        ),
        (card(actions=[{"type": "Action.OpenUrl"}]), "card.actions[0]: url is missing"),
        (
            card(actions=[{"type": "Action.OpenUrl", "url": "javascript:alert(1)"}]),
            "card.actions[0]: url must begin with http or https or mailto or msteams",
        ),
        (card(actions=[execute() for _ in range(7)]), "card.actions: no more than 6 actions"),
        (card(actions=[{"type": "Action.ShowCard"}]), "card.actions[0]: card is missing"),
        (card(selectAction={"type": "No"}), "card.selectAction: unknown action No"),
        (
            card(refresh={"action": {"type": "Action.Submit"}}),
            "card.refresh: needs an action of type Action.Execute",
        ),
        (
            card(refresh={"action": {"type": "Action.Execute"}, "userIds": ["29:x"] * 61}),
            "card.refresh: no more than 60 userIds",
        ),
        (
            card(refresh={"action": {"type": "Action.Execute"}, "userIds": "29:x"}),
            "card.refresh: userIds must be a list of texts",
        ),
        (card(msteams="wide"), "card: msteams must be an object"),
        (card(msteams={"entities": {"0": MENTION}}), "card: entities must be a list"),
        (
            card(msteams={"entities": [{"type": "mention", "text": "<at>Ann</at>"}]}),
            "card: a mention needs text and mentioned with id and name",
        ),
        (card(text("x", fallback={"type": "No"})), "card.body[0].fallback: unknown element No"),
        (
            card({"type": "ColumnSet", "columns": [text("x")]}),
            "card.body[0].columns[0]: must be an object of type Column",
        ),
        (card(actions=["Go"]), "card.actions[0]: must be an object"),
        (card(text("<at>Ann</at>")), "card: <at>Ann</at> has no mention entity"),
        (card(msteams={"entities": [MENTION]}), "card: the mention <at>Ann</at> is not in the text"),
    ],
)
def test_what_teams_would_not_show_is_a_problem(wrong: object, problem: str) -> None:
    assert problem in list(card_problems(wrong))


def test_mention_with_its_entity_is_fine() -> None:
    assert list(card_problems(card(text("<at>Ann</at>"), msteams={"entities": [MENTION]}))) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "body",
                    "items",
                    "actions",
                    "text",
                    "fallback",
                    "refresh",
                    "msteams",
                    "card",
                    "inlines",
                ]
            ),
            inner
            | st.sampled_from(
                [
                    "AdaptiveCard",
                    "Container",
                    "TextBlock",
                    "Action.Execute",
                    "Action.ShowCard",
                    "RichTextBlock",
                ]
            ),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_nothing_makes_the_check_itself_fail(anything: object) -> None:
    for problem in card_problems(anything):
        assert problem.startswith("card")
