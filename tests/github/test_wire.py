"""One request and its answer: what is sent, repeated, followed and believed."""

import asyncio
import logging
from typing import Any

import httpx
import pytest

from github.errors import (
    Forbidden,
    GitHubError,
    Invalid,
    Moved,
    NotFound,
    RateLimited,
    Transient,
    Unauthorized,
)
from github.sansio import API_VERSION, Call
from github.wire import ANSWER_BYTES, CONNECT_TIMEOUT_S, PAGE, READ_PAUSES_S, READ_TIMEOUT_S, Wire
from tests.github.fakes import (
    API,
    APP,
    EVE,
    PAT,
    Clock,
    Reply,
    ScriptedGitHub,
    data,
    ok,
    path_of,
    pull_state,
    refused,
    wire_of,
)

PLACE = "/repos/acme/shop"
READ = Call("GET", PLACE)
WRITE = Call("PATCH", f"{PLACE}/pulls/7", body={"state": "closed"})
HTML = httpx.Response(200, text="<html>maintenance</html>", headers={"Content-Type": "text/html"})
VARIABLES = {"owner": "acme", "name": "shop", "number": 7}


def repository() -> httpx.Response:
    return ok("GET", PLACE, full_name="acme/shop")


def unjudged(*replies: Reply) -> ScriptedGitHub:
    return ScriptedGitHub(*replies, judged=False)


@pytest.mark.parametrize("credential", [APP, EVE, PAT])
async def test_what_goes_along_with_every_request(credential: Any) -> None:
    github = ScriptedGitHub(repository())
    await wire_of(github).send(credential, READ)
    headers = github.requests[0].headers
    assert headers["Authorization"] == f"Bearer {credential.token}"
    assert headers["X-GitHub-Api-Version"] == API_VERSION
    assert headers["Accept"] == "application/vnd.github+json"
    assert headers["User-Agent"] == "threadline"


async def test_time_limits_are_set_on_the_request() -> None:
    github = ScriptedGitHub(repository())
    await wire_of(github).send(APP, READ)
    limits = github.requests[0].extensions["timeout"]
    assert (limits["connect"], limits["read"]) == (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)


async def test_an_enterprise_server_is_asked_below_its_own_path() -> None:
    github = ScriptedGitHub(repository(), pull_state())
    wire = wire_of(lambda request: github(_at_home(request)), api_url="https://ghe.test/api/v3")
    await wire.send(APP, READ)
    await wire.ask(APP, "PullState", VARIABLES)
    assert github.asked == [f"GET {PLACE}", "PullState"]


def _at_home(request: httpx.Request) -> httpx.Request:
    path = path_of(request)
    assert request.url.host == "ghe.test"
    assert path.startswith(("/api/v3/", "/api/graphql"))
    url = API + path.removeprefix("/api/v3").removeprefix("/api")
    return httpx.Request(request.method, url, headers=request.headers, content=request.content)


TROUBLES: list[Reply] = [
    httpx.ConnectError("down"),
    httpx.ConnectTimeout("slow"),
    httpx.ReadTimeout("slow"),
    httpx.RemoteProtocolError("cut"),
    httpx.Response(502, text="<html>bad gateway</html>"),
    httpx.Response(200, text='{"id": 1'),
    HTML,
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=repr)
async def test_a_read_is_tried_again(trouble: Reply) -> None:
    clock = Clock()
    github = unjudged(trouble, trouble, repository())
    answer = await wire_of(github, clock).send(APP, READ)
    assert answer.json["full_name"] == "acme/shop"
    assert clock.slept == [*READ_PAUSES_S]


async def test_a_read_is_given_up_after_three_attempts() -> None:
    github = unjudged(*[httpx.ReadTimeout("slow")] * 3)
    with pytest.raises(Transient):
        await wire_of(github).send(APP, READ)
    assert github.is_done


@pytest.mark.parametrize("trouble", TROUBLES, ids=repr)
async def test_a_write_is_sent_once(trouble: Reply) -> None:
    github = unjudged(trouble)
    with pytest.raises(Transient) as failure:
        await wire_of(github).send(APP, WRITE)
    connected = not isinstance(trouble, httpx.ConnectError | httpx.ConnectTimeout)
    assert failure.value.maybe_done is connected
    assert len(github.requests) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 422])
