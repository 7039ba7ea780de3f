"""The stand-in's OAuth side: consent, codes, rotation with its grace, revocation."""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from playground.linear_faults import Fault
from tests.playground.linear_world import World, linear_world

REDIRECT = "https://bot.acme.test/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
ASKED = {
    "response_type": "code",
    "client_id": "threadline-client",
    "redirect_uri": REDIRECT,
    "scope": "read,write,app:assignable,app:mentionable",
    "state": "xyz & more",
    "actor": "app",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
CLIENT = {"client_id": "threadline-client", "client_secret": "threadline-client-secret"}
VIEWER = "{ viewer { id } }"
INVALID = (400, {"error": "invalid_grant"})


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with linear_world() as world:
        world.linear.tokens.redirect_uris.add(REDIRECT)
        yield world


async def consent(world: World, **changed: str) -> httpx.Response:
    return await world.http.get(world.linear.authorize_url, params={**ASKED, **changed})


def query_of(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{REDIRECT}?")
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


async def ask(world: World, **form: str) -> tuple[int, Any]:
    answer = await world.http.post(world.linear.token_url, data={**CLIENT, **form})
    return answer.status_code, answer.json()


async def exchange(world: World, code: str, **changed: str) -> tuple[int, Any]:
    form = {"code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER, **changed}
    return await ask(world, grant_type="authorization_code", **form)


async def installed(world: World) -> dict[str, Any]:
    status, grant = await exchange(world, query_of(await consent(world))["code"])
    assert status == 200
    body: dict[str, Any] = grant
    return body


async def refresh(world: World, token: str) -> tuple[int, Any]:
    return await ask(world, grant_type="refresh_token", refresh_token=token)


async def lives(world: World, grant: dict[str, Any]) -> bool:
    answer = await world.post(VIEWER, token=f"Bearer {grant['access_token']}")
    return answer.status_code == 200


async def test_consent_leads_back_with_a_code_and_the_state(world: World) -> None:
    back = query_of(await consent(world))
    assert back["state"] == "xyz & more"
    status, grant = await exchange(world, back["code"])
    assert status == 200
    assert grant["expires_in"] == 86_399
    assert grant["scope"] == "read write app:assignable app:mentionable"
    assert await lives(world, grant)


@pytest.mark.parametrize(
    "changed", [{"client_id": "another"}, {"redirect_uri": "https://evil.test/"}], ids=["app", "address"]
)
async def test_nobody_is_sent_to_a_place_that_the_app_does_not_list(
    world: World, changed: dict[str, str]
) -> None:
    answer = await consent(world, **changed)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "read,admin"}, "invalid_scope"),
        ({"scope": "read,issue:write"}, "invalid_scope"),
        ({"actor": "somebody", "scope": "read"}, "invalid_request"),
        ({"actor": "user"}, "invalid_scope"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "S512"}, "invalid_request"),
    ],
)
async def test_what_an_agent_may_not_ask_for_is_told_to_the_app(
    world: World, changed: dict[str, str], error: str
) -> None:
    assert query_of(await consent(world, **changed)) == {"error": error, "state": ASKED["state"]}


async def test_an_administrator_may_say_no(world: World) -> None:
    world.linear.tokens.admin_declines = True
    assert query_of(await consent(world))["error"] == "access_denied"


async def test_a_code_counts_once(world: World) -> None:
    code = query_of(await consent(world))["code"]
    assert (await exchange(world, code))[0] == 200
    assert await exchange(world, code) == INVALID


@pytest.mark.parametrize(
    "changed",
    [{"code_verifier": "w" * 43}, {"code_verifier": ""}, {"redirect_uri": "https://bot.acme.test/other"}],
    ids=["verifier", "no verifier", "address"],
)
async def test_a_code_in_other_hands_is_worth_nothing(world: World, changed: dict[str, str]) -> None:
    assert await exchange(world, query_of(await consent(world))["code"], **changed) == INVALID


async def test_a_code_gets_old(world: World) -> None:
    code = query_of(await consent(world))["code"]
    await world.linear.advance(timedelta(minutes=10))
    assert await exchange(world, code) == INVALID


