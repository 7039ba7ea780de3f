"""Runs git in a way that nobody's configuration can bend, with a deadline, and no prompt."""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from core.errors import WorkspaceError
from core.ports import GitAccess
from core.redact import Redactor
from core.workspace.access import PROTOCOLS, lend

PATIENCE_S = 300.0

_FROM_OURS = ("PATH", "LANG", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR")
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",  # An empty password, instead of a question nobody sees.
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=15",
    "GIT_ALLOW_PROTOCOL": PROTOCOLS,
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


class GitTimedOut(WorkspaceError):
    """git took too long and was ended; what it did at the other side nobody knows."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What git left: its exit code, and what it printed."""

    code: int
    out: bytes
    err: bytes


async def git(
    *arguments: str | Path,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout_s: float = PATIENCE_S,
    access: GitAccess | None = None,
) -> str:
    """Run `git ARGUMENTS...` and return what it printed, without the last newline.

    Args:
        access: Answers for its own host only; the token is in nobody's arguments or environment.

    Raises:
        WorkspaceError: It failed, or took more than `timeout_s`; `last_line` is git's own, redacted.
    """
    finished = await run_git(
        *arguments, cwd=cwd, environment=environment, stdin=stdin, timeout_s=timeout_s, access=access
    )
    return _good(finished, arguments).out.decode(errors="replace").removesuffix("\n")


async def git_bytes(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    """Like `git`, but what it printed as it is: names of files and their contents may be anything."""
    return _good(await run_git(*arguments, stdin=stdin), arguments).out


async def run_git(
    *arguments: str | Path,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout_s: float = PATIENCE_S,
    access: GitAccess | None = None,
) -> Finished:
    """Like `git`, for who reads the exit code.

    Raises:
        GitTimedOut: It took more than `timeout_s`.
        WorkspaceError: `access` is for an address over which no token may go.
    """
    with ExitStack() as stack:
        loan = stack.enter_context(lend(access)) if access else None
        process = await asyncio.create_subprocess_exec(
            "git",
            *_with_settings(arguments, loan.settings if loan else ()),
            cwd=cwd,
            env=_environment() | dict(loan.environment if loan else {}) | dict(environment or {}),
            pass_fds=loan.descriptors if loan else (),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # So that its helpers can be ended with it.
        )
        try:
            async with asyncio.timeout(timeout_s):
                out, err = await process.communicate(stdin)
        except TimeoutError as error:
            message = f"git {_verb(arguments)} did not end within {timeout_s:.0f} s"
            raise GitTimedOut(message, last_line="no answer in time") from error
        finally:
            await _end(process)
    assert process.returncode is not None
    return Finished(process.returncode, out, err)


async def is_ancestor(git_dir: Path, older: str, newer: str) -> bool:
    """Whether `newer` holds `older`; a commit that is not there is nobody's ancestor."""
    finished = await run_git("--git-dir", git_dir, "merge-base", "--is-ancestor", older, newer)
    return finished.code == 0


def _good(finished: Finished, arguments: Sequence[str | Path]) -> Finished:
    if finished.code != 0:
        raise WorkspaceError(f"git {_verb(arguments)} failed", last_line=_last_line(finished.err))
    return finished


def _verb(arguments: Sequence[str | Path]) -> str:
    """What git was asked to do, for logs."""
    skip = {"--git-dir", "--work-tree", "-c", "-C"}
    pairs = zip(("", *map(str, arguments)), map(str, arguments), strict=False)
    return next((now for before, now in pairs if before not in skip and now not in skip), "")


def _with_settings(arguments: Sequence[str | Path], more: Sequence[str]) -> list[str]:
    settings = [part for setting in (*_SETTINGS, *more) for part in ("-c", setting)]
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
