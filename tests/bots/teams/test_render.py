"""The story of a session as Teams shows it: golden cards, and the same words as in Slack."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bots.slack.render import render as slack_render
from bots.teams.render import MENU_OPTIONS, UNHEARD, render
from core.activities import (
    Answered,
    Author,
    Blocked,
    Blocker,
    Elicitation,
    Error,
    IssueLinked,
    Option,
    Outcome,
    PlanStep,
    Routed,
    StepStatus,
)
from core.ids import ElicitationId, TurnId
from core.mirror.cards import (
    AnswerItem,
    ChatItem,
    FailureItem,
    NoticeItem,
    ProgressCard,
    QuestionItem,
    QuoteItem,
    Render,
)
from core.ports import Payload
from playground.teams_checks import draft_of
from playground.teams_reading import plain_text
from playground.teams_seed import acme
from tests.bots.teams.activities import ANN, TENANT

GOLDEN = Path(__file__).parent / "golden"
URL = "https://linear.test/acme/issue/ENG-142/search"
EVE = Author("linear", "user-eve", "Eve")
ISSUE = IssueLinked(identifier="ENG-142", title='Issue search ignores "Include archived"', url=URL)
TURN = TurnId("turn-1")
PLAN = (
    PlanStep("Reproduce with a failing test", StepStatus.COMPLETED),
    PlanStep("Respect includeArchivedProjects in `issueSearch`", StepStatus.IN_PROGRESS),
    PlanStep("Rewrite ranking", StepStatus.CANCELED),
    PlanStep("Run the search tests", StepStatus.PENDING),
)
RUNNING = ProgressCard(
    turn=TURN,
    issue=ISSUE,
    routed=Routed(repository="acme/shop", reason="because this channel maps to it"),
    plan=PLAN,
    doing="Running `pytest tests/search`",
    elapsed_s=250,
    cost_usd=0.31,
)
ENDED = ProgressCard(turn=TURN, issue=ISSUE, plan=PLAN, elapsed_s=375, cost_usd=0.42, outcome=Outcome.DONE)
QUESTION = Elicitation(
    id=ElicitationId("q1"),
    body="when both toggles are on, which wins?",
    options=(Option("archived", "Archived wins"), Option("hidden", "Hidden wins")),
    asked=(ANN, Author("linear", "user-bob", "Bob")),
)
REPOSITORIES = Elicitation(
    id=ElicitationId("q2"),
    body="Which repository is this about?",
    options=tuple(Option(f"acme/{n}", f"acme/{n}") for n in range(6)),
)
SEVERAL = Elicitation(id=ElicitationId("q3"), body="Which?", options=QUESTION.options, multiple=True)
OPEN = Elicitation(id=ElicitationId("q4"), body="Which wins?", asked=(EVE,))
CODE = Elicitation(
    id=ElicitationId("q5"),
    body="Is this plan right?\n\n1. Reproduce\n2. Fix\n\n```python\nassert found\n```\n\nElse **say so**.",
    options=(Option("approve", "Go on"), Option("change", "Change it")),
)
CLOSED = QuestionItem(QUESTION, Answered(elicitation=QUESTION.id, by=EVE, answer="archived"))
FAILURE = FailureItem(
    Error(code=Blocker.MODEL_LIMIT, body="The budget of this session ($5.00) is used.", action="Add $5."), ANN
)
STORY: dict[str, ChatItem] = {
    "running": RUNNING,
    "first_sign": ProgressCard(turn=TURN),
    "waiting": ProgressCard(
        turn=TURN, blocked=Blocked(code=Blocker.QUEUED, body="Queued: 2 ahead."), elapsed_s=52
    ),
    "ended": ENDED,
    "question": QuestionItem(QUESTION),
    "question_from_a_list": QuestionItem(REPOSITORIES),
    "question_with_several_answers": QuestionItem(SEVERAL),
    "question_in_words": QuestionItem(OPEN),
    "question_with_code": QuestionItem(CODE),
    "question_answered": CLOSED,
    "answer": AnswerItem("Fixed. **214** tests pass:\n\n```\n214 passed\n```", ANN),
    "failure": FAILURE,
    "quote": QuoteItem(EVE, "don't touch ranking"),
    "notice": NoticeItem("Nothing is running here."),
}
HOME = acme().conversation("19:eng@thread.tacv2")

RENDER: Render = render


def only(item: ChatItem) -> Payload:
    payloads = RENDER(item)
    assert len(payloads) == 1
    return payloads[0]


def card(payload: Payload) -> dict[str, Any]:
    (attachment,) = payload["attachments"]
    content: dict[str, Any] = attachment["content"]
    return content


def shown(payload: Payload) -> str:
    """What people read, buttons in brackets. Fails if Teams would not take the message."""
    draft = draft_of(dict(payload), HOME, is_targeted=False, is_edit=False)
    return plain_text(draft.text, draft.cards)


def titles(payload: Payload) -> list[str]:
    return [action["title"] for action in card(payload).get("actions", [])]


# As it looks


@pytest.mark.parametrize("name", STORY)
def test_message_is_as_it_was_agreed(name: str) -> None:
    agreed = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert only(STORY[name]) == agreed


def test_every_agreed_message_is_in_the_story() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(STORY)


def test_running_turn_shows_plan_and_what_happens_now() -> None:
    assert shown(only(RUNNING)).split("\n") == [
        'ENG-142 · Issue search ignores "Include archived"',
        "acme/shop, because this channel maps to it",
        "✓ Reproduce with a failing test",
        "◐ Respect includeArchivedProjects in issueSearch",
        "– Rewrite ranking",
        "○ Run the search tests",
        "Running pytest tests/search · 4 min · $0.31",
        "[Open in Linear] [Stop]",
    ]


def test_ended_turn_shrinks_to_one_line_without_buttons() -> None:
    assert shown(only(ENDED)) == "ENG-142 · done in 6 min · $0.42 · Open in Linear"


def test_question_offers_its_options_and_words() -> None:
    assert shown(only(QuestionItem(QUESTION))).split("\n") == [
        "Question for @Ann and Bob:",
        "when both toggles are on, which wins?",
        "or answer in this thread (mention me if I do not react)",
        "[Archived wins] [Hidden wins] [Something else]",
    ]


def test_answered_question_has_nothing_left_to_press() -> None:
    assert titles(only(CLOSED)) == []
    assert shown(only(CLOSED)).endswith("→ Answered by Eve in Linear: Archived wins")


# The same story as in Slack


def slack_words(payload: Payload) -> Iterator[str]:
    """The text of Slack's blocks without its markup."""
    for block in payload["blocks"]:
        match block:
            case {"type": "markdown", "text": text} | {"type": "section", "text": {"text": text}}:
                yield text
            case {"type": "context", "elements": elements}:
                yield from (element["text"] for element in elements)
            case _:
                continue


