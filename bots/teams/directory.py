"""Where to write in Teams, as the newest activities told; whoever writes later looks here."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from bots.teams.address import Address
from bots.teams.wire import Account
from core.ids import ThreadRef
from core.store.addresses import AddressStore

CACHED: Final = 2_000

_ADDRESS: Final = TypeAdapter(Address)


class Directory:
    """Addresses of conversations, and of people: the last conversation in which they did something.

    What is stored is written again only when it changes; it is read each time, for another process may have
    written it.

    With another registration of our bot, Teams has other ids for the same people. All that we keep of them
    stands under the id under which we first met them; only what goes to Teams needs the one of now.
    """

    def __init__(self, store: AddressStore) -> None:
        self._store = store
        self._stored: OrderedDict[tuple[str, str], Address] = OrderedDict()
        self._met: OrderedDict[tuple[str, str], dict[str, str]] = OrderedDict()
        self._meeting = asyncio.Lock()

    async def remember(self, address: Address, person: str | None) -> None:
        """Store where an activity came from; raises `StoreUnavailable`.

        Args:
            person: Who did it; None if that was nobody whom one could look up.
        """
        targets = [address.conversation] if person is None else [address.conversation, person]
        changed = [each for each in targets if self._stored.get((address.tenant, each)) != address]
        if not changed:
            return
        await self._store.put(address.tenant, dict.fromkeys(changed, asdict(address)))
        for target in changed:
            self._stored[address.tenant, target] = address
            self._stored.move_to_end((address.tenant, target))
        while len(self._stored) > CACHED:
            self._stored.popitem(last=False)

    async def of(self, thread: ThreadRef) -> Address | None:
        """The address of a thread's conversation; raises `StoreUnavailable`."""
        return _address(await self._store.find(thread.install, thread.conversation))

    async def of_person(self, tenant: str, user: str) -> Address | None:
        """The address of a conversation that the person is in; raises `StoreUnavailable`."""
        return _address(await self._store.find(tenant, user))

    async def first_id(self, tenant: str, person: Account) -> str:
        """The id under which we first met the person who just did something; raises `StoreUnavailable`.

        Whoever asks first is answered first: what comes close together is heard in its order.
        """
        async with self._meeting:
            return await self._first_id(tenant, person) if person.aad_object_id else person.id

    async def id_now(self, tenant: str, first: str) -> str:
        """The id by which Teams knows them now; raises `StoreUnavailable`."""
        moved = await self._store.find(tenant, f"now:{first}")
        return moved["id"] if moved else first

    async def _first_id(self, tenant: str, person: Account) -> str:
        target = f"entra:{person.aad_object_id}"
        met = self._met.get((tenant, target)) or await self._store.find(tenant, target)
        first = met["first"] if met else person.id
        wanted = {"first": first, "now": person.id}
        if met != wanted:
            moved = {f"now:{first}": {"id": person.id}} if met else {}
            await self._store.put(tenant, {target: wanted, **moved})
        self._met[tenant, target] = wanted
        while len(self._met) > CACHED:
            self._met.popitem(last=False)
        return first


def _address(stored: Mapping[str, Any] | None) -> Address | None:
    try:
        return _ADDRESS.validate_python(stored)
    except ValidationError:
        return None  # There is none, or that of another version: the next activity brings a new one.
