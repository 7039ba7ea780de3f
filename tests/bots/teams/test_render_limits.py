"""Whatever is to be shown, Teams takes it, and nobody is woken up by it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.teams.render import BUTTON_VALUE_CHARS, MENU_VALUE_CHARS, TEXT_CHARS, render
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
from core.ids import ElicitationId
from core.mirror.cards import (
    AnswerItem,
    ChatItem,
    FailureItem,
    NoticeItem,
    ProgressCard,
    QuestionItem,
    QuoteItem,
)
from core.ports import Payload
from playground.teams_checks import MAX_BYTES, size
from tests.bots.teams.activities import TENANT
from tests.bots.teams.test_render import TURN, URL, shown

texts = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            [
                "<at>Bob</at> ",
                "<at>",
                "</at>",
                "@channel ",
                "<b>",
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
            ]
        ),
        max_size=20,
    ).map("".join),
    st.builds(
        lambda unit, times: unit * times,
        st.sampled_from(["word ", "&", '"', "\x01", "😀", "```\na\n```\n", "<at>x</at>", "a\n\n"]),
        st.integers(1, 9_000),
    ),
)
authors = st.builds(Author, st.sampled_from(["slack", "linear", "teams"]), st.just(f"{TENANT}/29:ann"), texts)
issues = st.none() | st.builds(IssueLinked, identifier=texts, title=texts, url=texts | st.just(URL))
options = st.lists(st.builds(Option, texts, texts), max_size=40).map(tuple)
questions = st.builds(
    Elicitation,
    id=texts.map(ElicitationId),
    body=texts,
    options=options,
    asked=st.lists(authors, max_size=3).map(tuple),
    multiple=st.booleans(),
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


def in_cards(payload: Payload) -> Iterator[dict[str, Any]]:
    for each in payload.get("attachments", ()):
        yield from each["content"]["msteams"].get("entities", ())


@given(items)
def test_teams_takes_every_item_and_nobody_else_is_mentioned(item: ChatItem) -> None:
    payloads = render(item)
    assert len(payloads) == 1 or isinstance(item, AnswerItem)
    for payload in payloads:
        # The connector's own checks: size, cards, and an entity for every mention.
        shown(payload)
        entities = [*payload.get("entities", ()), *in_cards(payload)]
        mentioned = [entity for entity in entities if entity["type"] == "mention"]
        assert {entity["mentioned"]["id"] for entity in mentioned} <= {"29:ann"}
        assert len(payload.get("text", "").encode("utf-16-le")) // 2 <= 2 * TEXT_CHARS + 300


WIDE = ("😀", '"', "\\", "\n", "<at>", "&", "`a`**b**", "[a](https://b.test)")
ADDRESS_BYTES = 2_000
"""More than an address adds to a message."""


def fits(item: ChatItem) -> bool:
    return all(size(dict(payload)) <= MAX_BYTES - ADDRESS_BYTES for payload in render(item))


@pytest.mark.parametrize("unit", WIDE)
@pytest.mark.parametrize("count", [5, 40])
@pytest.mark.parametrize("multiple", [False, True])
def test_the_largest_question_fits(unit: str, count: int, *, multiple: bool) -> None:
    long = unit * 20_000
    values = BUTTON_VALUE_CHARS if count <= 5 else MENU_VALUE_CHARS
    question = Elicitation(
        id=ElicitationId(long[:255]),
        body=long,
        options=tuple(Option(long[:values], f"{n}{long}") for n in range(count)),
        asked=(Author("teams", f"{TENANT}/29:ann", long), Author("linear", "user-eve", long)),
        multiple=multiple,
    )
    assert fits(QuestionItem(question))


@pytest.mark.parametrize("unit", WIDE)
def test_the_largest_answer_and_card_fit(unit: str) -> None:
    long = unit * 20_000
    card = ProgressCard(
        turn=TURN,
        issue=IssueLinked(identifier=long, title=long, url="https://x.test/" + "a" * 980),
        routed=Routed(repository=long, reason=long),
        plan=tuple(PlanStep(long, StepStatus.CANCELED) for _ in range(20)),
        doing=long,
    )
    assert fits(card)
    assert fits(AnswerItem(f"x{unit}" * 40_000, Author("teams", f"{TENANT}/29:ann", long)))


@given(texts)
def test_no_word_of_an_answer_is_lost(body: str) -> None:
    text = " ".join(payload["text"] for payload in render(AnswerItem(body, None)))
    letters = "".join(re.findall(r"\w+", body))
    if letters and "`" not in body:
        assert "".join(re.findall(r"\w+", text)) == letters
