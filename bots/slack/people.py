"""Who Slack's user ids are; asked once an hour for each."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from slack_sdk.web.async_client import AsyncWebClient

from bots.slack.client import call
from bots.slack.wire import Wire
from core.errors import DeliveryError, Refused

KEPT_S: Final = 3_600.0
KEPT_PEOPLE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Person:
    """What `users.info` tells; `email` only with the scope `users:read.email`.

    `team` is the workspace they are a member of; a stranger is one of another organisation.
    """

    name: str
    email: str | None = None
    team: str | None = None
    is_guest: bool = False
    is_stranger: bool = False


class People:
    """A small memory in front of `users.info`."""

    def __init__(self, client: AsyncWebClient, *, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._now = now
        self._known: dict[str, tuple[float, Person | None]] = {}

    async def find(self, user: str) -> Person | None:
        """The person, or None if Slack will not tell; passing trouble raises `DeliveryError`."""
        until, person = self._known.get(user, (0.0, None))
        if self._now() < until:
            return person
        try:
            answer = await call("users.info", self._client.users_info(user=user))
        except Refused:
            answer = {}
        person = _person(answer.get("user"))
        self._remember(user, person)
        return person

    async def name_of(self, user: str) -> str:
        """The person's name, for display: the id where there is no better one right now."""
        try:
            person = await self.find(user)
        except DeliveryError:
            return user
        return person.name if person else user

    def _remember(self, user: str, person: Person | None) -> None:
        self._known.pop(user, None)
        if len(self._known) >= KEPT_PEOPLE:
            del self._known[next(iter(self._known))]
        self._known[user] = (self._now() + KEPT_S, person)


def _person(user: object) -> Person | None:
    if not isinstance(user, dict):
        return None
    profile = user.get("profile")
    profile = profile if isinstance(profile, dict) else {}
    return Person(
        _name(user, profile),
        _text(profile.get("email")),
        team=_text(user.get("team_id")),
        is_guest=user.get("is_restricted") is True or user.get("is_ultra_restricted") is True,
        is_stranger=user.get("is_stranger") is True,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _name(user: Wire, profile: Wire) -> str:
    """The name that people see in Slack: the one they chose, else the full one."""
    names = (profile.get("display_name"), profile.get("real_name"), user.get("real_name"), user.get("name"))
    return next((name for name in names if isinstance(name, str) and name), "somebody")
