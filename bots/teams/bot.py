"""Teams, put together for the composition root."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from aiohttp import web

from bots.teams.adapter import Authentication, build_adapter
from bots.teams.address import PATH
from bots.teams.auth import InboundTokens
from bots.teams.connector import Connector
from bots.teams.directory import Directory
from bots.teams.events import Admission
from bots.teams.files import TeamsFiles
from bots.teams.heard import Heard
from bots.teams.http import open_session
from bots.teams.ingress import teams_activities
from bots.teams.keys import SigningKeys
from bots.teams.listeners import TeamsListeners
from bots.teams.people import People
from bots.teams.presence import Presence
from bots.teams.surface import TeamsSurface
from bots.teams.tokens import BotToken
from core.ports import Inbox
from core.store.addresses import AddressStore

TOKEN_WITHIN_S: Final = 5.0
"""How long a start waits for Microsoft's word; the next call asks again."""


class TeamsBot:
    """One Bot Framework app. Make it inside the running loop; `stop` it last of all that posts.

    Attributes:
        surface: `ChatSurface`, `ThreadReader`, `ThreadOpener` and `Whisperer`.
        trouble: Why nothing could be said in Teams when we started; empty if all was well.
        files: `AttachmentReader`.
    """

    def __init__(
        self,
        inbox: Inbox,
        addresses: AddressStore,
        *,
        app_id: str,
        app_password: str,
        metadata_url: str,
        token_url: str,
        service_hosts: Sequence[str],
        service_url: str,
        admission: Admission,
    ) -> None:
        """Nothing is sent yet.

        Args:
            inbox: Gets every event before Teams is answered.
            addresses: Where conversations can be reached, across restarts.
            app_id: The app's id, for which Microsoft's tokens must be.
            app_password: Its client secret.
            metadata_url: The OpenID document that leads to Microsoft's signing keys.
            token_url: Where our own tokens come from.
            service_hosts: Hosts of Teams; see `is_trusted`.
            service_url: Where Teams is reached about channels from which nothing came yet.
            admission: Who is heard.
        """
        self.trouble = ""
        self._http = open_session()
        self._keys = SigningKeys(self._http, metadata_url)
        token = BotToken(self._http, token_url, app_id=app_id, secret=app_password)
        connector = Connector(self._http, token, service_hosts=service_hosts)
        self.files = TeamsFiles(self._http, token, service_hosts=service_hosts)
        directory, heard = Directory(addresses), Heard()
        inbound = InboundTokens(self._keys, app_id=app_id, service_hosts=service_hosts)
        listeners = TeamsListeners(inbox, admission, directory, heard, Presence(connector))
        self._connector = connector
        self._handler = teams_activities(build_adapter(Authentication(inbound, connector)), listeners)
        people = People(connector, directory, friends=admission.tenants)
        self.surface = TeamsSurface(
            connector, directory, people, heard, bot_id=f"28:{app_id}", service_url=service_url
        )

    def routes(self) -> list[web.RouteDef]:
        """`POST /api/messages`."""
        return [web.post(PATH, self._handler)]

    async def start(self) -> None:
        """Ask for a token: with a secret that does not count we would hear people and never answer.

        Nothing else is to be opened: Teams comes to us.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(TOKEN_WITHIN_S):
                self.trouble = await self._connector.trouble()

    async def stop(self) -> None:
        """Close all connections. Safe to repeat."""
        await self._keys.close()
        await self._http.close()
