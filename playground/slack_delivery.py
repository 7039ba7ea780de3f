"""Getting events to the app the way Slack does: signed, within three seconds, three retries."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import count
from typing import Final, Literal, Protocol

import aiohttp

from playground.slack_clock import Clock
from playground.slack_events import (
    FORM,
    Event,
    as_form_body,
    as_json_body,
    envelope,
    is_delivered,
    signed_headers,
)
from playground.slack_state import Workspace
from playground.slack_wire import Wire

RETRY_AFTER_S: Final = (0, 60, 300)
ANSWER_WITHIN_S: Final = 3.0

DeliveryKind = Literal["events_api", "interactive", "url_verification"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """How one attempt ended: `reason` is None for success, else the word of `x-slack-retry-reason`."""

    reason: str | None
    status: int | None = None
    answer: str = ""
    may_retry: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    at: float
    via: Literal["http", "socket"]
    retry_num: int
    retry_reason: str | None
    outcome: str
    status: int | None


@dataclass(slots=True)
class Delivery:
    """One event or interaction on its way; `body` stays the same through all attempts."""

    kind: DeliveryKind
    name: str
    event_id: str
    payload: Wire
    body: bytes
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def is_delivered(self) -> bool:
        return any(attempt.outcome == "ok" for attempt in self.attempts)

    def wire(self) -> Wire:
        return {
            "kind": self.kind,
            "name": self.name,
            "event_id": self.event_id,
            "payload": self.payload,
            "attempts": [asdict(attempt) for attempt in self.attempts],
        }


@dataclass(slots=True)
class DeliveryOptions:
    """How to misbehave.

    `copies` of every event; `reorder` sends the message before the app_mention; `together` sends all events
    of one message at once; `drop_answers` treats the next so many answers as lost, those to events of the
    message `drop_answers_to` only if it is given; `delay_s` holds back.
    """

    copies: int = 1
    reorder: bool = False
    together: bool = False
    drop_answers: int = 0
    drop_answers_to: str | None = None
    delay_s: float = 0.0


class Receiver(Protocol):
    """A way to the app: its HTTP endpoint, or a socket it opened."""

    async def send(self, delivery: Delivery, retry_num: int, retry_reason: str | None) -> Receipt: ...


class HttpReceiver:
    """Posts to the app's request URLs.

    Args:
        events_url: Where events go; None while the app has only sockets.
        interactivity_url: Where interactions go.
        secret: Signing secret.
        answer_within_s: Patience before `http_timeout`.
        wall: Time for the signature. Always the receiver's idea of time, so not the virtual clock.
    """

    def __init__(
        self,
        events_url: str | None,
        interactivity_url: str | None,
        *,
        secret: str,
        answer_within_s: float,
        wall: Callable[[], float],
    ) -> None:
        self.events_url = events_url
        self.interactivity_url = interactivity_url
        self._secret = secret
        self._wall = wall
        self._timeout = aiohttp.ClientTimeout(total=answer_within_s)
        self._http: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Needs a running event loop."""
        self._http = aiohttp.ClientSession(timeout=self._timeout)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def send(self, delivery: Delivery, retry_num: int, retry_reason: str | None) -> Receipt:
        is_form = delivery.kind == "interactive"
        url = self.interactivity_url if is_form else self.events_url
        if url is None or self._http is None:
            return Receipt("connection_failed")
        content_type = FORM if is_form else "application/json"
        headers = signed_headers(
            delivery.body, secret=self._secret, sent_at=int(self._wall()), content_type=content_type
        )
        if retry_reason is not None:
            headers |= {"X-Slack-Retry-Num": str(retry_num), "X-Slack-Retry-Reason": retry_reason}
        try:
            return await _post(self._http, url, delivery.body, headers)
        except TimeoutError:
            return Receipt("http_timeout")
        except aiohttp.ClientError:
            return Receipt("connection_failed")


