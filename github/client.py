"""What the service does at GitHub as itself, and everything it reads: one method per question."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from github.credentials import Credential, Writer
from github.errors import Invalid, Moved, Transient
from github.look import PullLook, PullState, look_of, state_of
from github.model import (
    Account,
    BranchRule,
    ChangedFile,
    CollaboratorPermission,
    Comment,
    Pull,
    Repository,
    Review,
    read,
    read_all,
)
from github.paths import path, split_repo
from github.probe import marked, marker, once
from github.sansio import Call
from github.wire import Wire

COMPUTING_PAUSES_S: Final = (1.0, 2.0, 4.0)
"""GitHub works out whether a pull request can be merged when somebody first asks."""

CHECK_PAGES: Final = 5
FILE_PAGES: Final = 30
"""GitHub lists 3,000 files at most."""

T = TypeVar("T")


class GitHubClient:
    """GitHub for whoever holds a credential; nothing here reviews or merges, see `github.acts`.

    `repo` is "owner/name" everywhere. Every method raises `GitHubError`; a repository under its old name is
    read all the same, and refuses writes with `Moved`: see `wherever`.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def repository(self, as_: Writer, repo: str) -> Repository:
        """The repository by any name it ever had; `full_name` is the one of today."""
        answer = await self._wire.send(as_, Call("GET", path("/repos/{repo}", repo=repo)))
        return read(Repository, answer.json, about="a repository")

    async def permission(self, as_: Writer, repo: str, login: str) -> CollaboratorPermission:
        """What an account may do in a repository, at this moment.

        Whose it is comes with it: logins change hands, so compare `user.id`.

        Raises:
            NotFound: There is no such account, or no such repository.
        """
        place = path("/repos/{repo}/collaborators/{login}/permission", repo=repo, login=login)
        answer = await self._wire.send(as_, Call("GET", place))
        return read(CollaboratorPermission, answer.json, about="a permission")

    async def account(self, as_: Credential, id: int) -> Account:
        """The account with this number, whatever it is called today."""
        answer = await self._wire.send(as_, Call("GET", path("/user/{id}", id=id)))
        return read(Account, answer.json, about="an account")

    async def account_named(self, as_: Credential, login: str) -> Account:
        """The account that is called so today; an app's own is "slug[bot]"."""
        answer = await self._wire.send(as_, Call("GET", path("/users/{login}", login=login)))
        return read(Account, answer.json, about="an account")

    async def rules(self, as_: Writer, repo: str, branch: str) -> tuple[BranchRule, ...]:
        """The rules of rulesets that hold for a branch; those of classic protection are not told."""
        place = path("/repos/{repo}/rules/branches/{branch}", repo=repo, branch=branch)
        return read_all(BranchRule, await self._wire.pages(as_, Call("GET", place)), about="a rule")

    async def pull(self, as_: Writer, repo: str, number: int) -> Pull:
        """A pull request as REST has it."""
        answer = await self._wire.send(as_, Call("GET", _pull_path(repo, number)))
        return read(Pull, answer.json, about="a pull request")

    async def find_pull(self, as_: Writer, repo: str, *, head: str, base: str | None = None) -> Pull | None:
        """The open pull request of the branch `head` of the same repository; None if there is none."""
        owner, _ = split_repo(repo)
        query = {"state": "open", "head": f"{owner}:{head}"} | ({"base": base} if base else {})
        place = path("/repos/{repo}/pulls", repo=repo)
        found = read_all(Pull, await self._wire.pages(as_, Call("GET", place, query)), about="pull requests")
        # Where the filter finds nothing to filter by, GitHub lists them all.
        return next((pull for pull in found if pull.head_ref == head), None)

    async def create_pull(
        self, as_: Writer, repo: str, *, head: str, base: str, title: str, body: str, draft: bool = True
    ) -> Pull:
        """Open a pull request; the open one of the same branches if there is one, left as it is.

        Args:
            head: A branch of this repository, pushed before.
            body: Markdown.

        Raises:
            Invalid: GitHub's words: no commits between the branches, no such branch, no drafts here, ...
        """
        fields = {"title": title, "head": head, "base": base, "body": body, "draft": draft}
        call = Call(
            "POST", path("/repos/{repo}/pulls", repo=repo), body=fields | {"maintainer_can_modify": False}
        )

        async def act() -> Pull:
            answer = await self._wire.send(as_, call)
            return read(Pull, answer.json, about="a new pull request", maybe_done=True)

        async def probe() -> Pull | None:
            return await self.find_pull(as_, repo, head=head, base=base)

        try:
            return await once(self._wire.pace, act, probe)
        except Invalid:
            if (existing := await probe()) is not None:
                return existing
            raise

    async def edit_pull(
        self, as_: Writer, repo: str, number: int, *, title: str | None = None, body: str | None = None
    ) -> Pull:
        """Change title or description; None leaves it. The same change may be made again."""
        fields = {name: text for name, text in (("title", title), ("body", body)) if text is not None}
        call = Call("PATCH", _pull_path(repo, number), body=fields)
        answer = await self._wire.send(as_, call)
        return read(Pull, answer.json, about="a pull request", maybe_done=True)

    async def pull_state(self, as_: Writer, repo: str, number: int) -> PullState:
        """Where a pull request stands, in short."""
        owner, name = split_repo(repo)
        data, _ = await self._wire.ask(as_, "PullState", {"owner": owner, "name": name, "number": number})
        return state_of(data, "repository")

    async def pull_facts(self, as_: Writer, repo: str, number: int, *, patient: bool = False) -> PullLook:
        """Everything that a card or a decision needs, from one look.

        Args:
            patient: If GitHub is still working out whether it can be merged, ask again after 1, 2 and 4 s;
                `mergeable` may be UNKNOWN even then.

        Raises:
            NotFound: No such repository or pull request, or hidden from this token.
        """
        look = await self._look(as_, repo, number)
        for pause_s in COMPUTING_PAUSES_S if patient else ():
            if not look.is_computing:
                break
            await self._wire.pace.sleep(pause_s)
            look = await self._look(as_, repo, number)
        return look

    async def changed_files(self, as_: Writer, repo: str, number: int) -> tuple[ChangedFile, ...]:
        """All changed files, 3,000 at most."""
        call = Call("GET", f"{_pull_path(repo, number)}/files")
        return read_all(ChangedFile, await self._wire.pages(as_, call, most=FILE_PAGES), about="a file")

    async def reviews(self, as_: Writer, repo: str, number: int) -> tuple[Review, ...]:
        """All reviews, oldest first."""
        call = Call("GET", f"{_pull_path(repo, number)}/reviews")
        return read_all(Review, await self._wire.pages(as_, call), about="a review")

    async def review_comments(self, as_: Writer, repo: str, number: int) -> tuple[Comment, ...]:
        """What was said about single lines, oldest first."""
        call = Call("GET", f"{_pull_path(repo, number)}/comments")
        return read_all(Comment, await self._wire.pages(as_, call), about="a comment")

    async def comments(self, as_: Writer, repo: str, number: int) -> tuple[Comment, ...]:
        """What was said below the pull request, oldest first."""
        place = path("/repos/{repo}/issues/{number}/comments", repo=repo, number=number)
        return read_all(Comment, await self._wire.pages(as_, Call("GET", place)), about="a comment")

    async def comment(self, as_: Writer, repo: str, number: int, *, body: str, op: str) -> Comment:
        """Say something below the pull request, once for each `op` (a UUID)."""
        place = path("/repos/{repo}/issues/{number}/comments", repo=repo, number=number)

        async def act() -> Comment:
            answer = await self._wire.send(as_, Call("POST", place, body={"body": marked(body, op)}))
            return read(Comment, answer.json, about="a new comment", maybe_done=True)

        async def probe() -> Comment | None:
            found = await self.comments(as_, repo, number)
            return next((one for one in found if marker(op) in one.body), None)

        if (said := await probe()) is not None:
            return said
        return await once(self._wire.pace, act, probe)

    async def _look(self, as_: Writer, repo: str, number: int) -> PullLook:
        owner, name = split_repo(repo)
        variables: dict[str, object] = {"owner": owner, "name": name, "number": number}
        look = look_of(*await self._wire.ask(as_, "PullFacts", variables))
        checks, page = look.checks, look.page
        for _ in range(CHECK_PAGES - 1):
            if not page.has_previous_page or page.start_cursor is None:
                break
            earlier = look_of(
                *await self._wire.ask(as_, "PullFacts", variables | {"before": page.start_cursor})
            )
            if earlier.head_ref_oid != look.head_ref_oid:
                raise Transient("the head moved while it was read", maybe_done=False)
            checks, page = earlier.checks + checks, earlier.page
        return look.model_copy(update={"checks": checks})


async def wherever(client: GitHubClient, as_: Writer, repo: str, act: Callable[[str], Awaitable[T]]) -> T:
    """Do `act` in a repository; once more, under its name of today, where GitHub says that it moved."""
    try:
        return await act(repo)
    except Moved:
        today = (await client.repository(as_, repo)).full_name
    return await act(today)


def _pull_path(repo: str, number: int) -> str:
    return path("/repos/{repo}/pulls/{number}", repo=repo, number=number)