def unmarked(text: str) -> str:
    """Words only: Slack's links and mentions as their labels, without marks of code, bold and strike."""
    text = re.sub(r"<@[^>]+>", "@Ann", re.sub(r"<[^@|>]+\|([^>]*)>", r"\1", text))
    words = re.sub(r"[`*~]|^```\w*$", "", text, flags=re.MULTILINE)
    return " ".join(words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").split())


@pytest.mark.parametrize("name", sorted(set(STORY) - {"question_with_code"}))
def test_teams_says_what_slack_says(name: str) -> None:
    in_slack = STORY[name]
    if isinstance(in_slack, AnswerItem):
        in_slack = AnswerItem(in_slack.body, Author("slack", "T0001/U0ANN", "Ann"))
    if isinstance(in_slack, FailureItem):
        in_slack = FailureItem(in_slack.error, Author("slack", "T0001/U0ANN", "Ann"))
    if isinstance(in_slack, QuestionItem) and ANN in in_slack.question.asked:
        ann, *others = in_slack.question.asked
        asked = (replace(ann, surface="slack", id="T0001/U0ANN"), *others)
        in_slack = replace(in_slack, question=replace(in_slack.question, asked=asked))
    (slack,) = slack_render(in_slack)
    in_teams = re.sub(r"^(\[.*\]|.*\( \) .*)$", "", shown(only(STORY[name])), flags=re.MULTILINE)
    assert unmarked(in_teams.replace(f" {UNHEARD}", "")) == unmarked("\n".join(slack_words(slack)))


# Answers


def test_answer_tells_the_person_who_asked_and_that_a_model_wrote_it() -> None:
    payload = only(AnswerItem("Fixed.", ANN))
    mention, label = payload["entities"]
    assert payload["text"] == "<at>Ann</at>\n\nFixed."
    assert mention == {
        "type": "mention",
        "text": "<at>Ann</at>",
        "mentioned": {"id": "29:ann", "name": "Ann"},
    }
    assert label["additionalType"] == ["AIGeneratedContent"]


@pytest.mark.parametrize(
    "to", [None, EVE, Author("teams", "no-user", "x"), Author("teams", f"{TENANT}/29:x", " ")]
)
def test_only_teams_accounts_are_mentioned(to: Author | None) -> None:
    assert only(FailureItem(FAILURE.error, to)).get("entities") is None


def test_name_of_the_mentioned_is_no_markup() -> None:
    ann = Author("teams", f"{TENANT}/29:ann", "</at><b>Ann & Co")
    payload = only(AnswerItem("Fixed.", ann))
    assert payload["entities"][0]["text"] in payload["text"]
    assert shown(payload) == "@\u200b/atbAnn  Co\n\nFixed."


def test_long_answer_comes_in_parts_and_mentions_once() -> None:
    paragraphs = [f"{n} " + "word " * 1_900 for n in range(6)]
    payloads = render(AnswerItem("\n\n".join(paragraphs), ANN))
    assert [payload["text"][:15].split()[0] for payload in payloads] == ["<at>Ann</at>", "2", "4"]
    assert [len(payload["entities"]) for payload in payloads] == [2, 1, 1]


def test_code_in_a_long_answer_stays_code() -> None:
    code = "\n".join(f"line {n}" for n in range(6_000))
    payloads = render(AnswerItem(f"See:\n\n```python\n{code}\n```", None))
    assert len(payloads) > 1
    for payload in payloads:
        assert payload["text"].count("```") % 2 == 0
        assert "```python\n" in payload["text"]
    lines = [line for payload in payloads for line in payload["text"].split("\n") if line.startswith("line ")]
    assert "\n".join(lines) == code


def test_empty_answer_is_still_an_answer() -> None:
    assert only(AnswerItem(" \n", None))["text"] == "Done."


# Questions


def test_question_wakes_whom_it_asks() -> None:
    payload = only(QuestionItem(QUESTION))
    (mention,) = card(payload)["msteams"]["entities"]
    assert mention == {
        "type": "mention",
        "text": "<at>Ann</at>",
        "mentioned": {"id": "29:ann", "name": "Ann"},
    }
    assert card(payload)["body"][0]["text"] == "Question for <at>Ann</at> and Bob:"
    assert payload["summary"] == "Question for Ann and Bob: when both toggles are on, which wins?"
    assert "entities" not in card(only(CLOSED))["msteams"]


def test_question_itself_mentions_nobody() -> None:
    body = "Is <at>Ann</at> right?\n\n```\n<at>Ann</at>\n```"
    payload = only(QuestionItem(replace(QUESTION, body=body)))
    assert [json.dumps(each).count("<at>") for each in card(payload)["body"]] == [1, 0, 0, 0]


def test_list_says_which_value_stands_behind_which_line() -> None:
    content = card(only(QuestionItem(REPOSITORIES)))
    (field,) = [element for element in content["body"] if element["type"] == "Input.ChoiceSet"]
    assert [choice["title"] for choice in field["choices"]] == [f"acme/{n}" for n in range(6)]
    answer, other = content["actions"]
    assert answer["data"]["threadline"]["gives"] == [f"acme/{n}" for n in range(6)]
    assert (answer["title"], other["associatedInputs"]) == ("Answer", "none")


def test_several_answers_are_given_by_their_labels() -> None:
    content = card(only(QuestionItem(SEVERAL)))
    assert content["body"][1]["isMultiSelect"] is True
    assert content["actions"][0]["data"]["threadline"]["gives"] == ["Archived wins", "Hidden wins"]


def test_every_execute_has_a_fallback_with_the_same_data() -> None:
    actions = [action for item in STORY.values() for action in _actions(only(item))]
    executed = [action for action in actions if action["type"] == "Action.Execute"]
    assert executed
    for action in executed:
        assert action["fallback"] == {
            "type": "Action.Submit",
            "title": action["title"],
            "data": action["data"],
        }


def _actions(payload: Payload) -> list[dict[str, Any]]:
    return [
        action for each in payload.get("attachments", []) for action in each["content"].get("actions", [])
    ]


@pytest.mark.parametrize(
    "question",
    [
        Elicitation(id=ElicitationId("q" * 300), body="Which?", options=QUESTION.options),
        Elicitation(
            id=ElicitationId("q"), body="Which?", options=(Option("v" * 600, "long"), Option("", "none"))
        ),
        Elicitation(
            id=ElicitationId("q"), body="Which?", options=tuple(Option("v" * 200, f"{n}") for n in range(9))
        ),
    ],
    ids=["id", "values", "values in a list"],
)
def test_what_no_button_can_carry_is_answered_in_the_thread(question: Elicitation) -> None:
    payload = only(QuestionItem(question))
    assert "or answer in this thread" in shown(payload)
    assert set(titles(payload)) <= {"Something else"}


def test_long_list_is_cut() -> None:
    options = tuple(Option(f"{n}", f"{n}") for n in range(100))
    content = card(only(QuestionItem(Elicitation(id=ElicitationId("q"), body="Which?", options=options))))
    assert len(content["body"][1]["choices"]) == MENU_OPTIONS


def test_much_code_in_a_question_is_shown_as_it_came() -> None:
    body = "\n".join("```\na\n```" for _ in range(30))
    content = card(only(QuestionItem(Elicitation(id=ElicitationId("q"), body=body))))
    assert [element["type"] for element in content["body"]] == ["TextBlock", "RichTextBlock"]
