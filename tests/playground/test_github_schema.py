"""The SDL of GitHub's stand-in claims nothing that GitHub's own schema has not."""

from pathlib import Path

from playground.github_graphql import SCHEMA
from tests.playground.schema_subset import differences

THEIRS = Path(__file__).parents[1] / "github" / "contract" / "schema.graphql"


def test_the_sdl_is_a_subset_of_githubs_own_schema() -> None:
    assert differences(SCHEMA.read_text("utf-8"), THEIRS.read_text("utf-8")) == []
