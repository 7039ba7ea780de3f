from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.activities import (
    Action,
    Answered,
    Author,
    Blocked,
    Blocker,
    Elicitation,
    Entry,
    Error,
    Heartbeat,
    IssueLinked,
    Notice,
    Outcome,
    Plan,
    PlanStep,
    Prompt,
    Response,
    Routed,
    StepStatus,
    Thought,
    TurnEnded,
    TurnStarted,
    Unblocked,
)
from core.composer import place_name
from core.ids import ElicitationId, TurnId
from core.mirror.cards import ProgressCard
from core.mirror.story import DOING_LIMIT_CHARS, LASTING_KINDS, fold, tell
from tests.core.mirror.fakes import ANN, EVE, log_of
from tests.core.mirror.logs import random_log

FIRST, SECOND = TurnId("t1"), TurnId("t2")
STARTED = TurnStarted(turn=FIRST, author=ANN)
ISSUE = IssueLinked(identifier="ENG-142", title="Search", url="https://linear.test/ENG-142")
ROUTED = Routed(repository="acme/shop", reason="because this channel maps to it")
STEPS = (PlanStep("Reproduce", StepStatus.COMPLETED), PlanStep("Fix", StepStatus.IN_PROGRESS))
QUEUED = Blocked(code=Blocker.QUEUED, body="Queued: 2 ahead.")


def test_the_card_of_a_turn_grows_with_its_log() -> None:
    log = log_of(STARTED, ISSUE, ROUTED, Plan(steps=STEPS), Action(action="Running", parameter="`pytest`"))

    assert fold(log).card == ProgressCard(
        turn=FIRST, issue=ISSUE, routed=ROUTED, plan=STEPS, doing="Running `pytest`", elapsed_s=4
    )


def test_a_turn_that_is_over_keeps_its_outcome_and_the_next_one_starts_with_issue_and_cost() -> None:
    ended = TurnEnded(turn=FIRST, outcome=Outcome.STOPPED, elapsed_s=90, cost_usd=0.31)
    story = fold(log_of(STARTED, ISSUE, Plan(steps=STEPS), ended, TurnStarted(turn=SECOND, author=EVE)))

    assert story.cards[FIRST] == ProgressCard(
        turn=FIRST, issue=ISSUE, plan=STEPS, elapsed_s=90, cost_usd=0.31, outcome=Outcome.STOPPED
    )
    assert story.card == ProgressCard(turn=SECOND, issue=ISSUE, doing="Starting", cost_usd=0.31)
    assert story.author == EVE


@pytest.mark.parametrize(
    ("entries", "doing", "blocked"),
    [
        ((), "Starting", None),
        ((QUEUED,), "Starting", QUEUED),
        ((QUEUED, Unblocked(code=Blocker.QUEUED)), "Starting", None),
        ((QUEUED, Unblocked(code=Blocker.MODEL_BUSY)), "Starting", QUEUED),
        ((Blocked(code=Blocker.RESTART, body=""),), "I was restarted and continue.", None),
        ((Blocked(code=Blocker.RESTART, body=""), Thought(body="On.\nMore")), "On.", None),
        ((Blocked(code=Blocker.CHAT_THROTTLED, body="slow"),), "Starting", None),
        ((Thought(body=" \n"), Heartbeat(elapsed_s=60), Notice(body="x")), "Starting", None),
        ((Thought(body="x" * 900),), "x" * DOING_LIMIT_CHARS, None),
    ],
)
def test_what_the_progress_line_says(entries: tuple[Entry, ...], doing: str, blocked: Blocked | None) -> None:
    card = fold(log_of(STARTED, *entries)).card

    assert card is not None
    assert (card.doing, card.blocked) == (doing, blocked)


def test_trouble_from_before_a_turn_shows_in_its_card() -> None:
    down = Blocked(code=Blocker.LINEAR_DOWN, body="Linear does not answer.")
    card = fold(log_of(down, STARTED)).card

    assert card is not None
    assert card.blocked == down


@given(st.integers(0, 2**32), st.integers(0, 60))
def test_a_prefix_without_passing_entries_of_earlier_turns_gives_the_same_card(seed: int, cut: int) -> None:
    log = random_log(Random(seed), turns=3)[: cut + 1]
    turns = [one.n for one in log if one.entry.kind == "turnStarted"]
    kept = [one for one in log if one.n >= turns[-1] or one.entry.kind in LASTING_KINDS]
    whole, short = fold(log), fold(kept)

    assert short.card == whole.card
    assert replace(short, cards={}) == replace(whole, cards={})
    assert len(short.cards) == len(whole.cards)


def test_folding_bit_by_bit_is_folding_at_once() -> None:
    log = random_log(Random(7), turns=3)

    assert fold(log[9:], fold(log[:9])) == fold(log)


def test_the_story_in_plain_lines() -> None:
    question = Elicitation(id=ElicitationId("q"), body="Which wins?")
    lines = tell(
        log_of(
            STARTED,
            Prompt(author=ANN, body="fix it"),
            Thought(body="hm"),
            question,
            Answered(elicitation=question.id, by=EVE, answer="Archived"),
            Response(body="Fixed."),
            Error(code=Blocker.MODEL_KEY, body="The model refused our key."),
        )
    )

    assert lines == [
        "Ann in Slack: fix it",
        "Question: Which wins?",
        "Answered by Eve in Linear: Archived",
        "Response: Fixed.",
        "Error (model.key): The model refused our key.",
    ]


def test_surfaces_have_names_for_people() -> None:
    assert [place_name(Author(name, "1", "A").surface) for name in ("slack", "teams", "linear", "irc")] == [
        "Slack",
        "Teams",
        "Linear",
        "irc",
    ]
