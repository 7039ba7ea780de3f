"""Gives git a token for one command and one host, past every argument list and environment."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from core.errors import WorkspaceError
from core.ports import GitAccess

PROTOCOLS = "file:https:ssh"
"""What git may speak when no token is involved."""

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_NETLOC = re.compile(r"[A-Za-z0-9.-]+(?::\d{1,5})?|\[[0-9A-Fa-f:]+\](?::\d{1,5})?")
_USERNAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,2000}")
# One line for each connection that a command may open; together they fit into a pipe.
_CONNECTIONS = 8
# `read` takes one line and no more, and `printf` is the shell's own: neither shows in a process list.
_HELPER = (
    '!f() {{ test "$1" = get && IFS= read -r token </dev/fd/{pipe}'
    " && printf 'username=%s\\npassword=%s\\n' {username} \"$token\"; }}; f"
)


@dataclass(frozen=True, slots=True)
class Loan:
    """What a git command needs to use an access: settings, variables and an inherited pipe."""

    settings: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: tuple[int, ...] = ()


@contextmanager
def lend(access: GitAccess) -> Iterator[Loan]:
    """An access for one command; afterwards nobody can read it any more.

    git itself asks the helper for the host of `access.url` only; redirects are not followed.

    Raises:
        WorkspaceError: The address is not https (or http on this machine), or carries a login of its own.
    """
    place = _place(access)
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "w") as pipe:
            pipe.write(f"{access.token}\n" * _CONNECTIONS)
        helper = _HELPER.format(pipe=reading, username=access.username)
        yield Loan(
            settings=(f"credential.{place}.helper={helper}", "http.followRedirects=false"),
            environment={"GIT_ALLOW_PROTOCOL": urlsplit(place).scheme, "SSH_AUTH_SOCK": ""},
            descriptors=(reading,),
        )
    finally:
        os.close(reading)


def _place(access: GitAccess) -> str:
    """Scheme, host and port: what the token is for."""
    parts = urlsplit(access.url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not safe or not _NETLOC.fullmatch(parts.netloc):
        raise WorkspaceError("no address for a token", last_line="a token goes over https and nowhere else")
    if not _USERNAME.fullmatch(access.username) or not _TOKEN.fullmatch(access.token):
        raise WorkspaceError("no token", last_line="the token for git is malformed")
    return f"{parts.scheme}://{parts.netloc}"
