"""What all addresses of the stand-in have in common: counting, latency, moments, faults and refusals."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from playground.slack_clock import Clock, pause
from playground.teams_faults import CODE_OF, Fault, Faults
from playground.teams_wire import STATUS_OF, Refused, Wire, error_wire

ErrorShape = Callable[[str, str], Wire]


@dataclass(frozen=True, slots=True)
class Called:
    """One call: when (stand-in's clock), of what kind, and with what.

    `status` is what was answered, None if nothing was; `worked` says whether it had its effect.
    """

    at: float
    kind: str
    fields: Mapping[str, Any]
    status: int | None
    worked: bool


class Edge:
    """Serves calls by their kind; remembers each in `log`, `calls` and, if it was refused, in `refusals`."""

    def __init__(self, clock: Clock) -> None:
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.problems: list[str] = []
        self.log: list[Called] = []
        self._clock = clock

    async def serve(
        self,
        request: web.Request,
        kind: str,
        fields: Mapping[str, Any],
        answer: Callable[[], web.Response],
        *,
        shape: ErrorShape = error_wire,
    ) -> web.StreamResponse:
        """One call, spoiled on its way if a fault was ordered; `shape` is how errors look here."""
        self.calls[kind] += 1
        at = self._clock.now()
        await pause(self._clock, self.faults.delay_s(kind))
        await self.faults.moments.reach({kind}, "before", fields)
        fault = self.faults.take(kind)
        if fault.drop == "before":
            self.log.append(Called(at, kind, fields, None, worked=False))
            return _hang_up(request)
        response, worked = self._spoiled(kind, fault, shape), False
        if response is None or fault.executes:
            true_answer = self._answered(kind, answer, shape)
            response, worked = response or true_answer, true_answer.status < 300
            await self.faults.moments.reach({kind}, "executed", fields)
        status = None if fault.drop == "after" else response.status
        self.log.append(Called(at, kind, fields, status, worked))
        if fault.drop == "after":
            return _hang_up(request)
        with suppress(ConnectionResetError):  # Whoever asked is gone; what was done stays done.
            await response.prepare(request)
            await response.write_eof()
        await self.faults.moments.reach({kind}, "answered", fields)
        return response

    def _answered(self, kind: str, answer: Callable[[], web.Response], shape: ErrorShape) -> web.Response:
        try:
            return answer()
        except Refused as refused:
            self.refusals[f"{kind} {refused.code}"] += 1
            self.problems.append(f"{kind} {refused}")
            return web.json_response(shape(refused.code, refused.message), status=refused.status)

    def _spoiled(self, kind: str, fault: Fault, shape: ErrorShape) -> web.Response | None:
        if not self.faults.is_down and fault.status is None and fault.error is None:
            return None
        status = fault.status or (STATUS_OF.get(fault.error, 400) if fault.error else 503)
        code = fault.error or CODE_OF.get(status, "Error")
        self.refusals[f"{kind} {code}"] += 1
        response = web.json_response(shape(code, "ordered trouble"), status=status)
        if status == 429 and fault.retry_after_s:
            response.headers["Retry-After"] = str(fault.retry_after_s)
        return response


def _hang_up(request: web.Request) -> web.Response:
    """Close the connection; the response is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def throttled(wait_s: int) -> web.Response:
    """429 as the rate limits answer it."""
    response = web.json_response(error_wire("TooManyRequests", "too many requests"), status=429)
    response.headers["Retry-After"] = str(wait_s)
    return response
