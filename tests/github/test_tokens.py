"""People's tokens: renewed once, stored before they are used, lost and given back as GitHub says."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.errors import LinkLost, Refused, StoreUnavailable, Throttled, TryLater
from core.pulls import CodeAccount
from core.store.accounts import AccountStore, Pair
from core.store.tables import code_accounts
from github.credentials import UserToken
from github.host import UserTokens
from github.tokens import LinkedTokens
from playground.github import Fault
from tests.core.store.fakes import Died, vault_of
from tests.github.link_world import ANA, BEN, World, link_world

SOON_OVER = timedelta(hours=7, minutes=55)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with link_world(tmp_path) as world:
        yield world


@pytest.fixture
async def ana(world: World) -> CodeAccount:
    return await world.linked_up()


async def whose(world: World, token: UserToken) -> str:
    return (await world.oauth.whoami(token)).login


async def test_a_token_is_given_out_as_long_as_it_lives(world: World, ana: CodeAccount) -> None:
    tokens: UserTokens = world.tokens
    token = await tokens.token(ana)
    world.later(timedelta(hours=7, minutes=45))
    assert await tokens.token(ana) == token
    assert (token.user_id, await whose(world, token)) == (ana.id, "ana-codes")
    assert world.there.tokens.refreshed == 0


async def test_fifty_at_once_renew_once(world: World, ana: CodeAccount) -> None:
    old = await world.tokens.token(ana)
    world.later(SOON_OVER)
    tokens = await asyncio.gather(*(world.tokens.token(ana) for _ in range(50)))
    assert (len(set(tokens)), world.there.tokens.refreshed) == (1, 1)
    assert tokens[0] != old
    assert await whose(world, tokens[0]) == "ana-codes"


async def test_people_do_not_wait_for_each_other(world: World, ana: CodeAccount) -> None:
    ben = await world.linked_up(BEN, "ben-codes")
    world.later(SOON_OVER)
    tokens = await asyncio.gather(world.tokens.token(ana), world.tokens.token(ben))
    assert [await whose(world, one) for one in tokens] == ["ana-codes", "ben-codes"]
    assert world.there.tokens.refreshed == 2


async def test_a_process_begins_where_another_ended(world: World, ana: CodeAccount) -> None:
    world.later(SOON_OVER)
    fresh = await world.tokens.token(ana)
    world.restart()
    assert await world.tokens.token(ana) == fresh
    world.later(SOON_OVER)
    assert await whose(world, await world.tokens.token(ana)) == "ana-codes"


async def test_who_does_not_wait_any_more_spends_nothing(world: World, ana: CodeAccount) -> None:
    """A request that is cancelled while GitHub renews must not take the new pair along."""
    world.later(SOON_OVER)
    world.heard.clear()
    hasty = asyncio.create_task(world.tokens.token(ana))
    await world.renewed.wait()
    hasty.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hasty
    world.heard.set()
    await world.tokens.close()
    assert await whose(world, await world.tokens.token(ana)) == "ana-codes"
    assert world.there.tokens.refreshed == 1


class Lagging(AccountStore):
    """Reads at once, but whoever asks first hears of it when `late` is set; `has_read` tells of that."""

    def __init__(self, world: World) -> None:
        super().__init__(world.database, vault_of("k"), now=world.clock.now)
        self.has_read, self.late = asyncio.Event(), asyncio.Event()

    async def pair(self, id: int) -> Pair | None:
        found = await super().pair(id)
        if not self.has_read.is_set():
            self.has_read.set()
            await self.late.wait()
        return found


async def test_who_looked_before_a_renewal_does_not_spend_the_token_again(
    world: World, ana: CodeAccount
) -> None:
    world.later(SOON_OVER)
    store = Lagging(world)
    tokens = LinkedTokens(store, world.oauth, now=world.clock.now)
    slow = asyncio.create_task(tokens.token(ana))
    await store.has_read.wait()
    fresh = await tokens.token(ana)
    store.late.set()
    assert await slow == fresh
    assert world.there.tokens.refreshed == 1


async def test_a_pair_is_stored_before_anybody_gets_it(world: World, ana: CodeAccount) -> None:
    """A full disk after GitHub gave the pair: nobody gets it, and it is not asked for again."""
    world.later(SOON_OVER)
    world.database.is_full = True
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await world.tokens.token(ana)
    world.database.is_full = False
    assert await whose(world, await world.tokens.token(ana)) == "ana-codes"
    world.restart()
    assert await whose(world, await world.tokens.token(ana)) == "ana-codes"
    assert world.there.tokens.refreshed == 1


async def test_a_crash_between_github_and_the_store_loses_the_link_and_says_so(
    world: World, ana: CodeAccount
) -> None:
    world.later(SOON_OVER)
    world.database.dies_before = True
    with pytest.raises(Died):
        await world.tokens.token(ana)
    world.restart()
    with pytest.raises(LinkLost):
        await world.tokens.token(ana)
    assert await world.book.linked(ANA) is None
    with pytest.raises(LinkLost):
        await world.tokens.token(ana)
    assert (await world.linked_up()).can_act


async def test_a_crash_after_the_store_loses_nothing(world: World, ana: CodeAccount) -> None:
    world.later(SOON_OVER)
    world.database.dies_after = True
    with pytest.raises(Died):
        await world.tokens.token(ana)
    world.restart()
    assert await whose(world, await world.tokens.token(ana)) == "ana-codes"
    assert world.there.tokens.refreshed == 1


async def test_an_answer_that_is_lost_ends_the_link_at_the_next_try(world: World, ana: CodeAccount) -> None:
    """GitHub has spent the refresh token, and nobody has the new one."""
    world.later(SOON_OVER)
    world.there.fail("token", Fault(drop="after"))
    with pytest.raises(TryLater) as caught:
        await world.tokens.token(ana)
    assert caught.value.maybe_done
    with pytest.raises(LinkLost):
        await world.tokens.token(ana)


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault(drop="before"), TryLater), (Fault(status=502), TryLater), (Fault(status=429), Throttled)],
    ids=["dropped", "gateway", "throttled"],
)
async def test_trouble_at_github_loses_no_link(
    world: World, ana: CodeAccount, fault: Fault, error: type[Exception]
) -> None:
    world.later(SOON_OVER)
    world.there.fail("token", fault)
    with pytest.raises(error):
        await world.tokens.token(ana)
    assert await whose(world, await world.tokens.token(ana)) == "ana-codes"


async def test_a_wrong_client_secret_is_no_reason_to_lose_links(world: World, ana: CodeAccount) -> None:
    world.later(SOON_OVER)
    world.there.app.client_secret = "another"
    with pytest.raises(Refused):
        await world.tokens.token(ana)
    assert await world.book.linked(ANA) is not None


async def test_a_token_that_is_refused_is_renewed_and_nothing_is_lost(world: World, ana: CodeAccount) -> None:
    """GitHub ends the oldest of a person's tokens by itself; the refresh token tells whether that is all."""
    token = await world.tokens.token(ana)
    with pytest.raises(TryLater):
        await world.tokens.refused(ana, token)
    fresh = await world.tokens.token(ana)
    assert fresh != token
    with pytest.raises(TryLater):  # Somebody who still had the old one.
        await world.tokens.refused(ana, token)
    assert await world.tokens.token(ana) == fresh
    assert world.there.tokens.refreshed == 1


