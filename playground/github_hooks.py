"""Webhooks of the GitHub stand-in: signed, never repeated by themselves, kept for whoever asks for them."""

import asyncio
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import aiohttp

ANSWER_LIMIT_S = 10.0


@dataclass(slots=True, eq=False)
class Delivery:
    """One event. `id` is new for each attempt, `guid` the event's own; `status` 0 if nobody answered."""

    id: int
    guid: str
    event: str
    action: str
    body: bytes
    at: datetime
    status: int = 0
    is_redelivery: bool = False


@dataclass(slots=True)
class Courier:
    """Sends events to the app. `lose` drops the next ones, `twice` doubles each, `hold` keeps them back."""

    url: str
    secret: str
    installation: int
    deliveries: list[Delivery] = field(default_factory=list)
    lose: int = 0
    twice: bool = False
    hold: bool = False
    _held: list[Delivery] = field(default_factory=list)
    _http: aiohttp.ClientSession | None = None
    _sending: set["asyncio.Task[None]"] = field(default_factory=set)

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_LIMIT_S))

    async def stop(self) -> None:
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if self._http:
            await self._http.close()

    def emit(self, event: str, action: str, payload: Mapping[str, Any]) -> None:
        """Something happened; the app is told soon."""
        body = json.dumps({"action": action, **payload, "installation": {"id": self.installation}}).encode()
        made = Delivery(len(self.deliveries) + 1, str(uuid4()), event, action, body, datetime.now(UTC))
        self.deliveries.append(made)
        if not self.url:
            return
        if self.lose > 0:
            self.lose -= 1
        elif self.hold:
            self._held.append(made)
        else:
            for _ in range(2 if self.twice else 1):
                self._soon(made)

    def release(self, *, backwards: bool = False) -> None:
        """Send what was held back, perhaps the newest first."""
        held, self._held, self.hold = self._held, [], False
        for one in reversed(held) if backwards else held:
            self._soon(one)

    def redeliver(self, id: int) -> bool:
        """Send an event once more; False if there was none with that number."""
        old = next((one for one in self.deliveries if one.id == id), None)
        if old is None:
            return False
        made = Delivery(
            len(self.deliveries) + 1, old.guid, old.event, old.action, old.body, datetime.now(UTC), 0, True
        )
        self.deliveries.append(made)
        self._soon(made)
        return True

    async def settled(self) -> None:
        """Wait until everything that is being sent has got its answer."""
        while self._sending:
            await asyncio.wait(self._sending)

    def _soon(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._send(delivery))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, delivery: Delivery) -> None:
        assert self._http is not None
        signature = hmac.new(self.secret.encode(), delivery.body, sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/playground",
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Delivery": delivery.guid,
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        try:
            async with self._http.post(self.url, data=delivery.body, headers=headers) as answer:
                delivery.status = answer.status
        except (TimeoutError, aiohttp.ClientError):
            delivery.status = 0
