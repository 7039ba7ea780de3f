"""Writes what the suite says into README and docs: `python -m tests.conformance.matrix`."""

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Final

from tests.conformance.support import DIFFERENCES, SCENARIOS, Scenario, matrix

ROOT: Final = Path(__file__).parents[2]
MODULES: Final = (
    "test_talking",
    "test_asking",
    "test_answers",
    "test_who",
    "test_weather",
    "test_refused",
    "test_together",
    "test_reviewing",
)
BEGIN: Final = "<!-- support matrix -->"
END: Final = "<!-- /support matrix -->"

PAGE: Final = f"""\
# What works where

Each line is a scenario that `make test` plays on both platforms, with the same words and the same
expectations (`tests/conformance`): a real `threadline serve` between stand-ins for Slack, Teams, Linear and
the model. A difference stands here with its reason, and the suite checks that the platform really does what
it says. This page is written by `python -m tests.conformance.matrix`.

{BEGIN}
{END}

The stand-ins behave as the vendors document; a live workspace and a live tenant were not at hand.
"""


def pages() -> Mapping[Path, str]:
    """What the suite says of each file that embeds the matrix."""
    shown = matrix(rows(), DIFFERENCES)
    readme = ROOT / "README.md"
    return {ROOT / "docs" / "support.md": filled(PAGE, shown), readme: filled(readme.read_text(), shown)}


def rows() -> list[Scenario]:
    """Every scenario, in the order of the modules and of their definition."""
    names = [import_module(f"tests.conformance.{module}").__name__ for module in MODULES]
    return sorted(SCENARIOS.values(), key=lambda one: names.index(one.test.__module__))


def filled(page: str, shown: str) -> str:
    """The page with the matrix between its markers."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"needs {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{shown}\n{END}{after}"


def main() -> None:
    for path, text in pages().items():
        path.write_text(text)
    sys.stdout.write(matrix(rows(), DIFFERENCES))


if __name__ == "__main__":
    main()
