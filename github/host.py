"""GitHub as the core's code host: as the app (or a personal token) here, as people in `GitHubReviewer`."""

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol, TypeVar

from core.errors import HeadMoved, LinkLost, Refused, Throttled, TryLater
from core.ports import GitAccess, Merged, PullDraft
from core.pulls import (
    CodeAccount,
    MergeMethod,
    Permission,
    PullFacts,
    PullRef,
    ReviewState,
    ReviewVerdict,
)
from github import errors
from github.acts import Event, GitHubActs
from github.app import CHECKS, PULLS, PUSH, READ, GitHubApp, Permissions
from github.checks import GitHubChecks
from github.client import GitHubClient
from github.credentials import InstallationToken, PersonalToken, UserToken
from github.facts import OURS, facts_of
from github.merging import GitHubMerging
from github.model import BranchRule, CheckRun

log = logging.getLogger(__name__)

PAUSE_S: Final = 60.0
"""How long to pause when GitHub throttles us without saying for how long."""

LOG_CHARS: Final = 6_000
TROUBLE_CHARS: Final = 20_000
BEGIN, END = "<!-- threadline -->", "<!-- /threadline -->"

_OURS: Final = re.compile(rf"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
_ACTIONS: Final = "github-actions"

T = TypeVar("T")
Writer = InstallationToken | PersonalToken


class UserTokens(Protocol):
    """Where the tokens of people come from.

    Raises `core.errors` alone: `LinkLost` where there is none any more, `TryLater` and `Throttled`.
    """

    async def token(self, account: CodeAccount) -> UserToken: ...

    async def refused(self, account: CodeAccount, token: UserToken) -> None:
        """GitHub does not take this token any more."""
        ...


class GitHubHost:
    """Implements `core.ports.CodeHost`.

    Args:
        app: None where a personal token stands in for it.
        personal: The token, where there is no app.
        git_url: Where repositories are cloned from, as "https://github.com".
        slug: Name of the app, by which our own check is known.
        tokens: For a pull request that somebody opens themselves.
    """

    def __init__(
        self,
        client: GitHubClient,
        checks: GitHubChecks,
        *,
        app: GitHubApp | None,
        personal: PersonalToken | None,
        git_url: str,
        slug: Callable[[], Awaitable[str]],
        tokens: UserTokens | None,
    ) -> None:
        if (app is None) == (personal is None):
            raise ValueError("either an app or a personal token")
        self._client = client
        self._checks = checks
        self._app = app
        self._personal = personal
        self._git_url = git_url.rstrip("/")
        self._slug = slug
        self._tokens = tokens

    async def access(self, repository: str, *, write: bool) -> GitAccess:
        """See `CodeHost.access`."""
        async with _sorted_out():
            token = await self._credential(repository, PUSH if write else READ)
        return GitAccess(f"{self._git_url}/{repository}.git", "x-access-token", token.token)

    async def open_pull(self, draft: PullDraft, *, by: CodeAccount | None) -> PullRef:
        """See `CodeHost.open_pull`; a person's link that ended makes it our own."""
        if by is not None and self._tokens is not None:
            try:
                return await as_person(self._tokens, by, lambda token: self._open(draft, token))
            except (LinkLost, Refused) as error:
                log.warning("pull request opened as the app", extra={"why": str(error)})
        async with _sorted_out():
            return await self._acting(draft.repository, PULLS, lambda token: self._open(draft, token))

    async def describe_pull(self, pull: PullRef, *, title: str | None, body: str) -> None:
        """See `CodeHost.describe_pull`."""

        async def describe(token: Writer) -> None:
            known = await self._client.pull(token, pull.repository, pull.number)
            text = described(known.body, body)
            if text != known.body or (title is not None and title != known.title):
                await self._client.edit_pull(token, pull.repository, pull.number, title=title, body=text)

        async with _sorted_out():
            await self._acting(pull.repository, PULLS, describe)

    async def facts(self, pull: PullRef) -> PullFacts:
        """See `CodeHost.facts`."""

        async def look(token: Writer) -> PullFacts:
            found = await self._client.pull_facts(token, pull.repository, pull.number, patient=True)
            rules: Sequence[BranchRule] = ()
            try:
                rules = await self._client.rules(token, pull.repository, found.base_ref_name)
            except errors.Refusal as refusal:  # A plan without rulesets.
                log.info("rules are not told", extra={"pull": str(pull), "why": str(refusal)})
            return facts_of(found, rules, app=await self._slug())

        async with _sorted_out():
            return await self._acting(pull.repository, READ, look)

    async def permission(self, repository: str, account: CodeAccount) -> Permission:
        """See `CodeHost.permission`: of the account with this number, whatever it is called now."""

        async def ask(token: Writer) -> Permission:
            try:
                login = (await self._client.account(token, account.id)).login
                told = await self._client.permission(token, repository, login)
            except errors.NotFound:
                return Permission.NONE
            if told.user is None or told.user.id != account.id:
                return Permission.NONE
            names = (told.role_name, told.permission)
            known = (Permission(name) for name in names if name in frozenset(Permission))
            return next(known, Permission.NONE)

        async with _sorted_out():
            return await self._acting(repository, READ, ask)

    async def login_of(self, account: int, *, seen_from: str) -> str:
        """What the account with this number is called today, asked as an installation in a repository.

        Raises:
            Refused: There is no such account.
        """

        async def ask(token: Writer) -> str:
            return (await self._client.account(token, account)).login

        async with _sorted_out():
            return await self._acting(seen_from, READ, ask)

    async def report_review(self, pull: PullRef, sha: str, verdict: ReviewVerdict) -> None:
        """See `CodeHost.report_review`."""
        if self._app is None:
            return
        conclusion = {True: "success", False: "failure", None: "action_required"}[verdict.passed]

        async def report(token: InstallationToken) -> None:
            await self._checks.put_check(
                token,
                pull.repository,
                sha,
                name=OURS,
                external_id=f"{pull.number}/{sha}",
                title=verdict.title,
                summary=verdict.summary,
                conclusion=conclusion,  # type: ignore[arg-type] # One of GitHub's words.
            )

        async with _sorted_out():
            await self._app.acting(pull.repository, CHECKS, report)

    async def failure_of(self, pull: PullRef, sha: str) -> str:
        """See `CodeHost.failure_of`: failed checks, the end of their logs, reviews that ask for changes."""

        async def read(token: Writer) -> str:
            parts = [part async for part in self._failures(token, pull, sha)]
            reviews = await self._client.reviews(token, pull.repository, pull.number)
            newest = {one.user.id: one for one in reviews if one.user and one.state != "COMMENTED"}
            asked = [one for one in newest.values() if one.state == "CHANGES_REQUESTED"]
            parts += [f"{one.user.login} asks for changes: {one.body}" for one in asked if one.user]
            if asked:
                remarks = await self._client.review_comments(token, pull.repository, pull.number)
                parts += [f"{one.path}: {one.body}" for one in remarks[-30:]]
            return "\n\n".join(parts)[:TROUBLE_CHARS]

        async with _sorted_out():
            return await self._acting(pull.repository, READ, read)

    async def _failures(self, token: Writer, pull: PullRef, sha: str) -> AsyncIterator[str]:
        for run in await self._checks.check_runs(token, pull.repository, sha):
            if run.name == OURS or run.status != "completed" or run.conclusion in _PASSED:
                continue
            yield await self._failure(token, pull, run)

    async def _failure(self, token: Writer, pull: PullRef, run: CheckRun) -> str:
        lines = [f"Check “{run.name}”: {run.conclusion}. {run.output.title} {run.output.summary}".strip()]
        if run.output.annotations_count:
            for one in await self._checks.annotations(token, pull.repository, run.id):
                lines.append(f"{one.path}:{one.start_line}: {one.message}")
        if run.app and run.app.slug == _ACTIONS:
            said = await self._checks.job_log(token, pull.repository, run.id)
            lines.append(said[-LOG_CHARS:])
        return "\n".join(filter(None, lines))

    async def _open(self, draft: PullDraft, token: UserToken | Writer) -> PullRef:
        made = await self._client.create_pull(
            token,
            draft.repository,
            head=draft.branch,
            base=draft.base,
            title=draft.title,
            body=described("", draft.body),
            draft=True,
        )
        return PullRef(draft.repository, made.number)

    async def _credential(self, repository: str, permissions: Permissions) -> Writer:
        if self._app is None:
            assert self._personal is not None
            return self._personal
        return await self._app.token(repository, permissions)

    async def _acting(
        self, repository: str, permissions: Permissions, act: Callable[[Writer], Awaitable[T]]
    ) -> T:
        if self._app is None:
            assert self._personal is not None
            return await act(self._personal)
        return await self._app.acting(repository, permissions, act)


class GitHubReviewer:
    """Implements `core.ports.CodeReviewer`: with the token of the person, and no other."""

    def __init__(
        self, client: GitHubClient, acts: GitHubActs, merging: GitHubMerging, tokens: UserTokens
    ) -> None:
        self._client = client
        self._acts = acts
        self._merging = merging
        self._tokens = tokens

    async def review(
        self, pull: PullRef, by: CodeAccount, *, sha: str, state: ReviewState, body: str, op: str
    ) -> None:
        """See `CodeReviewer.review`. GitHub compares no head: what was given to another one is taken back."""

        async def give(token: UserToken) -> None:
            repo, number = pull.repository, pull.number
            event = _EVENTS[state]
            before = await self._client.pull_state(token, repo, number)
            if before.head_ref_oid != sha and not await self._acts.find_review(token, repo, number, op=op):
                raise errors.HeadMoved(before.head_ref_oid)
            given = await self._acts.review(token, repo, number, sha=sha, event=event, body=body, op=op)
            after = await self._client.pull_state(token, repo, number)
            if after.head_ref_oid != sha and event != "COMMENT":
                reason = "The pull request moved while this was given."
                await self._acts.withdraw(token, repo, number, review=given.id, reason=reason)
                raise errors.HeadMoved(after.head_ref_oid)

        await self._as(by, give)

    async def make_ready(self, pull: PullRef, by: CodeAccount) -> None:
        """See `CodeReviewer.make_ready`."""
        await self._as(by, lambda token: self._acts.mark_ready(token, pull.repository, pull.number))

    async def merge(
        self, pull: PullRef, by: CodeAccount, *, sha: str, method: MergeMethod, op: str
    ) -> Merged:
        """See `CodeReviewer.merge`; the pull request itself tells whether it was done before."""
        del op
        done = await self._as(
            by,
            lambda token: self._merging.merge(
                token, pull.repository, pull.number, sha=sha, method=method.value
            ),
        )
        return Merged(done.is_merged, done.is_queued)

    async def merge_when_green(
        self, pull: PullRef, by: CodeAccount, *, sha: str, method: MergeMethod
    ) -> Merged:
        """See `CodeReviewer.merge_when_green`."""
        await self._as(
            by,
            lambda token: self._acts.enable_auto_merge(
                token, pull.repository, pull.number, sha=sha, method=method.value
            ),
        )
        return Merged(is_merged=False)

    async def dont_merge(self, pull: PullRef, by: CodeAccount) -> None:
        """See `CodeReviewer.dont_merge`."""
        await self._as(by, lambda token: self._acts.disable_auto_merge(token, pull.repository, pull.number))

    async def update_branch(self, pull: PullRef, by: CodeAccount, *, sha: str) -> None:
        """See `CodeReviewer.update_branch`."""
        await self._as(
            by, lambda token: self._acts.update_branch(token, pull.repository, pull.number, sha=sha)
        )

    async def close(self, pull: PullRef, by: CodeAccount) -> None:
        """See `CodeReviewer.close`."""
        await self._as(by, lambda token: self._acts.close(token, pull.repository, pull.number))

    async def _as(self, by: CodeAccount, act: Callable[[UserToken], Awaitable[T]]) -> T:
        return await as_person(self._tokens, by, act)


async def as_person(tokens: UserTokens, by: CodeAccount, act: Callable[[UserToken], Awaitable[T]]) -> T:
    """Do it with the person's own token; raises `LinkLost` where GitHub does not take it any more."""
    token = await tokens.token(by)
    async with _sorted_out():
        try:
            return await act(token)
        except errors.Unauthorized as error:
            await tokens.refused(by, token)
            raise LinkLost("the token was revoked") from error


def described(known: str, ours: str) -> str:
    """A description with our part in it; what people wrote around it stays."""
    part = f"{BEGIN}\n{ours.replace(BEGIN, '').replace(END, '')}\n{END}"
    if _OURS.search(known):
        return _OURS.sub(lambda _: part, known, count=1)
    return f"{known.rstrip()}\n\n{part}" if known.strip() else part


_PASSED: Final = frozenset({"success", "neutral", "skipped"})
_EVENTS: Final[dict[ReviewState, Event]] = {
    ReviewState.APPROVED: "APPROVE",
    ReviewState.CHANGES_REQUESTED: "REQUEST_CHANGES",
    ReviewState.COMMENTED: "COMMENT",
}


@asynccontextmanager
async def _sorted_out() -> AsyncIterator[None]:
    """GitHub's failures as the core tells them apart."""
    try:
        yield
    except errors.HeadMoved as error:
        head = error.words if re.fullmatch(r"[0-9a-f]{40}", error.words) else ""
        raise HeadMoved("the head moved", head=head) from error
    except errors.Transient as error:
        raise TryLater(str(error), maybe_done=error.maybe_done) from error
    except errors.RateLimited as error:
        raise Throttled(str(error), retry_after_s=error.retry_after_s or PAUSE_S) from error
    except errors.Forbidden as error:
        if error.sso_url:
            raise LinkLost(error.words, where=error.sso_url) from error
        raise Refused(error.words) from error
    except errors.Unauthorized as error:
        raise Refused("GitHub does not take the app's credentials") from error
    except errors.Refusal as error:
        raise Refused(error.words) from error
