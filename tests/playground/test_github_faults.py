"""What GitHub's stand-in does wrong on demand, at which call, and what it remembers of that."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
import pytest_asyncio

from playground.github import Fault, primary_limit, secondary_limit, sso
from tests.playground.github_town import Town, town

pytestmark = pytest.mark.asyncio(loop_scope="module")

REVIEWS = "POST /repos/{owner}/{repo}/pulls/{number}/reviews"
NAMED = (
    "query Named($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { databaseId } }"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town(tmp_path_factory.mktemp("github")) as made:
        yield made


async def test_limits_and_sign_in_of_an_organization_are_told_as_github_does(place: Town) -> None:
    await place.use()
    one = await place.open()
    for fault in (
        sso("https://github.test/sso"),
        secondary_limit(30),
        secondary_limit(None),
        primary_limit(99),
    ):
        place.there.fail(REVIEWS, fault)
    answers = [await place.review("user:eve", one) for _ in range(5)]
    assert [each.status_code for each in answers] == [403, 403, 403, 403, 200]
    assert answers[0].headers["X-GitHub-SSO"] == "required; url=https://github.test/sso"
    assert "secondary rate limit" in answers[1].json()["message"]
    assert [each.headers.get("Retry-After") for each in answers[1:3]] == ["30", None]
    assert answers[3].headers["X-RateLimit-Remaining"] == "0"
    assert answers[3].headers["X-RateLimit-Reset"] == "99"
    assert len(one.reviews) == 1


@pytest.mark.parametrize(
    ("fault", "reviews"),
    [
        (Fault(drop="before"), 0),
        (Fault(drop="after"), 1),
        (Fault(status=502), 0),
        (Fault(status=502, executes=True), 1),
        (Fault(status=200, text='{"id": 1', executes=True), 1),
        (Fault(status=200, text="<html>"), 0),
    ],
)
async def test_a_fault_comes_before_the_deed_or_behind_it(place: Town, fault: Fault, reviews: int) -> None:
    await place.use()
    one = await place.open()
    place.there.fail(REVIEWS, fault)
    if fault.drop:
        with pytest.raises(httpx.RemoteProtocolError):
            await place.review("user:eve", one)
    else:
        url = f"{place.there.url}/repos/{place.home.full_name}/pulls/{one.number}/reviews"
        answer = await place.http.post(url, json={"event": "APPROVE"}, headers=place.header("user:eve"))
        assert answer.status_code == fault.status
        assert fault.text is None or answer.text == fault.text
    assert len(one.reviews) == reviews
    assert [each.kind for each in place.there.calls].count(REVIEWS) == 1


async def test_a_fault_aims_at_the_documents_of_one_name(place: Town) -> None:
    home = await place.use()
    place.there.fail("graphql:Named", Fault(status=502))
    names = {"owner": home.owner, "name": home.name}
    other = await place.graphql("user:eve", NAMED.replace("Named", "Other"), **names)
    assert other["data"]["repository"]["databaseId"] == home.id
    assert (await place.graphql("user:eve", NAMED, **names))["message"] == "fault"
    assert "data" in await place.graphql("user:eve", NAMED, **names)
    assert [(each.kind, each.status) for each in place.there.calls] == [
        ("graphql", 200),
        ("graphql", 502),
        ("graphql", 200),
    ]


async def test_moments_of_a_call_are_before_its_fault_and_behind_its_deed(place: Town) -> None:
    await place.use()
    one = await place.open()
    seen = []

    async def look() -> None:
        seen.append(len(one.reviews))

    def is_approval(told: Mapping[str, Any]) -> bool:
        return bool(told["sent"]["event"] == "APPROVE")

    place.there.moments.at(REVIEWS, "before", look, when=is_approval)
    place.there.moments.at(REVIEWS, "executed", look, when=is_approval)
    await place.review("user:eve", one, "COMMENT")
    assert seen == []
    await place.review("user:eve", one)
    assert seen == [1, 2]


async def test_what_is_forgiven_does_not_happen(place: Town) -> None:
    await place.use()
    one = await place.open()
    place.there.fail(REVIEWS, Fault(status=502), times=3)
    place.there.forgive()
    assert (await place.review("user:eve", one)).status_code == 200
