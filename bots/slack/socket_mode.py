"""Socket Mode: the same listeners over a connection that we open, for installs without a public address."""

import asyncio

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient


class SocketConnection:
    """Receives envelopes; each is acknowledged only after its listener has stored it.

    What is not acknowledged, because the store was down or we died, Slack sends again.
    """

    def __init__(self, app: AsyncApp, client: AsyncWebClient, app_token: str) -> None:
        self._app = app
        self._client = client
        self._app_token = app_token
        self._handler: AsyncSocketModeHandler | None = None
        self._connecting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect, and stay connected; without end, so that Slack may be down when we start."""
        if self._handler is None:
            self._handler = AsyncSocketModeHandler(self._app, self._app_token, web_client=self._client)
            connecting = self._handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt's.
            self._connecting = asyncio.create_task(connecting)

    async def connected(self) -> None:
        """Wait for the first connection."""
        if self._connecting is not None:
            await asyncio.shield(self._connecting)

    async def stop(self) -> None:
        """Close for good, and wait for the client's tasks. Safe to repeat."""
        handler, self._handler = self._handler, None
        if handler is None:
            return
        client = handler.client
        await handler.close_async()  # type: ignore[no-untyped-call]  # Bolt leaves it unannotated.
        tasks = (
            self._connecting,
            client.message_processor,
            client.message_receiver,
            client.current_session_monitor,
        )
        running = [task for task in tasks if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
