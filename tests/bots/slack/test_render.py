"""The story of a session as Slack shows it, in golden transcripts."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.slack.buttons import question_block
from bots.slack.render import MARKDOWN_CHARS, render
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
from core.mirror.words import duration, money
from core.ports import Payload
from playground.slack_blocks import check_blocks

ANN = Author("slack", "T0001/U0ANN", "Ann")
EVE = Author("linear", "user-eve", "Eve")
URL = "https://linear.test/acme/issue/ENG-142/search"
ISSUE = IssueLinked(identifier="ENG-142", title='Issue search ignores "Include archived"', url=URL)
TURN = TurnId("turn-1")
QUESTION = Elicitation(
    id=ElicitationId("q1"),
    body="when both toggles are on, which wins?",
    options=(Option("archived", "Archived wins"), Option("hidden", "Hidden wins")),
    asked=(ANN, Author("teams", "t/29:bob", "Bob")),
)


RENDER: Render = render


def only(item: ChatItem) -> Payload:
    payloads = RENDER(item)
    assert len(payloads) == 1
    return payloads[0]


def shown(payload: Payload) -> str:
    """The blocks as text: sections and Markdown as they are, buttons in brackets."""
    return "\n".join(line for block in payload["blocks"] for line in _shown(block))


def _shown(block: dict[str, Any]) -> list[str]:
    match block["type"]:
        case "actions":
            return [" ".join(map(_element, block["elements"]))]
        case "context":
            return [element["text"] for element in block["elements"]]
        case "section":
            return [block["text"]["text"]]
        case _:
            return [block["text"]]


def _element(element: dict[str, Any]) -> str:
    if element["type"] == "static_select":
        return " | ".join(option["text"]["text"] for option in element["options"])
    return f"[{element['text']['text']}]"


def buttons(payload: Payload) -> list[dict[str, Any]]:
    actions = (block["elements"] for block in payload["blocks"] if block["type"] == "actions")
    return [element for elements in actions for element in elements]


# Progress


def test_running_turn_shows_plan_and_what_happens_now() -> None:
    card = ProgressCard(
        turn=TURN,
        issue=ISSUE,
        routed=Routed(repository="acme/shop", reason="because this channel maps to it"),
        plan=(
            PlanStep("Reproduce with a failing test", StepStatus.COMPLETED),
            PlanStep("Respect includeArchivedProjects in `issueSearch`", StepStatus.IN_PROGRESS),
            PlanStep("Rewrite ranking", StepStatus.CANCELED),
            PlanStep("Run the search tests", StepStatus.PENDING),
        ),
        doing="Running `pytest tests/search`",
        elapsed_s=250,
        cost_usd=0.31,
    )
    payload = only(card)
    assert shown(payload).split("\n") == [
        f'<{URL}|ENG-142 · Issue search ignores "Include archived">',
        "acme/shop, because this channel maps to it",
        "✓ Reproduce with a failing test",
        "◐ Respect includeArchivedProjects in `issueSearch`",
        "– ~Rewrite ranking~",
        "○ Run the search tests",
        "Running `pytest tests/search` · 4 min · $0.31",
        "[Open in Linear] [Stop]",
    ]
    assert (
        payload["text"] == 'ENG-142 · Issue search ignores "Include archived": Running `pytest tests/search`'
    )
    opened, stop = buttons(payload)
    assert opened["url"] == URL
    assert (stop["action_id"], stop["value"]) == ("stop", "turn-1")


def test_first_sign_needs_nothing_known() -> None:
    assert shown(only(ProgressCard(turn=TURN))) == "On it.\n[Stop]"


def test_what_work_waits_for_stands_in_place_of_what_it_does() -> None:
    blocked = Blocked(code=Blocker.QUEUED, body="Queued: 2 ahead.")
    card = ProgressCard(turn=TURN, doing="Reading", blocked=blocked, elapsed_s=52)
    assert shown(only(card)) == "Queued: 2 ahead. · 52 s\n[Stop]"


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (Outcome.DONE, f"ENG-142 · done in 6 min · $0.42 · <{URL}|Open in Linear>"),
        (Outcome.STOPPED, f"ENG-142 · stopped after 6 min · $0.42 · <{URL}|Open in Linear>"),
        (Outcome.FAILED, f"ENG-142 · failed after 6 min · $0.42 · <{URL}|Open in Linear>"),
    ],
)
def test_ended_turn_shrinks_to_one_line_without_buttons(outcome: Outcome, line: str) -> None:
    plan = (PlanStep("Reproduce", StepStatus.COMPLETED),)
    payload = only(
        ProgressCard(turn=TURN, issue=ISSUE, plan=plan, elapsed_s=375, cost_usd=0.42, outcome=outcome)
    )
    assert shown(payload) == line
    assert payload["text"] == line.rpartition(" · ")[0]


def test_ended_turn_without_issue_or_cost_says_what_it_knows() -> None:
    assert shown(only(ProgressCard(turn=TURN, elapsed_s=3, outcome=Outcome.STOPPED))) == "stopped after 3 s"


def test_long_plan_shows_the_steps_around_the_one_at_work() -> None:
    statuses = [*[StepStatus.COMPLETED] * 20, StepStatus.IN_PROGRESS, *[StepStatus.PENDING] * 20]
    plan = tuple(PlanStep(f"step {n}", status) for n, status in enumerate(statuses, 1))
    lines = shown(only(ProgressCard(turn=TURN, plan=plan))).split("\n")
    assert lines[0] == "… 14 more before"
    assert lines[1:13] == [
        *(f"✓ step {n}" for n in range(15, 21)),
        "◐ step 21",
        *(f"○ step {n}" for n in range(22, 27)),
    ]
    assert lines[13] == "… 15 more after"


# Answers and failures


def test_answer_tells_the_person_who_asked() -> None:
    payload = only(AnswerItem("Fixed. **214** tests pass.", ANN))
    assert shown(payload) == "<@U0ANN>\nFixed. **214** tests pass."
    assert payload["text"] == "<@U0ANN> Fixed. **214** tests pass."


@pytest.mark.parametrize("to", [None, EVE, Author("slack", "T0001/U0|x>", "x")])
def test_only_slack_accounts_are_mentioned(to: Author | None) -> None:
    assert shown(only(AnswerItem("Fixed.", to))) == "Fixed."


def test_long_answer_comes_in_parts_and_mentions_once() -> None:
    paragraphs = [f"{n} " + "word " * 1_000 for n in range(6)]
    payloads = render(AnswerItem("\n\n".join(paragraphs), ANN))
    assert [shown(payload)[:11] for payload in payloads] == ["<@U0ANN>\n0 ", "2 word word", "4 word word"]
    assert [payload["text"].startswith("<@U0ANN>") for payload in payloads] == [True, False, False]


def test_empty_answer_is_still_an_answer() -> None:
    assert shown(only(AnswerItem(" \n", None))) == "Done."


def test_failure_is_a_sentence_and_what_can_be_done() -> None:
    error = Error(
        code=Blocker.MODEL_LIMIT, body="The budget of this session ($5.00) is used.", action="Add $5."
    )
    assert shown(only(FailureItem(error, ANN))) == (
        "<@U0ANN>\nThe budget of this session ($5.00) is used. Add $5."
    )


# Questions


def test_open_question_has_a_button_for_each_option() -> None:
    payload = only(QuestionItem(QUESTION))
    assert shown(payload) == (
        "Question for <@U0ANN> and Bob:\nwhen both toggles are on, which wins?\n"
        "[Archived wins] [Hidden wins]\n"
        "or answer in this thread"
    )
    assert [button["value"] for button in buttons(payload)] == ["archived", "hidden"]
    assert payload["blocks"][2]["block_id"] == question_block(QUESTION.id)


def test_answered_question_says_who_answered_what_and_where() -> None:
    answered = Answered(elicitation=QUESTION.id, by=EVE, answer="archived")
    payload = only(QuestionItem(QUESTION, answered))
    assert shown(payload) == (
        "Question for Ann and Bob: when both toggles are on, which wins?\n"
        "→ Answered by Eve in Linear: Archived wins"
    )
    assert payload["text"] == "→ Answered by Eve in Linear: Archived wins"


def test_free_answer_is_shown_as_it_was_given() -> None:
    answered = Answered(elicitation=QUESTION.id, by=ANN, answer="neither, <!channel>")
    assert shown(only(QuestionItem(QUESTION, answered))).endswith(
        "→ Answered by Ann in Slack: neither, &lt;!channel&gt;"
    )


def test_question_wakes_whom_it_asks_and_nobody_else() -> None:
    bob = Author("teams", "t/29:bob", "Bob & <!here>")
    question = replace(QUESTION, body="is <@U0BOB> right?", asked=(ANN, bob))
    payload = only(QuestionItem(question))
    assert payload["text"].startswith("Question for <@U0ANN> and Bob &amp; &lt;!here&gt;: is &lt;")
    lead, body = payload["blocks"][:2]
    assert (lead["type"], lead["text"]["text"]) == (
        "section",
        "Question for <@U0ANN> and Bob &amp; &lt;!here&gt;:",
    )
    assert (body["type"], body["text"]) == ("markdown", "is <\u200b@U0BOB> right?")
    closed = only(QuestionItem(question, Answered(elicitation=question.id, by=EVE, answer="archived")))
    assert "<@U0ANN>" not in shown(closed)


def test_many_options_become_a_menu() -> None:
    options = tuple(Option(f"acme/{n}", f"acme/{n}") for n in range(6))
    question = Elicitation(id=ElicitationId("q2"), body="Which repository?", options=options, asked=(EVE,))
    payload = only(QuestionItem(question))
    assert shown(payload).split("\n")[:2] == [
        "Question for Eve: Which repository?",
        " | ".join(o.label for o in options),
    ]
    [menu] = buttons(payload)
    assert [option["value"] for option in menu["options"]] == [option.value for option in options]


def test_question_without_options_is_answered_in_the_thread() -> None:
    question = Elicitation(id=ElicitationId("q3"), body="Which wins?")
    assert shown(only(QuestionItem(question))) == "Question: Which wins?\nAnswer in this thread."


def test_several_choices_are_named_in_the_thread() -> None:
    question = Elicitation(id=ElicitationId("q4"), body="Which?", options=QUESTION.options, multiple=True)
    assert shown(only(QuestionItem(question))).endswith("[Hidden wins]\nor name several in this thread")


def test_long_question_keeps_its_markdown_and_is_one_message() -> None:
    body = "Is this plan right?\n\n1. Reproduce\n2. Fix\n" + "x " * 10_000
    payload = only(QuestionItem(Elicitation(id=ElicitationId("q5"), body=body, asked=(EVE, EVE, EVE))))
    assert shown(payload).startswith("Question for Eve, Eve and Eve:\n\nIs this plan right?\n\n1. Reproduce")
    assert payload["blocks"][0]["text"].endswith("\n\n…")


# Quotes and notices


def test_what_people_say_elsewhere_stands_under_their_name() -> None:
    assert shown(only(QuoteItem(EVE, "don't touch ranking"))) == "**Eve in Linear:** don't touch ranking"
    assert shown(only(QuoteItem(EVE, "- one\n- two"))) == "**Eve in Linear:**\n\n- one\n- two"


def test_notice_is_just_said() -> None:
    assert shown(only(NoticeItem("Nothing is running here."))) == "Nothing is running here."


# Any item


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_times_are_short(seconds: int, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("dollars", "text"), [(0, "$0.00"), (0.314, "$0.31"), (1234.5, "$1,234.50")])
def test_money_is_in_cents(dollars: float, text: str) -> None:
    assert money(dollars) == text


texts = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            [
                "<!channel> ",
                "<!here|x>",
                "<@U0BOB>",
                "@here ",
                "&",
                "<",
                "*",
                "~",
                "`",
                "```",
                "\n",
                "\n\n",
                "- a",
                "é",
                "|",
            ]
        ),
        max_size=20,
    ).map("".join),
    st.builds(
        lambda unit, times: unit * times,
        st.sampled_from(["word ", "&", "x", "```\n", "<@U1>"]),
        st.integers(1, 9_000),
    ),
)
authors = st.builds(Author, st.sampled_from(["slack", "linear", "teams"]), st.just("T0001/U0ANN"), texts)
issues = st.none() | st.builds(IssueLinked, identifier=texts, title=texts, url=texts | st.just(URL))
options = st.lists(st.builds(Option, texts, texts), max_size=8).map(tuple)
questions = st.builds(
    Elicitation,
    id=texts.map(ElicitationId),
    body=texts,
    options=options,
    asked=st.lists(authors, max_size=3).map(tuple),
)
items: st.SearchStrategy[ChatItem] = st.one_of(
    st.builds(
        ProgressCard,
        turn=st.just(TURN),
        issue=issues,
        routed=st.none() | st.builds(Routed, repository=texts, reason=texts),
        plan=st.lists(st.builds(PlanStep, texts, st.sampled_from(StepStatus)), max_size=20).map(tuple),
        doing=texts,
        blocked=st.none() | st.builds(Blocked, code=st.just(Blocker.QUEUED), body=texts, action=texts),
        elapsed_s=st.integers(0, 10_000),
        cost_usd=st.none() | st.floats(0, 1_000),
        outcome=st.none() | st.sampled_from(Outcome),
    ),
    st.builds(AnswerItem, texts, st.none() | authors),
    st.builds(
        FailureItem, st.builds(Error, code=st.just(Blocker.RESTART), body=texts, action=texts), authors
    ),
    st.builds(QuestionItem, questions),
    st.builds(
        lambda question, by, answer: QuestionItem(
            question, Answered(elicitation=question.id, by=by, answer=answer)
        ),
        questions,
        authors,
        texts,
    ),
    st.builds(QuoteItem, authors, texts),
    st.builds(NoticeItem, texts),
)
ACTIVE = re.compile(r"<!(channel|here|everyone|subteam|date)|<@(?!U0ANN>)[UW]", re.IGNORECASE)


def interpreted(payload: Payload) -> Sequence[str]:
    """Every text that Slack looks for mentions in."""
    texts = [payload["text"]]
    for block in payload["blocks"]:
        match block:
            case {"type": "markdown", "text": text} | {"type": "section", "text": {"text": text}}:
                texts.append(text)
            case {"type": "context", "elements": elements}:
                texts += [element["text"] for element in elements]
            case _:
                continue
    return texts


@given(items)
def test_every_item_fits_slack_s_limits_and_wakes_nobody(item: ChatItem) -> None:
    payloads = render(item)
    assert len(payloads) == 1 or isinstance(item, AnswerItem)
    for payload in payloads:
        check_blocks(payload["blocks"])
        assert 0 < len(payload["text"]) <= 3_000
        assert all(
            len(block["text"]) <= MARKDOWN_CHARS for block in payload["blocks"] if block["type"] == "markdown"
        )
        assert not any(ACTIVE.search(text) for text in interpreted(payload))
        json.dumps(payload)


@given(texts)
def test_no_word_of_an_answer_is_lost(body: str) -> None:
    shown_body = " ".join(
        block["text"] for payload in render(AnswerItem(body, None)) for block in payload["blocks"]
    )
    letters = "".join(re.findall(r"\w+", body))
    if letters and "`" not in body:
        assert "".join(re.findall(r"\w+", shown_body)) == letters
