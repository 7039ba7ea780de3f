from pathlib import Path

import pytest

from playground.linear_schema import read_sdl
from tests.playground.schema_subset import differences

CONTRACT = Path(__file__).parents[3] / "shared" / "contracts" / "linear-2026-10.graphql"

FULL = """
scalar DateTime
type Issue { id: ID! title: String! comments(first: Int, issueId: String!): [Comment!]! }
type Comment { id: ID! }
type Team { id: ID! }
union Source = Issue | Comment
enum Status { open closed }
input IssueInput { teamId: String! title: String priority: Int! = 0 }
"""


@pytest.mark.parametrize(
    ("sdl", "expected"),
    [
        (FULL, []),
        ("type Issue { id: ID! }", []),
        ("input IssueInput { teamId: String! }", []),
        ("enum Status { open }", []),
        ("type Ticket { id: ID! }", ["Ticket does not exist"]),
        ("input Issue { id: ID! }", ["Issue is of another kind"]),
        ("type Issue { name: String }", ["Issue.name does not exist"]),
        ("type Issue { title: String }", ["Issue.title is String!"]),
        ("type Issue { comments(issueId: String!): [Comment]! }", ["Issue.comments is [Comment!]!"]),
        ("type Issue { comments(first: Int): [Comment!]! }", ["Issue.comments.issueId is required"]),
        (
            "type Issue { comments(issueId: String!, size: Int): [Comment!]! }",
            ["Issue.comments.size does not exist"],
        ),
        (
            "type Issue { comments(issueId: String!, first: Int!): [Comment!]! }",
            ["Issue.comments.first is Int"],
        ),
        ("input IssueInput { title: String }", ["IssueInput.teamId is required"]),
        ("input IssueInput { teamId: String! label: String }", ["IssueInput.label does not exist"]),
        ("enum Status { open reopened }", ["Status.reopened does not exist"]),
        ("union Source = Issue | Team", ["Source.Team does not exist"]),
    ],
)
def test_every_claim_beyond_the_full_schema_is_named(sdl: str, expected: list[str]) -> None:
    assert differences(sdl, FULL) == expected


def test_the_sdl_is_a_subset_of_linears_own_schema() -> None:
    if not CONTRACT.exists():
        pytest.skip("Linear's full schema does not lie beside the repository")
    assert differences(read_sdl(), CONTRACT.read_text("utf-8")) == []
