"""What a card shows of a pull request: files that need a careful look are the same ones everywhere."""

import pytest

from core.workspace.names import care_for
from github.facts import sensitive


@pytest.mark.parametrize(
    "path", [".github/workflows/ci.yml", ".devcontainer/x.json", ".githooks/pre-push", "bun.lock", ".env"]
)
def test_what_is_pointed_out_before_a_push_is_pointed_out_on_the_card(path: str) -> None:
    assert care_for(path) is not None
    assert sensitive(["search.py", path]) == (path,)