async def test_with_proof_the_secret_may_be_left_out_but_not_be_wrong(world: World) -> None:
    code = query_of(await consent(world))["code"]
    form = {"code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    form |= {"grant_type": "authorization_code", "client_id": "threadline-client"}
    wrong = await world.http.post(world.linear.token_url, data={**form, "client_secret": "typo"})
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_client"})
    assert (await world.http.post(world.linear.token_url, data=form)).status_code == 200


async def test_access_ends_after_a_day_and_is_renewed(world: World) -> None:
    grant = await installed(world)
    await world.linear.advance(timedelta(hours=24))
    assert not await lives(world, grant)
    status, renewed = await refresh(world, grant["refresh_token"])
    assert status == 200
    assert renewed["refresh_token"] != grant["refresh_token"]
    assert await lives(world, renewed)


async def test_a_lost_answer_is_repeated_for_half_an_hour(world: World) -> None:
    grant = await installed(world)
    world.linear.faults.add(Fault("refresh_token", "drop_after"))
    with pytest.raises(httpx.TransportError):
        await refresh(world, grant["refresh_token"])
    await world.linear.advance(timedelta(minutes=29))
    answer = await refresh(world, grant["refresh_token"])
    assert answer == await refresh(world, grant["refresh_token"])
    assert await lives(world, answer[1])
    await world.linear.advance(timedelta(minutes=1))
    assert await refresh(world, grant["refresh_token"]) == INVALID


async def test_the_grace_reaches_back_one_generation_only(world: World) -> None:
    grant = await installed(world)
    _, second = await refresh(world, grant["refresh_token"])
    _, third = await refresh(world, second["refresh_token"])
    assert await refresh(world, grant["refresh_token"]) == INVALID
    assert await refresh(world, second["refresh_token"]) == (200, third)


async def test_a_renewal_ends_the_access_before(world: World) -> None:
    grant = await installed(world)
    await refresh(world, grant["refresh_token"])
    assert not await lives(world, grant)


@pytest.mark.parametrize("field", ["access_token", "refresh_token"])
async def test_a_token_that_is_given_back_ends_both(world: World, field: str) -> None:
    grant = await installed(world)
    url = f"{world.linear.url}/oauth/revoke"
    statuses = [(await world.http.post(url, data={"token": grant[field]})).status_code for _ in range(2)]
    assert statuses == [200, 400]
    assert not await lives(world, grant)
    assert await refresh(world, grant["refresh_token"]) == INVALID


async def test_removing_the_app_ends_its_tokens_and_is_told(world: World) -> None:
    grant = await installed(world)
    await world.control("revoke")
    await world.linear.settled()
    assert not await lives(world, grant)
    assert await refresh(world, grant["refresh_token"]) == INVALID
    (told,) = [each.payload for each in world.app.received]
    assert (told["type"], told["action"]) == ("OAuthApp", "revoked")
    assert told["organizationId"] == world.linear.workspace.organization.id


async def test_a_minted_token_ends_an_install(world: World) -> None:
    grant = await installed(world)
    _, minted = await ask(world, grant_type="client_credentials", scope="read,write")
    assert "refresh_token" not in minted
    assert await lives(world, minted)
    assert not await lives(world, grant)


@pytest.mark.parametrize(("status", "code"), [(503, "oops"), (400, "invalid_grant")])
async def test_the_token_endpoint_fails_on_request(world: World, status: int, code: str) -> None:
    world.linear.faults.add(Fault("oauth/token", "answer", status=status, code=code))
    assert await refresh(world, "any") == (status, {"error": code})


async def test_being_down_takes_the_token_endpoint_along(world: World) -> None:
    await world.control("down", on=True)
    answer = await world.http.post(world.linear.token_url, data=CLIENT)
    assert answer.status_code == 503


async def test_a_members_token_is_theirs_until_it_is_given_back(world: World) -> None:
    world.linear.tokens.visitor = "eve"
    status, grant = await exchange(world, query_of(await consent(world, actor="user", scope="read"))["code"])
    assert status == 200
    eve, app = world.linear.workspace.person("eve"), world.linear.settings.app_token
    assert world.linear.tokens.actor_of(f"Bearer {grant['access_token']}") is eve
    assert world.linear.tokens.actor_of(f"Bearer {app}") is world.linear.workspace.app_user
    url = f"{world.linear.url}/oauth/revoke"
    answer = await world.http.post(url, data={"token": grant["access_token"]})
    assert answer.status_code == 200
    assert world.linear.tokens.actor_of(f"Bearer {grant['access_token']}") is None
    assert world.linear.tokens.personal == {}
