"""The chat platforms that are on: the bot of each, and how the mirror shows sessions there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web
from pydantic import SecretStr

from bots.settings import Settings
from bots.slack.bot import SlackBot
from bots.slack.render import render as slack_render
from core.mirror.budget import Limit
from core.mirror.cards import Render
from core.mirror.chat_sink import SLACK_LIMITS, Charge, ChatSink, slack_charge
from core.mirror.opening import Door
from core.ports import AttachmentReader, ChatSurface, Inbox, Linker, ThreadOpener, ThreadReader
from core.store.addresses import AddressStore
from core.store.database import Database


class Surface(ChatSurface, ThreadReader, Protocol):
    """A place to talk that can be read, too."""


class Bot(Protocol):
    """A platform's adapter. `stop` it last of all that posts."""

    @property
    def surface(self) -> Surface: ...

    def routes(self) -> Sequence[web.RouteDef]:
        """Where the platform reaches us."""
        ...

    async def start(self) -> None:
        """Open what we have to open ourselves; does not wait for the platform."""
        ...

    async def stop(self) -> None:
        """Close all connections. Safe to repeat."""
        ...


@dataclass(frozen=True, slots=True)
class Chat:
    """One platform; `name` is the surface's, as in `ThreadRef`; `files` reads those that people send.

    `trouble` tells why nothing can be said there, as far as the start showed; empty if all is well.
    """

    name: str
    bot: Bot
    render: Render
    limits: Mapping[str, Limit]
    charge: Charge
    files: AttachmentReader | None = None
    trouble: Callable[[], str] = str

    def door(self) -> Door | None:
        """Where we may begin threads of our own, if the platform lets us."""
        surface = self.bot.surface
        return Door(surface, surface, self.render) if isinstance(surface, ThreadOpener) else None

    def sink(self, linker: Linker | None) -> ChatSink:
        """Its projection of the log."""
        return ChatSink(self.bot.surface, self.render, self.name, self.limits, self.charge, linker)


def open_chats(settings: Settings, inbox: Inbox, database: Database) -> list[Chat]:
    """The platforms whose credentials are set. Call it inside the running loop; nothing is sent yet."""
    chats = []
    if settings.slack.on:
        chats.append(Chat("slack", _slack(settings, inbox), slack_render, SLACK_LIMITS, slack_charge))
    if settings.teams.on:
        chats.append(_teams(settings, inbox, AddressStore(database, "teams")))
    return chats


def plain(value: SecretStr | None) -> str:
    """The secret itself; empty if it is not set."""
    return value.get_secret_value() if value else ""


def plain_all(*values: SecretStr | None) -> list[str]:
    """Those that are set."""
    return [value.get_secret_value() for value in values if value]


def _slack(settings: Settings, inbox: Inbox) -> SlackBot:
    slack = settings.slack
    return SlackBot(
        inbox,
        bot_token=plain(slack.bot_token),
        signing_secrets=plain_all(slack.signing_secret, slack.signing_secret_previous),
        app_token=plain(slack.app_token) or None,
        api_url=slack.api_url,
    )


def _teams(settings: Settings, inbox: Inbox, addresses: AddressStore) -> Chat:
    # Here, not above: the Bot Framework costs most of a second and 17 MiB, which only its users should pay.
    from bots.teams.bot import TeamsBot
    from bots.teams.events import Admission
    from bots.teams.limits import TEAMS_LIMITS, teams_charge
    from bots.teams.render import render

    teams = settings.teams
    bot = TeamsBot(
        inbox,
        addresses,
        app_id=teams.app_id or "",
        app_password=plain(teams.app_password),
        metadata_url=teams.openid_metadata_url,
        token_url=teams.minted_at,
        service_hosts=teams.service_hosts,
        service_url=teams.service_url,
        admission=Admission(tenants=frozenset({teams.tenant_id or "", *teams.tenants})),
    )
    return Chat("teams", bot, render, TEAMS_LIMITS, teams_charge, bot.files, lambda: bot.trouble)
