"""Which repository is meant."""

import pytest

from core.routing import Repository, Route, choose, find

SHOP = Repository(
    name="acme/shop", url="https://git.test/acme/shop", teams=("ENG",), channels=("slack:T1/C1",)
)
DOCS = Repository(name="acme/docs", url="https://git.test/acme/docs", teams=("DOC", "OPS"))
TOOLS = Repository(name="beta/docs", url="https://git.test/beta/docs", teams=("OPS",), default=True)
ALL = (SHOP, DOCS, TOOLS)


@pytest.mark.parametrize(
    ("named", "place", "team", "expected"),
    [
        ("acme/docs", "slack:T1/C1", "ENG", Route(DOCS, "as you asked")),
        ("shop", None, None, Route(SHOP, "as you asked")),
        ("nothing/known", "slack:T1/C1", None, Route(SHOP, "because this channel maps to it")),
        (None, "slack:T1/C1", "DOC", Route(SHOP, "because this channel maps to it")),
        (None, "slack:T1/C9", "DOC", Route(DOCS, "because team DOC maps to it")),
        (None, None, None, Route(TOOLS, "the default")),
        (None, None, "OPS", None),
    ],
    ids=["named", "bare name", "unknown name", "channel", "team", "default", "two teams"],
)
def test_the_nearest_rule_decides(
    named: str | None, place: str | None, team: str | None, expected: Route | None
) -> None:
    assert choose(ALL, named=named, place=place, team=team) == expected


def test_the_only_repository_needs_no_rule() -> None:
    assert choose([DOCS]) == Route(DOCS, "the only one there is")


def test_people_choose_where_no_rule_decides() -> None:
    assert choose([SHOP, DOCS]) is None
    assert choose([]) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("acme/shop", SHOP),
        ("It is ACME/Shop, I think.", SHOP),
        ("shop", SHOP),
        ("`shop`", SHOP),
        ("docs", None),
        ("beta/docs please", TOOLS),
        ("the workshop", None),
        ("", None),
    ],
)
def test_a_repository_is_found_by_how_people_name_it(text: str, found: Repository | None) -> None:
    assert find(ALL, text) == found
