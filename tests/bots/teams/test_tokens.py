"""Our own token: minted once, kept for its life, never shown."""

import asyncio
import traceback

import aiohttp
import pytest

from bots.teams.tokens import MARGIN_S, BotToken
from core.errors import TryLater
from playground.slack_clock import VirtualClock
from playground.teams import APP_ID, APP_SECRET, TeamsPlayground
from playground.teams_faults import Fault


async def test_all_who_ask_share_one_token(teams: TeamsPlayground, token: BotToken) -> None:
    given = await asyncio.gather(*(token.current() for _ in range(5)))
    assert (len(set(given)), teams.api.calls["token"]) == (1, 1)


async def test_it_is_replaced_shortly_before_its_end(teams: TeamsPlayground, token: BotToken) -> None:
    assert isinstance(teams.clock, VirtualClock)
    first = await token.current()
    teams.clock.advance(teams.tokens.lifetime_s - MARGIN_S - 1)
    assert await token.current() == first
    teams.clock.advance(1)
    assert await token.current() != first


async def test_a_short_life_is_used_up_to_its_half(teams: TeamsPlayground, token: BotToken) -> None:
    assert isinstance(teams.clock, VirtualClock)
    teams.tokens.lifetime_s = 60
    first = await token.current()
    teams.clock.advance(29)
    assert await token.current() == first
    teams.clock.advance(1)
    assert await token.current() != first


async def test_those_who_fail_together_share_the_new_one(teams: TeamsPlayground, token: BotToken) -> None:
    dead = await token.current()
    given = await asyncio.gather(*(token.renew(dead) for _ in range(5)))
    assert (len(set(given)), teams.api.calls["token"]) == (1, 2)
    assert dead not in given


async def test_who_stops_waiting_leaves_the_others_a_token(teams: TeamsPlayground, token: BotToken) -> None:
    async def give_up() -> None:
        first.cancel()

    teams.api.faults.at("token", "before", give_up)
    first = asyncio.create_task(token.current())
    second = asyncio.create_task(token.current())
    assert await second
    assert first.cancelled()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(drop="before"), "no token from Microsoft (ServerDisconnectedError)"),
        (Fault(status=503), "no token from Microsoft"),
        (Fault(status=429), "no token from Microsoft"),
    ],
    ids=["lost", "down", "throttled"],
)
async def test_trouble_leaves_the_call_unmade(
    teams: TeamsPlayground, token: BotToken, fault: Fault, said: str
) -> None:
    teams.api.faults.fail_next("token", fault)
    with pytest.raises(TryLater) as failed:
        await token.current()
    assert str(failed.value).startswith(said)
    assert not failed.value.maybe_done
    assert await token.current()


async def test_a_wrong_secret_waits_for_whoever_mends_it_and_is_not_shown(
    teams: TeamsPlayground, http: aiohttp.ClientSession
) -> None:
    token = BotToken(http, teams.token_url, app_id=APP_ID, secret="s3cret-of-ours")
    with pytest.raises(TryLater) as failed:
        await token.current()
    shown = "".join(traceback.format_exception(failed.value))
    assert str(failed.value) == "no token from Microsoft (invalid_client)"
    assert "s3cret-of-ours" not in shown
    teams.tokens.secret = "s3cret-of-ours"
    assert await token.current()


async def test_an_unreachable_host_shows_no_secret_either(http: aiohttp.ClientSession) -> None:
    token = BotToken(http, "http://127.0.0.1:9/token", app_id=APP_ID, secret=APP_SECRET)
    with pytest.raises(TryLater) as failed:
        await token.current()
    assert APP_SECRET not in "".join(traceback.format_exception(failed.value))
