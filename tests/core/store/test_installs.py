"""Installs and their tokens in a real database."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.store.database import Database
from core.store.installs import Install, InstallStore, OtherInstall, Tokens
from core.store.tables import installs
from core.store.vault import Tampered, UnknownKey
from tests.core.store.fakes import START, Clock, opened, vault_of

TOKENS = Tokens("access-1", "refresh-1", START + timedelta(hours=24))
NEWER = Tokens("access-2", "refresh-2", START + timedelta(hours=48))
ACME = Install("linear", "org-acme", "Acme", "app-user", ("read", "write"), TOKENS)
BOLT = replace(ACME, external_id="org-bolt", organization="Bolt", tokens=NEWER)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(tmp_path) as database:
        yield database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database: Database, clock: Clock) -> InstallStore:
    return InstallStore(database, vault_of("a"), now=clock.now)


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_nothing_is_installed_at_first(store: InstallStore) -> None:
    assert await store.newest("linear") is None


async def test_an_install_is_read_as_it_was_stored(store: InstallStore) -> None:
    await store.connect(ACME)
    assert await store.newest("linear") == ACME
    assert await store.newest("github") is None


async def test_an_install_without_a_refresh_token_is_kept(store: InstallStore) -> None:
    install = replace(ACME, tokens=replace(TOKENS, refresh_token=None))
    await store.connect(install)
    assert await store.newest("linear") == install


async def test_no_token_is_in_the_file(store: InstallStore, tmp_path: Path) -> None:
    await store.connect(ACME)
    stored = everything_in(tmp_path)
    assert b"org-acme" in stored
    assert b"access-1" not in stored
    assert b"refresh-1" not in stored


def test_an_install_does_not_print_its_tokens() -> None:
    assert "access-1" not in repr(ACME)
    assert "refresh-1" not in repr(ACME)


async def test_a_second_organization_is_refused_while_the_first_is_connected(store: InstallStore) -> None:
    await store.connect(ACME)
    with pytest.raises(OtherInstall) as caught:
        await store.connect(BOLT)
    assert caught.value.organization == "Acme"
    assert await store.newest("linear") == ACME


async def test_another_platform_is_no_second_organization(store: InstallStore) -> None:
    await store.connect(ACME)
    await store.connect(replace(BOLT, kind="github"))
    assert await store.newest("linear") == ACME


async def test_after_a_revocation_another_organization_can_connect(store: InstallStore, clock: Clock) -> None:
    await store.connect(ACME)
    clock.advance(timedelta(minutes=1))
    await store.revoke("linear", ACME.external_id, at=clock.now())
    clock.advance(timedelta(minutes=1))
    await store.connect(BOLT)
    assert await store.newest("linear") == BOLT


async def test_installing_again_replaces_tokens_and_revives(store: InstallStore, clock: Clock) -> None:
    await store.connect(ACME)
    await store.revoke("linear", ACME.external_id, at=clock.now())
    assert await store.newest("linear") == replace(ACME, is_active=False)
    await store.connect(replace(ACME, tokens=NEWER))
    assert await store.newest("linear") == replace(ACME, tokens=NEWER)


async def test_a_late_word_of_a_revocation_does_not_hit_the_next_install(
    store: InstallStore, clock: Clock
) -> None:
    await store.connect(ACME)
    clock.advance(timedelta(minutes=1))
    revoked_at = clock.now()
    clock.advance(timedelta(hours=6))
    await store.connect(replace(ACME, tokens=NEWER))
    await store.revoke("linear", ACME.external_id, at=revoked_at)
    assert await store.newest("linear") == replace(ACME, tokens=NEWER)


async def test_revoking_what_was_never_installed_is_nothing(store: InstallStore) -> None:
    await store.connect(ACME)
    await store.revoke("linear", "org-other", at=START)
    assert await store.newest("linear") == ACME


async def test_rotation_replaces_both_tokens(store: InstallStore) -> None:
    await store.connect(ACME)
    rotated = replace(ACME, tokens=NEWER)
    assert await store.rotate(ACME, NEWER) == rotated
    assert await store.newest("linear") == rotated


async def test_whoever_rotates_second_gets_what_the_first_stored(store: InstallStore) -> None:
    await store.connect(ACME)
    await store.rotate(ACME, NEWER)
    late = replace(TOKENS, access_token="access-3")
    assert (await store.rotate(ACME, late)).tokens == NEWER
    found = await store.newest("linear")
    assert found is not None
    assert found.tokens == NEWER


async def test_a_revoked_install_is_not_rotated_back_to_life(store: InstallStore, clock: Clock) -> None:
    await store.connect(ACME)
    await store.revoke("linear", ACME.external_id, at=clock.now())
    assert await store.rotate(ACME, NEWER) == replace(ACME, is_active=False)


async def test_rotating_what_is_gone_is_an_error(store: InstallStore) -> None:
    with pytest.raises(LookupError, match="org-acme"):
        await store.rotate(ACME, NEWER)


async def test_tokens_that_were_replaced_cannot_revoke(store: InstallStore) -> None:
    await store.connect(ACME)
    await store.rotate(ACME, NEWER)
    assert not await store.revoke_tokens(ACME)
    assert await store.newest("linear") == replace(ACME, tokens=NEWER)
    assert await store.revoke_tokens(replace(ACME, tokens=NEWER))
    assert await store.newest("linear") == replace(ACME, tokens=NEWER, is_active=False)


async def test_tokens_swapped_between_columns_are_refused(store: InstallStore, database: Database) -> None:
    await store.connect(ACME)
    swapped = {"access_token": installs.c.refresh_token, "refresh_token": installs.c.access_token}
    async with database.write() as connection:
        await connection.execute(sa.update(installs).values(swapped))
    with pytest.raises(Tampered):
        await store.newest("linear")


async def test_tokens_of_another_row_are_refused(store: InstallStore, database: Database) -> None:
    await store.connect(ACME)
    async with database.write() as connection:
        await connection.execute(sa.update(installs).values(external_id="org-bolt"))
    with pytest.raises(Tampered):
        await store.newest("linear")


async def test_reencrypting_lets_the_old_key_go(
    store: InstallStore, database: Database, clock: Clock
) -> None:
    await store.connect(ACME)
    both = InstallStore(database, vault_of("b", "a"), now=clock.now)
    assert [await both.reencrypt(), await both.reencrypt()] == [1, 0]
    assert await InstallStore(database, vault_of("b"), now=clock.now).newest("linear") == ACME
    with pytest.raises(UnknownKey):
        await store.newest("linear")
