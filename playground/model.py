"""A Messages API on loopback that plays scripted replies: the model stand-in of tests and the demo."""

import argparse
import asyncio
import json
import re
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from aiohttp import web
from pydantic import ValidationError

from playground.model_script import SCRIPTS, Place, Script, Step, next_step
from playground.moments import Moments

HOST = "127.0.0.1"
_LARGEST_REQUEST = 256 << 20
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class ModelPlayground:
    """The stand-in: `async with ModelPlayground(scripts) as model:`, then use `model.url`.

    Args:
        scripts: `{"match": regex, "steps": [...]}` each; the first that matches a prompt plays. A prompt
            that carries `@@SCRIPT [...]` brings its own steps.
        api_key: The only key it accepts; None accepts every key.
        port: 0 takes a free one.

    `log` tells each request in short, `bodies` holds the requests themselves (the last 50). Calls go by the
    number of their step at `moments`, which are told the request's entry in `log`.
    """

    def __init__(self, scripts: Iterable[object] = (), *, api_key: str | None = None, port: int = 0) -> None:
        self.scripts: tuple[Script, ...] = SCRIPTS.validate_python(list(scripts))
        self.log: list[dict[str, Any]] = []
        self.bodies: deque[dict[str, Any]] = deque(maxlen=50)
        self.moments = Moments()
        self._api_key = api_key
        self._port = port
        self._tries: Counter[tuple[str, int]] = Counter()
        self._held: dict[str, asyncio.Event] = {}
        self._released: dict[str, asyncio.Event] = {}
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    async def __aenter__(self) -> Self:
        # A client that hangs up must not leave a handler waiting for a release.
        self._runner = web.AppRunner(self._app(), handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for released in self._released.values():
            released.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def play(self, scripts: Iterable[object]) -> None:
        """Replace the scripts.

        Raises:
            ValidationError: One of them is none.
        """
        self.scripts = SCRIPTS.validate_python(list(scripts))
        self._tries.clear()

    def release(self, name: str) -> None:
        """Let go of every request that waits, now or later, for `name`."""
        _event(self._released, name).set()

    async def held(self, name: str) -> None:
        """Return as soon as a request waits for `name`."""
        await _event(self._held, name).wait()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_REQUEST)
        app.add_routes(
            [
                web.post("/v1/messages", self._messages),
                web.post("/v1/messages/count_tokens", self._count_tokens),
                web.get("/_log", self._show_log),
                web.post("/_scripts", self._set_scripts),
                web.post("/_release/{name}", self._release),
            ]
        )
        return app

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if not self._knows_key(request):
            self.log.append({"path": request.path, "status": 401})
            return _error(401, "invalid x-api-key")
        place = next_step(body, self.scripts)
        self.log.append(entry := _entry(request, body, place))
        self.bodies.append(body)
        await self.moments.reach({str(place.index)}, "before", entry)
        if failure := self._failure(place):
            return failure
        await self._pause(place.step)
        if place.step.hang:
            return _hang_up(request)
        if not body.get("stream"):
            return web.json_response(_message(body, place.step))
        middle = partial(self.moments.reach, {str(place.index)}, "streaming", entry)
        return await _stream(request, body, place.step, middle)

    def _knows_key(self, request: web.Request) -> bool:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self._api_key in (None, request.headers.get("x-api-key", bearer))

    def _failure(self, place: Place) -> web.Response | None:
        step, key = place.step, (place.prompt, place.index)
        self._tries[key] += 1
        if step.status is None or self._tries[key] > step.times:
            return None
        headers = {} if step.retry_after is None else {"retry-after": f"{step.retry_after:g}"}
        return _error(step.status, step.message or f"scripted {step.status}", headers)

    async def _pause(self, step: Step) -> None:
        if name := step.hold or step.hang:
            _event(self._held, name).set()
            await _event(self._released, name).wait()
        if step.delay:
            await asyncio.sleep(step.delay)

    async def _count_tokens(self, request: web.Request) -> web.Response:
        return web.json_response({"input_tokens": len(await request.text()) // 4})

    async def _show_log(self, _request: web.Request) -> web.Response:
        return web.json_response(self.log)

    async def _set_scripts(self, request: web.Request) -> web.Response:
        try:
            self.play(await request.json())
        except (ValidationError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"scripts": len(self.scripts)})

    async def _release(self, request: web.Request) -> web.Response:
        self.release(request.match_info["name"])
        return web.json_response({})


def _event(events: dict[str, asyncio.Event], name: str) -> asyncio.Event:
    return events.setdefault(name, asyncio.Event())


def _entry(request: web.Request, body: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {
        "path": request.path,
        "model": body.get("model"),
        "stream": bool(body.get("stream")),
        "messages": len(body.get("messages") or []),
        "tools": [tool.get("name") for tool in body.get("tools") or []],
        "prompt": place.prompt[:500],
        "step": place.index,
        "session": request.headers.get("x-claude-code-session-id"),
    }


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    error = {"type": _ERRORS.get(status, "api_error"), "message": message}
    return web.json_response({"type": "error", "error": error}, status=status, headers=headers)


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response(status=500)


def _blocks(step: Step) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if step.think:
        blocks.append({"type": "thinking", "thinking": step.think, "signature": uuid4().hex})
    if step.text:
        blocks.append({"type": "text", "text": step.text})
    for name, arguments in step.tools:
        call = f"toolu_{uuid4().hex[:20]}"
        blocks.append({"type": "tool_use", "id": call, "name": name, "input": arguments})
    return blocks


def _message(body: Mapping[str, Any], step: Step) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid4().hex[:20]}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": _blocks(step),
        "stop_reason": step.stop_reason or ("tool_use" if step.tools else "end_turn"),
        "stop_sequence": None,
        "usage": {
            "input_tokens": step.in_tok,
            "output_tokens": step.out_tok,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


Middle = Callable[[], Awaitable[None]]
"""Awaited after each piece of a streamed reply."""


class _Stream:
    """Server-sent events of one message."""

    def __init__(self, response: web.StreamResponse, chunk_delay: float, middle: Middle) -> None:
        self._response = response
        self._chunk_delay = chunk_delay
        self._middle = middle

    async def send(self, name: str, **data: object) -> None:
        event = json.dumps({"type": name, **data})
        await self._response.write(f"event: {name}\ndata: {event}\n\n".encode())

    async def delta(self, index: int, kind: str, **data: object) -> None:
        await self.send("content_block_delta", index=index, delta={"type": kind, **data})
        await self._middle()
        if self._chunk_delay:
            await asyncio.sleep(self._chunk_delay)

    async def block(self, index: int, block: Mapping[str, Any], *, cut: bool) -> bool:
        """Send one block; False when it was cut short."""
        await self.send("content_block_start", index=index, content_block=_empty(block))
        match block["type"]:
            case "text":
                for piece in re.findall(r".{1,40}", block["text"], re.DOTALL):
                    await self.delta(index, "text_delta", text=piece)
                    if cut:
                        return False
            case "thinking":
                await self.delta(index, "thinking_delta", thinking=block["thinking"])
                await self.delta(index, "signature_delta", signature=block["signature"])
            case _:
                await self.delta(index, "input_json_delta", partial_json=json.dumps(block["input"]))
        await self.send("content_block_stop", index=index)
        return True


def _empty(block: Mapping[str, Any]) -> dict[str, Any]:
    """A block as it is announced, before its deltas."""
    blank: dict[str, Any] = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {name: blank.get(name, value) for name, value in block.items()}


async def _stream(
    request: web.Request, body: Mapping[str, Any], step: Step, middle: Middle
) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={"content-type": "text/event-stream", "request-id": f"req_{uuid4().hex[:8]}"}
    )
    await response.prepare(request)
    message = _message(body, step)
    stream = _Stream(response, step.chunk_delay, middle)
    try:
        start = message | {"content": [], "stop_reason": None}
        await stream.send("message_start", message=start)
        for index, block in enumerate(message["content"]):
            if not await stream.block(index, block, cut=step.drop):
                _hang_up(request)
                return response
        end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        await stream.send("message_delta", delta=end, usage={"output_tokens": step.out_tok})
        await stream.send("message_stop")
        await response.write_eof()
    except ConnectionResetError:
        pass  # The agent hung up in the middle, as it does on an interrupt.
    return response


async def _serve(port: int, scripts: Iterable[object], api_key: str | None) -> None:
    async with ModelPlayground(scripts, api_key=api_key, port=port) as model:
        print(f"Model stand-in on {model.url}")
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m playground.model", description=__doc__)
    parser.add_argument("--port", type=int, default=4012)
    parser.add_argument("--script", type=Path, help="JSON file: a list of {match, steps}")
    parser.add_argument("--api-key", help="accept this key only")
    arguments = parser.parse_args()
    scripts = json.loads(arguments.script.read_text()) if arguments.script else []
    try:
        asyncio.run(_serve(arguments.port, scripts, arguments.api_key))
    except KeyboardInterrupt:
        print("Stopped.")


if __name__ == "__main__":
    main()
