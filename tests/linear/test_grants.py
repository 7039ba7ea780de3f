"""The token endpoint's answers, sorted by what the caller does next."""

from datetime import timedelta
from urllib.parse import parse_qs

import httpx
import pytest

from core.store.installs import Tokens
from linear.authorization import SCOPES
from linear.errors import LinearError, Rejected, Transient, Unauthorized
from linear.grants import Grant, GrantDead, TokenEndpoint
from tests.core.store.fakes import START
from tests.linear.fakes import Answer, ScriptedLinear

URL = "https://linear.invalid/oauth/token"
SECRET = "app-secret"
PAIR = {"access_token": "a", "refresh_token": "r", "expires_in": 86399, "scope": "read write"}


def endpoint_of(linear: ScriptedLinear) -> TokenEndpoint:
    http = httpx.AsyncClient(transport=httpx.MockTransport(linear))
    return TokenEndpoint(http, URL, client_id="app", client_secret=SECRET)


def form_of(request: httpx.Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


async def test_a_code_is_traded_with_its_verifier() -> None:
    linear = ScriptedLinear(httpx.Response(200, json=PAIR))
    grant = await endpoint_of(linear).exchange("c", verifier="v", redirect_uri="https://b.test/cb")
    assert grant == Grant("a", "r", timedelta(seconds=86399), ("read", "write"))
    assert form_of(linear.requests[0]) == {
        "grant_type": "authorization_code",
        "code": "c",
        "code_verifier": "v",
        "redirect_uri": "https://b.test/cb",
        "client_id": "app",
        "client_secret": SECRET,
    }


async def test_a_refresh_token_is_traded() -> None:
    linear = ScriptedLinear(httpx.Response(200, json=PAIR))
    await endpoint_of(linear).refresh("old")
    assert form_of(linear.requests[0])["refresh_token"] == "old"


async def test_a_minted_token_is_asked_for_with_every_scope() -> None:
    minted = {"access_token": "a", "expires_in": 2591999, "scope": ["read"]}
    linear = ScriptedLinear(httpx.Response(200, json=minted))
    grant = await endpoint_of(linear).mint()
    assert form_of(linear.requests[0])["scope"] == ",".join(SCOPES)
    assert (grant.refresh_token, grant.scopes) == (None, ("read",))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.ConnectError("no"), Transient),
        (httpx.ReadTimeout("slow"), Transient),
        (httpx.Response(500, json={"error": "invalid_grant"}), Transient),
        (httpx.Response(429, json={"error": "invalid_grant"}), Transient),
        (httpx.Response(400, text="<html>a proxy's"), Transient),
        (httpx.Response(403, text="<html>a firewall's"), Transient),
        (httpx.Response(400, json={"message": "no error in it"}), Transient),
        (httpx.Response(200, text="<html>welcome to the hotel"), Transient),
        (httpx.Response(200, json={"access_token": ""}), Transient),
        (httpx.Response(200, json={**PAIR, "expires_in": -1}), Transient),
        (httpx.Response(200, json={**PAIR, "expires_in": 1e300}), Transient),
        (httpx.Response(400, json={"error": "invalid_grant"}), GrantDead),
        (httpx.Response(401, json={"error": "invalid_grant"}), GrantDead),
        (httpx.Response(401, json={"error": "invalid_client"}), Unauthorized),
        (httpx.Response(400, json={"error": "invalid_client"}), Unauthorized),
        (httpx.Response(400, json={"error": "Error"}), Unauthorized),
        (httpx.Response(400, json={"error": "invalid_request"}), Rejected),
    ],
    ids=str,
)
async def test_refusals_are_told_apart(answer: Answer, expected: type[LinearError]) -> None:
    with pytest.raises(LinearError) as caught:
        await endpoint_of(ScriptedLinear(answer)).refresh("refresh-token")
    assert type(caught.value) is expected


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError(f"could not send {SECRET}"),
        httpx.Response(200, json={"access_token": SECRET}),
        httpx.Response(400, json={"error": f"{SECRET} {'x' * 999}"}),
    ],
    ids=["network", "unreadable", "strange code"],
)
async def test_no_error_repeats_a_secret(answer: Answer) -> None:
    with pytest.raises(LinearError) as caught:
        await endpoint_of(ScriptedLinear(answer)).refresh("refresh-token")
    error = caught.value
    assert SECRET not in str(error)
    assert len(str(error)) < 100
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


@pytest.mark.parametrize("status", [200, 400, 401])
async def test_a_token_that_is_given_back_is_gone_either_way(status: int) -> None:
    linear = ScriptedLinear(httpx.Response(status))
    await endpoint_of(linear).revoke("a")
    assert str(linear.requests[0].url) == "https://linear.invalid/oauth/revoke"
    assert form_of(linear.requests[0])["token"] == "a"


async def test_a_token_that_could_not_be_given_back_is_told() -> None:
    with pytest.raises(Transient):
        await endpoint_of(ScriptedLinear(httpx.Response(503))).revoke("a")


def test_a_grant_does_not_print_its_tokens() -> None:
    assert SECRET not in repr(Grant(SECRET, SECRET, timedelta(hours=1), ()))


def test_without_a_new_refresh_token_the_earlier_one_goes_on() -> None:
    earlier = Tokens("a1", "r1", START)
    assert Grant("a2", None, timedelta(hours=1), ()).tokens(START, earlier=earlier) == Tokens(
        "a2", "r1", START + timedelta(hours=1)
    )
