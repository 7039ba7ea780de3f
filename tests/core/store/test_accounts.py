"""Links to accounts at the code host, and their tokens, in a real database."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.activities import Author
from core.pulls import CodeAccount
from core.store.accounts import AccountStore, Ended, LinkedAccount, OtherAccount, Pair
from core.store.audit import AuditStore, broken
from core.store.database import Database
from core.store.tables import code_accounts
from core.store.vault import Tampered, UnknownKey
from tests.core.store.fakes import START, Clock, opened, vault_of

ANA = Author("slack", "T1/UANA", "Ana")
ANA_IN_TEAMS = Author("teams", "tenant/ana", "Ana")
BEN = Author("slack", "T1/UBEN", "Ben")
PAIR = Pair("access-1", "refresh-1", START + timedelta(hours=8), START + timedelta(days=180))
FRESH = Pair("access-2", "refresh-2", START + timedelta(hours=16), START + timedelta(days=180))
LINK = LinkedAccount(
    person="linear:u-ana",
    id=42,
    login="ana-codes",
    by=ANA,
    evidence="oauth+email",
    browser="digest",
    linked_at=START,
)
BENS = replace(LINK, person="slack:T1/UBEN", id=43, login="ben", by=BEN)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(tmp_path) as database:
        yield database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database: Database, clock: Clock) -> AccountStore:
    return AccountStore(database, vault_of("a"), now=clock.now)


async def confirmed(store: AccountStore, link: LinkedAccount = LINK, pair: Pair = PAIR) -> LinkedAccount:
    await store.link(link, pair)
    active = await store.confirm(link.id, link.by)
    assert active is not None
    return active


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_a_link_has_no_tokens_to_give_before_it_is_confirmed(store: AccountStore) -> None:
    assert await store.link(LINK, PAIR) == (LINK, [])
    assert await store.of(ANA) == LINK
    assert (LINK.account.can_act, await store.pair(42)) == (False, None)
    active = await store.confirm(42, ANA)
    assert active == replace(LINK, browser="", is_active=True)
    assert active.account == CodeAccount(
        person="linear:u-ana", id=42, login="ana-codes", can_act=True, evidence="oauth+email"
    )
    assert await store.pair(42) == PAIR


async def test_only_who_made_a_link_confirms_it(store: AccountStore) -> None:
    await store.link(LINK, PAIR)
    assert await store.confirm(42, BEN) is None
    assert await store.confirm(43, ANA) is None
    assert await store.pair(42) is None


async def test_a_person_is_found_by_the_chat_account_and_by_other_names(store: AccountStore) -> None:
    active = await confirmed(store)
    assert await store.of(ANA) == active
    assert await store.of(ANA_IN_TEAMS) is None
    assert await store.of(ANA_IN_TEAMS, ["linear:u-ana"]) == active
    assert await store.of(BEN, ["linear:u-ben"]) is None
    assert (await store.by_id(42), await store.by_id(43)) == (active, None)


async def test_the_own_link_comes_first_and_then_the_first_name(store: AccountStore) -> None:
    anas, bens = await confirmed(store), await confirmed(store, BENS)
    names = ["linear:u-ana", "slack:T1/UBEN"]
    assert await store.of(BEN, names) == bens
    assert await store.of(ANA_IN_TEAMS, names) == anas
    assert await store.of(ANA_IN_TEAMS, names[::-1]) == bens


async def test_no_token_is_in_the_file_or_printed(store: AccountStore, tmp_path: Path) -> None:
    await confirmed(store)
    assert await store.rotate(42, PAIR, FRESH) == FRESH
    stored = everything_in(tmp_path)
    assert b"ana-codes" in stored
    for token in ("access-1", "refresh-1", "access-2", "refresh-2"):
        assert token.encode() not in stored
        assert token not in f"{PAIR} {FRESH} {Ended(LINK, PAIR)}"


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (replace(LINK, id=43, login="ana-too"), "@ana-codes"),
        (replace(LINK, id=43, login="ana-too", by=ANA_IN_TEAMS), "@ana-codes"),
        (replace(LINK, id=43, login="ana-too", person="slack:T1/UANA"), "@ana-codes"),
        (replace(LINK, person="slack:T1/UBEN", by=BEN), "Ana"),
    ],
    ids=["a second account", "from elsewhere", "under another name", "of somebody else"],
)
async def test_people_and_accounts_are_linked_one_to_one(
    store: AccountStore, other: LinkedAccount, named: str
) -> None:
    active = await confirmed(store)
    with pytest.raises(OtherAccount) as caught:
        await store.link(other, FRESH)
    assert caught.value.with_name == named
    assert await store.by_id(42) == active
    assert (await store.pair(42), await store.by_id(43)) == (PAIR, None)


async def test_what_nobody_confirmed_is_in_nobodys_way(store: AccountStore) -> None:
    await store.link(replace(LINK, person="slack:T1/UBEN", by=BEN), PAIR)
    assert await store.link(LINK, FRESH) == (LINK, [])
    other = replace(LINK, id=44, login="ana-too")
    assert await store.link(other, PAIR) == (other, [Ended(LINK, FRESH)])
    assert await store.by_id(42) is None


async def test_the_same_link_again_stays_confirmed(store: AccountStore) -> None:
    await confirmed(store)
    again, replaced = await store.link(replace(LINK, by=ANA_IN_TEAMS), FRESH)
    assert (again.is_active, again.by, again.browser, replaced) == (True, ANA_IN_TEAMS, "", [])
    assert await store.pair(42) == FRESH


async def test_tokens_are_replaced_once(store: AccountStore) -> None:
    await confirmed(store)
    third = replace(FRESH, access_token="access-3")
    assert await store.rotate(42, PAIR, FRESH) == FRESH
    assert await store.rotate(42, PAIR, third) == FRESH
    assert await store.pair(42) == FRESH
    assert await store.rotate(43, PAIR, third) is None


async def test_only_the_tokens_that_died_lose_a_link(store: AccountStore) -> None:
    await confirmed(store)
    await store.rotate(42, PAIR, FRESH)
    assert not await store.lose(42, PAIR)
    assert await store.pair(42) == FRESH
    assert await store.lose(42, FRESH)
    assert await store.by_id(42) is None


async def test_unlinking_ends_what_is_theirs_and_nothing_else(store: AccountStore) -> None:
    active = await confirmed(store)
    bens, _ = await store.link(BENS, FRESH)
    assert await store.unlink(ANA_IN_TEAMS, ["linear:u-other"]) == []
    assert await store.unlink(ANA_IN_TEAMS, ["linear:u-ana"]) == [Ended(active, PAIR)]
    assert await store.unlink(ANA) == []
    assert await store.forget(43) == [Ended(bens, FRESH)]


async def test_what_nobody_confirms_is_forgotten(store: AccountStore, clock: Clock) -> None:
    active = await confirmed(store)
    clock.advance(timedelta(minutes=1))
    old, _ = await store.link(BENS, FRESH)
    clock.advance(timedelta(hours=1))
    assert await store.forget_unconfirmed(old.linked_at) == []
    assert await store.forget_unconfirmed(clock.now()) == [Ended(old, FRESH)]
    assert await store.by_id(42) == active


async def test_tokens_without_an_end_are_kept(store: AccountStore) -> None:
    lasting = Pair("access-1", None, None, None)
    await confirmed(store, pair=lasting)
    assert await store.pair(42) == lasting


@pytest.mark.parametrize("column", ["access_token", "refresh_token"])
async def test_a_token_of_another_row_is_refused(
    store: AccountStore, database: Database, column: str
) -> None:
    await confirmed(store)
    await confirmed(store, BENS, FRESH)
    async with database.write() as connection:
        [bens] = (
            await connection.execute(sa.select(code_accounts).where(code_accounts.c.account_id == 43))
        ).all()
        swapped = {column: getattr(bens, column)}
        here = code_accounts.c.account_id == 42
        await connection.execute(sa.update(code_accounts).where(here).values(swapped))
    with pytest.raises(Tampered):
        await store.pair(42)
    assert await store.pair(43) == FRESH


@pytest.mark.parametrize("change", [{"account_id": 99}, {"person": "linear:u-mallory"}])
async def test_a_row_that_is_given_to_somebody_else_is_worth_nothing(
    store: AccountStore, database: Database, change: dict[str, object]
) -> None:
    await confirmed(store)
    async with database.write() as connection:
        await connection.execute(sa.update(code_accounts).values(change))
    with pytest.raises(Tampered):
        await store.pair(int(str(change.get("account_id", 42))))


async def test_a_token_that_cannot_be_opened_is_unlinked_all_the_same(
    store: AccountStore, database: Database, clock: Clock
) -> None:
    active = await confirmed(store)
    stranger = AccountStore(database, vault_of("b"), now=clock.now)
    with pytest.raises(UnknownKey):
        await stranger.pair(42)
    assert await stranger.unlink(ANA) == [Ended(active, None)]


async def test_after_the_key_is_replaced_the_old_one_opens_nothing(
    store: AccountStore, database: Database, clock: Clock
) -> None:
    await confirmed(store)
    await store.link(BENS, FRESH)
    both = AccountStore(database, vault_of("b", "a"), now=clock.now)
    assert await both.pair(42) == PAIR
    assert (await both.reencrypt(), await both.reencrypt()) == (2, 0)
    assert await AccountStore(database, vault_of("b"), now=clock.now).pair(42) == PAIR
    with pytest.raises(UnknownKey):
        await store.pair(42)


async def audited(database: Database) -> list[str]:
    """The audit log, which holds."""
    trail = await AuditStore(database, now=lambda: 0.0).trail()
    assert list(broken(trail)) == []
    told = [one.body for one in trail.records]
    return [
        f"{one['who']} {one['action']} @{one['login']} {one['account']} {one['evidence']}: {one['result']}"
        for one in told
    ]


async def test_what_begins_and_ends_a_link_is_audited(
    store: AccountStore, database: Database, clock: Clock
) -> None:
    ana, ben = "@ana-codes 42 oauth+email", "@ben 43 oauth+email"
    await confirmed(store)
    await store.confirm(42, ANA)
    await store.link(LINK, FRESH)
    await store.rotate(42, FRESH, PAIR)
    await store.link(BENS, PAIR)
    told = [
        f"slack:T1/UANA link {ana}: to confirm",
        f"slack:T1/UANA link {ana}: done",
        f"slack:T1/UANA link {ana}: done",
        f"slack:T1/UBEN link {ben}: to confirm",
    ]
    assert await audited(database) == told

    clock.advance(timedelta(hours=2))
    await store.forget_unconfirmed(clock.now())
    assert not await store.lose(42, FRESH)
    assert await store.lose(42, PAIR)
    assert await store.lose(42, PAIR)
    await confirmed(store)
    await store.unlink(ANA)
    await store.unlink(ANA)
    await confirmed(store)
    await store.forget(42)
    assert (await audited(database))[4:] == [
        f"slack:T1/UBEN unlink {ben}: never confirmed",
        f"slack:T1/UANA unlink {ana}: lost",
        f"slack:T1/UANA link {ana}: to confirm",
        f"slack:T1/UANA link {ana}: done",
        f"slack:T1/UANA unlink {ana}: done",
        f"slack:T1/UANA link {ana}: to confirm",
        f"slack:T1/UANA link {ana}: done",
        f"slack:T1/UANA unlink {ana}: lost",
    ]


async def test_a_refused_link_leaves_nothing(store: AccountStore, database: Database) -> None:
    await confirmed(store)
    with pytest.raises(OtherAccount):
        await store.link(replace(LINK, id=43, login="ana-too"), FRESH)
    assert len(await audited(database)) == 2


async def test_no_token_is_in_the_audit_log(store: AccountStore, database: Database) -> None:
    await confirmed(store)
    await store.unlink(ANA)
    trail = await AuditStore(database, now=lambda: 0.0).trail()
    assert not [one for one in trail.records if "access-" in str(one.body) or "refresh-" in str(one.body)]
