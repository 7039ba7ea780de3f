"""What the suite says of each platform: its scenarios, and where one cannot do as the other. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

PLATFORMS: Final = ("Slack", "Teams")

Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Scenario:
    """A row of the matrix, and the test that proves it."""

    group: str
    title: str
    test: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a platform does instead, and what of the platform makes that so."""

    instead: str
    reason: str


SCENARIOS: Final[dict[str, Scenario]] = {}
"""By the name of the test, in the order of their definition."""

DIFFERENCES: Final[Mapping[tuple[str, str], Difference]] = {
    ("test_a_second_direct_message", "Teams"): Difference(
        "the next turn of the same session; `new …` begins another",
        "A chat of a person and a bot has no threads in Teams: whatever is said there is one conversation.",
    ),
    ("test_what_was_said_before_a_restart", "Teams"): Difference(
        "what was said since Threadline started",
        "Teams lets a bot read no messages without Graph permissions. Threadline keeps what it hears in"
        " memory only: a channel's talk is not its to store.",
    ),
    ("test_an_unreported_post", "Teams"): Difference(
        "once, and a message that holds it behind a button",
        "Teams takes no key for a message and lets a bot read nothing back, so whether it arrived only people"
        " can see.",
    ),
    ("test_a_file", "Teams"): Difference(
        "told, but not by its name",
        "Teams gives bots files in personal chats only. In a channel nothing but a trace in the HTML of the"
        " message tells of one.",
    ),
    ("test_a_file_in_a_direct_message", "Slack"): Difference(
        "people and the agent are told that it does not",
        "Threadline asks for no right to read files in Slack (`files:read`), which would open those of every"
        " channel it is in.",
    ),
}
"""By the name of the test and the platform."""


def scenario(group: str, title: str) -> Callable[[Test], Test]:
    """The test is a row of the matrix."""

    def register(test: Test) -> Test:
        if test.__name__ in SCENARIOS:
            raise ValueError(f"there are two scenarios called {test.__name__}")
        SCENARIOS[test.__name__] = Scenario(group, title, test)
        return test

    return register


def matrix(scenarios: Sequence[Scenario], differences: Mapping[tuple[str, str], Difference]) -> str:
    """The rows as Markdown tables, one for each group, and the reasons of all differences below them."""
    reasons = list(dict.fromkeys(one.reason for one in _in_order(scenarios, differences)))
    lines: list[str] = []
    for group in dict.fromkeys(one.group for one in scenarios):
        lines += [f"| {group} | {' | '.join(PLATFORMS)} |", f"|---|{'---|' * len(PLATFORMS)}"]
        lines += (_row(one, differences, reasons) for one in scenarios if one.group == group)
        lines.append("")
    lines += (f"{number}. {reason}" for number, reason in enumerate(reasons, 1))
    return "\n".join(lines).rstrip() + "\n"


def _in_order(
    scenarios: Sequence[Scenario], differences: Mapping[tuple[str, str], Difference]
) -> Iterator[Difference]:
    for one in scenarios:
        for platform in PLATFORMS:
            if found := differences.get((one.test.__name__, platform)):
                yield found


def _row(one: Scenario, differences: Mapping[tuple[str, str], Difference], reasons: Sequence[str]) -> str:
    cells = []
    for platform in PLATFORMS:
        found = differences.get((one.test.__name__, platform))
        cells.append(f"{found.instead} ({reasons.index(found.reason) + 1})" if found else "✓")
    return f"| {one.title} | {' | '.join(cells)} |"
