from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from playground.linear import LinearSettings
from playground.linear_clock import epoch_ms
from playground.linear_endpoint import Limits
from tests.playground.linear_world import CREATE_ISSUE, MEMBER, START, World, linear_world

VIEWER = "query Who { viewer { id name } }"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with linear_world() as world:
        yield world


async def test_every_answer_tells_what_is_left(world: World) -> None:
    answer = await world.post(VIEWER)
    assert {name: answer.headers[name] for name in answer.headers if name.startswith("x-")} == {
        "x-complexity": "2",
        "x-ratelimit-requests-limit": "5000",
        "x-ratelimit-requests-remaining": "4999",
        "x-ratelimit-requests-reset": str(epoch_ms(START + timedelta(hours=1) / 5000)),
        "x-ratelimit-complexity-limit": "2000000",
        "x-ratelimit-complexity-remaining": "1999998",
        "x-ratelimit-complexity-reset": answer.headers["x-ratelimit-complexity-reset"],
    }


async def test_a_refused_document_tells_what_is_left_too(world: World) -> None:
    assert (await world.post("{ nonsense }")).headers["x-ratelimit-requests-remaining"] == "4999"


@pytest.mark.parametrize("status", [400, 200, 429])
async def test_an_empty_bucket_is_reported_in_the_body_under_any_status(status: int) -> None:
    limits = Limits(app=(2, 2_000_000), status=status)
    async with linear_world(replace(LinearSettings(), limits=limits)) as world:
        for _ in range(2):
            assert (await world.post(VIEWER)).status_code == 200
        answer = await world.post(VIEWER)
        assert answer.status_code == status
        assert answer.json()["errors"][0]["extensions"]["code"] == "RATELIMITED"
        assert answer.headers["retry-after"] == "1800"
        assert "data" not in answer.json()


async def test_a_leaky_bucket_refills_steadily() -> None:
    async with linear_world(replace(LinearSettings(), limits=Limits(app=(2, 2_000_000)))) as world:
        codes = []
        for _ in range(2):
            await world.post(VIEWER)
        for _ in range(2):
            await world.linear.advance(timedelta(minutes=30))
            codes.append((await world.post(VIEWER)).status_code)
            codes.append((await world.post(VIEWER)).status_code)
        assert codes == [200, 400, 200, 400]


async def test_complexity_has_its_own_bucket_and_members_have_their_own(world: World) -> None:
    await world.control("limit", requests=100, points=3)
    assert (await world.post(VIEWER)).status_code == 200
    assert (await world.post(VIEWER)).status_code == 400
    assert (await world.post(VIEWER, token=MEMBER)).status_code == 200


async def test_a_query_beyond_ten_thousand_points_is_refused(world: World) -> None:
    query = "{ teams(first: 250) { nodes { states(first: 250) { nodes { id } } } } }"
    assert "too complex" in (await world.error(query))["message"]


async def test_the_next_calls_of_an_operation_fail_as_planned(world: World) -> None:
    await world.control(
        "fault", operation="CreateIssue", times=2, status=500, code="INTERNAL_SERVER_ERROR", message="oops"
    )
    wanted = {"input": {"teamId": world.team_id(), "title": "Fix"}}
    assert (await world.post(VIEWER)).status_code == 200
    answers = [await world.post(CREATE_ISSUE % "id", wanted) for _ in range(3)]
    assert [each.status_code for each in answers] == [500, 500, 200]
    assert answers[0].json()["errors"][0]["message"] == "oops"
    assert len(world.linear.workspace.issues) == 1


@pytest.mark.parametrize("operation", ["issueCreate", "*"])
async def test_a_fault_also_hits_by_root_field_or_any(world: World, operation: str) -> None:
    await world.control("fault", operation=operation)
    wanted = {"input": {"teamId": world.team_id(), "title": "Fix"}}
    error = await world.error(CREATE_ISSUE % "id", wanted)
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"


@pytest.mark.parametrize(("kind", "created"), [("drop_before", 0), ("drop_after", 1)])
async def test_a_dropped_connection_loses_the_request_or_only_its_answer(
    world: World, kind: str, created: int
) -> None:
    await world.control("fault", operation="CreateIssue", kind=kind)
    wanted = {"input": {"teamId": world.team_id(), "title": "Fix", "id": str(uuid4())}}
    with pytest.raises(httpx.TransportError):
        await world.post(CREATE_ISSUE % "id", wanted)
    assert len(world.linear.workspace.issues) == created


async def test_a_lost_answer_is_found_out_by_repeating_the_id(world: World) -> None:
    await world.control("fault", operation="CreateIssue", kind="drop_after")
    wanted = {"input": {"teamId": world.team_id(), "title": "Fix", "id": str(uuid4())}}
    with pytest.raises(httpx.TransportError):
        await world.post(CREATE_ISSUE % "id", wanted)
    assert (await world.error(CREATE_ISSUE % "id", wanted))["message"] == "conflict on insert of Issue"


async def test_being_down_answers_503_until_it_is_over(world: World) -> None:
    await world.control("down", on=True)
    assert (await world.post(VIEWER)).status_code == 503
    await world.control("clear_faults")
    assert (await world.post(VIEWER)).status_code == 200


async def test_latency_keeps_an_impatient_client_waiting(world: World) -> None:
    await world.control("latency", ms=60_000)
    with pytest.raises(httpx.ReadTimeout):
        await world.http.post(
            world.linear.graphql_url,
            json={"query": VIEWER},
            headers={"Authorization": MEMBER},
            timeout=0.05,
        )


async def test_a_revoked_app_is_401(world: World) -> None:
    await world.control("revoke")
    assert (await world.post(VIEWER)).status_code == 401