async def test_what_was_revoked_in_flight_is_lost(world: World, ana: CodeAccount) -> None:
    token = await world.tokens.token(ana)
    world.there.revoke("ana-codes")
    with pytest.raises(LinkLost):
        await world.tokens.refused(ana, token)
    assert await world.store.by_id(ana.id) is None
    with pytest.raises(LinkLost):
        await world.tokens.refused(ana, token)


async def test_half_a_year_without_use_ends_a_link(world: World, ana: CodeAccount) -> None:
    world.later(timedelta(days=190))
    with pytest.raises(LinkLost):
        await world.tokens.token(ana)
    assert world.counts("token") == 1, "GitHub need not be asked"


async def test_a_token_without_an_end_is_never_renewed(world: World, ana: CodeAccount) -> None:
    pair = await world.store.pair(ana.id)
    assert pair is not None
    lasting = replace(pair, refresh_token=None, expires_at=None, refresh_expires_at=None)
    await world.store.rotate(ana.id, pair, lasting)
    world.clock.advance(timedelta(days=1000))
    assert (await world.tokens.token(ana)).token == pair.access_token
    with pytest.raises(LinkLost):
        await world.tokens.refused(ana, await world.tokens.token(ana))


async def test_a_link_that_nobody_confirmed_gives_no_token(world: World) -> None:
    answer = await world.browser().walk(await world.address(), "ana-codes")
    assert "One step is left" in answer.text
    [(account, _)] = world.linked
    with pytest.raises(LinkLost):
        await world.tokens.token(replace(account, can_act=True))


