"""Who Teams' user ids are; asked once an hour for each."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bots.teams.connector import Connector, Spot
from bots.teams.directory import Directory
from core.errors import Refused, StoreUnavailable, TryLater

KEPT_S: Final = 3_600.0
KEPT_PEOPLE: Final = 1_000

_GUEST_MARK: Final = "#EXT#"


@dataclass(frozen=True, slots=True)
class Person:
    """What the roster tells.

    Attributes:
        email: Not of strangers: what their tenant writes there proves nothing here.
        is_guest: An outsider with an account in the tenant.
        is_stranger: Somebody with an account in a tenant that is not admitted.
    """

    name: str
    email: str | None = None
    is_guest: bool = False
    is_stranger: bool = False


class People:
    """A small memory in front of the roster of the conversation in which a person was last seen.

    Args:
        friends: Ids of other tenants whose people count as our own.
        now: Seconds that only go forward.
    """

    def __init__(
        self,
        connector: Connector,
        directory: Directory,
        *,
        friends: Collection[str] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connector = connector
        self._directory = directory
        self._friends = frozenset(friends)
        self._now = now
        self._known: dict[tuple[str, str], tuple[float, Person | None]] = {}

    async def find(self, tenant: str, user: str) -> Person | None:
        """Whom we first met as `user`, or None if Teams will not tell; trouble raises `DeliveryError`."""
        until, person = self._known.get((tenant, user), (0.0, None))
        if self._now() < until:
            return person
        try:
            now = await self._directory.id_now(tenant, user)
            address = await self._directory.of_person(tenant, now)
        except StoreUnavailable as error:
            raise TryLater(f"member: {error}") from error
        if address is None:
            return None
        try:
            told = await self._connector.member(Spot(address.service_url, address.conversation), now)
        except Refused:
            told = {}
        person = _person(told, {"", tenant, *self._friends})
        self._remember((tenant, user), person)
        return person

    def _remember(self, key: tuple[str, str], person: Person | None) -> None:
        self._known.pop(key, None)
        if len(self._known) >= KEPT_PEOPLE:
            del self._known[next(iter(self._known))]
        self._known[key] = (self._now() + KEPT_S, person)


def _person(told: Mapping[str, Any], ours: Collection[str]) -> Person | None:
    name = _text(told, "name")
    if not name:
        return None
    is_stranger = _text(told, "tenantId") not in ours
    is_guest = _text(told, "userRole") == "guest" or _GUEST_MARK in _text(told, "userPrincipalName").upper()
    email = "" if is_stranger else _text(told, "email")
    return Person(name, email or None, is_guest=is_guest, is_stranger=is_stranger)


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return value if isinstance(value, str) else ""
