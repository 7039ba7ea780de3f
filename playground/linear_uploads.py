"""Files in the stand-in: whoever has a token gets them, everybody else the page for signing in."""

from dataclasses import dataclass, field
from uuid import uuid4

from aiohttp import web

from playground.linear_tokens import Tokens

PATH = "/uploads"
LOGIN_PAGE = "<!doctype html><title>Linear</title><p>Log in to Linear</p>"


@dataclass(slots=True)
class Uploads:
    """`asked` holds the path of each request and whether it came with a token that counts."""

    tokens: Tokens
    asked: list[tuple[str, bool]] = field(default_factory=list)
    _files: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def add(self, name: str, body: bytes, content_type: str) -> str:
        """Keep a file; the path under which it is read."""
        path = f"{PATH}/{uuid4()}/{name}"
        self._files[path] = (body, content_type)
        return path

    async def handle(self, request: web.Request) -> web.Response:
        is_known = self.tokens.actor_of(request.headers.get("Authorization", "")) is not None
        self.asked.append((request.path, is_known))
        if not is_known:
            return web.Response(text=LOGIN_PAGE, content_type="text/html")
        if request.path not in self._files:
            return web.Response(status=404)
        body, content_type = self._files[request.path]
        return web.Response(body=body, content_type=content_type)
