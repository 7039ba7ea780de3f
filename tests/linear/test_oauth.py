"""Token sources against the playground's Linear: renewal once, stored before use, through crashes."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal, get_args

import pytest

from core.activities import Blocker, Response
from core.mirror.sink import View
from core.mirror.story import fold
from core.store.installs import Install, InstallStore
from linear.deliveries import AppRevoked
from linear.errors import Transient, Unauthorized
from linear.oauth import RENEW_EARLY, RENEW_PAUSE, ClientCredentials, InstalledApp, personal_key_warning
from linear.sink import AccessLost, LinearSink
from linear.webhooks import parse_webhook
from playground.linear_faults import Fault
from tests.core.mirror.fakes import SESSION, log_of
from tests.core.store.fakes import Died, vault_of
from tests.linear.install_world import World, install_world

Lost = Literal["drop_before", "drop_after"]

DAY = timedelta(hours=24)
SOON = DAY - RENEW_EARLY
"""After so long a token is renewed early."""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with install_world(tmp_path) as world:
        yield world


async def works(world: World, source: InstalledApp) -> bool:
    """Whether Linear takes what `source` gives, without another try."""
    client = world.client(source)
    await client.workspace()
    return client.calls["Workspace"] == 1


async def test_the_stored_token_serves_without_asking_linear(world: World) -> None:
    install = await world.install()
    assert await world.source().current() == install.tokens.access_token
    assert await works(world, world.source())
    assert world.grants == {}


async def test_a_token_is_renewed_an_hour_before_it_ends(world: World) -> None:
    install = await world.install()
    source = world.source()
    await world.linear.advance(SOON - timedelta(seconds=2))
    assert await source.current() == install.tokens.access_token
    await world.linear.advance(timedelta(seconds=2))
    assert await source.current() != install.tokens.access_token
    assert await works(world, source)
    assert world.grants == {"refresh_token": 1}


async def test_months_of_renewals_go_by(world: World) -> None:
    await world.install()
    for _ in range(60):
        await world.linear.advance(SOON)
        assert await works(world, world.source())
    assert world.grants == {"refresh_token": 60}


async def test_twenty_callers_at_once_renew_once(world: World) -> None:
    await world.install()
    source = world.source()
    await world.linear.advance(SOON)
    tokens = await asyncio.gather(*(source.current() for _ in range(20)))
    assert len(set(tokens)) == 1
    assert world.grants == {"refresh_token": 1}


async def test_twenty_callers_whose_token_died_renew_once(world: World) -> None:
    install = await world.install()
    source = world.source()
    dead = install.tokens.access_token
    tokens = await asyncio.gather(*(source.renew(dead) for _ in range(20)))
    assert len({*tokens, dead}) == 2
    assert world.grants == {"refresh_token": 1}


async def test_twenty_requests_with_a_dead_token_all_succeed(world: World) -> None:
    await world.install()
    client = world.client(world.source())
    await world.linear.advance(DAY + timedelta(days=3))
    await asyncio.gather(*(client.workspace() for _ in range(20)))
    assert world.grants == {"refresh_token": 1}


async def test_a_new_pair_is_stored_before_it_is_used(world: World) -> None:
    await world.install()
    await world.linear.advance(SOON)
    token = await world.source().current()
    assert (await world.stored()).tokens.access_token == token


async def test_a_pair_that_cannot_be_stored_is_not_used(world: World) -> None:
    install = await world.install()
    source = world.source()
    world.database.is_full = True
    with pytest.raises(Transient, match="disk full") as caught:
        await source.renew(install.tokens.access_token)
    assert not caught.value.maybe_done
    world.database.is_full = False
    await world.linear.advance(timedelta(minutes=29))
    assert await works_after_renewal(world, source)


async def works_after_renewal(world: World, source: InstalledApp) -> bool:
    """Whether Linear takes the next token after the stored one was refused."""
    client = world.client(source)
    await client.workspace()
    return (await world.stored()).is_active and client.calls["Workspace"] == 2


async def test_a_crash_before_the_write_is_made_good_by_repeating(world: World) -> None:
    install = await world.install()
    world.database.dies_before = True
    with pytest.raises(Died):
        await world.source().renew(install.tokens.access_token)
    await world.linear.advance(timedelta(minutes=29))
    assert await works_after_renewal(world, world.source())
    assert world.grants == {"refresh_token": 2}


async def test_a_crash_between_write_and_use_costs_nothing(world: World) -> None:
    install = await world.install()
    world.database.dies_after = True
    with pytest.raises(Died):
        await world.source().renew(install.tokens.access_token)
    await world.linear.advance(timedelta(hours=3))
    assert await works(world, world.source())
    assert world.grants == {"refresh_token": 1}


@pytest.mark.parametrize("kind", get_args(Lost))
async def test_a_lost_answer_is_asked_for_again(world: World, kind: Lost) -> None:
    install = await world.install()
    world.linear.faults.add(Fault("refresh_token", kind))
    source = world.source()
    with pytest.raises(Transient):
        await source.renew(install.tokens.access_token)
    await source.renew(install.tokens.access_token)
    assert await works(world, source)
    assert world.grants == {"refresh_token": 2}


async def test_an_answer_lost_for_longer_than_linear_repeats_it_ends_the_install(world: World) -> None:
    install = await world.install()
    world.linear.faults.add(Fault("refresh_token", "drop_after"))
    source = world.source()
    with pytest.raises(Transient):
        await source.renew(install.tokens.access_token)
    await world.linear.advance(timedelta(minutes=31))
    with pytest.raises(Unauthorized):
        await source.renew(install.tokens.access_token)
    assert not (await world.stored()).is_active


async def test_while_renewing_early_fails_the_old_token_serves_and_linear_is_left_alone(
    world: World,
) -> None:
    install = await world.install()
    source = world.source()
    await world.linear.advance(SOON)
    world.linear.faults.add(Fault("oauth/token", "answer", times=2, status=503))
    tokens = [await source.current() for _ in range(5)]
    assert set(tokens) == {install.tokens.access_token}
    assert world.grants == {"refresh_token": 1}
    await world.linear.advance(RENEW_PAUSE)
    assert await source.current() == install.tokens.access_token
    await world.linear.advance(RENEW_PAUSE)
    assert await source.current() != install.tokens.access_token
    assert world.grants == {"refresh_token": 3}


async def test_a_token_that_ended_is_not_given_out_while_linear_is_down(world: World) -> None:
    await world.install()
    await world.linear.advance(DAY)
    world.linear.faults.down = True
    with pytest.raises(Transient) as caught:
        await world.source().current()
    assert not caught.value.maybe_done
    world.linear.faults.down = False
    assert await works(world, world.source())


async def test_a_wrong_client_secret_ends_no_install(world: World) -> None:
    await world.install()
    await world.linear.advance(DAY)
    with pytest.raises(Unauthorized, match="client id, its secret"):
        await world.source(client_secret="typo").current()
    assert (await world.stored()).is_active
    assert await works(world, world.source())


async def test_a_wrong_client_secret_is_no_trouble_while_the_token_lives(world: World) -> None:
    install = await world.install()
    await world.linear.advance(SOON)
    assert await world.source(client_secret="typo").current() == install.tokens.access_token


async def test_being_thrown_out_marks_the_install_and_is_not_asked_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.install()
    world.linear.tokens.revoke()
    client = world.client(world.source())
    with caplog.at_level(logging.ERROR), pytest.raises(Unauthorized):
        await client.workspace()
    assert [record.getMessage() for record in caplog.records] == ["linear access revoked"]
    assert not (await world.stored()).is_active
    with pytest.raises(Unauthorized, match="revoked"):
        await client.workspace()
    assert world.grants == {"refresh_token": 1}


async def test_being_thrown_out_shows_when_a_token_is_renewed_early(world: World) -> None:
    await world.install()
    world.linear.tokens.revoke()
    await world.linear.advance(SOON)
    with pytest.raises(Unauthorized):
        await world.source().current()
    assert not (await world.stored()).is_active


async def test_the_webhook_of_a_revocation_stops_the_source_at_once(world: World) -> None:
    install = await world.install()
    await world.installs.revoke("linear", install.external_id, at=world.linear.clock.now())
    with pytest.raises(Unauthorized, match="revoked"):
        await world.source().current()
    with pytest.raises(Unauthorized, match="revoked"):
        await world.source().renew(install.tokens.access_token)
    assert world.grants == {}


async def test_the_stand_ins_word_of_a_revocation_is_read_and_ends_the_install(world: World) -> None:
    await world.install()
    webhook = parse_webhook(json.dumps(world.linear.tokens.revoke().payload).encode())
    assert isinstance(webhook, AppRevoked)
    await world.installs.revoke("linear", webhook.organization_id, at=webhook.sent_at)
    assert not (await world.stored()).is_active


async def test_a_revoked_install_is_the_named_blocker_until_somebody_installs_again(world: World) -> None:
    await world.install()
    sink = LinearSink(world.client(world.source()))
    session = world.linear.people.delegate(world.linear.people.create_issue("Search").identifier)
    log = log_of(Response(body="Done."))
    op = sink.op(log, fold(log), View(SESSION, session.id, {}))
    assert op is not None
    world.linear.tokens.revoke()
    with pytest.raises(AccessLost) as caught:
        await sink.deliver(session.id, op, again=False)
    assert sink.trouble(caught.value) is Blocker.LINEAR_REVOKED
    await world.install()
    await sink.deliver(session.id, op, again=True)
    assert [each.content["body"] for each in session.history] == ["Done."]


async def test_installing_again_brings_the_same_source_back(world: World) -> None:
    await world.install()
    source = world.source()
    world.linear.tokens.revoke()
    with pytest.raises(Unauthorized):
        await world.client(source).workspace()
    await world.install()
    assert await works(world, source)


async def test_before_any_install_callers_are_told_so(world: World) -> None:
    with pytest.raises(Unauthorized, match="not connected"):
        await world.source().current()


async def test_two_processes_that_renew_at_once_end_up_with_one_pair(world: World) -> None:
    install = await world.install()
    dead = install.tokens.access_token
    tokens = await asyncio.gather(*(world.source().renew(dead) for _ in range(2)))
    assert set(tokens) == {(await world.stored()).tokens.access_token}
    assert await works(world, world.source())


async def test_a_process_that_was_late_takes_what_the_other_stored(world: World) -> None:
    install = await world.install()
    late = LateStore(world)
    source = InstalledApp(late, world.endpoint(), now=world.linear.clock.now)
    renewed = await source.renew(install.tokens.access_token)
    stored = await world.stored()
    assert (stored.tokens.access_token, stored.is_active) == (renewed, True)
    assert await works(world, world.source())


class LateStore(InstallStore):
    """After its first reading another process renews twice, so that what was read is no grant any more."""

    def __init__(self, world: World) -> None:
        super().__init__(world.database, vault_of("k"), now=world.linear.clock.now)
        self._world = world
        self._has_read = False

    async def newest(self, kind: str) -> Install | None:
        install = await super().newest(kind)
        if not self._has_read:
            self._has_read = True
            for _ in range(2):
                await self._world.source().renew((await self._world.stored()).tokens.access_token)
        return install


async def test_a_token_without_a_refresh_token_serves_until_it_ends(world: World) -> None:
    install = await world.install()
    await world.installs.connect(replace(install, tokens=replace(install.tokens, refresh_token=None)))
    await world.linear.advance(SOON)
    assert await works(world, world.source())
    await world.linear.advance(DAY - SOON)
    with pytest.raises(Unauthorized, match="nothing was given to renew it"):
        await world.source().current()


async def test_a_lost_key_is_told_as_a_lost_install(world: World) -> None:
    await world.install()
    other_key = InstallStore(world.database, vault_of("x"), now=world.linear.clock.now)
    source = InstalledApp(other_key, world.endpoint(), now=world.linear.clock.now)
    with pytest.raises(Unauthorized, match="cannot be opened"):
        await source.current()


async def test_nothing_of_a_renewal_is_in_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    install = await world.install()
    with caplog.at_level(logging.INFO):
        token = await world.source().renew(install.tokens.access_token)
    said = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "linear token renewed" in said
    stored = await world.stored()
    for secret in (token, str(stored.tokens.refresh_token), str(install.tokens.refresh_token)):
        assert secret not in said


def minting(world: World, *, client_secret: str | None = None) -> ClientCredentials:
    settings = world.linear.settings
    return ClientCredentials(
        world.http,
        world.linear.token_url,
        client_id=settings.client_id,
        client_secret=client_secret or settings.client_secret,
    )


async def test_a_minted_token_is_kept_until_it_is_refused(world: World) -> None:
    source = minting(world)
    first = await source.current()
    assert await source.current() == first
    assert await source.renew(first) != first
    assert world.grants == {"client_credentials": 2}


async def test_twenty_callers_mint_once(world: World) -> None:
    source = minting(world)
    assert len(set(await asyncio.gather(*(source.current() for _ in range(20))))) == 1
    dead = await source.current()
    assert len({dead, *await asyncio.gather(*(source.renew(dead) for _ in range(20)))}) == 2
    assert world.grants == {"client_credentials": 2}


async def test_a_token_minted_elsewhere_makes_us_mint_again(world: World) -> None:
    source, other = minting(world), minting(world)
    await source.current()
    await other.current()
    token = await source.renew(await source.current())
    assert world.linear.tokens.actor_of(f"Bearer {token}") is world.linear.workspace.app_user


async def test_wrong_credentials_mint_nothing(world: World) -> None:
    with pytest.raises(Unauthorized):
        await minting(world, client_secret="typo").current()


def test_a_personal_key_is_warned_about_in_one_line() -> None:
    warning = personal_key_warning("lin_api_1234567890")
    assert warning is not None
    assert "agent sessions" in warning
    assert "\n" not in warning
    assert "1234567890" not in warning


def test_a_token_of_an_app_is_not_warned_about() -> None:
    assert personal_key_warning("lin_oauth_1234567890") is None
