"""Socket Mode: the websocket an app opens instead of having a public URL."""

import asyncio
import json
from itertools import count
from uuid import uuid4

from aiohttp import WSCloseCode, WSMsgType, web

from playground.slack_delivery import Delivery, Receipt
from playground.slack_state import APP
from playground.slack_wire import Wire


class SocketHub:
    """All connected sockets; envelopes go to them in turn, and wait for their acknowledgement."""

    def __init__(self, *, answer_within_s: float) -> None:
        self._answer_within_s = answer_within_s
        self._tickets: set[str] = set()
        self._open: set[web.WebSocketResponse] = set()
        self._sockets: list[web.WebSocketResponse] = []  # Those that still take envelopes.
        self._turn = count()
        self._waiting: dict[str, tuple[web.WebSocketResponse, asyncio.Future[Receipt]]] = {}
        self._changed = asyncio.Condition()

    @property
    def is_connected(self) -> bool:
        return bool(self._sockets)

    def issue_ticket(self) -> str:
        """A single-use ticket for `connect`."""
        ticket = uuid4().hex
        self._tickets.add(ticket)
        return ticket

    async def until_connected(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.is_connected)

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """The websocket endpoint; `?ticket=` comes from `apps.connections.open`."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=401)
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json(self._hello())
        self._open.add(socket)
        self._sockets.append(socket)
        async with self._changed:
            self._changed.notify_all()
        try:
            await self._read(socket)
        finally:
            self._forget(socket)
        return socket

    async def send(self, delivery: Delivery, retry_num: int, retry_reason: str | None) -> Receipt:
        """Send one envelope; success is an acknowledgement in time."""
        socket = self._sockets[next(self._turn) % len(self._sockets)]
        envelope_id = str(uuid4())
        acked: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = (socket, acked)
        try:
            await socket.send_json(_envelope(delivery, envelope_id, retry_num, retry_reason))
            return await asyncio.wait_for(acked, self._answer_within_s)
        except TimeoutError:
            return Receipt("timeout")
        except ConnectionError:
            return Receipt("connection_failed")
        finally:
            del self._waiting[envelope_id]

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every connected app to come back on a new socket, as Slack does every few hours.

        The old sockets get nothing more; closing them is left to the app.
        """
        retired, self._sockets = self._sockets, []
        for socket in retired:
            await socket.send_json(
                {"type": "disconnect", "reason": reason, "debug_info": {"host": "playground"}}
            )

    async def cut(self) -> None:
        """Close every socket without a word of warning."""
        for socket in list(self._open):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def _read(self, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                ack = json.loads(message.data)
            except ValueError:
                continue
            waiting = self._waiting.get(str(ack.get("envelope_id"))) if isinstance(ack, dict) else None
            if waiting is not None and not waiting[1].done():
                waiting[1].set_result(Receipt(None, 200, json.dumps(ack.get("payload", ""))))

    def _forget(self, socket: web.WebSocketResponse) -> None:
        self._open.discard(socket)
        if socket in self._sockets:
            self._sockets.remove(socket)
        for owner, acked in self._waiting.values():
            if owner is socket and not acked.done():
                acked.set_result(Receipt("connection_failed"))

    def _hello(self) -> Wire:
        return {
            "type": "hello",
            "num_connections": len(self._sockets) + 1,
            "debug_info": {"host": "playground", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": APP},
        }


def _envelope(delivery: Delivery, envelope_id: str, retry_num: int, retry_reason: str | None) -> Wire:
    wire: Wire = {
        "type": delivery.kind,
        "envelope_id": envelope_id,
        "payload": delivery.payload,
        "accepts_response_payload": delivery.kind == "interactive",
    }
    if delivery.kind == "events_api":
        wire |= {"retry_attempt": retry_num, "retry_reason": retry_reason or ""}
    return wire
