"""Where to write in Teams, as the newest activities told; whoever writes later looks here."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from bots.teams.address import Address
from core.ids import ThreadRef
from core.store.addresses import AddressStore

CACHED: Final = 2_000

_ADDRESS: Final = TypeAdapter(Address)


class Directory:
    """Addresses of conversations, and of people: the last conversation in which they did something.

    What is stored is written again only when it changes; it is read each time, for another process may have
    written it.
    """

    def __init__(self, store: AddressStore) -> None:
        self._store = store
        self._stored: OrderedDict[tuple[str, str], Address] = OrderedDict()

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


def _address(stored: Mapping[str, Any] | None) -> Address | None:
    try:
        return _ADDRESS.validate_python(stored)
    except ValidationError:
        return None  # There is none, or that of another version: the next activity brings a new one.
