"""The stand-in's pure parts: quotas, prices of documents, faults, ids."""

from datetime import UTC, datetime, timedelta

import pytest
from graphql import build_schema, parse
from hypothesis import given
from hypothesis import strategies as st

from playground.linear_clock import Clock, iso
from playground.linear_documents import Document, complexity
from playground.linear_faults import Fault, Faults
from playground.linear_ids import slug
from playground.linear_quota import Quota
from playground.linear_schema import read_sdl

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
SCHEMA = build_schema(read_sdl())


@pytest.mark.parametrize(
    ("query", "variables", "points"),
    [
        ("{ viewer { id } }", {}, 2),
        ("{ viewer { id name organization { id } } }", {}, 3),
        ("{ teams(first: 2) { nodes { id key } } }", {}, 3),
        ("{ teams { nodes { id } } }", {}, 55),
        ("query Q($n: Int) { teams(first: $n) { nodes { id } } }", {"n": 3}, 4),
        ("{ teams(first: 2) { nodes { states(last: 3) { nodes { id } } } } }", {}, 9),
        ("{ viewer { ...U } } fragment U on User { id name }", {}, 2),
        (
            '{ agentActivity(id: "a") { content { __typename '
            "... on AgentActivityThoughtContent { body } } } }",
            {},
            3,
        ),
        ("{ viewer { ... { id } } }", {}, 2),
    ],
)
def test_a_document_costs_by_property_object_and_page(
    query: str, variables: dict[str, object], points: int
) -> None:
    ast = parse(query)
    operation = Document(ast).operation(None)
    assert operation is not None
    assert complexity(SCHEMA, ast, operation, variables) == points


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1800)), max_size=40))
def test_a_quota_never_grants_more_than_its_rate_allows(calls: list[tuple[int, int]]) -> None:
    quota, now, granted = Quota(5, 20, START), START, 0
    for points, seconds in calls:
        now += timedelta(seconds=seconds)
        granted += quota.take(points, now) is None
    assert granted <= 5 + 5 * ((now - START) / timedelta(hours=1)) + 1e-6
    assert 0 <= quota.points.remaining <= 20


@given(st.integers(1, 20))
def test_waiting_as_long_as_told_is_enough(points: int) -> None:
    quota = Quota(5, 20, START)
    assert quota.take(20, START) is None
    wait = quota.take(points, START)
    assert wait is not None
    assert quota.take(points, START + wait + timedelta(milliseconds=1)) is None


def test_faults_are_used_up_in_order_and_only_by_what_they_hit() -> None:
    faults = Faults()
    faults.add(Fault("CreateIssue", "answer", message="first"))
    faults.add(Fault("*", "answer", times=2, message="second"))
    hits = [faults.next_for({name}) for name in ("Workspace", "CreateIssue", "CreateIssue", "CreateIssue")]
    assert [each.message if each else None for each in hits] == ["second", "first", "second", None]


def test_a_clock_follows_the_machine_or_stands_still() -> None:
    still, real = Clock(START), Clock()
    still.advance(timedelta(minutes=1))
    real.advance(timedelta(days=1))
    assert still.now() == START + timedelta(minutes=1)
    assert real.now() - datetime.now(UTC) > timedelta(hours=23)
    assert iso(still.now()) == "2026-11-02T09:01:00.000Z"
    with pytest.raises(ValueError, match="backwards"):
        still.advance(timedelta(seconds=-1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Fix the login page", "fix-the-login-page"), ("  Ünicode & <b>!", "nicode-b"), ("x" * 80, "x" * 50)],
)
def test_a_slug_has_words_and_hyphens_only(text: str, expected: str) -> None:
    assert slug(text) == expected