async def test_a_refusal_is_not_asked_again(status: int) -> None:
    github = unjudged(refused(status))
    with pytest.raises((Unauthorized, Forbidden, NotFound, Invalid)):
        await wire_of(github).send(APP, READ)


async def test_a_renamed_repository_is_read_by_its_number() -> None:
    moved = refused(301, Location=f"{API}/repositories/7")
    github = ScriptedGitHub(moved, ok("GET", PLACE, full_name="acme/new"))
    answer = await wire_of(github).send(APP, READ)
    assert answer.json["full_name"] == "acme/new"
    assert github.asked == [f"GET {PLACE}", "GET /repositories/7"]
    assert github.requests[1].headers["Authorization"] == APP.authorization


async def test_a_write_does_not_follow() -> None:
    github = ScriptedGitHub(refused(307, "Moved", Location=f"{API}/repositories/7/pulls/7"))
    with pytest.raises(Moved):
        await wire_of(github).send(APP, WRITE)
    assert len(github.requests) == 1


@pytest.mark.parametrize("target", ["https://evil.test/x", "http://api.github.test/x", "//evil.test/"])
async def test_a_read_does_not_follow_to_another_host(target: str) -> None:
    github = ScriptedGitHub(refused(301, "Moved", Location=target))
    with pytest.raises(Moved):
        await wire_of(github).send(APP, READ)
    assert len(github.requests) == 1


async def test_redirects_have_an_end() -> None:
    around = refused(301, "Moved", Location=f"{API}/repositories/7")
    github = ScriptedGitHub(*[around] * 4)
    with pytest.raises(Moved):
        await wire_of(github).send(APP, READ)
    assert github.is_done


async def test_a_client_that_follows_by_itself_is_kept_from_it() -> None:
    github = ScriptedGitHub(refused(301, "Moved", Location="https://evil.test/x"))
    http = httpx.AsyncClient(transport=httpx.MockTransport(github), follow_redirects=True)
    with pytest.raises(Moved):
        await Wire(http, API, pace=Clock().pace()).send(APP, READ)


async def test_a_secondary_limit_stops_everything_of_the_credential() -> None:
    clock = Clock()
    limited = refused(403, "You have exceeded a secondary rate limit", Retry_After="30")
    github = ScriptedGitHub(limited, repository(), repository())
    wire = wire_of(github, clock)
    for _ in range(2):
        with pytest.raises(RateLimited) as told:
            await wire.send(APP, READ)
        assert told.value.retry_after_s == 30.0
    with pytest.raises(RateLimited):
        await wire.ask(APP, "PullState", VARIABLES)
    await wire.send(EVE, READ)
    clock.seconds += 31
    await wire.send(APP, READ)
    assert github.is_done


async def test_a_spent_limit_is_learnt_from_the_last_good_answer() -> None:
    clock = Clock()
    spent = repository()
    spent.headers.update({"X-RateLimit-Remaining": "0", "X-RateLimit-Resource": "core"})
    spent.headers["X-RateLimit-Reset"] = str(int(clock.now().timestamp()) + 60)
    github = ScriptedGitHub(spent)
    wire = wire_of(github, clock)
    await wire.send(APP, READ)
    with pytest.raises(RateLimited):
        await wire.send(APP, READ)
    assert len(github.requests) == 1


async def test_a_graphql_limit_comes_with_status_200() -> None:
    body = {"data": None, "errors": [{"type": "RATE_LIMITED", "message": "slow down"}]}
    github = ScriptedGitHub(httpx.Response(200, json=body, headers={"Retry-After": "9"}), repository())
    wire = wire_of(github)
    for _ in range(2):
        with pytest.raises(RateLimited):
            await wire.ask(APP, "PullState", VARIABLES)
    await wire.send(APP, READ)
    assert github.is_done


async def test_writes_wait_for_each_other_and_reads_do_not() -> None:
    clock = Clock()
    closed = [ok("PATCH", f"{PLACE}/pulls/7") for _ in range(2)]
    github = ScriptedGitHub(closed[0], repository(), closed[1])
    wire = wire_of(github, clock)
    await wire.send(EVE, WRITE)
    await wire.send(EVE, READ)
    assert clock.slept == []
    await wire.send(EVE, WRITE)
    assert clock.slept == [1.0]


