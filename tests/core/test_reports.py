from datetime import UTC, datetime, timedelta

import pytest

from core.activities import (
    Action,
    Answered,
    Author,
    Blocked,
    Blocker,
    Elicitation,
    Entry,
    IssueLinked,
    Logged,
    Outcome,
    Plan,
    PlanStep,
    Prompt,
    Response,
    Routed,
    StepStatus,
    TurnEnded,
    TurnStarted,
)
from core.ids import ElicitationId, EntryKey, TurnId
from core.reports import HELP, Shown, status, why

START = datetime(2026, 11, 21, 10, 2, 11, tzinfo=UTC)
ANN = Author("slack", "T0001/U0ANN", "Ann")
TURN = TurnId("turn:1")

BEGUN: tuple[Entry, ...] = (
    TurnStarted(turn=TURN, author=ANN),
    Prompt(author=ANN, body="search ignores archived projects"),
    IssueLinked(identifier="ENG-142", title="Search", url="https://linear.test/ENG-142"),
    Routed(repository="acme/shop", reason="because this channel maps to it"),
)
QUESTION = Elicitation(id=ElicitationId("q"), body="Which wins?")
RUNNING = (*BEGUN, Action(action="Running", parameter="`pytest`", ephemeral=True))
ENDED = (*RUNNING, Response(body="Done."), TurnEnded(turn=TURN, outcome=Outcome.DONE, elapsed_s=5))


def log(entries: tuple[Entry, ...]) -> list[Logged]:
    """The entries, a second apart."""
    return [
        Logged(n, EntryKey(str(n)), entry, START + timedelta(seconds=n)) for n, entry in enumerate(entries)
    ]


@pytest.mark.parametrize(
    ("entries", "line"),
    [
        ((), "No issue yet · nothing has been asked yet."),
        (RUNNING, "ENG-142 · Running `pytest` · 4 min."),
        (
            (*RUNNING, Plan(steps=(PlanStep("a", StepStatus.COMPLETED), PlanStep("b", StepStatus.PENDING)))),
            "ENG-142 · Running `pytest` · 1 of 2 steps done · 4 min.",
        ),
        (
            (*BEGUN, Blocked(code=Blocker.QUEUED, body="Queued: 2 ahead.")),
            "ENG-142 · Queued: 2 ahead. · 4 min.",
        ),
        (ENDED, "ENG-142 · the last turn was done at 10:02:17."),
    ],
    ids=["nothing", "running", "plan", "queued", "ended"],
)
def test_status_says_in_one_line_where_it_stands(entries: tuple[Entry, ...], line: str) -> None:
    assert status(log(entries), START + timedelta(minutes=4)) == line


def test_why_tells_the_trail_of_a_waiting_session() -> None:
    entries = (*BEGUN, Blocked(code=Blocker.QUEUED, body="Queued: 2 ahead.", action="Stop"))
    shown = [Shown("linear", 4, 5), Shown("slack", 5, 5)]
    assert why(log(entries), shown, START).splitlines() == [
        "Accepted from Slack, Ann, 10:02:12 · thread linked to ENG-142",
        "Routed to acme/shop: because this channel maps to it",
        "Waiting since 10:02:15: Queued: 2 ahead.",
        "Mirrored: Linear 4 of 5, Slack 5 of 5",
        "Next: Stop",
    ]


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        (RUNNING, "Running since 10:02:11: Running `pytest`"),
        ((*RUNNING, QUESTION), "Waiting since 10:02:16: for an answer to a question in this thread"),
        (
            (*RUNNING, QUESTION, Answered(elicitation=QUESTION.id, by=ANN, answer="A")),
            "Running since 10:02:11: Running `pytest`",
        ),
        (ENDED, "Idle: the last turn was done at 10:02:17"),
        ((), "Idle: nothing has run yet"),
    ],
    ids=["running", "asked", "answered", "ended", "nothing"],
)
def test_why_says_what_it_waits_for(entries: tuple[Entry, ...], state: str) -> None:
    assert state in why(log(entries), [], START).splitlines()


def test_why_says_that_a_side_is_gone() -> None:
    shown = [Shown("linear", 4, 9, suppressed="linear.gone")]
    assert "Mirrored: Linear stopped: linear.gone" in why(log(RUNNING), shown, START)


@pytest.mark.parametrize("entries", [(), RUNNING, ENDED], ids=["nothing", "running", "ended"])
def test_why_never_takes_more_than_five_lines(entries: tuple[Entry, ...]) -> None:
    assert len(why(log(entries), [Shown("slack", 1, 1)], START).splitlines()) <= 5


def test_help_fits_one_screen() -> None:
    assert len(HELP.splitlines()) <= 8


def test_help_says_who_it_is_and_asks_for_no_mention_where_we_are_alone() -> None:
    # It is also the welcome, for people who have never heard of us.
    assert HELP.startswith("I work in your code and tell of it here and in Linear. Say what to do;")
    assert "where others talk, mention me" in HELP
