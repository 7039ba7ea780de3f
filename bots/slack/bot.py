"""Slack, put together for the composition root."""

from collections.abc import Sequence

from aiohttp import web

from bots.slack.client import build_client, open_session
from bots.slack.dialogs import Dialogs
from bots.slack.events import MEMBERS_ONLY, Admission
from bots.slack.ingress import PATH, slack_events
from bots.slack.listeners import build_app
from bots.slack.socket_mode import SocketConnection
from bots.slack.surface import SlackSurface
from bots.slack.threshold import Threshold
from core.ports import Inbox


class SlackBot:
    """One Slack install. Make it inside the running loop; `stop` it last of all that posts.

    Attributes:
        surface: `ChatSurface`, `Whisperer` and `ThreadReader`.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        bot_token: str,
        signing_secrets: Sequence[str],
        app_token: str | None,
        api_url: str,
        admission: Admission = MEMBERS_ONLY,
    ) -> None:
        """Nothing is sent yet.

        Args:
            inbox: Gets every event before Slack is answered.
            bot_token: `xoxb-...`.
            signing_secrets: Those that count; empty if Socket Mode is the only way in.
            app_token: `xapp-...` for Socket Mode, None for HTTP only.
            api_url: Slack's own is "https://slack.com/api/".
            admission: Who is heard beside the workspace's members.
        """
        self._secrets = tuple(signing_secrets)
        self._session = open_session()
        client = build_client(bot_token, api_url, self._session)
        self._app = build_app(
            inbox, Dialogs(client).open, Threshold(client).admits, api_url=api_url, admission=admission
        )
        self._socket = (
            SocketConnection(self._app, build_client(app_token, api_url, self._session), app_token)
            if app_token
            else None
        )
        self.surface = SlackSurface(client, friends=admission.teams)

    def routes(self) -> list[web.RouteDef]:
        """`POST /slack/events`; none where no signing secret is known."""
        return [web.post(PATH, slack_events(self._app, self._secrets))] if self._secrets else []

    async def start(self) -> None:
        """Open the socket, if there is an app token; does not wait for Slack."""
        if self._socket is not None:
            self._socket.start()

    async def connected(self) -> None:
        """Wait until the socket stands; at once without Socket Mode."""
        if self._socket is not None:
            await self._socket.connected()

    async def stop(self) -> None:
        """Close the socket and all connections. Safe to repeat."""
        if self._socket is not None:
            await self._socket.stop()
        await self._session.close()
