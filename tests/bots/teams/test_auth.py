"""Who gets in: tokens of every kind, and keys that change, are slow, or cannot be had."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.teams.auth import InboundTokens, NotFromTeams
from bots.teams.keys import COOL_DOWN_S, FRESH_S, RETRY_S, TRUSTED_S, KeysUnavailable, SigningKeys
from playground.slack_clock import VirtualClock
from playground.teams import APP_ID, TeamsConfig, TeamsPlayground
from playground.teams_faults import Fault
from playground.teams_keys import FORGED
from tests.bots.teams.conftest import LOOPBACK


@dataclass
class Gate:
    """Our verifier, and Microsoft before it."""

    teams: TeamsPlayground
    tokens: InboundTokens
    clock: VirtualClock

    async def admits(self, *, service_url: str | None = None, channel: str = "msteams", **mint: Any) -> str:
        """Knock with a token made to measure; why it did not count, empty if it did."""
        at = self.teams.service_url
        token = self.teams.keys.mint(mint.pop("says", at), **mint)
        return await self.knock(f"Bearer {token}", at if service_url is None else service_url, channel)

    async def knock(self, authorization: str, service_url: str, channel: str = "msteams") -> str:
        try:
            await self.tokens.check(authorization, service_url=service_url, channel=channel)
        except NotFromTeams as refused:
            return str(refused)
        return ""

    @property
    def fetches(self) -> int:
        return self.teams.api.calls["keys"]


@pytest.fixture
async def gate(http: aiohttp.ClientSession) -> AsyncIterator[Gate]:
    clock = VirtualClock()
    async with TeamsPlayground(TeamsConfig(), clock) as teams:
        keys = SigningKeys(http, teams.metadata_url, now=clock.now)
        yield Gate(teams, InboundTokens(keys, app_id=APP_ID, service_hosts=LOOPBACK), clock)
        await keys.close()


# Tokens


async def test_a_token_of_microsofts_for_us_gets_in(gate: Gate) -> None:
    assert await gate.admits() == ""


async def test_the_claims_are_handed_on(gate: Gate) -> None:
    token = gate.teams.keys.mint(gate.teams.service_url)
    claims = await gate.tokens.check(
        f"bearer {token}", service_url=gate.teams.service_url.rstrip("/"), channel="msteams"
    )
    assert (claims["aud"], claims["iss"]) == (APP_ID, "https://api.botframework.com")


@pytest.mark.parametrize(
    ("mint", "reason"),
    [
        ({"aud": "another-app"}, "the token does not count (InvalidAudienceError)"),
        ({"aud": [APP_ID]}, "the token does not count (InvalidAudienceError)"),
        ({"aud": None}, "the token does not count (MissingRequiredClaimError)"),
        ({"iss": "https://sts.windows.net/t/"}, "the token does not count (InvalidIssuerError)"),
        ({"iss": None}, "the token does not count (MissingRequiredClaimError)"),
        ({"lifetime_s": -301}, "the token does not count (ExpiredSignatureError)"),
        ({"exp": None}, "the token does not count (MissingRequiredClaimError)"),
        ({"nbf": 32_503_680_000}, "the token does not count (ImmatureSignatureError)"),
        ({"signed_by": FORGED}, "the token does not count (InvalidSignatureError)"),
        ({"algorithm": "HS256"}, "the token does not count (InvalidAlgorithmError)"),
        ({"algorithm": "none"}, "the token does not count (InvalidAlgorithmError)"),
        ({"algorithm": "RS512"}, "the token does not count (InvalidAlgorithmError)"),
        ({"kid": "key-99"}, "the token is signed with an unknown key"),
        ({"says": "https://evil.test/"}, "the token is for another serviceUrl"),
        ({"serviceurl": None}, "the token is for another serviceUrl"),
        ({"serviceurl": 7}, "the token is for another serviceUrl"),
        ({"service_url": ""}, "the token is for another serviceUrl"),
        (
            {"says": "https://evil.test/", "service_url": "https://evil.test/"},
            "the serviceUrl is not among the service hosts",
        ),
        ({"channel": "webchat"}, "the key is not endorsed for the channel"),
        ({"channel": "emulator"}, "the key is not endorsed for the channel"),
        ({"channel": ""}, "the key is not endorsed for the channel"),
    ],
)
async def test_every_other_token_stays_out(gate: Gate, mint: dict[str, Any], reason: str) -> None:
    assert await gate.admits(**mint) == reason


async def test_clocks_may_differ_by_five_minutes(gate: Gate) -> None:
    assert await gate.admits(lifetime_s=-280) == ""


async def test_a_key_must_be_endorsed_for_teams(gate: Gate) -> None:
    gate.teams.keys.rotate(endorsements=["webchat"])
    assert await gate.admits() == "the key is not endorsed for the channel"


def segment(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer garbage",
        "Bearer a.b.c",
        "Bearer \udcff.\udcff.\udcff",
        "Bearer ÿ.ÿ.ÿ",
        f"Bearer {segment([])}.{segment({})}.c2ln",
        f"Bearer {segment({'alg': 'RS256'})}.{segment({})}.c2ln",
        f"Bearer {segment({'alg': 'RS256', 'kid': 7})}.{segment({})}.c2ln",
        f"Bearer {segment({'alg': ['RS256'], 'kid': 'key-1'})}.{segment({})}.c2ln",
        f"Bearer {segment({'alg': None, 'kid': 'key-1'})}.{segment({})}.c2ln",
        f"Bearer {urlsafe_b64encode(b'[' * 5_000).decode()}.e30.c2ln",
        f"Bearer {segment({'alg': 'RS256', 'kid': 'key-1'})}.{urlsafe_b64encode(b'[' * 5_000).decode()}.c2ln",
    ],
)
async def test_what_is_no_token_is_refused_and_not_repeated(gate: Gate, authorization: str) -> None:
    reason = await gate.knock(authorization, gate.teams.service_url)
    assert reason
    assert "c2ln" not in reason


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_no_header_gets_further_than_a_refusal(header: str) -> None:
    async def knock() -> str:
        async with aiohttp.ClientSession() as http:
            keys = SigningKeys(http, "http://127.0.0.1:9/")
            tokens = InboundTokens(keys, app_id=APP_ID, service_hosts=LOOPBACK)
            try:
                await tokens.check(f"Bearer {header}", service_url="", channel="msteams")
            except NotFromTeams:
                return "refused"
            return "in"

    assert asyncio.run(knock()) == "refused"


# Keys


async def test_a_new_key_is_found_at_once(gate: Gate) -> None:
    assert await gate.admits() == ""
    gate.teams.keys.rotate()
    assert await gate.admits() == ""
    assert gate.fetches == 2


async def test_unknown_keys_are_looked_for_with_pauses(gate: Gate) -> None:
    for _ in range(2):
        assert await gate.admits(kid="key-99", signed_by=FORGED)
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            await gate.admits(kid="key-99", signed_by=FORGED)
    assert gate.fetches == 2
    gate.clock.advance(COOL_DOWN_S)
    assert await gate.admits(kid="key-99", signed_by=FORGED)
    assert gate.fetches == 3


async def test_what_a_new_key_signed_between_two_fetches_comes_again(gate: Gate) -> None:
    assert await gate.admits() == ""
    assert await gate.admits(kid="key-99", signed_by=FORGED)
    gate.teams.keys.rotate()
    with pytest.raises(KeysUnavailable, match="too early"):
        await gate.admits()
    gate.clock.advance(COOL_DOWN_S)
    assert await gate.admits() == ""


async def test_a_key_that_was_taken_back_is_forgotten_after_a_day(gate: Gate) -> None:
    old = gate.teams.keys.current
    assert await gate.admits() == ""
    gate.teams.keys.rotate()
    gate.clock.advance(FRESH_S)
    assert await gate.admits(kid=old) == ""
    # Whoever names an unknown key waits for the fetch that is on its way.
    assert await gate.admits(kid="key-99", signed_by=FORGED)
    gate.clock.advance(COOL_DOWN_S)
    assert await gate.admits(kid=old) == "the token is signed with an unknown key"
    assert gate.fetches == 3


async def test_one_fetch_serves_all_who_wait_for_it(gate: Gate) -> None:
    assert await asyncio.gather(*(gate.admits() for _ in range(5))) == [""] * 5
    assert gate.fetches == 1


async def test_a_slow_key_host_holds_up_nobody_whose_key_is_known(gate: Gate) -> None:
    assert await gate.admits() == ""
    asked, answer = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        asked.set()
        await answer.wait()

    gate.teams.api.faults.at("metadata", "before", hold)
    old = gate.teams.keys.current
    gate.teams.keys.rotate(keep_old=True)
    waits = asyncio.create_task(gate.admits())
    await asked.wait()
    assert await gate.admits(kid=old) == ""
    gate.clock.advance(FRESH_S)
    assert await gate.admits(kid=old) == ""
    assert not waits.done()
    answer.set()
    assert await waits == ""


async def test_who_stops_waiting_takes_nothing_from_the_others(gate: Gate) -> None:
    async def give_up() -> None:
        first.cancel()

    gate.teams.api.faults.at("keys", "before", give_up)
    first = asyncio.create_task(gate.admits())
    second = asyncio.create_task(gate.admits())
    assert await second == ""
    assert first.cancelled()
    assert gate.fetches == 1


@pytest.mark.parametrize("kind", ["metadata", "keys"])
@pytest.mark.parametrize(
    ("fault", "times"),
    # The client itself asks once more when the connection breaks under a GET.
    [(Fault(status=500), 1), (Fault(drop="after"), 2), (Fault(status=302), 1)],
    ids=["error", "lost", "moved"],
)
async def test_without_keys_nothing_is_judged(gate: Gate, kind: str, fault: Fault, times: int) -> None:
    gate.teams.api.faults.fail_next(kind, fault, times)
    for _ in range(2):
        with pytest.raises(KeysUnavailable):
            await gate.admits()
    assert gate.teams.api.calls[kind] == times
    gate.clock.advance(RETRY_S)
    assert await gate.admits() == ""


async def test_known_keys_serve_while_the_key_host_is_down_but_not_for_ever(gate: Gate) -> None:
    assert await gate.admits() == ""
    gate.teams.api.faults.is_down = True
    gate.clock.advance(TRUSTED_S - 1)
    assert await gate.admits() == ""
    gate.clock.advance(RETRY_S)
    with pytest.raises(KeysUnavailable):
        await gate.admits()


async def test_a_stop_ends_a_fetch_on_its_way(http: aiohttp.ClientSession, teams: TeamsPlayground) -> None:
    asked = asyncio.Event()

    async def hold() -> None:
        asked.set()
        await asyncio.Event().wait()

    teams.api.faults.at("metadata", "before", hold)
    keys = SigningKeys(http, teams.metadata_url)
    waits = asyncio.create_task(keys.find("key-1"))
    await asked.wait()
    await keys.close()
    with pytest.raises(KeysUnavailable):
        await waits
