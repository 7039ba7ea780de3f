"""People and conversations, across restarts and registrations of our bot."""

import asyncio

from bots.teams.directory import Directory
from bots.teams.wire import Account
from core.store.addresses import AddressStore

TENANT = "t1"


def account(id: str, directory_id: str | None = "0a11") -> Account:
    return Account.model_validate({"id": id, "aadObjectId": directory_id})


async def test_who_comes_back_to_the_first_registration_is_reached_there(addresses: AddressStore) -> None:
    directory = Directory(addresses)
    for id in ("29:old", "29:new", "29:old"):
        assert await directory.first_id(TENANT, account(id)) == "29:old"
        assert await directory.id_now(TENANT, "29:old") == id
    assert await Directory(addresses).first_id(TENANT, account("29:new")) == "29:old"
    assert await directory.first_id(TENANT, account("29:anon", None)) == "29:anon"
    assert await directory.first_id("other", account("29:new")) == "29:new"


async def test_what_comes_close_together_is_answered_in_its_order(addresses: AddressStore) -> None:
    directory, order = Directory(addresses), list[int]()

    async def ask(number: int) -> None:
        await directory.first_id(TENANT, account("29:bob"))
        order.append(number)

    await asyncio.gather(*map(ask, range(9)))
    assert order == sorted(order)
