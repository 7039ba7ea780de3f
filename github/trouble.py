"""What is wrong with a pull request, in words for an agent: failed checks, and what people want changed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from core.pulls import Permission, PullRef
from github.checks import GitHubChecks
from github.client import GitHubClient
from github.credentials import Writer
from github.errors import NotFound
from github.facts import OURS
from github.model import Account, CheckRun

LOG_CHARS: Final = 6_000
TROUBLE_CHARS: Final = 20_000
REMARKS: Final = 30

_ACTIONS: Final = "github-actions"
_PASSED: Final = frozenset({"success", "neutral", "skipped"})


@dataclass(frozen=True, slots=True)
class Trouble:
    """Reads it; every method raises `GitHubError`."""

    client: GitHubClient
    checks: GitHubChecks

    async def read(self, token: Writer, pull: PullRef, sha: str) -> str:
        """Failed checks with the end of their logs, then reviews that ask for changes.

        Of people, only the words of those count who may push there anyway: an agent will act on them.
        """
        parts = [part async for part in self._failures(token, pull, sha)]
        parts += [part async for part in self._asked_for(token, pull)]
        return "\n\n".join(parts)[:TROUBLE_CHARS]

    async def _failures(self, token: Writer, pull: PullRef, sha: str) -> AsyncIterator[str]:
        for run in await self.checks.check_runs(token, pull.repository, sha):
            if run.name == OURS or run.status != "completed" or run.conclusion in _PASSED:
                continue
            yield await self._failure(token, pull, run)

    async def _failure(self, token: Writer, pull: PullRef, run: CheckRun) -> str:
        lines = [f"Check “{run.name}”: {run.conclusion}. {run.output.title} {run.output.summary}".strip()]
        if run.output.annotations_count:
            for one in await self.checks.annotations(token, pull.repository, run.id):
                lines.append(f"{one.path}:{one.start_line}: {one.message}")
        if run.app and run.app.slug == _ACTIONS:
            said = await self.checks.job_log(token, pull.repository, run.id)
            lines.append(said[-LOG_CHARS:])
        return "\n".join(filter(None, lines))

    async def _asked_for(self, token: Writer, pull: PullRef) -> AsyncIterator[str]:
        """What reviews ask for, and then what was said about single lines, newest last."""
        writes: dict[int, bool] = {}

        async def counts(by: Account | None) -> bool:
            if by is None or by.is_bot:
                return False
            if by.id not in writes:
                writes[by.id] = (await permission_of(self.client, token, pull.repository, by)).writes
            return writes[by.id]

        reviews = await self.client.reviews(token, pull.repository, pull.number)
        newest = {one.user.id: (one.user, one) for one in reviews if one.user and one.state != "COMMENTED"}
        asked = [
            (by, one) for by, one in newest.values() if one.state == "CHANGES_REQUESTED" and await counts(by)
        ]
        for by, one in asked:
            yield f"{by.login} asks for changes: {one.body}"
        if asked:
            remarks = await self.client.review_comments(token, pull.repository, pull.number)
            for remark in [one for one in remarks if await counts(one.user)][-REMARKS:]:
                yield f"{remark.path}: {remark.body}"


async def permission_of(client: GitHubClient, token: Writer, repository: str, account: Account) -> Permission:
    """What the account may do there, if it is still called so; logins change hands."""
    try:
        told = await client.permission(token, repository, account.login)
    except NotFound:
        return Permission.NONE
    if told.user is None or told.user.id != account.id:
        return Permission.NONE
    names = (told.role_name, told.permission)
    known = (Permission(name) for name in names if name in frozenset(Permission))
    return next(known, Permission.NONE)
