"""Getting activities to the bot the way Teams does: with a token, within fifteen seconds, and again."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Final, Literal, Protocol

import aiohttp

from playground.slack_clock import Clock
from playground.teams_activities import again
from playground.teams_keys import Keys
from playground.teams_state import Workspace
from playground.teams_wire import Wire

RETRY_AFTER_S: Final = (0, 15, 30)
"""Waits before each retry of an activity, all with its id. Only the first wait is known for sure."""

SECOND_LAYER_S: Final = 30.0
"""When an invoke that failed twice with one id is sent with a new id and time, twice again if need be."""

ANSWER_WITHIN_S: Final = 15.0
INVOKE_WITHIN_S: Final = 10.0

DeliveryKind = Literal["activity", "invoke"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """How one attempt ended: `reason` is None for success, else `http_error`, `timeout` or such.

    `answer` is the JSON body; `problem` says what is wrong with it, if something is (reason `bad_answer`).
    """

    reason: str | None
    status: int | None = None
    answer: Any = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    at: float
    retry_num: int
    outcome: str
    status: int | None


@dataclass(slots=True)
class Delivery:
    """One activity on its way; it stays the same through all attempts, only the token is new."""

    kind: DeliveryKind
    name: str
    activity: Wire
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def is_delivered(self) -> bool:
        return any(attempt.outcome == "ok" for attempt in self.attempts)

    def wire(self) -> Wire:
        attempts = [asdict(attempt) for attempt in self.attempts]
        return {"kind": self.kind, "name": self.name, "activity": self.activity, "attempts": attempts}


@dataclass(slots=True)
class DeliveryOptions:
    """How to misbehave.

    `copies` of everything; `reorder` holds an activity back until the next one went out; `together` sends
    what goes out at the same time at once; `drop_answers` treats the next so many answers as lost, those to
    activities about the message `drop_answers_to` only if it is given; `delay_s` holds back.
    """

    copies: int = 1
    reorder: bool = False
    together: bool = False
    drop_answers: int = 0
    drop_answers_to: str | None = None
    delay_s: float = 0.0


class Receiver(Protocol):
    """The way to the bot."""

    async def send(self, delivery: Delivery) -> Receipt: ...


class HttpReceiver:
    """Posts to the bot's messaging endpoint.

    Args:
        url: The messaging endpoint; None while there is none.
        keys: Mint the tokens.
        answer_within_s: Patience with activities, in real seconds.
        invoke_within_s: Patience with invokes, while a person waits.
    """

    def __init__(
        self, url: str | None, keys: Keys, *, answer_within_s: float, invoke_within_s: float
    ) -> None:
        self.url = url
        self._keys = keys
        self._within_s: dict[DeliveryKind, float] = {"activity": answer_within_s, "invoke": invoke_within_s}
        self._http: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Needs a running event loop."""
        self._http = aiohttp.ClientSession()

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def send(self, delivery: Delivery) -> Receipt:
        if self.url is None or self._http is None:
            return Receipt("connection_failed")
        timeout = aiohttp.ClientTimeout(total=self._within_s[delivery.kind])
        token = self._keys.mint(delivery.activity["serviceUrl"])
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "Microsoft-SkypeBotApi (stand-in)"}
        try:
            async with self._http.post(
                self.url, json=delivery.activity, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                return _receipt(response.status, await response.text())
        except TimeoutError:
            return Receipt("timeout")
        except aiohttp.ClientError:
            return Receipt("connection_failed")


class Dispatcher:
    """Sends what happened, keeps the log, retries; owns every task it starts."""

    def __init__(self, workspace: Workspace, clock: Clock, receiver: Receiver) -> None:
        self.options = DeliveryOptions()
        self.log: list[Delivery] = []
        self._workspace = workspace
        self._clock = clock
        self._receiver = receiver
        self._held: list[Delivery] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def publish(self, *activities: Wire) -> None:
        """Start delivering the activities of one happening."""
        group = [Delivery("activity", activity["type"], activity) for activity in activities]
        self.log.extend(group)
        if self.options.reorder and not self._held:
            self._held = group
            return
        group, self._held = [*group, *self._held], []
        sends = [delivery for delivery in group for _ in range(self.options.copies)]
        if self.options.delay_s > 0:
            self._clock.call_later(self.options.delay_s, lambda: self._start(self._send_group(sends)))
        elif sends:
            self._start(self._send_group(sends))

    async def deliver(self, activity: Wire) -> Receipt:
        """Send one activity now; how the first attempt ended. More follow by themselves, if need be."""
        delivery = Delivery("activity", activity["type"], activity)
        self.log.append(delivery)
        receipt = await self._attempt(delivery, 0)
        self._go_on(delivery, 0, receipt)
        for _ in range(self.options.copies - 1):
            await self._attempt(delivery, 0)
        return receipt

    async def invoke(self, activity: Wire, on_answer: Callable[[Receipt], Receipt]) -> Receipt:
        """Ask the bot; how the first layer of attempts ended.

        `on_answer` judges every answer that comes, also the one to the second layer later.
        """
        receipt = await self._layer(activity, on_answer)
        if receipt.reason is not None and receipt.reason != "bad_answer":
            self._clock.call_later(SECOND_LAYER_S, lambda: self._start(self._second(activity, on_answer)))
        return receipt

    async def settled(self) -> None:
        """Wait until nothing is in flight; what waits on the clock does not count."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _second(self, activity: Wire, on_answer: Callable[[Receipt], Receipt]) -> None:
        await self._layer(again(self._workspace, activity, self._clock.now()), on_answer)

    async def _layer(self, activity: Wire, on_answer: Callable[[Receipt], Receipt]) -> Receipt:
        delivery = Delivery("invoke", activity["name"], activity)
        self.log.append(delivery)
        receipt = await self._attempt(delivery, 0)
        for _ in range(self.options.copies - 1):
            await self._attempt(delivery, 0)
        if receipt.reason is not None:
            receipt = await self._attempt(delivery, 1)
        return on_answer(receipt)

    async def _send_group(self, group: Sequence[Delivery]) -> None:
        if self.options.together:
            await asyncio.gather(*(self._send(delivery, 0) for delivery in group))
            return
        for delivery in group:
            await self._send(delivery, 0)

    async def _send(self, delivery: Delivery, retry_num: int) -> None:
        self._go_on(delivery, retry_num, await self._attempt(delivery, retry_num))

    def _go_on(self, delivery: Delivery, retry_num: int, receipt: Receipt) -> None:
        if receipt.reason is None or retry_num == len(RETRY_AFTER_S):
            return
        retry = partial(self._retry, delivery, retry_num + 1)
        delay_s = RETRY_AFTER_S[retry_num]
        if delay_s:
            self._clock.call_later(delay_s, retry)
        else:
            retry()

    def _retry(self, delivery: Delivery, retry_num: int) -> None:
        self._start(self._send(delivery, retry_num))

    async def _attempt(self, delivery: Delivery, retry_num: int) -> Receipt:
        at = self._clock.now()
        receipt = await self._receiver.send(delivery)
        if receipt.reason is None and self._loses_answer_to(delivery):
            self.options.drop_answers -= 1
            receipt = Receipt("timeout", receipt.status)
        delivery.attempts.append(Attempt(at, retry_num, receipt.reason or "ok", receipt.status))
        return receipt

    def _loses_answer_to(self, delivery: Delivery) -> bool:
        about = {delivery.activity["id"], delivery.activity.get("replyToId")}
        wanted = self.options.drop_answers_to
        return self.options.drop_answers > 0 and (wanted is None or wanted in about)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _receipt(status: int, text: str) -> Receipt:
    try:
        answer = json.loads(text) if text else None
    except ValueError:
        answer = text
    return Receipt(None if 200 <= status < 300 else "http_error", status, answer)
