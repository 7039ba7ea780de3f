"""What is posted in place of a message of which nobody knows whether it arrived."""

from dataclasses import replace

import pytest

from bots.teams.doubts import MAYBE_SAID, MAYBE_SHOWN, SHOW, doubted
from bots.teams.render import AI_GENERATED, TEXT_CHARS, render
from core.activities import Author, Elicitation, Option, Outcome
from core.ids import ElicitationId, TurnId
from core.mirror.cards import AnswerItem, ChatItem, NoticeItem, ProgressCard, QuestionItem
from core.ports import Payload
from playground.teams_checks import draft_of
from playground.teams_reading import actions_of, card_lines
from playground.teams_seed import acme

ENG = acme().conversation("19:eng@thread.tacv2")
ANN = Author("teams", "t/29:ann", "Ann")
TURN = TurnId("t1")
QUESTION = Elicitation(id=ElicitationId("q1"), body="Which wins?", options=(Option("a", "Archived"),))


def shown(payload: Payload) -> str:
    """What people read of it, once Teams took it."""
    draft = draft_of(payload, ENG, is_targeted=False, is_edit=False)
    return "\n".join(filter(None, (line for card in draft.cards for line in card_lines(card))))


@pytest.mark.parametrize(
    "item",
    [NoticeItem("Nothing is running here."), AnswerItem("Fixed.", ANN), QuestionItem(QUESTION)],
    ids=["notice", "answer", "question"],
)
def test_words_are_behind_a_button(item: ChatItem) -> None:
    assert shown(doubted(render(item)[0])) == f"{MAYBE_SAID}\n[{SHOW}]"


def test_a_question_can_be_answered_behind_it() -> None:
    before, after = render(QuestionItem(QUESTION))[0], doubted(render(QuestionItem(QUESTION))[0])
    asked, hidden = ([*actions_of(one["attachments"][0]["content"])] for one in (before, after))
    assert [one for one in hidden if one["title"] != SHOW] == asked


@pytest.mark.parametrize("outcome", [None, Outcome.DONE], ids=["running", "ended"])
def test_a_progress_card_is_shown_with_a_word_about_its_double(outcome: Outcome | None) -> None:
    before = render(ProgressCard(turn=TURN, doing="Reading", outcome=outcome))[0]
    assert shown(doubted(before)) == f"{MAYBE_SHOWN}\n{shown(before)}"


def test_whom_it_is_for_is_told_and_a_model_s_words_stay_marked() -> None:
    before = render(AnswerItem("Fixed.", ANN))[0]
    after = doubted(before)
    mention, label = before["entities"]
    assert after["entities"] == [label] == [AI_GENERATED]
    assert after["attachments"][0]["content"]["msteams"]["entities"] == [mention]


def test_whom_a_question_asks_is_told_too() -> None:
    before = render(QuestionItem(replace(QUESTION, asked=(ANN,))))[0]
    after = doubted(before)
    mentioned = before["attachments"][0]["content"]["msteams"]["entities"]
    assert [one["mentioned"]["id"] for one in mentioned] == ["29:ann"]
    assert after["attachments"][0]["content"]["msteams"]["entities"] == mentioned
    assert shown(after) == f"{MAYBE_SAID}\n[{SHOW}]"


@pytest.mark.parametrize("text", ["wörd ", "```py\nx = 1\n```\n", "\U0001f600", '"\\'])
def test_the_longest_part_of_an_answer_is_taken_by_teams(text: str) -> None:
    for part in render(AnswerItem(text * TEXT_CHARS, ANN))[:2]:
        assert shown(doubted(part)) == f"{MAYBE_SAID}\n[{SHOW}]"