class Dispatcher:
    """Sends what happened, keeps the log, retries; owns every task it starts."""

    def __init__(
        self,
        workspace: Workspace,
        clock: Clock,
        http: Receiver,
        socket: Receiver,
        has_socket: Callable[[], bool],
    ) -> None:
        self.options = DeliveryOptions()
        self.log: list[Delivery] = []
        self._workspace = workspace
        self._clock = clock
        self._http = http
        self._socket = socket
        self._has_socket = has_socket
        self._numbers = count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    def publish(self, events: Sequence[Event]) -> None:
        """Start delivering `events` of one happening, as far as the app receives them."""
        group = [self._of_event(event) for event in events if is_delivered(self._workspace, event)]
        self.log.extend(group)
        if self.options.reorder:
            group.reverse()
        sends = [delivery for delivery in group for _ in range(self.options.copies)]
        if self.options.delay_s > 0:
            self._clock.call_later(self.options.delay_s, lambda: self._start(self._send_group(sends)))
        elif sends:
            self._start(self._send_group(sends))

    async def interact(self, payload: Wire) -> Receipt:
        """Deliver an interaction; Slack does not retry those."""
        delivery = Delivery("interactive", payload["type"], "", payload, as_form_body(payload))
        self.log.append(delivery)
        return await self._attempt(delivery, 0, None)

    async def verify_url(self, challenge: str) -> bool:
        """The handshake of a new request URL: does the app answer with the challenge?"""
        payload = {"token": "legacy-token", "challenge": challenge, "type": "url_verification"}
        delivery = Delivery("url_verification", "url_verification", "", payload, as_json_body(payload))
        self.log.append(delivery)
        receipt = await self._attempt(delivery, 0, None)
        return receipt.reason is None and challenge in receipt.answer

    async def settled(self) -> None:
        """Wait until nothing is in flight; what waits on the clock does not count."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _of_event(self, event: Event) -> Delivery:
        event_id = f"Ev{next(self._numbers):08d}"
        payload = envelope(self._workspace, event, event_id, self._clock.now())
        return Delivery("events_api", event.body["type"], event_id, payload, as_json_body(payload))

    async def _send_group(self, group: Sequence[Delivery]) -> None:
        if self.options.together:
            await asyncio.gather(*(self._send(delivery, 0, None) for delivery in group))
            return
        for delivery in group:
            await self._send(delivery, 0, None)

    async def _send(self, delivery: Delivery, retry_num: int, retry_reason: str | None) -> None:
        receipt = await self._attempt(delivery, retry_num, retry_reason)
        if receipt.reason is None or not receipt.may_retry or retry_num == len(RETRY_AFTER_S):
            return
        again = partial(self._retry, delivery, retry_num + 1, receipt.reason)
        delay_s = RETRY_AFTER_S[retry_num]
        if delay_s:
            self._clock.call_later(delay_s, again)
        else:
            again()

    def _retry(self, delivery: Delivery, retry_num: int, reason: str) -> None:
        self._start(self._send(delivery, retry_num, reason))

    async def _attempt(self, delivery: Delivery, retry_num: int, retry_reason: str | None) -> Receipt:
        over_socket = self._has_socket() and delivery.kind != "url_verification"
        at = self._clock.now()
        receipt = await (self._socket if over_socket else self._http).send(delivery, retry_num, retry_reason)
        if receipt.reason is None and self._loses_answer_to(delivery):
            self.options.drop_answers -= 1
            receipt = Receipt("http_timeout", receipt.status)
        via: Literal["http", "socket"] = "socket" if over_socket else "http"
        delivery.attempts.append(
            Attempt(at, via, retry_num, retry_reason, receipt.reason or "ok", receipt.status)
        )
        return receipt

    def _loses_answer_to(self, delivery: Delivery) -> bool:
        about = delivery.payload.get("event", {}).get("ts")
        return self.options.drop_answers > 0 and self.options.drop_answers_to in (None, about)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _post(http: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]) -> Receipt:
    async with http.post(url, data=body, headers=headers, allow_redirects=False) as response:
        answer = await response.text()
        if 200 <= response.status < 300:
            return Receipt(None, response.status, answer)
        return Receipt("http_error", response.status, answer, response.headers.get("X-Slack-No-Retry") != "1")