async def test_the_word_of_a_revocation_removes_the_tokens(world: World, ana: CodeAccount) -> None:
    world.there.revoke("ana-codes")
    await world.tokens.revoked(ana.id)
    assert await world.store.by_id(ana.id) is None
    await world.tokens.revoked(ana.id)


async def test_a_late_word_of_a_revocation_does_not_hit_the_next_link(world: World, ana: CodeAccount) -> None:
    world.there.revoke("ana-codes")
    await world.tokens.revoked(ana.id)
    again = await world.linked_up()
    await world.tokens.revoked(ana.id)
    assert await whose(world, await world.tokens.token(again)) == "ana-codes"


async def test_a_revocation_that_cannot_be_checked_is_believed(world: World, ana: CodeAccount) -> None:
    world.there.fail("GET /user", Fault(status=500), times=3)
    await world.tokens.revoked(ana.id)
    assert await world.store.by_id(ana.id) is None


async def test_unlinking_ends_the_grant_at_github(world: World, ana: CodeAccount) -> None:
    token = await world.tokens.token(ana)
    gone = await world.book.unlink(ANA)
    assert gone is not None
    assert (gone.login, gone.is_over) == ("ana-codes", True)
    assert not await world.oauth.is_alive(token)
    assert not world.lives("ana-codes")
    assert await world.book.unlink(ANA) is None


async def test_unlinking_ends_a_grant_whose_token_is_over(world: World, ana: CodeAccount) -> None:
    """GitHub knows a grant by a living token only: a new one is asked for, to end them all."""
    world.later(timedelta(hours=9))
    gone = await world.book.unlink(ANA)
    assert gone is not None
    assert (gone.is_over, world.there.tokens.refreshed) == (True, 1)
    assert not world.lives("ana-codes")


async def test_unlinking_while_github_is_away_removes_the_tokens_here(
    world: World, ana: CodeAccount, caplog: pytest.LogCaptureFixture
) -> None:
    world.there.fail("DELETE /applications/{client}/grant", Fault(status=500))
    with caplog.at_level(logging.WARNING):
        gone = await world.book.unlink(ANA)
    assert gone is not None
    assert not gone.is_over
    assert await world.store.by_id(ana.id) is None
    assert "grant not given back" in caplog.messages


async def test_who_unlinks_while_a_token_is_renewed_is_unlinked(world: World, ana: CodeAccount) -> None:
    """The new pair has no row to go to: it is given back, not kept."""
    world.later(SOON_OVER)
    world.heard.clear()
    asked = asyncio.create_task(world.tokens.token(ana))
    await world.renewed.wait()
    await world.store.unlink(ANA)
    world.heard.set()
    with pytest.raises(LinkLost):
        await asked
    assert not world.lives("ana-codes")


async def test_a_token_of_somebody_else_in_the_row_is_refused(world: World, ana: CodeAccount) -> None:
    ben = await world.linked_up(BEN, "ben-codes")
    async with world.database.write() as connection:
        rows = (await connection.execute(sa.select(code_accounts))).all()
        bens = next(row.access_token for row in rows if row.account_id == ben.id)
        await connection.execute(
            sa.update(code_accounts).where(code_accounts.c.account_id == ana.id).values(access_token=bens)
        )
    with pytest.raises(Refused):
        await world.tokens.token(ana)
    assert await world.store.by_id(ana.id) is not None


async def test_without_the_key_nothing_is_given_out_and_nothing_lost(world: World, ana: CodeAccount) -> None:
    store = AccountStore(world.database, vault_of("z"), now=world.clock.now)
    with pytest.raises(Refused):
        await LinkedTokens(store, world.oauth, now=world.clock.now).token(ana)
    assert (await world.tokens.token(ana)).user_id == ana.id


async def test_no_log_holds_a_token(world: World, ana: CodeAccount, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        pair = await world.store.pair(ana.id)
        world.later(SOON_OVER)
        world.there.fail("token", Fault(status=502))
        with pytest.raises(TryLater):
            await world.tokens.token(ana)
        await world.tokens.token(ana)
        world.there.revoke("ana-codes")
        with pytest.raises(LinkLost):
            await world.tokens.refused(ana, await world.tokens.token(ana))
    assert pair is not None
    said = "".join(f"{one.getMessage()} {vars(one)}" for one in caplog.records)
    assert "link lost" in said
    assert "ghu_" not in said
    assert "ghr_" not in said
    assert pair.access_token not in said
