"""GitHub as the core's code host: as the app (or a personal token) here, as people in `GitHubReviewer`."""

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
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
from github.checks import Conclusion, GitHubChecks
from github.client import GitHubClient, wherever
from github.credentials import InstallationToken, PersonalToken, UserToken
from github.facts import OURS, facts_of
from github.merging import GitHubMerging
from github.model import BranchRule, Pull
from github.trouble import Trouble, permission_of

log = logging.getLogger(__name__)

PAUSE_S: Final = 60.0
"""How long to pause when GitHub throttles us without saying for how long."""

BEGIN, END = "<!-- threadline -->", "<!-- /threadline -->"

_CONCLUSIONS: Final[Mapping[bool | None, Conclusion]] = MappingProxyType(
    {True: "success", False: "failure", None: "action_required"}
)

_OURS: Final = re.compile(rf"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)

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
        self._trouble = Trouble(client, checks)
        self._app = app
        self._personal = personal
        self._git_url = git_url.rstrip("/")
        self._slug = slug
        self._tokens = tokens

    async def access(self, repository: str, *, write: bool) -> GitAccess:
        """See `CodeHost.access`."""

        async def named(token: Writer) -> GitAccess:
            # Git takes its credential nowhere else, so it is not led to a new name.
            today = (await self._client.repository(token, repository)).full_name
            return GitAccess(f"{self._git_url}/{today}.git", "x-access-token", token.token)

        async with _sorted_out():
            return await self._acting(repository, PUSH if write else READ, named)

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
            if text == known.body and title in {None, known.title}:
                return

            async def edit(repo: str) -> None:
                await self._client.edit_pull(token, repo, pull.number, title=title, body=text)

            await wherever(self._client, token, pull.repository, edit)

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
                known = await self._client.account(token, account.id)
            except errors.NotFound:
                return Permission.NONE
            return await permission_of(self._client, token, repository, known)

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

    async def number_of(self, login: str, *, seen_from: str) -> int:
        """The number of the account that is called so today; an app's own is "slug[bot]".

        Raises:
            Refused: There is no such account.
        """

        async def ask(token: Writer) -> int:
            return (await self._client.account_named(token, login)).id

        async with _sorted_out():
            return await self._acting(seen_from, READ, ask)

    async def report_review(self, pull: PullRef, sha: str, verdict: ReviewVerdict) -> None:
        """See `CodeHost.report_review`."""
        if self._app is None:
            return
        conclusion = _CONCLUSIONS[verdict.passed]

        async def report(token: InstallationToken) -> None:
            async def put(repo: str) -> None:
                await self._checks.put_check(
                    token,
                    repo,
                    sha,
                    name=OURS,
                    external_id=f"{pull.number}/{sha}",
                    title=verdict.title,
                    summary=verdict.summary,
                    conclusion=conclusion,
                )

            await wherever(self._client, token, pull.repository, put)

        async with _sorted_out():
            await self._app.acting(pull.repository, CHECKS, report)

    async def failure_of(self, pull: PullRef, sha: str) -> str:
        """See `CodeHost.failure_of`: failed checks, the end of their logs, reviews that ask for changes.

        Of people, only the words of those count who may push there anyway.
        """

        async with _sorted_out():
            return await self._acting(
                pull.repository, READ, lambda token: self._trouble.read(token, pull, sha)
            )

    async def _open(self, draft: PullDraft, token: UserToken | Writer) -> PullRef:
        async def open_(repo: str) -> Pull:
            return await self._client.create_pull(
                token,
                repo,
                head=draft.branch,
                base=draft.base,
                title=draft.title,
                body=described("", draft.body),
                draft=True,
            )

        made = await wherever(self._client, token, draft.repository, open_)
        return PullRef(draft.repository, made.number)

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

        async def give(token: UserToken, repo: str) -> None:
            number = pull.number
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

        await self._as(by, pull, give)

    async def make_ready(self, pull: PullRef, by: CodeAccount) -> None:
        """See `CodeReviewer.make_ready`."""
        await self._as(by, pull, lambda token, repo: self._acts.mark_ready(token, repo, pull.number))

    async def merge(
        self, pull: PullRef, by: CodeAccount, *, sha: str, method: MergeMethod, op: str
    ) -> Merged:
        """See `CodeReviewer.merge`; the pull request itself tells whether it was done before."""
        del op
        done = await self._as(
            by,
            pull,
            lambda token, repo: self._merging.merge(token, repo, pull.number, sha=sha, method=method.value),
        )
        return Merged(done.is_merged, done.is_queued)

    async def merge_when_green(
        self, pull: PullRef, by: CodeAccount, *, sha: str, method: MergeMethod
    ) -> Merged:
        """See `CodeReviewer.merge_when_green`."""
        await self._as(
            by,
            pull,
            lambda token, repo: self._acts.enable_auto_merge(
                token, repo, pull.number, sha=sha, method=method.value
            ),
        )
        return Merged(is_merged=False)

    async def dont_merge(self, pull: PullRef, by: CodeAccount) -> None:
        """See `CodeReviewer.dont_merge`."""
        await self._as(by, pull, lambda token, repo: self._acts.disable_auto_merge(token, repo, pull.number))

    async def update_branch(self, pull: PullRef, by: CodeAccount, *, sha: str) -> None:
        """See `CodeReviewer.update_branch`."""
        await self._as(
            by, pull, lambda token, repo: self._acts.update_branch(token, repo, pull.number, sha=sha)
        )

    async def close(self, pull: PullRef, by: CodeAccount) -> None:
        """See `CodeReviewer.close`."""
        await self._as(by, pull, lambda token, repo: self._acts.close(token, repo, pull.number))

    async def _as(self, by: CodeAccount, pull: PullRef, act: Callable[[UserToken, str], Awaitable[T]]) -> T:
        async def there(token: UserToken) -> T:
            return await wherever(self._client, token, pull.repository, lambda repo: act(token, repo))

        return await as_person(self._tokens, by, there)


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
