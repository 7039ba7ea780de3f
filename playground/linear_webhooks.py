"""Delivers webhooks as Linear does: signed, retried on a ladder with the same bytes."""

import asyncio
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import uuid4

import aiohttp

from playground.linear_clock import Clock, epoch_ms
from playground.linear_errors import not_found
from playground.linear_events import Event

RETRY_LADDER = (timedelta(minutes=1), timedelta(hours=1), timedelta(hours=6))
ANSWER_LIMIT_S = 5.0
ALWAYS_SENT = frozenset({"OAuthApp"})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try; `status` is None if no HTTP answer came in time."""

    at: datetime
    status: int | None


@dataclass(slots=True, eq=False)
class Delivery:
    id: str
    type: str
    action: str
    body: bytes
    headers: dict[str, str]
    attempts: list[Attempt] = field(default_factory=list)
    next_attempt_at: datetime | None = None

    @property
    def is_delivered(self) -> bool:
        return any(attempt.status == 200 for attempt in self.attempts)


def sign(body: bytes, secret: str) -> str:
    """`Linear-Signature`: bare lower-case hex of HMAC-SHA256 over the raw body."""
    return hmac.new(secret.encode(), body, sha256).hexdigest()


class Courier:
    """Sends events to the app and remembers every attempt.

    Args:
        clock: Says when a retry is due.
        url: Where the app listens; empty means that nothing is sent.
        secret: Signing secret of the webhook.
        subscribed: Resource types the app asked for; other events are dropped.
        answer_limit_s: How long the app may take to answer 200.
    """

    def __init__(
        self, clock: Clock, *, url: str, secret: str, subscribed: Iterable[str], answer_limit_s: float
    ) -> None:
        self.deliveries: list[Delivery] = []
        self._clock = clock
        self._url = url
        self._secret = secret
        self._subscribed = frozenset(subscribed)
        self._timeout = aiohttp.ClientTimeout(total=answer_limit_s)
        self._http: aiohttp.ClientSession | None = None
        self._attempts: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Task[None] | None = None
        self._retry_planned = asyncio.Event()

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(timeout=self._timeout)
        if not self._clock.is_manual:
            self._timer = asyncio.create_task(self._watch_clock(), name="linear webhook retries")

    async def stop(self) -> None:
        """Cancel what is under way; nothing is sent afterwards."""
        owned = [*self._attempts, *([self._timer] if self._timer else [])]
        for task in owned:
            task.cancel()
        await asyncio.gather(*owned, return_exceptions=True)
        if self._http:
            await self._http.close()

    def connect(self, url: str, secret: str) -> None:
        """Name the app's webhook URL and signing secret; both count for events from now on."""
        self._url = url
        self._secret = secret

    def prepare(self, event: Event) -> Delivery | None:
        """Sign and record an event; None if nobody asked for it."""
        if not self._url or event.type not in self._subscribed | ALWAYS_SENT:
            return None
        body = json.dumps(event.payload).encode()
        delivery_id = str(uuid4())
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Linear-Webhook",
            "Linear-Delivery": delivery_id,
            "Linear-Event": event.type,
            "Linear-Timestamp": str(event.payload.get("webhookTimestamp", epoch_ms(self._clock.now()))),
            "Linear-Signature": sign(body, self._secret),
        }
        delivery = Delivery(delivery_id, event.type, str(event.payload["action"]), body, headers)
        self.deliveries.append(delivery)
        return delivery

    def emit(self, event: Event) -> None:
        """Send soon, without waiting for the app."""
        if delivery := self.prepare(event):
            self.send_soon(delivery)

    def send_soon(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self.send(delivery), name=f"linear webhook {delivery.id}")
        self._attempts.add(task)
        task.add_done_callback(self._attempts.discard)

    async def send(self, delivery: Delivery) -> None:
        """Try once; without a 200 in time, plan the next step of the ladder."""
        status = await self._post(delivery)
        delivery.attempts.append(Attempt(self._clock.now(), status))
        delivery.next_attempt_at = None
        if delivery.is_delivered or len(delivery.attempts) > len(RETRY_LADDER):
            return
        delivery.next_attempt_at = self._clock.now() + RETRY_LADDER[len(delivery.attempts) - 1]
        self._retry_planned.set()

    async def redeliver(self, delivery_id: str) -> None:
        """Send a webhook once more, byte for byte; raises `Refusal` if there was none with that id."""
        delivery = next((each for each in self.deliveries if each.id == delivery_id), None)
        if delivery is None:
            raise not_found("Delivery")
        await self.send(delivery)

    async def settled(self) -> None:
        """Wait until every attempt that has begun has ended; planned retries stay planned."""
        while self._attempts:
            await asyncio.wait(self._attempts)

    async def advance(self, step: timedelta) -> None:
        """Move the clock on by `step`, making each retry that falls due on the way at its own time."""
        end = self._clock.now() + step
        while (due := self._next_due()) and due <= end:
            self._clock.advance(max(timedelta(), due - self._clock.now()))
            self.send_due()
            await self.settled()
        self._clock.advance(max(timedelta(), end - self._clock.now()))
        self._retry_planned.set()  # The timer has to count again.

    def send_due(self) -> None:
        now = self._clock.now()
        for delivery in self.deliveries:
            if delivery.next_attempt_at and delivery.next_attempt_at <= now:
                delivery.next_attempt_at = None  # Else the next look would start it a second time.
                self.send_soon(delivery)

    async def _post(self, delivery: Delivery) -> int | None:
        if self._http is None:
            raise RuntimeError("the courier is not started")
        try:
            async with self._http.post(
                self._url, data=delivery.body, headers=delivery.headers, allow_redirects=False
            ) as answer:
                return answer.status
        except (TimeoutError, aiohttp.ClientError):
            return None

    def _next_due(self) -> datetime | None:
        planned = [each.next_attempt_at for each in self.deliveries if each.next_attempt_at]
        return min(planned, default=None)

    async def _watch_clock(self) -> None:
        while True:
            self._retry_planned.clear()
            due = self._next_due()
            wait_s = (due - self._clock.now()).total_seconds() if due else None
            try:
                await asyncio.wait_for(self._retry_planned.wait(), wait_s)
            except TimeoutError:
                self.send_due()
