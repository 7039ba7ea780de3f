"""The matrix that README and docs show is what the suite plays, on both platforms."""

import inspect
import os
from pathlib import Path

import pytest

from tests.conformance.matrix import MODULES, filled, pages, rows
from tests.conformance.support import DIFFERENCES, PLATFORMS, Difference, Scenario, matrix


def test_readme_and_docs_show_what_the_suite_says() -> None:
    """With WRITE_GOLDEN=1 they are written instead."""
    for path, text in pages().items():
        if os.environ.get("WRITE_GOLDEN"):
            path.write_text(text)
        assert path.read_text() == text, f"{path.name} is not up to date: python -m tests.conformance.matrix"


def test_every_module_of_scenarios_is_in_the_matrix() -> None:
    files = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    assert files - {"test_matrix"} == set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_every_test_of_a_module_is_a_row(module: str) -> None:
    source = (Path(__file__).parent / f"{module}.py").read_text()
    tests = {
        line.split()[2].partition("(")[0]
        for line in source.splitlines()
        if line.startswith("async def test_")
    }
    listed = {one.test.__name__ for one in rows() if one.test.__module__.endswith(f".{module}")}
    assert listed == tests


def test_every_scenario_is_played_on_each_platform() -> None:
    of_a_platform = {"talk", "platform", "review", "common"}
    for one in rows():
        assert of_a_platform & set(inspect.signature(one.test).parameters), one.title


def test_a_difference_is_of_a_scenario_that_looks_at_it() -> None:
    scenarios = {one.test.__name__: one for one in rows()}
    for name, platform in DIFFERENCES:
        assert platform in PLATFORMS
        assert "limit" in inspect.signature(scenarios[name].test).parameters
    for name, one in scenarios.items():
        is_limited = any((name, platform) in DIFFERENCES for platform in PLATFORMS)
        assert is_limited is ("limit" in inspect.signature(one.test).parameters)


def test_a_difference_stands_in_its_cell_with_its_reason_below() -> None:
    def first() -> None: ...

    def second() -> None: ...

    def third() -> None: ...

    listed = [
        Scenario("Start", "one", first),
        Scenario("Start", "two", second),
        Scenario("Stop", "three", third),
    ]
    differences = {
        ("second", "Teams"): Difference("less", "It is so."),
        ("third", "Slack"): Difference("more", "It is otherwise."),
        ("third", "Teams"): Difference("fewer", "It is so."),
    }
    assert matrix(listed, differences) == (
        "| Start | Slack | Teams |\n|---|---|---|\n| one | ✓ | ✓ |\n| two | ✓ | less (1) |\n\n"
        "| Stop | Slack | Teams |\n|---|---|---|\n| three | more (2) | fewer (1) |\n\n"
        "1. It is so.\n2. It is otherwise.\n"
    )


def test_the_matrix_goes_between_the_markers_alone() -> None:
    begin, end = "<!-- support matrix -->", "<!-- /support matrix -->"
    page = f"before\n{begin}\nold\n{end}\nafter"
    assert filled(page, "new\n") == f"before\n{begin}\n\nnew\n\n{end}\nafter"
    with pytest.raises(ValueError, match="needs"):
        filled("without markers", "new\n")
