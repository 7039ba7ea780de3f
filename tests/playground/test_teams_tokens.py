"""Who may speak to whom: Microsoft's keys and tokens, and those of the bot."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest

from playground.teams import APP_ID
from playground.teams_faults import Fault
from playground.teams_keys import FORGED, ISSUER
from tests.playground.teams_peer import ENG, Peers, peers


@pytest.fixture
async def on() -> AsyncIterator[Peers]:
    async with peers() as both:
        yield both


async def checked(on: Peers, token: str) -> dict[str, Any]:
    """What a careful bot finds in a token."""
    metadata = (await on.client.get(on.teams.metadata_url)).body
    keys = (await on.client.get(metadata["jwks_uri"])).body["keys"]
    kid = jwt.get_unverified_header(token)["kid"]
    [jwk] = [key for key in keys if key["kid"] == kid]
    assert "msteams" in jwk["endorsements"]
    claims: dict[str, Any] = jwt.decode(
        token, jwt.PyJWK(jwk).key, algorithms=["RS256"], audience=APP_ID, issuer=metadata["issuer"]
    )
    return claims


async def test_activity_comes_with_a_token_that_the_published_keys_prove(on: Peers) -> None:
    await on.said()
    claims = await checked(on, on.bot.received[0].token)
    assert claims["iss"] == ISSUER
    assert claims["serviceurl"] == on.bot.last()["serviceUrl"] == on.teams.service_url


async def test_rotation_replaces_the_key_or_adds_one(on: Peers) -> None:
    old = on.teams.keys.mint(on.teams.service_url)
    on.teams.keys.rotate(keep_old=True)
    new = on.teams.keys.mint(on.teams.service_url)
    await checked(on, old)
    await checked(on, new)
    on.teams.keys.rotate()
    with pytest.raises(ValueError, match="not enough values"):
        await checked(on, new)
    await on.said()
    await checked(on, on.bot.received[0].token)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"aud": "somebody else"}, jwt.InvalidAudienceError),
        ({"iss": "https://sts.windows.net/x/"}, jwt.InvalidIssuerError),
        ({"lifetime_s": -600}, jwt.ExpiredSignatureError),
        ({"aud": None}, jwt.MissingRequiredClaimError),
        ({"signed_by": FORGED}, jwt.InvalidSignatureError),
        ({"algorithm": "none"}, jwt.InvalidAlgorithmError),
        ({"algorithm": "HS256"}, jwt.InvalidAlgorithmError),
    ],
    ids=["audience", "issuer", "expired", "no-audience", "forged", "unsigned", "symmetric"],
)
async def test_bad_tokens_of_every_kind_can_be_minted(
    on: Peers, options: dict[str, Any], problem: type[Exception]
) -> None:
    token = on.teams.keys.mint(on.teams.service_url, **options)
    with pytest.raises(problem):
        await checked(on, token)


async def test_key_without_endorsement_is_published_as_such(on: Peers) -> None:
    on.teams.keys.rotate(endorsements=["webchat"])
    [key] = on.teams.keys.jwks()["keys"]
    assert key["endorsements"] == ["webchat"]


async def test_key_host_can_be_slow_and_broken(on: Peers) -> None:
    on.teams.api.faults.fail_next("keys", Fault(status=503))
    keys_url = f"{on.teams.url}/v1/.well-known/keys"
    assert (await on.client.get(keys_url)).status == 503
    on.teams.api.faults.delays_s["keys"] = 30
    with pytest.raises(TimeoutError):
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.05)) as http:
            await http.get(keys_url)
    on.teams.api.faults.clear()
    assert (await on.client.get(keys_url)).status == 200


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "another"}, 400, "unauthorized_client"),
        ({"scope": "https://graph.microsoft.com/.default"}, 400, "invalid_scope"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
async def test_token_endpoint_checks_what_it_is_told(
    on: Peers, fields: dict[str, str], status: int, error: str
) -> None:
    answer = await on.client.sign_in(**fields)
    assert (answer.status, answer.body["error"]) == (status, error)
    assert "AADSTS" in answer.body["error_description"]
    assert on.teams.api.refusals == {f"token {error}": 1}


async def test_token_endpoint_of_another_tenant_is_unknown(on: Peers) -> None:
    async with aiohttp.ClientSession() as http, http.post(f"{on.teams.url}/x/oauth2/v2.0/token") as response:
        assert (response.status, (await response.json())["error"]) == (400, "invalid_request")


async def test_trouble_of_the_token_endpoint_looks_like_entra(on: Peers) -> None:
    on.teams.api.faults.fail_next("token", Fault(status=503))
    answer = await on.client.sign_in()
    assert (answer.status, answer.body["error"]) == (503, "ServiceUnavailable")


async def test_secret_is_not_in_the_log(on: Peers) -> None:
    assert "client_secret" not in on.teams.api.log[0].fields


@pytest.mark.parametrize("token", ["", "made-up"])
async def test_call_needs_a_token(on: Peers, token: str) -> None:
    on.client.token = token
    answer = await on.client.send(ENG)
    assert (answer.status, answer.code) == (401, "Unauthorized")


async def test_token_expires_on_the_clock(on: Peers) -> None:
    on.clock.advance(on.teams.tokens.lifetime_s - 1)
    assert (await on.client.send(ENG)).status == 201
    on.clock.advance(1)
    assert (await on.client.send(ENG)).status == 401
    await on.client.sign_in()
    assert (await on.client.send(ENG)).status == 201


async def test_tokens_can_be_revoked(on: Peers) -> None:
    on.teams.tokens.revoke()
    assert (await on.client.send(ENG)).status == 401
