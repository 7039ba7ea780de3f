"""A code host on loopback: the real `git http-backend` behind a login, and a stranger who only listens."""

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from core.ports import GitAccess

TOKEN = "ghs_" + "Ab3dE6gH9jK2mN5pQ8sT1vW4yZ7" + "." + "c0Ffee-under_Score"
USERNAME = "x-access-token"
WITHIN_S = 60.0


def login(token: str) -> str:
    return "Basic " + base64.b64encode(f"{USERNAME}:{token}".encode()).decode()


@dataclass
class Forge:
    """Serves the bare repositories below `root` to whoever brings `token`; None lets everybody in.

    Attributes:
        seen: Method, path and `Authorization` of every request.
        lose_before, lose_after: How many pushes break off before or after they are carried out.
        silent: Nothing is answered at all while it is set.
        held: A push waits for `released` before it is carried out, and says in `waiting` that it does.
        statuses: Answers by path ending, instead of the real ones.
        elsewhere: Where everybody is sent, instead of being answered.
    """

    root: Path
    token: str | None = TOKEN
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    lose_before: int = 0
    lose_after: int = 0
    silent: threading.Event = field(default_factory=threading.Event)
    held: bool = False
    waiting: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    statuses: dict[str, int] = field(default_factory=dict)
    elsewhere: str = ""
    port: int = 0

    def url(self, name: str = "shop.git") -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    def access(self, name: str = "shop.git") -> GitAccess:
        return GitAccess(self.url(name), USERNAME, self.token or "none")

    def pushes(self) -> int:
        return sum(method == "POST" and path.endswith("/git-receive-pack") for method, path, _ in self.seen)

    def head(self, branch: str, name: str = "shop.git") -> str | None:
        """Where a branch really is."""
        asked = ["git", "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"]
        found = subprocess.run(asked, cwd=self.root / name, capture_output=True, text=True, check=False)
        return found.stdout.strip() or None

    def branches(self, name: str = "shop.git") -> set[str]:
        asked = ["git", "for-each-ref", "--format=%(refname)"]
        listed = subprocess.run(asked, cwd=self.root / name, capture_output=True, text=True, check=True)
        return set(listed.stdout.split())

    def hook(self, script: str, name: str = "shop.git") -> None:
        """What the host itself checks before it takes a push."""
        path = self.root / name / "hooks" / "pre-receive"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@contextmanager
def serving(forge: Forge) -> Iterator[Forge]:
    """Run it; every request gets a thread of its own."""

    class Handler(_Handler):
        host = forge

    server = _Server(("127.0.0.1", 0), Handler)
    forge.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield forge
    finally:
        forge.silent.clear()
        forge.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Who hung up is no news; anything else is a fault of this file."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def make_repository(path: Path, tree: Path) -> None:
    """A bare repository with everything that `tree`, a repository with files, holds."""
    subprocess.run(["git", "clone", "-q", "--bare", str(tree), str(path)], check=True, capture_output=True)
    subprocess.run(["git", "config", "http.receivepack", "true"], cwd=path, check=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host: Forge

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, body: bytes) -> None:
        host, path = self.host, self.path.partition("?")[0]
        given = self.headers.get("Authorization", "")
        host.seen.append((self.command, path, given))
        if host.silent.is_set():
            host.waiting.set()
            host.released.wait(WITHIN_S)
            return self._hang_up()
        if host.elsewhere:
            return self._say(302, {"Location": host.elsewhere + self.path})
        for ending, status in host.statuses.items():
            if self.path.endswith(ending):
                return self._say(status, {})
        if host.token is not None and given != login(host.token):
            return self._say(401, {"WWW-Authenticate": 'Basic realm="forge"'})
        return self._serve(path, body)

    def _serve(self, path: str, body: bytes) -> None:
        host = self.host
        is_push = self.command == "POST" and path.endswith("/git-receive-pack")
        if is_push and host.held:
            host.waiting.set()
            host.released.wait(WITHIN_S)
        if is_push and host.lose_before:
            host.lose_before -= 1
            return self._hang_up()
        head, _, out = self._backend(path, body).partition(b"\r\n\r\n")
        if is_push and host.lose_after:
            host.lose_after -= 1
            return self._hang_up()
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(fields.pop("Status", "200").split()[0])
        return self._say(status, fields, out)

    def _backend(self, path: str, body: bytes) -> bytes:
        """The CGI program that comes with git."""
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.host.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "PATH_INFO": path,
            "QUERY_STRING": self.path.partition("?")[2],
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "app",
        }
        command = ["git", "http-backend"]
        return subprocess.run(command, input=body, env=environment, capture_output=True, check=False).stdout

    def _say(self, status: int, fields: Mapping[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        # In the middle of an answer: what breaks off before it is simply sent again by curl.
        self.send_response(200)
        self.send_header("Content-Type", "application/x-git-receive-pack-result")
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"00")
        self.close_connection = True
