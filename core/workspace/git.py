"""Runs git in a way that nobody's configuration can bend, with a deadline, and no prompt."""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import WorkspaceError
from core.redact import Redactor

PATIENCE_S = 300.0

_PROTOCOLS = "file:https:ssh"
_FROM_OURS = ("PATH", "LANG", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR")
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",  # An empty password, instead of a question nobody sees.
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=15",
    "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ATTR_NOSYSTEM": "1",
    "LC_ALL": "C",
    "HOME": os.devnull,
}
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "credential.helper=",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "commit.gpgSign=false",
    "protocol.ext.allow=never",
)
_NOISE = re.compile(r"^(?:fatal|error|remote|warning|hint): *")
_redact = Redactor()


async def git(
    *arguments: str | Path,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout_s: float = PATIENCE_S,
) -> str:
    """Run `git ARGUMENTS...` and return what it printed, without the last newline.

    Raises:
        WorkspaceError: It failed, or took more than `timeout_s`; `last_line` is git's own, redacted.
    """
    process = await asyncio.create_subprocess_exec(
        "git",
        *_with_settings(arguments),
        cwd=cwd,
        env=_environment() | dict(environment or {}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # So that its helpers can be ended with it.
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate(stdin)
    except TimeoutError as error:
        message = f"git {arguments[0]} did not end within {timeout_s:.0f} s"
        raise WorkspaceError(message, last_line="no answer in time") from error
    finally:
        await _end(process)
    if process.returncode != 0:
        raise WorkspaceError(f"git {arguments[0]} failed", last_line=_last_line(err))
    return out.decode(errors="replace").removesuffix("\n")


def _with_settings(arguments: Sequence[str | Path]) -> list[str]:
    settings = [part for setting in _SETTINGS for part in ("-c", setting)]
    return [*settings, *map(str, arguments)]


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _FROM_OURS if name in os.environ} | _ENVIRONMENT


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        try:
            os.killpg(process.pid, 9)
        except ProcessLookupError:
            return
        await process.wait()


def _last_line(err: bytes) -> str:
    """What git complains about: its last `fatal:` line if there is one, else its last line."""
    lines = [line.strip() for line in err.decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith("fatal:")]
    return _redact(_NOISE.sub("", (fatal or lines or ["git said nothing"])[-1]))