async def test_a_list_is_read_to_its_end() -> None:
    place = f"{PLACE}/pulls/7/files"
    github = ScriptedGitHub(ok("GET", place, items=PAGE), ok("GET", place, items=3))
    items = await wire_of(github).pages(APP, Call("GET", place))
    assert len(items) == PAGE + 3
    assert [request.url.params["page"] for request in github.requests] == ["1", "2"]


async def test_a_list_that_never_ends_is_cut() -> None:
    place = f"{PLACE}/pulls/7/files"
    github = ScriptedGitHub(*[ok("GET", place, items=PAGE) for _ in range(2)])
    assert len(await wire_of(github).pages(APP, Call("GET", place), most=2)) == 2 * PAGE


async def test_what_is_no_list_is_not_taken_for_an_empty_one() -> None:
    github = unjudged(httpx.Response(200, json={"message": "hm"}))
    with pytest.raises(Transient):
        await wire_of(github).pages(APP, Call("GET", f"{PLACE}/pulls"))


async def test_an_endless_answer_is_cut() -> None:
    huge = httpx.Response(200, content=b" " * (ANSWER_BYTES + 1))
    with pytest.raises(Transient, match="too large"):
        await wire_of(unjudged(huge)).send(APP, WRITE)


async def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("github.wire.TOTAL_TIMEOUT_S", 0.01)

    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("not reached")

    http = httpx.AsyncClient(transport=httpx.MockTransport(never))
    with pytest.raises(Transient) as failure:
        await Wire(http, API, pace=Clock().pace()).send(APP, WRITE)
    assert failure.value.maybe_done


LOG_PLACE = f"{PLACE}/actions/jobs/5/logs"
STORE = "https://store.test/log?sig=1"


async def test_a_file_elsewhere_is_read_without_the_token() -> None:
    found = httpx.Response(302, headers={"Location": STORE})
    github = unjudged(found, httpx.Response(200, content=b"x" * 100 + b"the end"))
    end = await wire_of(github).file_behind(APP, Call("GET", LOG_PLACE), last_bytes=7)
    assert end == b"the end"
    assert str(github.requests[1].url) == STORE
    assert APP.token not in str(github.requests[1].headers)
    assert "authorization" not in github.requests[1].headers


async def test_a_file_elsewhere_does_not_lead_on() -> None:
    found = httpx.Response(302, headers={"Location": STORE})
    again = httpx.Response(302, headers={"Location": "http://169.254.169.254/"})
    github = unjudged(found, again)
    with pytest.raises(NotFound):
        await wire_of(github).file_behind(APP, Call("GET", LOG_PLACE), last_bytes=7)
    assert {request.url.host for request in github.requests} == {"api.github.test", "store.test"}


async def test_data_of_a_query_is_told_with_what_is_hidden() -> None:
    answer = data(repository=None)
    github = unjudged(answer)
    assert await wire_of(github).ask(APP, "PullState", VARIABLES) == ({"repository": None}, ())


@pytest.mark.parametrize(
    "reply",
    [
        *TROUBLES,
        refused(401, f"Bad credentials {EVE.token}"),
        refused(403, f"no {EVE.token}"),
        refused(422, EVE.token),
        httpx.LocalProtocolError(f"Illegal header value b'Bearer {EVE.token}'"),
        httpx.UnsupportedProtocol(EVE.token),
        httpx.ReadTimeout(EVE.token),
        httpx.ConnectError(EVE.token),
    ],
    ids=repr,
)
async def test_nothing_that_is_raised_or_logged_holds_the_token(
    reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for call in (WRITE, READ):
        with pytest.raises(GitHubError) as failure:
            await wire_of(unjudged(*[reply] * 3)).send(EVE, call)
        shown: BaseException | None = failure.value
        while shown is not None:
            assert EVE.token not in f"{shown} {shown!r} {shown.args}"
            shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    records = [record for record in caplog.records if record.name.startswith("github")]
    assert not [record for record in records if EVE.token in str(record.__dict__)]
